"""Proposals of covariances near the present ones, where the independent ones are seldom accepted.

With many columns for the points, an inverse Wishart distribution misses the posterior by too much to be accepted as a
whole. A part of the way does: a move that leaves the inverse Wishart distribution as it is, and is reversible in it,
is accepted by the same ratio of weights. In terms of the Bartlett factor, normal elements ``z`` become
``sqrt(1 - b^2) z + b e`` with fresh normal ``e`` (Neal 1999, "Regression and classification using Gaussian process
priors", Bayesian Statistics 6), and squares on the diagonal, gamma variables ``x`` of shape ``a``, become
``x c + g`` with ``c ~ Beta((1 - b^2) a, b^2 a)`` and ``g ~ Gamma(b^2 a)``: Lewis, McKenzie and Hugus (1989),
doi:10.1080/15326348908807094.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST, _MOST = 0.002, 0.5  # how far: b^2 is drawn between these, evenly on the log scale


class Numbers(NamedTuple):
    """What chance has for each covariance: ``n x d (d - 1) / 2`` normals, ``n x d`` others, ``n`` for the rest."""

    fresh: Floats
    normals: Floats
    kept: Floats
    more: Floats
    exponentials: Floats


def draw_numbers(generators: Sequence[np.random.Generator], shapes: Floats) -> Numbers:
    """Draw for all covariances of some chains.

    Parameters
    ----------
    generators
        One a chain.
    shapes
        ``n_chains x n x d``: the parameters of the gamma variables on the diagonal.
    """
    drawn = [_of_chain(generator, each) for generator, each in zip(generators, shapes, strict=True)]
    return Numbers(*(np.stack(parts) for parts in zip(*drawn, strict=True)))


def move(bartlett: Floats, numbers: Numbers) -> Floats:
    """Return lower Bartlett factors, ``n x d x d``, near these."""
    d = bartlett.shape[-1]
    below, diagonal = np.tril_indices(d, -1), np.arange(d)
    fresh, moved = numbers.fresh[:, None], np.zeros_like(bartlett)
    old = bartlett[:, below[0], below[1]]
    moved[:, below[0], below[1]] = np.sqrt(1 - fresh) * old + np.sqrt(fresh) * numbers.normals
    squares = 0.5 * bartlett[:, diagonal, diagonal] ** 2
    moved[:, diagonal, diagonal] = np.sqrt(2 * (squares * numbers.kept + numbers.more))
    return moved


def _of_chain(generator: np.random.Generator, shapes: Floats) -> Numbers:
    n, d = shapes.shape
    fresh = _LEAST * (_MOST / _LEAST) ** generator.random(n)
    part = fresh[:, None]
    return Numbers(
        fresh,
        generator.standard_normal((n, d * (d - 1) // 2)),
        generator.beta((1 - part) * shapes, part * shapes),
        generator.standard_gamma(part * shapes),
        generator.standard_exponential((n,)),
    )
