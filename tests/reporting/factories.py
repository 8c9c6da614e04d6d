"""Synthetic fits that look like real ones: the Seattle series, one-step forecasts, chains that agree or do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeskit.core.priors import Prior
from bayeskit.core.types import Assessment, Fit, ModelCard, Provenance, Quantity, Series, Source, Verdict

SEATTLE = Path(__file__).resolve().parents[2] / "data" / "seattle-weather.csv"
PROGRAM = """// Local level with a missing-day filter.
data {
  int<lower=1> T;            // days
  vector[T] y;               /* degrees Celsius */
}
parameters {
  real<lower=0> s_mu;
  real<lower=0, upper=1> signal_share;
}
model {
  s_mu ~ normal(0, 5);
  target += normal_lpdf(y[1] | 10, 10);
}
"""


def make_fit(
    *,
    n_days: int = 1461,
    n_chains: int = 4,
    n_draws: int = 1000,
    model: str = "level",
    rain_noise: bool = False,
    missing: slice | None = None,
    healthy: bool = True,
    boundary: bool = False,
    kind: str = "mcmc",
    words: dict[str, str] | None = None,
    seed: int = 1,
) -> Fit:
    """Build a fit by smoothing the real series and drawing around it; ``healthy=False`` parts the chains."""
    rng = np.random.default_rng(seed)
    table = pd.read_csv(SEATTLE, parse_dates=["date"]).iloc[:n_days]
    y = ((table["temp_max"] + table["temp_min"]) / 2).to_numpy()
    rainy = table["precipitation"].to_numpy() > 0
    dates = table["date"].to_numpy().astype("datetime64[ns]")
    kept = np.ones(n_days, dtype=bool)
    if missing is not None:
        kept[missing] = False
    shape = (n_chains, n_draws)
    scalars = _scalars(rng, shape, healthy=healthy, boundary=boundary, rain_noise=rain_noise)
    mu, slope = _states(rng, shape, y, kept, healthy=healthy)
    posterior: dict[str, Any] = {
        **{
            name: (("chain", "draw", "weather") if value.ndim == 3 else ("chain", "draw"), value)
            for name, value in scalars.items()
        },
        "mu": (("chain", "draw", "date"), mu),
    }
    if model == "trend":
        posterior["slope"] = (("chain", "draw", "date"), slope)
    coords: dict[str, Any] = {"chain": np.arange(n_chains), "draw": np.arange(n_draws), "date": dates}
    if rain_noise:
        coords["weather"] = ["dry", "rainy"]
    groups = {
        "posterior": xr.Dataset(posterior, coords=coords),
        "sample_stats": _sample_stats(rng, shape, healthy=healthy, scalars=scalars),
        **_predictions(rng, shape, y, kept, dates),
        "constant_data": xr.Dataset(
            {"rainy": ("date", rainy), "precipitation": ("date", table["precipitation"].to_numpy())},
            coords={"date": dates},
        ),
    }
    groups["prior"] = _prior(rng, rain_noise)
    tree = xr.DataTree.from_dict(groups)
    return Fit(tree, _provenance(model, rain_noise, kind, words or {}, shape))


def _scalars(
    rng: np.random.Generator, shape: tuple[int, int], *, healthy: bool, boundary: bool, rain_noise: bool
) -> dict[str, np.ndarray]:
    shift = np.zeros((shape[0], 1)) if healthy else np.linspace(-0.6, 0.6, shape[0])[:, None]
    s_mu = np.abs(rng.normal(1.886, 0.051, shape) + shift)
    s_y = np.abs(rng.normal(0.0, 0.25, shape)) if boundary else np.abs(rng.normal(0.62, 0.07, shape) + shift / 3)
    share = s_mu**2 / (s_mu**2 + s_y**2)
    if rain_noise:
        s_y = np.stack([s_y * 1.1, s_y * 0.8], axis=-1)
    return {"s_mu": s_mu, "s_y": s_y, "signal_share": share}


def _states(
    rng: np.random.Generator, shape: tuple[int, int], y: np.ndarray, kept: np.ndarray, *, healthy: bool
) -> tuple[np.ndarray, np.ndarray]:
    day = np.arange(y.size)
    filled = np.interp(day, day[kept], y[kept])
    gap = np.minimum(np.abs(day[:, None] - day[kept][None, :]).min(axis=1), y.size)
    width = 0.45 + 1.1 * np.sqrt(gap)
    noise = rng.standard_normal((*shape, y.size), dtype=np.float32)
    mu = (filled + width * noise).astype(float)
    if not healthy:
        mu += np.linspace(-0.8, 0.8, shape[0])[:, None, None]
    trend = np.convolve(np.gradient(filled), np.ones(9) / 9, mode="same")
    slope = trend + 0.15 * rng.standard_normal((*shape, y.size))
    return mu, slope


def _sample_stats(
    rng: np.random.Generator, shape: tuple[int, int], *, healthy: bool, scalars: dict[str, np.ndarray]
) -> xr.Dataset:
    diverging = np.zeros(shape, dtype=bool) if healthy else rng.random(shape) < 0.013
    lp = -2400 - rng.gamma(1.5, 1.0, shape)
    values = {
        "lp": lp,
        "energy": -lp + rng.gamma(1.5, 1.0, shape),
        "acceptance_rate": rng.beta(9, 1.5, shape),
        "step_size": np.broadcast_to(rng.uniform(0.7, 0.9, (shape[0], 1)), shape),
        "tree_depth": rng.integers(1, 4, shape),
        "n_steps": rng.choice([1, 3, 7], shape),
        "diverging": diverging,
    }
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    data = xr.Dataset({name: (("chain", "draw"), value) for name, value in values.items()}, coords=coords)
    data.attrs["max_treedepth"] = 10
    return data


def _predictions(
    rng: np.random.Generator, shape: tuple[int, int], y: np.ndarray, kept: np.ndarray, dates: np.ndarray
) -> dict[str, xr.Dataset]:
    seen, when = y[kept], dates[kept]
    ahead = np.concatenate([[seen.mean()], seen[:-1]])
    sd = float(np.std(seen - ahead))
    draws = ahead + sd * rng.standard_normal((*shape, seen.size))
    density = (
        -0.5 * ((seen - ahead) / sd) ** 2
        - np.log(sd * np.sqrt(2 * np.pi))
        + 0.01 * rng.standard_normal((*shape, seen.size))
    )
    prior = 10 + np.cumsum(np.abs(rng.normal(0, 1.5, (1, 300, 1))) * rng.standard_normal((1, 300, seen.size)), axis=-1)
    dims = ("chain", "draw", "observed_date")

    def data(values: np.ndarray) -> xr.Dataset:
        coords = {"chain": np.arange(values.shape[0]), "draw": np.arange(values.shape[1]), "observed_date": when}
        return xr.Dataset({"temperature": (dims, values)}, coords=coords)

    return {
        "posterior_predictive": data(draws),
        "log_likelihood": data(density),
        "prior_predictive": data(prior),
        "observed_data": xr.Dataset({"temperature": ("observed_date", seen)}, coords={"observed_date": when}),
    }


def _prior(rng: np.random.Generator, rain_noise: bool) -> xr.Dataset:
    s_mu, s_y = np.abs(rng.normal(0, 5.2, (2, 1, 300)))
    values: dict[str, Any] = {
        "s_mu": (("chain", "draw"), s_mu),
        "s_y": (("chain", "draw", "weather"), np.stack([s_y, s_y], -1)) if rain_noise else (("chain", "draw"), s_y),
        "signal_share": (("chain", "draw"), s_mu**2 / (s_mu**2 + s_y**2)),
    }
    coords: dict[str, Any] = {"chain": [0], "draw": np.arange(300)}
    if rain_noise:
        coords["weather"] = ["dry", "rainy"]
    return xr.Dataset(values, coords=coords)


def make_card(model: str = "level", rain_noise: bool = False, words: dict[str, str] | None = None) -> ModelCard:
    """Build the model's card; ``words`` replaces texts."""
    words = words or {}
    return ModelCard(
        name="weather",
        title=words.get(
            "title", "Daily temperature: local level" if model == "level" else "Daily temperature: local linear trend"
        ),
        summary=words.get(
            "summary",
            "Each day's temperature is a hidden level plus noise of the day; the level walks from one day to the next.",
        ),
        formulas=("mu[t] ~ normal(mu[t-1], s_mu)", words.get("formula", "y[t] ~ normal(mu[t], s_y)")),
        program=words.get("program", PROGRAM),
        language="stan",
        quantities=(
            Quantity("s_mu", "°C", words.get("meaning", "How far the level moves in a day, as a standard deviation")),
            Quantity("s_y", "°C", "How far a day's measurement scatters around its level"),
            Quantity("signal_share", "", "Share of the day-to-day variance that is the level's own movement"),
        ),
        priors=(
            Prior("s_mu", "normal", (0.0, 5.2), lower=0.0, unit="°C", meaning="how far the level moves in a day"),
            Prior("s_y", "normal", (0.0, 5.2), lower=0.0, unit="°C", meaning="how far a measurement scatters"),
            Prior("mu_1", "normal", (11.4, 12.3), unit="°C", meaning="the level of the first day"),
        ),
        series=Series(
            observed="temperature",
            state="mu",
            slope="slope" if model == "trend" else None,
            flag="rainy",
            label=words.get("label", "temperature"),
            unit="°C",
        ),
        remedies={}
        if model == "level"
        else {"r_hat": "The latent form of this model mixes badly; run it with --form marginal"},
        boundary=("s_y",),
    )


