"""Variational autoencoders: rows made from a few codes by a network, with conditions or without; tables and images.

Kingma and Welling (2014), arXiv:1312.6114; with conditions Sohn, Lee and Yan (2015), NeurIPS 28. The parts are in
``bayeskit.models.autoencoders``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.core.priors import Prior
from bayeskit.core.types import AutoencoderCard, Draws, ModelCard, Source
from bayeskit.models.autoencoders.card import autoencoder_card, priors
from bayeskit.models.autoencoders.posterior import autoencoder_coords, autoencoder_dims
from bayeskit.models.autoencoders.spec import Architecture, LatentPrior, Likelihood, autoencoder_spec

if TYPE_CHECKING:
    from bayeskit.datasets.examples import Examples
    from bayeskit.models.autoencoders.program import AutoencoderProgram

Arrays = Mapping[str, NDArray[Any]]

HOLD_OUT = 0.1
_SPLIT_SEED = 20_131_220  # of the split, which is the same whatever the seed of the training


@dataclass(frozen=True, eq=False)
class VAE:
    """An autoencoder with its rows; build it with ``vae`` or ``cvae``.

    Parameters
    ----------
    data
        The rows.
    spec
        All that the networks are built from.
    held_out
        ``n_rows``: which rows only judge.
    options
        What the builder was called with.
    """

    data: Examples
    spec: AutoencoderCard
    held_out: NDArray[np.bool_]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The command's word for this family."""
        return "cvae" if self.spec.conditional else "vae"

    @property
    def source(self) -> Source:
        """The file that the rows came from."""
        return self.data.source

    @property
    def priors(self) -> tuple[Prior, ...]:
        """Priors of the codes."""
        return priors(self.spec)

    @property
    def takes_grey(self) -> bool:
        """Whether values are between 0 and 1, and stay so in training."""
        return self.data.binarise == "none" and not bool(np.isin(self.data.values, (0, 1)).all())

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the model's description for the report."""
        return autoencoder_card(self, draws)

    def training(self, seed: int) -> AutoencoderProgram:
        """Return what an engine trains, at its start; the seed is that of the first weights."""
        from bayeskit.models.autoencoders.program import program_of

        return program_of(self.spec, self.data, self.held_out, seed)

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """Coordinates of the posterior's dimensions."""
        return autoencoder_coords(self.spec)

    @property
    def dims(self) -> dict[str, list[str]]:
        """Dimensions of each variable, but for chain and draw."""
        return autoencoder_dims(self.spec, [given.name for given in self.data.conditions])

    def groups(self, values: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
        """Sort what is known of a trained model into the posterior's groups."""
        return {"posterior": dict(values)}


def vae(
    data: Examples,
    *,
    latent: int | None = None,
    hidden: int | Sequence[int] | None = None,
    architecture: Architecture = "mlp",
    likelihood: Likelihood | None = None,
    latent_prior: LatentPrior = "normal",
    shared_noise: bool | None = None,
    denoise: float = 0.0,
    hold_out: float = HOLD_OUT,
) -> VAE:
    """Build a variational autoencoder.

    Parameters
    ----------
    data
        From ``load_examples`` or ``examples``.
    latent
        Number of codes of a row; unless given 2.
    hidden
        Sizes of the encoder's hidden layers, of which the decoder has the same in reverse: unless given 64, 64 of a
        table and 400 of images; empty for a linear model. Of convolutions the numbers of channels, 32, 64.
    architecture
        ``mlp``, or ``conv``, convolutions, of images.
    likelihood
        ``bernoulli``: of 0 and 1; of grey the cross entropy. ``continuous-bernoulli``: a density of values from 0 to 1.
        ``gaussian``, whose standard deviations are learned. ``categorical``: of an image's grey levels. Unless given
        gaussian of a table and Bernoulli of images.
    latent_prior
        ``normal``; or ``laplace``, for codes most of which are near 0.
    shared_noise
        Of a gaussian likelihood, whether all columns have one standard deviation, in units of their own: what makes a
        linear model probabilistic principal component analysis. Images always do; columns unless given do not.
    denoise
        Standard deviation of noise on what the encoder sees, in standard deviations of a column, or of grey from 0 to
        1; Vincent et al. (2008), doi:10.1145/1390156.1390294.
    hold_out
        Share of the rows that only judge, drawn by a seed of its own; 0 for none. Data with a split of their own keep
        that.

    Raises
    ------
    ConfigError
        For options that make no sense, or do not go together.
    DataError
        For values outside the likelihood's support, constant columns, or fewer than two rows to train on.
    """
    asked = {
        "latent": latent,
        "hidden": hidden,
        "architecture": architecture,
        "likelihood": likelihood,
        "latent_prior": latent_prior,
        "shared_noise": shared_noise,
        "denoise": denoise,
        "hold_out": hold_out,
    }
    return _built(data, asked, conditional=False)


def cvae(
    data: Examples,
    *,
    latent: int | None = None,
    hidden: int | Sequence[int] | None = None,
    architecture: Architecture = "mlp",
    likelihood: Likelihood | None = None,
    latent_prior: LatentPrior = "normal",
    shared_noise: bool | None = None,
    denoise: float = 0.0,
    hold_out: float = HOLD_OUT,
    quadrants: int = 0,
) -> VAE:
    """Build a conditional variational autoencoder: of rows given the data's conditions, or of images given quadrants.

    Parameters
    ----------
    data
        From ``load_examples`` or ``examples``, with conditions unless quadrants are given.
    latent, hidden, architecture, likelihood, latent_prior, shared_noise, denoise, hold_out
        As those of ``vae``.
    quadrants
        How many of an image's four are given to complete the others, as in Sohn, Lee and Yan (2015): 1, the lower left;
        2, the left half; 3, all but the lower right.

    Raises
    ------
    ConfigError
        For options that make no sense, or do not go together.
    DataError
        For values outside the likelihood's support, constant columns or conditions, or fewer than two rows to train on.
    """
    asked = {
        "latent": latent,
        "hidden": hidden,
        "architecture": architecture,
        "likelihood": likelihood,
        "latent_prior": latent_prior,
        "shared_noise": shared_noise,
        "denoise": denoise,
        "hold_out": hold_out,
        "quadrants": quadrants,
    }
    return _built(data, asked, conditional=True)


def _built(data: Examples, asked: dict[str, Any], *, conditional: bool) -> VAE:
    held_out = _split(data, asked["hold_out"])
    spec = autoencoder_spec(data, held_out, asked, conditional=conditional)
    options = asked if asked["hidden"] is None else asked | {"hidden": list(spec.encoder)}
    return VAE(data, spec, held_out, options)


def _split(data: Examples, hold_out: float) -> NDArray[np.bool_]:
    """Return which rows are held out."""
    if not 0 <= hold_out < 1:
        raise ConfigError(f"hold_out {hold_out:g} must be a share of the rows, from 0 to less than 1; give 0.1")
    if data.held_out is not None:
        return data.held_out
    found = np.zeros(data.n_rows, dtype=bool)
    number = max(1, round(hold_out * data.n_rows)) if hold_out else 0
    found[np.random.default_rng(_SPLIT_SEED).permutation(data.n_rows)[:number]] = True
    return found
