"""What a point estimate says of ratings: in the form of a draw, and how far off the scale its predictions are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bayeskit.models.factors._hyper import Population
from bayeskit.models.factors._squares import Point
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.quantities import Parameters, expected_ratings
from bayeskit.models.factors.spec import SIDES, FactorSpec

Floats = NDArray[np.float64]

_CHUNK = 2**22  # pairs that are predicted together


def parameters_at(
    spec: FactorSpec, data: Observed, point: Point, known: Mapping[str, Tensor], *, biased: bool
) -> Parameters:
    """Return a point as the draw that says the same of every pair.

    Parameters
    ----------
    spec, data
        Model and ratings.
    point
        Its rows have a bias where this is so.
    known
        By side, ``n``, whether a row has any ratings. Without a bias one that has none is the mean of the others;
        otherwise it is 0, and says as much as the rest does.
    biased
        Whether rows begin with a bias, ratings being from their mean and not from 0.
    """
    rows, width = dict(point.rows), spec.width
    for side, found in rows.items():
        if not biased:
            own = torch.where(known[side][:, None], found, found[known[side]].mean(0))
            rows[side] = torch.nn.functional.pad(own, (width - spec.rank, 0))
    return Parameters(
        spec=replace(spec, family="wishart"),
        rows=rows,
        populations={side: Population(np.zeros(width), np.eye(width)) for side in SIDES},
        level=point.level if biased else -data.centre / data.spread,
        tau=1.0,
        cutpoints=np.empty(0),
        alpha=np.empty(0),
    )


def expected_test_ratings(data: Observed, parameters: Parameters) -> Floats:
    """Return what is predicted of test ratings, ``n_test``, not kept within the scale."""
    return expected_ratings(data, parameters, data.test_user, data.test_item)


def off_scale(data: Observed, parameters: Parameters) -> dict[str, Any]:
    """Return how far predictions of test ratings, or of all pairs where there are none, are off the scale.

    Returns
    -------
    dict
        ``least_prediction``, ``greatest_prediction``; ``outside``, the share of those below or above the scale; and
        ``n_predictions``.
    """
    least, greatest, n_outside, n_pairs = np.inf, -np.inf, 0, 0
    low, high = data.scale
    for raw in [expected_test_ratings(data, parameters)] if data.n_test else _everywhere(data, parameters):
        least, greatest = min(least, float(raw.min())), max(greatest, float(raw.max()))
        n_outside += int(np.sum((raw < low) | (raw > high)))
        n_pairs += raw.size
    return {
        "least_prediction": least,
        "greatest_prediction": greatest,
        "outside": n_outside / n_pairs,
        "n_predictions": n_pairs,
    }


def _everywhere(data: Observed, parameters: Parameters) -> Iterator[Floats]:
    """Give what is predicted of all pairs, some users at a time."""
    items = np.arange(data.n_items)
    step = max(1, _CHUNK // data.n_items)
    for first in range(0, data.n_users, step):
        users = np.arange(first, min(first + step, data.n_users))
        yield expected_ratings(data, parameters, np.repeat(users, len(items)), np.tile(items, len(users)))
