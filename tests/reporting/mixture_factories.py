"""Synthetic fits of Gaussian mixtures: points that were simulated, and draws around the parameters they came from."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from reporting.program_factories import ASSESS

from bayeskit.core.language import say
from bayeskit.core.priors import Prior
from bayeskit.core.types import Assessment, Fit, MixtureCard, ModelCard, Provenance, Quantity, Source, Verdict

ENGINES = {"mcmc": "gibbs", "variational": "svi", "point": "em"}
CENTRE, SPREAD = 40.0, 8.0


def truth(n_components: int, n_columns: int, seed: int = 3) -> dict[str, np.ndarray]:
    """Weights in descending order, means on a ring, standard deviations and correlations, on the model's scale."""
    rng = np.random.default_rng(seed)
    weights = np.sort(rng.dirichlet(np.full(n_components, 8.0)))[::-1]
    angle = 2 * np.pi * np.arange(n_components) / n_components
    ring = 1.6 * np.stack([np.cos(angle + 0.7 * j) for j in range(n_columns)], -1)
    sds = 0.35 + 0.25 * rng.random((n_components, n_columns))
    factor = rng.normal(size=(n_components, n_columns, n_columns)) + 2 * np.eye(n_columns)
    covariance = factor @ np.swapaxes(factor, -1, -2)
    scale = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    correlations = covariance / (scale[:, :, None] * scale[:, None, :])
    return {"weights": weights, "means": ring, "sds": sds, "correlations": correlations}


def mixture_fit(
    kind: str = "mcmc",
    *,
    engine: str | None = None,
    n_components: int = 3,
    n_columns: int = 2,
    n_points: int = 150,
    covariance: str = "full",
    dp: bool = False,
    missing: bool = False,
    selection: bool = False,
    names: tuple[str, ...] | None = None,
    groups: bool = True,
    attributes: dict[str, Any] | None = None,
    shape: tuple[int, int] | None = None,
    seed: int = 1,
) -> Fit:
    """Build the fit of a mixture.

    ``groups=False`` leaves out everything but posterior and data, as of a damaged run.
    """
    rng = np.random.default_rng(seed)
    names = names or tuple(f"column_{j + 1}" for j in range(n_columns))
    true = truth(n_components, n_columns)
    if covariance == "tied":
        true = {**true, "sds": true["sds"][:1].repeat(n_components, 0)}
        true["correlations"] = true["correlations"][:1].repeat(n_components, 0)
    label = rng.choice(n_components, n_points, p=true["weights"])
    points = CENTRE + SPREAD * _points(true, label, rng)
    if missing and n_columns > 1:
        points[3, 0] = points[11, 1] = points[20, -1] = np.nan
    shape = shape or {"mcmc": (4, 250), "variational": (1, 400), "point": (1, 1)}[kind]
    posterior = _posterior(true, shape, rng, 0.0 if kind == "point" else 0.05, names, covariance, dp)
    coords = {
        "component": np.arange(1, n_components + 1),
        "column": list(names),
        "pair": [f"{names[i]}:{names[j]}" for i, j in combinations(range(n_columns), 2)],
        "point": np.arange(2, n_points + 2),
    }
    tree = {
        "posterior": _dataset(posterior, {**coords, "chain": np.arange(shape[0]), "draw": np.arange(shape[1])}),
        "observed_data": _dataset({"points": (("point", "column"), points)}, coords),
        "sample_stats": xr.Dataset(attrs=attributes or _attributes(kind)),
    }
    if kind == "variational":
        q = rng.normal(size=shape)
        tree["sample_stats"] = tree["sample_stats"].assign(
            log_p=(("chain", "draw"), -0.5 * q**2), log_q=(("chain", "draw"), -0.5 * (q / 1.05) ** 2)
        )
    if groups:
        tree |= _more(kind, true, label, points, posterior, coords, shape, rng)
        tree |= {"history": _history(kind, true, names)} if kind != "mcmc" else {}
        tree |= {"selection": _selection()} if selection else {}
    return Fit(
        xr.DataTree.from_dict(tree), _provenance(kind, engine or ENGINES[kind], names, n_components, covariance, dp)
    )


