"""A Gaussian mixture's own updates for expectation-maximisation: maximum likelihood, priors left aside.

Dempster, Laird and Rubin (1977), doi:10.1111/j.2517-6161.1977.tb01600.x, with what is missing of a point expected as
well, covariances whose eigenvalues have a floor, and steps on part of the data: Cappé and Moulines (2009),
doi:10.1111/j.1467-9868.2009.00698.x. It is maximum likelihood for a Dirichlet process too: its weights are free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._em_passes import weighted_sums
from bayeskit.models.mixtures._em_rows import Rows, pieces, scaling_of, tables
from bayeskit.models.mixtures._em_seeds import clusters, first_moments, seeds
from bayeskit.models.mixtures._em_steps import Mixture, Moments, coefficients_of, collapsed, maximise, moments_of
from bayeskit.models.mixtures.parameters import values_of
from bayeskit.models.mixtures.spec import MixtureSpec

Floats = NDArray[np.float64]

_ENOUGH = 10_000  # points to find a start with
_K_MEANS = 20  # steps
_PLACES = 64  # in the data that a batch is taken from, at least


class MixtureEM:
    """A mixture and its points, as ``fit_em`` takes them.

    Parameters
    ----------
    spec
        Sizes and form.
    y
        ``n_points x n_columns``, NaN where missing. A ``numpy.memmap`` is read piece by piece in each step, and is
        never in memory as a whole.
    device
        ``cpu``, or ``cuda`` for passes over the points on the GPU.

    Raises
    ------
    DataError
        If a coordinate is infinite, or a column has no number.
    """

    def __init__(self, spec: MixtureSpec, y: Floats, device: str = "cpu") -> None:
        self.spec, self.device = spec, device
        self.scaling = scaling_of(y, one_scale=spec.covariance == "spherical")
        self._log_jacobian = self.scaling.log_jacobian
        self._take(y)

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self._y)

    def start(self, rng: np.random.Generator, number: int = 0) -> Mixture:
        """Return where a run starts: k-means++ on the points, or on some of many.

        At even numbers k-means goes on from there; at odd ones it does not, so that the starts differ more.
        """
        points, k = self.points(rng), self.spec.n_components
        members = clusters(points, seeds(points, k, rng), n_steps=0 if number % 2 else _K_MEANS)
        return maximise(first_moments(points, members, k, dense=self._dense), self.spec.covariance)

    def points(self, rng: np.random.Generator) -> Floats:
        """Return the points, or some of many, on the scale of EM, what is missing at the mean."""
        points = (self._y[self._some(rng)] - self.scaling.shift) / self.scaling.scale
        np.nan_to_num(points, copy=False, nan=0.0)
        return np.asarray(points)

    def with_components(self, n_components: int) -> MixtureEM:
        """Return the model with another number of components, on the same points."""
        other = copy(self)
        other.spec = replace(self.spec, n_components=n_components)
        return other

    def rehearsal(self, rng: np.random.Generator) -> MixtureEM:
        """Return a model to choose a start with: on some of the points where there are many, else this one."""
        if self.n_points <= _ENOUGH:
            return self
        other = copy(self)
        other._take(np.asarray(self._y[self._some(rng)]))
        return other

    def step(self, mixture: Mixture) -> tuple[Mixture, float]:
        """Return the next parameters, and the log likelihood of those given."""
        moments, log_likelihood = self._moments(self._tables(), mixture)
        return maximise(moments, self.spec.covariance, mixture), log_likelihood + self._log_jacobian

    def log_likelihood(self, mixture: Mixture) -> float:
        """Return the log likelihood of all points."""
        return self.step(mixture)[1]

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Floats]:
        """Yield all points once, in random batches; each is from many places, and of neighbours in each place."""
        together = max(1, size // _PLACES)
        runs = rng.permutation(-(-self.n_points // together))
        for first in range(0, len(runs), max(1, size // together)):
            places = np.sort(runs[first : first + max(1, size // together)])
            rows = (places[:, np.newaxis] * together + np.arange(together)).ravel()
            yield np.asarray(self._y[rows[rows < self.n_points]])

    def batch_step(self, mixture: Mixture, batch: Floats, rate: float) -> tuple[Mixture, float]:
        """Return the next parameters after a batch, and the batch's mean log likelihood under those given.

        Parameters
        ----------
        mixture
            Of a step, or of this.
        batch
            Some points.
        rate
            The share of the batch in the moments, from 0 to 1.
        """
        found = tables(batch, self.spec.n_components, self.scaling, dense=self._dense)
        moments, log_likelihood = self._moments(found, mixture)
        moments = moments * (1 / len(batch))
        if mixture.moments is not None:
            moments = mixture.moments * (1 - rate) + moments * rate
        after = maximise(moments * self.n_points, self.spec.covariance, mixture)
        return after, log_likelihood / len(batch) + self._log_jacobian / self.n_points

    def values(self, mixture: Mixture) -> Mapping[str, Floats]:
        """Return the sites' values."""
        frame = self.frame(mixture)
        return values_of(self.spec, frame["weights"], frame["means"], frame["covariances"])

    def frame(self, mixture: Mixture) -> Mapping[str, Floats]:
        """Return weights, means and covariances on the scale of ``y``."""
        covariances = mixture.covariances
        if covariances.ndim == 2:
            covariances = covariances[..., np.newaxis] * np.eye(covariances.shape[-1])
        return {
            "weights": mixture.weights,
            "means": self.scaling.shift + self.scaling.scale * mixture.means,
            "covariances": covariances * np.outer(self.scaling.scale, self.scaling.scale),
        }

    def collapsed(self, mixture: Mixture) -> NDArray[np.bool_]:
        """Return which components sit on one point, or nearly, or on points in a plane."""
        return collapsed(mixture, self.spec.covariance, self.n_points)

    @property
    def _dense(self) -> bool:
        return self.spec.correlated

    def _take(self, y: Floats) -> None:
        self._y = y
        self._kept: list[Rows] | None = None
        if not isinstance(y, np.memmap):
            self._kept = list(tables(y, self.spec.n_components, self.scaling, dense=self._dense))

    def _tables(self) -> Iterator[Rows]:
        if self._kept is not None:
            yield from self._kept
            return
        for piece in pieces(self._y):
            yield from tables(piece, self.spec.n_components, self.scaling, dense=self._dense)

    def _moments(self, rows: Iterator[Rows], mixture: Mixture) -> tuple[Moments, float]:
        """Return the expected moments of some points, and their log likelihood on the scale of EM."""
        total, log_likelihood = None, 0.0
        for table in rows:
            coefficients, precisions = coefficients_of(mixture, table.observed)
            sums, more = self._sums(table, coefficients)
            moments = moments_of(sums, table, mixture, precisions)
            total, log_likelihood = moments if total is None else total + moments, log_likelihood + more
        assert total is not None
        return total, log_likelihood

    def _sums(self, rows: Rows, coefficients: Floats) -> tuple[Floats, float]:
        if self.device == "cpu":
            return weighted_sums(rows, self.scaling, coefficients, dense=self._dense)
        from bayeskit.models.mixtures import _em_torch

        return _em_torch.weighted_sums(rows, self.scaling, coefficients, dense=self._dense, device=self.device)

    def _some(self, rng: np.random.Generator) -> Any:
        if self.n_points <= _ENOUGH:
            return slice(None)
        return np.sort(rng.choice(self.n_points, _ENOUGH, replace=False))
