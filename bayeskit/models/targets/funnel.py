"""Neal's funnel: Neal (2003), section 8, doi:10.1214/aos/1056562461."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark, say
from bayeskit.core.proposals import StudentT
from bayeskit.models.targets._target import Expected, Moment, Target, configurations, expectations

N_SCALED = 9
SPREAD = 3.0


def density() -> Density:
    """Return the normalised log density."""
    constant = -0.5 * (N_SCALED + 1) * math.log(2 * math.pi) - math.log(SPREAD)

    def log_density(points: Any) -> Any:
        v, x = points[..., 0], points[..., 1:]
        return constant - 0.5 * (v / SPREAD) ** 2 - 0.5 * N_SCALED * v - 0.5 * np.exp(-v) * (x**2).sum(-1)

    def gradient(points: Floats) -> tuple[Floats, Floats]:
        v, x = points[:, :1], points[:, 1:]
        precision = np.exp(-v)
        along = -v / SPREAD**2 - 0.5 * N_SCALED + 0.5 * precision * (x**2).sum(-1, keepdims=True)
        return log_density(points), np.concatenate([along, -precision * x], axis=1)

    return Density(
        log_density,
        {"v": (), "x": (N_SCALED,)},
        gradient=gradient,
        start=lambda rng, n: rng.uniform(-2, 2, (n, 1 + N_SCALED)),
    )


def pyro_program() -> Callable[[], object]:
    """Return the Pyro program, centred as the others."""
    import pyro.distributions
    import torch

    dist: Any = pyro.distributions
    zero, spread = torch.tensor([0.0, SPREAD], dtype=torch.float64)

    def program() -> None:
        v = pyro.sample("v", dist.Normal(zero, spread))
        pyro.sample("x", dist.Normal(zero, torch.exp(v / 2)[..., None].expand(*v.shape, N_SCALED)).to_event(1))

    return program


def exact(rng: np.random.Generator, n: int) -> Arrays:
    """Draw the log variance, then the numbers."""
    v = SPREAD * rng.standard_normal(n)
    return {"v": v, "x": np.exp(v / 2)[:, None] * rng.standard_normal((n, N_SCALED))}


def moments() -> dict[str, Moment]:
    """Return what can be estimated: the variance of ``x``, exp(9 / 2), takes millions of draws."""
    mean_size = math.sqrt(2 / math.pi) * math.exp(SPREAD**2 / 8)
    return {
        "v": Moment(lambda draws: draws["v"], 0.0, "0"),
        "v²": Moment(lambda draws: np.square(draws["v"]), SPREAD**2, "3²"),
        "|x|": Moment(lambda draws: np.abs(draws["x"][:, 0]), mean_size, "sqrt(2 / π) exp(3² / 8)"),
    }


def make_funnel() -> Target:
    """Return the funnel, which no fixed step size fits."""
    neck = say("no step size fits both the neck and the mouth of the funnel, and the neck is not reached")
    few = say("a proposal as wide as the mouth hardly ever falls into the neck, so that few draws have all the weight")
    return Target(
        name="funnel",
        title=mark("Funnel"),
        summary=mark("Nine numbers whose common scale is unknown over many orders of magnitude."),
        formulas=("v ~ normal(0, 3)", "x[i] ~ normal(0, exp(v / 2)), i = 1, ..., 9"),
        meanings={"v": mark("logarithm of the variance of x"), "x": mark("numbers of that variance")},
        make_density=density,
        program="targets/funnel.stan",
        make_stan_data=lambda: {"N": N_SCALED, "spread": SPREAD},
        make_pyro_program=pyro_program,
        log_normalizer=0.0,
        exact=exact,
        moments=moments(),
        make_proposal=_proposal,
        expected=expectations(
            exact=Expected("none", say("no other engine gets a sound result that exact draws could be compared with")),
            stan=Expected("flag", neck, ("divergences", "e_bfmi")),
            nuts=Expected("flag", neck, ("divergences", "e_bfmi")),
            metropolis=Expected("flag", neck, ("r_hat",)),
            rejection=Expected("none", say("the density in the neck has no useful bound for any simple proposal")),
            importance=Expected("flag", few, ("weights_k",)),
            smc=Expected("flag", say("few families of particles find the way into the neck"), ("families",)),
        ),
        settings=configurations(nuts={"warmup": 200, "draws": 250, "max_treedepth": 8}),
    )


def _proposal() -> StudentT:
    mouth = math.exp(SPREAD)  # the variance of x one standard deviation up in v
    return StudentT(5.0, np.zeros(1 + N_SCALED), np.diag([SPREAD**2, *[mouth] * N_SCALED]))
