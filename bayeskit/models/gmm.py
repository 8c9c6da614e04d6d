"""Mixtures of normal distributions of points, with their assignments summed out.

McLachlan and Peel (2000), Finite Mixture Models, doi:10.1002/0471721182. The parts are in ``bayeskit.models.mixtures``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.priors import Prior
from bayeskit.core.types import Draws, ModelCard, Source
from bayeskit.datasets.points import Points
from bayeskit.models._gmm_data import number_of_components, three_groups_of_points
from bayeskit.models.mixtures.card import mixture_card
from bayeskit.models.mixtures.posterior import mixture_coords, mixture_dims, mixture_groups
from bayeskit.models.mixtures.quantities import label_free_quantities
from bayeskit.models.mixtures.simulation import draw_prior_values, simulate_points
from bayeskit.models.mixtures.spec import Covariance, MixtureSpec, priors_of
from bayeskit.models.mixtures.stan import PROGRAM, site_values, stan_data, stan_outputs, stan_start
from bayeskit.models.mixtures.starts import start_values

if TYPE_CHECKING:
    from bayeskit.models.mixtures.em import MixtureEM
    from bayeskit.models.mixtures.gibbs import MixtureGibbs

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_MOST_FOR_DENSE = 60  # parameters
_MOST_CELLS = 2_000_000  # of all points simulated from the prior together


@dataclass(frozen=True)
class GMM:
    """A Gaussian mixture with its data and its priors; build it with ``gmm``.

    Parameters
    ----------
    data
        The points as they were read.
    spec
        Sizes, form and priors.
    y
        ``n_points x n_columns``, on the model's scale, NaN where missing: the data's own, or simulated ones.
    centre, spread
        ``n_columns`` each: a column's value is ``centre + spread * y``.
    options
        What ``gmm`` was called with.
    selection
        How the number of components was chosen, by column of a table; empty where it was given.
    reference, sha256
        ``FILE.py:NAME`` and that file's hash, where it was made there; empty otherwise.
    """

    data: Points
    spec: MixtureSpec
    y: Floats
    centre: Floats
    spread: Floats
    options: Mapping[str, Any]
    selection: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    reference: str = ""
    sha256: str = ""

    @property
    def name(self) -> str:
        """The command's word for this family."""
        return "gmm"

    @property
    def standardised(self) -> bool:
        """Whether the model sees each column with mean 0 and standard deviation 1."""
        return bool(self.options["standardise"])

    @property
    def source(self) -> Source:
        """The file that the points came from."""
        return self.data.source

    @property
    def priors(self) -> tuple[Prior, ...]:
        """Priors of the parameters, with the scales that the data gave them."""
        return self.spec.priors

    @property
    def points(self) -> Floats:
        """``n_points x n_columns``, in the data's units: what ``y`` stands for."""
        found: Floats = self.centre + self.spread * self.y
        return found

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the model's description for the report."""
        return mixture_card(self, draws)

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """Coordinates of the posterior's dimensions."""
        return mixture_coords(self)

    @property
    def dims(self) -> dict[str, list[str]]:
        """Dimensions of each variable, but for chain and draw."""
        return mixture_dims(self)

    def groups(self, values: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
        """Sort an engine's draws (``n_chains x n_draws x ...`` by site) into the posterior's groups."""
        return mixture_groups(self, site_values(self.spec, values))

    @property
    def states(self) -> tuple[str, ...]:
        """No hidden states: assignments are summed out."""
        return ()

    def observations(self) -> dict[str, NDArray[Any]]:
        """Return the points, in the data's units."""
        return {"points": self.points}

    def constants(self) -> dict[str, NDArray[Any]]:
        """Nothing is known besides the points."""
        return {}

    def in_units(self, values: Arrays) -> dict[str, NDArray[Any]]:
        """Return parameters by the posterior's names, in the data's units.

        Parameters
        ----------
        values
            By site, ``... x`` the site's shape, on the model's scale.

        Returns
        -------
        dict
            ``weight``, ``mean``, ``sd`` (of each component and column; tied, of each column), ``correlation`` of each
            pair of columns, and ``concentration``, those that there are.
        """
        scales = values["scales"]
        if self.spec.covariance == "spherical":
            scales = scales[..., np.newaxis]
        found = {
            "weight": values["weights"],
            "mean": self.centre + self.spread * values["means"],
            "sd": self.spread * scales,
        }
        if self.spec.correlated:
            factors = values["corr_cholesky"]
            first, second = np.triu_indices(self.spec.n_columns, 1)
            found["correlation"] = np.sum(factors[..., first, :] * factors[..., second, :], axis=-1)
        if self.spec.dp:
            found["concentration"] = values["concentration"]
        return found

    def draw_prior(self, n_draws: int, rng: np.random.Generator) -> tuple[dict[str, Floats], Floats]:
        """Simulate from the prior.

        Returns
        -------
        dict, array
            Parameters by the posterior's names, each ``n_draws x ...``, labels as they come; and points in the data's
            units, missing where the data's are, ``n x n_points x n_columns``, with ``n`` less than ``n_draws`` where
            they would take too much memory.
        """
        values = draw_prior_values(self.spec, rng, n_draws)
        n_kept = max(1, min(n_draws, _MOST_CELLS // self.y.size))
        simulated = simulate_points(self.spec, {name: v[:n_kept] for name, v in values.items()}, len(self.y), rng)
        simulated *= self.spread
        simulated += self.centre
        simulated[:, np.isnan(self.y)] = np.nan
        return self.in_units(values), simulated

    def simulate(self, rng: np.random.Generator) -> tuple[dict[str, Floats], GMM]:
        """Draw true parameters, by site, and data: what recovery tests and simulation-based calibration start from.

        Priors stay as they are, however the simulated data look, and so do the cells that are missing.
        """
        truth = {name: value[0] for name, value in draw_prior_values(self.spec, rng, 1).items()}
        simulated = simulate_points(self.spec, truth, len(self.y), rng)
        return truth, replace(self, y=np.where(np.isnan(self.y), np.nan, simulated))

    def test_quantities(self, values: Arrays) -> dict[str, Floats]:
        """Return what calibration ranks, ``n_draws`` values by label, of draws given as ``n_draws x ...`` by site."""
        return label_free_quantities(self.spec, self.y, self.data.columns, site_values(self.spec, values))

    @property
    def program(self) -> str:
        """File name of the Stan program."""
        return PROGRAM

    def stan_data(self) -> dict[str, Any]:
        """Return the Stan program's data block."""
        return stan_data(self.spec, self.y)

    def stan_inits(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return one chain's starting point: chains that start at random end in other modes."""
        return stan_start(self.spec, {name: value[0] for name, value in self.starts(rng, 1).items()})

    @property
    def metric(self) -> Literal["diag_e", "dense_e"]:
        """Dense for few parameters: 1.5 to 2.3 times the effective draws of a gradient with 17 and with 44 of them."""
        return "dense_e" if self.spec.n_parameters <= _MOST_FOR_DENSE else "diag_e"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The Stan program's quantities to keep."""
        return stan_outputs(self.spec)

    def pyro_program(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return the Pyro program and what it is called with."""
        import torch

        from bayeskit.models.mixtures.program import gmm_program

        return gmm_program, (torch.tensor(self.y), self.spec), {}

    def starts(self, rng: np.random.Generator, n: int) -> dict[str, Floats]:
        """Return ``n`` overdispersed start points, by site, each ``n x`` the site's shape."""
        return start_values(self.spec, self.y, rng, n)

    def em(self, device: str = "cpu") -> MixtureEM:
        """Return the updates of expectation-maximisation."""
        from bayeskit.models.mixtures.em import MixtureEM

        return MixtureEM(self.spec, self.y, device)

    def gibbs(self) -> MixtureGibbs:
        """Return the conditionals of blocked Gibbs sampling."""
        from bayeskit.models.mixtures.gibbs import MixtureGibbs

        return MixtureGibbs(self.spec, self.y)


def gmm(
    data: Points,
    *,
    components: int | None = None,
    covariance: Covariance = "full",
    dp: bool = False,
    standardise: bool = True,
    prior: str | Sequence[str] = (),
) -> GMM:
    """Build a mixture of normal distributions.

    Parameters
    ----------
    data
        From ``load_points`` or ``points``.
    components
        How many, 3 unless given; of a Dirichlet process the level of its truncation, 10 unless given or there are fewer
        distinct points.
    covariance
        ``full``: each component has its own; ``tied``: all share one; ``diagonal``: no correlations; ``spherical``: one
        scale a component.
    dp
        Whether the weights are those of a truncated Dirichlet process, with its concentration to be estimated.
    standardise
        Whether each column is brought to mean 0 and standard deviation 1 for the model; results are in the data's units
        in any case.
    prior
        Overrides, each ``name=distribution(arguments)``, on the model's scale.

    Raises
    ------
    ConfigError
        For an unknown option, a prior that makes no sense, or a number of components below 1 (of a Dirichlet process
        2) or above that of distinct points.

    Notes
    -----
    Default priors are in standard deviations of the columns: the data scale them, as they are standardised by what
    becomes part of the model, and kept with the run. Without standardising one mean and one standard deviation of all
    columns together do, so that columns should be of one unit.
    """
    overrides = [prior] if isinstance(prior, str) else list(prior)
    n_components = number_of_components(data, components, dp=dp)
    centre, spread = np.zeros(data.n_columns), np.ones(data.n_columns)
    if standardise:
        centre, spread = np.nanmean(data.values, axis=0), np.nanstd(data.values, axis=0)
    scale = None if standardise else (float(np.nanmean(data.values)), float(np.nanstd(data.values)))
    priors = priors_of(n_columns=data.n_columns, covariance=covariance, dp=dp, overrides=tuple(overrides), scale=scale)
    return GMM(
        data=data,
        spec=MixtureSpec(n_components, data.n_columns, covariance, dp, priors),
        y=(data.values - centre) / spread,
        centre=centre,
        spread=spread,
        options={
            "components": n_components,
            "covariance": covariance,
            "dp": dp,
            "standardise": standardise,
            "prior": overrides,
        },
    )


@cache
def three_groups() -> GMM:
    """Return a mixture of three components with 1000 made-up points in two columns, in three groups that touch."""
    return gmm(three_groups_of_points(), components=3)
