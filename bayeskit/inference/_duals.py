"""Intervals with derivatives: what a NumPy function and its slopes can be anywhere in a box, proven.

Forward-mode differentiation, Griewank and Walther (2008), doi:10.1137/1.9780898717761, in interval arithmetic. Where a
function has a kink the slope holds those on both sides; where it jumps nothing is known of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayeskit.inference._arraylike import ArrayLike, Trilean, Unknown, matmul
from bayeskit.inference._intervals import Interval, apply, hull, interval, within


class Dual(ArrayLike):
    """Arrays of intervals, ``value``, with their derivatives: ``slope`` has one more axis, of the box's coordinates."""

    def __init__(self, value: Interval, slope: Interval) -> None:
        self.value = value
        shape = (*value.shape, slope.shape[-1])
        self.slope = Interval(np.broadcast_to(slope.lower, shape), np.broadcast_to(slope.upper, shape))
        self.shape = value.shape

    @classmethod
    def of_boxes(cls, lower: Any, upper: Any) -> Dual:
        """Return the coordinates themselves of boxes, ``n_boxes x n_dims``."""
        return cls(
            Interval(lower, upper), interval(np.broadcast_to(np.eye(lower.shape[1]), (*lower.shape, lower.shape[1])))
        )

    def __getitem__(self, key: Any) -> Dual:
        places = key if isinstance(key, tuple) else (key,)
        taken = sum(place is not None and place is not Ellipsis for place in places)
        whole = (slice(None),) * (self.ndim - taken)
        at = next((i for i, place in enumerate(places) if place is Ellipsis), None)
        full = (*places, *whole) if at is None else (*places[:at], *whole, *places[at + 1 :])
        return Dual(self.value[full], self.slope[(*full, slice(None))])

    @property
    def T(self) -> Dual:  # noqa: N802
        """The axes in reverse."""
        axes = (*range(self.ndim)[::-1], self.ndim)
        slope = Interval(self.slope.lower.transpose(axes), self.slope.upper.transpose(axes))
        return Dual(self.value.T, slope)

    def sum(self, axis: int | None = None) -> Dual:
        """Return sums over an axis, or over all."""
        if axis is None:
            raise Unknown("a sum over all points at once")
        along = axis % self.ndim
        return Dual(self.value.sum(along), self.slope.sum(along))

    def chosen_by(self, given: Trilean, other: Any) -> Dual:
        """Return this where a comparison holds, the other where it does not, and both where it may."""
        also = dual(other, self.slope.shape[-1])
        value = self.value.chosen_by(given, also.value)
        mixed = Trilean(given.certain[..., None], given.possible[..., None])
        slope = self.slope.chosen_by(mixed, also.slope)
        return Dual(value, _torn(slope, given.possible & ~given.certain))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc is np.add and set(options) <= {"axis"}:
            return self.sum(options.get("axis", 0))
        name = ufunc.__name__
        if method != "__call__" or options:
            raise Unknown(f"np.{name}{'' if method == '__call__' else '.' + method}")
        if name == "matmul":
            return matmul(*inputs)
        with np.errstate(all="ignore"):
            if name in SLOPES:
                found = ufunc(self.value)
                slope = SLOPES[name](self.value, found)[..., None] * self.slope
                return Dual(found, _torn(slope, (name == "reciprocal") & _holds_zero(self.value)))
            first, second = (
                (dual(value, self.slope.shape[-1]) for value in inputs) if len(inputs) == 2 else (None, None)
            )
            if first is not None and second is not None:
                if name in COMPARISONS:
                    return ufunc(first.value, second.value)
                if name in PAIRS:
                    return PAIRS[name](first, second)
        raise Unknown(f"np.{name}")


def dual(value: Any, n_dims: int) -> Dual:
    """Return what a function made of duals, numbers or comparisons, as duals."""
    if isinstance(value, Dual):
        return value
    constant = interval(value)
    # Where it is not one number it was chosen by a comparison: it jumps somewhere, and nothing is known of its slope.
    steep = np.where(constant.lower < constant.upper, np.inf, 0.0)[..., None] * np.ones(n_dims)
    return Dual(constant, Interval(-steep, steep))


def _is_constant(value: Dual) -> bool:
    return not (np.any(value.slope.lower) or np.any(value.slope.upper))


def _multiply(first: Dual, second: Dual) -> Dual:
    slope = first.value[..., None] * second.slope + second.value[..., None] * first.slope
    return Dual(first.value * second.value, slope)


