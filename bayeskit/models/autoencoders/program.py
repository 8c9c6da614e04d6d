"""A variational autoencoder as a Pyro program: a model, a guide, and what both are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from pyro import plate, sample
from torch import Tensor

from bayeskit.core.types import AutoencoderCard
from bayeskit.models.autoencoders.conditions import encoded
from bayeskit.models.autoencoders.module import Autoencoder

if TYPE_CHECKING:
    from bayeskit.datasets.examples import Examples


class AutoencoderProgram:
    """What an engine trains.

    Parameters
    ----------
    module
        The networks, and the distributions that they are parameters of.
    train, held_out
        Rows as networks take them, ``n x D``; with conditions, where there are any, ``n x n_inputs``.
    dynamic
        Whether each step draws 0 or 1 anew, with the chance that a value is.
    """

    def __init__(
        self, module: Autoencoder, train: tuple[Tensor, ...], held_out: tuple[Tensor, ...], *, dynamic: bool = False
    ) -> None:
        self.module = module
        self.train = train
        self.held_out = held_out
        self._dynamic = dynamic
        card = module.card
        self._noise = card.noise
        if card.noise and card.likelihood == "gaussian" and not card.columns:
            self._noise = card.noise / float(module.scale)

    def prepare(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the row, what the encoder sees of it, and the conditions: with what is drawn anew each step."""
        row, *given = batch
        row = torch.bernoulli(row) if self._dynamic else row
        seen = row + self._noise * torch.randn_like(row) if self._noise else row
        return row, seen, *given

    def model(self, row: Tensor, seen: Tensor, given: Tensor | None = None) -> None:
        """Draw codes, and rows given them."""
        networks = self.module
        context = networks.context(row, given)
        with plate("rows", len(row)):
            codes = sample("codes", networks.prior(row, context))
            sample("row", networks.likelihood(codes, context), obs=networks.target(row))

    def guide(self, row: Tensor, seen: Tensor, given: Tensor | None = None) -> None:
        """Draw codes given rows."""
        with plate("rows", len(row)):
            sample("codes", self.module.posterior(seen, given))


def program_of(card: AutoencoderCard, data: Examples, held_out: np.ndarray, seed: int) -> AutoencoderProgram:
    """Return the program at its start.

    Parameters
    ----------
    card
        What the networks are built from.
    data, held_out
        The rows, and which of them only judge.
    seed
        Of the weights' first values.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = Autoencoder(card)
    if card.likelihood == "gaussian":
        values = data.values[~held_out].astype(np.float64)
        axis = 0 if card.columns else None
        module.centre.copy_(torch.as_tensor(np.atleast_1d(values.mean(axis=axis))))
        module.scale.copy_(torch.as_tensor(np.atleast_1d(values.std(axis=axis))))
    tensors = [torch.from_numpy(module.scaled(data.values))]
    if card.conditions:
        given = {condition.name: condition.values for condition in data.conditions}
        tensors.append(torch.from_numpy(encoded(card.conditions, [given[found.name] for found in card.conditions])))
    train, judged = (
        tuple(tensor[torch.from_numpy(np.flatnonzero(places))] for tensor in tensors)
        for places in (~held_out, held_out)
    )
    return AutoencoderProgram(module, train, judged, dynamic=data.binarise == "dynamic")
