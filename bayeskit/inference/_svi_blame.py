"""Where a bound that is no number comes from: the first site, or parameter, that is to blame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from pyro import poutine

from bayeskit.core.errors import InferenceError, ProgramError
from bayeskit.inference._svi_context import told
from bayeskit.inference._svi_objective import Objective, Pair
from bayeskit.inference._svi_parameters import Parameters
from bayeskit.inference._svi_sites import is_draw

_MAX_SHOWN = 4  # numbers of a value in a message


def blamed(
    pair: Pair, objective: Objective, parameters: Parameters, step: int, rate: float
) -> ProgramError | InferenceError:
    """Return the error for a step whose bound or gradient is not finite, or that raised.

    Parameters
    ----------
    pair, objective, parameters
        As they were in that step, torch's generator included.
    step
        Its number, from 1; in the first one it is the program that is wrong.
    rate
        The learning rate.
    """
    what = _found(pair, objective, parameters)
    if step == 1:
        return ProgramError(f"{pair.name}: {what} in the first step; correct the program, its data or the guide")
    return InferenceError(
        f"{pair.name}: {what} in step {step:,}; take a smaller learning_rate (now {rate:g}) or clip, or correct the "
        "program where its numbers get out of hand"
    )


def _found(pair: Pair, objective: Objective, parameters: Parameters) -> str:
    for name, leaf in parameters.leaves.items():
        if not _is_finite(leaf):
            return f"parameter '{name}' is {_shown(leaf.detach())}"
    state = torch.get_rng_state()
    try:
        traces = list(objective.traces())
    except Exception as error:
        torch.set_rng_state(state)
        return _before(pair, error)
    for model_trace, guide_trace in traces:
        for owner, trace in (("the guide's ", guide_trace), ("", model_trace)):
            for name, site in trace.nodes.items():
                if site["type"] == "sample" and (wrong := _wrong(site, "log_prob")):
                    return f"{owner}site '{name}' has {wrong}"
    return _of_gradient(traces, parameters)


def _before(pair: Pair, error: Exception) -> str:
    """Say what went wrong before something was raised, or what was raised."""
    for owner, function in (("the guide's ", pair.guide), ("", pair.program)):
        messenger = poutine.trace()
        try:
            with messenger:
                function(*pair.arguments[0], **pair.arguments[1])
        except Exception as raised:
            error = raised
        for name, site in messenger.trace.nodes.items():
            if site["type"] == "sample" and is_draw(site) and (wrong := _wrong(site, "")):
                return f"{owner}site '{name}' has {wrong}"
    return f"it raised {told(error)}"


def _wrong(site: Any, density: str) -> str:
    value = site["value"]
    if isinstance(value, torch.Tensor) and not _is_finite(value):
        return f"the value {_shown(value.detach())}"
    if not density or _is_finite(site[density]):
        return ""
    found = _shown(site[density].detach())
    if site["is_observed"] and "-inf" in found and "nan" not in found:
        return f"log density {found}: data outside its support, or too far out"
    return f"log density {found}"


def _of_gradient(traces: list[Any], parameters: Parameters) -> str:
    for name, site in _terms(traces):
        term = site["log_prob"].sum()
        if not term.requires_grad:
            continue
        found = torch.autograd.grad(term, list(parameters.leaves.values()), retain_graph=True, allow_unused=True)
        for parameter, part in zip(parameters.leaves, found, strict=True):
            if part is not None and not _is_finite(part):
                return f"the gradient of site '{name}' is {_shown(part)} at parameter '{parameter}'"
    return "the bound or its gradient is no number, though each site's log density is one"


def _terms(traces: list[Any]) -> Iterator[tuple[str, Any]]:
    for model_trace, guide_trace in traces:
        for trace in (guide_trace, model_trace):
            for name, site in trace.nodes.items():
                if site["type"] == "sample":
                    yield name, site


def _is_finite(tensor: Any) -> bool:
    return not isinstance(tensor, torch.Tensor) or bool(torch.isfinite(tensor).all())


def _shown(tensor: torch.Tensor) -> str:
    """Return the first numbers that are not finite, each once."""
    wrong = tensor[~torch.isfinite(tensor)].reshape(-1).tolist()
    return ", ".join(dict.fromkeys("nan" if math.isnan(number) else f"{number:g}" for number in wrong[:_MAX_SHOWN]))
