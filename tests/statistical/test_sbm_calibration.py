"""Simulation-based calibration of block models, small, by collapsed Gibbs; and wrong posteriors that it must find.

Only what does not depend on labels is ranked.
"""

from dataclasses import replace

import numpy as np
import pytest

from bayeskit.core.errors import InferenceError
from bayeskit.core.types import Draws
from bayeskit.datasets.graphs import graph
from bayeskit.diagnostics.calibration import Simulation, assess_calibration, rank_quantities
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models.blocks.simulation import draw_assignments, draw_prior_values, simulate_pairs
from bayeskit.models.sbm import sbm

CONFIG = GibbsConfig(chains=4, warmup=60, draws=80, thin=2)
FORMS = {
    "two partitions": {"source_blocks": 2, "target_blocks": 3},
    "shared": {"source_blocks": 3, "shared": True},
    "undirected": {"source_blocks": 2},
    "poisson": {"source_blocks": 2, "likelihood": "poisson"},
    "corrected": {"source_blocks": 2, "shared": True, "degree_corrected": True},
    "estimated": {"source_blocks": 2, "shared": True, "prior": ["alpha=gamma(3, 2)", "b=gamma(4, 2)"]},
}


def model_of(n_nodes=16, **options):
    rng = np.random.default_rng(1)
    weights = rng.integers(0, 3, (n_nodes, n_nodes)).astype(float)
    weights[2, 5] = weights[5, 2] = np.nan  # unobserved
    undirected = options.pop("undirected", False)
    weights = np.triu(weights) + np.triu(weights, 1).T if undirected else weights
    return sbm(graph(weights, directed=not undirected), **options)


def of_form(form, **more):
    return model_of(undirected=form == "undirected", **{**FORMS[form], **more})


def by_gibbs(model, seed, config=CONFIG):
    return fit_gibbs(model.gibbs(), config, seed=seed)


def simulation(model, index, simulate, fit):
    """Simulate a truth and a graph, fit this, and rank what has no labels."""
    rng = np.random.default_rng([7, index])
    truth, simulated = simulate(rng)
    simulated = replace(model, pairs=simulated.pairs)
    try:
        draws = fit(simulated, int(rng.integers(2**31)))
    except InferenceError as error:
        return Simulation(index, 0.0, {}, problem=str(error))
    shape = draws.values["theta"].shape[:2]
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in draws.values.items()}
    found = {label: value.reshape(shape) for label, value in simulated.test_quantities(flat).items()}
    known = simulated.test_quantities({name: np.asarray(value)[None] for name, value in truth.items()})
    ranked = rank_quantities({label: float(value[0]) for label, value in known.items()}, found, rng, kind=draws.kind)
    return Simulation(index, 0.0, ranked)


def calibrated(model, simulations, simulate=None, fit=by_gibbs):
    found = [simulation(model, index, simulate or model.simulate, fit) for index in range(simulations)]
    return assess_calibration(found)


def outcomes(calibration):
    return {verdict.name: verdict.passed for verdict in calibration.verdicts}


def adjusted(calibration):
    return {quantity.label: quantity.adjusted for quantity in calibration.quantities}


@pytest.mark.parametrize(
    "form",
    [
        form if form in ("two partitions", "poisson", "corrected") else pytest.param(form, marks=pytest.mark.slow)
        for form in FORMS
    ],
)
def test_ranks_are_uniform(form):
    found = calibrated(of_form(form), 60)
    assert outcomes(found)["ranks"], adjusted(found)
    assert outcomes(found)["coverage"]
    assert outcomes(found)["failed_simulations"]


def test_a_wrong_prior_on_the_rates_is_found():
    model = of_form("shared", prior=["theta=beta(4, 4)"])
    found = calibrated(model, 40, simulate=of_form("shared").simulate)
    assert outcomes(found)["ranks"] is False


def test_a_likelihood_that_forgets_a_block_is_found():
    """All nodes have the rates of the first block, whatever block the truth says."""
    model = of_form("two partitions")

    def without_the_others(rng):
        truth, _ = model.simulate(rng)
        flat = {**truth, "theta": np.broadcast_to(truth["theta"][:1, :1], truth["theta"].shape)}
        return truth, replace(model, pairs=simulate_pairs(model.spec, model.pairs, flat, rng))

    found = calibrated(model, 40, simulate=without_the_others)
    assert outcomes(found)["ranks"] is False
    assert adjusted(found)["log_lik"] < 0.01


def test_a_posterior_that_is_the_prior_is_found_by_what_depends_on_the_graph():
    model = of_form("two partitions")

    def prior(model, seed):
        rng = np.random.default_rng(seed)
        values = draw_prior_values(model.spec, rng, 200)
        values |= draw_assignments(model.spec, values, model.pairs.n_nodes, rng)
        return Draws("iid", {name: value[None] for name, value in values.items()})

    p_values = adjusted(calibrated(model, 60, fit=prior))
    assert p_values["log_lik"] < 0.01
    assert p_values["log_density"] < 0.01


def test_assignments_of_every_edge_by_itself_are_found():
    """Each edge has blocks of its own: what is left is one rate for all pairs, and nothing of who belongs where."""
    model = of_form("shared")

    def edge_by_edge(model, seed):
        rng = np.random.default_rng(seed)
        weight, exposure = model.pairs.total
        values = draw_prior_values(model.spec, rng, 4000)
        rate = np.einsum("dk,dkl,dl->d", values["pi"], values["theta"], values["pi"])
        log_likelihood = weight * np.log(rate) + (exposure - weight) * np.log1p(-rate)
        chances = np.exp(log_likelihood - log_likelihood.max())
        kept = rng.choice(4000, 200, p=chances / chances.sum())
        values = {name: value[kept] for name, value in values.items()}
        values |= draw_assignments(model.spec, values, model.pairs.n_nodes, rng)
        return Draws("iid", {name: value[None] for name, value in values.items()})

    found = calibrated(model, 40, fit=edge_by_edge)
    assert outcomes(found)["ranks"] is False
    assert adjusted(found)["log_lik"] < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_ranks_are_uniform_at_length(form):
    config = GibbsConfig(chains=4, warmup=300, draws=250, thin=4)
    model = model_of(40, undirected=form == "undirected", **FORMS[form])
    found = calibrated(model, 200, fit=lambda simulated, seed: by_gibbs(simulated, seed, config))
    assert outcomes(found) == dict.fromkeys(outcomes(found), True)
