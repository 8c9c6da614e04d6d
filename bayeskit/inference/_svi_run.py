"""A variational fit from beginning to end: program and guide made ready, the steps, and the draws."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyro
import torch

from bayeskit.core.devices import resolve_device
from bayeskit.core.types import Draws
from bayeskit.inference._checkpoints import Checkpoint, digest_of_arguments, digest_of_function
from bayeskit.inference._svi_context import alone, doubled, reseed, stream
from bayeskit.inference._svi_draws import Drawn, drawn
from bayeskit.inference._svi_loop import Loop
from bayeskit.inference._svi_parameters import learned
from bayeskit.inference._svi_prepare import Ready, prepared
from bayeskit.inference._svi_sites import Program, check_call, name_of
from bayeskit.inference.svi import DrawingGuide, Progress, Starts, SVIConfig

_SETUP, _STEPS, _DRAWS = 1, 2, 3  # streams of their own
_NOT_THE_STEPS = {"draws", "checkpoint", "checkpoint_every", "record"}


def run(
    program: Program,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    config: SVIConfig,
    seed: int,
    guide: Program | None,
    starts: Starts | None,
    progress: Progress | None,
) -> Draws:
    """Do what ``bayeskit.inference.svi.fit_svi`` says."""
    device = resolve_device(config.device)
    began = time.perf_counter()
    with alone(device):
        arguments = doubled((tuple(args), dict(kwargs)), device)
        check_call(program, arguments, "a program")
        if guide is not None:
            check_call(guide, arguments, "a guide")
        reseed(seed, _SETUP)
        ready = prepared(program, guide, arguments, config, seed=seed, starts=starts)
        checkpoint = _checkpoint(program, guide, arguments, config, seed)
        reseed(seed, _STEPS)
        loop = Loop(ready, config, device, checkpoint)
        loop.begin()
        compiled = time.perf_counter()
        loop.run(progress)
        optimised = time.perf_counter()
        reseed(seed, _DRAWS)
        n_draws = 1 if _is_delta(ready) else config.draws
        if isinstance(guide, DrawingGuide):
            found = _by_guide(guide, ready, config.draws, seed)
        else:
            found = drawn(ready.whole, ready.parameters, n_draws, record=config.record, device=device)
        named = learned(ready.parameters, ready.own_parameters)
        if checkpoint is not None:
            checkpoint.remove()
    timings = {
        "compile": compiled - began,
        "optimize": optimised - compiled,
        "sampling": time.perf_counter() - optimised,
    }
    return _draws(found, loop, ready, config, timings, named)


def _by_guide(guide: DrawingGuide, ready: Ready, n_draws: int, seed: int) -> Drawn:
    parameters = learned(ready.parameters, set(ready.parameters.leaves))
    values, log_p, log_q = guide.draws(parameters, n_draws, stream(seed, _DRAWS))
    few = f"{len(log_p)} draws instead of {n_draws}, for the size of the data"
    return Drawn(dict(values), log_p, log_q, few if len(log_p) < n_draws else "")


def _is_delta(ready: Ready) -> bool:
    return ready.is_named and ready.guide_name == "delta"


def _draws(
    found: Drawn, loop: Loop, ready: Ready, config: SVIConfig, timings: Mapping[str, float], named: Mapping[str, Any]
) -> Draws:
    is_point = _is_delta(ready) or len(found.constant) == len(ready.pair.latent)
    statistics = {}
    if is_point and found.log_p is not None:
        statistics = {"lp": found.log_p[None, :1]}
    elif found.log_p is not None and found.log_q is not None:
        statistics = {"log_p": found.log_p[None], "log_q": found.log_q[None]}
    notes = [text for text in (loop.note, "" if is_point else found.note) if text]
    return Draws(
        kind="point" if is_point else "variational",
        values={name: value[None, :1] if is_point else value[None] for name, value in found.values.items()},
        sample_stats=statistics,
        timings=timings,
        engine={**_told(loop, ready, config), **({"note": "; ".join(notes)} if notes else {})},
        groups={"history": loop.course.history(config.window), **({"derived": named} if named else {})},
    )


def _told(loop: Loop, ready: Ready, config: SVIConfig) -> dict[str, Any]:
    course, hidden = loop.course, ", ".join(ready.pair.summed_out)
    return {
        "pyro": str(pyro.__version__),
        "torch": str(torch.__version__),
        "method": config.method,
        "guide": ready.guide_name,
        "loss": ready.loss,
        "steps": len(course.losses),
        "elbo": float(-np.median(course.losses[-config.window :])),
        "converged": course.settled,
        "message": course.message(config),
        "recorded": loop.recorded,
        **({"summed_out": hidden} if hidden else {}),
    }


def _checkpoint(
    program: Program, guide: Program | None, arguments: Any, config: SVIConfig, seed: int
) -> Checkpoint | None:
    if config.checkpoint is None:
        return None
    options = config.model_dump(exclude=_NOT_THE_STEPS)
    identity = {
        "the program": name_of(program) + digest_of_function(program),
        "the guide": "" if guide is None else name_of(guide, "guide") + digest_of_function(guide),
        "the data": digest_of_arguments(arguments),
        "the seed": str(seed),
        **{f"option '{name}'": repr(value) for name, value in options.items()},
        "the version of torch": str(torch.__version__),
        "the version of pyro": str(pyro.__version__),
    }
    return Checkpoint(config.checkpoint, config.checkpoint_every, identity)
