"""The folder of a calibration: what was simulated so far, so that one that was stopped goes on where it stopped.

``calibration.json`` (what was asked for, then the verdicts), ``simulations.jsonl`` (one simulation a line, as they
end), ``ranks.csv`` and ``report.html``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.files import alone, readable_disk_errors, write_text
from bayeskit.core.language import from_record
from bayeskit.core.records import plain, provenance_of, provenance_record
from bayeskit.core.types import Provenance
from bayeskit.diagnostics.calibration import Calibration, Ranked, Simulation, assess_calibration

SCHEMA_VERSION = 1
_RECORD, _LINES, _TABLE = "calibration.json", "simulations.jsonl", "ranks.csv"
_FILES = {_RECORD, _LINES, _TABLE, "report.html"}
_COLUMNS = ("truth", "rank", "n_draws", "mean", "sd", "q2.5", "q16", "median", "q84", "q97.5", "ess")


class Journal:
    """The simulations of one calibration, on disk as soon as each of them ends.

    Parameters
    ----------
    file
        Where to write them; None to keep them in memory alone.
    done
        Those that were there already, by their index.
    """

    def __init__(self, file: IO[str] | None = None, done: Mapping[int, Simulation] | None = None) -> None:
        self._file = file
        self.done = dict(done or {})

    def add(self, simulation: Simulation) -> None:
        """Keep one more; after this call it survives whatever happens to the process."""
        self.done[simulation.index] = simulation
        if self._file is None:
            return
        self._file.write(_line(simulation))
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def journal(out: Path | None, settings: Mapping[str, Any], *, overwrite: bool = False) -> Iterator[Journal]:
    """Open the folder ``out`` for a calibration, or go on with the one that is in it.

    Parameters
    ----------
    out
        The folder; made where there is none. None: nothing is kept.
    settings
        All that a simulation follows from, but for its index: what is there is gone on with only if it was made with
        the same.
    overwrite
        Start anew.

    Raises
    ------
    ConfigError
        If the folder holds something else, or a calibration with other settings; if another process is writing to it,
        or nobody can.
    """
    if out is None:
        yield Journal()
        return
    out = out.expanduser().resolve()
    with alone(out), readable_disk_errors(out):
        _prepare(out, plain(settings), overwrite=overwrite)
        done = {simulation.index: simulation for simulation in _read_lines(out / _LINES)}
        # Written anew: a line that a kill cut short would spoil the one after it.
        write_text(out / _LINES, "".join(_line(done[i]) for i in sorted(done)))
        with (out / _LINES).open("a", encoding="utf-8") as file:
            opened = Journal(file, done)
            try:
                yield opened
            except BaseException:
                if not opened.done:  # nothing is lost
                    _remove(out)
                raise


def finish(out: Path, provenance: Provenance, calibration: Calibration) -> None:
    """Write the table of ranks and, last, the verdicts."""
    import pandas as pd

    rows = [
        (run.index, label, q.truth, q.rank, q.n_draws, q.mean, q.sd, *q.quantiles, q.ess)
        for run in calibration.simulations
        for label, q in run.quantities.items()
    ]
    table = pd.DataFrame(rows, columns=["simulation", "quantity", *_COLUMNS])
    write_text(out / _TABLE, table.to_csv(index=False))
    record = _read_record(out) | {
        "finished": True,
        "provenance": provenance_record(provenance),
        "verdicts": [asdict(verdict) for verdict in calibration.verdicts],
    }
    write_text(out / _RECORD, json.dumps(plain(record), indent=2, ensure_ascii=False))


def load(folder: Path) -> tuple[Provenance, Calibration]:
    """Read a finished calibration back.

    Raises
    ------
    DataError
        If the folder holds none, or a damaged one.
    """
    record = _read_record(folder)
    if not record.get("finished"):
        raise DataError(f"{folder}: the calibration is not finished; the command that began it goes on with it")
    try:
        simulations = sorted(_read_lines(folder / _LINES), key=lambda simulation: simulation.index)
        provenance = provenance_of(from_record(record["provenance"]))
        wanted = int(provenance.config["simulations"])
        return provenance, assess_calibration([s for s in simulations if s.index < wanted])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(
            f"{folder}: the calibration is damaged ({type(error).__name__}: {error}); run it again"
        ) from error


def is_calibration(folder: Path) -> bool:
    """Return whether a folder holds a calibration."""
    return (folder / _RECORD).is_file()


def _prepare(out: Path, settings: Mapping[str, Any], *, overwrite: bool) -> None:
    """Leave a folder in which the calibration can go on."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"output {out} is a file; give --out a folder")
    # What a kill left half-written aside is ours as well.
    present = sorted({path.name.removesuffix(".partial") for path in out.iterdir()} - _FILES) if out.exists() else []
    if present:
        raise ConfigError(f"output folder {out} holds {present[0]}, which no calibration writes; choose another --out")
    if out.exists() and overwrite:
        shutil.rmtree(out)
    if is_calibration(out):
        _refuse_others(out, settings)
        return
    out.mkdir(parents=True, exist_ok=True)
    record = {"schema_version": SCHEMA_VERSION, "finished": False, "settings": settings}
    write_text(out / _RECORD, json.dumps(plain(record), indent=2, ensure_ascii=False))


def _remove(out: Path) -> None:
    """Take away what a calibration without simulations has written, and the folder if nothing else is in it."""
    for name in (_RECORD, _LINES):
        (out / name).unlink(missing_ok=True)
    with suppress(OSError):
        out.rmdir()


def _refuse_others(out: Path, settings: Mapping[str, Any]) -> None:
    before = _read_record(out).get("settings", {})
    differing = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
    if differing:
        name = differing[0]
        raise ConfigError(
            f"output folder {out} holds a calibration with another {name.replace('_', ' ')} "
            f"({before.get(name)}, now {settings.get(name)}); choose another --out, or give --overwrite"
        )


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = dict(json.loads((folder / _RECORD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(f"{folder}: there is no {_RECORD}; give the folder of a calibration") from None
    except (OSError, TypeError, ValueError) as error:
        raise DataError(f"{folder}/{_RECORD} cannot be read ({error}); run it again with --overwrite") from None
    if record.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{folder}/{_RECORD} has schema_version {record.get('schema_version')}, this bayeskit reads "
            f"{SCHEMA_VERSION}; update bayeskit, or run it again with --overwrite"
        )
    return record


def _line(simulation: Simulation) -> str:
    """Return a simulation as JSON, which has no NaN: an R-hat that is no number is null, none at all is absent."""
    record = asdict(simulation)
    if simulation.max_r_hat is None:
        del record["max_r_hat"]
    return json.dumps(plain(record), ensure_ascii=False) + "\n"


def _read_lines(path: Path) -> Iterator[Simulation]:
    """Read what is whole; a line that a kill cut short is simulated again."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):  # not where else Unicode ends lines
        try:
            record = json.loads(line)
            quantities = {
                label: Ranked(**{name: _number(value) for name, value in ranked.items()})
                for label, ranked in record.pop("quantities").items()
            }
            if "max_r_hat" in record:
                record["max_r_hat"] = _number(record["max_r_hat"])
            yield Simulation(quantities=quantities, **record)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


def _number(value: Any) -> Any:
    """JSON has no NaN: what was none comes back as one."""
    if isinstance(value, list):
        return tuple(_number(item) for item in value)
    return float("nan") if value is None else value
