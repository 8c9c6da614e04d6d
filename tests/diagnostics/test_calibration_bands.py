"""The exact band: against enumeration and simulation, and in agreement with its p-values and its power."""

import math
from itertools import combinations_with_replacement

import numpy as np
import pytest
from scipy import stats

from bayeskit.diagnostics.calibration_bands import (
    GRID,
    N_CELLS,
    POWER,
    Band,
    band,
    crossing,
    curve,
    detectable,
    p_value,
    power,
    simulations_for,
)

RATE = 1e-4  # at which a right test fails by chance
RNG = np.random.default_rng(20221110)


def pointwise(n, alpha):
    """The band that holds each count by itself with that probability: too narrow for all of them."""
    return Band(n, *(stats.binom.ppf(p, n, GRID).astype(int) for p in (alpha / 2, 1 - alpha / 2)))


def leaving(within, values):
    return sum(not within.holds(curve(one)) for one in values)


@pytest.mark.parametrize(("n", "alpha"), [(1, 0.3), (2, 0.05), (3, 0.1)])
def test_crossing_is_that_of_all_ways_to_place_a_few_values(n, alpha):
    cells = np.array(list(combinations_with_replacement(range(N_CELLS), n)), dtype=np.int8)
    distinct = 1 + (np.diff(cells, axis=1) > 0).sum(axis=1)
    orders = np.array([0, 1, 2 if n == 2 else 3, 6])[distinct]  # in how many orders so many distinct cells can come
    for within in (band(n, alpha), pointwise(n, alpha)):
        crossed = np.zeros(len(cells), dtype=bool)
        for place in range(GRID.size):
            counts = (cells <= place).sum(axis=1)
            crossed |= (counts < within.low[place]) | (counts > within.high[place])
        assert crossing(within) == pytest.approx(orders[crossed].sum() / N_CELLS**n, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("n", [17, 60, 500])
def test_as_many_uniform_curves_leave_the_band_as_it_says(n):
    values = RNG.random((2000, n))
    for within in (band(n, 0.05), pointwise(n, 0.05)):
        assert stats.binomtest(leaving(within, values), len(values), crossing(within)).pvalue > RATE
    assert crossing(band(n, 0.05)) < 0.05
    # A band for each point alone is far too narrow, and the test sees it.
    assert stats.binomtest(leaving(pointwise(n, 0.05), values), len(values), 0.05, "greater").pvalue < RATE


@pytest.mark.parametrize("n", [5, 60, 500])
def test_no_wider_band_than_need_be(n):
    """With the next strangest curves out, too, the band would be left too often."""
    within = band(n, 0.05)
    narrower = []
    for place in range(GRID.size):
        for edge, step in (("low", 1), ("high", -1)):
            ends = {"low": within.low.copy(), "high": within.high.copy()}
            ends[edge][place] += step
            mirrored = {"low": n - ends["high"][::-1], "high": n - ends["low"][::-1]}
            both = Band(n, np.maximum(ends["low"], mirrored["low"]), np.minimum(ends["high"], mirrored["high"]))
            edge_tail = (
                2 * min(stats.binom.cdf(within.low[place], n, GRID[place]), 1.0)
                if edge == "low"
                else 2 * min(stats.binom.sf(within.high[place] - 1, n, GRID[place]), 1.0)
            )
            narrower.append((edge_tail, crossing(both)))
    assert min(narrower)[1] >= 0.05


@pytest.mark.parametrize("n", [3, 40, 300])
def test_a_curve_leaves_the_band_where_its_p_value_is_below_alpha(n):
    outcomes = set()
    for exponent in np.linspace(0.4, 2.5, 150):
        values = RNG.random(n) ** exponent
        outside = not band(n, 0.1).holds(curve(values))
        assert outside == (p_value(values) < 0.1)
        outcomes.add(outside)
    assert outcomes == {True, False}


def test_p_values_are_uniform_where_the_values_are():
    values = RNG.random((500, 500))
    found = np.array([p_value(one) for one in values])
    assert stats.kstest(found, "uniform").pvalue > RATE
    for alpha in (0.01, 0.1, 0.5):
        expected = crossing(band(500, alpha))
        assert stats.binomtest(int((found < alpha).sum()), found.size, expected).pvalue > RATE
    strangest = [2 * min(tails) for tails in (_tails(one) for one in values)]
    assert stats.kstest(np.minimum(strangest, 1), "uniform").pvalue < RATE  # without regard to the many points


def _tails(values):
    counts = curve(values)
    return (
        stats.binom.cdf(counts, values.size, GRID).min(),
        stats.binom.sf(counts - 1, values.size, GRID).min(),
    )


@pytest.mark.parametrize("place", [0.001, 0.999])
def test_small_p_values_keep_their_digits(place):
    """All of 20 values beyond the first or the last point: nothing is stranger."""
    assert p_value(np.full(20, place)) == pytest.approx(2 * 0.01**20, rel=1e-9)


def test_power_is_how_often_too_narrow_posteriors_leave_the_band():
    places = stats.norm.cdf(1.4 * RNG.standard_normal((3000, 100)))
    found = leaving(band(100, 0.01), places)
    assert stats.binomtest(found, len(places), power(100, 0.01, 1.4)).pvalue > RATE
    assert stats.binomtest(found, len(places), power(100, 0.01, 1.3)).pvalue < RATE  # the test sees another factor
    assert power(100, 0.01, 1.0) == pytest.approx(crossing(band(100, 0.01)))


def test_the_smallest_factor_that_is_found():
    assert power(200, 0.01, detectable(200, 0.01)) == pytest.approx(POWER, abs=1e-3)
    assert detectable(800, 0.01) < detectable(200, 0.01) < detectable(50, 0.01)
    assert detectable(1, 0.01) == detectable(0, 0.01) == math.inf
    n = simulations_for(1.5, 0.01)
    assert power(n, 0.01, 1.5) >= POWER > power(n - 1, 0.01, 1.5)
