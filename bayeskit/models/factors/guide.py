"""The mean-field guide of a factorisation's Pyro program: all numbers independent, normal on the unconstrained scale.

As Lim and Teh (2007), Variational Bayesian approach to movie rating prediction, KDD Cup and Workshop, but that numbers
in a row are independent, too. Ratings may come in parts, as many steps need not see them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pyro import distributions as dist
from pyro import param, plate, poutine, sample
from torch import Tensor
from torch.distributions import biject_to

from bayeskit.models.factors._cutpoints import levels_of
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.program import RatingTensors, program_of
from bayeskit.models.factors.spec import SIDES, FactorSpec

Floats = NDArray[np.float64]

_REAL, _POSITIVE = dist.constraints.real, dist.constraints.positive
_ASCENDING = dist.constraints.ordered_vector
_SD = 0.1  # of all factors in the beginning, and of what rows begin at
_MOST_WORK = 400_000_000  # numbers that ratings are predicted from, over all draws
_LEAST_DRAWS = 100


class Factor(NamedTuple):
    """What one site has in the guide.

    Parameters
    ----------
    start
        Its mean in the beginning, on the unconstrained scale.
    support
        Of its values.
    plate
        Name and size of the plate that it stands in; None where it stands in none.
    spread
        Standard deviation of what is added to ``start`` at random: rows must differ to become different.
    """

    start: Floats
    support: Any = _REAL
    plate: tuple[str, int] | None = None
    spread: float = 0.0

    def law(self, mean: Tensor, sd: Tensor) -> Any:
        """Return the distribution of the site's values, independent but for what the support asks for."""
        together = self.support.event_dim
        free: Any = dist.Normal(mean, sd)
        law: Any = dist.TransformedDistribution(free.to_event(together), [biject_to(self.support)])
        return law.to_event(mean.dim() - together - (self.plate is not None))


class FactorGuide:
    """A guide for ``factor_program``, which takes the same arguments.

    Parameters
    ----------
    spec, data
        Model and ratings, of which it knows the numbers, and levels to begin with.
    """

    __name__ = "mean_field"

    def __init__(self, spec: FactorSpec, data: Observed) -> None:
        self.spec, self.data = spec, data
        self._factors = dict(_factors(spec, data))

    def __call__(self, ratings: RatingTensors, spec: FactorSpec) -> None:
        """Draw every site by itself."""
        for name, factor in self._factors.items():
            mean = param(f"{name}_loc", partial(_start, factor))
            sd = param(f"{name}_scale", partial(_spread, factor), constraint=_POSITIVE)
            around: AbstractContextManager[Any] = nullcontext() if factor.plate is None else plate(*factor.plate)
            with around:
                sample(name, factor.law(mean, sd))

    def draws(
        self, learned: Mapping[str, NDArray[Any]], n: int, rng: np.random.Generator
    ) -> tuple[dict[str, NDArray[Any]], Floats, Floats]:
        """Draw from the guide.

        Parameters
        ----------
        learned
            Its parameters by name.
        n
            How many draws, of many ratings fewer.
        rng
            The stream.

        Returns
        -------
        dict, array, array
            ``n x ...`` by site of the spec, and ``n`` log densities each, of the program with all ratings and of the
            guide.
        """
        n = min(n, max(_LEAST_DRAWS, _MOST_WORK // max(self.data.n_ratings * self.spec.width, 1)))
        program, args, kwargs = program_of(self.spec, self.data)
        shapes = self.spec.shapes(self.data.n_users, self.data.n_items)
        found: list[dict[str, NDArray[Any]]] = []
        densities = np.empty((2, n))
        with torch.no_grad(), torch.device("cpu"):
            for draw in range(n):
                values, densities[1, draw] = self._draw(learned, rng)
                trace: Any = poutine.trace(poutine.condition(program, data=values)).get_trace(*args, **kwargs)
                densities[0, draw] = float(trace.log_prob_sum())
                found.append({name: trace.nodes[name]["value"].numpy() for name in shapes})
        return {name: np.stack([values[name] for values in found]) for name in shapes}, densities[0], densities[1]

    def _draw(self, learned: Mapping[str, NDArray[Any]], rng: np.random.Generator) -> tuple[dict[str, Tensor], float]:
        """Return one draw by the program's sites, and its log density."""
        values, log_density = {}, 0.0
        for name, factor in self._factors.items():
            mean, sd = (torch.as_tensor(learned[f"{name}_{part}"]) for part in ("loc", "scale"))
            free = mean + sd * torch.as_tensor(rng.standard_normal(mean.shape))
            values[name] = biject_to(factor.support)(free)
            log_density += float(factor.law(mean, sd).log_prob(values[name]).sum())
        return values, log_density


def _start(factor: Factor) -> Tensor:
    start = torch.tensor(factor.start, dtype=torch.float64)
    return start + factor.spread * torch.randn(start.shape, dtype=torch.float64)


def _spread(factor: Factor) -> Tensor:
    return torch.full(factor.start.shape, _SD, dtype=torch.float64)


def _factors(spec: FactorSpec, data: Observed) -> Iterator[tuple[str, Factor]]:
    """Give every site of the program with its factor."""
    number = np.zeros(())
    if spec.has_level:
        yield "mu", Factor(number)
    if spec.likelihood == "normal":
        yield "tau", Factor(number, _POSITIVE)
    else:
        start = levels_of(data.values, spec.n_levels, "cpu").start
        gaps = np.maximum(np.diff(start), _SD)  # of levels that no rating has, too
        yield "cutpoints", Factor(np.append(start[:1], np.log(gaps)), _ASCENDING)
    if spec.family == "ard":
        yield "alpha", Factor(np.full(spec.rank, _log_mean(spec, "alpha")), _POSITIVE)
    for side in SIDES:
        yield from _side_factors(spec, data, side)


def _side_factors(spec: FactorSpec, data: Observed, side: str) -> Iterator[tuple[str, Factor]]:
    n, d = data.n_rows(side), spec.width
    rows = np.zeros((n, d))
    if spec.nonnegative:
        # The products of both sides' rows add up to the mean rating.
        rows += 0.5 * np.log(max(float(np.mean(data.values)), _SD) / d)
        yield f"{side}_rows", Factor(rows, _POSITIVE, (f"{side}s", n), _SD)
        return
    if spec.family == "wishart":
        excess, _ = spec.prior("factors").arguments
        yield f"{side}_chi", Factor(np.log(d + 1 + excess - np.arange(d)), _POSITIVE)
        yield f"{side}_below", Factor(np.zeros(d * (d - 1) // 2))
        yield f"{side}_mean", Factor(np.zeros(d))
    else:
        yield f"{side}_alpha", Factor(np.full((), _log_mean(spec, "alpha")), _POSITIVE)
    features = data.features(side)
    if features is not None:
        yield f"{side}_lambda", Factor(np.full(len(features.names), _log_mean(spec, "lambda")), _POSITIVE)
        shape = features.n_features, d
        yield f"{side}_coefficients", Factor(np.zeros(shape), plate=(f"{side}_features", shape[0]))
    yield f"{side}_rows", Factor(rows, plate=(f"{side}s", n), spread=_SD)


def _log_mean(spec: FactorSpec, name: str) -> float:
    shape, rate = spec.prior(name).arguments
    return float(np.log(shape / rate))
