"""The epochs of a training: batches, steps, the held-out rows, and a state that is whole between two steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from bayeskit.core.errors import InferenceError
from bayeskit.inference._amortised_course import Course, Judgement
from bayeskit.inference._amortised_interrupts import Postponed
from bayeskit.inference._amortised_objective import Tensors
from bayeskit.inference._amortised_steps import STATISTICS, Learned, Plan, Step
from bayeskit.inference._amortised_words import Words
from bayeskit.inference._checkpoints import Checkpoint
from bayeskit.inference._svi_context import stream
from bayeskit.inference._told import Told

_EPOCH = 11  # tells the streams of epochs from others at the same seed
_WATCHED = 20  # steps after which their statistics are looked at: each look waits for the GPU


@dataclass(frozen=True)
class Watchers:
    """Who is told how far a training is: with numbers of steps, in words, and a file; None for nobody."""

    tell: Told
    words: Words
    checkpoint: Checkpoint | None


class Loop:
    """The state of a training, and how it goes on.

    Parameters
    ----------
    course
        Its history.
    learned
        What it changes.
    rows
        Tensors of as many rows each, where the computing is.
    batch_size
        Rows a step.
    seed
        Of all that is random.
    """

    def __init__(self, course: Course, learned: Learned, rows: Tensors, batch_size: int, seed: int) -> None:
        self.course, self._learned, self._rows, self._batch_size, self._seed = course, learned, rows, batch_size, seed
        self.best = {name: tensor.clone() for name, tensor in learned.weights.items()}
        self._done = 0  # steps of this epoch
        self._unseen: list[torch.Tensor] = []
        self._seen = np.empty((0, len(STATISTICS)), np.float32)  # of this epoch
        self._moving = False
        self.plan: Plan | None = None

    @property
    def done(self) -> int:
        """Steps made so far."""
        return self.course.epochs * self.course.n_batches + self._done

    def run(self, step: Step, judge: Callable[[], Judgement] | None, watchers: Watchers) -> None:
        """Go through epochs until there were enough, or the bound has settled.

        Parameters
        ----------
        step
            Changes what is learned.
        judge
            Tells the bound of the held-out rows; None where there are none.
        watchers
            Are told.

        Raises
        ------
        InferenceError
            If the bound is no number.
        """
        checkpoint = watchers.checkpoint
        try:
            with Postponed() as interrupted:
                while not self.course.ended:
                    for _ in self._steps(step):
                        self._between(watchers, interrupted)
                    self._finish(None if judge is None else judge())
                if interrupted():
                    raise KeyboardInterrupt
        except (KeyboardInterrupt, SystemExit):
            if checkpoint is not None and not self._moving:
                checkpoint.save(self.state())
            raise
        if checkpoint is not None:
            checkpoint.save(self.state())

    def state(self) -> dict[str, Any]:
        """Return all that a run needs to go on."""
        self._look()
        course = self.course
        return {
            **self._kept,
            **{f"history/{name}": torch.tensor(row, dtype=torch.float64) for name, row in course.columns.items()},
            "plan": None if self.plan is None else asdict(self.plan),
            "statistics": torch.tensor(self._seen),
            "best_epoch": course.best_epoch,
            "best_loss": course.best_loss if course.best_epoch else None,  # JSON knows no infinity
            "best_parts": list(course.best_parts),
            "behind": course.behind,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name, tensor in self._kept.items():
            tensor.copy_(state[name])
        head, course = "history/", self.course
        course.columns = {name[len(head) :]: row.tolist() for name, row in state.items() if name.startswith(head)}
        self._seen = state["statistics"].numpy()
        self._done = len(self._seen)
        self.plan = Plan(**state["plan"])
        course.best_parts, course.behind = tuple(state["best_parts"]), state["behind"]
        if state["best_epoch"]:
            course.best_epoch, course.best_loss = state["best_epoch"], state["best_loss"]

    def recent(self) -> Judgement | None:
        """Return the mean of this epoch's statistics so far; None where nobody looked at any yet."""
        if not len(self._seen):
            return None
        _, judged, reconstruction, kl = self._seen.mean(0, dtype=np.float64)
        return Judgement(float(judged), float(reconstruction), float(kl))

    @property
    def _kept(self) -> dict[str, torch.Tensor]:
        return {**self._learned.all, **{f"best/{name}": tensor for name, tensor in self.best.items()}}

    def _steps(self, step: Step) -> Iterator[None]:
        """Make the epoch's steps that are not made yet."""
        course, size, device = self.course, self._batch_size, self._rows[0].device
        rng = stream(self._seed, _EPOCH, course.epochs)
        order = torch.from_numpy(rng.permutation(len(self._rows[0]))).to(device)
        seeds = rng.integers(2**63, size=course.n_batches).tolist()
        generator = torch.default_generator if device.type == "cpu" else torch.cuda.default_generators[device.index]
        while self._done < course.n_batches:
            at = self._done
            chosen = order[at * size : (at + 1) * size]
            batch = tuple(rows.index_select(0, chosen) for rows in self._rows)
            self._moving = True
            generator.manual_seed(seeds[at])
            self._unseen.append(step(batch, course.pace(self.done)))
            self._done += 1
            self._moving = False
            if len(self._unseen) >= _WATCHED:
                self._look()
            yield
        self._look()

    def _between(self, watchers: Watchers, interrupted: Callable[[], bool]) -> None:
        watchers.tell(1)
        watchers.words(self._batch_size, self.recent, self.course)
        if watchers.checkpoint is not None:
            watchers.checkpoint.offer(self.state)
        if interrupted():
            raise KeyboardInterrupt

    def _finish(self, held_out: Judgement | None) -> None:
        """End an epoch, and begin the next."""
        if held_out is not None and not np.isfinite(held_out.loss):
            raise self._astray("the bound of the held-out rows", self._done)
        trained = self.recent()
        assert trained is not None
        self._moving = True
        if self.course.add(trained, held_out):
            for name, tensor in self._learned.weights.items():
                self.best[name].copy_(tensor)
        self._done, self._seen = 0, self._seen[:0]
        self._moving = False

    def _look(self) -> None:
        """Take note of the statistics of steps that nobody looked at yet."""
        if not self._unseen:
            return
        found = torch.stack(self._unseen).cpu().numpy()
        before, self._unseen = len(self._seen), []
        self._seen = np.concatenate([self._seen, found])
        wrong = np.flatnonzero(~np.isfinite(found).all(1))
        if wrong.size:
            raise self._astray("the bound", before + int(wrong[0]) + 1)

    def _astray(self, what: str, step: int) -> InferenceError:
        config, epoch, n_batches = self.course.config, self.course.epochs, self.course.n_batches
        clip = "clip gradients, at 1 for example" if config.clip is None else f"a smaller clip than {config.clip:g}"
        return InferenceError(
            f"{what} is no number in epoch {epoch + 1:,}, step {epoch * n_batches + step:,}; give a smaller learning "
            f"rate than {config.learning_rate:g}, or {clip}"
        )
