"""Fits of programs that bayeskit knows nothing of, of every kind, as Stan would have made them."""

from __future__ import annotations

from typing import Any

import arviz_base
import numpy as np
from scipy.stats import norm

from bayeskit.core.types import Assessment, Fit, ModelCard, Provenance, Source
from bayeskit.diagnostics.convergence import assess_convergence
from bayeskit.diagnostics.independent import assess_independent
from bayeskit.diagnostics.point import assess_point
from bayeskit.diagnostics.variational import assess_variational
from bayeskit.diagnostics.weighted import assess_weighted

PROGRAM = """data { int N; vector[N] y; }
parameters { real alpha; vector[3] beta; cholesky_factor_corr[2] L; }
model { y ~ normal(alpha, 1); }
generated quantities { array[N] real y_rep = normal_rng(rep_vector(alpha, N), 1); }
"""
ASSESS = {
    "mcmc": assess_convergence,
    "variational": assess_variational,
    "point": assess_point,
    "iid": assess_independent,
    "weighted": assess_weighted,
}


def program_fit(
    kind: str = "mcmc",
    *,
    values: dict[str, np.ndarray] | None = None,
    observed: dict[str, np.ndarray] | None = None,
    replicated: dict[str, np.ndarray] | None = None,
    log_likelihood: dict[str, np.ndarray] | None = None,
    log_prior: dict[str, np.ndarray] | None = None,
    statistics: dict[str, np.ndarray] | None = None,
    attributes: dict[str, Any] | None = None,
    words: dict[str, str] | None = None,
    variables: dict[str, str] | None = None,
) -> Fit:
    """Build the fit of a program; its values are ``n_chains x n_draws x ...``."""
    words = words or {}
    values = program_values(kind) if values is None else values
    shape = next(iter(values.values())).shape[:2]
    groups: dict[str, Any] = {"posterior": values, "sample_stats": _statistics(kind, shape) | (statistics or {})}
    groups |= {"observed_data": observed} if observed else {}
    groups |= {"posterior_predictive": replicated} if replicated else {}
    groups |= {"log_likelihood": log_likelihood} if log_likelihood else {}
    groups |= {"log_prior": log_prior} if log_prior else {}
    tree = arviz_base.from_dict(groups)
    tree["sample_stats"].attrs = {"max_treedepth": 10, **(attributes or {})}
    card = ModelCard("prog", words.get("title", "prog.stan"), "", (), words.get("program", PROGRAM), "stan", (), ())
    source = Source(words.get("path", "prog.json"), "ab" * 32, "2 variables", (), variables or {"N": "int", "y": "40"})
    command = words.get("command", "bayeskit stan run prog.stan prog.json")
    config = {"method": "sample", "draws": shape[1]}
    versions, machine, times = {"stan": "2.35.0"}, {"cores": "2"}, {"sampling": 1.0}
    origin = Provenance(
        "prog", "stan", kind, config, 1, source, card, versions, machine, times, command, "", "2026-11-20"
    )
    return Fit(tree, origin)


def program_values(kind: str, seed: int = 1) -> dict[str, np.ndarray]:
    """Draw a scalar, a vector, a Cholesky factor, a tuple's member and a part of a complex number."""
    rng = np.random.default_rng(seed)
    shape = {"mcmc": (4, 250), "variational": (1, 1000), "iid": (1, 1000), "point": (1, 1), "weighted": (1, 1000)}[kind]
    factor = np.zeros((*shape, 2, 2))
    correlation = np.tanh(rng.normal(0, 0.5, shape))
    factor[..., 0, 0], factor[..., 1, 0] = 1, correlation
    factor[..., 1, 1] = np.sqrt(1 - correlation**2)
    return {
        "beta": rng.normal(0, 0.3, (*shape, 3)),
        "L": factor,
        "alpha": rng.normal(1.5, 0.2, shape),
        "t.1": rng.normal(0, 1, (*shape, 2)),
        "z.real": rng.normal(0, 1, shape),
    }


def _statistics(kind: str, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    if kind == "mcmc":
        return {
            "lp": rng.normal(size=shape),
            "energy": rng.normal(size=shape),
            "diverging": np.zeros(shape, dtype=bool),
            "tree_depth": np.full(shape, 3),
        }
    return {"lp": rng.normal(size=shape)}


def densities(scale: float = 1.1, n_draws: int = 1000) -> dict[str, np.ndarray]:
    """Return log densities of a standard normal and of one with this scale, at draws of the latter."""
    draws = np.random.default_rng(3).normal(0, scale, (1, n_draws))
    return {"log_p": norm.logpdf(draws), "log_q": norm.logpdf(draws, scale=scale)}


def assessed(fit: Fit) -> tuple[Fit, Assessment]:
    """Return the fit with its assessment."""
    return fit, ASSESS[fit.provenance.kind](fit)
