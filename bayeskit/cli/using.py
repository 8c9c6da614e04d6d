"""Commands that use a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeskit.cli.common import tell
from bayeskit.cli.options import Seed, expanded

Run = Annotated[Path, typer.Argument(metavar="RUN", callback=expanded, help="Folder of a finished run.")]
Replace = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]


def predict(
    run: Run,
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW",
            help="CSV or Parquet with the columns of the run's data, in any order; or images, as for fit.",
        ),
    ],
    seed: Seed = 1,
    overwrite: Replace = False,
    out: Annotated[
        Path, typer.Option(callback=expanded, help="The CSV to write; of images also .npz, with reconstructions.")
    ] = Path("predictions.csv"),
) -> None:
    """Say of new data what a finished run makes of them: points, pairs of nodes, or of users and items, rows, images.

    Of points which component, how dense, how unusual; of pairs the weight of the edge, or the rating; of an
    autoencoder's rows their codes and reconstructions. Every row of NEW comes back in its order, with all its columns
    and those of the results behind them.
    """
    from bayeskit.workflows import using

    typer.echo(str(using.predict_to_file(run, new, out, overwrite=overwrite, seed=seed, notify=tell)))


def generate(
    run: Run,
    n: Annotated[int, typer.Option("-n", "--points", help="How many rows.")] = 1000,
    seed: Seed = 1,
    overwrite: Replace = False,
    condition: Annotated[
        list[str] | None,
        typer.Option(help="Of a conditional autoencoder: NAME=VALUE, e.g. temperature=400; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(callback=expanded, help="The CSV to write (generated.csv); of images .npz or .png."),
    ] = None,
) -> None:
    """Draw new data from a finished run's posterior predictive distribution."""
    from bayeskit.workflows import using
    from bayeskit.workflows.generating import conditions_from

    given = conditions_from(condition or [])
    made = using.generate_to_file(run, n, out, overwrite=overwrite, seed=seed, conditions=given, notify=tell)
    typer.echo(str(made))
