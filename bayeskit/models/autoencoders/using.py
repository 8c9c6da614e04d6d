"""Using a trained autoencoder: from what a run keeps back to networks, and what these say of rows, or make."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import AutoencoderCard
from bayeskit.models.autoencoders.conditions import conditions_of, encoded
from bayeskit.models.autoencoders.estimates import Rows, bounds, decode, encode, prior_codes
from bayeskit.models.autoencoders.module import Autoencoder

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BOUND_DRAWS = 10


@dataclass(frozen=True, eq=False)
class Codes:
    """What the encoder says of rows.

    Parameters
    ----------
    mean, sd
        ``n x latent``.
    elbo
        ``n``: evidence lower bound, nats.
    outside
        ``n``: whether a condition lies outside what the networks were trained on.
    """

    mean: Floats
    sd: Floats
    elbo: Floats
    outside: Flags


@dataclass(frozen=True, eq=False)
class Generated:
    """Rows that a model made.

    Parameters
    ----------
    drawn
        ``n x ...``, in the data's units, from the likelihood given codes from the prior.
    mean
        Of the likelihood, given the same codes.
    outside
        ``n``: whether a condition lies outside what the networks were trained on.
    """

    drawn: Floats
    mean: Floats
    outside: Flags


def rebuilt(card: AutoencoderCard, weights: Mapping[str, Any]) -> Autoencoder:
    """Return the networks of a run.

    Parameters
    ----------
    card
        What the run says of its model.
    weights
        Arrays by the names of parameters and buffers.

    Raises
    ------
    DataError
        If an array is missing, of another shape, or holds what is no number.
    """
    with torch.random.fork_rng(devices=[]):
        module = Autoencoder(card)
    state = {}
    for name, held in module.state_dict().items():
        if name not in weights:
            raise DataError(f"the weights lack '{name}'; fit again")
        values = torch.as_tensor(np.array(weights[name]), dtype=held.dtype)
        if values.shape != held.shape:
            raise DataError(
                f"the weights '{name}' have the shape {_size(values.shape)} and not {_size(held.shape)}: they are of "
                "another model; fit again"
            )
        if not bool(torch.isfinite(values).all()):
            raise DataError(f"the weights '{name}' hold what is no number; fit again")
        state[name] = values
    module.load_state_dict(state)
    return module.eval()


def rows_of(
    module: Autoencoder, values: NDArray[Any], conditions: Mapping[str, Any] | None = None
) -> tuple[Rows, Flags]:
    """Return rows as networks take them, and whether their conditions lie outside the training range.

    Parameters
    ----------
    module
        The networks.
    values
        ``n x ...``, in the data's units.
    conditions
        By name numbers, or names of classes: one, or ``n``.

    Raises
    ------
    DataError
        For rows of another shape, or values that the likelihood cannot have made.
    ConfigError
        For a condition that is not known or missing, or a class that the networks were not trained on.
    """
    card = module.card
    values = np.asarray(values)
    if values.shape[1:] != tuple(card.shape):
        raise DataError(
            f"rows have the shape {_size(values.shape[1:])}, and this run's have {_size(card.shape)}; give such rows"
        )
    if not np.isfinite(values).all():
        raise DataError("rows hold what is no number; drop or fill such rows")
    if card.likelihood != "gaussian" and ((values < 0) | (values > 1)).any():
        raise DataError(f"rows hold values that are not from 0 to 1, as a {card.likelihood} likelihood takes them")
    given, outside = _given(card, conditions or {}, len(values))
    return Rows(torch.from_numpy(module.scaled(values)), given), outside


def codes_of(
    module: Autoencoder,
    values: NDArray[Any],
    conditions: Mapping[str, Any] | None = None,
    *,
    rng: np.random.Generator,
) -> Codes:
    """Return the codes of rows, and how well each is described: arguments and errors as those of ``rows_of``."""
    rows, outside = rows_of(module, values, conditions)
    mean, sd = encode(module, rows)
    return Codes(mean, sd, bounds(module, rows, rng, _BOUND_DRAWS).elbo, outside)


def reconstructed(module: Autoencoder, values: NDArray[Any], conditions: Mapping[str, Any] | None = None) -> Floats:
    """Return what the decoder makes of each row's mean codes, ``n x ...``, in the data's units; given pixels stay."""
    rows, _ = rows_of(module, values, conditions)
    return decode(module, encode(module, rows)[0], rows)[0]


def generated(
    card: AutoencoderCard,
    weights: Mapping[str, Any],
    n: int,
    conditions: Mapping[str, Any] | None = None,
    *,
    rng: np.random.Generator,
) -> Generated:
    """Draw rows.

    Parameters
    ----------
    card, weights
        Of a run, as for ``rebuilt``.
    n
        How many.
    conditions
        By name a number or a class, or ``n`` of them.
    rng
        The stream.

    Raises
    ------
    ConfigError
        For a model that completes images, or conditions that it cannot take.
    DataError
        For weights that are damaged.
    """
    if card.quadrants:
        raise ConfigError("this model completes images and makes none of nothing; give it some (bayeskit predict)")
    module = rebuilt(card, weights)
    given, outside = _given(card, conditions or {}, n)
    rows = Rows(torch.zeros(n, math.prod(card.shape)), given)
    mean, drawn = decode(module, prior_codes(module, rows, rng), rows, rng)
    assert drawn is not None
    return Generated(drawn, mean, outside)


def completed(
    module: Autoencoder,
    values: NDArray[Any],
    conditions: Mapping[str, Any] | None = None,
    *,
    n_samples: int = 1,
    rng: np.random.Generator,
) -> Floats:
    """Return images completed by what the given quadrants tell, each several times, ``n x n_samples x ...``.

    Of the images only these quadrants are looked at; other pixels are the likelihood's means.
    """
    rows, _ = rows_of(module, values, conditions)
    repeated = rows.take(np.repeat(np.arange(len(rows)), n_samples))
    means, _ = decode(module, prior_codes(module, repeated, rng), repeated)
    return means.reshape(len(rows), n_samples, *module.card.shape)


def _given(card: AutoencoderCard, conditions: Mapping[str, Any], n: int) -> tuple[torch.Tensor | None, Flags]:
    values, outside = conditions_of(card.conditions, conditions, n)
    return (torch.from_numpy(encoded(card.conditions, values)) if values else None), outside


def _size(shape: Any) -> str:
    return " x ".join(f"{int(length):,}" for length in shape) or "1"
