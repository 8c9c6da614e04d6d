"""Adaptive rejection sampling of a log-concave density of one number: the envelope is a hull that learns.

Gilks and Wild (1992), doi:10.2307/2347565. Many candidates are drawn from one hull and judged at once; it is refined
between these rounds only, from what was rejected. Whatever hull the past has led to, what is accepted below it is
distributed as the density, so that all draws are independent, and each round takes its draws in the order in which they
were proposed.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.inference._bounds import HULL, evaluated
from bayeskit.inference._envelope import curve_places, curves
from bayeskit.inference._hulls import Hull, prolonged, tangents
from bayeskit.inference._intervals import EPSILON, Floats
from bayeskit.inference._pace import Pace
from bayeskit.inference._streams import block_generator

FIRST, LARGEST_ROUND = 128, 16_384  # candidates in a round
LEARNED = 16  # rejected candidates of a round that become knots
ENOUGH = 0.99  # of a round accepted: the hull need not get better
KNOTS = 200
DROPS = (0.0, 0.3, 1.0, 3.0, 8.0)  # below the mode, on the log scale, where the first knots are
FAR = 12  # powers of ten in which the mode is looked for
SEARCH = 2**31
PURPOSE = 3  # of its streams, which no other engine has


def adaptive_rejection(density: Density, n_draws: int, *, seed: int, pace: Pace) -> tuple[Floats, dict[str, Any]]:
    """Draw from a log-concave density of one number.

    Parameters
    ----------
    density
        Over the whole line or a part of it; its gradient is used where it has one.
    n_draws
        How many.
    seed
        Each round has a stream of its own.
    pace
        Watches the acceptance.

    Returns
    -------
    tuple
        Draws, ``n_draws x 1``, and what to tell of the run.

    Raises
    ------
    ConfigError
        If the density is of more than one number, or a discrete one.
    InferenceError
        If it turns out not to be log-concave, with the place where, or does not fall towards infinity.
    """
    if density.n_dims != 1 or density.is_discrete:
        what = "whole numbers" if density.is_discrete else f"{density.n_dims} numbers"
        raise ConfigError(
            f"adaptive rejection takes a density of one continuous number, this one is of {what}; leave it"
        )
    known = _Known(density)
    known.find(block_generator(seed, SEARCH, PURPOSE))
    kept: list[Floats] = []
    count, proposed, number, size, share = 0, 0, 0, FIRST, 0.0
    while True:
        learning = share < ENOUGH and len(known.knots) < KNOTS
        rng = block_generator(seed, number, PURPOSE)
        hull = known.hull
        points, chance = hull.sample(rng, size), rng.standard_exponential(size)
        accepted = known.judge(hull, *points, chance, squeeze=not learning)
        places = np.flatnonzero(accepted)[: n_draws - count]
        kept.append(points[0][places])
        count += places.size
        if count == n_draws:
            break
        proposed, number, share = proposed + size, number + 1, float(accepted.mean())
        if learning:
            known.learn(points[0][~accepted][:LEARNED])
        size = min(2 * size, LARGEST_ROUND)
        pace.check(count, proposed)
    pace.told(count)
    draws = np.concatenate(kept)
    return draws[:, None], _told(known, draws, proposed + int(places[-1]) + 1)


@dataclass
class _Known:
    """What is known of a density: its heights at knots, in order, with the slopes there where it has a gradient."""

    density: Density
    knots: Floats = field(default_factory=lambda: np.empty(0))
    heights: Floats = field(default_factory=lambda: np.empty(0))
    slopes: Floats = field(default_factory=lambda: np.empty(0))
    evaluations: int = 0

    @property
    def hull(self) -> Hull:
        low, high = (float(end[0]) for end in self.density.box)
        if self.density.gradient is not None:
            hull = tangents(self.knots, self.heights, self.slopes, low, high)
        else:
            hull = prolonged(self.knots, self.heights, low, high)
        if not hull.is_proper:
            raise InferenceError(
                "the density does not fall towards the ends of its support, so that it cannot be normalised; correct "
                "it, or give lower= and upper="
            )
        return hull

    def evaluate(self, points: Floats) -> Floats:
        self.evaluations += points.size
        return evaluated(self.density, points[:, None])

    def judge(self, hull: Hull, points: Floats, upper: Floats, chance: Floats, *, squeeze: bool) -> Any:
        """Return which candidates are accepted: with ``squeeze`` those below the chords without another look."""
        lower = hull.lower(points)
        accepted = lower - upper > -chance if squeeze else np.zeros(points.size, dtype=bool)
        asked = np.flatnonzero(~accepted)
        heights = self.evaluate(points[asked])
        slack = _slack(hull.heights, hull.slope)
        self._check_between(points[asked], lower[asked], heights, upper[asked], slack)
        accepted[asked] = heights - upper[asked] > -chance[asked]
        return accepted

    def learn(self, points: Floats) -> None:
        """Make points to knots, but for those so near to another that their chord would be all rounding error."""
        merged = np.sort(np.concatenate([self.knots, points]))
        span = self.knots[-1] - self.knots[0]
        old = np.isin(merged, self.knots)
        gap = np.minimum(np.diff(merged, prepend=-np.inf), np.diff(merged, append=np.inf))
        self.place(merged[old | (gap > 1e-6 * span)])

    def place(self, points: Floats) -> None:
        """Take points, in order, as knots, where the density is not 0, and look whether it is concave there."""
        heights = self.evaluate(points)
        inside = heights > -np.inf
        self.knots, self.heights = points[inside], heights[inside]
        if self.density.gradient is not None:
            self.slopes = _slopes(self.density, self.knots)
            self._check_slopes()
        self._check_chords(points, heights)

    def find(self, rng: np.random.Generator) -> None:
        """Look for the mode, on ever finer grids, and place the first knots around it."""
        grid = _wide(self.density, rng)
        heights = np.array([self._careful(point) for point in grid])
        for _ in range(60):
            best = int(heights.argmax())
            if heights[best] == -np.inf:
                raise InferenceError(
                    f"the density is 0 at each of the {grid.size} points where it was tried; correct it or its bounds"
                )
            around = heights[max(best - 1, 0) : best + 2]
            if heights[best] - around.min() < DROPS[1]:
                break
            ends = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
            more = np.setdiff1d(np.linspace(*ends, 17), grid)
            if not more.size:
                break
            order = np.argsort(grid := np.concatenate([grid, more]), kind="stable")
            heights = np.concatenate([heights, self.evaluate(more)])
            grid, heights = grid[order], heights[order]
        self._check_chords(grid, heights)
        inside = heights > -np.inf
        grid, drop, best = grid[inside], heights.max() - heights[inside], int(heights[inside].argmax())
        chosen = {best + int(np.abs(drop[best:] - target).argmin()) for target in DROPS}
        chosen |= {int(np.abs(drop[: best + 1] - target).argmin()) for target in DROPS}
        places = sorted(chosen)
        while len(places) < 4:  # a narrow support: what lies between the knots is known as well as any
            left = places[0] - 1 if places[0] > 0 else places[-1] + 1
            places = sorted({*places, left})
        self.place(grid[places])

    def _careful(self, point: float) -> float:
        with suppress(ProgramError):  # far out a density need not know what it does
            return float(self.evaluate(np.array([point]))[0])
        return -math.inf

    def _check_between(
        self, points: Floats, lower: Floats, heights: Floats, upper: Floats, slack: float | Floats
    ) -> None:
        with np.errstate(invalid="ignore"):
            below = np.where(lower == -np.inf, -np.inf, lower - heights)
        for gap, where in ((heights - upper, "above its tangents or prolonged chords"), (below, "below a chord")):
            worst = int((gap - slack).argmax()) if gap.size else 0
            if gap.size and (gap - slack)[worst] > 0:
                raise self._not_concave(float(points[worst]), where, float(gap[worst]))

    def _check_chords(self, points: Floats, heights: Floats) -> None:
        inside = np.flatnonzero(heights > -np.inf)
        if inside.size and inside[-1] - inside[0] + 1 > inside.size:
            hole = inside[np.flatnonzero(np.diff(inside) > 1)[0]] + 1
            raise self._not_concave(float(points[hole]), "0, between places where it is not,", math.inf)
        x, h = points[inside], heights[inside]
        if x.size >= 3:
            share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
            chord = h[:-2] + share * (h[2:] - h[:-2])
            self._check_between(x[1:-1], chord, h[1:-1], np.full(chord.size, np.inf), _slack_between(h))

    def _check_slopes(self) -> None:
        rise = np.diff(self.slopes) - 1e-7 * (1 + np.abs(self.slopes[1:]) + np.abs(self.slopes[:-1]))
        if rise.size and rise.max() > 0:
            place = int(rise.argmax()) + 1
            raise InferenceError(
                f"the density is not log-concave, or its gradient is wrong: the slope of its logarithm rises from "
                f"{self.slopes[place - 1]:.6g} to {self.slopes[place]:.6g} before "
                f"{self.density.told([self.knots[place]])}; correct it, or leave adaptive out and give a proposal"
            )

    def _not_concave(self, point: float, where: str, gap: float) -> InferenceError:
        by = "" if math.isinf(gap) else f" by a factor of {math.exp(min(gap, 700)):.6g}"
        return InferenceError(
            f"the density is not log-concave: at {self.density.told([point])} it is {where}{by}; leave adaptive out, "
            "and give a proposal or bounds"
        )


def _slack(heights: Floats, slopes: Floats) -> float:
    return float(1e-8 + 256 * EPSILON * np.abs(heights[np.isfinite(heights)]).max(initial=0))


def _slack_between(heights: Floats) -> Floats:
    """Return what rounding allows at each height between two others: what lies far from the three says nothing."""
    sizes = np.abs(heights)
    largest: Floats = np.maximum(np.maximum(sizes[:-2], sizes[1:-1]), sizes[2:])
    return 1e-8 + 256 * EPSILON * largest


def _slopes(density: Density, points: Floats) -> Floats:
    if density.arrays == "numpy":
        return np.asarray(density.with_gradient(points[:, None])[1], dtype=float)[:, 0]
    import torch

    found = density.with_gradient(torch.as_tensor(points[:, None], dtype=torch.float64, device=density.device))
    return np.asarray(found[1].detach().cpu().numpy(), dtype=float)[:, 0]


def _wide(density: Density, rng: np.random.Generator) -> Floats:
    """Return points, in order, of all scales that the support allows."""
    low, high = (float(end[0]) for end in density.box)
    steps = np.geomspace(10.0**-FAR, 10.0**FAR, 4 * FAR + 1)
    if math.isfinite(low) and math.isfinite(high):
        shares = np.concatenate([np.linspace(0, 1, 65), 10.0 ** np.arange(-FAR, -1), 1 - 10.0 ** np.arange(-FAR, -1)])
        points = low + (high - low) * shares
    elif math.isfinite(low):
        points = np.append(low, low + steps)
    elif math.isfinite(high):
        points = np.append(high, high - steps)
    else:
        points = np.concatenate([-steps, [0.0], steps])
    if density.start is not None:
        points = np.append(points, np.asarray(density.start(rng, 32), dtype=float)[:, 0])
    return np.unique(np.clip(points, low, high))


def _told(known: _Known, draws: Floats, proposals: int) -> dict[str, Any]:
    hull = known.hull
    x = curve_places(known.density, draws)
    x = np.unique(np.clip(np.append(x, hull.left[np.isfinite(hull.left)][:50]), x[0], x[-1]))
    acceptance = (draws.size - 1) / (proposals - 1)
    return {
        "proposals": proposals,
        "acceptance": acceptance,
        "evaluations": known.evaluations,
        "knots": known.knots,
        "certified": 0,
        "certificate": HULL,
        **curves(x[:400], known.evaluate(x[:400]), hull.upper(x[:400])),
    }
