"""What a proof of the bound must not miss, and what rejection must not draw: cases that were once got wrong."""

import numpy as np
import pytest

import bayeskit as bk
from bayeskit.core.proposals import Uniform

SPIKES = {
    "a spike": (lambda p: -0.5 * p[:, 0] ** 2 + np.where(np.abs(p[:, 0] - 7.3) < 1e-5, 45.0, 0.0), 45 - 0.5 * 7.3**2),
    "a bump": (lambda p: np.where(np.abs(p[:, 0] - 1) < 0.001, 1.5, 0.0), 1.5),
    "a point": (lambda p: np.where(p[:, 0] == 0.3, 9.0, 0.0), 9.0),
}


@pytest.mark.parametrize("name", SPIKES)
def test_a_jump_between_two_constants_is_not_proven_away(name):
    log_density, highest = SPIKES[name]
    model = bk.density(log_density, lower=-10.0, upper=10.0)
    try:
        fit = bk.fit(model, config=bk.RejectionConfig(draws=50, max_proposals=10**6, max_seconds=5), seed=1)
    except bk.InferenceError:
        return  # next to nothing is accepted below the true bound: said, not hidden
    told = fit.posterior["sample_stats"].attrs
    assert not told["certified"] or told["log_bound"] >= highest + np.log(20) - 1e-6


def test_whole_numbers_are_not_drawn_as_fractions():
    model = bk.density(
        lambda p: -0.1 * p[:, 0] ** 2,
        {"k": ()},
        integer=("k",),
        lower=0.0,
        upper=20.0,
        proposal=Uniform(np.zeros(1), np.full(1, 20.0)),
    )
    with pytest.raises(bk.ConfigError, match="fractions"):
        bk.fit(model, engine="rejection", seed=1)


@pytest.mark.parametrize("ends", [(0.0, 20.0), (0.1, 2.9)])
def test_an_even_proposal_of_whole_numbers_counts_them(ends):
    lower, upper = ends
    whole = np.arange(np.ceil(lower), np.floor(upper) + 1)
    model = bk.density(
        lambda p: p[:, 0] * np.log(3.0) - p[:, 0] ** 2 / 9,
        {"k": ()},
        integer=("k",),
        lower=lower,
        upper=upper,
        proposal=Uniform(np.array([lower]), np.array([upper]), np.array([True])),
    )
    told = bk.fit(model, engine="rejection", seed=1).posterior["sample_stats"].attrs
    exact = np.log(np.exp(whole * np.log(3.0) - whole**2 / 9).sum())
    assert abs(told["log_normalizer"] - exact) < 5 * told["log_normalizer_error"] + 1e-9


def test_modes_far_apart_are_not_taken_for_log_concave():
    model = bk.density(lambda p: np.logaddexp(-0.5 * p[:, 0] ** 2, -0.5 * (p[:, 0] - 20) ** 2))
    with pytest.raises(bk.InferenceError, match="not log-concave"):
        bk.fit(model, config=bk.RejectionConfig(adaptive=True), seed=1)


def test_engines_have_streams_of_their_own():
    """Else means at one seed would go together, and engines agree too well."""
    model = bk.target("beta")
    configs = (
        bk.RejectionConfig(draws=300),
        bk.ImportanceConfig(draws=300, threads=1),
        bk.MetropolisConfig(warmup=50, draws=20),
    )
    means = np.array(
        [
            [bk.assess(bk.fit(model, config=config, seed=seed)).summary["mean"].iloc[0] for config in configs]
            for seed in range(80)
        ]
    )
    correlations = np.corrcoef(means.T)[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 0.6  # of 80 independent pairs beyond that once in a hundred million
