"""A step of training that is compiled as a whole, Adam included: one function from torch's inductor, without Dynamo.

Operations that follow each other in memory are fused, above all Adam's with the gradients that it needs. What differs
from step to step comes in as a tensor, so that nothing is ever compiled again.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch

from bayeskit.core.errors import ConfigError
from bayeskit.inference._amortised_objective import Tensors
from bayeskit.inference._amortised_steps import Learned, Pace, Step
from bayeskit.inference._amortised_writer import Writer
from bayeskit.inference._svi_context import told
from bayeskit.inference._svi_optimiser import BETAS


def compiled_step(writer: Writer, learned: Learned, batch: Tensors) -> Step:
    """Return a compiled step.

    Parameters
    ----------
    writer
        Of the program.
    learned
        What the step changes.
    batch
        Rows of the shape that all batches have.

    Raises
    ------
    ConfigError
        Where nothing can be compiled on this machine.
    """
    kept = tuple(learned.all.values())
    device = kept[0].device
    given = (_numbers(Pace(0.0, 0.0, 1), device), *batch, *kept)
    forward = _compiled(writer.whole(given[0], batch), given)

    def step(batch: Tensors, pace: Pace) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = forward(_numbers(pace, device), *batch, *kept)[0]
        return found

    return step


def _numbers(pace: Pace, device: torch.device) -> torch.Tensor:
    size, root = pace.rate / (1 - BETAS[0] ** pace.number), math.sqrt(1 - BETAS[1] ** pace.number)
    return torch.tensor([size, root, pace.weight], dtype=torch.float32, device=device)


def _compiled(graph: torch.fx.GraphModule, given: Tensors) -> Any:
    # Random numbers are torch's own, so that a step draws the same as one that is not compiled; and a kernel that an
    # earlier run left, for another number of threads, would add up in another order.
    options = {"fallback_random": True, "cpp.threads": torch.get_num_threads()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # inductor calls what is on its way out elsewhere in torch
            from torch._inductor import compile as compiled

            forward = compiled(graph, list(given), options=options)
            forward(*(tensor.clone() for tensor in given))
    except Exception as error:  # no compiler, no headers, no room: each has its own
        raise ConfigError(
            f"the step cannot be compiled: {told(error)}; give compile never, or install a C++ compiler"
        ) from error
    return forward
