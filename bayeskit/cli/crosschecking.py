"""``bayeskit crosscheck``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeskit.cli.common import table, tell
from bayeskit.cli.options import EXIT_VERDICT_FAILED, Lang, Overwrite, Seed, Strict, expanded


def crosscheck(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TARGET]…", help="Shipped targets, or FILE.py:NAME; all shipped ones."),
    ] = None,
    list_targets: Annotated[bool, typer.Option("--list", help="Say which targets there are, and stop.")] = False,
    seed: Seed = 1,
    strict: Strict = False,
    overwrite: Overwrite = False,
    lang: Lang = "en",
    out: Annotated[
        Path | None, typer.Option(callback=expanded, help="Its folder; reports/crosscheck unless given.")
    ] = None,
) -> None:
    """Draw the same distributions with every engine, and see whether they agree, or flag themselves where they must."""
    from bayeskit import workflows
    from bayeskit.tasks import CrosscheckTask, targets_told

    if list_targets:
        table(targets_told())
        return
    folder = out or Path("reports") / "crosscheck"
    task = CrosscheckTask(tuple(targets or ()), seed)
    found = workflows.crosscheck_to_folder(task, folder, overwrite=overwrite, notify=tell, language=lang)
    tell(repr(found))
    typer.echo(str(folder / "report.html"))
    if strict and not found.passed:
        raise typer.Exit(EXIT_VERDICT_FAILED)
