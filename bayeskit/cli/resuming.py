"""``bayeskit resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeskit.cli.common import finish, progress_bar, tell
from bayeskit.cli.options import Strict, expanded


def resume(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", callback=expanded, help="Folder of the run that was stopped or killed.")
    ],
    strict: Strict = False,
) -> None:
    """Go on with the training of an autoencoder that was stopped or killed, to the bits it would have had anyway."""
    from bayeskit.workflows.resuming import resume as go_on

    with progress_bar("training") as progress:
        made = go_on(folder, notify=tell, progress=progress)
    finish(made, folder.with_name(folder.name.removesuffix(".partial")), strict)
