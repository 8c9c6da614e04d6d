"""Run folders as large as one likes, written in blocks: layout and values as a run would leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import h5netcdf
import numpy as np
import pandas as pd
import xarray as xr
from reporting.factories import make_card
from reporting.program_factories import program_fit

from bayeskit import runs
from bayeskit.core.types import Assessment, Fit, ModelCard

CHAINS, DRAWS = 4, 1000
BLOCK = 5_000  # cells written at a time


def program_run(folder: Path, n_cells: int = 100_000) -> Path:
    """Write the run of a program with a vector, a matrix of a tenth of all cells, and two scalars."""
    side = int((n_cells / 10) ** 0.5)
    sizes = {"alpha": (), "theta": (n_cells - side * side - 2,), "Sigma": (side, side), "sigma": ()}
    fit = program_fit(values={"alpha": np.zeros((CHAINS, DRAWS))})
    dims = {name: [f"{name}_dim_{place}" for place in range(len(size))] for name, size in sizes.items()}
    coords = {dim: np.arange(1, n + 1) for name in sizes for dim, n in zip(dims[name], sizes[name], strict=True)}
    tree = fit.posterior.copy()
    tree["posterior"] = xr.DataTree(_skeleton(coords))
    _save(replace(fit, posterior=tree), folder)
    _fill(folder, "posterior", {name: dims[name] for name in sizes})
    return folder


def weather_run(folder: Path, n_days: int = 50_000) -> Path:
    """Write a run of the trend model: level and slope of each day, one-step forecasts and their log likelihood."""
    days = np.datetime64("1880-01-01", "ns") + np.arange(n_days).astype("timedelta64[D]")
    rng = np.random.default_rng(2)
    fit = program_fit(values={"alpha": np.zeros((CHAINS, DRAWS))})
    card: ModelCard = make_card("trend")
    tree = fit.posterior.copy()
    tree["posterior"] = xr.DataTree(_skeleton({"date": days}))
    for group in ("posterior_predictive", "log_likelihood"):
        tree[group] = xr.DataTree(_skeleton({"observed_date": days}))
    measured = {"temperature": ("observed_date", rng.normal(size=n_days))}
    tree["observed_data"] = xr.DataTree(xr.Dataset(measured, coords={"observed_date": days}))
    simulated = rng.normal(0, 20, (1, 500, n_days))
    tree["prior_predictive"] = xr.DataTree(
        xr.Dataset(
            {"temperature": (("chain", "draw", "observed_date"), simulated)},
            coords={"chain": [0], "draw": np.arange(500), "observed_date": days},
        )
    )
    _save(Fit(tree, replace(fit.provenance, card=card, model="weather")), folder)
    _fill(folder, "posterior", {"s_mu": [], "s_y": [], "signal_share": [], "mu": ["date"], "slope": ["date"]})
    for group in ("posterior_predictive", "log_likelihood"):
        _fill(folder, group, {"temperature": ["observed_date"]})
    return folder


def draw_cells(n_cells: int, rng: np.random.Generator, *, troubled: bool) -> np.ndarray:
    """Draw autoregressive chains, ``n_chains x n_draws x n_cells``, each cell with its own memory.

    Where they are troubled, of a thousand cells two have a chain that stays apart, two hardly move, two stand still,
    and one is now and then no number.
    """
    memory = rng.uniform(-0.3, 0.9, n_cells)
    kind = rng.permutation(1000)[np.arange(n_cells) % 1000] if n_cells > 1 else np.array([999])
    memory[(kind >= 2) & (kind < 4)] = 0.999 if troubled else 0.0
    values = rng.standard_normal((DRAWS, CHAINS, n_cells))
    values[1:] *= np.sqrt(1 - memory**2)
    for draw in range(1, DRAWS):
        values[draw] += memory * values[draw - 1]
    values = np.moveaxis(values, 0, 1)
    if troubled:
        values[0, :, kind < 2] += 1.0
        values[:, :, (kind >= 4) & (kind < 6)] = 3.25
        values[1, 7, kind == 6] = np.nan
    return np.exp(values / 4) if n_cells == 1 else values


def _skeleton(coords: Mapping[str, np.ndarray]) -> xr.Dataset:
    return xr.Dataset(coords={"chain": np.arange(CHAINS), "draw": np.arange(DRAWS), **coords})


def _save(fit: Fit, folder: Path) -> None:
    folder.mkdir(parents=True)
    runs.save(fit, Assessment((), pd.DataFrame(), {}), folder)
    (folder / "summary.csv").unlink()


def _fill(folder: Path, group: str, variables: Mapping[str, Sequence[str]]) -> None:
    rng = np.random.default_rng(len(group))
    with h5netcdf.File(folder / "posterior.nc", "a") as file:
        for name, dims in variables.items():
            sizes = [file[group].dimensions[dim].size for dim in dims]
            array = file[group].create_variable(name, ("chain", "draw", *dims), float, fillvalue=np.nan)
            if not dims:
                array[...] = draw_cells(1, rng, troubled=False)[..., 0]
                continue
            step = max(1, BLOCK // int(np.prod(sizes[1:])))
            for start in range(0, sizes[0], step):
                n = min(step, sizes[0] - start)
                drawn = draw_cells(n * int(np.prod(sizes[1:])), rng, troubled=group == "posterior")
                array[:, :, start : start + n] = drawn.reshape(CHAINS, DRAWS, n, *sizes[1:])
