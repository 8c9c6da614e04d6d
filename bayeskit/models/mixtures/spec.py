"""What a Gaussian mixture is: sizes, form of the covariances, priors, and the sites that hold its parameters.

With K components in d columns, on the scale of the model (each column standardised, unless that was turned off):

    weights       K             Dirichlet, or made of sticks[k] ~ Beta(1, concentration)
    means         K x d         each independent
    scales        K x d         standard deviations; ``d`` where tied, ``K`` where spherical
    corr_cholesky K x d x d     lower Cholesky factors of the correlations; ``d x d`` where tied; none where d = 1,
                                diagonal or spherical
    sticks        K - 1         of a Dirichlet process only: truncated stick-breaking,
    concentration               Ishwaran and James (2001), doi:10.1198/016214501750332758

Every engine's draws have these names and shapes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from bayeskit.core.errors import ConfigError
from bayeskit.core.language import mark
from bayeskit.core.priors import Prior, override

Covariance = Literal["full", "tied", "diagonal", "spherical"]
COVARIANCES: tuple[Covariance, ...] = get_args(Covariance)

_UNIT = mark("sd of the column")
_OWN_UNIT = mark("unit of the column")
# Of scales only such as vanish at 0 faster than any power: a component on a few equal points would otherwise have a
# likelihood that outweighs them.
_PRIORS = {
    "weights": Prior("weights", "dirichlet", (1.0,), meaning=mark("shares of the components"), families=("dirichlet",)),
    "means": Prior(
        "means", "normal", (0.0, 2.0), unit=_UNIT, meaning=mark("where a component lies"), families=("normal",)
    ),
    "scales": Prior(
        "scales",
        "lognormal",
        (-0.7, 0.8),
        lower=0.0,
        unit=_UNIT,
        meaning=mark("standard deviations within a component"),
        families=("lognormal", "inv_gamma"),
    ),
    "correlations": Prior(
        "correlations", "lkj", (2.0,), meaning=mark("correlations within a component"), families=("lkj",)
    ),
    "concentration": Prior(
        "concentration",
        "gamma",
        (2.0, 2.0),
        lower=0.0,
        meaning=mark("concentration of the Dirichlet process: more makes more components"),
        families=("gamma", "lognormal"),
    ),
}


@dataclass(frozen=True)
class MixtureSpec:
    """A Gaussian mixture without its data.

    Parameters
    ----------
    n_components
        K; of a Dirichlet process the level of its truncation.
    n_columns
        d.
    covariance
        ``full``: each component has its own; ``tied``: all share one; ``diagonal``: no correlations; ``spherical``:
        one scale a component.
    dp
        Whether the weights are those of a truncated Dirichlet process.
    priors
        By ``priors_of``.
    """

    n_components: int
    n_columns: int
    covariance: Covariance
    dp: bool
    priors: tuple[Prior, ...]

    def prior(self, name: str) -> Prior:
        """Return the prior on one kind of parameter."""
        return next(prior for prior in self.priors if prior.name == name)

    @property
    def correlated(self) -> bool:
        """Whether there are correlations."""
        return self.n_columns > 1 and self.covariance in ("full", "tied")

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Every site of the parameters to its shape, in the order of the programs."""
        k, d = self.n_components, self.n_columns
        scales = {"full": (k, d), "diagonal": (k, d), "tied": (d,), "spherical": (k,)}[self.covariance]
        shapes: dict[str, tuple[int, ...]] = {"concentration": (), "sticks": (k - 1,)} if self.dp else {}
        shapes |= {"weights": (k,), "means": (k, d), "scales": scales}
        if self.correlated:
            shapes["corr_cholesky"] = (d, d) if self.covariance == "tied" else (k, d, d)
        return shapes

    @property
    def n_parameters(self) -> int:
        """Number of free parameters, those of the weights' prior left out."""
        k, d = self.n_components, self.n_columns
        pairs = d * (d - 1) // 2
        of_covariance = {
            "full": k * (d + pairs),
            "tied": d + pairs,
            "diagonal": k * d,
            "spherical": k,
        }[self.covariance]
        return k - 1 + k * d + of_covariance


def priors_of(
    *,
    n_columns: int,
    covariance: Covariance,
    dp: bool,
    overrides: tuple[str, ...] = (),
    scale: tuple[float, float] | None = None,
) -> tuple[Prior, ...]:
    """Return the priors of a mixture, the user's own in their places.

    Parameters
    ----------
    n_columns, covariance, dp
        Of the mixture: they say which parameters there are.
    overrides
        Each ``name=distribution(arguments)``.
    scale
        Mean and standard deviation, over all columns, of data that are not standardised: defaults are in units of
        these. None for standardised columns, each with mean 0 and standard deviation 1.

    Raises
    ------
    ConfigError
        For a text of another form, an unknown name, or a distribution that the parameter cannot have.
    """
    if covariance not in COVARIANCES:
        raise ConfigError(f"covariance '{covariance}' is unknown; choose from {', '.join(COVARIANCES)}")
    names = ["concentration"] if dp else ["weights"]
    names += ["means", "scales"]
    if n_columns > 1 and covariance in ("full", "tied"):
        names.append("correlations")
    defaults = _PRIORS if scale is None else {**_PRIORS, **_in_own_units(*scale)}
    return override(tuple(defaults[name] for name in names), overrides)


def _in_own_units(centre: float, spread: float) -> dict[str, Prior]:
    """Return the priors on means and scales of data that are not standardised, to three digits."""
    (of_means, width), (log_scale, log_width) = (_PRIORS[name].arguments for name in ("means", "scales"))
    means = (_three_digits(centre + spread * of_means), _three_digits(spread * width))
    scales = (_three_digits(math.log(spread) + log_scale), log_width)
    return {
        "means": replace(_PRIORS["means"], arguments=means, unit=_OWN_UNIT),
        "scales": replace(_PRIORS["scales"], arguments=scales, unit=_OWN_UNIT),
    }


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")
