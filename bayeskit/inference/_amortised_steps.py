"""One step of training as tensor operations without Pyro, which are run one by one; and what steps change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from bayeskit.inference._amortised_objective import Tensors
from bayeskit.inference._svi_optimiser import BETAS, EPSILON

STATISTICS = ("loss", "judged", "reconstruction", "kl")
"""What a step gives, on average over its rows: ``judged`` is the loss at the divergence's final weight."""


@dataclass
class Learned:
    """What training changes, in place.

    Parameters
    ----------
    parameters, buffers
        By name in the module; parameters that want no gradient are among the buffers.
    first, second
        Adam's running means of gradients and of their squares, by parameter.
    """

    parameters: dict[str, torch.Tensor]
    buffers: dict[str, torch.Tensor]
    first: dict[str, torch.Tensor]
    second: dict[str, torch.Tensor]

    @classmethod
    def of(cls, module: torch.nn.Module, device: str) -> Learned:
        """Return copies of a module's parameters and buffers, before any step."""
        leaves = dict(module.named_parameters())
        parameters = {name: _copy(leaf, device) for name, leaf in leaves.items() if leaf.requires_grad}
        others = {**leaves, **dict(module.named_buffers())}
        buffers = {name: _copy(leaf, device) for name, leaf in others.items() if name not in parameters}
        zeros = [{name: torch.zeros_like(leaf) for name, leaf in parameters.items()} for _ in range(2)]
        return cls(parameters, buffers, *zeros)

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """Parameters and buffers by name, as they are: no copies."""
        return {**self.parameters, **self.buffers}

    @property
    def all(self) -> dict[str, torch.Tensor]:
        """All of its tensors, each by its group and its name: no copies."""
        groups = ("parameters", "first", "second", "buffers")
        return {f"{group}/{name}": tensor for group in groups for name, tensor in getattr(self, group).items()}


@dataclass(frozen=True)
class Pace:
    """What a step is told, besides its rows: learning rate, weight of the divergence, and its number from 1."""

    rate: float
    weight: float
    number: int


@dataclass(frozen=True)
class Plan:
    """How steps are computed, on which their last bits depend: a run goes on as it began.

    Parameters
    ----------
    threads
        How many work on an operation.
    compiled
        Whether the step is compiled.
    note
        What there is to say of it.
    """

    threads: int
    compiled: bool
    note: str = ""


class Step(Protocol):
    """Changes what is learned, in place."""

    def __call__(self, batch: Tensors, pace: Pace) -> torch.Tensor:
        """Return the step's statistics; torch's generator is where it draws from."""
        ...


def plain_step(gradients: Callable[..., Any], learned: Learned) -> Step:
    """Return a step of some operations, then torch's fused Adam.

    Parameters
    ----------
    gradients
        Gives statistics and gradients from weight, batch, parameters and buffers.
    learned
        What the step changes.
    """
    parameters, first, second, buffers = (
        list(tensors.values()) for tensors in (learned.parameters, learned.first, learned.second, learned.buffers)
    )
    device = parameters[0].device

    def step(batch: Tensors, pace: Pace) -> torch.Tensor:
        weight, number = torch.tensor([pace.weight, pace.number], dtype=torch.float32, device=device).unbind()
        with torch.no_grad():
            statistics, *found = gradients(weight, *batch, *parameters, *buffers)
            torch._fused_adam_(
                parameters, found, first, second, [], [number] * len(parameters), lr=pace.rate, beta1=BETAS[0],
                beta2=BETAS[1], weight_decay=0.0, eps=EPSILON, amsgrad=False, maximize=False,
            )  # fmt: skip
        return torch.as_tensor(statistics)

    return step


def _copy(leaf: torch.Tensor, device: str) -> torch.Tensor:
    return leaf.detach().to(device, copy=True)
