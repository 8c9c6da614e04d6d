"""The state of one Gibbs chain of a matrix factorisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bayeskit.models.factors._hyper import Population
from bayeskit.models.factors.testing import Tested

Floats = NDArray[np.float64]


@dataclass(eq=False)
class Chain:
    """Where one chain is; parameters on the model's scale.

    Parameters
    ----------
    rng, stream
        Its random numbers: for few, and on the device for many.
    rows
        By side, ``n x d``.
    populations
        By side.
    level, tau, cutpoints
        Those that the likelihood has; 0, 1 and nothing otherwise.
    alpha
        K, of automatic relevance.
    ratings
        ``n_ratings``: the data, or hidden ones between cutpoints.
    log_likelihood
        Of the training ratings.
    train_rmse
        By sweep, from the start; of ordinal ratings not known.
    tested
        What was made of the test ratings so far.
    kept
        Draws of the rows and what they are drawn from, every so many.
    """

    rng: np.random.Generator
    stream: torch.Generator
    rows: dict[str, Tensor]
    populations: dict[str, Population]
    level: float
    tau: float
    cutpoints: Floats
    alpha: Floats
    ratings: Tensor
    log_likelihood: float = np.nan
    train_rmse: list[float] = field(default_factory=list)
    tested: Tested | None = None
    n_recorded: int = 0
    kept: list[dict[str, NDArray[Any]]] = field(default_factory=list)
