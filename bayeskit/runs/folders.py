"""The run folder: made aside and renamed, so that it is whole or not there.

``run.json``, ``posterior.nc`` (a DataTree as netCDF), ``summary.csv`` and ``report.html``; of a block model also
``nodes.csv``; of a factorisation ``factors.zarr``, from which draws are read one by one; of an autoencoder
``weights.safetensors``. A run that was stopped while it trained leaves its task and its state in ``OUT.partial``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.core.files import alone, readable_disk_errors

FIGURES = "figures"  # the folder of those for print
NODES = "nodes.csv"
FACTORS = "factors.zarr"
WEIGHTS = "weights.safetensors"
TASK = "task.json"  # in a partial folder: what was asked for
CHECKPOINT = "checkpoint.safetensors"  # in a partial folder: how far that is
_MARK = "unfinished"  # stands in a partial folder, so that nobody else's is ever removed
_FILES = {"run.json", "posterior.nc", "summary.csv", "report.html", NODES, FACTORS, WEIGHTS, FIGURES}
_PRINTED = {".svg", ".png"}


@contextmanager
def new_folder(
    out: Path, *, overwrite: bool = False, files: Collection[str] = _FILES, resumed: bool = False
) -> Iterator[Path]:
    """Give a folder ``OUT.partial`` to work in, and rename it to ``OUT`` when the block ends well.

    When the block ends with an exception the partial folder is removed, unless there is a state in it to go on from
    and the exception is no fault of the inference. What a killed process left is removed by the next run; one that is
    still being written is not.

    Parameters
    ----------
    out
        The folder in the end.
    overwrite
        Whether it may be there already, and whether a state that a stopped run left may be thrown away.
    files
        Those that such a folder may hold.
    resumed
        Whether to go on in the partial folder as it is.

    Raises
    ------
    ConfigError
        If ``OUT`` exists and ``overwrite`` is not given, or holds anything that no run writes; if another process is
        writing it; if a stopped run can be gone on with; if the place cannot be written or is full.
    """
    out = out.expanduser().resolve()
    partial = out.with_name(out.name + ".partial")
    _check_target(out, overwrite, files)
    with alone(out), readable_disk_errors(out):
        if not resumed:
            _clear(partial, out, overwrite=overwrite)
            partial.mkdir(parents=True)
        try:
            (partial / _MARK).touch()
            yield partial
            _check_target(out, overwrite, files)
            _replace(partial, out)
            for name in (CHECKPOINT, TASK, _MARK):
                (out / name).unlink(missing_ok=True)
        except BaseException as error:
            if isinstance(error, InferenceError) or not (partial / CHECKPOINT).exists():
                shutil.rmtree(partial, ignore_errors=True)
            raise


def unfinished(folder: Path) -> Path:
    """Return the partial folder of a run that can be gone on with, given as ``OUT`` or ``OUT.partial``.

    Raises
    ------
    ConfigError
        If there is none, or the run left no state.
    """
    folder = folder.expanduser().resolve()
    out = folder.with_name(folder.name.removesuffix(".partial"))
    partial = out.with_name(out.name + ".partial")
    if not partial.is_dir():
        if (out / "run.json").is_file():
            raise ConfigError(f"{out} is a finished run, which there is nothing to resume of")
        raise ConfigError(f"there is no unfinished run in {partial}; give the folder of one that was stopped")
    for name in (TASK, CHECKPOINT):
        if not (partial / name).is_file():
            raise ConfigError(f"{partial} has no {name}: the run was stopped before it kept any state; fit again")
    return partial


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Give a sub-folder for an engine's own files, gone when the block ends."""
    place = folder / "chains"
    shutil.rmtree(place, ignore_errors=True)  # of a run that was killed
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _check_target(out: Path, overwrite: bool, files: Collection[str]) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"output {out} is a file; give --out a folder")
    if not overwrite:
        raise ConfigError(f"output folder {out} exists; choose another --out, or give --overwrite to replace it")
    foreign = sorted({path.name for path in out.iterdir()} - {*files, _MARK, TASK, CHECKPOINT})
    if (out / FIGURES).is_dir():
        printed = (path for path in (out / FIGURES).iterdir() if path.suffix not in _PRINTED)
        foreign += sorted(f"{FIGURES}/{path.name}" for path in printed)
    if foreign or Path.cwd().is_relative_to(out):
        holds = f"holds {foreign[0]}, which no run writes" if foreign else "is the folder that you are in"
        raise ConfigError(f"output folder {out} {holds}; it is not replaced, choose another --out")


def _clear(partial: Path, out: Path, *, overwrite: bool) -> None:
    """Remove what a killed run left, and nothing else."""
    if not partial.exists():
        return
    if (partial / CHECKPOINT).exists() and not overwrite:
        raise ConfigError(
            f"{partial} holds a run that was stopped; 'bayeskit resume {out}' goes on with it, --overwrite begins anew"
        )
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
