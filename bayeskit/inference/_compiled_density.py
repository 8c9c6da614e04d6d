"""A log density compiled, and held against itself as it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeskit.core.density import Density, Floats
from bayeskit.inference._compiled_evaluator import Evaluator
from bayeskit.inference._compiled_library import Compiled, compile_traced
from bayeskit.inference._compiled_trace import UntraceableError, traced

TOLERANCE = 1e-10  # of the larger of the number and 1; of the largest slope
_AROUND = 0.5  # standard deviation of the points around those given
_POINTS = 4


def compile_density(density: Density, points: Floats) -> Compiled:
    """Compile a density and its gradient.

    Parameters
    ----------
    density
        Of torch tensors on the CPU.
    points
        ``n_points x n_dims``, of finite log density: there, and around them, the compiled density has to give what
        the density gives.

    Raises
    ------
    UntraceableError
        If it cannot be compiled, or gives something else then; the text says why.
    ToolchainError
        If the cache folder cannot be written to.
    """
    import torch

    if density.arrays != "torch" or density.gradient is None:
        raise UntraceableError("it is no function of torch tensors")
    if density.device != "cpu":
        raise UntraceableError("it lives on a GPU, whose compiled densities nutpie cannot call")
    # What records by itself must not be recorded in a recording.
    function: Any = getattr(density.gradient, "function", density.gradient)
    compiled = compile_traced(traced(function, torch.as_tensor(points[0])), density.n_dims)
    difference = compare(compiled, density, _around(points))
    if not difference <= TOLERANCE:
        raise UntraceableError(f"compiled, it gives other numbers (by {difference:.1g} of their size)")
    return compiled


def compare(compiled: Compiled, density: Density, points: Floats) -> float:
    """Return by how much a compiled density and its gradient differ from the density at most, relative to their size.

    Points where the density is 0 or undefined do not count, but for the sign of it: infinity where only one is so.
    """
    import torch

    worst = 0.0
    evaluator = Evaluator(compiled)
    assert density.gradient is not None
    try:
        for point in points:
            status, value, slope = evaluator(point)
            log_density, gradient = (part[0].cpu().numpy() for part in density.gradient(torch.as_tensor(point[None])))
            usable = bool(np.isfinite(log_density)) and bool(np.isfinite(gradient).all())
            if usable != (status == 0):
                return float("inf")
            if usable:
                of_value = abs(value - log_density) / max(1.0, abs(log_density))
                of_slope = np.abs(slope - gradient).max() / max(1.0, np.abs(gradient).max())
                worst = max(worst, float(of_value), float(of_slope))
    finally:
        evaluator.close()
    return worst


def _around(points: Floats) -> Floats:
    rng = np.random.default_rng(0)
    centres = points[rng.integers(len(points), size=_POINTS)]
    return np.concatenate([points[:_POINTS], centres + _AROUND * rng.standard_normal(centres.shape)])