def _divide(first: Dual, second: Dual) -> Dual:
    value = first.value / second.value
    slope = first.slope / second.value[..., None]
    if _is_constant(second):
        return Dual(value, slope)
    slope = slope - (value / second.value)[..., None] * second.slope
    return Dual(value, _torn(slope, _holds_zero(second.value)))


def _power(base: Dual, exponent: Dual) -> Dual:
    value = apply("power", base.value, exponent.value)
    if _is_constant(exponent):
        power = exponent.value.lower
        if np.ptp(power) == 0 and power.flat[0] == 1:
            return base
        inner: Any = apply("power", base.value, interval(power - 1)) if power.flat[0] != 2 else base.value
        return Dual(value, _torn((inner * power)[..., None] * base.slope, (power < 0) & _holds_zero(base.value)))
    logarithm = apply("log", base.value)
    slope = (value * logarithm)[..., None] * exponent.slope
    if not _is_constant(base):
        slope = slope + (value * exponent.value / base.value)[..., None] * base.slope
    return Dual(value, _torn(slope, base.value.lower <= 0))


def _logaddexp(first: Dual, second: Dual) -> Dual:
    value = apply("logaddexp", first.value, second.value)
    apart = apply("tanh", (first.value - second.value) * 0.5)
    share = within((apart + 1.0) * 0.5, 0, 1)[..., None]
    rest = within((1.0 - apart) * 0.5, 0, 1)[..., None]
    return Dual(value, share * first.slope + rest * second.slope)


def _extreme(first: Dual, second: Dual, largest: bool) -> Dual:
    value = apply("maximum" if largest else "minimum", first.value, second.value)
    above = (first.value >= second.value) if largest else (first.value <= second.value)
    both = hull(*(Interval(*np.broadcast_arrays(part.slope.lower, part.slope.upper)) for part in (first, second)))
    certain, possible = above.certain[..., None], above.possible[..., None]
    low = np.where(certain, first.slope.lower, np.where(possible, both.lower, second.slope.lower))
    high = np.where(certain, first.slope.upper, np.where(possible, both.upper, second.slope.upper))
    return Dual(value, Interval(low, high))


def _holds_zero(value: Interval) -> Any:
    return (value.lower <= 0) & (value.upper >= 0)


def _torn(slope: Interval, where: Any) -> Interval:
    """Return slopes that are anything where the function jumps or has a pole, however it rises on either side."""
    jump = np.broadcast_to(np.asarray(where)[..., None], slope.shape)
    return Interval(np.where(jump, -np.inf, slope.lower), np.where(jump, np.inf, slope.upper))


def _sign(value: Interval, _: Interval) -> Interval:
    return Interval(np.where(value.lower > 0, 1.0, -1.0), np.where(value.upper < 0, -1.0, 1.0))


def _clipped(value: Any) -> Any:
    return within(value, 0, np.inf)


SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "negative": lambda value, found: interval(np.full(value.shape, -1.0)),
    "positive": lambda value, found: interval(np.ones(value.shape)),
    "absolute": _sign,
    "square": lambda value, found: value * 2.0,
    "reciprocal": lambda value, found: -np.square(found),
    "sqrt": lambda value, found: 0.5 / found,
    "exp": lambda value, found: found,
    "expm1": lambda value, found: _clipped(found + 1.0),
    "log": lambda value, found: 1.0 / _clipped(value),
    "log1p": lambda value, found: 1.0 / _clipped(value + 1.0),
    "tanh": lambda value, found: _clipped(1.0 - np.square(found)),
    "arctan": lambda value, found: 1.0 / (1.0 + np.square(value)),
    "sinh": lambda value, found: np.cosh(value),
    "cosh": lambda value, found: np.sinh(value),
    "sin": lambda value, found: np.cos(value),
    "cos": lambda value, found: -np.sin(value),
}
"""What a function of one argument multiplies the slope by, of the argument and of its own value."""

PAIRS: dict[str, Callable[[Dual, Dual], Dual]] = {
    "add": lambda first, second: Dual(first.value + second.value, first.slope + second.slope),
    "subtract": lambda first, second: Dual(first.value - second.value, first.slope - second.slope),
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "float_power": _power,
    "logaddexp": _logaddexp,
    "minimum": lambda first, second: _extreme(first, second, largest=False),
    "maximum": lambda first, second: _extreme(first, second, largest=True),
}

COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal")
