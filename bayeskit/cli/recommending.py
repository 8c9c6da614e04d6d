"""``bayeskit recommend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayeskit.cli.common import tell
from bayeskit.cli.options import Seed, expanded
from bayeskit.cli.using import Replace, Run

_User = Annotated[str | None, typer.Option(help="Whom to recommend to, by the name in the data.")]
_Profile = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN=VALUE,…",
        help="To somebody new of whom this is known, by a run with features of users: age=24,occupation=student.",
    ),
]
_Ratings = Annotated[
    str | None,
    typer.Option(
        metavar="ITEM=RATING,…",
        help="To somebody new who has rated these, by ids or titles: 'Fargo (1996)=4,50=5'; or a table's file.",
    ),
]
_Like = Annotated[str | None, typer.Option(metavar="ITEM", help="Items that are similar to this one, by id or title.")]
_Out = Annotated[Path | None, typer.Option(callback=expanded, help="Write a CSV instead of printing.")]


def recommend(
    run: Run,
    user: _User = None,
    profile: _Profile = None,
    ratings: _Ratings = None,
    like: _Like = None,
    top: Annotated[int, typer.Option(help="How many items.")] = 10,
    thompson: Annotated[
        bool, typer.Option("--thompson", help="Each place by another posterior draw: items that might be good, too.")
    ] = False,
    at_least: Annotated[
        float | None, typer.Option(help="What a high rating is; 4 of 1 to 5 unless given, three quarters up the scale.")
    ] = None,
    rated: Annotated[bool, typer.Option("--rated", help="Items that the user has rated, too.")] = False,
    seed: Seed = 1,
    overwrite: Replace = False,
    out: _Out = None,
) -> None:
    """Recommend items by a finished run of a factorisation: to a user, to somebody new, or such as are like another.

    What is expected of each, the 95 % interval of a rating, and the chance of a high one.
    """
    from bayeskit.workflows import recommending, tables

    if sum((user is not None, profile is not None or ratings is not None, like is not None)) != 1:
        raise typer.BadParameter("give --user, or --profile and --ratings of somebody new, or --like")
    if like is not None and (thompson or rated or at_least is not None):
        raise typer.BadParameter(
            "--thompson, --at-least and --rated are of ratings by a user; leave them out with --like"
        )
    if out is not None:
        tables.check_out(out, run, overwrite)
    if like is not None:
        found = recommending.similar_items(run, like, top=top)
    else:
        found = recommending.recommend(
            run,
            user,
            profile=profile,
            ratings=ratings,
            top=top,
            rated=rated,
            thompson=thompson,
            at_least=at_least,
            seed=seed,
        )
    tell(recommending.legend(found))
    typer.echo(tables.shown(found) if out is None else str(tables.write_results(found, out)))
