"""Spectral clustering: a partition of a graph's nodes by eigenvectors of a Laplacian and k-means, as a baseline.

Von Luxburg (2007), doi:10.1007/s11222-007-9033-z. What the graph is, and what follows from its clusters, is the model's
business.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.types import Draws

Arrays = Mapping[str, NDArray[Any]]
Laplacian = Literal["symmetric", "unnormalised", "random-walk"]


class SpectralConfig(Config):
    """How spectral clustering runs.

    Parameters
    ----------
    laplacian
        ``symmetric``, 1 - D^(-1/2) A D^(-1/2) with rows on the unit sphere, Ng, Jordan and Weiss (2001);
        ``random-walk``, 1 - D^(-1) A, Shi and Malik (2000), doi:10.1109/34.868688; or ``unnormalised``, D - A.
    restarts
        Starts of k-means of which the tightest clusters are taken.
    """

    method: ClassVar[str] = "spectral"
    laplacian: Laplacian = "symmetric"
    restarts: int = Field(default=10, ge=1, le=10_000)


class ClusteredModel(Protocol):
    """What the engine asks of a model."""

    def clusters(self, laplacian: Laplacian, restarts: int, seed: int) -> Arrays:
        """Return the nodes' clusters, ``n`` by site."""
        ...

    def values(self, clusters: Arrays) -> Arrays:
        """Return the values by site that go with clusters, and these."""
        ...


def fit_spectral(model: ClusteredModel, config: SpectralConfig | None = None, *, seed: int) -> Draws:
    """Cluster the nodes of a graph.

    Parameters
    ----------
    model
        Has the graph.
    config
        How it runs.
    seed
        Of what is random: where iterations start.

    Returns
    -------
    Draws
        Of kind ``point``: one draw of one chain. Nothing is optimised that could fail to converge, so that its
        ``engine`` says that it did.
    """
    from threadpoolctl import threadpool_limits

    config = config or SpectralConfig()
    began = time.perf_counter()
    with threadpool_limits(1, user_api="blas"):  # sums come out the same on any number of cores
        clusters = model.clusters(config.laplacian, config.restarts, seed)
        values = model.values(clusters)
    n_clusters = " and ".join(str(len(np.unique(blocks))) for blocks in clusters.values())
    return Draws(
        kind="point",
        values={name: np.asarray(value)[np.newaxis, np.newaxis] for name, value in values.items()},
        timings={"compile": 0.0, "optimising": time.perf_counter() - began},
        engine={
            "method": config.method,
            "laplacian": config.laplacian,
            "restarts": config.restarts,
            "converged": True,
            "message": f"k-means found {n_clusters} clusters",
        },
    )
