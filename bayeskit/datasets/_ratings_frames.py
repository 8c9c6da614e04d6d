"""Tables of ratings whose columns have types: frames of pandas, and Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayeskit.datasets._files import tidy
from bayeskit.datasets._graph_cells import Column, Floats, Integers, numbers_of
from bayeskit.datasets._problems import Place, one_line, quote
from bayeskit.datasets._ratings_sheets import Cells, Numeric

if TYPE_CHECKING:
    import pandas as pd

_INDEX = "__index_level_"
_LARGEST = 2**53  # of a floating column, above which whole numbers lose digits


@dataclass(frozen=True, eq=False)
class FrameSheet:
    """A frame; its rows are counted from 1.

    Parameters
    ----------
    frame
        Its columns are taken by position, its index is not.
    place
        The file, or the script.
    """

    frame: pd.DataFrame
    place: Place

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple("" if str(name).startswith(_INDEX) else tidy(str(name)) for name in self.frame.columns)

    def head(self, n_rows: int) -> list[list[str]]:
        """Return the cells of the first rows."""
        import pandas as pd

        rows = self.frame.head(n_rows).itertuples(index=False, name=None)
        return [["" if pd.isna(value) is True else text_of(value) for value in row] for row in rows]

    def read(self, ids: Sequence[int], numbers: Sequence[int] = ()) -> Cells:
        """Return columns by their positions.

        Raises
        ------
        DataError
            If two values of a column of ids are one text, such as the number 12 and the text '12'.
        """
        rows = np.arange(1, len(self.frame) + 1)
        texts = tuple(self._ids(at) for at in ids)
        return Cells(rows, texts, tuple(self._numbers(at) for at in numbers))

    def _ids(self, position: int) -> Column:
        codes, values = _factorised(self.frame.iloc[:, position], self.header[position], self.place)
        known: dict[str, Any] = {}
        texts = []
        for value in values:
            text = self._text(value, position)
            if text in known:
                problem = f"{_shown(known[text])} and {_shown(value)} would be one id, '{one_line(text)}'"
                remedy = "write all ids as texts or all as whole numbers"
                raise self.place.error(problem, remedy, column=self.header[position])
            known[text] = value
            texts.append(text)
        if (codes < 0).any():
            blank = texts.index("") if "" in known else len(texts)
            codes, texts = np.where(codes < 0, blank, codes), [*texts, ""]
        return Column(codes, texts)

    def _text(self, value: Any, position: int) -> str:
        if isinstance(value, float | np.floating) and abs(float(value)) > _LARGEST:
            problem = f"{value:.17g} in a column of floating numbers, which hold no whole numbers above 2^53 exactly"
            raise self.place.error(problem, "write such ids as whole numbers or texts", column=self.header[position])
        if isinstance(value, bytes):
            raise self.place.error(
                f"{value!r:.40} holds bytes", "write ids as texts or numbers", column=self.header[position]
            )
        return text_of(value)

    def _numbers(self, position: int) -> Numeric:
        series = self.frame.iloc[:, position]
        kind = getattr(series.dtype, "kind", "O")
        if kind == "M":
            series = series.dt.tz_convert(None) if getattr(series.dtype, "tz", None) is not None else series
            return series.to_numpy(dtype="datetime64[us]")
        if kind in "biuf":
            found: Floats = series.to_numpy(dtype=np.float64, copy=True, na_value=np.nan)
            return found
        codes, values = _factorised(series, self.header[position], self.place)
        missing = len(values)
        column = Column(np.where(codes < 0, missing, codes), [*(text_of(value) for value in values), ""])
        numbers, wrong = numbers_of(column, np.arange(len(codes)))
        return column if wrong else numbers


def parquet_sheet(content: bytes, place: Place) -> FrameSheet:
    """Read a Parquet file.

    Raises
    ------
    DataError
        If it cannot be read, or has no columns.
    """
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

    try:
        # Arrow's reader of Python file objects, with threads, now and then aborts the interpreter at its exit.
        read = ParquetFile(pyarrow.BufferReader(content)).read(use_threads=False)
        frame = read.to_pandas(ignore_metadata=True, use_threads=False)
    except (pyarrow.ArrowException, OSError, ArithmeticError, ValueError, LookupError) as error:
        problem = f"not a Parquet file that can be read ({one_line(str(error))[:120]})"
        raise place.error(problem, "write it again, or save it as CSV") from error
    if not len(frame.columns):
        raise place.error("the file has no columns", "give one with columns for users, items and ratings")
    return FrameSheet(frame, place)


def text_of(value: Any) -> str:
    """Return a value of a typed column as it would stand in a CSV cell: 12.0 as ``12``."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))  # whole numbers become floating ones where some are missing
    return str(value).strip()


def _factorised(series: pd.Series[Any], title: str, place: Place) -> tuple[Integers, list[Any]]:
    """Return the position of each value, -1 where missing, and the different values."""
    import pandas as pd

    try:
        codes, values = pd.factorize(series)
    except TypeError as error:  # of values such as lists
        kind = type(series.iloc[0]).__name__
        raise place.error(f"cells of type {kind}", "give texts or numbers", column=title) from error
    return codes.astype(np.int64), list(values)


def _shown(value: Any) -> str:
    return f"the text {quote(value)}" if isinstance(value, str) else f"the number {value}"
