"""The no-U-turn sampler as Pyro has it, on a Pyro program or any other smooth log density.

Hoffman and Gelman (2014), https://jmlr.org/papers/v15/hoffman14a.html, with multinomial sampling along the trajectory
(Betancourt 2017, arXiv:1701.02434) and Stan's windows of adaptation: https://docs.pyro.ai/en/stable/mcmc.html.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.density import Density, Floats
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.core.types import Draws
from bayeskit.inference._starts import start_points
from bayeskit.inference._streams import BLOCK

_BETWEEN_REPORTS = 0.1  # seconds
_ITERATIONS = 2  # tells the stream of a chain's iterations from that of its start


class NUTSConfig(Config):
    """How Pyro's NUTS runs.

    Parameters
    ----------
    chains, warmup, draws
        Number of chains, which run one after the other, and of iterations per chain before and after adaptation ends.
    adapt_delta
        Target acceptance rate; nearer to 1 means smaller steps.
    max_treedepth
        A trajectory has at most ``2**max_treedepth - 1`` steps.
    metric
        Inverse mass matrix that is adapted: ``diag_e``, or ``dense_e``, which pays where few parameters go together.
    """

    method: ClassVar[str] = "nuts"
    chains: int = Field(default=4, ge=1, le=1024)
    warmup: int = Field(default=500, ge=20)
    draws: int = Field(default=500, ge=4)
    adapt_delta: float = Field(default=0.8, gt=0, lt=1)
    max_treedepth: int = Field(default=10, ge=1, le=20)
    metric: Literal["diag_e", "dense_e"] = "diag_e"


def fit_nuts(
    target: Density | Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    config: NUTSConfig | None = None,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Draws:
    """Draw from the posterior of a Pyro program, or from a log density, by Pyro's NUTS.

    Parameters
    ----------
    target
        A function with ``pyro.sample`` statements, continuous ones where not observed; or a log density with a
        gradient and without bounds.
    args, kwargs
        What the program is called with.
    config
        How it runs.
    seed
        Chain ``i`` does not depend on how many chains there are.
    progress
        Called with the numbers of iterations done and in total, now and then.

    Returns
    -------
    Draws
        Of kind ``mcmc``. Values by the program's names: its sites and deterministic sites. ``lp`` is the log density
        on the unconstrained scale, as Stan's; ``energy`` is that at which a trajectory begins.

    Raises
    ------
    ConfigError
        If a density has no gradient, bounds, or coordinates that take whole numbers only.
    ProgramError
        If the program or the density misbehaves, or no start is found.

    Notes
    -----
    A point where the density is NaN, or some matrix singular, ends a trajectory as a divergence.
    """
    config = config or NUTSConfig()
    density, seconds = _density(target, args, kwargs)
    starts, attempts = _starts(density, seed, config.chains)
    from bayeskit.inference._nuts_chain import run_chain

    tick = _Ticks(progress, config.chains * (config.warmup + config.draws))
    options = config.model_dump(exclude={"chains"})
    chains = [
        run_chain(density, start, seed=_chain_seed(seed, chain), tick=tick, **options)
        for chain, start in enumerate(starts)
    ]
    return Draws(
        kind="mcmc",
        values=density.values(np.stack([chain.positions for chain in chains]), seed),
        sample_stats={name: np.stack([chain.statistics[name] for chain in chains]) for name in chains[0].statistics},
        timings={
            "compile": seconds,
            **{phase: sum(chain.seconds[phase] for chain in chains) for phase in chains[0].seconds},
        },
        engine={
            **_versions(),
            "method": config.method,
            "metric": config.metric,
            "max_treedepth": config.max_treedepth,
            "start_attempts": attempts,
        },
    )


def _density(
    target: Density | Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None
) -> tuple[Density, float]:
    if not isinstance(target, Density):
        from bayeskit.inference._pyro_density import pyro_density

        began = time.monotonic()
        return pyro_density(target, args, kwargs), time.monotonic() - began
    if target.gradient is None:
        raise ConfigError("NUTS needs the density's gradient; give gradient=, or take engine metropolis")
    if target.is_discrete:
        raise ConfigError("NUTS moves in real numbers, and the density has whole ones; take engine metropolis")
    if target.is_bounded:
        raise ConfigError(
            "NUTS needs a density without bounds; write it as a Pyro program, which is transformed, or on a free scale"
        )
    return target, 0.0


def _starts(density: Density, seed: int, chains: int) -> tuple[Floats, Any]:
    """Draw the chains' starts, and refuse those without a gradient."""
    blocks = [
        start_points(density, seed=seed, block=first // BLOCK, n_chains=min(BLOCK, chains - first))
        for first in range(0, chains, BLOCK)
    ]
    starts, attempts = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    for start in starts:
        point: Any = start[None]
        if density.arrays == "torch":
            import torch

            point = torch.as_tensor(point, device=density.device)
        slope = density.with_gradient(point)[1]
        if not bool((abs(slope) < np.inf).all()):
            raise ProgramError(f"the log density has no finite gradient at {density.told(start)}; correct it")
    return starts, attempts


def _chain_seed(seed: int, chain: int) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=(chain, _ITERATIONS))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))  # torch takes 63 bits


def _versions() -> dict[str, str]:
    import pyro
    import torch

    return {"pyro": str(pyro.__version__), "torch": str(torch.__version__)}


class _Ticks:
    """Counts iterations, and tells of them ten times a second at most."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done, self._next = progress, total, 0, 0.0

    def __call__(self) -> None:
        self._done += 1
        if self._progress is None:
            return
        now = time.monotonic()
        if now >= self._next or self._done == self._total:
            self._next = now + _BETWEEN_REPORTS
            self._progress(self._done, self._total)
