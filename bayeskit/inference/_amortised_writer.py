"""Writes a program down as tensor operations: what is recorded once runs without Python code of the program's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from bayeskit.core.errors import ProgramError
from bayeskit.inference._amortised_mixed import MixedPrecision
from bayeskit.inference._amortised_objective import Bound, Tensors, Terms
from bayeskit.inference._amortised_steps import Learned
from bayeskit.inference._svi_context import checking, computing, told
from bayeskit.inference._svi_optimiser import BETAS, EPSILON

if TYPE_CHECKING:
    from bayeskit.inference.amortised import AmortisedConfig, AmortisedProgram


class Writer:
    """Writes down functions of a batch and of what a program has learned.

    Parameters
    ----------
    program
        Model, guide and module.
    learned
        To try the functions with; it stays as it is.
    config
        How networks are trained.
    device
        Where.
    """

    def __init__(self, program: AmortisedProgram, learned: Learned, config: AmortisedConfig, device: str) -> None:
        self._bound, self._learned, self._config, self._device = Bound(program), learned, config, device

    def check(self, batch: Tensors) -> int:
        """Run the program once with all of Pyro's checks, and return how many operations products of matrices take.

        Raises
        ------
        ProgramError
            If it fails.
        """
        try:
            with self._alone(training=False), checking(), FlopCounterMode(display=False) as counter:
                self._terms(batch, tuple(self._learned.weights.values()))
        except ProgramError:
            raise
        except Exception as error:  # whatever the user's functions raise
            raise ProgramError(f"model and guide fail on {len(batch[0])} rows: {told(error)}; correct them") from error
        return int(counter.get_total_flops())

    def gradients(self, batch: Tensors) -> torch.fx.GraphModule:
        """Return a function of weight, batch, parameters and buffers that gives statistics and clipped gradients."""
        n_batch, n = len(batch), len(self._learned.parameters)

        def function(weight: torch.Tensor, *tensors: torch.Tensor) -> Tensors:
            parameters, buffers = tensors[n_batch : n_batch + n], tensors[n_batch + n :]
            return self._differentiated(tensors[:n_batch], parameters, buffers, weight)

        return self._written(function, self.given(batch), training=True)

    def given(self, batch: Tensors) -> Tensors:
        """Return copies of what ``gradients`` is called with."""
        given = (torch.ones((), device=self._device), *batch, *self._learned.weights.values())
        return tuple(tensor.clone() for tensor in given)

    def whole(self, numbers: torch.Tensor, batch: Tensors) -> torch.fx.GraphModule:
        """Return a function of numbers, batch and all that is learned that takes a step and gives its statistics.

        The numbers are Adam's step size, the divisor of the root of the second means, and the divergence's weight.
        """
        n_batch, n = len(batch), len(self._learned.parameters)

        def function(numbers: torch.Tensor, *tensors: torch.Tensor) -> Tensors:
            cuts = [n_batch, *(n_batch + k * n for k in (1, 2, 3))]
            parameters, first, second = (tensors[a:b] for a, b in pairwise(cuts))
            size, root, weight = numbers.unbind()
            statistics, *gradients = self._differentiated(tensors[:n_batch], parameters, tensors[cuts[-1] :], weight)
            for parameter, mean, square, gradient in zip(parameters, first, second, gradients, strict=True):
                mean.lerp_(gradient, 1 - BETAS[0])
                square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
                parameter.sub_(size * mean / (square.sqrt() / root + EPSILON))
            return (statistics,)

        return self._written(function, (numbers, *batch, *self._learned.all.values()), training=True)

    def judged(self, batch: Tensors) -> torch.fx.GraphModule:
        """Return a function of batch, parameters and buffers that gives the terms of the bound."""

        def function(*tensors: torch.Tensor) -> Tensors:
            terms = self._terms(tensors[: len(batch)], tensors[len(batch) :])
            return terms.reconstruction, terms.divergence

        return self._written(function, (*batch, *self._learned.weights.values()), training=False)

    def _differentiated(self, batch: Tensors, parameters: Tensors, buffers: Tensors, weight: torch.Tensor) -> Tensors:
        config = self._config
        leaves = tuple(parameter.detach().requires_grad_() for parameter in parameters)
        with torch.enable_grad():
            terms = self._terms(batch, (*leaves, *buffers))
            loss = terms.loss(weight, config.free_bits)
            if not loss.requires_grad:
                raise ProgramError(
                    "the bound depends on no parameter of the module; use its networks in model or guide"
                )
            found = torch.autograd.grad(loss, leaves, allow_unused=True)
        judged = terms.loss(config.beta, config.free_bits)
        statistics = torch.stack([loss, judged, terms.reconstruction, terms.divergence.sum()]).detach()
        gradients = [torch.zeros_like(leaf) if part is None else part for part, leaf in zip(found, leaves, strict=True)]
        if config.clip is not None:
            gradients = [part.clamp(-config.clip, config.clip) for part in gradients]
        return statistics, *(part.detach() for part in gradients)

    def _terms(self, batch: Tensors, weights: Tensors) -> Terms:
        replaced = {f"module.{name}": leaf for name, leaf in zip(self._learned.weights, weights, strict=True)}
        with MixedPrecision() if self._device == "cuda" else nullcontext():
            terms: Terms = functional_call(self._bound, replaced, (batch,))
        return terms

    def _written(self, function: Callable[..., Any], given: Tensors, *, training: bool) -> torch.fx.GraphModule:
        from torch.fx.experimental.proxy_tensor import make_fx

        copies = tuple(tensor.clone() for tensor in given)
        try:
            with self._alone(training=training):
                return make_fx(function)(*copies)
        except ProgramError:
            raise
        except Exception as error:  # all that a tracer trips over
            raise ProgramError(
                f"model and guide cannot be written down as tensor operations: {told(error)}; keep Python code from "
                "looking at the values of tensors"
            ) from error

    @contextmanager
    def _alone(self, *, training: bool) -> Iterator[None]:
        """Compute in single precision, with the module as it is in training or afterwards, and leave it as it was."""
        module = self._bound.module
        before = {part: part.training for part in module.modules()}
        module.train(training)
        try:
            with computing(self._device, torch.float32), torch.no_grad():
                yield
        finally:
            for part, mode in before.items():
                part.training = mode