def _points(true: dict[str, np.ndarray], label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lower = true["sds"][..., None] * np.linalg.cholesky(true["correlations"])
    noise = rng.standard_normal((label.size, true["means"].shape[1]))
    return true["means"][label] + np.einsum("nij,nj->ni", lower[label], noise)


def _posterior(
    true: dict[str, np.ndarray],
    shape: tuple[int, int],
    rng: np.random.Generator,
    width: float,
    names: tuple[str, ...],
    covariance: str,
    dp: bool,
) -> dict[str, Any]:
    k, d = true["means"].shape
    weights = true["weights"] * np.exp(width * rng.normal(size=(*shape, k)))
    weights /= weights.sum(-1, keepdims=True)
    means = CENTRE + SPREAD * (true["means"] + width * rng.normal(size=(*shape, k, d)))
    tied = covariance == "tied"
    sds = SPREAD * true["sds"] * np.exp(width * rng.normal(size=(*shape, k, d)))
    made: dict[str, Any] = {
        "weight": (("chain", "draw", "component"), weights),
        "mean": (("chain", "draw", "component", "column"), means),
        "sd": (("chain", "draw", "column"), sds[..., 0, :])
        if tied
        else (("chain", "draw", "component", "column"), sds),
    }
    if covariance in ("full", "tied") and d > 1:
        pairs = list(combinations(range(d), 2))
        values = np.stack([true["correlations"][:, i, j] for i, j in pairs], -1)
        drawn = np.tanh(np.arctanh(values) + width * rng.normal(size=(*shape, k, len(pairs))))
        dims = ("chain", "draw", "pair") if tied else ("chain", "draw", "component", "pair")
        made["correlation"] = (dims, drawn[..., 0, :] if tied else drawn)
    label_free = {
        "log_density": -900 + 3 * rng.normal(size=shape),
        "log_likelihood_total": -880 + 3 * rng.normal(size=shape),
        "n_occupied": k - rng.integers(0, 2, size=shape) if dp else np.full(shape, k),
        "entropy": 0.1 + 0.01 * rng.random(shape),
    }
    label_free |= {"concentration": np.exp(0.3 * rng.normal(size=shape))} if dp else {}
    made |= {name: (("chain", "draw"), values) for name, values in label_free.items()}
    made["co_assignment"] = (("chain", "draw", "pair_of_points"), rng.random((*shape, 3)))
    return made


def _attributes(kind: str) -> dict[str, Any]:
    return {
        "mcmc": {},
        "variational": {"converged": 1, "message": "settled", "steps": 3000, "guide": "normal"},
        "point": {"converged": 1, "message": "arrived", "n_iterations": 25, "largest_decrease": 0.0},
    }[kind]


def _dataset(variables: dict[str, Any], coords: dict[str, Any]) -> xr.Dataset:
    used = {str(dim) for dims, _ in variables.values() for dim in dims}
    return xr.Dataset(variables, coords={name: values for name, values in coords.items() if name in used})


def _more(
    kind: str,
    true: dict[str, np.ndarray],
    label: np.ndarray,
    points: np.ndarray,
    posterior: dict[str, Any],
    coords: dict[str, Any],
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> dict[str, xr.Dataset]:
    n, k = points.shape[0], true["weights"].size
    belongs = np.full((n, k), 0.02 / max(1, k - 1))
    belongs[np.arange(n), label] = 0.98
    belongs[:8] = 1 / k + 0.001 * np.arange(k)
    belongs /= belongs.sum(1, keepdims=True)
    shown = np.arange(min(n, 60))
    order = shown[np.argsort(belongs[shown].argmax(1), kind="stable")]
    derived: dict[str, Any] = {
        "centre": ("column", np.full(points.shape[1], CENTRE)),
        "spread": ("column", np.full(points.shape[1], SPREAD)),
        "responsibility": (("point", "component"), belongs),
        "assignment": ("point", belongs.argmax(1) + 1),
        "certainty": ("point", belongs.max(1)),
        "co_assignment_matrix": (("shown", "shown_too"), belongs[order] @ belongs[order].T),
        "shown_point": ("shown", order),
        "distinct_points": ("component", np.bincount(label, minlength=k)),
        "n_parameters": ((), 17.0),
        "max_log_likelihood": ((), -870.0),
        "aic": ((), 1774.0),
        "bic": ((), 1825.2),
    }
    made = {"derived": _dataset(derived, coords)}
    if kind == "point":
        return made
    copies = 200
    replicated = CENTRE + SPREAD * np.stack(
        [_points(true, rng.choice(k, n, p=true["weights"]), rng) for _ in range(copies)]
    )
    sizes = {"chain": np.arange(1), "draw": np.arange(copies)}
    made["posterior_predictive"] = _dataset(
        {"points": (("chain", "draw", "point", "column"), replicated[None])}, {**coords, **sizes}
    )
    every = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    pointwise = -5 + 0.1 * rng.normal(size=(*shape, n))
    made["log_likelihood"] = _dataset({"points": (("chain", "draw", "point"), pointwise)}, {**coords, **every})
    before = _posterior(true, (1, 120), rng, 0.9, tuple(coords["column"]), "diagonal", False)
    kept = {name: before[name] for name in ("weight", "mean") if name in posterior}
    made["prior"] = _dataset(kept, {**coords, "chain": np.arange(1), "draw": np.arange(120)})
    return made


def _history(kind: str, true: dict[str, np.ndarray], names: tuple[str, ...]) -> xr.Dataset:
    if kind == "variational":
        step = np.arange(1, 401) * 10
        noise = np.random.default_rng(2).normal(size=step.size)
        return xr.Dataset(
            {"elbo": ("step_dim", -900 - 3000 * np.exp(-step / 200) + 8 * noise), "step": ("step_dim", step)}
        )
    d = true["means"].shape[1]
    n_iterations, frames = 25, np.array([0, 1, 2, 3, 5, 8, 13, 24])
    path = np.exp(-frames / 4)[:, None, None]
    covariance = true["sds"][:, :, None] * true["sds"][:, None, :] * true["correlations"]
    return xr.Dataset(
        {
            "log_likelihood": ("iteration", -300 - 200 * np.exp(-np.arange(n_iterations) / 4)),
            "frame_iteration": ("frame", frames),
            "frame_weights": (("frame", "frame_k"), np.tile(true["weights"], (frames.size, 1))),
            "frame_means": (("frame", "frame_k", "frame_d"), true["means"] * (1 - path)),
            "frame_covariances": (
                ("frame", "frame_k", "frame_d", "frame_e"),
                covariance + path[..., None] * np.eye(d),
            ),
        }
    )


def _selection() -> xr.Dataset:
    n = np.arange(1, 6)
    columns: dict[str, Any] = {
        "n_components": n,
        "n_parameters": 6 * n - 1,
        "max_log_likelihood": -1000 + 40 * np.minimum(n, 3) + n,
        "aic": 2000 - 80 * np.minimum(n, 4) + 4 * n,
        "bic": 2100 - 80 * np.minimum(n, 3) + 12 * n,
        "icl": 2110 - 80 * np.minimum(n, 3) + 14 * n,
        "elpd_loo": -1010 + 40 * np.minimum(n, 3) - 0.5 * n,
        "elpd_loo_se": np.full(5, 12.0),
        "n_bad_k": np.array([0, 0, 0, 1, 3]),
        "chosen": (n == 3).astype(int),
    }
    return xr.Dataset({name: ("candidate", values) for name, values in columns.items()})


def make_card(names: tuple[str, ...], n_components: int, covariance: str, dp: bool) -> ModelCard:
    """Build the model's card."""
    priors = [
        Prior("concentration", "gamma", (2.0, 2.0), lower=0.0)
        if dp
        else Prior("weights", "dirichlet", (1.0,), families=("dirichlet",)),
        Prior("means", "normal", (0.0, 2.0), unit=say("sd of the column")),
        Prior("scales", "lognormal", (-0.7, 0.8), lower=0.0, unit=say("sd of the column")),
    ]
    if covariance in ("full", "tied") and len(names) > 1:
        priors.append(Prior("correlations", "lkj", (2.0,), families=("lkj",)))
    return ModelCard(
        name="gmm",
        title=say("Mixture"),
        summary="",
        formulas=("z[i] ~ categorical(weights)", "y[i] ~ normal(means[z[i]], covariance[z[i]])"),
        program="def gmm_program(y, spec):\n    ...\n",
        language="python",
        quantities=(Quantity("weight"), Quantity("mean"), Quantity("sd")),
        priors=tuple(priors),
        log_likelihood="independent",
        mixture=MixtureCard(names, n_components, covariance, dp),
    )


def _provenance(
    kind: Any, engine: str, names: tuple[str, ...], n_components: int, covariance: str, dp: bool
) -> Provenance:
    return Provenance(
        model="gmm",
        engine=engine,
        kind=kind,
        config={"components": n_components, "covariance": covariance},
        seed=1,
        data=Source("data/points.csv", "ab" * 32, "150", (), dict.fromkeys(names, "150")),
        card=make_card(names, n_components, covariance, dp),
        versions={"bayeskit": "0.1.0"},
        hardware={"cores": "2"},
        timings={"sampling": 1.5, "wall": 2.0},
        command=f"bayeskit fit gmm data/points.csv --components {n_components} --engine {engine}",
        script="",
        started="2026-11-20T13:30:00+00:00",
    )


def assessed(fit: Fit, *changes: Verdict) -> tuple[Fit, Assessment]:
    """Assess a fit; ``changes`` take the place of verdicts of their names, or are added."""
    found = ASSESS[fit.provenance.kind](fit)
    names = {verdict.name for verdict in changes}
    kept = [verdict for verdict in found.verdicts if verdict.name not in names]
    return fit, replace(found, verdicts=(*kept, *changes))


def poor_k_hat() -> Verdict:
    """Tell that an approximation is far off, which does not make its run fail."""
    return Verdict("pareto_k", 1.2, 0.7, "<=", False, "", "", advisory=True)
