"""One chain of Pyro's no-U-turn sampler on a log density: the kernel is Pyro's, and this records what it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyro
import torch
from pyro.infer import NUTS
from pyro.infer.mcmc.nuts import _TreeInfo

from bayeskit.core.density import Density, Floats
from bayeskit.core.errors import ProgramError
from bayeskit.inference._nuts_result import Chain

_ONE_AT_A_TIME = threading.RLock()  # for Pyro's and torch's own state, were chains run by threads
_POINT = "point"  # the kernel's only site
_BLOCK = (_POINT,)  # and its only block of the mass matrix


class _Recorder(NUTS):
    """Pyro's kernel, with what its doublings came to in the last iteration."""

    def sample(self, params: Any) -> Any:
        self._nested, self.n_steps, self.sum_acceptance = 0, 0, 0.0
        return super().sample(params)  # type: ignore[no-untyped-call]

    def _build_tree(
        self, z: Any, r: Any, z_grads: Any, log_slice: Any, direction: int, tree_depth: int, energy_current: Any
    ) -> Any:
        self._nested += 1
        tree = super()._build_tree(z, r, z_grads, log_slice, direction, tree_depth, energy_current)  # type: ignore[no-untyped-call]
        self._nested -= 1
        if not self._nested:  # a doubling, rather than a part of one
            self.n_steps += tree.num_proposals
            self.sum_acceptance += float(tree.sum_accept_probs)
            self.energy, self.diverging = float(energy_current), bool(tree.diverging)
            self.tree_depth = tree_depth + (not (self.diverging or bool(tree.turning)))
        return tree

    def _build_basetree(
        self, z: Any, r: Any, z_grads: Any, log_slice: Any, direction: int, energy_current: Any
    ) -> _TreeInfo:
        # Pyro's own lines for one site, to the bit, in half the time: without its dictionaries and without autograd.
        half_step = 0.5 * (self.step_size if direction == 1 else -self.step_size)
        adapter = self.mass_matrix_adapter
        momentum = r[_POINT] + half_step * (-z_grads[_POINT])
        velocity = _times(adapter._inverse_mass_matrix[_BLOCK], momentum)
        position = z[_POINT] + 2 * half_step * velocity
        potential, gradient = self.potential_fn.evaluate(position)
        momentum = momentum + half_step * (-gradient)
        unscaled = _times(adapter._mass_matrix_sqrt_inverse[_BLOCK], momentum)
        energy = potential + 0.5 * unscaled.dot(unscaled)
        if energy != energy:
            energy = torch.full_like(energy, torch.inf)
        sliced = energy + log_slice
        z, r, r_unscaled, z_grads = {_POINT: position}, {_POINT: momentum}, {_BLOCK: unscaled}, {_POINT: gradient}
        acceptance = (-(energy - energy_current)).exp().clamp(max=1.0)
        diverging = bool(sliced > self._max_sliced_energy)
        edge = z, r, r_unscaled, z_grads
        return _TreeInfo(*edge, *edge, z, potential, z_grads, r_unscaled, -sliced, False, diverging, acceptance, 1)


