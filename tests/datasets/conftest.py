"""Small files in the layout of the Japan Meteorological Agency, with made-up numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest


@dataclass
class JmaFile:
    """A file in the agency's layout: blocks of columns, one block a variable and station, and the lines around them."""

    dates: Sequence[str]
    blocks: list[list[tuple[str, str, str, Sequence[str]]]] = field(default_factory=list)
    download_line: bool = True
    blank_line: bool = True
    empty_label_line: bool = True
    station_line: bool = True

    def add(self, station: str, title: str, values: Sequence[str], **labelled: Sequence[str]) -> "JmaFile":
        """Add the columns of one variable: its values, then those with a label, in the order given."""
        self.blocks.append([(station, title, label, cells) for label, cells in {"": values, **labelled}.items()])
        return self

    def text(self, newline: str = "\r\n", order: Sequence[int] | None = None) -> str:
        """Return the file's text; ``order`` permutes the columns, that of the dates (0) included."""
        columns = [("", "年月日", "", self.dates), *(column for block in self.blocks for column in block)]
        columns = [columns[i] for i in order or range(len(columns))]
        head = [["ダウンロードした時刻：2026/11/20 09:30:00"]] * self.download_line + [[""]] * self.blank_line
        head += [[column[0] for column in columns]] * self.station_line
        head += [[column[1] for column in columns]] + [[""] * len(columns)] * self.empty_label_line
        head += [[column[2] for column in columns]] * any(column[2] for column in columns)
        rows = [[column[3][i] for column in columns] for i in range(len(self.dates))]
        return newline.join(",".join(cells) for cells in [*head, *rows]) + newline


@pytest.fixture(scope="session")
def jma_file() -> Callable[..., JmaFile]:
    """Make a file from its dates."""
    return JmaFile


@pytest.fixture(scope="session")
def jma_sample(jma_file) -> Callable[[], JmaFile]:
    """Twelve days of one station, the third of which lacks its temperature for a quality of 4."""

    def make(station: str = "架空") -> JmaFile:
        eight, one = ["8"] * 12, ["1"] * 12
        warm = [f"{10 + i * 0.5}" for i in range(12)]
        rain = ["0", "0.5", "12.0", "0.0", *["0"] * 8]
        nothing = ["1", "0", "0", "0", *["1"] * 8]
        quality = ["8", "5", "4", *["8"] * 9]
        file = jma_file([f"2021/3/{day}" for day in range(1, 13)])
        file.add(station, "平均気温(℃)", warm, 品質情報=quality, 均質番号=one)
        return file.add(station, "降水量の合計(mm)", rain, 現象なし情報=nothing, 品質情報=eight, 均質番号=one)

    return make
