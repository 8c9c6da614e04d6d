"""The report's figures for print, in a run's folder."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from bayeskit import runs
from bayeskit.core.files import readable_disk_errors
from bayeskit.core.types import Assessment, Fit

Format = Literal["svg", "png"]


def warn(text: str) -> None:
    """Tell who calls from Python what the command line says in a line."""
    warnings.warn(text, UserWarning, stacklevel=2)


def write_figures(
    fit: Fit, assessment: Assessment, folder: Path, kind: Format, *, language: str, warn: Callable[[str], None]
) -> Path:
    """Write every figure of the report to ``FOLDER/figures/NAME.svg`` or ``.png``, all of them or none.

    Parameters
    ----------
    folder
        Of the run, finished or in the making; other files among its figures stay.
    kind, language, warn
        As ``reporting.print_figures`` takes them.

    Raises
    ------
    ConfigError
        If the folder cannot be written.
    """
    from bayeskit.reporting.print_figures import print_figures

    place = folder / runs.FIGURES
    with readable_disk_errors(place), tempfile.TemporaryDirectory(prefix=".figures-", dir=folder) as aside:
        made = print_figures(fit, assessment, Path(aside), kind, language=language, warn=warn)
        place.mkdir(exist_ok=True)
        for path in made:
            path.replace(place / path.name)
    return place
