"""Simulation-based calibration of Gaussian mixtures, small, by blocked Gibbs; and wrong posteriors that it must find.

Only what does not depend on labels is ranked. Many short chains, which the engine runs side by side, take less time
than few long ones.
"""

from dataclasses import replace

import numpy as np
import pytest

from bayeskit.core.errors import InferenceError
from bayeskit.core.types import Draws
from bayeskit.datasets.points import points
from bayeskit.diagnostics.calibration import Simulation, assess_calibration, rank_quantities
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models.gmm import gmm
from bayeskit.models.mixtures.simulation import draw_prior_values, simulate_points
from bayeskit.models.mixtures.spec import COVARIANCES

CONFIG = GibbsConfig(chains=8, warmup=100, draws=60)


def mixture(n_points=40, n_columns=2, missing=True, **options):
    array = np.random.default_rng(1).normal(size=(n_points, n_columns))
    if missing:
        array[3, 0] = array[n_points // 2, n_columns - 1] = np.nan
    return gmm(points(array), **options)


def by_gibbs(model, seed, config=CONFIG):
    return fit_gibbs(model.gibbs(), config, seed=seed)


def simulation(model, index, simulate, fit):
    """Simulate a truth and points, fit these, and rank what has no labels."""
    rng = np.random.default_rng([7, index])
    truth, simulated = simulate(rng)
    simulated = replace(model, y=simulated.y)
    try:
        draws = fit(simulated, int(rng.integers(2**31)))
    except InferenceError as error:
        return Simulation(index, 0.0, {}, problem=str(error))
    shape = draws.values["means"].shape[:2]
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in draws.values.items()}
    found = {label: value.reshape(shape) for label, value in simulated.test_quantities(flat).items()}
    known = simulated.test_quantities({name: value[None] for name, value in truth.items()})
    ranked = rank_quantities({label: float(value[0]) for label, value in known.items()}, found, rng, kind=draws.kind)
    return Simulation(index, 0.0, ranked)


def calibrated(model, simulations, simulate=None, fit=by_gibbs):
    found = [simulation(model, index, simulate or model.simulate, fit) for index in range(simulations)]
    return assess_calibration(found)


def outcomes(calibration):
    return {verdict.name: verdict.passed for verdict in calibration.verdicts}


def adjusted(calibration):
    return {quantity.label: quantity.adjusted for quantity in calibration.quantities}


def test_ranks_are_uniform():
    found = calibrated(mixture(missing=False, components=2), 60)
    assert outcomes(found)["ranks"]
    assert outcomes(found)["coverage"]
    assert outcomes(found)["failed_simulations"]


def test_wrong_prior_on_the_scales_is_found():
    model = mixture(6, missing=False, components=2, prior="scales=lognormal(0.3, 0.3)")
    found = calibrated(model, 10, simulate=mixture(6, missing=False, components=2).simulate)
    assert outcomes(found)["ranks"] is False


def test_likelihood_that_ignores_a_component_is_found():
    """The points come from the first component alone, whatever its weight."""
    model = mixture(missing=False, components=2)

    def without_the_second(rng):
        truth, simulated = model.simulate(rng)
        y = simulate_points(model.spec, {**truth, "weights": np.array([1.0, 0.0])}, len(model.y), rng)
        return truth, replace(simulated, y=y)

    found = calibrated(model, 10, simulate=without_the_second)
    assert outcomes(found)["ranks"] is False
    assert adjusted(found)["log_lik"] < 0.01


def test_posterior_that_is_the_prior_is_found_by_what_depends_on_the_points():
    model = mixture(components=2)

    def prior(model, seed):
        values = draw_prior_values(model.spec, np.random.default_rng(seed), 200)
        return Draws("iid", {name: value[None] for name, value in values.items()})

    p_values = adjusted(calibrated(model, 60, fit=prior))
    assert p_values.pop("log_lik") < 0.01
    assert p_values.pop("log_density") < 0.01
    # What the points have no part in is as the prior has it.
    assert min(p for label, p in p_values.items() if label.startswith(("largest", "mean", "sd", "log_pred"))) > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("dp", [False, True])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_ranks_are_uniform_at_length(covariance, dp):
    model = mixture(n_columns=3, components=3, covariance=covariance, dp=dp)
    config = GibbsConfig(chains=8, warmup=300, draws=150)
    found = calibrated(model, 120, fit=lambda simulated, seed: by_gibbs(simulated, seed, config))
    assert outcomes(found) == dict.fromkeys(outcomes(found), True)
