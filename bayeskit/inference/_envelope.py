"""The picture of an envelope for the report: the density below it, or how near to it proposals come."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeskit.core.density import Density
from bayeskit.core.proposals import Proposal
from bayeskit.inference._bounds import evaluated, log_ratio_at
from bayeskit.inference._intervals import Floats

POINTS = 400  # of a curve
BINS = 50
SEEN = 20_000  # proposals in a histogram


def pictured(
    density: Density, proposal: Proposal, log_bound: float, positions: Floats, rng: np.random.Generator
) -> dict[str, Any]:
    """Return ``envelope_x``, ``envelope_density`` and ``envelope_bound``; in many dimensions ``ratio_edges, _counts``.

    Parameters
    ----------
    density, proposal, log_bound
        ``f``, ``q`` and ``log M``.
    positions
        Draws, ``n_draws x n_dims``, to know where to look.
    rng
        Draws the proposals of the histogram.
    """
    if density.n_dims > 1:
        ratios = np.exp(np.minimum(log_ratio_at(density, proposal, proposal.sample(rng, SEEN)) - log_bound, 0.0))
        counts, edges = np.histogram(ratios, BINS, (0.0, 1.0))
        return {"ratio_edges": edges, "ratio_counts": counts}
    x = curve_places(density, positions[:, 0])
    return curves(x, evaluated(density, x[:, None]), np.asarray(proposal.log_density(x[:, None])) + log_bound)


def curve_places(density: Density, draws: Floats) -> Floats:
    """Return where to draw a density of one number: all of a finite box, else around the draws."""
    low, high = (float(end[0]) for end in density.box)
    first, last = float(draws.min()), float(draws.max())
    reach = (last - first) / 10 or max(1.0, abs(first))
    low = low if np.isfinite([low, high]).all() else max(low, first - reach)
    high = high if np.isfinite(density.box).all() else min(high, last + reach)
    if density.is_discrete:
        low, high = np.ceil(low), np.floor(high)
        return np.unique(np.round(np.linspace(low, high, int(min(POINTS, high - low + 1)))))
    return np.linspace(low, high, POINTS)


def curves(x: Floats, log_density: Floats, log_envelope: Floats) -> dict[str, Any]:
    """Return the three curves, scaled so that the envelope's largest value is 1."""
    finite = log_envelope[np.isfinite(log_envelope)]
    top = float(finite.max()) if finite.size else 0.0
    with np.errstate(over="ignore"):
        return {
            "envelope_x": x,
            "envelope_density": np.exp(np.minimum(log_density - top, 700)),
            "envelope_bound": np.exp(np.minimum(log_envelope - top, 700)),
        }
