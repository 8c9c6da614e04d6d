"""What is written in any of the layouts is what is loaded."""

import datetime
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bayeskit.datasets import load_weather

SEATTLE = Path(__file__).parents[2] / "data" / "seattle-weather.csv"

DATE_FORMATS = {
    "2012/01/05": lambda day: f"{day:%Y/%m/%d}",
    "2012-01-05": lambda day: day.isoformat(),
    "2012/1/5": lambda day: f"{day.year:04}/{day.month}/{day.day}",
    "2012.1.5": lambda day: f"{day.year:04}.{day.month}.{day.day}",
    "20120105": lambda day: f"{day.year:04}{day:%m%d}",
    "ISO with T": lambda day: f"{day.isoformat()}T00:00:00",
    "ISO with space": lambda day: f"{day.isoformat()} 00:00:00.000",
    "ISO with zone": lambda day: f"{day.isoformat()}T00:00Z",
    "ISO with local mean time": lambda day: f"{day.isoformat()} 00:00:00+09:18:59",
}


@dataclass
class Days:
    """A series with gaps: the rows of a file, in their order there."""

    dates: list[datetime.date]
    temperature: list[float | None]
    precipitation: list[float | None]

    def expected(self, values):
        first = min(self.dates)
        full = np.full((max(self.dates) - first).days + 1, np.nan)
        for date, value in zip(self.dates, values, strict=True):
            full[(date - first).days] = np.nan if value is None else value
        return full

    def assert_same(self, weather):
        first, last = min(self.dates), max(self.dates)
        np.testing.assert_array_equal(weather.dates, np.arange(first, last + datetime.timedelta(days=1)))
        np.testing.assert_array_equal(weather.temperature, self.expected(self.temperature))
        np.testing.assert_array_equal(weather.precipitation, self.expected(self.precipitation))


@st.composite
def series(draw, decimals=None):
    first = draw(st.dates(datetime.date(1800, 1, 1), datetime.date(2100, 1, 1)))
    offsets = draw(st.lists(st.integers(0, 60), min_size=10, max_size=30, unique=True))
    n = len(offsets)

    def column(low, high):
        numbers = st.floats(low, high).map(lambda x: x if decimals is None else round(x, decimals))
        return draw(st.lists(st.none() | numbers, min_size=n, max_size=n))

    temperature = column(-60, 60)
    observed = [value for value in temperature if value is not None]
    assume(len(observed) >= 10 and len(set(observed)) > 1)
    dates = [first + datetime.timedelta(days=offset) for offset in offsets]
    return Days(dates, temperature, column(0, 500))


