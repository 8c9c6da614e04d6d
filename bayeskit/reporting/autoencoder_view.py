"""An autoencoder's run as figures and sentences take it: its training, its codes, what the decoder makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import AutoencoderCard
from bayeskit.core.words import listing, with_unit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Given = Mapping[str, NDArray[Any]]

IN_USE = 0.01  # nats of divergence below which a code says nothing of a row


@dataclass(frozen=True, eq=False)
class Bound:
    """What held-out rows say, or training rows where none were held out: means a row, in nats; NaN what is not known.

    Parameters
    ----------
    elbo, reconstruction, kl
        The bound, and its two terms: ``elbo = reconstruction - kl``.
    log_density
        Importance-weighted estimate.
    kl_code
        Divergence by code.
    n_active
        Codes in use.
    noise_sd
        Of a Gaussian likelihood, in the data's units: of each column, or one; else empty.
    """

    elbo: float
    reconstruction: float
    kl: float
    log_density: float
    kl_code: Floats
    n_active: int
    noise_sd: Floats

    @property
    def gap(self) -> float:
        """How far the bound lies below the log density, in nats a row."""
        return self.log_density - self.elbo


@dataclass(frozen=True, eq=False)
class Training:
    """Means a row by epoch, in nats: terms are ``elbo``, ``reconstruction``, ``kl``.

    Parameters
    ----------
    epoch
        Their numbers.
    train, held_out
        Each term; of held-out rows none where there are none.
    weight
        Of the divergence in what was optimised.
    best
        Place of the epoch whose weights were kept.
    converged, message
        What the engine says.
    """

    epoch: Integers
    train: Mapping[str, Floats]
    held_out: Mapping[str, Floats]
    weight: Floats | None
    best: int
    converged: bool | None
    message: str


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of rows, ``n_rows x n_codes``, with what is known of the rows.

    Parameters
    ----------
    mean, sd
        Of the encoder's distribution.
    elbo
        Bounds, in nats.
    held_out
        Which rows training had not seen.
    labels
        Known groups, or None.
    given
        Conditions by name.
    names
        What each row is called.
    n_rows
        Of the whole data.
    """

    mean: Floats
    sd: Floats
    elbo: Floats
    held_out: NDArray[np.bool_]
    labels: NDArray[np.str_] | None
    given: Given
    names: NDArray[np.str_]
    n_rows: int

    @property
    def spread(self) -> Floats:
        """Standard deviation of each code over all rows, their own uncertainty included."""
        found: Floats = np.sqrt(self.mean.var(0) + (self.sd**2).mean(0))
        return found

    @property
    def overfitting(self) -> float:
        """How much higher the bound of training rows is than that of held-out ones, in nats a row; NaN without."""
        if self.held_out.all() or not self.held_out.any():
            return float("nan")
        return float(self.elbo[~self.held_out].mean() - self.elbo[self.held_out].mean())


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """Rows beside what became of them; images ``n x height x width (x channels)``, tables ``n x n_columns``.

    ``given`` is what the encoder saw where noise was added, ``names`` what a reader knows each by.
    """

    original: Floats
    made: Floats
    given: Floats | None
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Manifold:
    """Decoded quantiles of two codes, ``n_classes x n_down x n_across x ...``.

    ``at`` are the values, ascending across and up; ``codes`` count from 0, the one across and the one up; ``classes``
    are those of the condition, or an empty name.
    """

    decoded: Floats
    at: Floats
    codes: tuple[int, int]
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Traversals:
    """Decoded values of one code after the other, ``n_codes x n_steps x ...``; ``codes`` count from 0."""

    decoded: Floats
    at: Floats
    codes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Interpolation:
    """Decoded ways from one row's code to another's, ``n_pairs x n_steps x ...``."""

    linear: Floats
    spherical: Floats


@dataclass(frozen=True, eq=False)
class Generated:
    """Images, ``n x height x width (x channels)``: decoder's means, and pixels drawn."""

    mean: Floats
    drawn: Floats | None


@dataclass(frozen=True, eq=False)
class Compared:
    """Rows of a table that were generated, and rows of the data, ``n x n_columns`` each, with their conditions."""

    drawn: Floats
    value: Floats
    given_drawn: Given
    given_value: Given


@dataclass(frozen=True, eq=False)
class ByNumber:
    """What is generated at values of a number that is given: ``n_values x n_columns`` each."""

    name: str
    at: Floats
    mean: Floats
    low95: Floats
    low68: Floats
    high68: Floats
    high95: Floats


@dataclass(frozen=True, eq=False)
class ByClass:
    """Images by class: decoder's means, ``n_classes x n x ...``."""

    classes: tuple[str, ...]
    mean: Floats


@dataclass(frozen=True, eq=False)
class Completion:
    """Images completed from quadrants: ``n x ...`` given (NaN elsewhere) and original, ``n x n_samples x ...`` made."""

    given: Floats
    made: Floats
    original: Floats


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A fitted autoencoder; None what was not kept."""

    card: AutoencoderCard
    bound: Bound
    training: Training | None
    codes: Codes | None
    rebuilt: Rebuilt | None
    manifold: Manifold | None
    traversals: Traversals | None
    interpolation: Interpolation | None
    generated: Generated | None
    compared: Compared | None
    by_number: ByNumber | None
    by_class: ByClass | None
    completion: Completion | None
    units: Mapping[str, str]

    @property
    def is_images(self) -> bool:
        """Whether rows are images."""
        return len(self.card.shape) > 1

    @property
    def n_codes(self) -> int:
        """Number of codes of a row."""
        return self.card.latent

    @cached_property
    def by_use(self) -> list[int]:
        """Codes from 0, the one that says the most of a row first."""
        order: list[int] = np.argsort(-self.bound.kl_code, kind="stable").tolist()
        return order or list(range(self.n_codes))

    @property
    def used(self) -> list[int]:
        """Codes in use, from 0, the one that says the most first; the first one where none is."""
        return self.by_use[: max(1, self.bound.n_active)]

    @property
    def told(self) -> str:
        """What rows are rebuilt from: codes, and what is given besides."""
        codes = say("one code") if self.n_codes == 1 else say("{n} codes", n=f"{self.n_codes:,}")
        given = [condition.name for condition in self.card.conditions]
        given += [say("the part that is given")] if self.card.quadrants else []
        return listing([*given, codes])

    @property
    def held_out(self) -> bool:
        """Whether rows were held out."""
        return self.card.n_held_out > 0

    def column(self, place: int) -> str:
        """Return a column's name with its unit, where one is known."""
        name = self.card.columns[place]
        unit = self.units.get(name, "")
        return f"{name} ({unit})" if unit else name

    def in_units(self, text: str, place: int) -> str:
        """Return a value of a column with its unit."""
        return with_unit(text, self.units.get(self.card.columns[place], ""))
