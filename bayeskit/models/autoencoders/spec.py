"""What a variational autoencoder is: all that its networks are built from, chosen and checked against the data.

With a row x of D values, codes z of a number of dimensions, and conditions c where there are any:

    z ~ p(z)                standard normal, or Laplace of scale 1, whose codes are sparse
    x ~ p(x | z, c)         the likelihood, whose parameters the decoder gives
    q(z | x, c)             the guide, of the prior's family, whose parameters the encoder gives

To complete images, as in Sohn, Lee and Yan (2015), NeurIPS 28, the quadrants x of an image are given and the others, y,
are not: z ~ p(z | x, c), y ~ p(y | x, z, c), and the guide is q(z | x, y, c).

Kingma and Welling (2014), arXiv:1312.6114.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import AutoencoderCard
from bayeskit.models.autoencoders.conditions import condition_cards
from bayeskit.models.autoencoders.support import check_support

if TYPE_CHECKING:
    from bayeskit.datasets.examples import Examples

Architecture = Literal["mlp", "conv"]
Likelihood = Literal["bernoulli", "continuous-bernoulli", "gaussian", "categorical"]
LatentPrior = Literal["normal", "laplace"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
LIKELIHOODS: tuple[Likelihood, ...] = get_args(Likelihood)
LATENT_PRIORS: tuple[LatentPrior, ...] = get_args(LatentPrior)

LATENT = 2
HIDDEN_OF_TABLES = (64, 64)
HIDDEN_OF_IMAGES = (400,)
CHANNELS = (32, 64)
MOST_LATENT = 1024
MOST_LEVELS = 256
_MOST_HALVINGS = 8


def autoencoder_spec(
    data: Examples, held_out: NDArray[np.bool_], asked: dict[str, Any], *, conditional: bool
) -> AutoencoderCard:
    """Return all that the networks are built from.

    Parameters
    ----------
    data
        The rows.
    held_out
        ``n_rows``: which are not trained on.
    asked
        What ``vae`` or ``cvae`` was called with, by name; None where it is to be chosen.
    conditional
        Whether conditions, or quadrants, are given.

    Raises
    ------
    ConfigError
        For options that make no sense, or do not go together.
    DataError
        For values outside the likelihood's support, or that do not vary.
    """
    quadrants = int(asked.get("quadrants", 0))
    train = ~held_out
    if train.sum() < 2:
        raise DataError(f"{place_of(data)}: too few rows to train on, {int(train.sum())}; give at least 2")
    likelihood = asked["likelihood"] or ("bernoulli" if data.is_images else "gaussian")
    hidden = _hidden(data, asked["architecture"], asked["hidden"])
    _check_options(data, asked, likelihood, quadrants, conditional=conditional)
    check_support(data, likelihood, train)
    return AutoencoderCard(
        conditional=conditional,
        shape=tuple(int(size) for size in data.shape),
        columns=tuple(data.columns),
        latent=LATENT if asked["latent"] is None else int(asked["latent"]),
        architecture=asked["architecture"],
        encoder=hidden,
        decoder=hidden[::-1],
        likelihood=likelihood,
        shared_noise=_shared(data, likelihood, asked["shared_noise"]),
        levels=data.levels if likelihood == "categorical" else 0,
        latent_prior=asked["latent_prior"],
        conditions=condition_cards(data, train) if conditional else (),
        quadrants=quadrants,
        noise=float(asked["denoise"]),
        n_rows=int(train.sum()),
        n_held_out=int(held_out.sum()),
        labels=() if data.labels is None else tuple(str(label) for label in np.unique(data.labels)),
        binarise=data.binarise,
    )


def place_of(data: Examples) -> str:
    """Return where the data are from, as messages name it."""
    return data.source.path or "examples"


def _hidden(data: Examples, architecture: str, asked: int | Sequence[int] | None) -> tuple[int, ...]:
    if asked is None:
        plain = HIDDEN_OF_IMAGES if data.is_images else HIDDEN_OF_TABLES
        return CHANNELS if architecture == "conv" else plain
    sizes = (asked,) if isinstance(asked, int | np.integer) else tuple(asked)
    if any(int(size) != size or size < 1 for size in sizes):
        raise ConfigError(
            f"hidden sizes {', '.join(map(str, sizes))} must be whole numbers from 1; give --hidden 64,64"
        )
    return tuple(int(size) for size in sizes)


def _check_options(
    data: Examples, asked: dict[str, Any], likelihood: str, quadrants: int, *, conditional: bool
) -> None:
    for option, known in (
        ("architecture", ARCHITECTURES),
        ("latent_prior", LATENT_PRIORS),
        ("likelihood", LIKELIHOODS),
    ):
        value = likelihood if option == "likelihood" else asked[option]
        if value not in known:
            raise ConfigError(f"{option} '{value}' is unknown; choose from {', '.join(known)}")
    latent = LATENT if asked["latent"] is None else asked["latent"]
    if int(latent) != latent or not 1 <= latent <= MOST_LATENT:
        raise ConfigError(f"latent {latent} must be a whole number from 1 to {MOST_LATENT:,}; give --latent 2")
    if not 0 <= asked["denoise"] < np.inf:
        raise ConfigError(f"denoise {asked['denoise']:g} must be a standard deviation, 0 or more")
    _check_architecture(data, asked)
    if conditional and not data.conditions and not quadrants:
        raise ConfigError("cvae needs what is given; name it (--condition), or give --quadrants 1, 2 or 3 of images")
    if quadrants not in (0, 1, 2, 3):
        raise ConfigError(f"quadrants {quadrants} must be 1, 2 or 3, how many of an image's four are given; 0 for none")
    if quadrants and (not data.is_images or min(data.shape[:2]) < 2):
        raise ConfigError("quadrants are of images of at least 2 by 2 pixels; leave --quadrants out")
    if likelihood == "categorical" and (not data.is_images or data.binarise != "none"):
        raise ConfigError("a categorical likelihood is of grey levels of images; take another (--likelihood)")
    if likelihood == "categorical" and not 2 <= data.levels <= MOST_LEVELS:
        raise ConfigError(
            f"a categorical likelihood needs 2 to {MOST_LEVELS} grey levels, and the images have "
            f"{data.levels or 'any grey'}; give --likelihood bernoulli"
        )


def _check_architecture(data: Examples, asked: dict[str, Any]) -> None:
    if asked["architecture"] != "conv":
        return
    if not data.is_images:
        raise ConfigError("convolutions are of images, and these rows are a table's; give --architecture mlp")
    channels = _hidden(data, "conv", asked["hidden"])
    if not 1 <= len(channels) <= _MOST_HALVINGS:
        raise ConfigError(f"{len(channels)} convolutions are not from 1 to {_MOST_HALVINGS}; give --hidden 32,64")


def _shared(data: Examples, likelihood: str, asked: bool | None) -> bool:
    if likelihood != "gaussian":
        if asked is not None:
            raise ConfigError(f"noise is of a gaussian likelihood, not of a {likelihood} one; leave shared_noise out")
        return False
    if asked is None:
        return bool(data.is_images)
    if not asked and data.is_images:
        raise ConfigError("all pixels of an image share one standard deviation; leave shared_noise out")
    return asked
