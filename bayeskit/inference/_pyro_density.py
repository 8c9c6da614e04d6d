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
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import _Subsample
from torch.distributions import biject_to, constraints
from torch.distributions.constraints import MixtureSameFamilyConstraint
from torch.utils._pytree import tree_map

from bayeskit.core.density import Density, Floats
from bayeskit.core.errors import ProgramError
from bayeskit.inference._graphs import Recorded, cut, filled_up

Program = Callable[..., Any]
Tensors = dict[str, torch.Tensor]

_MAX_TOLD = 300  # characters of an error's text
_VALUES_AT_ONCE = 4096  # points


def pyro_density(
    program: Program, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None, *, device: str = "cpu"
) -> Density:
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

    Returns
    -------
    Density
        Of torch tensors. A point holds the sites in the program's order; ``shapes`` are those of their unconstrained
        coordinates, which differ from the sites' for a simplex. ``values`` gives sites and deterministic sites by
        name. Parameters (``pyro.param``) stay at what they are in Pyro's store, or at their first value.

    Raises
    ------
    ProgramError
        If the program raises, has no latent site or a discrete one, takes other arguments, or its sites change from
        run to run.

    Notes
    -----
    Points are evaluated together by ``torch.func.vmap``; programs that look at a tensor's value run once a point.
    Rounding may differ between one point and many, and between batches where the program multiplies matrices.
    """
    model = _Model(program, args, kwargs or {}, device)
    return Density(
        Recorded(model.log_density, in_blocks=model.vectorises),
        model.shapes,
        gradient=Recorded(model.with_gradient, in_blocks=model.vectorises),
        transform=model.values,
        arrays="torch",
        device=device,
    )


class _Evaluation(Messenger):
    """Puts values on a program's latent sites, and adds up the log density with the bijections' Jacobians.

    ``coordinates`` are unconstrained ones, by site, or None to lay the sites out, each at some point of its support;
    ``parameters`` are values of the ``pyro.param`` statements, or None to let Pyro find them.
    """

    def __init__(self, coordinates: Tensors | None, parameters: Tensors | None) -> None:
        super().__init__()
        self.coordinates = {} if coordinates is None else coordinates
        self.parameters = {} if parameters is None else parameters
        self._laying_out = coordinates is None
        self.values: dict[str, Any] = {}
        self._terms: list[torch.Tensor] = []
        self._inside: list[torch.Tensor] = []

    def log_density(self) -> torch.Tensor:
        """Return the sum; minus infinity where rounding has put a value at the edge of its support or beyond."""
        total = torch.stack(self._terms).sum()
        if not self._inside:
            return total
        return torch.where(torch.stack(self._inside).all(), total, -torch.inf)

    def _pyro_sample(self, msg: Any) -> None:
        name, distribution = msg["name"], msg["fn"]
        if isinstance(distribution, _Subsample):
            if distribution.subsample_size is not None and distribution.subsample_size < distribution.size:
                raise ProgramError(f"plate '{name}' draws a part of the data at random; give it all, without subsample")
            return
        if name in self.values:
            raise ProgramError(f"two sites are named '{name}'; rename one")
        if msg["is_observed"]:
            return
        support = _support(distribution)
        if support.is_discrete:
            raise ProgramError(f"site '{name}' is latent and discrete; observe it, or sum it out of the program")
        bijection = biject_to(support)
        if self._laying_out:
            shape = bijection.inverse_shape(distribution.shape())
            self.coordinates[name] = 2 * torch.rand(shape) - 1
        elif name not in self.coordinates:
            raise ProgramError(f"site '{name}' is not there in every run; make the program's sites the same each time")
        coordinate = self.coordinates[name]
        value = bijection(coordinate)
        msg["value"], msg["done"] = value, True
        if not _is_real(support):
            self._terms.append(bijection.log_abs_det_jacobian(coordinate, value).sum())
            # Rounding puts what is far out on the support's edge or at infinity: no bijection leads back from there.
            self._inside.append(torch.isfinite(bijection.inv(value)).all())

    def _pyro_post_sample(self, msg: Any) -> None:
        if isinstance(msg["fn"], _Subsample):
            return
        deterministic = msg["infer"] is not None and msg["infer"].get("_deterministic", False)
        if deterministic or not msg["is_observed"]:
            self.values[msg["name"]] = msg["value"]
        if deterministic:
            return
        log_density = msg["fn"].log_prob(msg["value"], *msg["args"], **msg["kwargs"])
        weighted = scale_and_mask(log_density, msg["scale"], msg["mask"])  # type: ignore[no-untyped-call]
        self._terms.append(weighted.sum())

    def _pyro_param(self, msg: Any) -> None:
        if msg["name"] in self.parameters:
            msg["value"], msg["done"] = self.parameters[msg["name"]], True

    def _pyro_post_param(self, msg: Any) -> None:
        if self._laying_out:
            self.parameters[msg["name"]] = msg["value"].detach()


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
        if not sum(value.numel() for value in first.coordinates.values()):
            raise ProgramError(f"{self._name} has no latent pyro.sample site: there is nothing to draw")
        others = {name: tuple(value.shape) for name, value in second.coordinates.items()}
        if others != self.shapes:
            raise ProgramError(f"{self._name} has other sites in its second run ({list(others)}); make them the same")
        self._parameters = first.parameters
        self._sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        points = torch.stack([torch.cat([u.reshape(-1) for u in run.coordinates.values()]) for run in (first, second)])
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
                parts.append(cut(self._mapped(lambda point: self._run(point).values, given), len(part)))
        return {name: np.concatenate([part[name].cpu().numpy() for part in parts]) for name in parts[0]}

    def _mapped(self, function: Callable[[torch.Tensor], Any], points: torch.Tensor) -> Any:
        if not len(points):
            return tree_map(lambda result: result[:0], self._mapped(function, points.new_zeros(1, points.shape[1])))
        with self._calling():
            if self.vectorises and len(points) > 1:
                return torch.func.vmap(function)(points)
            return _stacked([function(point) for point in points])

    def _run(self, point: torch.Tensor) -> _Evaluation:
        parts = torch.split(point, self._sizes)
        coordinates = {
            name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }
        evaluation = _Evaluation(coordinates, self._parameters)
        with evaluation:
            self._program(*self._args, **self._kwargs)
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

    def _laid_out(self, seed: int) -> _Evaluation:
        """Run the program with every check that Pyro makes, at a random point."""
        evaluation = _Evaluation(None, None)
        store = pyro.get_param_store()
        state = store.get_state()
        with torch.random.fork_rng(devices=[]), self._calling(), pyro.validation_enabled(True), store.scope(state):
            torch.manual_seed(seed)
            try:
                with torch.no_grad(), evaluation:
                    self._program(*self._args, **self._kwargs)
            except ProgramError as error:
                raise ProgramError(f"{self._name}: {error}") from None
            except Exception as error:
                raise ProgramError(f"{self._name} raised {_told(error)}; correct it or its arguments") from error
        return evaluation

    def _can_vectorise(self, points: torch.Tensor) -> bool:
        def told(point: torch.Tensor) -> Tensors:
            evaluation = self._run(point)
            return {**evaluation.values, "log density of all": evaluation.log_density()}

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


def _support(distribution: Any) -> Any:
    support = distribution.support
    # A mixture's support is that of its components, for which torch knows a bijection.
    return support.base_constraint if isinstance(support, MixtureSameFamilyConstraint) else support


def _is_real(support: Any) -> bool:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support is constraints.real


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
