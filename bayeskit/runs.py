"""The run folder: what a finished run leaves on disk, written aside and renamed so that it is whole or not there.

``run.json``, ``posterior.nc`` (a DataTree as netCDF), ``summary.csv`` and ``report.html``.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.priors import Prior
from bayeskit.core.types import Assessment, Fit, ModelCard, Provenance, Quantity, Series, Source, Verdict

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
_OWNER = "writer.pid"


@contextmanager
def new_folder(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a folder ``OUT.partial`` to work in, and rename it to ``OUT`` when the block ends well.

    When the block ends with an exception the partial folder is removed. What a killed process left is removed by the
    next run; one that is still being written is not.

    Raises
    ------
    ConfigError
        If ``OUT`` exists and ``overwrite`` is not given, or holds something that is no run; if another process is
        writing it; if the place cannot be written or is full.
    """
    out = out.expanduser().resolve()
    _check_target(out, overwrite)
    partial = out.with_name(out.name + ".partial")
    with _readable_disk_errors(out):
        _claim(partial, out)
        try:
            yield partial
            (partial / _OWNER).unlink()
            _replace(partial, out)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Give a sub-folder for an engine's own files, gone when the block ends."""
    place = folder / "chains"
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def save(fit: Fit, assessment: Assessment, report: str, folder: Path) -> None:
    """Write a run's four files into an existing folder, ``run.json`` last."""
    with _readable_disk_errors(folder):
        fit.posterior.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
        assessment.summary.to_csv(folder / "summary.csv", index_label="quantity", encoding="utf-8")
        write_text(folder / "report.html", report)
        write_text(folder / "run.json", json.dumps(_record(fit, assessment), indent=2, ensure_ascii=False))


def load(folder: Path) -> tuple[Fit, Assessment]:
    """Read a finished run folder back.

    Raises
    ------
    DataError
        If the folder is no finished run, or one of another schema.
    """
    import pandas as pd
    import xarray as xr

    record = read_record(folder)
    for name in ("posterior.nc", "summary.csv"):
        if not (folder / name).is_file():
            raise DataError(f"{folder}: {name} is missing; the folder is no finished run, fit again")
    with xr.open_datatree(folder / "posterior.nc", engine="h5netcdf") as tree:
        posterior = tree.load()
    summary: pd.DataFrame = pd.read_csv(folder / "summary.csv", index_col="quantity")
    fields = {name: record[name] for name in _PLAIN}
    provenance = Provenance(**fields, data=_source(record["data"]), card=_card(record["card"]))
    verdicts = tuple(Verdict(**verdict) for verdict in record["verdicts"])
    return Fit(posterior, provenance), Assessment(verdicts, summary, record["metrics"])


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises
    ------
    DataError
        If it is missing, damaged or of another schema.
    """
    try:
        record: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{folder}: there is no run.json; give the folder of a finished run") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}/run.json cannot be read ({error}); fit again") from None
    if record.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{folder}/run.json has schema_version {record.get('schema_version')}, this one reads {SCHEMA_VERSION}; "
            "use the bayeskit that wrote it, or fit again"
        )
    return record


def write_text(path: Path, text: str) -> None:
    """Write a file aside and rename it, so that a reader sees the old or the new one."""
    aside = path.with_name(path.name + ".partial")
    with _readable_disk_errors(path):
        try:
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


_PLAIN = (
    "model",
    "engine",
    "kind",
    "config",
    "seed",
    "versions",
    "hardware",
    "timings",
    "command",
    "script",
    "started",
)


def _record(fit: Fit, assessment: Assessment) -> dict[str, Any]:
    origin = fit.provenance
    card = asdict(origin.card)
    priors = card.pop("priors")
    record = {"schema_version": SCHEMA_VERSION} | {name: getattr(origin, name) for name in _PLAIN}
    record |= {"priors": {prior.name: str(prior) for prior in origin.card.priors}}
    record |= {"data": asdict(origin.data), "card": card | {"priors": priors}}
    record |= {"metrics": assessment.metrics, "verdicts": [asdict(verdict) for verdict in assessment.verdicts]}
    cleaned: dict[str, Any] = _plain(record)
    return cleaned


def _plain(value: Any) -> Any:
    """JSON has no NaN and knows only plain types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _source(record: Mapping[str, Any]) -> Source:
    return Source(**{**record, "notes": tuple(record["notes"])})


def _card(record: Mapping[str, Any]) -> ModelCard:
    priors = (
        Prior(**{**prior, "arguments": tuple(prior["arguments"]), "families": tuple(prior["families"])})
        for prior in record["priors"]
    )
    return ModelCard(
        **{
            **record,
            "formulas": tuple(record["formulas"]),
            "quantities": tuple(Quantity(**quantity) for quantity in record["quantities"]),
            "priors": tuple(priors),
            "series": Series(**record["series"]) if record["series"] else None,
            "boundary": tuple(record["boundary"]),
            "notes": tuple(record["notes"]),
        }
    )


def _check_target(out: Path, overwrite: bool) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"output {out} is a file; give --out a folder")
    if not overwrite:
        raise ConfigError(f"output folder {out} exists; choose another --out, or give --overwrite to replace it")
    if any(out.iterdir()) and not (out / "run.json").is_file():
        raise ConfigError(
            f"output folder {out} holds something that is no run; it is not replaced, choose another --out"
        )


def _claim(partial: Path, out: Path) -> None:
    """Make the partial folder ours; remove one whose writer is dead."""
    import psutil

    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.mkdir()
    except FileExistsError:
        try:
            writer = int((partial / _OWNER).read_text())
        except (OSError, ValueError):
            writer = -1
        if writer > 0 and psutil.pid_exists(writer):
            raise ConfigError(
                f"process {writer} is writing to {out}; wait for it to end, or choose another --out"
            ) from None
        shutil.rmtree(partial)
        partial.mkdir()
    (partial / _OWNER).write_text(str(os.getpid()))


def _replace(partial: Path, out: Path) -> None:
    if not out.exists():
        partial.rename(out)
        return
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    out.rename(old)
    partial.rename(out)
    shutil.rmtree(old)


@contextmanager
def _readable_disk_errors(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line."""
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "the disk is full; free some space, or choose another --out",
            errno.EDQUOT: "the disk quota is used up; free some space, or choose another --out",
            errno.EROFS: "the disk is read-only; choose another --out",
            errno.EACCES: "permission denied; choose another --out",
            errno.ENOTDIR: "a part of the path is a file; choose another --out",
            errno.EEXIST: "a part of the path is a file; choose another --out",
            errno.ENOENT: "the place takes no folders; choose another --out",
        }
        if error.errno not in reasons:
            raise
        raise ConfigError(f"cannot write to {place}: {reasons[error.errno]}") from error
