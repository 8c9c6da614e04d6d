"""The no-U-turn sampler on a Pyro program or any other smooth log density: compiled, or as Pyro has it.

Hoffman and Gelman (2014), https://jmlr.org/papers/v15/hoffman14a.html, with multinomial sampling along the trajectory
(Betancourt 2017, arXiv:1701.02434). Two back ends draw from the same posterior:

- ``compiled``: one evaluation of the program is written down as a graph of tensor operations, gradient and sums over
  discrete sites included, compiled to machine code, and called by nutpie's sampler without Python in between; its
  adaptation is nutpie's own, which looks at gradients too (Seyboldt, Carlson and Carpenter 2026, arXiv:2603.18845).
- ``pyro``: Pyro's kernel with Stan's windows of adaptation, https://docs.pyro.ai/en/stable/mcmc.html.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.density import Density
from bayeskit.core.devices import Device
from bayeskit.core.errors import ConfigError
from bayeskit.core.types import Draws
from bayeskit.inference._nuts_starts import Starts, chain_starts

_ITERATIONS = 2  # tells the stream of a chain's iterations from that of its start


class NUTSConfig(Config):
    """How NUTS runs.

    Parameters
    ----------
    chains, warmup, draws
        Number of chains, and of iterations per chain before and after adaptation ends.
    adapt_delta
        Target acceptance rate; nearer to 1 means smaller steps.
    max_treedepth
        A trajectory has at most ``2**max_treedepth - 1`` steps.
    metric
        Inverse mass matrix that is adapted: ``diag_e``, or ``dense_e``, which pays where few parameters go together;
        compiled, that is a diagonal with a few directions besides (low rank).
    backend
        ``compiled``; ``pyro``; or ``auto``: compiled where the program can be (no decision in it hangs on a number
        that the parameters change, and compiled it gives the numbers that it gave), else Pyro's, with a note.
    init
        Where chains start: ``model``, the model's own starts; ``svi``, ``pathfinder`` or ``prior``, draws from fast
        approximations or the program's prior; ``uniform``, within 2 of 0 on the unconstrained scale, as Stan's; or
        ``auto``, the model's where there are such, else uniform.
    device
        ``cpu``, ``cuda`` or ``auto``: the GPU where there is one. A GPU pays where one evaluation handles very many
        numbers; it takes Pyro's back end.
    """

    method: ClassVar[str] = "nuts"
    chains: int = Field(default=4, ge=1, le=1024)
    warmup: int = Field(default=500, ge=20)
    draws: int = Field(default=500, ge=4)
    adapt_delta: float = Field(default=0.8, gt=0, lt=1)
    max_treedepth: int = Field(default=10, ge=1, le=20)
    metric: Literal["diag_e", "dense_e"] = "diag_e"
    backend: Literal["auto", "compiled", "pyro"] = "auto"
    init: Literal["auto", "model", "svi", "pathfinder", "prior", "uniform"] = "auto"
    device: Device = "cpu"


def fit_nuts(
    target: Density | Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    config: NUTSConfig | None = None,
    seed: int,
    starts: Starts | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Draws:
    """Draw from the posterior of a Pyro program, or from a log density, by the no-U-turn sampler.

    Parameters
    ----------
    target
        A function with ``pyro.sample`` statements, whose discrete latent sites are summed out; or a log density with a
        gradient and without bounds.
    args, kwargs
        What the program is called with.
    config
        How it runs.
    seed
        Chain ``i`` does not depend on how many chains there are, nor on who runs it.
    starts
        Draws values of the latent sites by name, ``n x ...``, for ``init`` ``model``: takes a generator and ``n``.
    executor
        Runs the chains. Unless given, compiled ones run in threads, and Pyro's in processes of this machine where
        these pay (``bayeskit.inference._executors.processes_pay``), else one after the other.
    progress
        Called with the numbers of iterations done and in total, now and then.

    Returns
    -------
    Draws
        Of kind ``mcmc``. Values by the program's names: its sites and deterministic sites. ``lp`` is the log density
        on the unconstrained scale, as Stan's; ``energy`` is that of the trajectory. ``engine`` says which ``backend``
        it was, by a ``note`` why not the compiled one, and what was ``summed_out``.

    Raises
    ------
    ConfigError
        If a density has no gradient, bounds, or coordinates that take whole numbers only; or the compiled back end is
        asked for and cannot be had.
    ProgramError
        If the program or the density misbehaves, or no start is found.
    InferenceError
        If whoever ran a chain ended before it.

    Notes
    -----
    A point where the density is NaN, or some matrix singular, ends a trajectory as a divergence.
    """
    from bayeskit.inference._nuts_backends import run_compiled, run_pyro, try_to_compile

    config = config or NUTSConfig()
    began = time.monotonic()
    density = _density(target, args, kwargs, config.device)
    program = None if isinstance(target, Density) else target
    seconds = time.monotonic() - began
    init, points, attempts = chain_starts(
        config.init, density, program, args, kwargs, starts=starts, seed=seed, chains=config.chains
    )
    began = time.monotonic()
    compiled, note = try_to_compile(config.backend, density, points)
    seconds += time.monotonic() - began
    options = config.model_dump(include={"warmup", "draws", "adapt_delta", "max_treedepth", "metric"})
    jobs = [(point, {**options, "seed": _chain_seed(seed, chain)}) for chain, point in enumerate(points)]
    if compiled is not None:
        chains = run_compiled(compiled, density, jobs, executor=executor, progress=progress)
    else:
        chains = run_pyro(density, program, args, kwargs, jobs, executor=executor, progress=progress)
    return Draws(
        kind="mcmc",
        values=density.values(np.stack([chain.positions for chain in chains]), seed),
        sample_stats={name: np.stack([chain.statistics[name] for chain in chains]) for name in chains[0].statistics},
        timings={
            "compile": seconds,
            **{phase: sum(chain.seconds[phase] for chain in chains) for phase in chains[0].seconds},
        },
        engine={
            **_versions(compiled is not None),
            "method": config.method,
            "backend": "pyro" if compiled is None else "compiled",
            **({"note": note} if note else {}),
            **({"summed_out": ", ".join(summed)} if (summed := getattr(density, "summed_out", ())) else {}),
            "init": init,
            "device": density.device,
            "metric": config.metric,
            "max_treedepth": config.max_treedepth,
            "start_attempts": attempts,
        },
    )


def _density(
    target: Density | Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, device: Device
) -> Density:
    if not isinstance(target, Density):
        from bayeskit.core.devices import resolve_device
        from bayeskit.inference._pyro_density import pyro_density

        return pyro_density(target, args, kwargs, device=resolve_device(device))
    if target.gradient is None:
        raise ConfigError("NUTS needs the density's gradient; give gradient=, or take engine metropolis")
    if target.is_discrete:
        raise ConfigError("NUTS moves in real numbers, and the density has whole ones; take engine metropolis")
    if target.is_bounded:
        raise ConfigError(
            "NUTS needs a density without bounds; write it as a Pyro program, which is transformed, or on a free scale"
        )
    return target


def _chain_seed(seed: int, chain: int) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=(chain, _ITERATIONS))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))  # torch takes 63 bits


def _versions(compiled: bool) -> dict[str, str]:
    from importlib.metadata import version

    import pyro
    import torch

    nutpie = {"nutpie": version("nutpie")} if compiled else {}
    return {"pyro": str(pyro.__version__), "torch": str(torch.__version__), **nutpie}