def cell(value, missing=""):
    return missing if value is None else repr(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weather")


@given(
    days=series(),
    style=st.sampled_from(sorted(DATE_FORMATS)),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    missing=st.sampled_from(["", " ", "NA", "NaN", "n/a", "null"]),
    order=st.permutations(range(4)),
    header=st.sampled_from([str, str.upper, str.title, "  {} ".format, '"{}"'.format]),
)
def test_plain_csv(folder, days, style, encoding, newline, missing, order, header):
    columns = [
        ("date", [DATE_FORMATS[style](date) for date in days.dates]),
        ("temperature", [cell(value, missing) for value in days.temperature]),
        ("precipitation", [cell(value, missing) for value in days.precipitation]),
        ("wind", ['"strong, ""really"""'] * len(days.dates)),
    ]
    names, cells = zip(*[columns[i] for i in order], strict=True)
    lines = [",".join(map(header, names)), *(",".join(row) for row in zip(*cells, strict=True))]
    path = folder / "plain.csv"
    path.write_bytes((newline.join(lines) + newline).encode(encoding))
    days.assert_same(load_weather(path))


@given(days=series(), halves=st.lists(st.floats(0, 5), min_size=30, max_size=30))
def test_the_mean_of_the_extremes_stands_for_the_temperature(folder, days, halves):
    extremes = [
        (t + h, t - h) if t is not None else (None, 3.0) for t, h in zip(days.temperature, halves, strict=False)
    ]
    rows = zip(days.dates, extremes, days.precipitation, strict=True)
    lines = ["Date,Temp Max,temp-min,Precipitation", *(f"{d},{cell(a)},{cell(b)},{cell(p)}" for d, (a, b), p in rows)]
    path = folder / "extremes.csv"
    path.write_text("\n".join(lines))
    days.temperature = [None if a is None else (a + b) / 2 for a, b in extremes]
    assume(len({t for t in days.temperature if t is not None}) > 1)
    days.assert_same(load_weather(path))


PARQUET_DATES = {
    "date": lambda dates: dates,
    "text": lambda dates: [date.isoformat() for date in dates],
    "number": lambda dates: [int(f"{date.year}{date:%m%d}") for date in dates],
    "timestamp": lambda dates: pd.to_datetime(pd.Series(dates)).astype("datetime64[ms]"),
    "nanoseconds": lambda dates: pd.to_datetime(pd.Series(dates)).astype("datetime64[ns]"),
    "zone": lambda dates: pd.to_datetime(pd.Series(dates)).astype("datetime64[ms]").dt.tz_localize("+09:00"),
}


@given(days=series(), style=st.sampled_from(sorted(PARQUET_DATES)), index=st.booleans(), single=st.booleans())
def test_parquet(folder, days, style, index, single):
    if single:
        days.temperature = [None if t is None else float(np.float32(t)) for t in days.temperature]
        assume(len({t for t in days.temperature if t is not None}) > 1)
    frame = pd.DataFrame(
        {
            "Date": PARQUET_DATES[style](days.dates),
            "temperature": pd.array(days.temperature, dtype="Float32" if single else "Float64"),
            "precipitation": np.array(days.precipitation, dtype=float),
            "comment": "text",
        }
    )
    path = folder / "days.parquet"
    (frame.set_index("Date") if index else frame).to_parquet(path)
    days.assert_same(load_weather(path))


def jma_cells(draw, days, with_codes):
    """Return the cells of a file that says what ``days`` says, in one of the ways of the agency."""
    missing = [
        ("", "1"),
        ("", ""),
        ("99.9", "4"),
        ("3.0", ""),
        ("12.3]", "8"),
        ("×", "8"),
        ("///", "8"),
        ("12.3#", "8"),
    ]
    bare = [("", "8"), ("12.3 ]", "8"), ("×", "8"), ("///", "8"), ("／／／", "8"), ("）", "8"), ("1.5＃", "8")]
    there = [("{}", "8"), ("{}", "8.0"), ("{}", "5"), ("{}", "8 "), ("{}*", "8"), ("{} )", "8"), ("{}）", "8")]
    warm, quality, rain, nothing, rain_quality = [], [], [], [], []
    for value in days.temperature:
        text, code = draw(st.sampled_from(there if value is not None else missing if with_codes else bare))
        warm.append(text.format(value))
        quality.append(code)
    for value in days.precipitation:
        text, code = draw(st.sampled_from(there if value is not None else missing if with_codes else bare))
        none = draw(st.booleans()) and value == 0
        rain.append(
            draw(st.sampled_from(["0", "", "0.0", "--"] if with_codes else ["--"])) if none else text.format(value)
        )
        nothing.append("1" if none else draw(st.sampled_from(["0", ""])))
        rain_quality.append("8" if none else code)
    return warm, quality, rain, nothing, rain_quality


@given(data=st.data(), days=series(decimals=1), lines=st.tuples(*[st.booleans()] * 4), codes=st.booleans())
def test_jma(folder, jma_file, data, days, lines, codes):
    days.precipitation = [0.0 if p is not None and p < 250 else p for p in days.precipitation]
    style = data.draw(st.sampled_from(["2012/1/5", "2012-01-05", "2012/01/05"]))
    warm, quality, rain, nothing, rain_quality = jma_cells(data.draw, days, codes)
    one = ["1"] * len(rain)
    degrees, mm = data.draw(st.sampled_from([("(℃)", "(mm)"), ("（℃）", "（ｍｍ）"), ("(°C)", " (mm)"), ("", "")]))
    file = jma_file([DATE_FORMATS[style](date) for date in days.dates])
    file.download_line, file.blank_line, file.empty_label_line, file.station_line = lines
    labelled = {"品質情報": quality, "均質番号": one} if codes else {}
    file.add("架空", f"平均気温{degrees}", warm, **labelled)
    labelled = {"現象なし情報": nothing, "品質情報": rain_quality, "均質番号": one} if codes else {}
    file.add("架空", f"降水量の合計{mm}", rain, **labelled)
    file.add("架空", "日照時間(時間)", ["不明"] * len(rain), **({"品質情報": one} if codes else {}))
    n_columns = 1 + sum(map(len, file.blocks))
    order = data.draw(st.just(None) | st.permutations(range(n_columns)))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig"] + ["cp932"] * ("°" not in degrees)))
    path = folder / "jma.csv"
    path.write_bytes(file.text(data.draw(st.sampled_from(["\r\n", "\n"])), order).encode(encoding))
    weather = load_weather(path)
    days.assert_same(weather)
    assert weather.station == ("架空" if file.station_line else None)
    assert "Source: Japan Meteorological Agency website" in weather.source.notes


def test_the_shipped_series():
    weather = load_weather(SEATTLE)
    frame = pd.read_csv(SEATTLE)
    assert weather.n_days == 1461
    assert weather.observed.all()
    assert weather.source.notes == (
        "CSV in UTF-8, 1,461 rows; temperature (°C) is the mean of 'temp_max' and 'temp_min', "
        "precipitation (mm) is 'precipitation'",
    )
    assert weather.source.path == str(SEATTLE)
    assert weather.source.sha256 == hashlib.sha256(SEATTLE.read_bytes()).hexdigest()
    np.testing.assert_array_equal(weather.temperature, (frame["temp_max"] + frame["temp_min"]) / 2)
    np.testing.assert_array_equal(weather.precipitation, frame["precipitation"])
    assert repr(weather) == "WeatherData(1,461 days, 2012-01-01 to 2015-12-31, 0 missing, with precipitation)"


def save(tmp_path, text, encoding="utf-8", name="file.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_jma_by_hand(tmp_path, jma_sample):
    weather = load_weather(save(tmp_path, jma_sample().text(), "cp932"))
    assert weather.station == "架空"
    np.testing.assert_array_equal(weather.temperature, [10, 10.5, np.nan, *(11.5 + 0.5 * i for i in range(9))])
    np.testing.assert_array_equal(weather.precipitation, [0, 0.5, 12, 0, *[0] * 8])
    _, credit, dropped, nearly = weather.source.notes
    assert credit == "Source: Japan Meteorological Agency website"
    assert dropped == "of '平均気温(℃)', 1 value of low quality (4 or below, or none) taken as missing: 2021-03-03"
    assert nearly == "of '平均気温(℃)', 1 value from nearly complete data (quality 5) used: 2021-03-02"


def test_jma_extremes_details_and_split_dates(tmp_path, jma_file):
    days = [str(day) for day in range(1, 13)]
    file = jma_file(["2021"] * 12)
    file.add("架空", "最高気温(℃)", [f"{20 + i}" for i in range(12)], 品質情報=["8"] * 12)
    file.add("架空", "最大風速(m/s)", ["3"] * 12, 品質情報=["8"] * 12, 風向=["北"] * 12)
    file.add("架空", "最低気温(℃)", [f"{10 + i}" for i in range(12)], 品質情報=["8"] * 12)
    text = file.text("\n")
    head, titles, rows = text.partition("年月日")[0], "年月日", text.partition("年月日")[2]
    # The agency's option to give year, month and day a column each, with the day of the week.
    lines = [*head.splitlines()[:2], ",,," + head.splitlines()[2], f"年,月,日,曜日{rows.splitlines()[0]}"]
    lines += [",,," + line for line in rows.splitlines()[1:3]]
    lines += [
        line.replace("2021,", f"2021,3,{day},月,", 1) for day, line in zip(days, rows.splitlines()[3:], strict=True)
    ]
    assert titles in text
    weather = load_weather(save(tmp_path, "\n".join(lines)))
    np.testing.assert_array_equal(weather.temperature, np.arange(15.0, 27.0))
    assert weather.dates[0] == np.datetime64("2021-03-01")
    assert weather.precipitation is None


def test_jma_normals_do_not_pass_for_values(tmp_path, jma_sample):
    file = jma_sample()
    file.blocks[0].append(("架空", "平均気温(℃)", "平年値(℃)", ["9.9"] * 12))
    weather = load_weather(save(tmp_path, file.text()))
    assert weather.temperature[0] == 10


def test_jma_station_is_chosen(tmp_path, jma_sample):
    file, other = jma_sample("甲"), jma_sample("乙")
    other.blocks[0][0] = (*other.blocks[0][0][:3], [f"{-i}" for i in range(12)])
    file.blocks += other.blocks
    path = save(tmp_path, file.text(), "cp932")
    assert load_weather(path, station="甲").temperature[0] == 10
    weather = load_weather(path, station=" 乙 ")
    assert (weather.station, weather.temperature[11]) == ("乙", -11)


def test_jma_after_a_spreadsheet_padded_its_lines(tmp_path, jma_sample):
    lines = jma_sample().text("\n").splitlines()
    padded = [line + "," * (7 - line.count(",")) for line in lines]
    weather = load_weather(save(tmp_path, "\r\n".join([*padded, ",,,,,,,"])))
    assert weather.n_days == 12


def test_jma_change_of_homogeneity_is_noted(tmp_path, jma_sample):
    file = jma_sample()
    file.blocks[0][2] = (*file.blocks[0][2][:3], ["1"] * 5 + ["2"] * 7)
    notes = load_weather(save(tmp_path, file.text())).source.notes
    assert any("均質番号 of '平均気温(℃)' changes on 2021-03-06" in note for note in notes)


def rows(values, start=datetime.date(2020, 1, 1)):
    return [f"{start + datetime.timedelta(days=i)},{value}" for i, value in enumerate(values)]


def test_gaps_and_disorder_are_noted(tmp_path):
    lines = rows(range(14))
    text = "\n".join(["date,temperature", *lines[:3], *lines[6:10], lines[11], lines[10], *lines[12:]])
    weather = load_weather(save(tmp_path, text))
    assert weather.n_days == 14
    assert np.flatnonzero(~weather.observed).tolist() == [3, 4, 5]
    assert weather.source.notes[1:] == (
        "the rows were not in the order of their dates and have been sorted",
        "3 days missing from the calendar were added as missing: 2020-01-04, 2020-01-05 and 2020-01-06",
    )
    assert "14 days, 2020-01-01 to 2020-01-14, 3 without temperature" in weather.source.description
    assert weather.precipitation is None


def test_a_long_list_of_gaps_is_cut(tmp_path):
    lines = rows(range(40))
    weather = load_weather(save(tmp_path, "\n".join(["date,temperature", *lines[:12], *lines[38:]])))
    assert weather.source.notes[1].endswith("2020-01-13, 2020-01-14, 2020-01-15 and 23 more")


def test_extremes_that_are_half_there_or_crossed_are_noted(tmp_path):
    text = "\n".join(
        ["date,temp_max,temp_min", *rows([f"{i + 5},{i}" for i in range(11)]), "2020-01-12,,3", "2020-01-13,1,2"]
    )
    weather = load_weather(save(tmp_path, text))
    assert np.isnan(weather.temperature[11])
    assert [note.split(" (")[0] for note in weather.source.notes[1:]] == [
        "only one of 'temp_max' and 'temp_min' is there on 1 day, taken as missing",
        "the minimum is above the maximum on 1 day",
    ]


def test_temperature_wins_over_the_extremes(tmp_path):
    text = "\n".join(["date,temp_max,temperature,temp_min", *rows([f"9,{i},1" for i in range(11)])])
    assert load_weather(save(tmp_path, text)).temperature[10] == 10


def test_a_station_column_is_used(tmp_path):
    both = [f"{line},{name}" for line in rows(range(12)) for name in ("Here", "There")]
    path = save(tmp_path, "\n".join(["date,temperature,station", *both]))
    assert load_weather(path, station="there").station == "There"
    one = save(tmp_path, "\n".join(["date,temperature,station", *both[::2]]))
    assert load_weather(one).station == "Here"


def test_blank_lines_and_repeated_unused_columns_do_no_harm(tmp_path):
    text = "\n\n".join(["", "date,x,temperature,x", *rows([f"a,{i},b" for i in range(11)]), ",,,", ""])
    assert load_weather(save(tmp_path, text)).n_days == 11


def test_an_empty_precipitation_column_is_noted(tmp_path):
    weather = load_weather(
        save(tmp_path, "\n".join(["date,temperature,precipitation", *rows([f"{i}," for i in range(11)])]))
    )
    assert np.isnan(weather.precipitation).all()
    assert weather.source.notes[1:] == ("column 'precipitation' holds no values",)


def test_parquet_is_known_by_its_content(tmp_path):
    buffer = io.BytesIO()
    pd.DataFrame({"date": pd.date_range("2020-01-01", periods=11), "temperature": range(11)}).to_parquet(buffer)
    path = tmp_path / "no-suffix"
    path.write_bytes(buffer.getvalue())
    assert load_weather(str(path)).source.notes[0].startswith("Parquet, 11 rows")
