"""Tables that come in with new data, and those that go out with results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import combining, east_asian_width

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.core.files import readable_disk_errors, write_text
from bayeskit.datasets._files import read_bytes
from bayeskit.datasets._graph_sheets import open_sheet
from bayeskit.datasets._problems import Place, listed, one_line
from bayeskit.datasets.tables import read_table, refuse_same_names

if TYPE_CHECKING:
    import pandas as pd

    Data = pd.DataFrame | str | os.PathLike[str]

Floats = NDArray[np.float64]
Results = Mapping[str, NDArray[np.generic]]

_WIDEST = 48  # columns of a terminal, of a text
_DIGITS = 8  # significant ones, of numbers in files


def texts_of(data: Data) -> tuple[pd.DataFrame, NDArray[np.generic], Place]:
    """Return columns, those of a file as texts, what each row is called, and where they come from."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        place = Place("the data frame")
        refuse_same_names([str(name) for name in data.columns], place)
        return data, data.index.to_numpy(), place
    place = Place(os.fspath(data))
    sheet = open_sheet(read_bytes(Path(data), place), Path(data).suffix.lower(), place)
    refuse_same_names(sheet.header, place)
    cells = sheet.read(range(len(sheet.header)))
    columns = (np.array(column.texts, dtype=object)[column.codes] for column in cells.names)
    return pd.DataFrame(dict(zip(sheet.header, columns, strict=True))), cells.rows, place


def values_of(data: Data, columns: tuple[str, ...]) -> tuple[pd.DataFrame, Floats, NDArray[np.generic]]:
    """Return all columns as they are, the values of those that count, and what each row is called."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        place = Place("the data frame")
        values = _frame_values(data, columns, place)
        frame, rows = data, data.index.to_numpy()
    else:
        place = Place(os.fspath(data))
        table = read_table(os.fspath(data), place)
        refuse_same_names(table.header, place)
        values = np.column_stack([table.wanted_numbers(table.position(name, place), place) for name in columns])
        frame = pd.DataFrame({name: table.cells(at) for at, name in enumerate(table.header)})
        rows = table.rows
    for at, name in enumerate(columns):
        infinite = np.flatnonzero(np.isinf(values[:, at]))
        if infinite.size:
            cells = [(rows[row], float(values[row, at])) for row in infinite]
            raise place.error("infinite", "correct it, or leave it empty", column=name, cells=cells)
    return frame, values, rows


def _frame_values(data: pd.DataFrame, columns: tuple[str, ...], place: Place) -> Floats:
    names = [str(name) for name in data.columns]
    refuse_same_names(names, place)
    lacking = [name for name in columns if name not in names]
    if lacking:
        raise place.error(f"there is no column {listed(lacking)}", f"it needs {', '.join(columns)}")
    chosen = data.iloc[:, [names.index(name) for name in columns]]
    try:
        values: Floats = chosen.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise place.error(f"not numbers ({error})", "convert them, NaN where a value is missing") from error
    return values


def beside(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Return a table with the results behind it; none takes the place of a column that is there."""
    import pandas as pd

    taken = {str(name) for name in frame.columns}
    named = {}
    for name, column in results.items():
        while name in taken:
            name += "_"
        taken.add(name)
        named[name] = column
    return pd.concat([frame, pd.DataFrame(named, index=frame.index)], axis=1)


def formatted(column: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return numbers as they stand in a file; nothing for NaN."""
    if column.dtype.kind != "f":
        return column
    return np.array(["" if np.isnan(value) else f"{value:.{_DIGITS}g}" for value in column.tolist()], dtype=object)


def shown(frame: pd.DataFrame) -> str:
    """Return a table as lines of text: numbers to two decimals, ``chance`` in per cent, and texts cut short."""
    columns = []
    for name in frame:
        cells = frame[name].tolist()
        if frame[name].dtype.kind == "f":
            texts = [f"{100 * cell:.0f} %" if name == "chance" else f"{cell:.2f}" for cell in cells]
        elif frame[name].dtype.kind in "iu":
            texts = [f"{cell:,}" for cell in cells]
        else:
            texts = [_cut(one_line(str(cell))) for cell in cells]
        lines, left = [str(name), *texts], frame[name].dtype.kind not in "iuf"
        width = max(map(_width, lines))
        blanks = [" " * (width - _width(line)) for line in lines]
        columns.append([line + blank if left else blank + line for line, blank in zip(lines, blanks, strict=True)])
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))


def _cut(text: str) -> str:
    return text if _width(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if east_asian_width(letter) in "WF" else not combining(letter) for letter in text)


def check_out(out: Path, run: Path, overwrite: bool, data: Path | None = None) -> None:
    """Refuse to write where a table must not, or need not, be written.

    Raises
    ------
    ConfigError
        If ``out`` is a folder, lies in the run's, is the file of the data, or exists.
    """
    if out.is_dir():
        raise ConfigError(f"output {out} is a folder; give --out a file, e.g. {out / 'new.csv'}")
    if out.resolve().is_relative_to(run.resolve()):
        raise ConfigError(f"output {out} lies in the run's own folder, which holds what the run wrote; choose another")
    if data is not None and out.resolve() == data.resolve():
        raise ConfigError(f"output {out} is the file of the data; choose another --out")
    if out.exists() and not overwrite:
        raise ConfigError(f"output {out} exists; choose another --out, or give --overwrite to replace it")


def write_results(results: pd.DataFrame, out: Path) -> Path:
    """Write a table of results to a CSV file, and return where."""
    write_table(results.apply(lambda column: formatted(column.to_numpy())), out)
    return out


def write_table(frame: pd.DataFrame, out: Path) -> None:
    """Write a CSV file, in a folder that is made where there is none."""
    with readable_disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, frame.to_csv(index=False, lineterminator="\n"))
