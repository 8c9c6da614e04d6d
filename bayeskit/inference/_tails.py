"""Arithmetic far out: what a NumPy function of one coordinate can be anywhere beyond a point, out to infinity, proven.

Plain intervals lose the tails: of ``x² / 8 - x² / 2`` they make infinity less infinity. Here a quantity is known as
``a x² + b x + c log x + d`` for all ``x >= origin >= 1``, each coefficient an interval, so that what grows cancels
before it is bounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeskit.inference._arraylike import ArrayLike, Trilean, Unknown, matmul
from bayeskit.inference._intervals import EPSILON, FUNCTIONS, Floats, Interval, apply, interval

SQUARE, LINE, LOGARITHM, CONSTANT = range(4)
GROWING = slice(0, 3)
BOUNDED = ("exp", "expm1", "tanh", "arctan", "sin", "cos", "reciprocal")  # of an interval that may be endless


class Tail(ArrayLike):
    """Arrays of such quantities: ``forms`` has one more axis, of the four coefficients."""

    def __init__(self, forms: Interval, origin: float) -> None:
        self.forms = forms
        self.origin = origin
        self.shape = forms.shape[:-1]

    @classmethod
    def beyond(cls, origin: float, sign: float) -> Tail:
        """Return the coordinate itself, ``1 x 1``: ``sign`` times ``x``, where ``x >= origin``."""
        if origin < 1:
            raise ValueError(f"a tail starts at 1 or beyond, got {origin}")
        return cls(interval(np.array([[[0.0, sign, 0.0, 0.0]]])), origin)

    @property
    def grows(self) -> bool:
        """Whether anything in it is more than a constant."""
        return bool(np.any(self.forms.lower[..., GROWING]) or np.any(self.forms.upper[..., GROWING]))

    @property
    def range(self) -> Interval:
        """What it can be; an end is infinite where it is, or where no bound was found."""
        return Interval(-_supremum(-self.forms, self.origin), _supremum(self.forms, self.origin))

    @property
    def T(self) -> Tail:  # noqa: N802
        """The axes in reverse."""
        axes = (*range(self.ndim)[::-1], self.ndim)
        return self._with(Interval(self.forms.lower.transpose(axes), self.forms.upper.transpose(axes)))

    def __getitem__(self, key: Any) -> Tail:
        places = key if isinstance(key, tuple) else (key,)
        taken = sum(place is not None and place is not Ellipsis for place in places)
        whole = (slice(None),) * (self.ndim - taken)
        at = next((i for i, place in enumerate(places) if place is Ellipsis), None)
        full = (*places, *whole) if at is None else (*places[:at], *whole, *places[at + 1 :])
        return self._with(self.forms[(*full, slice(None))])

    def sum(self, axis: int | None = None) -> Tail:
        """Return sums over an axis, or over all."""
        if axis is None:
            raise Unknown("a sum over all points at once")
        return self._with(self.forms.sum(axis % self.ndim))

    def chosen_by(self, given: Trilean, other: Any) -> Tail:
        """Return this where a comparison holds, the other where it does not."""
        also = self._also(other)
        if np.any(given.possible & ~given.certain) and (self.grows or also.grows):
            raise Unknown("a jump in the tail")
        mixed = Trilean(given.certain[..., None], given.possible[..., None])
        return self._with(self.forms.chosen_by(mixed, also.forms))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method == "reduce" and ufunc is np.add and set(options) <= {"axis"}:
            return self.sum(options.get("axis", 0))
        if method != "__call__" or options:
            raise Unknown(f"np.{name}{'' if method == '__call__' else '.' + method}")
        if name == "matmul":
            return matmul(*inputs)
        with np.errstate(all="ignore"):
            made = [self._also(value) for value in inputs]
            if not any(value.grows for value in made):
                if name not in FUNCTIONS:
                    raise Unknown(f"np.{name}")
                found = apply(name, *(value.forms[..., CONSTANT] for value in made))
                if np.any(getattr(found, "undefined", False)):
                    raise Unknown(f"np.{name} of what it may not take")
                return found if isinstance(found, Trilean) else self._constant(found)
            return _one(name, made[0]) if len(made) == 1 else _two(name, *made)

    def _with(self, forms: Interval) -> Tail:
        return Tail(forms, self.origin)

    def _constant(self, value: Interval) -> Tail:
        lower, upper = (np.zeros((*value.shape, 4)) for _ in range(2))
        lower[..., CONSTANT], upper[..., CONSTANT] = value.lower, value.upper
        return self._with(Interval(lower, upper))

    def _also(self, value: Any) -> Tail:
        return value if isinstance(value, Tail) else self._constant(interval(value))


def _one(name: str, value: Tail) -> Any:
    if name in ("negative", "positive"):
        return value._with(-value.forms if name == "negative" else value.forms)
    if name == "square":
        return _product(value, value)
    if name in ("log", "log1p"):
        return _log(value if name == "log" else _two("add", value, value._also(1.0)))
    if name == "absolute":
        return _largest(value, _one("negative", value))
    if name in BOUNDED:
        return value._constant(FUNCTIONS[name](value.range))
    raise Unknown(f"np.{name} in the tail")


def _two(name: str, first: Tail, second: Tail) -> Any:
    if name in ("add", "subtract"):
        return first._with(FUNCTIONS[name](first.forms, second.forms))
    if name == "multiply":
        return _product(first, second)
    if name == "divide":
        if not first.grows:
            return first._constant(FUNCTIONS["divide"](first.forms[..., CONSTANT], second.range))
        return _product(first, _one_over(second))
    if name in ("power", "float_power") and not second.grows:
        power = second.forms.lower[..., CONSTANT]
        if np.all(power == second.forms.upper[..., CONSTANT]) and np.all(power == 2):
            return _product(first, first)
    apart = first._with(FUNCTIONS["subtract"](first.forms, second.forms))
    if name in ("less", "less_equal", "greater", "greater_equal", "equal"):
        return FUNCTIONS[name](apart.range, interval(0.0))
    if name == "maximum":
        return _largest(first, second)
    if name == "minimum":
        return _one("negative", _largest(_one("negative", first), _one("negative", second)))
    if name == "logaddexp":
        return _larger_plus(first, second, lambda end: np.logaddexp(0.0, end))
    raise Unknown(f"np.{name} in the tail")


def _one_over(value: Tail) -> Tail:
    if value.grows:
        raise Unknown("a quotient in the tail")
    return value._constant(FUNCTIONS["reciprocal"](value.forms[..., CONSTANT]))


def _largest(first: Tail, second: Tail) -> Tail:
    return _larger_plus(first, second, lambda end: np.maximum(0.0, end))


def _larger_plus(first: Tail, second: Tail, excess: Any) -> Tail:
    """Return ``first + excess(second - first)``, symmetric in the two, by the one that is known to dominate."""
    apart: Interval = first._with(FUNCTIONS["subtract"](second.forms, first.forms)).range
    if not np.all(np.isfinite(apart.upper)):
        if not np.all(np.isfinite(apart.lower)):
            raise Unknown("two parts in the tail of which neither dominates")
        first, apart = second, -apart
    rest = excess(apart)
    total: Tail = _two("add", first, first._constant(rest))
    return total


def _product(first: Tail, second: Tail) -> Tail:
    for one, other in ((first, second), (second, first)):
        if not one.grows:
            return one._with(FUNCTIONS["multiply"](one.forms[..., CONSTANT][..., None], other.forms))
    a, b = first.forms, second.forms
    if any(np.any(end[..., (SQUARE, LOGARITHM)]) for form in (a, b) for end in (form.lower, form.upper)):
        raise Unknown("a product that grows faster than a square")
    parts: dict[int, Any] = {
        SQUARE: a[..., LINE] * b[..., LINE],
        LINE: a[..., LINE] * b[..., CONSTANT] + a[..., CONSTANT] * b[..., LINE],
        CONSTANT: a[..., CONSTANT] * b[..., CONSTANT],
    }
    zero = parts[CONSTANT] * 0.0
    stacked = [parts.get(place, Interval(zero.lower * 0, zero.upper * 0)) for place in range(4)]
    return first._with(Interval(*(np.stack([getattr(p, end) for p in stacked], -1) for end in ("lower", "upper"))))


def _log(value: Tail) -> Tail:
    """Return the logarithm: of ``a x² + ...`` it is ``2 log x + log(a + b / x + ...)``."""
    forms = value.forms
    if np.any(forms.lower[..., LOGARITHM]) or np.any(forms.upper[..., LOGARITHM]):
        raise Unknown("the logarithm of a logarithm in the tail")
    degree = 2 if np.all(forms.lower[..., SQUARE] > 0) else 1
    if degree == 1 and (np.any(forms.lower[..., SQUARE]) or np.any(forms.upper[..., SQUARE])):
        raise Unknown("a logarithm in the tail")
    small = FUNCTIONS["divide"](Interval(0.0, 1.0), interval(value.origin))  # 1 / x
    lead, rest = (forms[..., SQUARE], forms[..., LINE]) if degree == 2 else (forms[..., LINE], None)
    tail = forms[..., CONSTANT] * small
    scaled = lead + (tail if rest is None else (rest + tail) * small)
    if not np.all(scaled.lower > 0):
        raise Unknown("a logarithm in the tail")
    made = value._constant(FUNCTIONS["log"](scaled))
    growth = np.zeros(made.forms.shape)
    growth[..., LOGARITHM] = degree
    return made._with(made.forms + growth)


def _supremum(forms: Interval, origin: float) -> Floats:
    """Return upper bounds of ``forms`` on all of the tail: the value at its origin where it only falls from there."""
    square, line, logarithm, constant = (forms.upper[..., place] for place in range(4))
    with np.errstate(all="ignore"):
        top = np.where(square < 0, np.maximum(origin, -line / (4 * np.where(square < 0, square, -1.0))), origin)
        terms = (2 * square * top**2, line * top, logarithm)  # x times the slope, where it is largest
        slack = 64 * EPSILON * sum(np.abs(term) for term in terms)
        falls = (square <= 0) & ((square < 0) | (line <= 0)) & (sum(terms) + slack <= 0)
        at_origin: Any = interval(square) * origin**2 + interval(line) * origin
        at_origin = at_origin + interval(logarithm) * FUNCTIONS["log"](interval(origin)) + interval(constant)
        found: Floats = np.where(falls, at_origin.upper, np.inf)
    return found


def tail_bound(function: Any, origin: float, sign: float) -> float:
    """Return a proven upper bound of a function of one coordinate beyond an origin, infinite where none was found."""
    try:
        found = function(Tail.beyond(origin, sign))
        return float(np.max(found.range.upper)) if isinstance(found, Tail) else float(np.max(interval(found).upper))
    except Unknown:
        return float("inf")
