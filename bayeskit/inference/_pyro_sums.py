"""Discrete latent sites of a Pyro program summed out: the log density of what remains.

Pyro lays the values of each such site along a dimension of its own ("parallel enumeration"); the log probabilities of
all sites are then factors of a plated factor graph, and the sum over it is taken plate by plate, innermost first:
Obermeyer et al. (2019), Tensor variable elimination for plated factor graphs, arXiv:1902.03210. Within a plate
variables go one by one, whichever leaves the smallest factor first.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.ops.contract import contract_to_tensor
from pyro.ops.rings import LogRing
from pyro.poutine.enum_messenger import EnumMessenger
from pyro.poutine.subsample_messenger import _Subsample

from bayeskit.core.errors import ProgramError


class Enumerating(EnumMessenger):
    """Pyro's own, without a look at ``Tensor.data``, which ``vmap`` refuses."""

    def _pyro_post_sample(self, msg: Any) -> None:
        if not isinstance(msg["fn"], TorchDistributionMixin) or msg["value"] is None:
            return
        known = msg["infer"].setdefault("_dim_to_id", {})
        known.update(self._param_dims.get(msg["name"], {}))
        shape = msg["value"].shape
        batch = shape[: len(shape) - msg["fn"].event_dim]
        self._value_dims[msg["name"]] = {
            dim: identity for dim, identity in known.items() if len(batch) >= -dim and batch[dim] > 1
        }


def summed_log_density(trace: Any) -> torch.Tensor:
    """Return a trace's log joint density, with what was enumerated in it summed out.

    Parameters
    ----------
    trace
        Of a program that ran under ``poutine.enum``, by ``poutine.trace``.

    Raises
    ------
    ProgramError
        If sums of what was enumerated inside a plate would be multiplied in another order than the program's.
    """
    trace.compute_log_prob()
    trace.pack_tensors()
    plates = trace.plate_to_symbol
    factors: OrderedDict[frozenset[str], list[torch.Tensor]] = OrderedDict()
    for site in _sites(trace):
        ordinal = frozenset(plates[frame.name] for frame in site["cond_indep_stack"] if frame.vectorized)
        factors.setdefault(ordinal, []).append(site["packed"]["log_prob"])
    summed_out = set(trace.symbol_to_dim) - set(plates.values())
    try:
        total: torch.Tensor = contract_to_tensor(factors, summed_out, ring=_Eliminating())  # type: ignore[no-untyped-call]
    except NotImplementedError as error:
        raise ProgramError(
            "discrete sites cannot be summed out across plates that cross; make one of these a sequential plate"
        ) from error
    return total


def refuse_scales(trace: Any) -> None:
    """Refuse weights on what takes part in a sum: a power of a sum is not the sum of the powers.

    Raises
    ------
    ProgramError
        If ``poutine.scale`` weighs a discrete site, or one that depends on it.
    """
    plates = set(trace.plate_to_symbol.values())
    for site in _sites(trace):
        scaled = isinstance(site["scale"], torch.Tensor) or site["scale"] != 1
        if scaled and set(site["packed"]["log_prob"]._pyro_dims) - plates:
            raise ProgramError(
                f"site '{site['name']}' has a scale and depends on a discrete site that is summed out; take the scale "
                "away, or sum the discrete site out in the program"
            )


def _sites(trace: Any) -> list[Any]:
    return [
        site
        for site in trace.nodes.values()
        if site["type"] == "sample" and not isinstance(site["fn"], _Subsample) and "packed" in site
    ]


class _Eliminating(LogRing):
    """Products and sums of factors in the log domain, by elimination of one variable after the other.

    Without Pyro's own function for this, which ``vmap`` refuses and compilers cannot fuse.
    """

    def sumproduct(self, terms: Sequence[Any], dims: set[str]) -> Any:
        """Multiply factors, and sum over variables."""
        factors, left = list(terms), sorted(dims)
        while left:
            variable = min(left, key=lambda name: _cells(_with(name, factors)))
            left.remove(variable)
            together = _with(variable, factors)
            factors = [factor for factor in factors if variable not in factor._pyro_dims]
            if together:
                rest = _variables(together).replace(variable, "")
                factors.append(_named(_product(together, variable + rest).logsumexp(0), rest))
        names = _variables(factors)
        return _named(_product(factors, names), names)


def _with(variable: str, factors: Sequence[Any]) -> list[Any]:
    return [factor for factor in factors if variable in factor._pyro_dims]


def _variables(factors: Sequence[Any]) -> str:
    return "".join(sorted({name for factor in factors for name in factor._pyro_dims}))


def _cells(factors: Sequence[Any]) -> int:
    """Return how many numbers the product of the factors has."""
    return math.prod(
        dict(name for factor in factors for name in zip(factor._pyro_dims, factor.shape, strict=True)).values()
    )


def _product(factors: Sequence[Any], names: str) -> torch.Tensor:
    return reduce(torch.add, [_aligned(factor, names) for factor in factors])


def _aligned(factor: Any, names: str) -> torch.Tensor:
    own = factor._pyro_dims
    moved: torch.Tensor = factor.permute([own.index(name) for name in names if name in own])
    return moved.reshape([factor.shape[own.index(name)] if name in own else 1 for name in names])


def _named(factor: torch.Tensor, names: str) -> Any:
    named: Any = factor
    named._pyro_dims = names
    return named
