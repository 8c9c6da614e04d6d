"""A training from beginning to end: rows and networks made ready, the epochs, and the weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pyro
import torch

from bayeskit.core.devices import resolve_device
from bayeskit.core.errors import ConfigError
from bayeskit.core.types import Draws
from bayeskit.inference._amortised_compiled import compiled_step
from bayeskit.inference._amortised_course import Course, Judgement
from bayeskit.inference._amortised_loop import Loop, Watchers
from bayeskit.inference._amortised_objective import Terms
from bayeskit.inference._amortised_state import SAFETENSORS
from bayeskit.inference._amortised_steps import Learned, Plan, Step, plain_step
from bayeskit.inference._amortised_words import Words
from bayeskit.inference._amortised_writer import Writer
from bayeskit.inference._checkpoints import Checkpoint, digest_of_arguments
from bayeskit.inference._svi_context import reseed
from bayeskit.inference._svi_parameters import scripted
from bayeskit.inference._told import Progress, Told

if TYPE_CHECKING:
    from bayeskit.inference.amortised import AmortisedConfig, AmortisedProgram, Report

_JUDGED = 13  # tells the stream of held-out rows from others at the same seed
_CHUNK = 2000  # held-out rows that are judged at once
_PARTS = 20  # of the held-out rows, judged one by one, at least
_JUDGED_DRAWS, _MOST_DRAWS = 2000, 8  # draws that judge: in all at least, if a row may have so many
_PAYS = 20_000  # steps from which compiling saves more time than it takes
_MANY = 30_000_000  # operations of a batch's products of matrices, for which several threads pay


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
    if (n_rows := len(program.train[0])) < 2:
        raise ConfigError(f"rows to train with: expected 2 or more, got {n_rows}; hold fewer out, or give more")
    with _alone(device):
        training = _Training(program, config, seed, device)
        keep = None
        if checkpoint is not None:
            whole = {**identity, **_identity(program, config, seed, device)}
            keep = Checkpoint(str(checkpoint), config.checkpoint_every, whole, SAFETENSORS)
        if state := None if keep is None else keep.load():
            training.loop.restore(state)
        tell = Told(progress, training.loop.course.steps)
        timings = training.run(Watchers(tell, Words(report), keep))
        return training.draws(timings)


class _Training:
    def __init__(self, program: AmortisedProgram, config: AmortisedConfig, seed: int, device: str) -> None:
        self._config, self._seed, self._device = config, seed, device
        rows, self._held_out = (tuple(t.to(device) for t in tensors) for tensors in (program.train, program.held_out))
        n_rows = len(rows[0])
        self._batch_size = min(config.batch_size, n_rows)
        self._batch = tuple(tensor[: self._batch_size] for tensor in rows)
        self._learned = Learned.of(program.module, device)
        course = Course(config, n_rows // self._batch_size)
        self.loop = Loop(course, self._learned, rows, self._batch_size, seed)
        self._writer = Writer(program, self._learned, config, device)

    def run(self, watchers: Watchers) -> dict[str, float]:
        """Prepare steps and make them, unless that is done; return seconds."""
        loop, began = self.loop, time.perf_counter()
        watchers.tell(loop.done)
        if not loop.course.ended:
            step = self._step(watchers)
            judge = self._judge() if self._held_out and len(self._held_out[0]) else None
        ready = time.perf_counter()
        if not loop.course.ended:
            watchers.words.begin()
            loop.run(step, judge, watchers)
        watchers.tell(loop.course.steps - loop.done)
        return {"compile": ready - began, "optimize": time.perf_counter() - ready}

    def draws(self, timings: Mapping[str, float]) -> Draws:
        """Return what came of it."""
        loop, plan, asked = self.loop, self.loop.plan, self._config.batch_size
        assert plan is not None
        few = f"all rows are one batch: they are fewer than {asked:,}" if self._batch_size < asked else ""
        note = "; ".join(text for text in (few, plan.note) if text)
        return Draws(
            kind="point",
            values={},
            timings=timings,
            engine={
                "pyro": str(pyro.__version__),
                "torch": str(torch.__version__),
                "method": self._config.method,
                **loop.course.said(),
                "compiled": plan.compiled,
                "threads": plan.threads,
                "batch_size": self._batch_size,
                "device": self._device,
                **({"note": note} if note else {}),
            },
            groups={
                "history": loop.course.history(),
                "weights": {name: tensor.cpu().numpy() for name, tensor in loop.best.items()},
            },
        )

    def _step(self, watchers: Watchers) -> Step:
        """Return the step, compiled where that pays and can be done, by as many threads as the work is worth."""
        config, loop = self._config, self.loop
        n_operations, required = self._writer.check(self._batch), config.compile == "always" or loop.plan is not None
        plan = loop.plan or planned(config, loop.course.steps, n_operations)
        torch.set_num_threads(plan.threads)
        if plan.compiled:
            watchers.words.now("compiling the step")
            try:
                step = compiled_step(self._writer, self._learned, self._batch)
            except ConfigError as error:
                if required:
                    raise
                plan = Plan(plan.threads, False, str(error))
        loop.plan = plan
        return step if plan.compiled else self._plain_step()

    def _plain_step(self) -> Step:
        graph = self._writer.gradients(self._batch)
        if self._device == "cuda":  # where TorchScript fuses operations after some runs, which changes their bits
            return plain_step(graph, self._learned)
        try:
            return plain_step(scripted(graph, self._writer.given(self._batch)), self._learned)
        except RuntimeError:  # it knows no gradients of convolutions
            return plain_step(graph, self._learned)

    def _judge(self) -> Callable[[], Judgement]:
        """Return what tells the bound of the held-out rows, always by the same draws: epochs are compared.

        Of few rows there are several draws each.
        """
        config, learned, n_rows = self._config, self._learned, len(self._held_out[0])
        n_draws = min(_MOST_DRAWS, -(-_JUDGED_DRAWS // n_rows))
        size = max(1, min(_CHUNK, -(-n_rows // _PARTS))) * n_draws
        rows = [tensor.repeat_interleave(n_draws, dim=0) for tensor in self._held_out]
        chunks = list(zip(*(torch.split(tensor, size) for tensor in rows), strict=True))
        graphs = {n: self._writer.judged(chunk) for n, chunk in {len(chunk[0]): chunk for chunk in chunks}.items()}

        def judge() -> Judgement:
            reseed(self._seed, _JUDGED)
            found = [graphs[len(chunk[0])](*chunk, *learned.weights.values()) for chunk in chunks]
            shares = torch.tensor([len(chunk[0]) / len(rows[0]) for chunk in chunks], dtype=torch.float64)
            terms = (torch.stack(parts, -1).cpu().double() @ shares for parts in zip(*found, strict=True))
            whole = Terms(*terms)
            loss = whole.loss(config.beta, config.free_bits)
            parts = tuple(float(Terms(*part).loss(config.beta, config.free_bits)) for part in found)
            return Judgement(float(loss), float(whole.reconstruction), float(whole.divergence.sum()), parts, n_rows)

        return judge


def planned(config: AmortisedConfig, n_steps: int, n_operations: int) -> Plan:
    """Return how steps are to be computed, by numbers that are known before the first one.

    Parameters
    ----------
    config
        What was asked for.
    n_steps
        How many there may be.
    n_operations
        Of the products of matrices in a batch's bound.
    """
    threads = torch.get_num_threads() if n_operations >= _MANY else 1
    return Plan(threads, config.compile == "always" or (config.compile == "auto" and n_steps >= _PAYS))


def _identity(program: AmortisedProgram, config: AmortisedConfig, seed: int, device: str) -> dict[str, str]:
    weights = dict(program.module.state_dict())
    return {
        "the size of the networks": digest_of_arguments({name: tuple(leaf.shape) for name, leaf in weights.items()}),
        "the data": digest_of_arguments(program.train, program.held_out),
        "the seed": str(seed),
        **{f"option '{name}'": repr(value) for name, value in config.model_dump(exclude={"checkpoint_every"}).items()},
        "the device": device,
        "what networks begin with": digest_of_arguments(weights),
        "the version of bayeskit": metadata.version("bayeskit"),
        "the version of torch": str(torch.__version__),
        "the version of pyro": str(pyro.__version__),
    }


@contextmanager
def _alone(device: str) -> Iterator[None]:
    """Leave torch's generators and threads and Pyro's parameters as they were; sums on a GPU in a fixed order."""
    threads = torch.get_num_threads()
    devices = [] if device == "cpu" else [torch.cuda.current_device()]
    fixed = torch.backends.cudnn.flags(benchmark=False, deterministic=True) if devices else nullcontext()
    try:
        with torch.random.fork_rng(devices=devices), pyro.get_param_store().scope(), torch.no_grad(), fixed:
            yield
    finally:
        torch.set_num_threads(threads)
