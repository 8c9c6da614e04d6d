"""An upper bound of a NumPy function over a box, proven by branch and bound.

Boxes are halved, and those in which the function cannot exceed what was found elsewhere are left behind: Kearfott
(1996), doi:10.1007/978-1-4757-2495-0. In each box the function is bounded as it stands, around the box's centre by its
slopes (the mean value form), and on one face only where it is monotone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeskit.inference._arraylike import Unknown
from bayeskit.inference._duals import Dual, dual
from bayeskit.inference._intervals import EPSILON, LARGEST, Floats, Interval, interval
from bayeskit.inference._tails import tail_bound

AT_ONCE = 256  # boxes
FARTHEST = 40  # doublings of a tail's origin
TOLERANCE = 1e-7  # on the scale of log densities
BOXES = 50_000  # at most
ENDLESS_BOXES = 4000  # where the function may still be anything
UNBOUNDED = 1e100  # no log density gets here


@dataclass(frozen=True)
class Proof:
    """What was proven: the function is nowhere above ``upper``; ``why_not`` says in words why that is not tight.

    ``highest`` is a point and ``attained`` a proven lower bound of the value there.
    """

    upper: float
    attained: float
    highest: Floats
    boxes: int
    why_not: str = ""


def prove(
    function: Callable[[Any], Any], box: tuple[Floats, Floats], start: Floats, *, target: float = -np.inf
) -> Proof:
    """Bound a function from above over a box, which may be endless.

    Parameters
    ----------
    function
        Takes ``n_points x n_dims`` and returns ``n_points``, in NumPy functions that intervals know.
    box
        Lower and upper corner, ``n_dims`` each.
    start
        Points to begin with, ``n_points x n_dims``; the higher the function there, the faster.
    target
        A bound that is low enough, if that much can be proven.

    Raises
    ------
    Unknown
        If the function uses what intervals do not know.
    """
    search = _Search(function, target)
    search.visit(start)
    lower, upper = (np.asarray(end, dtype=float) for end in box)
    if lower.size == 1:
        lower, upper = search.without_tails(lower, upper)
    search.add(lower[None], upper[None])
    while search.open and search.n_boxes < search.patience and search.attained < UNBOUNDED:
        search.split()
    return Proof(search.highest_bound, search.attained, search.highest, search.n_boxes, search.obstacle())


class _Search:
    """The boxes that are left, highest bound last, and what is known of all others."""

    def __init__(self, function: Callable[[Any], Any], target: float) -> None:
        self.function = function
        self.target = target
        self.attained, self.highest = -np.inf, np.empty(0)
        self.settled = -LARGEST  # the highest bound of what needs no more halving
        self.boxes: tuple[Floats, Floats, Floats, Floats] | None = None  # lower, upper, bound, influence
        self.n_boxes = 0

    @property
    def goal(self) -> float:
        return max(self.attained + TOLERANCE, self.target)

    @property
    def open(self) -> bool:
        return self.boxes is not None and self.boxes[2].size > 0

    @property
    def patience(self) -> int:
        """How many boxes to try: fewer where nothing at all is known yet."""
        return BOXES if np.isfinite(self.highest_bound) else ENDLESS_BOXES

    @property
    def highest_bound(self) -> float:
        rest = -LARGEST if self.boxes is None or not self.boxes[2].size else float(self.boxes[2].max())
        return max(self.settled, rest)

    def obstacle(self) -> str:
        """Return in a word what is left where the proof did not get through: ``tails`` or ``boxes``."""
        if not self.open or self.boxes is None:
            return ""
        first = int(self.boxes[2].argmax())
        endless = not np.isfinite([self.boxes[0][first], self.boxes[1][first]]).all()
        return "tails" if endless or not np.isfinite(self.boxes[2][first]) else "boxes"

    def visit(self, points: Floats) -> Floats:
        """Return proven upper bounds at points, and remember the highest lower one."""
        with np.errstate(all="ignore"):
            found = interval(self.function(Interval(points, points)))
        lower, upper = (np.broadcast_to(end, len(points)) for end in (found.lower, found.upper))
        best = int(np.argmax(lower)) if len(points) else 0
        if len(points) and lower[best] > self.attained:
            self.attained, self.highest = float(lower[best]), points[best].copy()
        return upper

    def without_tails(self, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
        """Return what is left of a line's box after its endless ends have been bounded, where that can be done."""
        lower, upper = lower.copy(), upper.copy()
        for end, sign, other in ((upper, 1.0, lower), (lower, -1.0, upper)):
            first = max(1.0, 2 * abs(float(self.highest[0])) if self.highest.size else 1.0, sign * float(other[0]) + 1)
            for doubling in range(FARTHEST if np.isinf(end[0]) and np.isfinite(first) else 0):
                origin = first * 2.0**doubling
                bound = tail_bound(self.function, origin, sign)
                if bound <= self.goal:
                    self.settled, end[0] = max(self.settled, bound), sign * origin
                    break
        return lower, upper

    def add(self, lower: Floats, upper: Floats) -> None:
        """Bound boxes, ``n_boxes x n_dims``, and keep those that may exceed the goal."""
        value, slope = self._evaluate(lower, upper)
        falls, climbs = slope.upper <= 0, slope.lower >= 0
        face_lower = np.where(climbs & np.isfinite(upper), upper, lower)
        face_upper = np.where(falls & ~climbs & np.isfinite(lower), lower, upper)
        moved = ((face_lower != lower) | (face_upper != upper)).any(axis=1)
        bound = value.upper.copy()
        if moved.any():  # the highest value is on that face
            lower, upper = face_lower, face_upper
            again, steeper = self._evaluate(lower[moved], upper[moved])
            bound[moved] = np.minimum(bound[moved], again.upper)
            slope.lower[moved], slope.upper[moved] = steeper.lower, steeper.upper
        centre = _middle(lower, upper)
        with np.errstate(all="ignore"):
            away = Interval(np.minimum(lower - centre, 0), np.maximum(upper - centre, 0))
            away = Interval(away.lower * (1 + EPSILON), away.upper * (1 + EPSILON))
            around: Any = Interval(-np.inf, self.visit(centre)) + (slope * away).sum(-1)
        bound = np.minimum(bound, around.upper)
        self.n_boxes += len(bound)
        self._keep(lower, upper, bound, slope)

    def _keep(self, lower: Floats, upper: Floats, bound: Floats, slope: Interval) -> None:
        middle = _middle(lower, upper)
        splits = (lower < middle) & (middle < upper)
        with np.errstate(over="ignore"):
            width = np.minimum(upper - lower, 1e100)
        steep = np.clip(np.maximum(np.abs(slope.lower), np.abs(slope.upper)), 1e-100, 1e100)
        new = (lower, upper, bound, np.where(splits, width * steep, 0.0))
        lower, upper, bound, influence = (
            new
            if self.boxes is None
            else tuple(np.concatenate([old, more]) for old, more in zip(self.boxes, new, strict=True))
        )
        done = (bound <= self.goal) | (influence.max(axis=1) == 0)
        self.settled = max(self.settled, float(bound[done].max(initial=-LARGEST)))
        self.boxes = lower[~done], upper[~done], bound[~done], influence[~done]

    def split(self) -> None:
        """Halve the boxes of the highest bounds, each where it matters most."""
        assert self.boxes is not None
        order = np.argsort(-self.boxes[2], kind="stable")
        chosen, rest = order[:AT_ONCE], order[AT_ONCE:]
        lower, upper, _, influence = (part[chosen] for part in self.boxes)
        self.boxes = tuple(part[rest] for part in self.boxes)  # type: ignore[assignment]
        row, column = np.arange(len(lower)), influence.argmax(axis=1)
        middle = _middle(lower, upper)[row, column]
        below, above = upper.copy(), lower.copy()
        below[row, column], above[row, column] = middle, middle
        self.add(np.concatenate([lower, above]), np.concatenate([below, upper]))

    def _evaluate(self, lower: Floats, upper: Floats) -> tuple[Interval, Interval]:
        found = self.function(Dual.of_boxes(lower, upper))
        if not isinstance(found, Dual):
            constant, shape = interval(found), (len(lower),)
            if constant.shape not in ((), shape):
                raise Unknown(f"a result of shape {constant.shape}")
            whole = Interval(np.broadcast_to(constant.lower, shape), np.broadcast_to(constant.upper, shape))
            found = dual(whole, lower.shape[1])
        if found.shape != (len(lower),):
            raise Unknown(f"a result of shape {found.shape}")
        return found.value, found.slope


def _middle(lower: Floats, upper: Floats) -> Floats:
    """Return where boxes are halved; of an endless side some way along it."""
    only_lower, only_upper = np.isfinite(lower) & np.isinf(upper), np.isinf(lower) & np.isfinite(upper)
    with np.errstate(invalid="ignore", over="ignore"):
        halves = np.where(np.isfinite(lower) & np.isfinite(upper), lower / 2 + upper / 2, 0.0)
        halves = np.where(only_lower, lower + np.maximum(1.0, np.abs(lower)), halves)
        halves = np.where(only_upper, upper - np.maximum(1.0, np.abs(upper)), halves)
    return np.clip(halves, lower, upper)
