"""An index page over all finished runs below a folder, from what ``run.json`` tells of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayeskit import runs
from bayeskit.core.errors import DataError
from bayeskit.core.files import write_text
from bayeskit.core.language import from_record, say
from bayeskit.core.types import Assessment, Fit

if TYPE_CHECKING:
    from bayeskit.reporting import RunEntry

_RUN, _CALIBRATION, _REPORT = "run.json", "calibration.json", "report.html"


def write_index(folder: str | Path, *, language: str = "en") -> Path:
    """Write ``index.html`` into a folder: all runs and calibrations below it, newest first.

    Parameters
    ----------
    folder
        Looked through at any depth; the draws are not read.
    language
        Of the page.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    DataError
        If there is no such folder.
    ConfigError
        If it cannot be written, or there is no catalogue for the language.
    """
    from bayeskit.reporting import render_index

    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one that holds runs")
    index = folder / "index.html"
    write_text(index, render_index([_entry(place, folder) for place in _finished(folder)], language=language))
    return index


def told(fit: Fit, assessment: Assessment) -> dict[str, Any]:
    """Return what the index will say of a run, for ``run.json``; nothing where that cannot be made."""
    from bayeskit.reporting import RunEntry

    try:
        return RunEntry.of(fit, assessment, href=_REPORT).told()
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
        return {}  # the numbers must not be lost to it


def _finished(folder: Path) -> Iterator[Path]:
    """Find run folders, not those that are still being written, nor what lies hidden or inside a run."""
    for place, inside, found in os.walk(folder):
        if _RUN in found or _CALIBRATION in found:
            inside.clear()
            yield Path(place)
        inside[:] = sorted(name for name in inside if not name.startswith(".") and not name.endswith(".partial"))


def _entry(place: Path, folder: Path) -> RunEntry:
    """Build the entry of one folder; one that cannot be read is listed with the reason."""
    from bayeskit.reporting import RunEntry

    name = place.relative_to(folder).as_posix()
    href = f"{name}/{_REPORT}" if (place / _REPORT).is_file() else ""
    try:
        if (place / _RUN).is_file():
            return RunEntry.from_record(runs.read_record(place), href=href)
        return _calibration(place, href)
    except DataError as error:
        reason = str(error)
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
    return RunEntry(name, "", "", "damaged", say("This folder cannot be read: {reason}", reason=reason), href=href)


def _calibration(place: Path, href: str) -> RunEntry:
    from bayeskit.reporting import RunEntry
    from bayeskit.reporting.index import checked

    record: Mapping[str, Any] = from_record(json.loads((place / _CALIBRATION).read_text(encoding="utf-8")))
    if not record["finished"]:
        title = say("Calibration {name}", name=place.name)
        return RunEntry(title, "", "", "unchecked", say("Not finished; the same command goes on with it."), href=href)
    origin = record["provenance"]
    # Too few simulations are no failure: the ranks were not judged then, and say so.
    verdicts = [v for v in record["verdicts"] if v["name"] != "resolution" or v["passed"]]
    return RunEntry(
        title=say("Calibration: {title}", title=origin["card"]["title"]),
        subtitle=origin["command"],
        data=origin["data"]["description"],
        href=href,
        started=origin["started"],
        wall=origin["timings"].get("wall"),
        **checked(verdicts),
    )
