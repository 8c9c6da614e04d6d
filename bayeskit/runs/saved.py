"""What a finished run leaves in its folder, written and read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayeskit.core.errors import DataError
from bayeskit.core.files import write_text
from bayeskit.core.language import from_record, say
from bayeskit.core.records import plain, provenance_of, provenance_record
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.runs.folders import FACTORS, NODES, WEIGHTS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

SCHEMA_VERSION = 2  # 1 had plain texts, which cannot be translated
IN_MEMORY = 2**29  # bytes of a posterior that is held as a whole
_IN_ZARR = ("factors", "ratings")  # groups


def save(
    fit: Fit,
    assessment: Assessment,
    folder: Path,
    told: Mapping[str, Any] | None = None,
    nodes: pd.DataFrame | None = None,
) -> None:
    """Write a run's numbers into an existing folder: posterior, summary and, last, ``run.json``.

    ``told`` is what an index over runs says of this one, kept so that it need not read the draws; ``nodes`` is a table
    with a row for each node of a graph.
    """
    tree = fit.posterior
    if "factors" in tree.children:
        _save_factors(tree, folder / FACTORS)
        tree = tree.filter(lambda node: node.name not in _IN_ZARR)
    if "weights" in tree.children:
        _save_weights(tree["weights"].to_dataset(), folder / WEIGHTS)
        tree = tree.filter(lambda node: node.name != "weights")
    tree.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
    assessment.summary.to_csv(folder / "summary.csv", index_label="quantity", encoding="utf-8")
    if nodes is not None:
        nodes.to_csv(folder / NODES, index=False, encoding="utf-8", float_format="%.6g", lineterminator="\n")
    write_text(folder / "run.json", json.dumps(_record(fit, assessment, told or {}), indent=2, ensure_ascii=False))


def load(folder: Path, assess: Callable[[Fit], Assessment] | None = None) -> tuple[Fit, Assessment]:
    """Read a finished run folder back.

    What is missing or damaged besides ``run.json`` the fit's ``missing`` tells. Where all variables together take more
    than half a gigabyte, the largest of them stay on disk until they are looked at.

    Parameters
    ----------
    folder
        Of the run.
    assess
        Makes the assessment anew where ``summary.csv`` is missing or damaged; without it, it has the recorded verdicts
        and a summary without rows.

    Raises
    ------
    DataError
        If there is no ``run.json``, or it is damaged or of another schema.
    """
    record = read_record(folder)
    try:
        provenance = provenance_of(record)
        verdicts = tuple(Verdict(**verdict) for verdict in record["verdicts"])
        metrics = dict(record["metrics"])
    except KeyError as error:
        raise DataError(f"{folder}/run.json is damaged: it has no {error}; fit again") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{folder}/run.json is damaged ({error}); fit again") from error
    series = provenance.card.series
    posterior, no_draws = _posterior(folder / "posterior.nc", (series.state, series.slope) if series else ())
    no_factors = "" if provenance.card.factors is None else _add_factors(posterior, folder / FACTORS)
    no_weights = "" if provenance.card.autoencoder is None else _add_weights(posterior, folder / WEIGHTS)
    fit = Fit(posterior, provenance)
    summary, no_summary = _summary(folder / "summary.csv", fit)
    missing = []
    if no_factors:
        missing.append(say("The factors are missing: {why}.", why=no_factors))
    if no_weights:
        missing.append(say("The networks' weights are missing: {why}.", why=no_weights))
    if no_draws:
        missing.append(say("The draws are missing: {why}.", why=no_draws))
    if no_summary and (no_draws or assess is None):
        missing.append(say("The summary is missing: {why}.", why=no_summary))
    elif no_summary and assess is not None:
        missing.append(say("The summary is missing: {why}. It was made anew from the draws.", why=no_summary))
        return replace(fit, missing=tuple(missing)), assess(fit)
    return replace(fit, missing=tuple(missing)), Assessment(verdicts, summary, metrics)


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises
    ------
    DataError
        If it is missing or damaged, or a newer bayeskit wrote it.
    """
    try:
        record: dict[str, Any] = dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except NotADirectoryError:
        raise DataError(f"{folder} is a file; give the folder of a finished run") from None
    except FileNotFoundError:
        raise DataError(f"{folder}: there is no run.json; give the folder of a finished run") from None
    except (OSError, TypeError, ValueError) as error:
        raise DataError(f"{folder}/run.json cannot be read ({error}); fit again") from None
    version = record.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise DataError(f"{folder}/run.json has schema_version {version}, which no bayeskit writes; fit again")
    if version > SCHEMA_VERSION:
        raise DataError(
            f"{folder}/run.json has schema_version {version}, this bayeskit reads up to {SCHEMA_VERSION}; "
            "update bayeskit, or fit again"
        )
    for step in _MIGRATIONS[version - 1 :]:
        record = step(record)
    read: dict[str, Any] = from_record(record)
    return read


def _with_texts(record: dict[str, Any]) -> dict[str, Any]:
    """Move to schema 2. Schema 1 kept what texts said, not what they were made from: they stay in English."""
    return record | {"schema_version": 2}


