"""Runs that were stopped in the middle of their training, gone on with."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bayeskit import runs
from bayeskit.core.errors import ConfigError
from bayeskit.core.types import Assessment
from bayeskit.tasks import Task
from bayeskit.workflows.drawing import Progress
from bayeskit.workflows.fitting import Notify
from bayeskit.workflows.saving import fit_to_folder


def resume(folder: Path, *, notify: Notify, progress: Progress | None = None) -> Assessment:
    """Go on with a run that was stopped or killed, from the last state that it kept, to its folder.

    Parameters
    ----------
    folder
        The run's folder, ``OUT`` or ``OUT.partial``.
    notify
        Hears of each step.
    progress
        Hears how much is done.

    Returns
    -------
    Assessment
        As of a run that was not stopped: the numbers are the same to the bit.

    Raises
    ------
    ConfigError
        If there is no such run, or its state is damaged, or of other data or versions than there are now.
    """
    partial = runs.unfinished(folder)
    out = partial.with_name(partial.name.removesuffix(".partial"))
    place = partial / runs.TASK
    remedy = f"remove {partial} and fit again"
    try:
        record: dict[str, Any] = dict(json.loads(place.read_text(encoding="utf-8")))
        task = Task.of_record(record["task"])
        where, how = Path(record["folder"]), {name: record[name] for name in ("overwrite", "language", "figures")}
    except (KeyError, OSError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        raise ConfigError(f"{place} cannot be read ({reason}); {remedy}") from None
    notify(f"going on with: {task.command()}")
    with _inside(where):
        return fit_to_folder(task, out, notify=notify, progress=progress, resumed=True, **how)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work where the run was started, which the paths of its files count from; anywhere else if that is gone."""
    with contextlib.chdir(folder) if folder.is_dir() else contextlib.nullcontext():
        yield
