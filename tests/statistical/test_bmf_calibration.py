"""Simulation-based calibration of matrix factorisations, small, by blocked Gibbs; and posteriors that it must refuse.

Only what no rotation of the factors changes is ranked.
"""

import numpy as np
import pandas as pd
import pytest
from models.factor_problems import FORMS

from bayeskit.datasets.ratings import ratings
from bayeskit.diagnostics.calibration import Simulation, assess_calibration, rank_quantities
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models.bmf import bmf

CONFIG = GibbsConfig(chains=2, warmup=30, draws=30, thin=2)
QUICK = "normal, wishart"


def model_of(prior=(), **options):
    rng = np.random.default_rng(1)
    pairs = rng.permutation(14 * 9)[:70]
    values = rng.integers(1, 6, pairs.size)
    users = pd.DataFrame({"user": np.arange(14), "group": np.tile(["a", "b"], 7)})
    made = ratings(pairs // 9, pairs % 9, values, split="none", scale="1:5", users=users)
    return bmf(made, rank=2, prior=list(prior), **options)


OPTIONS = {
    "normal, wishart": {},
    "ordinal, wishart": {"likelihood": "ordinal"},
    "normal, ard": {"prior_family": "ard"},
    "normal, not negative": {"nonnegative": True},
    "normal, wishart with features": {"features": "users"},
}


def calibrated(model, simulations, simulate=None):
    found = []
    for index in range(simulations):
        rng = np.random.default_rng([7, index])
        truth, simulated = (simulate or model.simulate)(rng)
        # The model that is fitted may differ from the one that simulates, but for the ratings.
        fitted = type(model)(model.data, model.spec, simulated.observed, model.options)
        draws = fit_gibbs(fitted.gibbs(), CONFIG, seed=int(rng.integers(2**31)))
        shape = draws.values["rating"].shape[:2]
        flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in draws.values.items()}
        ranked = {label: value.reshape(shape) for label, value in fitted.test_quantities(flat).items()}
        known = fitted.test_quantities({name: np.asarray(value)[None] for name, value in truth.items()})
        truths = {label: float(known[label][0]) for label in ranked}
        found.append(Simulation(index, 0.0, rank_quantities(truths, ranked, rng, kind=draws.kind)))
    return assess_calibration(found)


def outcomes(calibration):
    return {verdict.name: verdict.passed for verdict in calibration.verdicts}


def adjusted(calibration):
    return {quantity.label: quantity.adjusted for quantity in calibration.quantities}


def test_every_likelihood_and_prior_has_a_form_here():
    assert set(OPTIONS) <= set(FORMS)


@pytest.mark.parametrize(
    "form",
    [pytest.param(form, marks=() if form == QUICK else pytest.mark.slow) for form in OPTIONS],  # half a minute each
)
def test_ranks_are_uniform(form):
    found = calibrated(model_of(**OPTIONS[form]), 60 if form == QUICK else 200)
    assert outcomes(found)["ranks"], adjusted(found)
    assert outcomes(found)["coverage"]


def test_a_wrong_prior_on_the_precision_is_found():
    model = model_of(prior=["tau=gamma(40, 10)"])
    assert outcomes(calibrated(model, 15, simulate=model_of().simulate))["ranks"] is False


def test_a_wrong_prior_on_the_factors_is_found():
    model = model_of(prior=["factors=wishart(40, 2)"])
    assert outcomes(calibrated(model, 15, simulate=model_of().simulate))["ranks"] is False