def _posterior(path: Path, needed: Sequence[str | None]) -> tuple[xr.DataTree, str]:
    """Return the posterior, or an empty one and in words why there is none."""
    import xarray as xr

    nothing = xr.DataTree.from_dict({"posterior": xr.Dataset(), "sample_stats": xr.Dataset()})
    if not path.is_file():
        return nothing, say("there is no posterior.nc")
    try:
        tree = _opened(path)
        if "posterior" not in tree.children:
            return nothing, say("posterior.nc holds no posterior")
        for name in needed:
            if name is not None and name not in tree["posterior"]:
                return nothing, say("posterior.nc holds no {name}", name=name)
    except Exception as error:  # whatever the HDF5 library makes of a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if "truncated" in reason:
            return nothing, say("posterior.nc is cut short")
        return nothing, say("posterior.nc cannot be read ({reason})", reason=reason)
    if "sample_stats" not in tree.children:
        tree["sample_stats"] = xr.DataTree()
    drawn = any(array.size for array in tree["posterior"].data_vars.values())
    return tree, "" if drawn else say("posterior.nc holds none")


def _opened(path: Path) -> xr.DataTree:
    """Open the posterior, with the smallest variables in memory: all of them, or as many as there is room for."""
    import xarray as xr

    tree = xr.open_datatree(path, engine="h5netcdf", cache=False)
    if tree.nbytes <= IN_MEMORY:
        with tree:
            return tree.load()
    variables = [variable for node in tree.subtree for variable in node.dataset.variables.values()]
    taken = 0
    for variable in sorted(variables, key=lambda variable: variable.nbytes):
        taken += variable.nbytes
        if taken <= IN_MEMORY:
            variable.load()
    return tree


def _save_factors(tree: xr.DataTree, path: Path) -> None:
    """Write draws of factors, one draw a chunk, and the ratings."""
    import xarray as xr

    for name in _IN_ZARR:
        group = tree[name].to_dataset()
        chunks = {
            variable: {"chunks": (1, 1, *array.shape[2:])}
            for variable, array in group.data_vars.items()
            if name == "factors" and array.size
        }
        group = xr.Dataset({variable: array.variable for variable, array in group.data_vars.items()})
        group.to_zarr(path, group=name, mode="a", encoding=chunks, consolidated=False)


def _add_factors(tree: xr.DataTree, path: Path) -> str:
    """Add to a posterior what lies in ``factors.zarr``, read when it is looked at; return in words what went wrong."""
    import xarray as xr

    if not path.is_dir():
        return say("there is no factors.zarr")
    try:
        for name in _IN_ZARR:
            tree[name] = xr.DataTree(xr.open_zarr(path, group=name, chunks=None, consolidated=False))
    except Exception as error:  # whatever the Zarr library makes of a damaged folder
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return say("factors.zarr cannot be read ({reason})", reason=reason)
    return ""


def _save_weights(weights: xr.Dataset, path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save

    path.write_bytes(save({str(name): np.ascontiguousarray(a.to_numpy()) for name, a in weights.data_vars.items()}))


def _add_weights(tree: xr.DataTree, path: Path) -> str:
    """Add to a posterior the weights of networks; return in words what went wrong."""
    import xarray as xr
    from safetensors.numpy import load_file

    if not path.is_file():
        return say("there is no weights.safetensors")
    try:
        arrays = load_file(path)
    except Exception as error:  # whatever the library makes of a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        return say("weights.safetensors cannot be read ({reason})", reason=reason)
    named = {name: ([f"{name}_dim_{i}" for i in range(array.ndim)], array) for name, array in arrays.items()}
    tree["weights"] = xr.DataTree(xr.Dataset(named))
    return ""


def _summary(path: Path, fit: Fit) -> tuple[pd.DataFrame, str]:
    """Return the summary, or an empty one and in words why there is none."""
    import pandas as pd

    from bayeskit.diagnostics.labels import real_valued

    if not path.is_file():
        return pd.DataFrame(), say("there is no summary.csv")
    try:
        if not path.read_bytes().endswith(b"\n"):
            return pd.DataFrame(), say("summary.csv ends in the middle")
        first, *columns = pd.read_csv(path, nrows=0).columns
        if first != "quantity":
            return pd.DataFrame(), say("summary.csv has other columns than a summary")
        types: dict[str, type] = {"quantity": str, **dict.fromkeys(columns, float)}
        # A quantity may be called NA or null; only a number can be missing.
        summary: pd.DataFrame = pd.read_csv(
            path,
            index_col="quantity",
            dtype=types,
            keep_default_na=False,
            na_values={column: [""] for column in columns},
        )
        summary.index = summary.index.astype(object)
    except (KeyError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        return pd.DataFrame(), say("summary.csv cannot be read ({reason})", reason=reason)
    expected = sum(
        array.size // (array.sizes["chain"] * array.sizes["draw"])
        for array in real_valued(fit.posterior["posterior"].to_dataset()).data_vars.values()
    )
    if fit.has_draws and len(summary) != expected:
        why = say("summary.csv has {n} rows instead of {expected}", n=f"{len(summary):,}", expected=f"{expected:,}")
        return pd.DataFrame(), why
    return summary, ""


_MIGRATIONS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_with_texts,)
"""From each schema to the next, the first from 1 to 2."""


def _record(fit: Fit, assessment: Assessment, told: Mapping[str, Any]) -> dict[str, Any]:
    record = {"schema_version": SCHEMA_VERSION} | provenance_record(fit.provenance)
    record |= {"metrics": assessment.metrics, "verdicts": [asdict(verdict) for verdict in assessment.verdicts]}
    record |= {"told": told} if told else {}
    cleaned: dict[str, Any] = plain(record)
    return cleaned
