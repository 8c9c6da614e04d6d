"""Guides by name: Pyro's own, begun where they are told to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pyro import poutine
from pyro.infer.autoguide import (
    AutoDelta,
    AutoIAFNormal,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    AutoNormal,
)
from pyro.infer.autoguide.guides import AutoContinuous
from pyro.nn.module import PyroParam
from torch.distributions import constraints

from bayeskit.core.errors import ConfigError

if TYPE_CHECKING:
    from bayeskit.inference.svi import SVIConfig

Program = Callable[..., Any]
InitialValue = Callable[..., Any]

MOST_CORRELATED = 2000  # coordinates of one normal with all correlations, whose factor has their square


class _ByStatements(AutoContinuous):
    """Declares all parameters by ``pyro.param`` statements, which effect handlers can answer."""

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)  # type: ignore[no-untyped-call]
        for name, value in list(self._parameters.items()):
            if value is not None and not name.endswith("_unconstrained"):
                delattr(self, name)
                setattr(self, name, PyroParam(value.detach(), constraints.real))


class MultivariateNormalGuide(_ByStatements, AutoMultivariateNormal):
    """One normal on the unconstrained scale, with all correlations."""

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        if self.latent_dim > MOST_CORRELATED:
            raise ConfigError(
                f"guide multivariate_normal would have {self.latent_dim**2:,} parameters for {self.latent_dim:,} "
                "coordinates; take low_rank or normal"
            )


class LowRankGuide(_ByStatements, AutoLowRankMultivariateNormal):
    """One normal on the unconstrained scale, whose covariance is a diagonal and one of low rank."""


def named_guide(config: SVIConfig, program: Program, hidden: Iterable[str], initial: InitialValue) -> Any:
    """Return a guide of the form that the configuration says.

    Parameters
    ----------
    config
        Its ``guide``, ``init_scale`` and ``rank``.
    program
        What it is to approximate.
    hidden
        Discrete sites that it leaves out.
    initial
        Gives a site's first value.
    """
    shown = poutine.block(program, hide=list(hidden))
    if config.guide == "delta":
        return AutoDelta(shown, init_loc_fn=initial)  # type: ignore[no-untyped-call]
    if config.guide == "normal":
        return AutoNormal(shown, init_loc_fn=initial, init_scale=config.init_scale)  # type: ignore[no-untyped-call]
    if config.guide == "iaf":
        return AutoIAFNormal(shown)  # type: ignore[no-untyped-call]
    if config.guide == "low_rank":
        return LowRankGuide(shown, init_loc_fn=initial, init_scale=config.init_scale, rank=config.rank)  # type: ignore[no-untyped-call]
    return MultivariateNormalGuide(shown, init_loc_fn=initial, init_scale=config.init_scale)  # type: ignore[no-untyped-call]
