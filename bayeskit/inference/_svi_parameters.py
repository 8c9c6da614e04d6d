"""What a fit learns, as one flat vector, and the bound's gradient there: by Pyro's own way, or recorded."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyro
import torch
from pyro.poutine.messenger import Messenger
from torch.distributions import transform_to

from bayeskit.core.errors import ProgramError
from bayeskit.inference._svi_context import generator_state, set_generator_state
from bayeskit.inference._svi_objective import Estimate, Objective

Function = Callable[[torch.Tensor], Any]

SLOW = 0.5  # seconds: of a call that takes as long Python is not what takes the time, or writing it down takes minutes
MAX_NODES = 20_000  # TorchScript takes too long to make ready what is larger


class Parameters:
    """All parameters in Pyro's store, on their unconstrained scales, one after the other in one vector.

    The store's tensors become views of ``flat``: what is written there is what program and guide see.
    """

    def __init__(self) -> None:
        store = pyro.get_param_store()
        self.leaves: dict[str, torch.Tensor] = dict(store.named_parameters())
        if not self.leaves:
            raise ProgramError("the guide has no pyro.param: there is nothing to learn")
        self.shapes = {name: tuple(leaf.shape) for name, leaf in self.leaves.items()}
        self._sizes = [leaf.numel() for leaf in self.leaves.values()]
        self._constraints = {name: store._constraints[name] for name in self.leaves}
        self.flat = torch.cat([leaf.detach().reshape(-1) for leaf in self.leaves.values()])
        for leaf, part in zip(self.leaves.values(), self._parts(self.flat), strict=True):
            leaf.data = part

    def check(self) -> None:
        """Refuse a parameter that was not there in the first run."""
        for name in pyro.get_param_store():
            if name not in self.leaves:
                raise ProgramError(f"parameter '{name}' is not there in every run; declare the same ones each time")

    def constrained(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the parameters that a flat vector stands for, as ``pyro.param`` gives them."""
        found = {}
        for name, part in zip(self.leaves, self._parts(flat), strict=True):
            found[name] = transform_to(self._constraints[name])(part)
            found[name].unconstrained = lambda part=part: part
        return found

    def _parts(self, flat: torch.Tensor) -> list[torch.Tensor]:
        parts = torch.split(flat, self._sizes)
        return [part.view(shape) for part, shape in zip(parts, self.shapes.values(), strict=True)]


class Replaced(Messenger):
    """Has ``pyro.param`` give other values than those in the store."""

    def __init__(self, values: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self._values = values

    def _pyro_param(self, msg: Any) -> None:
        msg["value"], msg["done"] = self._values[msg["name"]], True


def gradient(objective: Objective, parameters: Parameters) -> Estimate:
    """Return the negative bound and its gradient, at the parameters in the store."""
    value, surrogate = objective()
    parameters.check()
    if not surrogate.requires_grad:
        raise ProgramError("the evidence lower bound depends on no parameter; use those of the guide in its sites")
    parts = torch.autograd.grad(surrogate, list(parameters.leaves.values()), allow_unused=True)
    whole = [
        (torch.zeros_like(leaf) if part is None else part).reshape(-1)
        for part, leaf in zip(parts, parameters.leaves.values(), strict=True)
    ]
    return value.detach(), torch.cat(whole)


def gradient_at(objective: Objective, parameters: Parameters) -> Function:
    """Return the same as a function of the flat vector, to be recorded."""

    def at(flat: torch.Tensor) -> Estimate:
        leaf = flat.detach().requires_grad_()
        with torch.enable_grad(), Replaced(parameters.constrained(leaf)):
            value, surrogate = objective()
            (found,) = torch.autograd.grad(surrogate, leaf)
        return value.detach(), found

    return at


def recorded(function: Function, given: torch.Tensor, expected: Callable[[], Any], device: str) -> Function | None:
    """Return a function of one tensor, random numbers and all, as a graph; None where that is not the same.

    Parameters
    ----------
    function
        Tensors from a tensor; what it takes from torch's generator is drawn anew by the graph.
    given
        Where to try.
    expected
        Computes the same in the ordinary way; the graph's results must equal its to the bit, and leave the generator
        where it leaves it.
    device
        Of the generator.

    Notes
    -----
    ``make_fx`` writes down each tensor operation, the backward pass with them, and refuses Python code that looks at
    a tensor's value. The graph runs in TorchScript's interpreter, without Python.
    """
    with _generators(device):
        try:
            began = time.perf_counter()
            outcomes = [_from(state, expected, device) for state in (1, 1, 2)]
        except Exception:  # where the ordinary way fails, it must tell so itself
            return None
        slow = time.perf_counter() - began > 3 * SLOW
        if slow or not _same(outcomes[0], outcomes[1]):
            return None
        try:
            graph = _graph(function, given)
            # Twice: TorchScript rewrites the graph after what it saw in the first run.
            found = [_from(state, lambda: graph(given), device) for state in (1, 1, 2)]
        except Exception:  # all that a tracer trips over means that this function cannot be traced
            return None
    return graph if all(map(_same, found, outcomes)) else None


def agrees(graph: Function, given: torch.Tensor, expected: Callable[[], Any], device: str) -> bool:
    """Whether a graph still gives what the ordinary way gives, from where the generator stands, which stays there."""
    state = generator_state(device)
    found = []
    for function in (lambda: graph(given), expected):
        set_generator_state(device, state)
        with torch.no_grad() if function is not expected else torch.enable_grad():
            found.append((function(), generator_state(device)))  # type: ignore[no-untyped-call]
    set_generator_state(device, state)
    return _same(found[0], found[1])


def _generators(device: str) -> Any:
    """Keep torch's generators as they are."""
    return torch.random.fork_rng(devices=[] if device == "cpu" else [torch.cuda.current_device()])


def _from(seed: int, function: Callable[[], Any], device: str) -> Any:
    torch.manual_seed(seed)
    return function(), generator_state(device)


def _graph(function: Function, given: torch.Tensor) -> Function:
    from torch.fx.experimental.proxy_tensor import make_fx

    with _of_old():
        written = make_fx(lambda tensor: function(tensor))(given)
    if len(written.graph.nodes) > MAX_NODES:
        raise ValueError("the graph is too large")
    forward = scripted(written, (given,))

    def graph(tensor: torch.Tensor) -> Any:
        with torch.no_grad():
            return forward(tensor)

    return graph


def scripted(written: torch.fx.GraphModule, given: tuple[torch.Tensor, ...]) -> Callable[..., Any]:
    """Return a graph of tensor operations as a function that TorchScript's interpreter runs."""
    with _of_old():
        script = torch.jit.trace(written, given, check_trace=False)  # type: ignore[no-untyped-call]
        forward: Callable[..., Any] = torch.jit.freeze(script.eval()).forward
    return forward


@contextmanager
def _of_old() -> Iterator[None]:
    """TorchScript is on its way out; torch.compile, its successor, takes 20 s where this takes half a second."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=DeprecationWarning)
        yield


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return len(found) == len(expected) and all(map(_same, found, expected))
    return found.shape == expected.shape and bool(
        torch.allclose(found.double(), expected.double(), rtol=0.0, atol=0.0, equal_nan=True)
    )


def learned(parameters: Parameters, names: set[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Return some parameters by name, as they are now, constrained."""
    store = pyro.get_param_store()
    return {
        name.replace("$$$", "."): store[name].detach().cpu().numpy().copy()
        for name in parameters.leaves
        if name in names
    }
