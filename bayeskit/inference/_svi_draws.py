"""Draws from a fitted guide, with the log densities of program and guide at each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from pyro import poutine
from pyro.poutine.subsample_messenger import SubsampleMessenger

from bayeskit.inference._svi_context import told
from bayeskit.inference._svi_objective import Objective, Pair, is_enumerated, log_densities
from bayeskit.inference._svi_parameters import Parameters, Replaced, recorded
from bayeskit.inference._svi_sites import is_draw

_RECORD_FROM = 200  # draws: recording takes as long as so many

Tensors = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Drawn:
    """Draws of a guide.

    Parameters
    ----------
    values
        ``n_draws x ...`` by site.
    log_p, log_q
        ``n_draws``; None where a density is not known.
    note
        Why it is not.
    """

    values: dict[str, NDArray[Any]]
    log_p: NDArray[np.float64] | None = None
    log_q: NDArray[np.float64] | None = None
    note: str = ""
    constant: tuple[str, ...] = field(default=())


def drawn(pair: Pair, parameters: Parameters, n_draws: int, *, record: bool, device: str) -> Drawn:
    """Draw from the guide, with all of the data.

    Parameters
    ----------
    pair
        The program as it takes all of its data.
    parameters
        As they were learned.
    n_draws
        How many.
    record
        Whether the draws may run as recorded tensor operations.
    device
        Where they are computed.
    """
    with whole_data(), torch.no_grad(), warnings.catch_warnings():
        # Enumerated sites are not in the guide, and a log density may be minus infinity.
        warnings.simplefilter("ignore", category=UserWarning)
        try:
            with pyro.validation_enabled(True), torch.random.fork_rng(devices=[]):
                objective = Objective(pair, "trace_enum", 1)
                names, note = _Sampler(pair, objective).names()
        except Exception as error:
            names, note = [], f"no densities of the draws: with all of its data the program raised {told(error)}"
        if note:
            return _of_guide(pair, n_draws, note)
        return _with_densities(_Sampler(pair, objective), names, parameters, n_draws, record, device)


class _Sampler:
    """One draw with everything that belongs to it, as a tuple of tensors."""

    def __init__(self, pair: Pair, objective: Objective) -> None:
        self._pair, self._objective = pair, objective

    def names(self) -> tuple[list[str], str]:
        """Return what stands in a draw, or why there are no densities; deterministic sites with what is summed out."""
        model_trace, guide_trace = next(iter(self._objective.traces()))
        if is_enumerated(guide_trace):
            return [], "no densities of the draws: the guide sums sites out"
        plain = poutine.trace(poutine.replay(self._pair.program, trace=guide_trace))
        once: Any = plain.get_trace(*self._pair.arguments[0], **self._pair.arguments[1])
        # What depends on a site that was summed out has a dimension more, for each of the site's values.
        told_of = [
            name
            for name, site in once.nodes.items()
            if _is_deterministic(site) and model_trace.nodes[name]["value"].shape == site["value"].shape
        ]
        return [name for name in once.nodes if name in self._pair.latent or name in told_of], ""

    def draw(self, names: list[str]) -> Tensors:
        model_trace, guide_trace = next(iter(self._objective.traces()))
        values = [model_trace.nodes[name]["value"] for name in names]
        return (*(value.detach() for value in values), *log_densities(model_trace, guide_trace))


def _with_densities(
    sampler: _Sampler, names: list[str], parameters: Parameters, n_draws: int, record: bool, device: str
) -> Drawn:
    def at(flat: torch.Tensor) -> Tensors:
        with Replaced(parameters.constrained(flat)):
            return sampler.draw(names)

    one: Callable[[], Tensors] = lambda: sampler.draw(names)  # noqa: E731
    graph = recorded(at, parameters.flat, one, device) if record and n_draws >= _RECORD_FROM else None
    rows = [one() if graph is None else graph(parameters.flat) for _ in range(n_draws)]
    columns = [
        torch.stack([torch.as_tensor(part) for part in column]).cpu().numpy() for column in zip(*rows, strict=True)
    ]
    values = dict(zip(names, columns, strict=False))
    still = tuple(name for name in names if name in sampler._pair.latent and _stands_still(values[name]))
    if still and n_draws > 1:
        note = f"no densities of the draws: site '{still[0]}' does not vary in the guide"
        return Drawn(values, columns[-2], None, note, still)
    return Drawn(values, columns[-2], columns[-1])


def _of_guide(pair: Pair, n_draws: int, note: str) -> Drawn:
    rows = []
    for _ in range(n_draws):
        nodes: Any = poutine.trace(pair.guide).get_trace(*pair.arguments[0], **pair.arguments[1]).nodes
        rows.append({name: nodes[name]["value"] for name in pair.latent if name in nodes and is_draw(nodes[name])})
    values = {name: torch.stack([row[name] for row in rows]).cpu().numpy() for name in rows[0]}
    still = tuple(name for name in values if n_draws > 1 and _stands_still(values[name]))
    return Drawn(values, note=note, constant=still)


def _stands_still(values: NDArray[Any]) -> bool:
    return bool(values.size and (values == values[:1]).all())


def _is_deterministic(site: Any) -> bool:
    return site["type"] == "sample" and bool((site["infer"] or {}).get("_deterministic"))


@contextmanager
def whole_data() -> Any:
    """Have every plate take all of its indices, whatever its ``subsample_size``; indices given to it stay."""
    original = SubsampleMessenger._subsample

    def whole(
        name: str,
        size: int | None = None,
        subsample_size: int | None = None,
        subsample: torch.Tensor | None = None,
        *rest: Any,
    ) -> Any:
        return original(name, size, None if subsample is None else subsample_size, subsample, *rest)

    # The size is an argument of the plate, which no effect handler sees.
    plate: Any = SubsampleMessenger
    plate._subsample = staticmethod(whole)
    try:
        yield
    finally:
        plate._subsample = staticmethod(original)
