"""A density's evaluation at one point as a graph of tensor operations, gradient included, ready to be compiled.

``make_fx`` writes down each operation of one evaluation, the backward pass with them. The graph is then made fit for
a compiler: what does not depend on the point is computed once and handed in as data, so that the graph holds for other
data of the same shape; operations in place become pure; small matrices are factorised and solved by operations that
are written out; and one that cannot be makes the log density NaN instead of raising.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import fx

from bayeskit.inference._compiled_matrices import WRITTEN_OUT, lower_matrix, lower_vector

aten = torch.ops.aten

_MAX_NODES = 20_000  # beyond it compilers take minutes
_INDEXED_BY_MASK = ("torch.distributions.transforms", "torch.distributions.lkj_cholesky", "torch.distributions.utils")


class UntraceableError(Exception):
    """The function cannot be written down as a graph; the text says why."""


@dataclass(frozen=True)
class Traced:
    """A graph that takes a point, ``n_dims``, and data, and returns log density and gradient.

    Parameters
    ----------
    graph
        Takes the point, and then the data.
    data
        Tensors that do not depend on the point.
    """

    graph: fx.GraphModule
    data: tuple[torch.Tensor, ...]

    def __call__(self, point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run it, operation by operation."""
        with double_precision(), torch.no_grad():
            log_density, gradient = self.graph(point, *self.data)
        return log_density, gradient

    @property
    def key(self) -> str:
        """Name of all that a compiler makes something of: operations and shapes, but not the data's numbers."""
        shapes = [(tuple(array.shape), array.stride(), str(array.dtype), str(array.device)) for array in self.data]
        return hashlib.sha256(f"{self.graph.code}{shapes}".encode()).hexdigest()


def traced(function: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]], point: torch.Tensor) -> Traced:
    """Write down what a function does at a point.

    Parameters
    ----------
    function
        Takes points, ``1 x n_dims``, and returns log densities and gradients.
    point
        ``n_dims``; where the log density is finite.

    Raises
    ------
    UntraceableError
        If the function looks at a number that depends on the point, or is too large.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    def at(given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        log_density, gradient = function(given[None])
        return log_density[0], gradient[0]

    with double_precision(), _traceable(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        try:
            graph = make_fx(at, decomposition_table=WRITTEN_OUT)(point.detach())
            if len(graph.graph.nodes) > _MAX_NODES:
                raise UntraceableError(f"it makes {len(graph.graph.nodes)} operations of an evaluation")
            graph = make_fx(torch.func.functionalize(_without_checks(graph), remove="mutations"))(point.detach())
            with torch.no_grad():
                return _with_data_apart(graph)
        except UntraceableError:
            raise
        except Exception as error:  # tracers trip in many ways
            raise UntraceableError(_reason(error)) from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "value out of a tracing tensor" in text or "data-dependent" in text.lower():
        return "it looks at a number that depends on the parameters, as `if x > 0` or x.item() do; take torch.where"
    return f"{type(error).__name__}: {text[:200]}"


@contextmanager
def double_precision() -> Iterator[None]:
    """Make double precision torch's default, which arithmetic of whole numbers and Python's takes at every run."""
    precision = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(precision)


@contextmanager
def _traceable() -> Iterator[None]:
    """Put functions that a graph can hold in the places of two in torch.distributions that index by a mask."""
    import importlib

    replaced = {"vec_to_tril_matrix": lower_matrix, "tril_matrix_to_vec": lower_vector}
    modules = [importlib.import_module(name) for name in _INDEXED_BY_MASK]
    places = [(module, name) for module in modules for name in replaced if hasattr(module, name)]
    patches = [mock.patch.object(module, name, replaced[name]) for module, name in places]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def _without_checks(graph: fx.GraphModule) -> fx.GraphModule:
    """Take out what raises where a matrix is singular or not positive definite, and make the log density NaN there."""
    checks = [node for node in graph.graph.nodes if node.target is aten._linalg_check_errors.default]
    infos = [check.args[0] for check in checks]
    (output,) = (node for node in graph.graph.nodes if node.op == "output")
    log_density, gradient = output.args[0]
    with graph.graph.inserting_before(output):
        for info in infos:
            wrong = graph.graph.call_function(aten.any.default, (graph.graph.call_function(aten.ne.Scalar, (info, 0)),))
            log_density = graph.graph.call_function(aten.masked_fill.Scalar, (log_density, wrong, float("nan")))
    output.args = ((log_density, gradient),)
    for check in checks:
        graph.graph.erase_node(check)
    graph.recompile()
    return graph


def _with_data_apart(graph: fx.GraphModule) -> Traced:
    """Compute what does not depend on the point, and make it the graph's further arguments."""
    known: dict[fx.Node, Any] = {}
    dependent: set[fx.Node] = set()
    for node in graph.graph.nodes:
        if node.op in ("placeholder", "output") or any(given in dependent for given in node.all_input_nodes):
            dependent.add(node)
        elif node.op == "get_attr":
            known[node] = _attribute(graph, node.target)
        else:
            arguments, options = fx.map_arg((node.args, node.kwargs), lambda given: known[given])
            known[node] = node.target(*arguments, **options)
    data: list[torch.Tensor] = []
    last = next(node for node in graph.graph.nodes if node.op == "placeholder")
    for node, value in known.items():
        users = [user for user in node.users if user in dependent]
        if not users or not isinstance(value, torch.Tensor):
            continue
        with graph.graph.inserting_after(last):
            last = graph.graph.placeholder(f"data_{len(data)}")
        # Of its own memory, each number once: an expanded tensor is laid out in full.
        data.append(value.detach().clone(memory_format=torch.contiguous_format))
        for user in users:
            user.replace_input_with(node, last)
    for node in reversed(known):  # what has effects would count as alive
        if not node.users:
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.graph.lint()
    return Traced(fx.GraphModule(torch.nn.Module(), graph.graph), tuple(data))


def _attribute(graph: fx.GraphModule, target: Any) -> Any:
    found: Any = graph
    for part in str(target).split("."):
        found = getattr(found, part)
    return found
