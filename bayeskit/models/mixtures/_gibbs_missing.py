"""Points with missing coordinates in the Gibbs sampler: assigned by what is observed, then filled in.

The assignment is drawn with what is missing integrated out, and then what is missing, given the assignment and the
parameters: together a draw from their joint conditional distribution, so that the blocks of means and covariances see
whole points: Tanner and Wong (1987), doi:10.1080/01621459.1987.10478458.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._gibbs_moments import Covariance, Form, Moments
from bayeskit.models.mixtures._gibbs_rows import LOG_2_PI, choose_rows
from bayeskit.models.mixtures._gibbs_streams import ChainStreams
from bayeskit.models.mixtures.likelihood import patterns

Floats = NDArray[np.float64]

_AT_ONCE = 1 << 16  # numbers of a chain that hold the distances of a block of points


class Pattern(NamedTuple):
    """Points with the same coordinates observed, and where their random numbers are among all points'."""

    y: Floats
    observed: NDArray[np.intp]
    missing: NDArray[np.intp]
    rows: slice
    cells: slice


class IncompleteRows:
    """Points with something missing, and something observed; the others have nothing to say.

    Parameters
    ----------
    y
        ``n x d``, NaN where missing.
    form
        Of the covariances.
    n_components
        K.
    """

    def __init__(self, y: Floats, form: Form, n_components: int) -> None:
        self._form, self._k, self._d = form, n_components, y.shape[1]
        self._patterns: list[Pattern] = []
        step = max(64, _AT_ONCE // (n_components * max(1, y.shape[1])))
        row = cell = 0
        for rows, columns in patterns(y):
            missing = np.setdiff1d(np.arange(self._d), columns)
            if columns.size in (0, self._d):
                continue
            for first in range(0, rows.size, step):
                block = y[np.ix_(rows[first : first + step], columns)]
                size = len(block)
                cells = slice(cell, cell + size * missing.size)
                self._patterns.append(Pattern(block, columns, missing, slice(row, row + size), cells))
                row, cell = row + size, cells.stop
        self._n_rows, self._n_cells = row, cell

    def __len__(self) -> int:
        return self._n_rows

    def assign(
        self, log_weights: Floats, means: Floats, covariance: Covariance, streams: ChainStreams
    ) -> tuple[Moments, Floats]:
        """Draw every point's component and what is missing of it; see ``CompleteRows.assign``."""
        factors = self._form.dense_factor(covariance)
        uniforms = streams.next("missing", "uniform", (self._n_rows,))
        normals = streams.next("missing", "normal", (self._n_cells,))
        found, log_likelihood = None, np.zeros(len(means))
        for pattern in self._patterns:
            root, slopes, spread = _conditional(factors, pattern)
            assigned, log_total, whitened = self._choose(log_weights, means, root, pattern, uniforms[:, pattern.rows])
            log_likelihood += log_total
            noise = normals[:, pattern.cells].reshape(len(means), -1, pattern.missing.size)
            residuals = self._filled(means, slopes, spread, pattern, assigned, whitened, noise)
            member = (assigned[..., None] == np.arange(self._k)).astype(float)
            part = self._form.moments(residuals, member)
            found = part if found is None else found.plus(part)
        assert found is not None
        return found, log_likelihood

    def _choose(
        self, log_weights: Floats, means: Floats, root: Floats, pattern: Pattern, uniforms: Floats
    ) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Return components, the sums of log densities, and what is observed in each component's own units."""
        n, size = pattern.y.shape
        residuals = pattern.y - means[:, :, None, pattern.observed]
        whitened = residuals @ root.swapaxes(-1, -2)
        log_determinant = np.log(np.abs(np.diagonal(root, axis1=-2, axis2=-1))).sum(axis=-1)
        logits = (log_weights + log_determinant)[..., None] - 0.5 * (whitened * whitened).sum(axis=-1)
        assigned, log_total = choose_rows(np.ascontiguousarray(logits.swapaxes(1, 2)), uniforms)
        return assigned, log_total - 0.5 * n * size * LOG_2_PI, whitened

    def _filled(
        self,
        means: Floats,
        slopes: Floats,
        spread: Floats,
        pattern: Pattern,
        assigned: NDArray[np.int64],
        whitened: Floats,
        noise: Floats,
    ) -> Floats:
        """Return whole points, as deviations from the means of their components."""
        chains = np.arange(len(means))[:, None]
        shared = np.zeros_like(assigned) if self._form.shared else assigned
        known = np.take_along_axis(whitened, assigned[:, None, :, None], axis=1)[:, 0]
        residuals = np.empty((*assigned.shape, self._d))
        residuals[..., pattern.observed] = pattern.y - means[chains, assigned][..., pattern.observed]
        residuals[..., pattern.missing] = (
            np.einsum("cnmo,cno->cnm", slopes[chains, shared], known)
            + np.einsum("cnij,cnj->cni", spread[chains, shared], noise)
        )  # fmt: skip
        return residuals


def _conditional(factors: Floats, pattern: Pattern) -> tuple[Floats, Floats, Floats]:
    """Return what the missing are made of, given what is observed.

    With the observed columns first, the covariance's Cholesky factor is ``[[A, 0], [B, C]]``: ``A`` whitens what is
    observed, ``B`` leads from there to the mean of the missing, and ``C`` is the factor of their covariance.
    """
    order = np.concatenate([pattern.observed, pattern.missing])
    size = pattern.observed.size
    upper: Any = np.linalg.qr(factors[..., order, :].swapaxes(-1, -2), mode="r")
    signs = np.where(np.diagonal(upper, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    lower = (upper * signs[..., None]).swapaxes(-1, -2)
    root: Floats = np.linalg.inv(lower[..., :size, :size])
    return root, lower[..., size:, :size], lower[..., size:, size:]
