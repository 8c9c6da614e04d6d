"""One step of training as tensor operations without Pyro, written down once: compiled as a whole, or run one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.func import functional_call

from bayeskit.core.errors import ProgramError
from bayeskit.inference._amortised_objective import Bound, Tensors, Terms
from bayeskit.inference._svi_context import computing
from bayeskit.inference._svi_optimiser import BETAS, EPSILON

if TYPE_CHECKING:
    from bayeskit.inference.amortised import AmortisedConfig

STATISTICS = ("loss", "judged", "reconstruction", "kl")
"""What a step gives, on average over its rows: ``judged`` is the loss at the divergence's final weight."""

Graph = Callable[..., Any]


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

    def weights(self) -> dict[str, torch.Tensor]:
        """Return parameters and buffers by name, as they are: not copies."""
        return {**self.parameters, **self.buffers}


@dataclass(frozen=True)
class Pace:
    """What a step is told, besides its rows: learning rate, weight of the divergence, and its number from 1."""

    rate: float
    weight: float
    number: int


class Step(Protocol):
    """Changes what is learned, in place."""

    def __call__(self, batch: Tensors, pace: Pace) -> torch.Tensor:
        """Return the step's statistics; torch's generator is where it draws from."""
        ...


class Writer:
    """Writes functions of a batch and of a program's parameters down as tensor operations.

    Parameters
    ----------
    bound
        Of the program.
    learned
        Parameters and buffers to try them with; they stay as they are.
    config
        How networks are trained.
    device
        Where.
    """

    def __init__(self, bound: Bound, learned: Learned, config: AmortisedConfig, device: str) -> None:
        self._bound, self._config, self._device = bound, config, device
        self._learned = learned

    def gradients(self, batch: Tensors) -> Graph:
        """Return a function of weight, batch, parameters and buffers that gives statistics and clipped gradients."""
        n_batch, n = len(batch), len(self._learned.parameters)

        def function(weight: torch.Tensor, *tensors: torch.Tensor) -> Tensors:
            parameters, buffers = tensors[n_batch : n_batch + n], tensors[n_batch + n :]
            return self._differentiated(tensors[:n_batch], parameters, buffers, weight)

        learned = self._learned
        given = (torch.ones((), device=self._device), *batch, *learned.parameters.values(), *learned.buffers.values())
        return self._written(function, given, training=True)

    def judged(self, batch: Tensors) -> Graph:
        """Return a function of batch, parameters and buffers that gives the terms of the bound."""
        n_batch, n = len(batch), len(self._learned.parameters)

        def function(*tensors: torch.Tensor) -> Tensors:
            terms = self._terms(tensors[:n_batch], tensors[n_batch : n_batch + n], tensors[n_batch + n :])
            return terms.reconstruction, terms.divergence

        return self._written(function, (*batch, *self._learned.weights().values()), training=False)

    def _differentiated(self, batch: Tensors, parameters: Tensors, buffers: Tensors, weight: torch.Tensor) -> Tensors:
        config = self._config
        leaves = tuple(parameter.detach().requires_grad_() for parameter in parameters)
        with torch.enable_grad():
            terms = self._terms(batch, leaves, buffers)
            loss = terms.loss(weight, config.free_bits)
            found = torch.autograd.grad(loss, leaves, allow_unused=True)
        judged = terms.loss(config.beta, config.free_bits)
        statistics = torch.stack([loss, judged, terms.reconstruction, terms.divergence.sum()]).detach()
        gradients = [torch.zeros_like(leaf) if part is None else part for part, leaf in zip(found, leaves, strict=True)]
        if config.clip is not None:
            gradients = [part.clamp(-config.clip, config.clip) for part in gradients]
        return statistics, *(part.detach() for part in gradients)

    def _terms(self, batch: Tensors, parameters: Tensors, buffers: Tensors) -> Terms:
        names = [*self._learned.parameters, *self._learned.buffers]
        replaced = {f"module.{name}": leaf for name, leaf in zip(names, (*parameters, *buffers), strict=True)}
        with mixed_precision(self._device):
            terms: Terms = functional_call(self._bound, replaced, (batch,))
        return Terms(terms.reconstruction.float(), terms.divergence.float())

    def _written(self, function: Graph, given: Tensors, *, training: bool) -> Graph:
        from torch.fx.experimental.proxy_tensor import make_fx

        copies = tuple(tensor.clone() for tensor in given)
        try:
            with _mode(self._bound.module, training=training), computing(self._device, torch.float32), torch.no_grad():
                return make_fx(function)(*copies)
        except ProgramError:
            raise
        except Exception as error:  # all that a tracer trips over
            raise ProgramError(
                f"model and guide cannot be written down as tensor operations: {type(error).__name__} "
                f"({' '.join(str(error).split())[:300]}); keep Python code from looking at the values of tensors"
            ) from error


def plain_step(writer: Writer, learned: Learned, batch: Tensors) -> Step:
    """Return a step that runs its operations one by one, then torch's fused Adam."""
    graph = writer.gradients(batch)
    lists = [list(tensors.values()) for tensors in (learned.parameters, learned.first, learned.second)]
    parameters, first, second = lists
    buffers = list(learned.buffers.values())
    device = parameters[0].device

    def step(batch: Tensors, pace: Pace) -> torch.Tensor:
        with torch.no_grad():
            weight = torch.tensor(pace.weight, device=device)
            statistics, *gradients = graph(weight, *batch, *parameters, *buffers)
            counts = [torch.tensor(float(pace.number), device=device)] * len(parameters)
            torch._fused_adam_(
                parameters, gradients, first, second, [], counts, lr=pace.rate, beta1=BETAS[0], beta2=BETAS[1],
                weight_decay=0.0, eps=EPSILON, amsgrad=False, maximize=False,
            )  # fmt: skip
        found: torch.Tensor = statistics
        return found

    return step


def mixed_precision(device: str) -> Any:
    """Have products of matrices in bfloat16 on a GPU; parameters and sums stay of single precision."""
    return torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if device == "cuda" else nullcontext()


@contextmanager
def _mode(module: torch.nn.Module, *, training: bool) -> Iterator[None]:
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, mode in before.items():
            part.training = mode


def _copy(leaf: torch.Tensor, device: str) -> torch.Tensor:
    return leaf.detach().to(device, copy=True)
