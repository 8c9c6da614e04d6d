"""CmdStan's stansummary: ``python -m bayeskit.diagnostics.stansummary [OPTIONS] FILE...``.

Options, tables, CSV files and exit statuses are those of CmdStan 2.37; the numbers, and where they differ, are
described in `bayeskit.diagnostics.stan_csv_statistics`. On purpose otherwise:

- A cell that is no number, not even nan, is an error; CmdStan's own takes it for nan.
- Programs with complex numbers or tuples, draws without a sampler's columns and files of one draw are summarised;
  CmdStan's own runs for ever, or stops with an error.
- Errors are one line on standard error. Files may follow ``--include_param NAME``.
- The two lines that explain the columns are in words of our own.

4 x 1000 draws of 100 parameters take 1.7 s, of which 1.3 s go into importing ArviZ (CmdStan's own: 0.35 s); 2 x 500
draws of 20,000 parameters 17 s (22 s).
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bayeskit.core.errors import DataError

if TYPE_CHECKING:
    from bayeskit.diagnostics.stan_csv import StanCsv

_HELP = """\
Usage: stansummary [OPTIONS] FILE...

Summarise the draws of one or more chains, from CSV files that a Stan program wrote.

Options:
  -p, --percentiles LIST     Percentiles to report, from 0 to 100, in order, with commas between (default 5,50,95).
  -s, --sig_figs N           Significant figures, from 1 to 18 (default 2; 6 in the CSV file).
  -c, --csv_filename FILE    Write the statistics to a new CSV file, too.
  -a, --autocorr N           Show the autocorrelations of the N-th file's draws, too.
  -i, --include_param NAME   Only this parameter, theta[1] or theta.1 for instance; takes several names.
  -h, --help                 Show this help.
"""

# The exit statuses of CmdStan's own, by kind of mistake.
_FAILED = 1
_BAD_VALUE = 105
_MISSING_FILES = 106
_UNKNOWN_OPTION = 109
_BAD_COUNT = 114


class _UsageError(Exception):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(message, _BAD_COUNT)


class _Once(argparse.Action):
    """Refuse an option that is given twice."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        given = vars(namespace).setdefault("given", set())
        if self.dest in given:
            raise _UsageError(f"--{self.dest} is given twice", _BAD_COUNT)
        given.add(self.dest)
        setattr(namespace, self.dest, values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or {"-h", "--help"} & set(arguments):
        sys.stdout.write(_HELP)
        return 0 if arguments else _FAILED
    try:
        options = _parse(arguments)
        _summarise(options)
    except (_UsageError, DataError) as error:
        sys.stderr.write(f"stansummary: {error}\n")
        return error.status if isinstance(error, _UsageError) else _FAILED
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="stansummary", add_help=False, allow_abbrev=False)
    parser.add_argument("-p", "--percentiles", action=_Once, default="5,50,95")
    parser.add_argument("-s", "--sig_figs", action=_Once, type=_figures)
    parser.add_argument("-c", "--csv_filename", action=_Once, type=_new_file)
    parser.add_argument("-a", "--autocorr", action=_Once, type=_chain)
    parser.add_argument("-i", "--include_param", nargs="+", action="extend", default=[])
    parser.add_argument("files", nargs="*")
    options, unknown = parser.parse_known_intermixed_args(arguments)
    if unknown:
        raise _UsageError(f"there is no option {unknown[0]}; see --help", _UNKNOWN_OPTION)
    # What follows a parameter's name may be a file.
    options.files += [name for name in options.include_param if Path(name).is_file()]
    options.include_param = [name for name in options.include_param if not Path(name).is_file()]
    if not options.files:
        raise _UsageError("at least one Stan CSV file must be given; see --help", _MISSING_FILES)
    for file in options.files:
        if not Path(file).is_file():
            problem = "is a directory" if Path(file).is_dir() else "does not exist"
            raise _UsageError(f"the file {file} {problem}", _BAD_VALUE)
    if options.autocorr and options.autocorr > len(options.files):
        raise _UsageError(f"--autocorr: there is no chain {options.autocorr} of {len(options.files)}", _FAILED)
    options.percentiles = _percentiles(options.percentiles)
    return options


