"""The networks of an autoencoder as one module, which gives the distributions that its program is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyro import distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.nn import functional

from bayeskit.core.types import AutoencoderCard
from bayeskit.models.autoencoders.conditions import n_inputs
from bayeskit.models.autoencoders.likelihoods import row_law
from bayeskit.models.autoencoders.networks import ConvDecoder, ConvTrunk, MlpDecoder, MlpTrunk

LEAST_NOISE = 1e-3  # in standard deviations of a column: a likelihood must not run off where a column is fitted exactly
LEAST_SCALE = 1e-5  # of a code given its row
_PACE = 10.0  # noise falls from 1 to a few hundredths: its logarithm takes larger steps than a weight does


class Head(nn.Module):
    """Law of codes from features: normal or Laplace, with a mean and a scale of each code.

    Scales are softplus of what the layer says, and not its exponential: a row far outside gives a large one, no
    overflow.
    """

    def __init__(self, n_features: int, latent: int, family: str) -> None:
        super().__init__()
        self.layer = nn.Linear(n_features, 2 * latent)
        self.family = dist.Normal if family == "normal" else dist.Laplace

    def forward(self, features: Tensor, dtype: torch.dtype) -> TorchDistribution:
        """Return the law of ``n x latent`` codes."""
        location, raw = self.layer(features).to(dtype).chunk(2, dim=-1)
        law: Any = self.family(location, functional.softplus(raw) + LEAST_SCALE, validate_args=False)
        found: TorchDistribution = law.to_event(1)
        return found


class Autoencoder(nn.Module):
    """Encoder, decoder and, to complete images, the prior's network.

    Rows are ``n x D``: images are flattened; of a gaussian likelihood in standard deviations from the mean, of each
    column or of all pixels. What is given is ``n x n_inputs``, or None.

    Parameters
    ----------
    card
        What to build.
    """

    centre: Tensor
    scale: Tensor
    hidden_places: Tensor
    given_pixels: Tensor

    def __init__(self, card: AutoencoderCard) -> None:
        super().__init__()
        self.card = card
        size, n_given = math.prod(card.shape), n_inputs(card.conditions)
        activation: type[nn.Module] = nn.SiLU if card.columns else nn.ReLU
        whole, given = self._quadrants(size)
        self.register_buffer("hidden_places", whole, persistent=False)
        self.register_buffer("given_pixels", given, persistent=False)
        n_context = n_given
        if card.quadrants:
            self.prior_trunk = self._trunk(n_given, activation)
            self.prior_head = Head(self.prior_trunk.n_features, card.latent, card.latent_prior)
            n_context = self.prior_trunk.n_features
        self.trunk = self._trunk(n_given, activation)
        self.head = Head(self.trunk.n_features, card.latent, card.latent_prior)
        self.decoder = self._decoder(card.latent + n_context, size, activation)
        if card.likelihood == "gaussian":
            columns = (size,) if card.columns else (1,)
            self.register_buffer("centre", torch.zeros(columns))
            self.register_buffer("scale", torch.ones(columns))
            self.raw_noise = nn.Parameter(torch.zeros(1 if card.shared_noise else size))

    def context(self, row: Tensor, given: Tensor | None) -> Tensor | None:
        """Return what the prior and the decoder are given: conditions; or features of these and the given quadrants."""
        if not self.card.quadrants:
            return given
        context: Tensor = self.prior_trunk(row * self.given_pixels, given)
        return context

    def prior(self, row: Tensor, context: Tensor | None) -> TorchDistribution:
        """Return p(z | context)."""
        if self.card.quadrants:
            law: TorchDistribution = self.prior_head(context, row.dtype)
            return law
        zeros = row.new_zeros(len(row), self.card.latent)
        family: Any = dist.Normal if self.card.latent_prior == "normal" else dist.Laplace
        standard: TorchDistribution = family(zeros, torch.ones_like(zeros), validate_args=False).to_event(1)
        return standard

    def posterior(self, seen: Tensor, given: Tensor | None) -> TorchDistribution:
        """Return q(z | row, given)."""
        law: TorchDistribution = self.head(self.trunk(seen, given), seen.dtype)
        return law

    def likelihood(self, codes: Tensor, context: Tensor | None) -> TorchDistribution:
        """Return p(row | z, context); to complete images, of the hidden pixels."""
        inputs = codes if context is None else torch.cat([codes, context], dim=-1)
        return row_law(self.card.likelihood, self.decoder(inputs).to(codes.dtype), self.noise_sd())

    def target(self, row: Tensor) -> Tensor:
        """Return what the likelihood is of: the row; to complete images, its hidden pixels."""
        return row.index_select(-1, self.hidden_places) if self.card.quadrants else row

    def noise_sd(self) -> Tensor | None:
        """Return the standard deviations of a gaussian likelihood, as rows are scaled; None of others."""
        if self.card.likelihood != "gaussian":
            return None
        return LEAST_NOISE + torch.exp(_PACE * self.raw_noise)

    def scaled(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return rows, ``n x ...``, as networks take them, ``n x D``."""
        flat: NDArray[Any] = np.asarray(values).reshape(len(values), -1)
        if self.card.likelihood != "gaussian":
            return flat.astype(np.float32)
        centre, scale = (leaf.double().cpu().numpy() for leaf in (self.centre, self.scale))
        scaled: NDArray[np.float32] = ((flat.astype(np.float64) - centre) / scale).astype(np.float32)
        return scaled

    def unscaled(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return rows in the data's units and shape, ``n x ...``."""
        flat = np.asarray(rows, dtype=np.float64)
        if self.card.likelihood == "gaussian":
            flat = flat * self.scale.double().cpu().numpy() + self.centre.double().cpu().numpy()
        return flat.reshape(len(flat), *self.card.shape)

    def _trunk(self, n_given: int, activation: type[nn.Module]) -> MlpTrunk | ConvTrunk:
        if self.card.architecture == "conv":
            return ConvTrunk(self.card.shape, n_given, self.card.encoder, activation)
        return MlpTrunk(math.prod(self.card.shape), n_given, self.card.encoder, activation)

    def _decoder(self, n_inputs: int, size: int, activation: type[nn.Module]) -> nn.Module:
        card = self.card
        n_outputs = max(card.levels, 1)
        if card.architecture == "conv":
            return _Chosen(ConvDecoder(n_inputs, card.decoder, card.shape, n_outputs, activation), self.hidden_places)
        n_values = len(self.hidden_places) if card.quadrants else size
        return MlpDecoder(n_inputs, card.decoder, n_values, n_outputs, activation)

    def _quadrants(self, size: int) -> tuple[Tensor, Tensor]:
        """Return the places of hidden pixels, and 1 where a pixel is given."""
        given = given_quadrants(self.card.shape, self.card.quadrants)
        return torch.as_tensor(np.flatnonzero(~given)), torch.as_tensor(given.astype(np.float32)).reshape(size)


class _Chosen(nn.Module):
    """Those outputs of a decoder of whole images that are of hidden pixels."""

    places: Tensor

    def __init__(self, decoder: nn.Module, places: Tensor) -> None:
        super().__init__()
        self.whole = decoder
        self.register_buffer("places", places, persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        parameters: Tensor = self.whole(codes)
        return parameters.index_select(1, self.places)


def given_quadrants(shape: tuple[int, ...], quadrants: int) -> NDArray[np.bool_]:
    """Return which values of a row are given, ``D``, as in Pyro's tutorial of conditional autoencoders.

    One quadrant: the lower left; two: the left half; three: all but the lower right. None: no values.
    """
    given = np.zeros(shape, dtype=bool)
    if quadrants:
        middle = shape[0] // 2, shape[1] // 2
        given[middle[0] :, : middle[1]] = True
        if quadrants >= 2:
            given[:, : middle[1]] = True
        if quadrants == 3:
            given[: middle[0]] = True
    return given.reshape(-1)