def _times(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    return matrix * vector if matrix.dim() == 1 else matrix.matmul(vector)


class _Potential:
    """The negative log density as Pyro's kernel asks for it."""

    def __init__(self, density: Density) -> None:
        self._density = density

    def __call__(self, site: dict[str, torch.Tensor]) -> Any:
        with torch.enable_grad():
            return _Energy.apply(site[_POINT], self)  # type: ignore[no-untyped-call]

    def evaluate(self, point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the energy and its gradient; NaN counts as a divergence, as in Stan, for numbers overflow far out."""
        density = self._density
        assert density.gradient is not None
        given: Any = point[None] if density.arrays == "torch" else point.numpy()[None]
        try:
            with np.errstate(all="ignore"):
                log_density, gradient = density.gradient(given)
        except ProgramError:
            raise
        except Exception as error:
            if _is_singular(error):  # a divergence, as Pyro has it
                return point.new_tensor(torch.nan), torch.zeros_like(point)
            what = f"{type(error).__name__} ({' '.join(str(error).split())})"
            raise ProgramError(f"the log density raised {what} at {density.told(point)}; correct it") from error
        value = torch.as_tensor(log_density[0], dtype=torch.float64)
        if value == torch.inf:
            raise ProgramError(f"the log density is +inf at {density.told(point)}; it must be a number, or -inf")
        return -value, -torch.as_tensor(gradient[0], dtype=torch.float64)


class _Energy(torch.autograd.Function):
    """Hands Pyro, which differentiates the potential by itself, the gradient that came with it."""

    @staticmethod
    def forward(ctx: Any, point: torch.Tensor, potential: _Potential) -> torch.Tensor:
        energy, gradient = potential.evaluate(point.detach())
        ctx.save_for_backward(gradient)
        return energy

    @staticmethod
    def backward(ctx: Any, weight: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient, None  # Pyro differentiates with weight 1


def run_program_chain(
    program: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    device: str,
    start: Floats,
    **options: Any,
) -> Chain:
    """Run one chain of a program, in a process that has nothing of it yet; ``options`` are those of ``run_chain``."""
    from bayeskit.inference._pyro_density import pyro_density

    return run_chain(pyro_density(program, args, kwargs, device=device), start, **options)


def run_chain(
    density: Density,
    start: Floats,
    *,
    seed: int,
    warmup: int,
    draws: int,
    adapt_delta: float,
    max_treedepth: int,
    metric: str,
    tick: Callable[[], None] = lambda: None,
) -> Chain:
    """Run one chain.

    Parameters
    ----------
    density
        With a gradient, and without bounds.
    start
        ``n_dims``.
    seed
        Of torch's generator, which is left as it was.
    warmup, draws, adapt_delta, max_treedepth, metric
        As ``NUTSConfig``.
    tick
        Called after each iteration.
    """
    kernel: Any = _Recorder(  # type: ignore[no-untyped-call]
        potential_fn=_Potential(density),
        target_accept_prob=adapt_delta,
        max_tree_depth=max_treedepth,
        full_mass=metric == "dense_e",
    )
    position = {_POINT: torch.as_tensor(start, dtype=torch.float64, device=density.device)}
    kernel.initial_params = position
    began = time.monotonic()
    with _ONE_AT_A_TIME, _alone(seed, density.device):
        kernel.setup(warmup)
        for _ in range(warmup):
            position = kernel.sample(position)
            tick()
        warmed_up = time.monotonic()
        positions, rows = np.empty((draws, density.n_dims)), []
        for draw in range(draws):
            position = kernel.sample(position)
            positions[draw] = position[_POINT].cpu().numpy()
            rows.append(_statistics(kernel))
            tick()
    return Chain(
        positions,
        {name: np.array([row[name] for row in rows]) for name in rows[0]},
        {"warmup": warmed_up - began, "sampling": time.monotonic() - warmed_up},
    )


def _statistics(kernel: Any) -> dict[str, Any]:
    return {
        "lp": -float(kernel._potential_energy_last),
        "acceptance_rate": kernel.sum_acceptance / kernel.n_steps,
        "step_size": float(kernel.step_size),
        "tree_depth": kernel.tree_depth,
        "n_steps": kernel.n_steps,
        "diverging": kernel.diverging,
        "energy": kernel.energy,
    }


@contextmanager
def _alone(seed: int, device: str) -> Iterator[None]:
    """Seed torch for one chain, on one thread and without checks of arguments; all is as it was afterwards."""
    threads = torch.get_num_threads()
    devices = [] if device == "cpu" else [device]
    # On one thread sums are taken in one order, whatever the machine.
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=devices), pyro.validation_enabled(False), torch.no_grad():
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _is_singular(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and ("singular" in str(error) or "positive-definite" in str(error))
