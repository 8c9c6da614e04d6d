"""One run of a Pyro program with values put on its latent sites, and the log density that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import _Subsample
from pyro.util import check_site_shape
from torch.distributions import biject_to, constraints
from torch.distributions.constraints import MixtureSameFamilyConstraint

from bayeskit.core.errors import ProgramError
from bayeskit.inference._pyro_sums import Enumerating, refuse_scales, summed_log_density

Tensors = dict[str, torch.Tensor]


class Evaluation(Messenger):
    """Puts values on a program's latent sites, and adds up the log density with the bijections' Jacobians.

    Parameters
    ----------
    coordinates
        Unconstrained ones, by site; or None to lay the sites out, each at some point of its support.
    parameters
        Values of the ``pyro.param`` statements; or None to let Pyro find them.
    given
        Instead of coordinates: values by site, whose coordinates are wanted.
    summed_out
        The discrete latent sites; where there are none the log densities of the sites are added up as they come.
    """

    def __init__(
        self,
        coordinates: Tensors | None = None,
        parameters: Tensors | None = None,
        *,
        given: Tensors | None = None,
        summed_out: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.coordinates = {} if coordinates is None else coordinates
        self.parameters = {} if parameters is None else parameters
        self._laying_out, self._given, self._summed_out = coordinates is None, given, summed_out
        self.values: dict[str, Any] = {}
        self.discrete: list[str] = []
        self.nesting = 0  # of plates
        self._terms: list[torch.Tensor] = []
        self._inside: list[torch.Tensor] = []
        self._trace: Any = None

    def run(self, program: Callable[[], Any], nesting: int = 0) -> None:
        """Run a program; with ``nesting`` plates in each other at most, where sites are summed out."""
        if not self._summed_out:
            with self:
                program()
            return
        with Enumerating(first_available_dim=-1 - nesting), poutine.trace() as tracer, self:
            program()
        self._trace = tracer.trace

    def log_density(self) -> torch.Tensor:
        """Return the sum; minus infinity where rounding has put a value at the edge of its support or beyond."""
        terms = self._terms if self._trace is None else [*self._terms, summed_log_density(self._trace)]
        total = torch.stack(terms).sum()
        if not self._inside:
            return total
        return torch.where(torch.stack(self._inside).all(), total, -torch.inf)

    def check_sums(self, nesting: int) -> None:
        """Hold what is summed out against what its shapes and scales may be.

        Raises
        ------
        ProgramError
            If a discrete site, or one that depends on it, is weighed by ``poutine.scale``.
        ValueError
            If a site has dimensions that no plate declares.
        """
        self.log_density()
        refuse_scales(self._trace)
        for site in self._trace.nodes.values():
            if site["type"] == "sample" and not isinstance(site["fn"], _Subsample):
                check_site_shape(site, nesting)

    def _pyro_sample(self, msg: Any) -> None:
        name, distribution = msg["name"], msg["fn"]
        if isinstance(distribution, _Subsample):
            if distribution.subsample_size is not None and distribution.subsample_size < distribution.size:
                raise ProgramError(f"plate '{name}' draws a part of the data at random; give it all, without subsample")
            return
        if name in self.values or name in self.discrete:
            raise ProgramError(f"two sites are named '{name}'; rename one")
        self.nesting = max([self.nesting, *(-frame.dim for frame in msg["cond_indep_stack"] if frame.vectorized)])
        if msg["is_observed"]:
            return
        support = _support(distribution)
        if support.is_discrete:
            self._discrete(msg)
            return
        bijection = biject_to(support)
        if self._given is not None:
            self.coordinates[name] = _coordinate(name, distribution, bijection, self._given)
        elif self._laying_out:
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

    def _discrete(self, msg: Any) -> None:
        """Leave a discrete latent site to Pyro, to be enumerated; or to be drawn, while sites are laid out."""
        if not getattr(msg["fn"], "has_enumerate_support", False):
            raise ProgramError(
                f"site '{msg['name']}' is latent and discrete, with values that nobody can count up; observe it, or "
                "sum it out of the program"
            )
        self.discrete.append(msg["name"])
        msg["infer"]["enumerate"] = "parallel"

    def _pyro_post_sample(self, msg: Any) -> None:
        name = msg["name"]
        if isinstance(msg["fn"], _Subsample) or name in self.discrete:
            return
        deterministic = msg["infer"] is not None and msg["infer"].get("_deterministic", False)
        if deterministic or not msg["is_observed"]:
            self.values[name] = msg["value"]
        if deterministic or self._summed_out:
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


def _coordinate(name: str, distribution: Any, bijection: Any, given: Tensors) -> torch.Tensor:
    """Return where a site's value lies on the unconstrained scale."""
    if name not in given:
        raise ProgramError(f"the starts have no value for site '{name}'; give one for each latent site")
    value, shape = given[name], distribution.shape()
    if value.shape != shape:
        raise ProgramError(f"the start of site '{name}' must have shape {tuple(shape)}, got {tuple(value.shape)}")
    coordinate: torch.Tensor = bijection.inv(value)
    if not bool(_support(distribution).check(value).all()) or not bool(torch.isfinite(coordinate).all()):
        raise ProgramError(f"the start of site '{name}' lies outside of its support, or at its edge; move it inside")
    return coordinate


def _support(distribution: Any) -> Any:
    support = distribution.support
    # A mixture's support is that of its components, for which torch knows a bijection.
    return support.base_constraint if isinstance(support, MixtureSameFamilyConstraint) else support


def _is_real(support: Any) -> bool:
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support is constraints.real
