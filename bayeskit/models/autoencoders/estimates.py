"""What trained networks say of rows, a few rows at a time: codes, bounds, densities, and rows from codes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import kl_divergence

from bayeskit.models.autoencoders.module import Autoencoder

Floats = NDArray[np.float64]

IMPORTANCE_DRAWS = 100
_AT_ONCE = 1 << 22  # numbers that a likelihood has at once


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as networks take them.

    Parameters
    ----------
    values
        ``n x D``.
    given
        ``n x n_inputs``, or None.
    """

    values: Tensor
    given: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: NDArray[Any] | slice) -> Rows:
        """Return some of them."""
        chosen: Any = places if isinstance(places, slice) else torch.from_numpy(np.asarray(places, dtype=np.int64))
        return Rows(self.values[chosen], None if self.given is None else self.given[chosen])


@dataclass(frozen=True, eq=False)
class Bounds:
    """The evidence lower bound of rows, in nats.

    Parameters
    ----------
    reconstruction
        ``n``: expected log density given the codes.
    kl
        ``n x latent``: divergence of each code from its prior.
    """

    reconstruction: Floats
    kl: Floats

    @property
    def elbo(self) -> Floats:
        """``n`` bounds."""
        found: Floats = self.reconstruction - self.kl.sum(axis=1)
        return found


@contextmanager
def drawing(rng: np.random.Generator) -> Iterator[None]:
    """Have torch draw from a stream of ours within the block, without gradients."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(int(rng.integers(2**62)))
        yield


def encode(module: Autoencoder, rows: Rows) -> tuple[Floats, Floats]:
    """Return means and standard deviations of codes given rows, ``n x latent`` each."""
    parts = []
    with torch.no_grad():
        for part in _parts(module, rows):
            law: Any = module.posterior(part.values, part.given)
            parts.append(torch.stack([law.mean, law.stddev]).double().numpy())
    mean, sd = np.concatenate(parts, axis=1)
    return mean, sd


def bounds(module: Autoencoder, rows: Rows, rng: np.random.Generator, draws: int = 1) -> Bounds:
    """Return the bound of each row, its first term averaged over so many draws of its codes."""
    reconstructions, divergences = [], []
    with drawing(rng):
        for part in _parts(module, rows, draws):
            context = module.context(part.values, part.given)
            law: Any = module.posterior(part.values, part.given)
            prior: Any = module.prior(part.values, context)
            found = _log_likelihood(module, law.rsample((draws,)), part, context)
            reconstructions.append(found.double().mean(dim=0).numpy())
            divergences.append(kl_divergence(law.base_dist, prior.base_dist).double().numpy())
    return Bounds(np.concatenate(reconstructions), np.concatenate(divergences))


def log_density(module: Autoencoder, rows: Rows, rng: np.random.Generator, draws: int = IMPORTANCE_DRAWS) -> Floats:
    """Return estimates of the log density of rows, ``n``: of the mean of so many importance weights.

    On average they lie between the bound and the log density: Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519.
    """
    return _log_mean(_log_weights(module, rows, rng, draws))


def gap(module: Autoencoder, rows: Rows, rng: np.random.Generator, draws: int = IMPORTANCE_DRAWS) -> Floats:
    """Return by how much these estimates lie above the bound as the same draws tell it, ``n``, never below 0."""
    weights = _log_weights(module, rows, rng, draws)
    found: Floats = _log_mean(weights) - weights.mean(axis=1)
    return found


def _log_weights(module: Autoencoder, rows: Rows, rng: np.random.Generator, draws: int) -> Floats:
    """Return log importance weights of draws of each row's codes, ``n x draws``."""
    found = []
    with drawing(rng):
        for part in _parts(module, rows, draws):
            context = module.context(part.values, part.given)
            law: Any = module.posterior(part.values, part.given)
            codes = law.rsample((draws,))
            log_weights = _log_likelihood(module, codes, part, context).double()
            log_weights = log_weights + module.prior(part.values, context).log_prob(codes) - law.log_prob(codes)
            found.append(log_weights.T.numpy())
    return np.concatenate(found)


def _log_mean(log_weights: Floats) -> Floats:
    found: Floats = np.logaddexp.reduce(log_weights, axis=1) - math.log(log_weights.shape[1])
    return found


def decode(
    module: Autoencoder, codes: NDArray[Any], rows: Rows, rng: np.random.Generator | None = None
) -> tuple[Floats, Floats | None]:
    """Return what the likelihood says given codes: its means, and rows drawn from it where a stream is given.

    Parameters
    ----------
    module
        The networks.
    codes
        ``n x latent``.
    rows
        ``n``: of their values only given quadrants are looked at, and these stay in what is returned.
    rng
        For rows that are drawn.

    Returns
    -------
    array, array
        In the data's units and shape, ``n x ...``.
    """
    means, drawn = [], []
    with drawing(rng or np.random.default_rng(0)):
        for place, part in zip(_slices(module, len(rows)), _parts(module, rows), strict=True):
            context = module.context(part.values, part.given)
            law: Any = module.likelihood(torch.as_tensor(codes[place], dtype=part.values.dtype), context)
            means.append(_completed(module, part, law.mean))
            if rng is not None:
                drawn.append(_completed(module, part, law.sample()))
    return np.concatenate(means), np.concatenate(drawn) if rng is not None else None


def prior_codes(module: Autoencoder, rows: Rows, rng: np.random.Generator) -> Floats:
    """Draw codes from the prior, ``n x latent``; where quadrants are given, given these."""
    found = []
    with drawing(rng):
        for part in _parts(module, rows):
            law = module.prior(part.values, module.context(part.values, part.given))
            found.append(law.sample().double().numpy())
    return np.concatenate(found)


def _log_likelihood(module: Autoencoder, codes: Tensor, part: Rows, context: Tensor | None) -> Tensor:
    """Return log densities of rows given draws of their codes, ``draws x n``."""
    draws, n = codes.shape[:2]
    repeated = None if context is None else context.expand(draws, *context.shape).reshape(draws * n, -1)
    law = module.likelihood(codes.reshape(draws * n, -1), repeated)
    return law.log_prob(module.target(part.values).repeat(draws, 1)).reshape(draws, n)


def _completed(module: Autoencoder, part: Rows, made: Tensor) -> Floats:
    if module.card.quadrants:
        whole = part.values.clone()
        whole[:, module.hidden_places] = made
        made = whole
    return module.unscaled(made.double().numpy())


def _parts(module: Autoencoder, rows: Rows, draws: int = 1) -> Iterator[Rows]:
    for place in _slices(module, len(rows), draws):
        yield rows.take(place)


def _slices(module: Autoencoder, n_rows: int, draws: int = 1) -> Iterator[slice]:
    card = module.card
    width = math.prod(card.shape) * max(card.levels, 1)
    if card.architecture == "conv":  # half as high and wide, with more channels
        width = max(width, width * max(card.encoder) // 4)
    size = max(1, _AT_ONCE // (width * draws))
    for first in range(0, n_rows, size):
        yield slice(first, first + size)
