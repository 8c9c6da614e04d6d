"""The sentence that says whether to trust the numbers."""

from dataclasses import replace

import pandas as pd
import pytest
from reporting.factories import make_assessment

from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.reporting.checks import describe_checks
from bayeskit.reporting.verdict import ModelFit, describe


def test_a_pass_names_chains_draws_and_the_worst_numbers(small: tuple[Fit, Assessment]) -> None:
    fit, assessment = small
    banner = describe(fit, assessment)
    assert banner.state == "passed"
    assert banner.sentence.startswith("Trust it: 4 chains agree (worst R-hat 1.00")
    assert "480 draws are worth at least " in banner.sentence
    assert not banner.failed


def test_a_model_that_misses_something_is_not_trusted_whole(small: tuple[Fit, Assessment]) -> None:
    banner = describe(*small, ModelFit(adequate=False, sentence="The model misses something."))
    assert banner.sentence.startswith("Trust the computation, but not yet the model: 4 chains agree")
    assert banner.next_step == "The model misses something."


def test_a_failure_says_so_first_with_number_limit_and_remedy(failed: tuple[Fit, Assessment]) -> None:
    banner = describe(*failed)
    assert banner.state == "failed"
    assert banner.sentence.startswith("Do not use these numbers: chains disagree about ")
    assert "limit 1.01" in banner.sentence
    assert "3 other checks failed" in banner.sentence
    assert "run longer with --warmup 2000" in banner.sentence
    assert banner.failed[0].name == "R-hat"
    remedies = [check.remedy for check in banner.failed if check.remedy]
    assert len(remedies) == len(set(remedies)) == 3


def test_what_was_not_checked_is_never_passed_over(small: tuple[Fit, Assessment]) -> None:
    fit, _ = small
    banner = describe(fit, make_assessment(fit, unchecked=("e_bfmi",)))
    assert not banner.sentence.startswith("Trust it")
    assert "Not checked: E-BFMI" in banner.sentence
    assert any(item.startswith("E-BFMI") for item in banner.unchecked)


def test_calibration_and_sensitivity_are_listed_as_not_checked(small: tuple[Fit, Assessment]) -> None:
    items = describe(*small).unchecked
    assert any(item.startswith("Calibration") for item in items)
    assert any(item.startswith("Sensitivity") for item in items)


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (
            "bayeskit fit weather 'my data.csv' --model trend --days 300 --prior 's_y=normal(0, 2)' --draws 9 --seed 1",
            "`bayeskit calibrate weather 'my data.csv' --model trend --prior 's_y=normal(0, 2)'` finds out",
        ),
        (
            "bayeskit stan run a.stan a.json --method laplace --seed 3",
            "`bayeskit calibrate stan a.stan a.json --simulator SIMULATOR.stan --method laplace` finds out",
        ),
        ("bayeskit stan run a.stan --seed 3", "`bayeskit calibrate stan a.stan --simulator SIMULATOR.stan` finds out"),
        ("python my_own.py", "from simulated data"),
        ("bayeskit fit weather 'no end", "from simulated data"),
    ],
)
def test_the_command_that_calibrates_is_named(small: tuple[Fit, Assessment], command: str, hint: str) -> None:
    fit, assessment = small
    run = replace(fit, provenance=replace(fit.provenance, command=command))
    (item,) = [item for item in describe(run, assessment).unchecked if item.startswith("Calibration")]
    assert item.endswith(hint)


def test_without_any_check_nothing_is_trusted(small: tuple[Fit, Assessment]) -> None:
    fit, assessment = small
    banner = describe(fit, Assessment((), assessment.summary, {}))
    assert banner.state == "unchecked"
    assert banner.sentence.startswith("Nothing was checked")


@pytest.mark.parametrize("kind", ["iid", "weighted", "variational", "point"])
def test_other_kinds_say_that_chain_diagnostics_mean_nothing(small: tuple[Fit, Assessment], kind: str) -> None:
    fit, assessment = small
    other = replace(fit, provenance=replace(fit.provenance, kind=kind))
    banner = describe(other, Assessment((), assessment.summary, {}))
    assert any(item.startswith("R-hat, effective sample size") for item in banner.unchecked)


def test_failed_checks_come_first_and_unmade_ones_second(failed: tuple[Fit, Assessment]) -> None:
    fit, _ = failed
    checks = describe_checks(make_assessment(fit, healthy=False, unchecked=("e_bfmi",)))
    states = [check.state for check in checks]
    assert states == sorted(states, key=["failed", "unchecked", "passed"].index)


def test_a_check_that_cannot_be_computed_fails_with_its_reason(small: tuple[Fit, Assessment]) -> None:
    fit, _ = small
    stuck = Verdict("r_hat", None, 1.01, "<=", False, "cannot be computed for s_y: no movement", "run longer")
    banner = describe(fit, Assessment((stuck,), pd.DataFrame({"r_hat": [float("nan")]}, index=["s_y"]), {}))
    assert "R-hat cannot be computed for s_y: no movement" in banner.sentence


def test_an_unknown_check_still_makes_a_sentence(small: tuple[Fit, Assessment]) -> None:
    fit, assessment = small
    verdict = Verdict("weight_share", 0.93, 0.7, "<=", False, "", "use more particles")
    banner = describe(fit, Assessment((verdict,), assessment.summary, {}))
    assert "weight share is 0.93, at most 0.7 is needed" in banner.sentence
    assert "Use more particles." in banner.sentence


def test_a_single_remedy_is_not_repeated(small: tuple[Fit, Assessment]) -> None:
    fit, assessment = small
    same = [Verdict(name, 9, 1, "<=", False, "", "use --form marginal") for name in ("r_hat", "mcse")]
    banner = describe(fit, Assessment(tuple(same), assessment.summary, {}))
    assert "--form marginal" in banner.sentence
    assert "--form marginal" not in banner.next_step
