"""The command line: arguments only. Everything heavy is imported inside the commands, so that help is instant."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from bayeskit.cli.calibrating import calibrate_app
from bayeskit.cli.crosschecking import crosscheck
from bayeskit.cli.data import data_app
from bayeskit.cli.fitting import fit_app, run, script_app
from bayeskit.cli.pages import compare, demo, doctor, index, report
from bayeskit.cli.recommending import recommend
from bayeskit.cli.resuming import resume
from bayeskit.cli.stan import stan_app
from bayeskit.cli.using import generate, predict

app = typer.Typer(
    name="bayeskit",
    help="Probabilistic models from a data file to a report that says whether to believe the numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(fit_app, name="fit")
app.add_typer(script_app, name="script")
app.add_typer(calibrate_app, name="calibrate")
app.add_typer(stan_app, name="stan")
app.add_typer(data_app, name="data")
for command in (run, resume, predict, generate, recommend, report, compare, crosscheck, index, demo, doctor):
    app.command()(command)


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show Python's traceback when something fails.")] = False,
) -> None:
    """Take options that stand before the command."""


def main() -> None:
    """Run the command line: one line for what the user can mend, a traceback only with ``--debug``."""
    debug = "--debug" in sys.argv
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except SystemExit as stop:  # SIGTERM
        status = stop.code
    except Exception as error:
        if debug:
            raise
        _fail(str(error) or type(error).__name__, getattr(error, "exit_status", 1), unexpected=_is_bug(error))
    if status in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        kept = "the state of a training (bayeskit resume) and the simulations of a calibration"
        _fail(f"interrupted; nothing of an unfinished run is kept but {kept}", status)
    sys.exit(status if isinstance(status, int) else 0)


def _is_bug(error: Exception) -> bool:
    return not hasattr(error, "exit_status")


def _fail(message: str, status: int, *, unexpected: bool = False) -> None:
    line = " ".join(message.split())
    hint = " (unexpected; --debug before the command shows where)" if unexpected else ""
    typer.echo(f"bayeskit: {line}{hint}", err=True)
    sys.exit(status)
