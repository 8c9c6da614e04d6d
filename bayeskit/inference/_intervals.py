"""Arithmetic with intervals: what a NumPy function can be anywhere in a box, proven, rounding included.

Moore, Kearfott and Cloud (2009), doi:10.1137/1.9780898717716. An ``Interval`` goes through NumPy's own functions in
place of an array; every end is moved outwards by more than the operation's rounding error. Functions that are not
known here raise ``Unknown``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.inference._arraylike import ArrayLike, Trilean, Unknown, matmul

Floats = NDArray[np.float64]

EPSILON = float(np.finfo(float).eps)
LARGEST = float(np.finfo(float).max)
SMALLEST = 5e-324
TINY = float(np.finfo(float).tiny)
EXACT, ROUNDED = 1.0, 4.0  # units in the last place: IEEE's own operations, and NumPy's vectorised functions


class Interval(ArrayLike):
    """Arrays of intervals: ``lower`` and ``upper`` ends of the same shape.

    ``undefined`` tells where the value may also be NaN, which no comparison holds for.
    """

    def __init__(self, lower: Any, upper: Any, undefined: Any = False) -> None:
        low, high = np.broadcast_arrays(np.asarray(lower, dtype=float), np.asarray(upper, dtype=float))
        nothing = np.isnan(low) | np.isnan(high)  # of a number that is none, anything may come
        self.lower: Floats = np.where(nothing, -np.inf, np.minimum(low, LARGEST))
        self.upper: Floats = np.where(nothing, np.inf, np.maximum(high, -LARGEST))
        self.undefined = undefined
        self.shape = self.lower.shape

    def __getitem__(self, key: Any) -> Interval:
        return Interval(self.lower[key], self.upper[key], self._undefined[key] if np.any(self.undefined) else False)

    @property
    def _undefined(self) -> NDArray[np.bool_]:
        return np.broadcast_to(self.undefined, self.shape)

    def __repr__(self) -> str:
        return f"Interval({self.lower}, {self.upper})"

    @property
    def T(self) -> Interval:  # noqa: N802
        """The axes in reverse."""
        return Interval(self.lower.T, self.upper.T, self._undefined.T)

    def sum(self, axis: int | None = None) -> Interval:
        """Return sums over an axis, or over all."""
        count = self.lower.size if axis is None else self.shape[axis]
        ends = []
        for end, side in ((self.lower, -1.0), (self.upper, 1.0)):
            with np.errstate(over="ignore"):
                size = count * EPSILON * np.abs(end).sum(axis)
                ends.append(end.sum(axis) + side * 2 * size)
        return Interval(ends[0], ends[1], self._undefined.any(axis))

    def chosen_by(self, given: Trilean, other: Any) -> Interval:
        """Return this where a comparison holds, the other where it does not, and both where it may."""
        also = interval(other)
        low = np.where(
            given.certain, self.lower, np.where(given.possible, np.minimum(self.lower, also.lower), also.lower)
        )
        high = np.where(
            given.certain, self.upper, np.where(given.possible, np.maximum(self.upper, also.upper), also.upper)
        )
        nothing = (given.possible & self.undefined) | (~given.certain & also.undefined)
        return Interval(low, high, nothing)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc is np.add and set(options) <= {"axis"}:
            return self.sum(options.get("axis", 0))
        if method != "__call__" or options or ufunc.__name__ not in FUNCTIONS:
            raise Unknown(f"np.{ufunc.__name__}{'' if method == '__call__' else '.' + method}")
        if any(not isinstance(value, Interval) and hasattr(value, "slope") for value in inputs):
            return NotImplemented
        if ufunc is np.matmul:
            return matmul(*inputs)
        return apply(ufunc.__name__, *(interval(value) for value in inputs))


def apply(name: str, *values: Interval) -> Any:
    """Return what a function makes of intervals; what may be NaN stays so, and no comparison of it is certain."""
    with np.errstate(all="ignore"):
        found = FUNCTIONS[name](*values)
    masks = [value.undefined for value in values] + ([_meets_infinity(name, *values)] if name in INDEFINITE else [])
    undefined = [mask for mask in masks if np.any(mask)]
    if undefined and isinstance(found, Trilean):
        return Trilean(found.certain & ~np.logical_or.reduce(np.broadcast_arrays(*undefined)), found.possible)
    for mask in undefined:
        found = Interval(found.lower, found.upper, found.undefined | mask)
    return found


def interval(value: Any) -> Interval:
    """Return plain numbers as intervals without width."""
    if isinstance(value, Interval):
        return value
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise Unknown(f"an argument of type {type(value).__name__}") from error
    if np.isnan(numbers).any():
        raise Unknown("NaN as a constant")
    return Interval(numbers, numbers)


def _meets_infinity(name: str, first: Interval, second: Interval | None = None) -> Any:
    """Return where NumPy may make NaN of what overflowed: of inf - inf, 0 * inf, 0 / 0, inf / inf or cos(inf)."""
    endless = np.isinf(first.lower) | np.isinf(first.upper)
    if second is None:
        return endless
    if name in ("add", "subtract"):
        one, other = (second.lower, second.upper) if name == "add" else (-second.upper, -second.lower)
        return (np.isinf(first.lower) & np.isinf(other)) | (np.isinf(first.upper) & np.isinf(one))
    also = np.isinf(second.lower) | np.isinf(second.upper)
    zero, null = ((value.lower <= 0) & (value.upper >= 0) for value in (first, second))
    return (zero & also) | (null & endless) if name == "multiply" else (zero & null) | (endless & also)


def outward(lower: Any, upper: Any, units: float) -> Interval:
    """Return the ends moved outwards by so many units in the last place."""
    step = units * SMALLEST
    return Interval(lower - units * EPSILON * np.abs(lower) - step, upper + units * EPSILON * np.abs(upper) + step)


def hull(first: Interval, second: Interval) -> Interval:
    """Return the smallest intervals that hold both."""
    return Interval(np.minimum(first.lower, second.lower), np.maximum(first.upper, second.upper))


def within(value: Interval, lower: float, upper: float) -> Interval:
    """Return what of an interval lies within the range that its function can take."""
    return Interval(np.clip(value.lower, lower, upper), np.clip(value.upper, lower, upper))


def _multiply(first: Interval, second: Interval) -> Interval:
    low, high, vanished = np.asarray(np.inf), np.asarray(-np.inf), np.asarray(False)
    for a in (first.lower, first.upper):
        for b in (second.lower, second.upper):
            end = a * b
            end = np.where(np.isnan(end), 0.0, end)  # 0 times an endless interval is 0
            low, high = np.minimum(low, end), np.maximum(high, end)
            vanished = vanished | ((np.abs(end) <= TINY) & (a != 0) & (b != 0))
    found = _spread(low, high)
    return Interval(found.lower - SMALLEST * vanished, found.upper + SMALLEST * vanished)


def _reciprocal(value: Interval) -> Interval:
    low, high = value.lower, value.upper
    positive, negative = (low >= 0) & (high > 0), (high <= 0) & (low < 0)
    known = positive | negative
    lower = np.where(known, np.where(negative & (high == 0), -np.inf, 1 / np.where(high == 0, 1.0, high)), -np.inf)
    upper = np.where(known, np.where(positive & (low == 0), np.inf, 1 / np.where(low == 0, 1.0, low)), np.inf)
    return outward(lower, upper, EXACT)


def _absolute(value: Interval) -> Interval:
    low = np.where((value.lower <= 0) & (value.upper >= 0), 0.0, np.minimum(np.abs(value.lower), np.abs(value.upper)))
    return Interval(low, np.maximum(np.abs(value.lower), np.abs(value.upper)))


def _square(value: Interval) -> Interval:
    size = _absolute(value)
    return within(outward(size.lower**2, size.upper**2, EXACT), 0, np.inf)


def _power(base: Interval, exponent: Interval) -> Interval:
    if exponent.lower.size == 0 or np.any(exponent.lower != exponent.upper) or np.ptp(exponent.lower) != 0:
        power_of: Interval = apply("exp", apply("multiply", apply("log", base), exponent))
        return power_of
    power = float(exponent.lower.flat[0])
    shape = np.broadcast_shapes(base.shape, exponent.shape)
    base = Interval(np.broadcast_to(base.lower, shape), np.broadcast_to(base.upper, shape))
    if power < 0:
        return _reciprocal(_power(base, interval(np.full(shape, -power))))
    if power == int(power):
        size = base if power % 2 else _absolute(base)
        found = outward(size.lower**power, size.upper**power, ROUNDED)
        return found if power % 2 else within(found, 0, np.inf)
    size = within(base, 0, np.inf)
    found = within(outward(size.lower**power, size.upper**power, ROUNDED), 0, np.inf)
    return Interval(found.lower, np.where(base.upper < 0, np.inf, found.upper), base.lower < 0)


def _increasing(
    function: Callable[[Floats], Floats],
    domain: float = -np.inf,
    least: float = -np.inf,
    most: float = np.inf,
    units: float = ROUNDED,
) -> Callable[[Interval], Interval]:
    def of(value: Interval) -> Interval:
        low, high = function(np.maximum(value.lower, domain)), function(np.maximum(value.upper, domain))
        found = within(outward(low, high, units), least, most)
        outside = value.upper < domain  # there the function is NaN
        low, high = np.where(outside, -np.inf, found.lower), np.where(outside, np.inf, found.upper)
        return Interval(low, high, value.lower < domain)

    return of


def _logaddexp(first: Interval, second: Interval) -> Interval:
    ends = []
    for a, b, side in ((first.lower, second.lower, -1.0), (first.upper, second.upper, 1.0)):
        slack = ROUNDED * EPSILON * (1 + np.abs(np.maximum(a, b)))  # of the larger one, even where they cancel to 0
        ends.append(np.logaddexp(a, b) + side * np.nan_to_num(slack))
    return Interval(*ends)


def _cosh(value: Interval) -> Interval:
    size = _absolute(value)
    return within(outward(np.cosh(size.lower), np.cosh(size.upper), ROUNDED), 1, np.inf)


def _cos(value: Interval) -> Interval:
    low, high = value.lower / np.pi, value.upper / np.pi
    # Far out a period is lost in the rounding: there nothing is known but the range.
    unknown = ~(np.maximum(np.abs(low), np.abs(high)) < 1e8) | (high - low >= 2)
    ends = outward(
        np.minimum(np.cos(value.lower), np.cos(value.upper)),
        np.maximum(np.cos(value.lower), np.cos(value.upper)),
        ROUNDED,
    )
    low, high = np.where(unknown, 0.0, low) - 1e-7, np.where(unknown, 0.0, high) + 1e-7
    top = np.floor(high / 2) * 2 >= low  # an even multiple of pi lies between
    bottom = np.floor((high - 1) / 2) * 2 + 1 >= low
    return within(
        Interval(np.where(unknown | bottom, -1.0, ends.lower), np.where(unknown | top, 1.0, ends.upper)), -1, 1
    )


def _sin(value: Interval) -> Interval:
    half_turn = outward(np.pi / 2, np.pi / 2, EXACT)
    return _cos(_subtract(value, half_turn))


def _add(first: Interval, second: Interval) -> Interval:
    return _spread(first.lower + second.lower, first.upper + second.upper)


def _subtract(first: Interval, second: Interval) -> Interval:
    return _spread(first.lower - second.upper, first.upper - second.lower)


def _spread(lower: Any, upper: Any) -> Interval:
    """Return sums with their rounding error: unlike other results, one of 0, or one too small for it, is exact."""
    return Interval(
        lower - EPSILON * np.abs(lower) * (np.abs(lower) > TINY),
        upper + EPSILON * np.abs(upper) * (np.abs(upper) > TINY),
    )


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": lambda first, second: _multiply(first, _reciprocal(second)),
    "reciprocal": _reciprocal,
    "negative": lambda value: Interval(-value.upper, -value.lower),
    "positive": lambda value: value,
    "absolute": _absolute,
    "square": _square,
    "power": _power,
    "float_power": _power,
    "sqrt": _increasing(np.sqrt, domain=0, least=0, units=EXACT),
    "exp": _increasing(np.exp, least=0),
    "expm1": _increasing(np.expm1, least=-1),
    "log": _increasing(np.log, domain=0),
    "log1p": _increasing(np.log1p, domain=-1),
    "tanh": _increasing(np.tanh, least=-1, most=1),
    "arctan": _increasing(np.arctan, least=-np.pi / 2 - EPSILON, most=np.pi / 2 + EPSILON),
    "sinh": _increasing(np.sinh),
    "cosh": _cosh,
    "cos": _cos,
    "sin": _sin,
    "logaddexp": _logaddexp,
    "minimum": lambda a, b: Interval(np.minimum(a.lower, b.lower), np.minimum(a.upper, b.upper)),
    "maximum": lambda a, b: Interval(np.maximum(a.lower, b.lower), np.maximum(a.upper, b.upper)),
    "matmul": matmul,  # by way of sums of products
    "less": lambda a, b: Trilean(a.upper < b.lower, a.lower < b.upper),
    "less_equal": lambda a, b: Trilean(a.upper <= b.lower, a.lower <= b.upper),
    "greater": lambda a, b: Trilean(a.lower > b.upper, a.upper > b.lower),
    "greater_equal": lambda a, b: Trilean(a.lower >= b.upper, a.upper >= b.lower),
    "equal": lambda a, b: Trilean(
        (a.lower == a.upper) & (b.lower == b.upper) & (a.lower == b.lower), (a.lower <= b.upper) & (a.upper >= b.lower)
    ),
}
"""NumPy's functions by name to what they make of intervals."""

INDEFINITE = ("add", "subtract", "multiply", "divide", "cos", "sin")
