"""Results of engines for cross-checks: chains, independent draws, weighted draws and families of particles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from diagnostics.factories import fit_of

from bayeskit.core.types import Assessment, Verdict
from bayeskit.diagnostics.agreement import Expected, TargetResults

SOUND = Assessment((Verdict("simulation_error", 0.01, 0.05, "<=", True),), pd.DataFrame(), {})
UNMIXED = Assessment((Verdict("r_hat", 1.9, 1.01, "<=", False, "worst: x[1], of 2 quantities"),), pd.DataFrame(), {})
UNCHECKED = Assessment((Verdict("r_hat", None, 1.01, "<=", None, "one chain"),), pd.DataFrame(), {})


def same(x):
    return x


def chains(seed, n_dims=2, *, rho=0.9, n_chains=4, n_draws=2500, to=same):
    """First-order autoregressive chains, standard normal but for what ``to`` makes of them."""
    rng = np.random.default_rng([seed, 1])
    noise = rng.standard_normal((n_draws, n_chains, n_dims))
    noise[1:] *= np.sqrt(1 - rho**2)
    for draw in range(1, n_draws):
        noise[draw] += rho * noise[draw - 1]
    return fit_of("mcmc", {"x": to(np.ascontiguousarray(noise.swapaxes(0, 1)))})


def independent(seed, n_dims=2, *, n_draws=10_000, to=same):
    rng = np.random.default_rng([seed, 2])
    return fit_of("iid", {"x": to(rng.standard_normal((1, n_draws, n_dims)))})


def weighted(seed, n_dims=2, *, scale=1.3, n_draws=10_000, to=same, shift=0.0):
    """Draws of a wider normal with the weights of the standard one, times a constant."""
    draws = scale * np.random.default_rng([seed, 3]).standard_normal((1, n_draws, n_dims))
    log_weight = (-(draws**2) / 2 + (draws / scale) ** 2 / 2).sum(-1) + shift
    return fit_of("weighted", {"x": to(draws)}, {"log_weight": log_weight})


def particles(seed, n_dims=2, *, n_families=500, size=2000, runs=4, to=same, ancestors=True):
    """Equally weighted particles that are alike within a family: their correlation is 0.7."""
    rng = np.random.default_rng([seed, 4])
    family = rng.integers(0, n_families, (runs, size))
    centres = rng.standard_normal((runs, n_families, n_dims))
    own = np.take_along_axis(centres, family[..., None], axis=1)
    draws = np.sqrt(0.7) * own + np.sqrt(0.3) * rng.standard_normal((runs, size, n_dims))
    statistics = {"log_weight": np.zeros((runs, size))}
    if ancestors:
        statistics["ancestor"] = family + n_families * np.arange(runs)[:, None]
    return fit_of("weighted", {"x": to(draws)}, statistics)


def two_modes(x):
    """Put the first coordinate around -2 or 3, by the sign of the second one."""
    return np.stack([np.where(x[..., 1] < -0.5244, x[..., 0] * 0.5 - 2, x[..., 0] + 3), x[..., 0]], axis=-1)


def timed(fit, seconds, engine):
    origin = replace(
        fit.provenance,
        engine=engine,
        timings={"compile": 9.0, "sampling": seconds, "wall": 99.0},
        command=f"bayeskit fit x --engine {engine} --seed 1",
    )
    return replace(fit, provenance=origin)


def results(seed=1, *, n_dims=2, to=same, title="", **others):
    """All kinds of engines on one target, and what must come out."""
    made = {
        "exact": (timed(independent(seed, n_dims, to=to), 0.02, "exact"), SOUND),
        "stan": (timed(chains(seed, n_dims, rho=0.3, n_draws=1500, to=to), 1.5, "stan"), SOUND),
        "metropolis": (timed(chains(seed + 1, n_dims, n_chains=16, n_draws=600, to=to), 0.4, "metropolis"), SOUND),
        "importance": (timed(weighted(seed, n_dims, to=to), 0.1, "importance"), SOUND),
        "smc": (timed(particles(seed, n_dims, to=to), 0.9, "smc"), SOUND),
        **others,
    }
    expected = {name: Expected("agree") for name in made}
    expected["rejection"] = Expected("none", "no envelope in so many dimensions")
    return TargetResults(made, expected, title=title)
