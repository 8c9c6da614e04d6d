"""A training from beginning to end: rows and networks made ready, the epochs, and the weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyro
import torch

from bayeskit.core.devices import resolve_device
from bayeskit.core.errors import ConfigError
from bayeskit.core.types import Draws
from bayeskit.inference._amortised_course import Course, Judgement
from bayeskit.inference._amortised_loop import Loop
from bayeskit.inference._amortised_objective import Bound, Tensors, Terms, check
from bayeskit.inference._amortised_state import SAFETENSORS
from bayeskit.inference._amortised_steps import Learned, Writer, plain_step
from bayeskit.inference._checkpoints import Checkpoint, digest_of_arguments
from bayeskit.inference._svi_context import computing, reseed
from bayeskit.inference._told import Progress

if TYPE_CHECKING:
    from bayeskit.inference.amortised import AmortisedConfig, AmortisedProgram, Report

_SETUP, _JUDGED = 13, 14  # streams of their own
_CHUNK = 2000  # held-out rows that are judged at once
_NOT_THE_STEPS = {"checkpoint_every"}


def run(
    program: AmortisedProgram,
    config: AmortisedConfig,
    *,
    seed: int,
    checkpoint: Path | None,
    identity: Mapping[str, str],
    progress: Progress | None,
    report: Report | None,
) -> Draws:
    """Do what ``bayeskit.inference.amortised.fit_amortised`` says."""
    device = resolve_device(config.device)
    began = time.perf_counter()
    n_rows = len(program.train[0])
    if n_rows < 2:
        raise ConfigError(f"there are {n_rows} rows to train with; give 2 or more")
    size = min(config.batch_size, n_rows)
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[] if device == "cpu" else [torch.cuda.current_device()]))
        stack.enter_context(pyro.get_param_store().scope())
        stack.enter_context(torch.no_grad())
        reseed(seed, _SETUP)
        course = Course(config, n_rows // size)
        keep = None
        if checkpoint is not None:
            whole = {**identity, **_identity(program, config, seed)}
            keep = Checkpoint(str(checkpoint), config.checkpoint_every, whole, SAFETENSORS)
        state = None if keep is None else keep.load()
        rows, held_out = (tuple(t.to(device) for t in tensors) for tensors in (program.train, program.held_out))
        batch = tuple(tensor[:size] for tensor in rows)
        with computing(device, torch.float32):
            check(program, batch)
        learned = Learned.of(program.module, device)
        writer = Writer(Bound(program), learned, config, device)
        step = plain_step(writer, learned, batch)
        judge = _judge(writer, learned, held_out, config, seed) if held_out and len(held_out[0]) else None
        loop = Loop(course, learned, rows, size, step, judge, seed)
        if state is not None:
            loop.restore(state)
        compiled = time.perf_counter()
        loop.run(progress, report, keep)
    note = "" if size == config.batch_size else f"there are only {n_rows:,} rows, which are one batch"
    return Draws(
        kind="point",
        values={},
        timings={"compile": compiled - began, "optimize": time.perf_counter() - compiled},
        engine={
            "pyro": str(pyro.__version__),
            "torch": str(torch.__version__),
            "method": config.method,
            **course.said(),
            "compiled": False,
            "device": device,
            "batch_size": size,
            **({"note": note} if note else {}),
        },
        groups={
            "history": course.history(),
            "weights": {name: _array(tensor) for name, tensor in loop.best.items()},
        },
    )


def _judge(
    writer: Writer, learned: Learned, held_out: Tensors, config: AmortisedConfig, seed: int
) -> Callable[[], Judgement]:
    """Return what tells the bound of the held-out rows, always by the same draws."""
    chunks = [tuple(part) for part in zip(*(torch.split(tensor, _CHUNK) for tensor in held_out), strict=True)]
    graphs = {len(chunk[0]): writer.judged(chunk) for chunk in {len(chunk[0]): chunk for chunk in chunks}.values()}
    n_rows = len(held_out[0])

    def judge() -> Judgement:
        reseed(seed, _JUDGED)
        reconstruction, divergence = torch.zeros(()), torch.zeros(())
        for chunk in chunks:
            share = len(chunk[0]) / n_rows
            first, second = graphs[len(chunk[0])](*chunk, *learned.weights().values())
            reconstruction, divergence = reconstruction + share * first.cpu(), divergence + share * second.cpu()
        loss = Terms(reconstruction, divergence).loss(config.beta, config.free_bits)
        return Judgement(float(loss), float(reconstruction), float(divergence.sum()))

    return judge


def _identity(program: AmortisedProgram, config: AmortisedConfig, seed: int) -> dict[str, str]:
    options = config.model_dump(exclude=_NOT_THE_STEPS)
    weights = {name: tuple(tensor.shape) for name, tensor in program.module.state_dict().items()}
    return {
        "the model": digest_of_arguments(weights),
        "the seed": str(seed),
        "the data": digest_of_arguments(program.train, program.held_out),
        "what the weights were at first": digest_of_arguments(dict(program.module.state_dict())),
        **{f"option '{name}'": repr(value) for name, value in options.items()},
        "the version of torch": str(torch.__version__),
        "the version of pyro": str(pyro.__version__),
    }


def _array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    return tensor.cpu().numpy()
