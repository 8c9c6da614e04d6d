"""A Pyro program's posterior as a log density over unconstrained coordinates.

With ``x = T(u)`` the site's value, ``log p(u) = log p(x, data) + log |det dT/du|`` over all sites, where ``T`` is
torch's bijection from the reals to the site's support: Kucukelbir et al. (2017), Automatic differentiation variational
inference, section 2.3, arXiv:1603.00788. Each bijection is made anew at each point, so that a support may depend on
other sites.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from torch.utils._pytree import tree_map

from bayeskit.core.density import Density, Floats
from bayeskit.core.errors import ProgramError
from bayeskit.inference._graphs import Recorded, cut, filled_up
from bayeskit.inference._pyro_evaluation import Evaluation, Tensors

Program = Callable[..., Any]
Starts = Callable[[np.random.Generator, int], Mapping[str, NDArray[Any]]]

_MAX_TOLD = 300  # characters of an error's text
_VALUES_AT_ONCE = 4096  # points


@dataclass(frozen=True)
class PyroDensity(Density):
    """A Pyro program's log density, with what only such a one has.

    Parameters
    ----------
    summed_out
        The program's discrete latent sites.
    at_values
        Takes values by latent site, ``n x ...``, and returns the points, ``n x n_dims``, where they are.
    """

    summed_out: tuple[str, ...] = ()
    at_values: Callable[[Mapping[str, NDArray[Any]]], Floats] | None = None


def pyro_density(
    program: Program,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    device: str = "cpu",
    starts: Starts | None = None,
) -> PyroDensity:
    """Return a Pyro program's log joint density over its latent sites, unconstrained and flattened.

    Parameters
    ----------
    program
        A function with ``pyro.sample`` statements. It is called many times, with double precision as torch's default,
        and must do the same each time: where it can, it runs once and its tensor operations from then on.
    args, kwargs
        What it is called with; tensors of single precision are made double. Data that it reaches in another way should
        be double already.
    device
        Where the points live, and tensors that the program makes.
    starts
        Draws values of the latent sites by name, ``n x ...``, for chains to start from; None for the engine's own.

    Returns
    -------
    PyroDensity
        Of torch tensors. A point holds the sites in the program's order; ``shapes`` are those of their unconstrained
        coordinates, which differ from the sites' for a simplex. ``values`` gives sites and deterministic sites by
        name. Parameters (``pyro.param``) stay at what they are in Pyro's store, or at their first value. Discrete
        latent sites are summed out, and ``values`` leaves out what depends on them.

    Raises
    ------
    ProgramError
        If the program raises, has no continuous latent site, a discrete one with no end to its values or not made for
        enumeration, takes other arguments, or its sites change from run to run.

    Notes
    -----
    Points are evaluated together by ``torch.func.vmap``; programs that look at a tensor's value run once a point.
    Rounding may differ between one point and many, and between batches where the program multiplies matrices.
    """
    model = _Model(program, args, kwargs or {}, device)

    def start(rng: np.random.Generator, n: int) -> Floats:
        assert starts is not None
        return model.at_values(starts(rng, n))

    return PyroDensity(
        Recorded(model.log_density, in_blocks=model.vectorises),
        model.shapes,
        gradient=Recorded(model.with_gradient, in_blocks=model.vectorises),
        start=None if starts is None else start,
        transform=model.values,
        arrays="torch",
        device=device,
        summed_out=model.summed_out,
        at_values=model.at_values,
    )


class _Model:
    """A program with its arguments, its sites laid out one after the other in a point."""

    def __init__(self, program: Program, args: tuple[Any, ...], kwargs: Mapping[str, Any], device: str) -> None:
        self._program, self._device = program, device
        self._args, self._kwargs = tree_map(lambda leaf: _double(leaf, device), (tuple(args), dict(kwargs)))
        self._name = getattr(program, "__name__", "the Pyro program")
        if not callable(program):
            raise ProgramError(f"{program!r} is not a function; give one with pyro.sample statements")
        self._check_arguments()
        first, second = self._laid_out(0), self._laid_out(1)
        self.shapes = {name: tuple(value.shape) for name, value in first.coordinates.items()}
        self.summed_out, self._nesting = tuple(first.discrete), first.nesting
        if not sum(value.numel() for value in first.coordinates.values()):
            which = "continuous latent" if self.summed_out else "latent"
            raise ProgramError(f"{self._name} has no {which} pyro.sample site: there is nothing to draw")
        others = {name: tuple(value.shape) for name, value in second.coordinates.items()}
        if others != self.shapes:
            raise ProgramError(f"{self._name} has other sites in its second run ({list(others)}); make them the same")
        self._parameters = first.parameters
        self._told = {name: value.shape for name, value in first.values.items()}
        self._sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        points = torch.stack([torch.cat([u.reshape(-1) for u in run.coordinates.values()]) for run in (first, second)])
        if self.summed_out:
            self._check_sums(points[0])
        self.vectorises = self._can_vectorise(points)

    def log_density(self, points: torch.Tensor) -> torch.Tensor:
        """Return ``n_points`` log densities."""
        log_density: torch.Tensor = self._mapped(lambda point: self._run(point).log_density(), points)
        return log_density

    def with_gradient(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log densities and their gradients, by one backward pass over all points."""
        with torch.enable_grad():
            leaves = points.detach().requires_grad_()
            log_density = self.log_density(leaves)
            (gradient,) = torch.autograd.grad(log_density.sum(), leaves)
        return log_density.detach(), gradient

    def values(self, points: Floats, seed: int) -> dict[str, NDArray[Any]]:
        """Return sites and deterministic sites by name, ``n_points x ...``."""
        parts = []
        with torch.no_grad():
            for first in range(0, max(len(points), 1), _VALUES_AT_ONCE):
                part = torch.as_tensor(points[first : first + _VALUES_AT_ONCE], device=self._device)
                given = filled_up(part) if self.vectorises else part
                parts.append(cut(self._mapped(self._values, given), len(part)))
        return {name: np.concatenate([part[name].cpu().numpy() for part in parts]) for name in parts[0]}

    def _mapped(self, function: Callable[[torch.Tensor], Any], points: torch.Tensor) -> Any:
        if not len(points):
            return tree_map(lambda result: result[:0], self._mapped(function, points.new_zeros(1, points.shape[1])))
        with self._calling():
            if self.vectorises and len(points) > 1:
                return torch.func.vmap(function)(points)
            return _stacked([function(point) for point in points])

    def at_values(self, values: Mapping[str, NDArray[Any]]) -> Floats:
        """Return the points, ``n x n_dims``, where the latent sites have these values, ``n x ...`` by name."""
        sites = {name: torch.as_tensor(np.asarray(value, dtype=float)) for name, value in values.items()}
        counts = {len(value) for value in sites.values() if value.dim()}
        if len(counts) != 1:
            raise ProgramError("the starts must have as many values of one site as of another, one a start")
        points = []
        for row in range(counts.pop()):
            given = {name: value[row].to(self._device) for name, value in sites.items()}
            evaluation = Evaluation(None, None, given=given)
            self._run_apart(evaluation, 0)
            points.append(torch.cat([evaluation.coordinates[name].reshape(-1) for name in self.shapes]))
        found: Floats = torch.stack(points).cpu().numpy()
        return found

    def _values(self, point: torch.Tensor) -> dict[str, Any]:
        return {name: value for name, value in self._run(point).values.items() if name in self._told}

    def _check_sums(self, point: torch.Tensor) -> None:
        """Run the program with its discrete sites enumerated, with every check; leave out what depends on them."""
        sites = ", ".join(f"'{name}'" for name in self.summed_out)
        try:
            with torch.no_grad(), self._calling(), pyro.validation_enabled(True):
                evaluation = self._run(point)
                evaluation.check_sums(self._nesting)
        except ProgramError as error:
            raise ProgramError(f"{self._name}: {error}") from None
        except Exception as error:
            raise ProgramError(
                f"{self._name} has discrete latent sites ({sites}) that cannot be summed out: {_told(error)}; write it "
                "for parallel enumeration, with each batch dimension declared by a plate, or observe them"
            ) from error
        changed = {name for name, value in evaluation.values.items() if value.shape != self._told.get(name)}
        self._told = {name: shape for name, shape in self._told.items() if name not in changed}

    def _run(self, point: torch.Tensor) -> Evaluation:
        parts = torch.split(point, self._sizes)
        coordinates = {
            name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }
        evaluation = Evaluation(coordinates, self._parameters, summed_out=self.summed_out)
        evaluation.run(lambda: self._program(*self._args, **self._kwargs), self._nesting)
        return evaluation

    @contextmanager
    def _calling(self) -> Iterator[None]:
        precision = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            # A site's value is checked by the evaluation; all else was when the sites were laid out.
            with pyro.validation_enabled(False):
                if self._device == "cpu":
                    yield
                else:
                    with torch.device(self._device):
                        yield
        finally:
            torch.set_default_dtype(precision)

    def _laid_out(self, seed: int) -> Evaluation:
        """Run the program with every check that Pyro makes, at a random point."""
        evaluation = Evaluation(None, None)
        self._run_apart(evaluation, seed)
        return evaluation

    def _run_apart(self, evaluation: Evaluation, seed: int) -> None:
        """Run the program with Pyro's checks on; its random numbers and parameters are as they were afterwards."""
        store = pyro.get_param_store()
        state = store.get_state()
        with torch.random.fork_rng(devices=[]), self._calling(), pyro.validation_enabled(True), store.scope(state):
            torch.manual_seed(seed)
            try:
                with torch.no_grad():
                    evaluation.run(lambda: self._program(*self._args, **self._kwargs))
            except ProgramError as error:
                raise ProgramError(f"{self._name}: {error}") from None
            except Exception as error:
                raise ProgramError(f"{self._name} raised {_told(error)}; correct it or its arguments") from error

    def _can_vectorise(self, points: torch.Tensor) -> bool:
        def told(point: torch.Tensor) -> Tensors:
            evaluation = self._run(point)
            told = {name: evaluation.values[name] for name in self._told}
            return {**told, "log density of all": evaluation.log_density()}

        self.vectorises = False
        apart = self._mapped(told, points)
        self.vectorises = True
        try:
            together = self._mapped(told, points)
        except Exception:  # vmap refuses in many ways what looks at a tensor's value
            return False
        return all(torch.allclose(together[name], apart[name], equal_nan=True) for name in apart)

    def _check_arguments(self) -> None:
        try:
            signature = inspect.signature(self._program)
        except (TypeError, ValueError):  # not every callable tells
            return
        try:
            signature.bind(*self._args, **self._kwargs)
        except TypeError as error:
            raise ProgramError(f"{self._name}{signature} cannot be called as it was: {error}") from None


def _double(leaf: Any, device: str) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return leaf
    return leaf.to(device, torch.float64) if leaf.dtype in (torch.float32, torch.float16) else leaf.to(device)


def _stacked(results: list[Any]) -> Any:
    if isinstance(results[0], dict):
        return {name: torch.stack([torch.as_tensor(result[name]) for result in results]) for name in results[0]}
    return torch.stack(results)


def _told(error: Exception) -> str:
    """Return an exception in one line, without the table of shapes that Pyro puts below its own."""
    text = re.split(r"\s*Trace Shapes:", str(error))[0]
    return f"{type(error).__name__} ({' '.join(text.split())[:_MAX_TOLD]})"
