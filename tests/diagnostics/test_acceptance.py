"""Acceptance that collapses to 0 or 1 is a verdict."""

import numpy as np
import pytest

from bayeskit.diagnostics.acceptance import acceptance_verdict


def rates(*means):
    return np.tile(np.array(means)[:, None], (1, 10))


@pytest.mark.parametrize(
    ("means", "passed", "value", "threshold", "comparison"),
    [
        ((0.2, 0.3), True, 0.2, 0.05, ">="),
        ((0.3, 0.04), False, 0.04, 0.05, ">="),
        ((0.3, 0.0), False, 0.0, 0.05, ">="),
        ((0.3, 0.9), False, 0.9, 0.8, "<="),
        ((1.0, 1.0), False, 1.0, 0.8, "<="),
        ((0.0, 1.0), False, 0.0, 0.05, ">="),
    ],
)
def test_the_worst_chain_is_judged(means, passed, value, threshold, comparison):
    verdict = acceptance_verdict(rates(*means))
    assert (verdict.name, verdict.passed, verdict.threshold, verdict.comparison) == (
        "acceptance",
        passed,
        threshold,
        comparison,
    )
    assert verdict.value == pytest.approx(value)
    assert bool(verdict.remedy) is not passed


def test_each_side_has_its_own_remedy():
    assert "too wide" in acceptance_verdict(rates(0.01)).remedy
    assert "too short" not in acceptance_verdict(rates(0.01)).remedy
    assert "so short" in acceptance_verdict(rates(0.99)).remedy


def test_the_detail_counts_chains():
    detail = acceptance_verdict(rates(0.01, 0.02, 0.3)).detail
    assert detail == "worst of 3 chains; mean 0.11, outside 0.05 to 0.8: 2"


@pytest.mark.parametrize(("target", "rate"), [(0.9, 0.9), (0.02, 0.02)])
def test_a_target_of_ones_own_makes_room(target, rate):
    assert not acceptance_verdict(rates(rate)).passed
    assert acceptance_verdict(rates(rate), target).passed
    assert not acceptance_verdict(rates(0.0), target).passed
    assert not acceptance_verdict(rates(1.0), target).passed


@pytest.mark.parametrize("given", [np.empty((0, 0)), np.empty((4, 0)), np.full((2, 3), np.nan)])
def test_without_numbers_there_is_no_answer(given):
    verdict = acceptance_verdict(given)
    assert verdict.passed is None
    assert verdict.value is None
    assert verdict.detail
