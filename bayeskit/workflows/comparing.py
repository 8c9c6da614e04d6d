"""From finished runs to the page that holds them side by side."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bayeskit.calibrations import is_calibration
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.files import write_text
from bayeskit.workflows.saving import load_run

_OURS = b'<meta name="generator" content="bayeskit">'


def compare(folders: Sequence[str | Path], path: str | Path = "compare.html", *, language: str = "en") -> Path:
    """Write a page of runs side by side: what differs, their verdicts, scores, posteriors and times.

    Parameters
    ----------
    folders
        At least two run folders, the one to compare with first.
    path
        The page to write; a page of bayeskit's that is there is replaced.
    language
        Of the page.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    ConfigError
        For fewer than two runs, or one given twice; if ``path`` holds something else, or cannot be written; if there
        is no catalogue for the language.
    DataError
        If a folder is no finished run, or one without draws.
    """
    from bayeskit.reporting.compare import render_comparison
    from bayeskit.reporting.compare_tables import Compared

    places = [Path(folder).expanduser() for folder in folders]
    out = Path(path).expanduser()
    _check_runs(places)
    _check_page(out)
    compared = []
    for name, place in zip(_names(places), places, strict=True):
        fit, assessment = load_run(place)
        if not fit.has_draws or assessment.summary.empty:
            raise DataError(f"{place}: the run has no draws; fit again")
        compared.append(Compared(name, fit, assessment, _link(place / "report.html", out)))
    language_option = "" if language == "en" else f" --lang {language}"
    command = f"bayeskit compare {shlex.join(map(str, folders))} --out {shlex.quote(str(path))}{language_option}"
    write_text(out, render_comparison(compared, command=command, language=language))
    return out


def _check_runs(places: Sequence[Path]) -> None:
    if len(places) < 2:
        raise ConfigError(f"there is nothing to compare with; give at least two run folders, got {len(places)}")
    seen: dict[Path, Path] = {}
    for place in places:
        if place.resolve() in seen:
            raise ConfigError(f"{place} is given twice; give each run once")
        if is_calibration(place):
            raise DataError(f"{place} is a calibration; give folders of runs, of which each has a run.json")
        seen[place.resolve()] = place


def _check_page(out: Path) -> None:
    if out.is_dir():
        raise ConfigError(f"output {out} is a folder; give --out the name of an HTML file")
    try:
        with out.open("rb") as file:
            ours = _OURS in file.read(20_000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot write to {out}: {error.strerror or error}; choose another --out") from error
    if not ours:
        raise ConfigError(f"output {out} is there and no page of bayeskit's; it is not replaced, choose another --out")


def _names(places: Sequence[Path]) -> list[str]:
    """Return the folders' names, with as many of the folders above as it takes to tell them apart."""
    parts = [place.resolve().parts for place in places]
    depth = [1] * len(parts)
    names = [_joined(whole, 1) for whole in parts]
    while len(set(names)) < len(names):
        for place, name in enumerate(names):
            if names.count(name) > 1 and depth[place] < len(parts[place]):
                depth[place] += 1
        names = [_joined(whole, size) for whole, size in zip(parts, depth, strict=True)]
    return names


def _joined(parts: Sequence[str], size: int) -> str:
    return os.fsencode(str(Path(*parts[-size:]))).decode("utf-8", errors="replace")


def _link(report: Path, page: Path) -> str:
    """Return the way from the page to a report, quoted, or nothing where there is none."""
    if not report.is_file():
        return ""
    try:
        way = os.path.relpath(report.resolve(), page.resolve().parent)
    except ValueError:  # another drive
        return report.resolve().as_uri()
    return "./" + quote(Path(way).as_posix(), safe="/.")
