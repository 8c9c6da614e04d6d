"""Graphs and parameters drawn from block models are distributed as the model says."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pytest
from models.block_graphs import pairs_of, planted, random_pairs, spec_of
from models.test_block_likelihood import FORMS
from scipy import special, stats

from bayeskit.models.blocks import simulation, statistics
from bayeskit.models.blocks.pairs import block_totals
from bayeskit.models.blocks.simulation import draw_assignments, draw_prior_values, draw_rates, simulate_pairs
from bayeskit.models.blocks.statistics import graph_statistics

ALPHA = 1e-6  # false alarms of a test
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


def rate_of(spec):
    return (stats.beta if spec.likelihood == "bernoulli" else gamma)(*spec.rate_arguments)


def gamma(a, b):
    return stats.gamma(a, scale=1 / b)


def uniform(values, law):
    return stats.kstest(law.cdf(values), "uniform").pvalue > ALPHA


@every_form
def test_prior_draws_have_their_laws(form):
    family = {"bernoulli": "beta", "poisson": "gamma"}[form["likelihood"]]
    spec = spec_of(3, **form, prior=("pi=dirichlet(0.7)", f"theta={family}(2, 3)"))
    values = draw_prior_values(spec, np.random.default_rng(1), 4000)
    assert {name: value.shape[1:] for name, value in values.items()} == dict(spec.shapes)
    theta = values["theta"]
    assert uniform(theta[:, 0, 2], rate_of(spec))
    assert not uniform(theta[:, 0, 2], stats.beta(2, 3.5) if spec.likelihood == "bernoulli" else gamma(2, 3.5))
    assert spec.directed or (theta == np.swapaxes(theta, 1, 2)).all()
    for site in spec.partitions:
        assert uniform(values[f"pi{site[1:]}"][:, 1], stats.beta(0.7, 1.4))


def test_estimated_concentrations_rule_the_rest():
    spec = spec_of(2, prior=("alpha=gamma(5, 5)", "a=gamma(3, 2)", "b=lognormal(1, 0.3)"))
    values = draw_prior_values(spec, np.random.default_rng(2), 4000)
    for name in ("alpha", "a", "b"):
        places = spec.prior(name)._distribution().cdf(values[name])
        assert stats.kstest(places, "uniform").pvalue > ALPHA
    places = special.betainc(values["a"], values["b"], values["theta"][:, 1, 0])
    assert stats.kstest(places, "uniform").pvalue > ALPHA
    assert stats.kstest(special.betainc(values["b"], values["a"], values["theta"][:, 1, 0]), "uniform").pvalue < ALPHA


def test_small_concentrations_leave_numbers():
    spec = spec_of(4, prior=("pi=dirichlet(0.001)", "theta=beta(0.001, 0.001)"))
    values = draw_prior_values(spec, np.random.default_rng(2), 500)
    assert (values["pi_1"] > 0).all()
    assert np.allclose(values["pi_1"].sum(axis=1), 1)
    assert ((values["theta"] > 0) & (values["theta"] < 1)).all()


def test_assignments_follow_their_shares():
    spec = spec_of(3)
    shares = {"pi_1": np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]]), "pi_2": np.array([[0.1, 0.1, 0.8]] * 2)}
    found = draw_assignments(spec, shares, 5000, np.random.default_rng(3))
    assert (found["z_1"][1] == 0).all()
    for site, expected in (("z_1", [0.2, 0.5, 0.3]), ("z_2", [0.1, 0.1, 0.8])):
        counts = np.bincount(found[site][0], minlength=3)
        assert stats.chisquare(counts, np.array(expected) * 5000).pvalue > ALPHA
        assert stats.chisquare(counts, np.full(3, 5000 / 3)).pvalue < ALPHA


@every_form
@pytest.mark.parametrize("self_pairs", [False, True])
def test_simulated_pairs_have_the_likelihoods_law(form, self_pairs):
    """Every observed pair by itself, and all others empty; a graph with twice the rates is told apart."""
    spec = spec_of(2, **form)
    pairs = random_pairs(spec, 7, 3, self_pairs=self_pairs, missing=0.2, density=0.6)
    rng = np.random.default_rng(4)
    assignments = {site: rng.integers(2, size=7) for site in spec.partitions}
    theta = np.array([[0.2, 0.5], [0.5, 0.4]]) if not spec.directed else np.array([[0.2, 0.5], [0.1, 0.4]])
    n_graphs = 1500
    graphs = [simulate_pairs(spec, pairs, {**assignments, "theta": theta}, rng) for _ in range(n_graphs)]
    mean = sum(graph.weights.toarray() for graph in graphs) / n_graphs
    first = assignments["z" if spec.shared else "z_1"]
    second = assignments["z" if spec.shared else "z_2"]
    rates = theta[np.ix_(first, second)] * np.outer(pairs.out_exposure, pairs.in_exposure)
    hidden = (pairs.unobserved.toarray() > 0) | (np.eye(7, dtype=bool) & (not self_pairs))
    assert (mean[hidden] == 0).all()
    variance = rates * (1 - rates) if spec.likelihood == "bernoulli" else rates

    def p_value(mean):
        scores = (mean - rates)[~hidden & (variance > 0)] / np.sqrt(variance[~hidden & (variance > 0)] / n_graphs)
        return stats.chi2(scores.size).sf(np.sum(scores**2) / (1 if spec.directed else 2))

    assert p_value(mean) > ALPHA
    assert p_value(1.2 * mean) < ALPHA
    if not spec.directed:
        assert all((graph.weights != graph.weights.T).nnz == 0 for graph in graphs[:50])
    one = graphs[0].weights
    assert one.has_canonical_format
    assert (one.data > 0).all()
    assert graphs[0].out_exposure is pairs.out_exposure


@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson"])
@pytest.mark.parametrize("directed", [True, False])
def test_large_graphs_are_simulated_by_block(likelihood, directed):
    n_nodes, spec = 20_000, spec_of(3, shared=True, directed=directed, likelihood=likelihood)
    pairs = pairs_of(np.zeros((1, 1)), directed=directed)
    empty = type(pairs.weights)((n_nodes, n_nodes), dtype=float)
    pairs = type(pairs)(empty, empty, False, np.ones(n_nodes), np.ones(n_nodes), directed)
    rng = np.random.default_rng(5)
    z = rng.integers(3, size=n_nodes)
    theta = np.array([[9, 1, 2], [1, 5, 1], [2, 1, 7]]) / n_nodes
    found = simulate_pairs(spec, pairs, {"z": z, "theta": theta}, rng)
    weights, exposures = block_totals(found, z, z, 3, 3)
    kept = np.ones((3, 3), bool) if directed else np.triu(np.ones((3, 3), bool))
    expected = (theta * exposures)[kept]
    assert stats.chi2(kept.sum()).sf(np.sum((weights[kept] - expected) ** 2 / expected)) > ALPHA
    assert found.weights.diagonal().sum() == 0
    assert likelihood == "poisson" or found.weights.data.max() == 1


@every_form
def test_rates_given_assignments_are_conjugate(form):
    spec = spec_of(2, **form)
    pairs = random_pairs(spec, 8, 6, missing=0.2)
    rng = np.random.default_rng(7)
    n_draws = 3000
    one = {site: rng.integers(2, size=8) for site in spec.partitions}
    values = {site: np.tile(z, (n_draws, 1)) for site, z in one.items()}
    drawn = draw_rates(spec, pairs, values, rng)
    first, second = one["z" if spec.shared else "z_1"], one["z" if spec.shared else "z_2"]
    weights, exposures = block_totals(pairs, first, second, 2, 2)
    a, b = spec.rate_arguments
    for k, m in product(range(2), repeat=2):
        rest = exposures[k, m] - (weights[k, m] if spec.likelihood == "bernoulli" else 0)
        law = stats.beta if spec.likelihood == "bernoulli" else gamma
        assert uniform(drawn["theta"][:, k, m], law(a + weights[k, m], b + rest))
        assert not uniform(drawn["theta"][:, k, m], law(a + 1 + weights[k, m], b + rest))
    for site, z in one.items():
        counts = np.bincount(z, minlength=2)
        assert uniform(drawn[f"pi{site[1:]}"][:, 0], stats.beta(1 + counts[0], 1 + counts[1]))


def test_rates_take_estimated_concentrations():
    spec = spec_of(2, prior=("alpha=gamma(2, 2)", "a=gamma(2, 2)", "b=gamma(2, 2)"))
    pairs = random_pairs(spec, 6, 6)
    rng = np.random.default_rng(8)
    values = {site: np.zeros((4000, 6), dtype=np.int16) for site in spec.partitions}
    values |= {name: rng.uniform(0.5, 2, 4000) for name in ("alpha", "a", "b")}
    drawn = draw_rates(spec, pairs, values, rng)
    places = special.betainc(values["a"], values["b"], drawn["theta"][:, 1, 1])
    assert stats.kstest(places, "uniform").pvalue > ALPHA
    places = special.betainc(values["alpha"] + 6, values["alpha"], drawn["pi_2"][:, 0])
    assert stats.kstest(places, "uniform").pvalue > ALPHA


def test_statistics_are_networkx_ones():
    rng = np.random.default_rng(9)
    matrix = rng.poisson(0.15, (30, 30)).astype(float)
    matrix[4], matrix[:, 4] = 0, 0
    found = graph_statistics(pairs_of(matrix, self_pairs=True))
    graph = nx.from_numpy_array(matrix - np.diag(np.diag(matrix)), create_using=nx.DiGraph)
    assert found["total weight"] == matrix.sum()
    assert found["sd of out-degrees"] == pytest.approx(matrix.sum(axis=1).std())
    assert found["sd of in-degrees"] == pytest.approx(matrix.sum(axis=0).std())
    assert found["reciprocity"] == pytest.approx(nx.overall_reciprocity(graph))
    assert found["transitivity"] == pytest.approx(nx.transitivity(graph.to_undirected()))
    assert found["nodes without edges"] == nx.number_of_isolates(graph)
    symmetric = np.triu(matrix) + np.triu(matrix, 1).T
    found = graph_statistics(pairs_of(symmetric, self_pairs=True, directed=False))
    assert found["total weight"] == np.triu(matrix).sum()
    assert "reciprocity" not in found
    assert list(graph_statistics(pairs_of(matrix), ["reciprocity", "transitivity"])) == ["reciprocity", "transitivity"]


@pytest.mark.parametrize("most", [0, 10**9])
def test_transitivity_of_large_graphs_is_counted_where_asked(monkeypatch, most):
    pairs, _, _ = planted(300, 3, 8, 8, 1)
    expected = graph_statistics(pairs)
    monkeypatch.setattr(statistics, "_MOST_DENSE", 10)
    monkeypatch.setattr(statistics, "_MOST_PATHS", most)
    assert graph_statistics(pairs, list(expected)) == pytest.approx(expected)
    assert ("transitivity" in graph_statistics(pairs)) == (most > 0)


def test_statistics_of_no_edges_are_numbers():
    found = graph_statistics(pairs_of(np.zeros((3, 3))))
    assert found == dict.fromkeys(found, 0.0) | {"nodes without edges": 3.0}


def test_a_broken_draw_is_told_apart(monkeypatch):
    """Rates that forget the weights fail the test of their law."""
    totals = simulation.totals_of_draws
    monkeypatch.setattr(simulation, "totals_of_draws", lambda *given: tuple(part * 0.5 for part in totals(*given)))
    with pytest.raises(AssertionError):
        test_rates_given_assignments_are_conjugate(FORMS[0])
