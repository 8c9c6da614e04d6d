"""The steps of a variational fit: watched for what is no number, kept in a checkpoint, recorded where that works."""

from __future__ import annotations

from typing import Any

import torch

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._checkpoints import Checkpoint
from bayeskit.inference._svi_blame import blamed
from bayeskit.inference._svi_context import generator_state, set_generator_state
from bayeskit.inference._svi_objective import Estimate
from bayeskit.inference._svi_optimiser import Adam, Course
from bayeskit.inference._svi_parameters import Function, agrees, gradient, gradient_at, recorded
from bayeskit.inference._svi_prepare import Ready
from bayeskit.inference._told import Told
from bayeskit.inference.svi import Progress, SVIConfig

_RECORD_FROM = 300  # steps: recording takes as long as so many
_MOST_PARTICLES = 16  # each is written down by itself
_CHECK_EVERY = 1000  # steps after which the recorded ones are held against the program again


class Loop:
    """The state of a fit, and how it goes on.

    Parameters
    ----------
    ready
        Program, guide and parameters.
    config
        How it runs.
    device
        Where.
    checkpoint
        Where the state is kept; None for nowhere.
    """

    def __init__(self, ready: Ready, config: SVIConfig, device: str, checkpoint: Checkpoint | None) -> None:
        self._ready, self._config, self._device, self._checkpoint = ready, config, device, checkpoint
        self._graph: Function | None = None
        self._optimiser = Adam.at(ready.parameters.flat)
        self._before: torch.Tensor | None = None
        self._moving = False
        self.course = Course()
        self.recorded = False
        self.note = ""

    def begin(self) -> None:
        """Read the checkpoint, if there is one, and record a step."""
        state = None if self._checkpoint is None else self._checkpoint.load()
        if state is not None:
            self._restore(state)
        left = self._config.steps - len(self.course.losses)
        small = self._config.particles <= _MOST_PARTICLES
        if self._config.record and small and left >= _RECORD_FROM and not self.course.ended:
            ready = self._ready
            function = gradient_at(ready.objective, ready.parameters)
            self._graph = recorded(function, ready.parameters.flat, self._by_program, self._device)
            self.recorded = self._graph is not None

    def run(self, progress: Progress | None) -> None:
        """Take steps until the bound has settled, or there were enough.

        Raises
        ------
        InferenceError, ProgramError
            If the bound or its gradient is no number.
        """
        tell = Told(progress, self._config.steps)
        tell(len(self.course.losses))
        try:
            while not self.course.ended:
                self._step()
                tell(1)
                if self._checkpoint is not None:
                    self._checkpoint.offer(self._state)
        except KeyboardInterrupt:
            self._keep()
            raise
        tell(self._config.steps - len(self.course.losses))

    def _step(self) -> None:
        before = self._before = generator_state(self._device)
        rate = self.course.rate(self._config)
        try:
            loss, found = self._evaluate()
        except ProgramError:
            raise
        except Exception:
            raise self._blamed(before, rate) from None
        if not (torch.isfinite(loss) and torch.isfinite(found.sum())):
            raise self._blamed(before, rate)
        self._moving = True
        self._optimiser.move(self._ready.parameters.flat, found, rate, self._config.clip)
        self.course.add(float(loss), rate, self._config)
        self._before, self._moving = None, False

    def _keep(self) -> None:
        """Write the state of the last whole step, wherever in a step this comes; while it changes there is none."""
        if self._checkpoint is None or self._moving:
            return
        if self._before is not None:
            set_generator_state(self._device, self._before)
        self._checkpoint.save(self._state())

    def _evaluate(self) -> Estimate:
        graph, flat = self._graph, self._ready.parameters.flat
        if graph is None:
            return self._by_program()
        steps = len(self.course.losses)
        if steps % _CHECK_EVERY == 0 and steps and not agrees(graph, flat, self._by_program, self._device):
            self._graph, self.recorded = None, False
            self.note = "the program does not do the same each time; its steps were recorded until that was seen"
            return self._by_program()
        found: Estimate = graph(flat)
        return found

    def _by_program(self) -> Estimate:
        return gradient(self._ready.objective, self._ready.parameters)

    def _blamed(self, generator: torch.Tensor, rate: float) -> Exception:
        set_generator_state(self._device, generator)
        ready = self._ready
        return blamed(ready.pair, ready.objective, ready.parameters, len(self.course.losses) + 1, rate)

    def _state(self) -> dict[str, Any]:
        course = self.course
        return {
            "shapes": {name: list(shape) for name, shape in self._ready.parameters.shapes.items()},
            "flat": self._ready.parameters.flat.clone(),
            "first": self._optimiser.first.clone(),
            "second": self._optimiser.second.clone(),
            "generator": generator_state(self._device),
            "losses": torch.tensor(course.losses, dtype=torch.float64, device="cpu"),
            "rates": torch.tensor(course.rates, dtype=torch.float64, device="cpu"),
            "course": {
                name: getattr(course, name) for name in ("level", "streak", "since", "settled", "ended", "change")
            },
        }

    def _restore(self, state: dict[str, Any]) -> None:
        parameters = self._ready.parameters
        if state["shapes"] != {name: list(shape) for name, shape in parameters.shapes.items()}:
            raise ConfigError("the checkpoint is of a guide with other parameters; remove it to start anew")
        steps = len(state["losses"])
        parameters.flat.copy_(state["flat"])
        self._optimiser.first.copy_(state["first"])
        self._optimiser.second.copy_(state["second"])
        self._optimiser.steps = steps
        self.course = Course(state["losses"].tolist(), state["rates"].tolist(), **state["course"])
        set_generator_state(self._device, state["generator"])
