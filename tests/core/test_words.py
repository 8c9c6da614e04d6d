"""Numbers and lists as texts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeskit.core.words import (
    FIGURE_SPACE,
    MINUS,
    NO_BREAK,
    align,
    align_pairs,
    decimals_for,
    duration,
    listing,
    number,
    percent,
    plus_minus,
    sentence,
    significant,
)


@pytest.mark.parametrize(
    ("mean", "sd", "text"),
    [
        (1.886452, 0.0512, "1.89 ± 0.05"),
        (1.886452, 0.0142, "1.886 ± 0.014"),
        (-0.04, 0.3, "−0.04 ± 0.30"),
        (1310.4, 31.0, "1,310 ± 31"),
        (0.996, 0.099, "1.00 ± 0.10"),
        (math.nan, 1.0, "not a number ± 1.0"),
    ],
)
def test_digits_follow_the_uncertainty(mean: float, sd: float, text: str) -> None:
    assert plus_minus(mean, sd).replace(NO_BREAK, " ") == text


def test_a_constant_wears_no_uncertainty() -> None:
    assert plus_minus(2.5, 0.0) == "2.500"


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_rounding_costs_at_most_a_sixth_of_the_uncertainty(sd: float) -> None:
    decimals = decimals_for(sd)
    assert decimals == 0 or 0.5 * 10**-decimals <= sd / 6 or sd * 10**decimals >= 3.5


def test_negative_zero_has_no_sign() -> None:
    assert number(-0.001, 1) == "0.0"
    assert number(-1.25, 1) == f"{MINUS}1.2"


def test_small_texts() -> None:
    assert [duration(s) for s in (0.012, 4.21, 55.9, 254, 7300)] == [
        "12 ms",
        "4.2 s",
        "56 s",
        "4 min 14 s",
        "2 h 1 min",
    ]
    assert [percent(x) for x in (0.5, 0.997, 1.0)] == [f"50{NO_BREAK}%", f"99.7{NO_BREAK}%", f"100{NO_BREAK}%"]
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert sentence("run longer") == "Run longer."
    assert [significant(x) for x in (0.0001234, 1234567.0, 0.0)] == ["0.000123", "1,234,567", "0"]


def test_decimal_points_stand_one_below_the_other() -> None:
    rows = align(["1.89", "12", "0.123", "1,310.5"])
    assert len({len(row) for row in rows}) == 1
    whole = [len(row.split(".")[0]) for row in rows if "." in row]
    assert len(set(whole)) == 1


def test_pairs_align_at_their_first_point() -> None:
    first, second = align_pairs(["1.89 ± 0.05", "12.902 ± 0.020"], " ± ")
    assert first.index(".") == second.index(".")
    assert first.strip(FIGURE_SPACE) == "1.89 ± 0.05"
