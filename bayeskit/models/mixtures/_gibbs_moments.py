"""What the assignments of the points come to for the parameters: counts, sums and scatters by component."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._gibbs_streams import ChainStreams

Floats = NDArray[np.float64]


class Moments(NamedTuple):
    """Sums over each component's points, of what they deviate from its present mean.

    ``counts``: ``n_chains x K``; ``sums``: ``n_chains x K x d``; ``scatters``: sums of squares, in the form of the
    covariances, ``n_chains x n_covariances x ...``.
    """

    counts: Floats
    sums: Floats
    scatters: Floats

    def plus(self, other: Moments) -> Moments:
        """Return the moments of both sets of points."""
        return Moments(self.counts + other.counts, self.sums + other.sums, self.scatters + other.scatters)


class Covariance(NamedTuple):
    """Covariances of all chains, and what is needed of them again and again; G of them a chain, K or 1 where tied.

    Where there are correlations, ``root`` is the inverse of the lower Cholesky factor ``factor``, ``precision`` the
    covariance's inverse, all ``n_chains x G x d x d``. Where not, all three are ``n_chains x G x e``: standard
    deviations, their inverses, and these squared, of ``e`` columns or of 1 for all columns. ``log_determinant`` is
    ``n_chains x G``, of the covariance of all columns. ``log_ratio`` is the log density of the prior over that of the
    proposal, but for what depends on the points: ``n_chains x G``, or ``n_chains x G x e``.
    """

    factor: Floats
    root: Floats
    precision: Floats
    log_scales: Floats
    log_determinant: Floats
    log_ratio: Floats


class Proposal(NamedTuple):
    """From what the covariances are proposed: degrees of freedom, matrices or numbers, and the scatters in them.

    ``gamma_shapes`` are those of the gamma variables that a draw takes, ``n_chains x n``.
    """

    gamma_shapes: Floats
    scale: Floats
    scatters: Floats
    small: NDArray[np.bool_]


class Form(Protocol):
    """One form of covariances: all that sets it apart from the others."""

    n_quadratic: int
    shared: bool
    """Whether all components have the same quadratic form, so that assignments do not depend on it."""

    def quadratic(self, y: Floats) -> Floats:
        """Return the products of coordinates that densities depend on, ``n_quadratic x n``."""
        ...

    def coefficients(self, log_weights: Floats, means: Floats, covariance: Covariance) -> Floats:
        """Return what a log density is in terms of 1, ``y`` and products: ``n_chains x K x (1 + d + n_quadratic)``.

        Up to a constant that is the same for all components.
        """
        ...

    def raw_moments(self, sums: Floats, totals: Floats, means: Floats) -> Moments:
        """Return the moments of sums of 1, ``y`` and products by component, and over all points."""
        ...

    def moments(self, residuals: Floats, member: Floats) -> Moments:
        """Return the moments of deviations from the mean, ``n_chains x n x d``, and memberships, 0 or 1."""
        ...

    def tightness(self, covariance: Covariance, reach: Floats) -> Floats:
        """Return the largest squared coordinate in units of a variance, by chain."""
        ...

    def distances(self, covariance: Covariance, chain: int, component: int, residuals: Floats) -> Floats:
        """Return squared distances from a component in its own units, ``n``."""
        ...

    def dense_factor(self, covariance: Covariance) -> Floats:
        """Return lower Cholesky factors, ``n_chains x G x d x d``."""
        ...

    def propose(self, moments: Moments) -> Proposal:
        """Return from what covariances are proposed, given the points of each component and the means."""
        ...

    def update(
        self, current: Covariance, moments: Moments, proposal: Proposal, gammas: Floats, streams: ChainStreams
    ) -> tuple[Covariance, Floats]:
        """Return covariances given means and assignments, and the mean probability of acceptance by chain."""
        ...

    def draw_means(self, covariance: Covariance, moments: Moments, means: Floats, streams: ChainStreams) -> Floats:
        """Return means given covariances and assignments."""
        ...

    def covariance(self, scales: Floats, factors: Floats | None) -> Covariance:
        """Return covariances of the sites' values, ``n_chains x ...``."""
        ...

    def sites(self, factor: Floats, log_scales: Floats) -> dict[str, Floats]:
        """Return the sites' values, ``... x`` the sites' shapes, of the covariances' fields."""
        ...

    def permuted(self, covariance: Covariance, moments: Moments, order: NDArray[np.int64]) -> tuple[Covariance, Floats]:
        """Return covariances and scatters with the components of each chain in another order."""
        ...
