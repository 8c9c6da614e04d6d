"""The epochs of a training: batches, steps, the held-out rows, and a state that is kept between steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bayeskit.core.errors import InferenceError
from bayeskit.inference._amortised_course import Course, Judgement
from bayeskit.inference._amortised_interrupts import Postponed
from bayeskit.inference._amortised_objective import Tensors
from bayeskit.inference._amortised_steps import STATISTICS, Learned, Step
from bayeskit.inference._checkpoints import Checkpoint
from bayeskit.inference._svi_context import reseed, stream
from bayeskit.inference._told import Progress, Told

if TYPE_CHECKING:
    from bayeskit.inference.amortised import Report

_SHUFFLE, _DRAW = 11, 12  # streams of their own
_WATCHED = 20  # steps after which their statistics are looked at: each look waits for the GPU
_BETWEEN = 0.2  # seconds


class Loop:
    """The state of a training, and how it goes on.

    Parameters
    ----------
    course
        Its history.
    learned
        What it changes.
    rows
        Tensors of as many rows each, on the device.
    batch_size
        Rows a step.
    step
        Changes what is learned.
    judge
        Tells the bound of the held-out rows; None where there are none.
    seed
        Of all that is random.
    """

    def __init__(
        self,
        course: Course,
        learned: Learned,
        rows: Tensors,
        batch_size: int,
        step: Step,
        judge: Callable[[], Judgement] | None,
        seed: int,
    ) -> None:
        self.course, self._learned = course, learned
        self._rows, self._batch_size, self._step, self._judge, self._seed = rows, batch_size, step, judge, seed
        self._done = 0  # steps of this epoch
        self._new: list[torch.Tensor] = []
        self._seen = np.empty((0, len(STATISTICS)), np.float32)  # of this epoch
        self.best = {name: tensor.clone() for name, tensor in learned.weights().items()}
        self._moving = False

    def run(self, progress: Progress | None, report: Report | None, checkpoint: Checkpoint | None) -> None:
        """Go through epochs until there were enough, or the bound has settled.

        Raises
        ------
        InferenceError
            If the bound is no number.
        """
        tell = Told(progress, self.course.steps)
        tell(self.course.epochs * self.course.n_batches + self._done)
        words = _Words(report, self)
        try:
            with Postponed() as interrupted:
                while not self.course.ended:
                    self._epoch(tell, words, checkpoint, interrupted)
        except KeyboardInterrupt:
            if checkpoint is not None and not self._moving:
                checkpoint.save(self.state())
            raise
        tell(self.course.steps - self.course.epochs * self.course.n_batches)
        if checkpoint is not None:
            checkpoint.save(self.state())

    def state(self) -> dict[str, Any]:
        """Return all that a run needs to go on."""
        self._look()
        course, learned = self.course, self._learned
        kept = {"parameters": learned.parameters, "buffers": learned.buffers, "best": self.best}
        kept |= {"first": learned.first, "second": learned.second}
        return {
            **{f"{group}/{name}": tensor for group, tensors in kept.items() for name, tensor in tensors.items()},
            **{f"history/{name}": torch.tensor(row, dtype=torch.float64) for name, row in course.columns.items()},
            "statistics": torch.tensor(self._seen),
            "best_epoch": course.best_epoch,
            "best_loss": course.best_loss if course.best_epoch else None,  # JSON knows no infinity
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        learned, course = self._learned, self.course
        kept = {"parameters": learned.parameters, "buffers": learned.buffers, "best": self.best}
        kept |= {"first": learned.first, "second": learned.second}
        for group, tensors in kept.items():
            for name, tensor in tensors.items():
                tensor.copy_(state[f"{group}/{name}"])
        head = "history/"
        course.columns = {name[len(head) :]: row.tolist() for name, row in state.items() if name.startswith(head)}
        self._seen, self._new = state["statistics"].numpy(), []
        self._done = len(self._seen)
        if state["best_epoch"]:
            course.best_epoch, course.best_loss = state["best_epoch"], state["best_loss"]

    def recent(self) -> Judgement | None:
        """Return the mean of this epoch's statistics so far; None where nothing was looked at yet."""
        if not len(self._seen):
            return None
        _, judged, reconstruction, kl = self._seen.mean(0, dtype=np.float64)
        return Judgement(judged, reconstruction, kl)

    def _epoch(self, tell: Told, words: _Words, checkpoint: Checkpoint | None, interrupted: Callable[[], bool]) -> None:
        epoch, size = self.course.epochs, self._batch_size
        rng = stream(self._seed, _SHUFFLE, epoch)
        order = torch.from_numpy(rng.permutation(len(self._rows[0]))).to(self._rows[0].device)
        while self._done < self.course.n_batches:
            at = self._done
            batch = tuple(rows[order[at * size : (at + 1) * size]] for rows in self._rows)
            done = epoch * self.course.n_batches + at
            self._moving = True
            reseed(self._seed, _DRAW, done)
            self._new.append(self._step(batch, self.course.pace(done)))
            self._done += 1
            self._moving = False
            if len(self._new) >= _WATCHED:
                self._look()
            tell(1)
            words(size)
            self._between(checkpoint, interrupted)
        self._look()
        self._finish()
        self._between(checkpoint, interrupted)

    def _finish(self) -> None:
        """Judge an epoch, and begin the next."""
        trained = self.recent()
        assert trained is not None
        held_out = None if self._judge is None else self._judge()
        if held_out is not None and not np.isfinite(held_out.loss):
            raise self._astray("the bound of the held-out rows", self._done)
        self._moving = True
        if self.course.add(trained, held_out):
            for name, tensor in self._learned.weights().items():
                self.best[name].copy_(tensor)
        self._done, self._seen = 0, self._seen[:0]
        self._moving = False

    def _between(self, checkpoint: Checkpoint | None, interrupted: Callable[[], bool]) -> None:
        if checkpoint is not None:
            checkpoint.offer(self.state)
        if interrupted():
            raise KeyboardInterrupt

    def _look(self) -> None:
        """Take note of the statistics of steps that nobody looked at yet."""
        if not self._new:
            return
        found = torch.stack(self._new).cpu().numpy()
        before, self._new = len(self._seen), []
        self._seen = np.concatenate([self._seen, found])
        wrong = np.flatnonzero(~np.isfinite(found).all(1))
        if wrong.size:
            raise self._astray("the bound", before + int(wrong[0]) + 1)

    def _astray(self, what: str, step: int) -> InferenceError:
        config, done = self.course.config, self.course.epochs * self.course.n_batches + step
        clip = "a clip, as 1" if config.clip is None else f"a smaller clip than {config.clip:g}"
        return InferenceError(
            f"{what} is no number in epoch {self.course.epochs + 1:,}, step {done:,}; give a smaller learning rate "
            f"than {config.learning_rate:g}, or {clip}"
        )


class _Words:
    """Tells how far a training is, in a few words, now and then."""

    def __init__(self, report: Report | None, loop: Loop) -> None:
        self._report, self._loop, self._rows = report, loop, 0
        self._began = self._last = time.monotonic()

    def __call__(self, rows: int) -> None:
        self._rows += rows
        now = time.monotonic()
        if self._report is None or now - self._last < _BETWEEN:
            return
        self._last = now
        self._report(self._text(self._rows / (now - self._began)))

    def _text(self, rate: float) -> str:
        recent, columns = self._loop.recent(), self._loop.course.columns
        held = columns.get("held_out_elbo")
        elbo = columns["elbo"][-1] if recent is None and "elbo" in columns else None if recent is None else recent.elbo
        parts = [] if elbo is None else [f"ELBO {elbo:.1f}" + (f" (held out {held[-1]:.1f})" if held else "")]
        return ", ".join([*parts, f"{rate:,.0f} rows/s"])