def _provenance(model: str, rain_noise: bool, kind: Any, words: dict[str, str], shape: tuple[int, int]) -> Provenance:
    return Provenance(
        model="weather",
        engine="stan",
        kind=kind,
        config={
            "model": model,
            "form": "marginal",
            "chains": shape[0],
            "draws": shape[1],
            "warmup": 1000,
            "rain": None,
        },
        seed=20261120,
        data=Source(
            path=words.get("path", "data/seattle-weather.csv"),
            sha256="9f2c" * 16,
            description=words.get("description", "1461 days, 2012-01-01 to 2015-12-31, from a plain CSV"),
            notes=(words.get("note", "temperature is the mean of temp_max and temp_min"),),
        ),
        card=make_card(model, rain_noise, words),
        versions={"bayeskit": "0.1.0", "stan": "2.35.0", "cmdstanpy": "1.3.0", "numpy": "2.4.6", "python": "3.11.2"},
        hardware={"machine": "x86_64", "processor": "2 cores", "memory": "8 GB", "gpu": "none"},
        timings={"compile": 19.42, "warmup": 4.21, "sampling": 7.9},
        command=words.get("command", "bayeskit fit weather data/seattle-weather.csv --model level --seed 20261120"),
        script=words.get(
            "script",
            "import bayeskit as bk\n\ndata = bk.load_weather('data/seattle-weather.csv')\nfit = bk.fit(data)\n",
        ),
        started="2026-11-20T13:30:00+00:00",
    )


