"""Functions of tensors recorded as graphs: a Pyro program is traced once, not at every evaluation.

``make_fx`` writes down each tensor operation, the backward pass with them, and refuses Python code that looks at a
tensor's value; the graph then runs in TorchScript's interpreter, without Python.
"""

from __future__ import annotations

import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map

from bayeskit.inference._streams import BLOCK

Function = Callable[[torch.Tensor], Any]

_RECORD_AT = 3  # calls with the same number of points: recording costs as much as tens of them
_MAX_GRAPHS = 8
_MAX_NODES = 4000  # TorchScript takes too long to make ready what is larger


class Recorded:
    """A function of points, ``n_points x n_dims``, as graphs: one for each number of points that comes up again.

    It returns what the function returns, to the bit: a graph that does not is not used. Points are filled up to whole
    blocks, for torch rounds the last few numbers of an array in another way: a point's result does not depend on how
    many there are, but for one point by itself, and where matrices are multiplied.

    Parameters
    ----------
    function
        Takes points and returns a tensor or a tuple of tensors, the same for the same points, without gradients.
    in_blocks
        Whether to fill up; False where each point is evaluated by itself.
    """

    def __init__(self, function: Function, *, in_blocks: bool = True) -> None:
        self.function, self._in_blocks = function, in_blocks
        self._calls: Counter[int] = Counter()
        self._graphs: OrderedDict[int, Function | None] = OrderedDict()
        self._recordable = True

    def __call__(self, points: torch.Tensor) -> Any:
        n_points = len(points)
        with torch.no_grad():
            if not self._in_blocks or n_points < 2 or n_points % BLOCK == 0:
                return self._evaluated(points)
            return cut(self._evaluated(filled_up(points)), n_points)

    def _evaluated(self, points: torch.Tensor) -> Any:
        n_points = len(points)
        graph = self._graphs.get(n_points)
        if graph is not None:
            return graph(points)
        if not self._recordable:
            return self.function(points)
        self._calls[n_points] += 1
        if self._calls[n_points] < _RECORD_AT:
            return self.function(points)
        return self._record(points)

    def _record(self, points: torch.Tensor) -> Any:
        expected = self.function(points)  # before anything else: what it raises is the program's own error
        try:
            graph = _graph(self.function, points)
            # Twice: TorchScript rewrites the graph after what it saw in the first run.
            same = all(_equal(graph(points), expected) for _ in range(2))
        except Exception:  # all that a tracer trips over means that this function cannot be traced
            same = False
        if not same:
            self._recordable = False
            return expected
        self._graphs[len(points)] = graph
        if len(self._graphs) > _MAX_GRAPHS:
            forgotten, _ = self._graphs.popitem(last=False)
            del self._calls[forgotten]
        return expected


def filled_up(points: torch.Tensor) -> torch.Tensor:
    """Return points with the last repeated up to whole blocks."""
    return torch.cat([points, points[-1:].expand(-len(points) % BLOCK, -1)])


def cut(results: Any, n_points: int) -> Any:
    """Return the results of the first points: of a tensor, or of each in a tuple or dictionary."""
    return tree_map(lambda result: result[:n_points], results)


def _graph(function: Function, points: torch.Tensor) -> Function:
    from torch.fx.experimental.proxy_tensor import make_fx

    with warnings.catch_warnings():
        # TorchScript is on its way out; torch.compile, its successor, takes 20 s where this takes 20 ms.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.", category=DeprecationWarning)
        recorded = make_fx(lambda given: function(given))(points)  # a method would be given one argument too many
        if len(recorded.graph.nodes) > _MAX_NODES:
            raise ValueError("the graph is too large")
        traced = torch.jit.trace(recorded, (points,), check_trace=False)  # type: ignore[no-untyped-call]
        script = torch.jit.freeze(traced.eval())
    graph: Function = script.forward
    return graph


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return all(_equal(left, right) for left, right in zip(found, expected, strict=True))
    return found.shape == expected.shape and bool(torch.allclose(found, expected, rtol=0.0, atol=0.0, equal_nan=True))
