"""Block models of few nodes: evidence, independent draws, gradients' sampler, and the source's model as a control."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyro
import pytest
from arviz_stats.base import array_stats
from models.block_graphs import planted, random_pairs, spec_of
from models.per_edge import (
    log_likelihoods,
    per_edge_chances,
    per_edge_evidence,
    per_edge_posterior,
    per_edge_program,
)
from models.test_block_exact import agree
from models.test_block_likelihood import FORMS
from scipy import stats

from bayeskit.inference.nuts import NUTSConfig, fit_nuts
from bayeskit.models.blocks.exact import ExactBlocks
from bayeskit.models.blocks.quantities import label_free_quantities
from bayeskit.models.blocks.simulation import draw_assignments, draw_prior_values, simulate_pairs
from bayeskit.models.blocks.statistics import graph_statistics
from bayeskit.models.blocks.variational_draws import Factors, draw_factors

ALPHA = 1e-6  # false alarms of a test
ERRORS = 5  # standard errors, of as many false alarms
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


def few(form, seed=2):
    spec = spec_of(2, **form)
    return spec, random_pairs(spec, 5 if spec.shared else 3, seed, self_pairs=True, missing=0.1, density=0.6)


def some_factors(spec, n_nodes, rng):
    a, b = spec.rate_arguments
    rates = (a + rng.gamma(1, 1, spec.shapes["theta"]), b + rng.gamma(1, 1, spec.shapes["theta"]))
    rows = {site: rng.dirichlet(np.ones(size), n_nodes) for site, size in spec.partitions.items()}
    return Factors(rows, {site: rng.uniform(0.7, 3, 2) for site in rows}, rates)


@every_form
def test_bounds_do_not_exceed_the_evidence(form):
    rng = np.random.default_rng(1)
    spec, pairs = few(form)
    evidence = ExactBlocks(spec, pairs).log_evidence
    for _ in range(20):
        factors = some_factors(spec, pairs.n_nodes, rng)
        _, log_p, log_q = draw_factors(spec, pairs, factors, 400, rng)
        terms = log_p - log_q
        assert terms.mean() < evidence + ERRORS * terms.std() / 20


@every_form
def test_weighted_draws_have_the_evidence(form):
    """The mean of p / q is the evidence; a density of assignments that is twice too small is told apart."""
    rng = np.random.default_rng(2)
    spec, pairs = few(form)
    shape = spec.shapes["theta"]
    a, b = (np.full(shape, argument) for argument in spec.rate_arguments)
    rows = {site: np.full((pairs.n_nodes, 2), 0.5) for site in spec.partitions}
    prior = Factors(rows, {site: np.ones(2) for site in rows}, (a, b))
    _, log_p, log_q = draw_factors(spec, pairs, prior, 6000, rng)
    weights = np.exp(log_p - log_q - ExactBlocks(spec, pairs).log_evidence)
    error = ERRORS * weights.std() / np.sqrt(weights.size)
    assert abs(weights.mean() - 1) < error
    assert abs(2 * weights.mean() - 1) > error


def test_an_entropy_that_counts_twice_lifts_bounds_above_the_evidence():
    rng = np.random.default_rng(3)
    spec, pairs = few(FORMS[3])
    weight, exposure = (part / 4 for part in pairs.total)
    rates = np.full((2, 2), 1 + weight), np.full((2, 2), 1 + exposure - weight)
    nobody_knows = Factors({"z": np.full((5, 2), 0.5)}, {"z": np.full(2, 3.5)}, rates)
    _, log_p, log_q = draw_factors(spec, pairs, nobody_knows, 400, rng)
    margin = ERRORS * np.std(log_p - log_q) / 20
    evidence = ExactBlocks(spec, pairs).log_evidence
    assert np.mean(log_p - log_q) < evidence + margin
    assert np.mean(log_p - log_q) + 5 * np.log(2) > evidence + margin


@every_form
def test_exact_draws_are_as_frequent_as_probable(form):
    spec, pairs = few(form)
    exact = ExactBlocks(spec, pairs)
    values = exact.sample(np.random.default_rng(4), 10_000)
    digits = np.concatenate([values[site] for site in spec.partitions], axis=1).astype(int)
    counts = np.bincount(digits @ (2 ** np.arange(digits.shape[1])[::-1]), minlength=len(exact.probabilities))
    assert agree(counts, exact.probabilities)
    tempered = np.sqrt(exact.probabilities)
    assert not agree(counts, tempered / tempered.sum())


@pytest.fixture
def _alone():
    with pyro.get_param_store().scope():
        yield


@pytest.mark.parametrize("form", [FORMS[3], pytest.param(FORMS[1], marks=pytest.mark.slow)], ids=str)
@pytest.mark.usefixtures("_alone")
def test_nuts_without_assignments_has_the_exact_posterior(form):
    """Moments of what needs no labels, assignments drawn afterwards; those of another graph are told apart."""
    spec, pairs = few(form)
    exact = ExactBlocks(spec, pairs)
    program, arguments, _ = exact.pyro_program()
    config = NUTSConfig(backend="pyro", chains=2, warmup=100, draws=250, init="prior")
    draws = fit_nuts(program, arguments, config=config, seed=1)
    values = exact.with_assignments(draws.values, np.random.default_rng(5))
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in values.items()}
    found = label_free_quantities(spec, pairs, flat)

    def worst(of):
        expected = label_free_quantities(spec, pairs, of.sample(np.random.default_rng(6), 4000))
        return max(_score(found[label].reshape(2, -1), expected[label]) for label in found)

    assert worst(exact) < ERRORS
    assert worst(ExactBlocks(*few(form, seed=3))) > ERRORS


def _score(chains, independent):
    """Return by how many standard errors the means differ."""
    size = float(array_stats.ess(chains, chain_axis=0, draw_axis=1, method="mean"))
    error = np.sqrt(chains.var() / size + independent.var() / independent.size)
    return abs(chains.mean() - independent.mean()) / error if error > 0 else 0.0


def simulated(spec, pairs, rng):
    truth = draw_prior_values(spec, rng, 1)
    truth |= draw_assignments(spec, truth, pairs.n_nodes, rng)
    return truth, simulate_pairs(spec, pairs, {name: value[0] for name, value in truth.items()}, rng)


def is_uniform(ranks, n_ranks=20, cells=5):
    counts = np.bincount(np.array(ranks) * cells // n_ranks, minlength=cells)
    return stats.chisquare(counts).pvalue > ALPHA


def test_exact_draws_are_calibrated():
    rng = np.random.default_rng(7)
    spec = spec_of(2)
    pairs, ranks = random_pairs(spec, 4, 1, missing=0.1), {}
    for _ in range(150):
        truth, graph = simulated(spec, pairs, rng)
        true = label_free_quantities(spec, graph, truth)
        drawn = label_free_quantities(spec, graph, ExactBlocks(spec, graph).sample(rng, 19))
        for label, value in true.items():
            below, equal = np.sum(drawn[label] < value), np.sum(drawn[label] == value)
            ranks.setdefault(label, []).append(below + rng.integers(equal + 1))
    assert [label for label, found in ranks.items() if not is_uniform(found)] == []


def test_marginalising_every_edge_by_itself_is_not_calibrated():
    """It takes all pairs for independent, and is far too sure of the mean rate."""
    rng = np.random.default_rng(8)
    spec = spec_of(2)
    pairs, ranks = random_pairs(spec, 25, 1), []
    chances = per_edge_chances(2, 2, 20_000, rng)
    for _ in range(150):
        truth, graph = simulated(spec, pairs, rng)
        drawn = per_edge_posterior(graph.weights.sum(), 600, chances, 19, rng)
        true = label_free_quantities(spec, graph, truth)["mean_rate"]
        ranks.append(int(np.sum(drawn < true)))
    assert not is_uniform(ranks)


def test_marginalising_every_edge_by_itself_has_another_evidence():
    rng = np.random.default_rng(9)
    graph, _, _ = planted(8, 2, 3, 8, 1, shared=False)
    evidence = ExactBlocks(spec_of(2), graph).log_evidence
    found, error = per_edge_evidence(graph.weights.sum(), 56, per_edge_chances(2, 2, 100_000, rng))
    assert abs(found - evidence) > ERRORS * error
    # One block has no assignments: there both are the same.
    alone, error = per_edge_evidence(graph.weights.sum(), 56, per_edge_chances(1, 1, 100_000, rng))
    assert abs(alone - ExactBlocks(spec_of(1), graph).log_evidence) < ERRORS * error


def test_marginalising_every_edge_by_itself_draws_graphs_of_too_even_degrees():
    rng = np.random.default_rng(10)
    spec = spec_of(2)
    pairs = random_pairs(spec, 40, 1)
    truth = {site: np.arange(40) % 2 for site in spec.partitions} | {"theta": np.array([[0.6, 0.5], [0.1, 0.05]])}
    graph = simulate_pairs(spec, pairs, truth, rng)
    observed = graph_statistics(graph)["sd of out-degrees"]
    drawn = per_edge_posterior(graph.weights.sum(), 1560, per_edge_chances(2, 2, 20_000, rng), 200, rng)
    alone = {"z_1": np.zeros(40, dtype=int), "z_2": np.zeros(40, dtype=int)}
    false = [simulate_pairs(spec_of(1), pairs, {**alone, "theta": np.full((1, 1), chance)}, rng) for chance in drawn]
    true = [simulate_pairs(spec, pairs, truth, rng) for _ in range(200)]

    def share_above(graphs):
        return np.mean(
            [graph_statistics(each, ["sd of out-degrees"])["sd of out-degrees"] >= observed for each in graphs]
        )

    assert share_above(false) == 0
    assert 0.005 < share_above(true) < 0.995


def test_flat_priors_on_its_concentrations_leave_no_posterior():
    """However large they become, the likelihood stays where it is: there is nothing for draws to settle at."""
    rng = np.random.default_rng(11)
    found = []
    for size in (1e3, 1e5, 1e7):
        chances = per_edge_chances(2, 2, 2000, rng, alpha=size, a=size, b=size)
        found.append(log_likelihoods(20, 56, chances).mean())
    assert np.ptp(found) < 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("_alone")
def test_chains_run_away_under_flat_priors():
    config = NUTSConfig(backend="pyro", chains=4, warmup=150, draws=100, max_treedepth=5)
    draws = fit_nuts(partial(per_edge_program, flat=True), (20.0, 56.0, 2, 2), config=config, seed=1)
    concentrations = draws.values["concentrations"]
    assert concentrations.max() > 1e4
    r_hat = [float(array_stats.rhat(concentrations[..., k], chain_axis=0, draw_axis=1)) for k in range(4)]
    assert max(r_hat) > 1.1
