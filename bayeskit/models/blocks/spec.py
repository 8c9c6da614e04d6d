"""What a stochastic block model is: its partitions, its likelihood, its priors, and the sites of its parameters.

With n nodes, K blocks of sources and L of targets:

    pi_1   K        shares of the sources' blocks  ~ Dirichlet(alpha)        ``pi`` where one partition is shared
    pi_2   L        shares of the targets' blocks  ~ Dirichlet(alpha)
    theta  K x L    rates of the pairs of blocks   ~ Beta(a, b), or Gamma(a, b) with rate b; symmetric if undirected
    z_1    n        block of each source, from 0   ~ Categorical(pi_1)       ``z`` where one partition is shared
    z_2    n        block of each target, from 0   ~ Categorical(pi_2)
    alpha, a, b     scalars, where they have priors of their own

    x[i, j] ~ Bernoulli(theta[z_1[i], z_2[j]])  or  Poisson(m[i, j] theta[z_1[i], z_2[j]])

Every engine's draws have these names and shapes: Nowicki and Snijders (2001), doi:10.1198/016214501753208735, with one
partition; two partitions as of rows and columns, Govaert and Nadif (2003), doi:10.1016/S0031-3203(02)00074-2. The
exposures m[i, j] are 1, or, corrected for degrees, out[i] in[j] with degrees in units of their mean: Karrer and Newman
(2011), doi:10.1103/PhysRevE.83.016107.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from bayeskit.core.errors import ConfigError
from bayeskit.core.language import mark
from bayeskit.core.priors import Prior, override

Likelihood = Literal["bernoulli", "poisson"]
LIKELIHOODS: tuple[Likelihood, ...] = get_args(Likelihood)

_SHARES = Prior("pi", "dirichlet", (1.0,), meaning=mark("shares of the blocks"), families=("dirichlet",))
_RATES = {
    "bernoulli": Prior(
        "theta",
        "beta",
        (1.0, 1.0),
        lower=0.0,
        meaning=mark("chance of an edge between two nodes, by their blocks"),
        families=("beta",),
    ),
    "poisson": Prior(
        "theta",
        "gamma",
        (1.0, 1.0),
        lower=0.0,
        meaning=mark("expected weight between two nodes, by their blocks"),
        families=("gamma",),
    ),
}
_POSITIVE = ("gamma", "lognormal", "exponential", "inv_gamma")
_HYPER = {
    "alpha": Prior(
        "alpha", "gamma", (2.0, 2.0), lower=0.0, meaning=mark("concentration of the shares"), families=_POSITIVE
    ),
    "a": Prior(
        "a", "gamma", (2.0, 2.0), lower=0.0, meaning=mark("first argument of the prior on theta"), families=_POSITIVE
    ),
    "b": Prior(
        "b", "gamma", (2.0, 2.0), lower=0.0, meaning=mark("second argument of the prior on theta"), families=_POSITIVE
    ),
}
HYPERPARAMETERS = tuple(_HYPER)


@dataclass(frozen=True)
class BlockSpec:
    """A stochastic block model without its graph.

    Parameters
    ----------
    n_source_blocks, n_target_blocks
        K and L; equal where one partition is shared.
    shared
        Whether each node has one block, as a source and as a target.
    directed
        Whether x[i, j] and x[j, i] are two observations; if not, the partition is shared and ``theta`` symmetric.
    likelihood
        ``bernoulli`` of edges that are there or not, ``poisson`` of counts.
    degree_corrected
        Whether nodes of a block may have different expected degrees; Poisson only.
    priors
        By ``priors_of``: ``pi`` and ``theta``, and such of ``alpha``, ``a`` and ``b`` as are to be estimated, which
        then stand for the arguments of the former two.
    """

    n_source_blocks: int
    n_target_blocks: int
    shared: bool
    directed: bool
    likelihood: Likelihood
    degree_corrected: bool
    priors: tuple[Prior, ...]

    def prior(self, name: str) -> Prior:
        """Return the prior on one kind of parameter."""
        return next(prior for prior in self.priors if prior.name == name)

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """Those of ``alpha``, ``a`` and ``b`` that have priors of their own."""
        return tuple(prior.name for prior in self.priors if prior.name in HYPERPARAMETERS)

    @property
    def alpha(self) -> float:
        """The fixed concentration of the shares; where it is estimated, where to start."""
        return self.prior("pi").arguments[0]

    @property
    def rate_arguments(self) -> tuple[float, float]:
        """The fixed ``(a, b)`` of the prior on rates; where they are estimated, where to start."""
        a, b = self.prior("theta").arguments
        return a, b

    @property
    def partitions(self) -> Mapping[str, int]:
        """Sites of the assignments, each with its number of blocks."""
        if self.shared:
            return {"z": self.n_source_blocks}
        return {"z_1": self.n_source_blocks, "z_2": self.n_target_blocks}

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Every site of the parameters, the assignments left out, to its shape."""
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(self.hyperparameters, ())
        shapes |= {f"pi{site[1:]}": (size,) for site, size in self.partitions.items()}
        return shapes | {"theta": (self.n_source_blocks, self.n_target_blocks)}

    @property
    def n_rates(self) -> int:
        """Number of free rates."""
        k, l = self.n_source_blocks, self.n_target_blocks  # noqa: E741
        return k * l if self.directed else k * (k + 1) // 2

    def with_blocks(self, n_source_blocks: int, n_target_blocks: int) -> BlockSpec:
        """Return the same model with other numbers of blocks."""
        return replace(self, n_source_blocks=n_source_blocks, n_target_blocks=n_target_blocks)


def priors_of(likelihood: Likelihood, *, mean_rate: float, overrides: tuple[str, ...] = ()) -> tuple[Prior, ...]:
    """Return the priors of a block model, the user's own in their places.

    Parameters
    ----------
    likelihood
        Of the model.
    mean_rate
        Sum of all weights over sum of all exposures, which gives the Poisson rates' prior its scale.
    overrides
        Each ``name=distribution(arguments)``; ``alpha``, ``a`` and ``b`` are estimated where they stand here, and
        fixed by the arguments of ``pi`` and ``theta`` otherwise.

    Raises
    ------
    ConfigError
        For a text of another form, an unknown name, or a distribution that the parameter cannot have.
    """
    if likelihood not in LIKELIHOODS:
        raise ConfigError(f"likelihood '{likelihood}' is unknown; choose from {', '.join(LIKELIHOODS)}")
    rates = _RATES[likelihood]
    if likelihood == "poisson" and mean_rate > 0:
        rates = replace(rates, arguments=(1.0, float(f"{1 / mean_rate:.3g}")))
    everything = override((_SHARES, rates, *_HYPER.values()), overrides)
    given = {text.partition("=")[0].partition("~")[0].strip() for text in overrides}
    return tuple(prior for prior in everything if prior.name not in HYPERPARAMETERS or prior.name in given)
