"""Predicted probabilities: the curve is ArviZ's, right ones pass, and wrong ones are told."""

import arviz_base
import numpy as np
import pytest
from arviz_stats.helper_stats import isotonic_fit
from scipy import stats

from bayeskit.diagnostics.reliability import N_SIMULATED, reliability


def predicted(n=400, seed=1):
    rng = np.random.default_rng(seed)
    return rng, rng.beta(1.5, 1.5, n)


def test_the_curve_is_that_of_arviz():
    """Where no two probabilities are equal: of equal ones ArviZ takes each case for itself."""
    rng, probability = predicted(120)
    near = probability + 0.1 * rng.normal(size=(4, 500, 120))
    observed = (rng.random(120) < probability).astype(int)
    tree = arviz_base.from_dict({"posterior_predictive": {"y": near}, "observed_data": {"y": observed}})
    theirs = isotonic_fit(tree, "y", "posterior_predictive", 0.9, "binary")["y"]
    ours = reliability(observed.astype(float), near.mean((0, 1)))
    np.testing.assert_allclose(ours.probability, theirs.sel(plot_axis="x").to_numpy())
    np.testing.assert_allclose(ours.share, theirs.sel(plot_axis="y").to_numpy())


def test_right_probabilities_fail_as_often_as_they_may():
    """p-values are uniform: of 200, more than 22 below 0.05 come by chance in 1 suite of 2000."""
    found = []
    for seed in range(200):
        rng, probability = predicted(100, seed)
        found.append(reliability((rng.random(100) < probability).astype(float), probability, seed).p_value)
    assert np.sum(np.array(found) <= 0.05) <= 22
    assert np.mean(found) == pytest.approx(0.5, abs=4.5 * np.sqrt(1 / 12 / 200))


@pytest.mark.parametrize(
    "wrong",
    [lambda p: np.clip(1.6 * (p - 0.5) + 0.5, 0.01, 0.99), lambda p: 0.5 + 0.4 * (p - 0.5), lambda p: p**2],
    ids=["too sure", "too timid", "too low"],
)
def test_wrong_probabilities_are_told(wrong):
    rng, probability = predicted()
    observed = (rng.random(probability.size) < probability).astype(float)
    found = reliability(observed, wrong(probability))
    assert found.p_value <= 0.01
    assert found.miscalibration > 0
    assert np.mean((found.share < found.ends[0]) | (found.share > found.ends[3])) > 0.05


def test_equal_probabilities_are_one_point():
    observed = np.array([0.0, 1, 1, 0, 1, 1])
    found = reliability(observed, np.array([0.2, 0.2, 0.2, 0.7, 0.7, 0.7]))
    assert found.cases.tolist() == [3, 3]
    np.testing.assert_allclose(found.share, [2 / 3, 2 / 3])


@pytest.mark.parametrize(("n", "chance", "n_events"), [(40, 0.3, 16), (60, 0.7, 36)])
def test_events_in_another_order_are_as_far_off(n, chance, n_events):
    """Of one predicted probability only the number of events matters, and the test is the exact binomial one."""
    rng = np.random.default_rng(4)
    counts = np.arange(n + 1)
    as_far = np.abs(counts - n * chance) >= abs(n_events - n * chance) - 1e-9
    exact = stats.binom.pmf(counts, n, chance)[as_far].sum()
    events = np.repeat([1.0, 0.0], [n_events, n - n_events])
    found = {reliability(rng.permutation(events), np.full(n, chance)).p_value for _ in range(6)}
    assert len(found) == 1
    assert found.pop() == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / N_SIMULATED) + 1 / N_SIMULATED)
