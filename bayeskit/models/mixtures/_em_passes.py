"""One pass over the points: log likelihood, and sums of the features weighted by responsibilities.

Responsibilities are made block by block and never kept: a block's features stay in the cache from its log densities,
one matrix product, to its sums, another. Points are split into the same spans on any number of threads, so that sums
come out the same.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np

from bayeskit.models.mixtures._em_rows import Floats, Rows, Scaling, make_features

_BLOCK = 1 << 18  # numbers: what one core's cache holds
_SPANS = 16


def weighted_sums(rows: Rows, scaling: Scaling, coefficients: Floats, *, dense: bool) -> tuple[Floats, float]:
    """Return each pattern's and component's sums of features, weighted by responsibilities, and the log likelihood.

    Parameters
    ----------
    rows
        The points.
    scaling
        The scale of the features.
    coefficients
        ``n_patterns x n_components x n_features``: what the log density of a point together with its assignment is of
        its features.
    dense
        Whether the features have the products of different coordinates.

    Returns
    -------
    array, float
        ``n_patterns x n_components x n_features``, and the log likelihood on the scale of the features.
    """
    n_points = len(rows.values)
    sums = np.zeros_like(coefficients)
    if rows.features is not None:
        return sums, _add(rows, 0, rows.features, coefficients, sums, np.empty((coefficients.shape[1], n_points)))
    block = max(64, _BLOCK // coefficients.shape[2])
    step = -(-n_points // (_SPANS * block)) * block

    def span(first: int) -> tuple[int, Floats, float]:
        return _span(rows, range(first, min(first + step, n_points), block), scaling, coefficients, dense)

    total = 0.0
    with one_thread(), ThreadPoolExecutor(_cores()) as threads:
        for pattern, part, log_likelihood in threads.map(span, range(0, n_points, step)):
            sums[pattern : pattern + len(part)] += part
            total += log_likelihood
    return sums, total


def _span(rows: Rows, firsts: range, scaling: Scaling, coefficients: Floats, dense: bool) -> tuple[int, Floats, float]:
    """Return the first pattern of some blocks, the sums of their patterns, and their log likelihood."""
    last = min(firsts[-1] + firsts.step, len(rows.values))
    lowest, highest = (int(np.searchsorted(rows.starts, place, side="right")) - 1 for place in (firsts[0], last - 1))
    sums = np.zeros_like(coefficients[lowest : highest + 1])
    features = np.empty((coefficients.shape[2], firsts.step))
    space = np.empty((coefficients.shape[1], firsts.step))
    total = 0.0
    for first in firsts:
        here = make_features(rows, first, min(first + firsts.step, last), scaling, dense=dense, out=features)
        total += _add(rows, first, here, coefficients, sums, space[:, : here.shape[1]], lowest)
    return lowest, sums, total


def _add(
    rows: Rows, first: int, features: Floats, coefficients: Floats, sums: Floats, space: Floats, lowest: int = 0
) -> float:
    """Add the sums of one block's points to their patterns' sums, and return their log likelihood."""
    segments = list(rows.segments(first, first + features.shape[1]))
    for pattern, begin, end in segments:
        np.matmul(coefficients[pattern], features[:, begin:end], out=space[:, begin:end])
    log_likelihood = to_responsibilities(space)
    for pattern, begin, end in segments:
        sums[pattern - lowest] += space[:, begin:end] @ features[:, begin:end].T
    return log_likelihood


def to_responsibilities(log_joint: Floats) -> float:
    """Make responsibilities of log densities, ``n_components x n_points``, in place; return the log likelihood."""
    largest = log_joint.max(axis=0)
    log_joint -= largest
    np.exp(log_joint, out=log_joint)
    total = log_joint.sum(axis=0)
    log_joint /= total
    return float(largest.sum() + np.log(total).sum())


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to one thread: matrices are small, or the spans are the threads already."""
    limits: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limits


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