def _figures(text: str) -> int:
    if not re.fullmatch(r"\d+", text) or not 1 <= int(text) <= 18:
        raise _UsageError(f"--sig_figs must be an integer from 1 to 18, not {text!r}", _BAD_VALUE)
    return int(text)


def _chain(text: str) -> int:
    if not re.fullmatch(r"\d+", text) or int(text) == 0:
        raise _UsageError(f"--autocorr must be the number of a file, from 1, not {text!r}", _BAD_VALUE)
    return int(text)


def _new_file(text: str) -> Path:
    path = Path(text)
    if path.exists():
        raise _UsageError(f"--csv_filename: {text or 'the empty name'} exists already", _BAD_VALUE)
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise _UsageError(f"--csv_filename: cannot write {text}", _FAILED)
    return path


def _percentiles(text: str) -> list[str]:
    """Split the list, keeping each number as it was written, for the headings."""
    parts = re.split(r"[, ]+", text.strip()) if text.strip() else []
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [-1.0]
    if any(not 0 <= number <= 100 for number in numbers) or numbers != sorted(numbers):
        raise _UsageError(f"--percentiles must be numbers from 0 to 100 in ascending order, not {text!r}", _FAILED)
    return parts


def _summarise(options: argparse.Namespace) -> None:
    import numpy as np

    from bayeskit.diagnostics import stan_csv, stansummary_text
    from bayeskit.diagnostics.stan_csv_statistics import autocorrelation, summarise_draws

    files = [stan_csv.scan(Path(file)) for file in options.files]
    sampler, model = _columns(files[0], options.include_param)
    chains = stan_csv.read_chains(files, [*sampler, *model])
    probabilities = [float(percentile) / 100 for percentile in options.percentiles]
    statistics = summarise_draws(chains.draws, probabilities, sum(file.sampling_seconds for file in files))
    split = len(sampler)
    summary = stansummary_text.Summary(
        files,
        chains.draws.shape[2],
        stansummary_text.headings(options.percentiles),
        stansummary_text.Block(chains.names[:split], statistics[:split]),
        stansummary_text.Block(chains.names[split:], statistics[split:]),
    )
    figures = options.sig_figs or stansummary_text.DEFAULT_FIGURES
    lines = list(stansummary_text.console_lines(summary, figures))
    if options.autocorr:
        order = np.argsort([*sampler, *model])  # the files'
        values = autocorrelation(chains.draws[order, options.autocorr - 1])
        block = stansummary_text.Block(tuple(chains.names[place] for place in order), values)
        lines += stansummary_text.autocorrelation_lines(summary, options.autocorr, block, figures)
    sys.stdout.write("\n".join(lines) + "\n")
    if options.csv_filename:
        figures = options.sig_figs or stansummary_text.DEFAULT_CSV_FIGURES
        _write(options.csv_filename, "\n".join(stansummary_text.csv_lines(summary, figures)) + "\n")


def _columns(first: StanCsv, included: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the places of the sampler's columns, and of the program's that are wanted."""
    from bayeskit.diagnostics import stan_csv
    from bayeskit.diagnostics.stansummary_text import row_major

    sampler = [place for place, name in enumerate(first.names) if stan_csv.is_sampler_column(name)]
    model = [place for place, name in enumerate(first.names) if not stan_csv.is_sampler_column(name)]
    if not included:
        order = row_major([first.names[place] for place in model])
        return sampler, [model[place] for place in order]
    wanted = {stan_csv.readable(name) for name in included}
    unknown = wanted - {first.names[place] for place in model}
    if unknown:
        raise DataError(f"--include_param: {first.path} has no parameter {', '.join(sorted(unknown))}")
    return sampler, [place for place in model if first.names[place] in wanted]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"--csv_filename: cannot write {path}: {error.strerror}") from None


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader such as head may leave early
    sys.exit(main())
