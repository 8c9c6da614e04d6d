"""How each of Stan's methods runs: one frozen configuration a method, with the options that this method takes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from bayeskit.core.config import Config

SUPERCHAINS_ABOVE = 16
CHAINS_A_POINT = 4


class StanConfig(Config):
    """How NUTS runs: Stan's method ``sample``.

    Parameters
    ----------
    chains, warmup, draws
        Number of chains (above 16 a multiple of 4), and of iterations per chain before and after adaptation ends.
    adapt_delta
        Target acceptance rate; nearer to 1 means smaller steps. Short series diverge now and then at Stan's 0.8.
    max_treedepth
        A trajectory has at most ``2**max_treedepth - 1`` steps.
    """

    method: ClassVar[str] = "sample"
    chains: int = Field(default=4, ge=1, le=1024)
    warmup: int = Field(default=1000, ge=20)
    draws: int = Field(default=1000, ge=4)
    adapt_delta: float = Field(default=0.95, gt=0, lt=1)
    max_treedepth: int = Field(default=10, ge=1, le=20)

    @field_validator("chains")
    @classmethod
    def _in_groups(cls, chains: int) -> int:
        if chains > SUPERCHAINS_ABOVE and chains % CHAINS_A_POINT:
            raise ValueError(f"above {SUPERCHAINS_ABOVE}, chains start in groups of {CHAINS_A_POINT}; take a multiple")
        return chains


class PathfinderConfig(Config):
    """How Pathfinder runs: normal approximations along quasi-Newton paths, resampled towards the posterior.

    Parameters
    ----------
    paths
        Number of paths, each from a start of its own. One path's draws are not resampled.
    draws
        Draws from the best approximation on each path; the result has ``paths x draws``.
    iterations
        A path has at most so many steps.
    """

    method: ClassVar[str] = "pathfinder"
    paths: int = Field(default=4, ge=1, le=1024)
    draws: int = Field(default=1000, ge=100)
    iterations: int = Field(default=1000, ge=1)


class LaplaceConfig(Config):
    """How Laplace's approximation is made: a normal one on the unconstrained scale, around the mode there.

    Parameters
    ----------
    draws
        Draws from the approximation.
    iterations
        The optimiser that looks for the mode takes at most so many steps.
    """

    method: ClassVar[str] = "laplace"
    draws: int = Field(default=1000, ge=100)
    iterations: int = Field(default=2000, ge=1)


class VariationalConfig(Config):
    """How automatic differentiation variational inference (ADVI) runs.

    Parameters
    ----------
    algorithm
        ``meanfield``: independent normals on the unconstrained scale; ``fullrank``: one normal with correlations.
    draws
        Draws from the approximation.
    iterations
        Stochastic gradient ascent takes at most so many steps.
    """

    method: ClassVar[str] = "variational"
    algorithm: Literal["meanfield", "fullrank"] = "meanfield"
    draws: int = Field(default=1000, ge=100)
    iterations: int = Field(default=10_000, ge=100)


class OptimizeConfig(Config):
    """How a mode is found, by L-BFGS: one point, without any uncertainty.

    Parameters
    ----------
    iterations
        At most so many steps.
    jacobian
        False: the mode of the density as the program states it (with flat priors, maximum likelihood). True: the mode
        of the posterior density on the unconstrained scale.
    """

    method: ClassVar[str] = "optimize"
    iterations: int = Field(default=2000, ge=1)
    jacobian: bool = False


AnyConfig = StanConfig | PathfinderConfig | LaplaceConfig | VariationalConfig | OptimizeConfig
CONFIGS: dict[str, type[AnyConfig]] = {
    config.method: config for config in (StanConfig, PathfinderConfig, LaplaceConfig, VariationalConfig, OptimizeConfig)
}
"""By the word that ``--method`` takes."""
