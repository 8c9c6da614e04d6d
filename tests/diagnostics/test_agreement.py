"""Do engines agree? Equal posteriors must, at the rate that is declared; every kind of difference must be seen.

Everything has a fixed seed. Bounds on how often a test at 5 % may reject come from the binomial distribution at 1e-7 on
either side; where nothing may disagree, the level is the cross-check's own, 0.001 over everything.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from diagnostics.agreement_factories import (
    SOUND,
    UNCHECKED,
    UNMIXED,
    chains,
    independent,
    particles,
    results,
    two_modes,
    weighted,
)
from diagnostics.factories import fit_of
from scipy.stats import binom, norm
from scipy.stats import t as student

from bayeskit.diagnostics import agreement_tests as tests
from bayeskit.diagnostics.agreement import (
    Expected,
    TargetResults,
    compare_fits,
    crosscheck,
    describe_difference,
)
from bayeskit.diagnostics.agreement_pairs import holm
from bayeskit.diagnostics.agreement_profiles import profile, scalar_labels
from bayeskit.diagnostics.agreement_ranks import middle_shares
from bayeskit.diagnostics.agreement_sliced import sliced_wasserstein

RATE = 1e-7  # at which a test here may fail by chance
MANY = 150  # cells, all independent: as many repetitions of the one-dimensional tests


def p_values(first, second):
    """All p-values of the one-dimensional tests, by statistic."""
    labels = scalar_labels(first)
    a, b = profile(first, labels), profile(second, labels)
    found: dict[str, list[float]] = {}
    for cell in range(len(labels)):
        for one in tests.compare_cell(a, b, cell, tests.pool(a, b, cell)):
            found.setdefault(one.statistic, []).append(one.p_value)
    return {name: np.array(values) for name, values in found.items()}


def agreement(first, second, **options):
    return compare_fits((first, SOUND), (second, SOUND), **options)


def most_rejections(n, share=0.05):
    return binom.isf(RATE, n, share)


def exponential(x):
    return -norm.logsf(x)


def cauchy(x):
    return np.tan(np.pi * (norm.cdf(x) - 0.5))


ENGINES = {
    "independent": lambda: independent(11, MANY, n_draws=1000),
    "chains": lambda: chains(12, MANY, rho=0.8, n_draws=1000),
    "short chains": lambda: chains(13, MANY, rho=0.9, n_chains=48, n_draws=150),
    "families": lambda: particles(14, MANY, n_families=120, size=800),
}


@pytest.mark.parametrize("name", ENGINES)
def test_equal_posteriors_are_told_apart_as_often_as_declared(name):
    """Cells are independent but for the families, in which they share their particles, not their values."""
    found = p_values(independent(1, MANY, n_draws=2500), ENGINES[name]())
    for statistic, values in found.items():
        assert (values < 0.05).sum() <= most_rejections(MANY), (statistic, np.sort(values)[:20])
    # And not only because the tests are blind: those that are exact in the limit reject about as often as they say.
    normal = np.concatenate([found[name] for name in ("mean", "variance", "q25", "q50", "q75")])
    assert 0.3 < np.mean(normal < 0.5) < 0.7


@pytest.mark.parametrize(
    ("broken", "statistics"),
    [
        # Autocorrelated chains taken for independent draws, and ancestors forgotten.
        (
            lambda: fit_of(
                "iid", {"x": np.asarray(chains(12, MANY, rho=0.8, n_draws=1000).posterior["posterior"]["x"])}
            ),
            8,
        ),
        (lambda: particles(14, MANY, n_families=120, size=800, ancestors=False), 5),
    ],
    ids=["chains as independent", "families as independent"],
)
def test_the_calibration_test_catches_a_wrong_error(broken, statistics):
    found = p_values(independent(1, MANY, n_draws=2500), broken())
    caught = [name for name, values in found.items() if (values < 0.05).sum() > most_rejections(MANY)]
    assert len(caught) >= statistics, {name: int((values < 0.05).sum()) for name, values in found.items()}


def test_weighted_draws_are_calibrated_and_the_constant_of_their_weights_means_nothing():
    rejected = {}
    for seed in range(40):
        found = p_values(independent(seed, n_draws=2000), weighted(seed + 100, n_draws=2000))
        for statistic, values in found.items():
            rejected.setdefault(statistic, []).extend(values < 0.05)
    for statistic, values in rejected.items():
        assert sum(values) <= most_rejections(len(values)), statistic
    plain, shifted = (agreement(independent(1), weighted(2, shift=shift)) for shift in (0.0, 700.0))
    assert [one.z for one in shifted.differences] == pytest.approx([one.z for one in plain.differences], abs=1e-6)


def test_weights_that_are_forgotten_are_seen():
    draws = np.asarray(weighted(2).posterior["posterior"]["x"])
    found = agreement(independent(1), fit_of("iid", {"x": draws}))
    assert found.answer == "disagree"
    assert "variance of x[" in describe_difference(found)


@pytest.mark.parametrize("to", [exponential, cauchy], ids=["exponential", "Cauchy"])
def test_heavy_tails_are_compared_by_ranks_and_raise_no_alarm(to):
    for seed in range(8):
        found = agreement(independent(seed, n_draws=3000, to=to), chains(seed, rho=0.7, n_draws=1000, to=to))
        assert found.answer == "agree", describe_difference(found)
    scales = {one.statistic: one.scale for one in found.differences if one.statistic in ("mean", "variance")}
    assert scales["variance"] == "normal scores"
    assert scales["mean"] == ("draws" if to is exponential else "normal scores")


def missing_mode(x):
    return np.stack([np.where(x[..., 1] < -0.9, x[..., 0] * 0.5 - 2, x[..., 0] + 3), x[..., 0]], axis=-1)


def correlated(x):
    return np.stack([x[..., 0], 0.5 * x[..., 0] + np.sqrt(1 - 0.5**2) * x[..., 1]], axis=-1)


def student_tails(x):
    return student.ppf(norm.cdf(x), 4) / np.sqrt(2)  # of variance 1


@pytest.mark.parametrize(
    ("to", "base", "seen_by"),
    [
        (lambda x: x + np.array([0.15, 0.0]), None, {"mean", "q50", "distribution"}),
        (lambda x: x * np.array([1.15, 1.0]), None, {"variance"}),
        (student_tails, None, {"q25", "q75"}),
        (missing_mode, two_modes, {"q25", "distribution"}),
        (correlated, None, {"joint"}),
    ],
    ids=["mean", "sd", "tails", "a mode's weight", "correlation"],
)
def test_every_kind_of_difference_is_seen(to, base, seen_by):
    base = base or (lambda x: x)
    found = agreement(independent(1, to=base), chains(2, rho=0.5, n_draws=6000, to=to))
    assert found.answer == "disagree"
    assert seen_by <= {one.statistic for one in found.differences if one.adjusted <= 0.001}
    # Negative control: nothing of that sort in the engine that is right.
    assert agreement(independent(1, to=base), chains(2, rho=0.5, n_draws=6000, to=base)).answer == "agree"


def test_a_correlation_alone_is_seen_by_nothing_but_the_joint_test():
    found = agreement(independent(1), chains(2, rho=0.5, n_draws=6000, to=correlated))
    assert {one.statistic for one in found.differences if one.adjusted <= 0.001} == {"joint"}
    assert "all quantities jointly" in describe_difference(found)


def test_the_power_that_is_told_is_had():
    """Shifts of that size are seen in 80 % of 60 pairs: in 34 to 59 of them but for one suite in 10 million."""
    told = agreement(independent(0, 1, n_draws=2000), independent(1000, 1, n_draws=1500)).detectable
    seen = 0
    for seed in range(60):
        shifted = independent(1000 + seed, 1, n_draws=1500, to=lambda x: x + told)
        found = agreement(independent(seed, 1, n_draws=2000), shifted)
        alone = next(one for one in found.differences if one.statistic == "mean")
        seen += alone.p_value <= 0.001 / len(found.differences)
    assert binom.ppf(RATE, 60, 0.8) <= seen <= binom.isf(RATE, 60, 0.8)


def test_the_joint_test_is_calibrated_down_to_small_p_values():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(80):
        draws = rng.standard_normal((300, 3))
        found.append(sliced_wasserstein(draws[:100], draws[100:], rng)[2])
    assert (np.array(found) < 0.05).sum() <= most_rejections(80)
    assert min(found) > RATE
    assert 0.25 < np.mean(found) < 0.75


def test_p_values_of_distances_are_their_own_inverse():
    for freedom in (40.0, np.inf):
        limit = tests.distance_limit(1e-6, 300.0, freedom)
        assert tests.distance_p_value(300 * limit**2, freedom) == pytest.approx(1e-6, rel=1e-6)


def test_ties_and_discrete_quantities_raise_no_alarm():
    assert middle_shares(np.array([1.0, 1, 2]), np.full(3, 1 / 3)) == pytest.approx([1 / 3, 1 / 3, 5 / 6])

    def counts(x):
        return np.floor(np.abs(x))

    assert agreement(independent(1, to=counts), chains(2, to=counts)).answer == "agree"
    shifted = agreement(independent(1, to=counts), chains(2, to=lambda x: np.floor(np.abs(1.2 * x))))
    assert shifted.answer == "disagree"


def test_holm_is_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def small(**others):
    """Two engines that agree, and others."""
    made = results(1, **others)
    kept = {name: one for name, one in made.results.items() if name in ("exact", "importance", *others)}
    return TargetResults(kept, {name: Expected("agree") for name in kept})


def constants(value):
    def to(x):
        return np.concatenate([x, np.full_like(x[..., :1], value)], axis=-1)

    return to


def test_constants_must_be_the_same():
    found = agreement(independent(1, to=constants(2.0)), chains(2, to=constants(2.0 + 1e-15)))
    assert (found.answer, found.n_quantities) == ("agree", 2)
    assert dict(found.left_out) == {"x[3]": "the same constant in both"}
    assert agreement(independent(1, to=constants(2.0)), chains(2, to=constants(2.5))).answer == "disagree"


def test_what_cannot_be_compared_is_unanswered():
    other = fit_of("iid", {"y": np.random.default_rng(1).normal(size=(1, 500))})
    found = agreement(independent(1), other)
    assert (found.answer, found.reason) == ("unanswered", "they share no quantity")
    approximation = fit_of("variational", {"x": np.random.default_rng(1).normal(size=(1, 500, 2))})
    refused = agreement(independent(1), approximation)
    assert refused.answer == "unanswered"
    assert "k-hat" in refused.reason
    broken = independent(1)
    broken.posterior["posterior"]["x"][0, 3, 1] = np.nan
    found = agreement(broken, independent(2))
    assert found.n_quantities == 1
    assert dict(found.left_out) == {"x[2]": "not a number in every draw"}


def test_a_pair_does_not_depend_on_what_else_is_compared():
    alone = crosscheck({"a": small()}).pairs
    more = crosscheck({"b": small(), "a": small()}).pairs
    assert [[one.p_value for one in pair.differences] for pair in alone] == [
        [one.p_value for one in pair.differences] for pair in more if pair.target == "a"
    ]


@pytest.mark.parametrize("assessment", [UNMIXED, UNCHECKED], ids=["failed", "not made"])
def test_a_result_whose_own_checks_fail_is_never_said_to_agree(assessment):
    good = chains(4)  # its draws are right: only the checks do not say so
    assert compare_fits((independent(1), SOUND), (good, assessment)).answer == "unanswered"
    found = crosscheck({"normal": small(nuts=(good, assessment))})
    cell = found.cell("normal", "nuts")
    assert cell.status == "flagged"
    assert not cell.as_expected
    assert not found.passed
    assert "r_hat" in cell.detail
    # Negative control: with checks that pass, the same draws agree.
    assert crosscheck({"normal": small(nuts=(good, SOUND))}).passed


def test_cells_come_out_as_they_must_or_not():
    made = results(1, nuts=(chains(4), UNMIXED), stopped="no finite log density at the start")
    expected = {**made.expected, "nuts": Expected("flag", "two modes"), "gone": Expected("agree")}
    found = crosscheck({"normal": replace(made, expected=expected)})
    statuses = {cell.engine: (cell.status, cell.as_expected) for cell in found.cells}
    assert statuses["exact"] == ("agrees", True)
    assert statuses["nuts"] == ("flagged", True)
    assert statuses["rejection"] == ("does not apply", True)
    assert statuses["stopped"] == ("failed", False)
    assert statuses["gone"] == ("failed", False)
    assert found.cell("normal", "stopped").detail == "no finite log density at the start"
    # A negative control that passes its checks is itself a failure.
    blind = crosscheck({"normal": replace(made, expected={**made.expected, "smc": Expected("flag")})})
    assert (blind.cell("normal", "smc").status, blind.cell("normal", "smc").as_expected) == ("agrees", False)


def test_one_wrong_engine_does_not_spoil_the_reference():
    found = crosscheck({"normal": small(wrong=(independent(9, to=lambda x: 1.2 * x), SOUND))})
    assert {cell.engine for cell in found.cells if cell.status == "disagrees"} == {"wrong"}
    assert found.cell("normal", "wrong").detail.startswith("differs from exact, most in the ")


def test_without_a_reference_all_pairs_are_compared():
    made = {name: result for name, result in results(1).results.items() if name != "exact"}
    found = crosscheck({"normal": TargetResults(made, {})})
    assert len(found.pairs) == 6
    assert found.passed
    alone = crosscheck({"normal": TargetResults({"stan": made["stan"]}, {})})
    assert alone.cell("normal", "stan").status == "unanswered"
    assert not alone.passed
    assert not crosscheck({}).passed


def test_the_record_is_plain_json():
    found = crosscheck({"normal": small(nuts=(chains(4), UNMIXED), stopped="no")})
    record = json.loads(json.dumps(found.record(), allow_nan=False))
    assert record["n_tests"] == found.n_tests
    assert [cell["engine"] for cell in record["cells"]] == [cell.engine for cell in found.cells]
    assert record["pairs"][0]["differences"][0]["p_value"] == min(one.p_value for one in found.pairs[0].differences)


def test_costs_are_without_compiling_and_effective_draws_are_of_the_worst():
    found = crosscheck({"normal": results(1)})
    assert found.cell("normal", "stan").seconds == 1.5
    assert found.cell("normal", "exact").effective == pytest.approx(10_000)
    assert 300 < found.cell("normal", "metropolis").effective < 800  # 9600 (1 - 0.9) / (1 + 0.9) = 505


def test_a_sample_that_happens_to_lack_the_tail_does_not_pass_for_a_light_one():
    labels = [f"x[{cell + 1}]" for cell in range(200)]
    many = profile(independent(1, 200, n_draws=12_000, to=exponential), labels).square
    few = profile(independent(2, 200, n_draws=1500, to=exponential), labels).square
    alone = [tests.sound(tests.in_common(few, few, cell)[1]) for cell in range(200)]
    together = [tests.sound(tests.in_common(many, few, cell)[1]) for cell in range(200)]
    assert 2 < sum(alone) < 50
    assert sum(together) <= 1
