"""Commands that make pages of what is there, and the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeskit.cli.common import table, tell
from bayeskit.cli.options import Figures, Lang, expanded


def report(
    run: Annotated[Path, typer.Argument(callback=expanded, help="Folder of a finished run, or of a calibration.")],
    lang: Lang = "en",
    figures: Figures = None,
) -> None:
    """Make a finished run's report anew."""
    from bayeskit import calibrations, workflows

    if calibrations.is_calibration(run):
        if figures:
            raise typer.BadParameter("figures for print are made of runs only; leave --figures out")
        typer.echo(str(workflows.calibration_again(run, language=lang)))
        return
    typer.echo(str(workflows.report_again(run, language=lang, figures=figures, notify=tell)))


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN…", help="Folders of finished runs, at least two.")],
    out: Annotated[Path, typer.Option(callback=expanded, help="The page to write.")] = Path("compare.html"),
    lang: Lang = "en",
) -> None:
    """Put runs side by side on one page: settings, verdicts, scores, posteriors and times."""
    from bayeskit import workflows

    typer.echo(str(workflows.compare(runs, out, language=lang)))


def index(
    folder: Annotated[
        Path, typer.Argument(callback=expanded, help="Looked through at any depth for runs and calibrations.")
    ] = Path("reports"),
    lang: Lang = "en",
) -> None:
    """Write an index page over the runs in a folder, to be searched and sorted."""
    from bayeskit import workflows

    typer.echo(str(workflows.write_index(folder, language=lang)))


def demo(
    out: Annotated[Path, typer.Option(callback=expanded, help="Where to put it.")] = Path("reports/demo"),
) -> None:
    """Run every model on shipped data; write an index over the reports."""
    from bayeskit import workflows

    typer.echo(str(workflows.demo(out, tell)))


def doctor() -> None:
    """Say what is installed, which Stan is used, and whether there is a GPU."""
    from bayeskit import workflows

    table(workflows.diagnosis())
