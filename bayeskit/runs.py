"""The run folder: what a finished run leaves on disk, written aside and renamed so that it is whole or not there.

``run.json``, ``posterior.nc`` (a DataTree as netCDF), ``summary.csv`` and ``report.html``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.language import Text, from_record, to_record
from bayeskit.core.paths import cache_folder
from bayeskit.core.priors import Prior
from bayeskit.core.types import Assessment, Fit, ModelCard, Provenance, Quantity, Series, Source, Verdict

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 2  # 1 had plain texts, which cannot be translated
_MARK = "unfinished"  # stands in a partial folder, so that nobody else's is ever removed
_FILES = {"run.json", "posterior.nc", "summary.csv", "report.html"}


@contextmanager
def new_folder(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a folder ``OUT.partial`` to work in, and rename it to ``OUT`` when the block ends well.

    When the block ends with an exception the partial folder is removed. What a killed process left is removed by the
    next run; one that is still being written is not.

    Raises
    ------
    ConfigError
        If ``OUT`` exists and ``overwrite`` is not given, or holds anything that no run writes; if another process is
        writing it; if the place cannot be written or is full.
    """
    from filelock import FileLock, Timeout

    out = out.expanduser().resolve()
    partial = out.with_name(out.name + ".partial")
    _check_target(out, overwrite)
    lock = FileLock(_lock_file(out))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ConfigError(f"another process is writing to {out}; wait for it to end, or choose another --out") from None
    try:
        with _readable_disk_errors(out):
            _clear(partial)
            partial.mkdir(parents=True)
            try:
                (partial / _MARK).touch()
                yield partial
                (partial / _MARK).unlink()
                _check_target(out, overwrite)
                _replace(partial, out)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
    finally:
        lock.release()


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Give a sub-folder for an engine's own files, gone when the block ends."""
    place = folder / "chains"
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def save(fit: Fit, assessment: Assessment, folder: Path) -> None:
    """Write a run's numbers into an existing folder: posterior, summary and, last, ``run.json``."""
    fit.posterior.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
    assessment.summary.to_csv(folder / "summary.csv", index_label="quantity", encoding="utf-8")
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
    try:
        with xr.open_datatree(folder / "posterior.nc", engine="h5netcdf") as tree:
            posterior = tree.load()
        summary: pd.DataFrame = pd.read_csv(folder / "summary.csv", index_col="quantity")
        fields = {name: record[name] for name in _PLAIN}
        provenance = Provenance(**fields, data=_source(record["data"]), card=_card(record["card"]))
        verdicts = tuple(Verdict(**verdict) for verdict in record["verdicts"])
        return Fit(posterior, provenance), Assessment(verdicts, summary, record["metrics"])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{folder}: the run is damaged ({type(error).__name__}: {error}); fit again") from error


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises
    ------
    DataError
        If it is missing or damaged, or a newer bayeskit wrote it.
    """
    try:
        record: dict[str, Any] = dict(json.loads((folder / "run.json").read_text(encoding="utf-8")))
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


_MIGRATIONS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_with_texts,)
"""From each schema to the next, the first from 1 to 2."""


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
    """JSON has no NaN and knows only plain types; texts keep what they were made from."""
    if isinstance(value, Text):
        return _plain(to_record(value))
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
    foreign = sorted({path.name for path in out.iterdir()} - _FILES)
    if foreign or Path.cwd().is_relative_to(out):
        holds = f"holds {foreign[0]}, which no run writes" if foreign else "is the folder that you are in"
        raise ConfigError(f"output folder {out} {holds}; it is not replaced, choose another --out")


def _lock_file(out: Path) -> Path:
    """Return a lock in the cache folder, so that nothing is left beside the user's files; it ends with its process."""
    folder = cache_folder() / "locks"
    with _readable_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(os.fsencode(out)).hexdigest()[:32]}.lock"


def _clear(partial: Path) -> None:
    """Remove what a killed run left, and nothing else."""
    if not partial.exists():
        return
    if any(partial.iterdir()) and not (partial / _MARK).exists():
        raise ConfigError(f"{partial} is in the way and is no unfinished run; move it, or choose another --out")
    shutil.rmtree(partial)


def _replace(partial: Path, out: Path) -> None:
    """Put the new run in the old one's place; an interruption leaves one of the two there."""
    if not out.exists():
        partial.rename(out)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    old = aside / out.name
    try:
        out.rename(old)
        partial.rename(out)
    except BaseException:
        if old.exists() and not out.exists():
            old.rename(out)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _readable_disk_errors(place: Path) -> Iterator[None]:
    """Turn what the disk refuses about a place into one line; other failures pass through as they are."""
    try:
        yield
    except OSError as error:
        ours = error.filename is None or Path(os.fsdecode(error.filename)).is_relative_to(place.parent)
        if error.errno not in _REFUSALS or not ours:
            raise
        raise ConfigError(f"cannot write to {place}: {_REFUSALS[error.errno]}") from error


_REFUSALS = {
    errno.ENOSPC: "the disk is full; free some space, or choose another place",
    errno.EDQUOT: "the disk quota is used up; free some space, or choose another place",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EACCES: "permission denied; choose another place",
    errno.ENOTDIR: "a part of the path is a file; choose another place",
    errno.EEXIST: "a part of the path is a file; choose another place",
    errno.ENOENT: "it takes no folders; choose another place",
}
