"""Envelopes of a log-concave density of one number: straight lines on the log scale, above it and below it.

With gradients the upper lines are tangents, Gilks and Wild (1992), doi:10.2307/2347565; without, they are chords
prolonged, Gilks (1992), Derivative-free adaptive rejection sampling for Gibbs sampling, Bayesian Statistics 4, 641-649.
The lower lines are the chords.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayeskit.inference._intervals import Floats


@dataclass(frozen=True, eq=False)
class Hull:
    """Lines above a log density between ``left`` and ``right``, through ``anchor`` and ``height`` with ``slope``.

    All have ``n_lines`` numbers; ``knots`` and ``heights`` are the points that the density is known at.
    """

    left: Floats
    right: Floats
    anchor: Floats
    height: Floats
    slope: Floats
    knots: Floats
    heights: Floats

    @property
    def is_proper(self) -> bool:
        """Whether the area below is finite."""
        falls_left = np.isfinite(self.left[0]) or self.slope[0] > 0
        falls_right = np.isfinite(self.right[-1]) or self.slope[-1] < 0
        return bool(falls_left and falls_right and np.isfinite(self.slope).all())

    @cached_property
    def log_areas(self) -> Floats:
        """Logarithms of the areas below the lines, ``n_lines``."""
        width, steep = self.right - self.left, np.abs(self.slope)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            drop = np.where(steep > 0, steep * width, 0.0)
            sloping = np.log(-np.expm1(-drop)) - np.log(steep)
            return self._top + np.where(drop > 1e-12, sloping, np.log(width))

    @property
    def log_area(self) -> float:
        """Logarithm of the area below all lines."""
        return float(np.logaddexp.reduce(self.log_areas))

    @cached_property
    def _top(self) -> Floats:
        """Height at each line's higher end."""
        higher = np.where(self.slope > 0, self.right, self.left)
        with np.errstate(invalid="ignore"):
            climb = np.where(self.slope == 0, 0.0, self.slope * (higher - self.anchor))
        return self.height + climb

    def sample(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        """Draw from the density that is proportional to the envelope: points, ``n``, and its logarithm there."""
        areas = np.exp(self.log_areas - self.log_areas.max())
        ends = np.cumsum(areas)
        line = np.minimum(np.searchsorted(ends, rng.random(n) * ends[-1], side="right"), len(areas) - 1)
        u = rng.random(n)
        slope, left, right = self.slope[line], self.left[line], self.right[line]
        steep, width = np.abs(slope), right - left
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            drop = np.where(steep > 0, steep * width, 0.0)
            away = np.where(drop > 1e-12, -np.log1p(u * np.expm1(-drop)) / steep, u * width)
        away = np.minimum(away, width)
        # From the higher end: the difference that counts keeps its digits.
        return np.where(slope > 0, right - away, left + away), self._top[line] - steep * away

    def upper(self, points: Floats) -> Floats:
        """Return the envelope's logarithm, ``n_points``."""
        line = np.clip(np.searchsorted(self.left, points, side="right") - 1, 0, len(self.left) - 1)
        return self.height[line] + self.slope[line] * (points - self.anchor[line])

    def lower(self, points: Floats) -> Floats:
        """Return the chords' heights, ``n_points``; -inf beyond the knots."""
        return np.interp(points, self.knots, self.heights, left=-np.inf, right=-np.inf)


def tangents(knots: Floats, heights: Floats, slopes: Floats, low: float, high: float) -> Hull:
    """Return the hull of tangents at knots, in order, over the support from ``low`` to ``high``."""
    step = np.diff(knots)
    bend = slopes[:-1] - slopes[1:]
    gap = heights[1:] - heights[:-1] - slopes[1:] * step  # of the next tangent above this knot
    with np.errstate(divide="ignore", invalid="ignore"):
        share = gap / (bend * step)
    # Where two tangents are the same but for rounding, they may meet anywhere.
    share = np.where(np.isfinite(share), np.clip(share, 0, 1), 0.5)
    meets = knots[:-1] + share * step
    return Hull(np.append(low, meets), np.append(meets, high), knots, heights, slopes, knots, heights)


def prolonged(knots: Floats, heights: Floats, low: float, high: float) -> Hull:
    """Return the hull of prolonged chords between at least three knots, in order."""
    slopes = np.diff(heights) / np.diff(knots)
    # From the left, of every interval between knots but the first: the chord before; from the right: the chord after.
    left, right = knots[1:-2], knots[2:-1]
    before, after = slopes[:-2], slopes[2:]
    step = right - left
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (heights[2:-1] - heights[1:-2] - after * step) / ((before - after) * step)
    meets = left + np.where(np.isfinite(share), np.clip(share, 0, 1), 0.5) * step
    inner = np.stack([left, meets], 1).ravel(), np.stack([meets, right], 1).ravel()
    anchors = np.stack([left, right], 1).ravel()
    levels = np.stack([heights[1:-2], heights[2:-1]], 1).ravel()
    inclines = np.stack([before, after], 1).ravel()

    def framed(first: float, second: float, middle: Floats, third: float, fourth: float) -> Floats:
        return np.concatenate([[first, second], middle, [third, fourth]])

    return Hull(
        left=framed(low, knots[0], inner[0], knots[-2], knots[-1]),
        right=framed(knots[0], knots[1], inner[1], knots[-1], high),
        anchor=framed(knots[0], knots[1], anchors, knots[-2], knots[-1]),
        height=framed(heights[0], heights[1], levels, heights[-2], heights[-1]),
        slope=framed(slopes[0], slopes[1], inclines, slopes[-2], slopes[-1]),
        knots=knots,
        heights=heights,
    )
