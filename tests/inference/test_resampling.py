"""Resampling: every scheme's expected numbers are exact, by enumeration, and the sure ones keep their bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bayeskit.core.errors import InferenceError
from bayeskit.inference._resampling import resample

SCHEMES = ("systematic", "stratified", "residual", "multinomial")
GRID = 2000
ALPHA = 1e-7

weight_lists = st.lists(st.floats(0, 1).map(lambda w: w if w > 1e-3 else 0.0), min_size=1, max_size=12).filter(any)


class Fixed:
    """Gives one uniform number, as often as it is asked for."""

    def __init__(self, number):
        self.number = number

    def random(self, n=None):
        return self.number if n is None else np.full(n, self.number)


def counts(scheme, weights, n, rng):
    return np.bincount(resample(scheme, weights, n, rng), minlength=weights.size)


def without_weights(scheme, weights, n, rng):
    return counts(scheme, np.ones(weights.size), n, rng)


def expected_over_a_grid(count, scheme, weights, n):
    """Average over a grid of the uniform number: expectations are sums over points, of which each is uniform alone."""
    return np.mean([count(scheme, weights, n, Fixed((k + 0.5) / GRID)) for k in range(GRID)], axis=0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_expected_numbers_are_exact(scheme):
    weights = np.array([0.11, 0.0, 0.37, 0.02, 0.5])
    for n in (3, 10):
        found = expected_over_a_grid(counts, scheme, weights, n)
        # Each point crosses an end of a share at most once between neighbours of the grid.
        assert np.abs(found - n * weights).max() <= 2 * n / GRID
    # Negative control: one that does not look at the weights.
    assert np.abs(expected_over_a_grid(without_weights, scheme, weights, 10) - 10 * weights).max() > 0.5


@given(weight_lists, st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_bounds_hold_for_any_weights(weights, n, number):
    weights = np.array(weights)
    share = n * weights / weights.sum()
    for scheme in SCHEMES:
        places = resample(scheme, weights, n, Fixed(number))
        found = np.bincount(places, minlength=weights.size)
        assert places.size == n
        assert np.all(np.diff(places) >= 0)
        assert not found[weights == 0].any()
        if scheme == "systematic":
            assert np.all(np.abs(found - share) < 1 + 1e-9)
        if scheme == "stratified":
            assert np.all(np.abs(found - share) < 2 + 1e-9)
        if scheme == "residual":
            assert np.all(found >= np.floor(share - 1e-9))


def test_variance_is_that_of_the_scheme():
    """Of multinomial counts n w (1 - w); the others never have more."""
    rng, n, weights = np.random.default_rng(1), 20, np.array([0.03, 0.22, 0.35, 0.4])
    spread = {s: np.array([counts(s, weights, n, rng) for _ in range(4000)]).var(axis=0, ddof=1) for s in SCHEMES}
    exact = n * weights * (1 - weights)
    limits = stats.chi2(3999).ppf([ALPHA / 8, 1 - ALPHA / 8]) / 3999 * 1.05  # counts are not quite normal
    assert np.all((spread["multinomial"] / exact > limits[0] / 1.1) & (spread["multinomial"] / exact < limits[1]))
    for scheme in ("systematic", "stratified", "residual"):
        assert np.all(spread[scheme] < spread["multinomial"])
    assert np.all(spread["systematic"] < 0.26)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_whole_shares_are_kept_whole(scheme):
    if scheme != "multinomial":
        found = counts(scheme, np.array([0.25, 0.5, 0.25]), 8, np.random.default_rng(2))
        np.testing.assert_array_equal(found, [2, 4, 2])
    np.testing.assert_array_equal(counts(scheme, np.array([0.0, 1.0]), 5, np.random.default_rng(3)), [0, 5])


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, np.nan], [1.0, -0.1], [np.inf, 1.0]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(InferenceError, match="nothing to resample"):
        resample("systematic", np.array(weights), 10, np.random.default_rng(1))