def make_assessment(fit: Fit, *, healthy: bool = True, unchecked: tuple[str, ...] = ()) -> Assessment:
    """Build verdicts and the summary table, from moments only: quick, not ArviZ's numbers."""
    rows: dict[str, dict[str, float]] = {}
    rng = np.random.default_rng(3)
    for name, array in fit.posterior["posterior"].data_vars.items():
        values = array.to_numpy().reshape(array.shape[0] * array.shape[1], -1)
        labels = [str(name)]
        if array.ndim == 3:
            dim = str(array.dims[2])
            labels = [f"{name}[{_coordinate(place)}]" for place in array[dim].to_numpy()]
        for column, label in enumerate(labels):
            good = 1.0 + abs(float(rng.normal(0, 0.001)))
            rows[label] = _row(values[:, column], good if healthy else 1.2 + 0.6 * float(rng.random()), healthy)
    summary = pd.DataFrame.from_dict(rows, orient="index")
    return Assessment(_verdicts(summary, healthy, unchecked), summary, {"rhat_max": float(summary["r_hat"].max())})


def _coordinate(place: Any) -> str:
    return str(place)[:10] if isinstance(place, np.datetime64) else str(place)


def _row(values: np.ndarray, r_hat: float, healthy: bool) -> dict[str, float]:
    quantiles = np.quantile(values, [0.025, 0.16, 0.5, 0.84, 0.975])
    ess = 1310 + 2000 * (1.01 - min(r_hat, 1.01)) / 0.01 if healthy else 7.0
    sd = float(values.std())
    return {
        "mean": float(values.mean()),
        "sd": sd,
        **dict(zip(("q2.5", "q16", "median", "q84", "q97.5"), map(float, quantiles), strict=True)),
        "mcse_mean": sd / ess**0.5,
        "ess_bulk": ess,
        "ess_tail": ess * 0.9,
        "r_hat": r_hat,
    }


def _verdicts(summary: pd.DataFrame, healthy: bool, unchecked: tuple[str, ...]) -> tuple[Verdict, ...]:
    worst = str(summary["r_hat"].idxmax())
    least = str(summary["ess_bulk"].idxmin())
    made = (
        Verdict(
            "r_hat",
            float(summary["r_hat"].max()),
            1.01,
            "<=",
            healthy,
            f"largest for {worst}",
            "Chains disagree: run longer with --warmup 2000, or reparametrise",
        ),
        Verdict(
            "ess_bulk",
            float(summary["ess_bulk"].min()),
            400,
            ">=",
            healthy,
            f"smallest for {least}",
            "Draw more: --draws 4000",
        ),
        Verdict(
            "ess_tail",
            float(summary["ess_tail"].min()),
            400,
            ">=",
            healthy,
            f"smallest for {least}",
            "Draw more: --draws 4000",
        ),
        Verdict("divergences", 0 if healthy else 52, 0, "<=", healthy, "", "Raise adapt_delta to 0.95"),
        Verdict("tree_depth", 0, 0, "<=", True, "no iteration reached 10", "Raise max_treedepth"),
        Verdict("e_bfmi", 0.94, 0.3, ">=", True, "smallest over the chains", "Reparametrise"),
    )
    return tuple(
        replace(v, value=None, passed=None, detail="the engine does not report it") if v.name in unchecked else v
        for v in made
    )
