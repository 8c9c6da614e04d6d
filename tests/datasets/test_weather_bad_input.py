"""Every file that cannot be used gives one line that names file, row, column, value and remedy."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeskit.core.errors import DataError
from bayeskit.core.types import Source
from bayeskit.datasets import WeatherData, load_weather

ISO = "write dates with the year first (ISO 8601), e.g. 2013-12-25"
NUMBER = "write a number such as -1.5, or leave the cell empty where the value is missing"


def complaint(path, **options):
    with pytest.raises(DataError) as caught:
        load_weather(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    assert "; " in message
    assert len(message) < 600
    return message.removeprefix(str(path)).removeprefix(": ").removeprefix(", ")


def table(header="date,temperature", **replace):
    """Return fifteen good rows, some replaced: ``row5='...'`` is line 5 of the file."""
    width = header.count(",")
    good = [f"2020-01-{i + 1:02}" + "".join(f",{i + k}" for k in range(width)) for i in range(15)]
    for row, text in replace.items():
        good[int(row.removeprefix("row")) - 2] = text
    return "\n".join([header, *good]) + "\n"


EXTREMES = "date,temp_max,temp_min"
RAIN = "date,temperature,precipitation"
PLAIN = {
    "no date column": (
        table("Datum,temperature"),
        "there is no column 'date', only 'Datum' and 'temperature'; rename 'Datum' to 'date' in the first row",
    ),
    "no header": (
        table("2019-12-31,1.5"),
        "there is no column 'date', only '2019-12-31' and '1.5'; "
        "put a header above the data: date,temperature,precipitation",
    ),
    "no temperature column": (
        table("date,temp,wind"),
        "there is no column 'temperature', nor 'temp_max' and 'temp_min', only 'date', 'temp' and 'wind'; "
        "rename 'temp' to 'temperature' in the first row",
    ),
    "half of the extremes": (
        table("date,temp_max,tmin"),
        "there is no column 'temp_min' to go with 'temp_max', only 'date', 'temp_max' and 'tmin'; "
        "rename 'tmin' to 'temp_min' in the first row",
    ),
    "a column twice": (
        table("date,temperature, Temperature"),
        "column 'temperature': 2 columns have this name; keep one, or rename the others",
    ),
    "header only": ("date,temperature\n", "there is a header, but no rows of data; give a file with one row a day"),
    "blank file": ("\n\n  \n", "the file is empty; download or save it again"),
    "commas only": (",,\n,,\n", "the file holds no cells but empty ones; download or save it again"),
    "unparseable date": (table(row4="yesterday,1"), f"column 'date': 'yesterday' in row 4: not a date; {ISO}"),
    "day and month in doubt": (
        table(row4="03/04/2013,1", row5="25/12/2013,2"),
        "column 'date': '03/04/2013' in row 4 and '25/12/2013' in row 5: "
        f"the order of day and month is not certain; {ISO}",
    ),
    "no such day": (
        table(row6="2019-02-29,1"),
        "column 'date': '2019-02-29' in row 6: no such day in the calendar; correct the date",
    ),
    "no date in a row": (
        table(row6=",1"),
        "column 'date': '' in row 6: no date; write the day's date, or delete the row",
    ),
    "a time of day": (
        table(row2="2020-01-01T06:00,1"),
        "column 'date': '2020-01-01T06:00' in row 2: a time of day, where one row should be one day; "
        "give one row a day, with the date alone, e.g. 2013-12-25",
    ),
    "a date twice": (
        table(row9="2020/1/3,5", row11="2020-01-05,5"),
        "column 'date': 2020-01-03 stands in rows 4 and 9 and 2020-01-05 stands in rows 6 and 11; keep one row a day",
    ),
    "a year mistyped": (
        table(row16="2102-01-15,5"),
        "column 'date': '2102-01-15' in row 16: 82 years away from the nearest other date, 2020-01-14 in row 15; "
        "correct the year, or cut the file there",
    ),
    "the first year mistyped": (
        table(row2="0020-01-01,5"),
        "column 'date': '0020-01-01' in row 2: 2000 years away from the nearest other date, 2020-01-02 in row 3; "
        "correct the year, or cut the file there",
    ),
    "not a number": (
        table(row5="2020-01-04,warm"),
        f"column 'temperature': 'warm' in row 5: not a number; {NUMBER}",
    ),
    "many that are not numbers": (
        table(RAIN, **{f"row{i}": f"2020-01-{i - 1:02},1,T" for i in range(3, 12)}),
        f"column 'precipitation': 'T' in row 3, 'T' in row 4, 'T' in row 5 and in 6 more rows: not a number; {NUMBER}",
    ),
    "decimal comma in quotes": (
        table(row5='2020-01-04,"12,8"'),
        "column 'temperature': '12,8' in row 5: not a number; write numbers with a decimal point, e.g. 12.8",
    ),
    "decimal comma": (
        table(row5="2020-01-04,12,8"),
        "the header has 2 cells, but row 5 has 3; "
        "look for a comma too many or too few, or a decimal comma (write 12.8)",
    ),
    "ragged": (
        table(RAIN, row3="2020-01-02", row4="2020-01-03,1", row6="1,2,3,4", row7="a"),
        "the header has 3 cells, but row 3 has 1, row 4 has 2, row 6 has 4 and 1 more; "
        "look for a comma too many or too few, or a decimal comma (write 12.8)",
    ),
    "semicolons": (
        table().replace(",", ";"),
        "the columns are separated by semicolons (row 1); "
        "save the file with commas between columns and decimal points in numbers, e.g. 12.8",
    ),
    "semicolons and decimal commas": (
        "Datum;Temperatur\n01.01.2012;12,8\n02.01.2012;11,3\n",
        "the columns are separated by semicolons (row 1); "
        "save the file with commas between columns and decimal points in numbers, e.g. 12.8",
    ),
    "tabs": (
        table().replace(",", "\t"),
        "the columns are separated by tabs (row 1); "
        "save the file with commas between columns and decimal points in numbers, e.g. 12.8",
    ),
    "a quote never closed": (
        table(row7='2020-01-06,"3'),
        "the quotes that open in row 7 do not close properly (unexpected end of data); "
        'put quotes (") around whole cells, in pairs, or remove them',
    ),
    "infinite": (
        table(EXTREMES, row5="2020-01-04,inf,1", row6="2020-01-05,1e999,1"),
        "column 'temp_max': inf in row 5 and inf in row 6: infinite; "
        "correct the value, or leave the cell empty where it is missing",
    ),
    "precipitation below 0": (
        table(RAIN, row8="2020-01-07,3,-0.5"),
        "column 'precipitation': -0.5 in row 8: precipitation below 0; "
        "correct the value, or leave the cell empty where it is missing",
    ),
    "too much precipitation": (
        table(RAIN, row8="2020-01-07,3,2500"),
        "column 'precipitation': 2500 in row 8: more than 2000 mm in a day; "
        "the unit must be mm a day; convert or correct the values",
    ),
    "a code for missing precipitation": (
        table(RAIN, row8="2020-01-07,3,-9999", row9="2020-01-08,3,-9999"),
        "column 'precipitation': -9999 in row 8 and -9999 in row 9: precipitation below 0; "
        "this looks like a code for a missing value; leave such cells empty",
    ),
    "a code for a missing temperature": (
        table(row8="2020-01-07,-99.9"),
        "column 'temperature': -99.9 in row 8: outside -95 to 65 °C; "
        "this looks like a code for a missing value; leave such cells empty",
    ),
    "Fahrenheit": (
        table(row8="2020-01-07,72", row9="2020-01-08,85.5"),
        "column 'temperature': 72 in row 8 and 85.5 in row 9: outside -95 to 65 °C; "
        "the column looks like degrees Fahrenheit; convert it to degrees Celsius ((F - 32) / 1.8)",
    ),
    "kelvin": (
        table(**{f"row{i}": f"2020-01-{i - 1:02},{280 + i}" for i in range(2, 17)}),
        "column 'temperature': 282 in row 2, 283 in row 3, 284 in row 4 and in 12 more rows: outside -95 to 65 °C; "
        "the column looks like kelvin; convert it to degrees Celsius (K - 273.15)",
    ),
    "one impossible temperature": (
        table(row8="2020-01-07,128"),
        "column 'temperature': 128 in row 8: outside -95 to 65 °C; the unit must be degrees Celsius "
        "(not Fahrenheit, not kelvin); convert the column or correct the value",
    ),
    "all days missing": (
        table(**{f"row{i}": f"2020-01-{i - 1:02}," for i in range(2, 17)}),
        "column 'temperature': all 15 days are missing; give a file with observed days",
    ),
    "the extremes never together": (
        table(EXTREMES, **{f"row{i}": f"2020-01-{i - 1:02},{i}," for i in range(2, 17)}),
        "column 'temp_max and temp_min': all 15 days are missing; give a file with observed days",
    ),
    "fewer than ten days": (
        table(**{f"row{i}": f"2020-01-{i - 1:02},NA" for i in range(2, 8)}),
        "column 'temperature': only 9 of 15 days observed; at least 10 are needed; give a longer series",
    ),
    "a constant series": (
        table(**{f"row{i}": f"2020-01-{i - 1:02},12.8" for i in range(2, 17)}),
        "column 'temperature': all 15 observed values are 12.8; "
        "a constant series cannot be fitted; check that this is the right column",
    ),
    "several stations": (
        table("date,temperature,station"),
        "the file holds 15 stations: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 and 15; "
        "say which one by station (--station), e.g. '1'",
    ),
    "an escape sequence": (
        table(row5="2020-01-04,\x1b[31mred"),
        f"column 'temperature': '\\x1b[31mred' in row 5: not a number; {NUMBER}",
    ),
}


@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_plain_csv(tmp_path, case, newline):
    text, expected = PLAIN[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(text.replace("\n", newline).encode())
    assert complaint(path) == expected


def test_rows_are_lines_of_the_file(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text('\ndate,temperature,note\n\n2020-01-01,1,"two\nlines"\n\n2020-01-02,x,\n')
    assert complaint(path).startswith("column 'temperature': 'x' in row 7: not a number")


def test_missing_file(tmp_path):
    (tmp_path / "weather.csv").touch()
    path = tmp_path / "wheather.csv"
    assert complaint(path) == f"there is no such file; did you mean '{tmp_path / 'weather.csv'}'?"
    assert complaint(tmp_path / "x" / "y.csv").startswith("there is no such file; nor is there a folder")
    assert complaint(tmp_path / "zzzzqq") == "there is no such file; check the path"


def test_folder(tmp_path):
    assert complaint(tmp_path) == "this is a folder; name a CSV or Parquet file in it"
    (tmp_path / "weather.csv").touch()
    assert complaint(tmp_path) == "this is a folder; name a CSV or Parquet file in it, such as 'weather.csv'"


def test_a_path_that_the_system_refuses(tmp_path):
    assert "cannot be read" in complaint(tmp_path / ("x" * 300))


CONTENTS = {
    "empty": (b"", "the file is empty; download or save it again"),
    "Latin-1": (
        table("date,temperature", row3="2020-01-02,1 °C").encode("latin-1"),
        "byte 0xb0 at position 43 (row 3) is not UTF-8; save the file again as UTF-8 (in Excel: 'CSV UTF-8')",
    ),
    "UTF-16": (
        table().encode("utf-16"),
        "the file is encoded as UTF-16 (byte 0xff at position 0), not CSV in UTF-8; save it again as UTF-8",
    ),
    "UTF-16 without a mark": (
        table().encode("utf-16-le"),
        "byte 0x00 at position 1: this is not text in UTF-8; save it again as CSV (UTF-8)",
    ),
    "broken cp932": (
        "年月日,平均気温(℃)\r\n2020/1/1,5\r\n".encode("cp932") + b"2020/1/2,\x81\r\n",
        "byte 0x81 at position 42 (row 3) is not cp932; save the file again as UTF-8 (in Excel: 'CSV UTF-8')",
    ),
    "a workbook": (
        b"PK\x03\x04rest",
        "the file is an Excel workbook or a ZIP archive, not CSV in UTF-8; "
        "save the sheet as CSV (UTF-8), or unpack the archive",
    ),
    "gzip": (b"\x1f\x8brest", "the file is compressed with gzip, not CSV in UTF-8; unpack it first, with gunzip"),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_contents_that_are_not_text(tmp_path, case):
    content, expected = CONTENTS[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    assert complaint(path) == expected


def parquet(tmp_path, **columns):
    path = tmp_path / "bad.parquet"
    good = {"date": [datetime.date(2020, 1, day) for day in range(1, 13)], "temperature": np.arange(12.0)}
    frame = pd.DataFrame({**good, **columns})
    frame.to_parquet(path)
    return path


def test_parquet_rows_are_counted_from_1(tmp_path):
    temperature = np.arange(12.0)
    temperature[2] = -np.inf
    assert complaint(parquet(tmp_path, temperature=temperature)).startswith(
        "column 'temperature': -inf in row 3: infinite"
    )
    text = ["x", *map(str, range(11))]
    assert complaint(parquet(tmp_path, temperature=text)).startswith("column 'temperature': 'x' in row 1: not a number")
    flags = [True, False] * 6
    assert "'True' in row 1, 'False' in row 2" in complaint(parquet(tmp_path, temperature=flags))
    hours = pd.date_range("2020-01-01", periods=12, freq="36h")
    assert "'2020-01-02T12:00:00' in row 2" in complaint(parquet(tmp_path, date=hours))


def test_parquet_that_is_none(tmp_path):
    path = tmp_path / "bad.parquet"
    path.write_text(table())
    assert complaint(path).startswith("not a Parquet file that can be read (")
    path.write_bytes(parquet(tmp_path).read_bytes()[:-60])
    assert complaint(path).startswith("not a Parquet file that can be read (")
    pd.DataFrame({"day": [1]}).to_parquet(path)
    assert complaint(path) == "there is no column 'date', only 'day'; rename 'day' to 'date' in the first row"
    pd.DataFrame({"date": [], "temperature": []}).to_parquet(path)
    assert complaint(path).startswith("there are columns, but no rows of data")


def test_station_that_is_not_there(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(table())
    expected = "the file names no station, so 'Tokyo' cannot be found in it; leave the station out"
    assert complaint(path, station="Tokyo") == expected


def save(tmp_path, text):
    path = tmp_path / "jma.csv"
    path.write_bytes(text.encode("cp932"))
    return path


def test_jma_stations(tmp_path, jma_sample):
    file = jma_sample("甲府")
    file.blocks += jma_sample("乙町").blocks
    path = save(tmp_path, file.text())
    expected = "the file holds 2 stations: 甲府 and 乙町; say which one by station (--station), e.g. '甲府'"
    assert complaint(path) == expected
    assert complaint(path, station="甲") == "there is no station '甲', only 甲府 and 乙町; did you mean '甲府'?"
    assert complaint(path, station="丙").endswith("; ask for one that is there, e.g. '甲府'")


JMA_EDITS = {
    "quality": (
        ("12.0,0,8,1", "12.0,0,7,1"),
        "column '品質情報': '7' in row 9: an unknown code; known are 0, 1, 2, 3, 4, 5 and 8; "
        "correct it, or download the file again",
    ),
    "no phenomenon": (
        ("12.0,0,8,1", "12.0,2,8,1"),
        "column '現象なし情報': '2' in row 9: an unknown code; known are 0 and 1; "
        "correct it, or download the file again",
    ),
    "contradiction": (
        ("12.0,0,8,1", "12.0,1,8,1"),
        "column '降水量の合計(mm)': 12 in row 9: yet 現象なし情報 (no phenomenon) is 1; correct the one or the other",
    ),
    "not a number": (
        ("2021/3/4,11.5", "2021/3/4,(11.5)"),
        f"column '平均気温(℃)': '(11.5)' in row 10: not a number; {NUMBER}",
    ),
    "no date": (
        ("2021/3/4,11.5", ",11.5"),
        "column '年月日': '' in row 10: no date; write the day's date, or delete the row",
    ),
    "no date in the first row": (
        ("2021/3/1,", ","),
        "column '年月日': '' in row 7: no date; write the day's date, or delete the row",
    ),
    "ragged": (
        ("2021/3/4,11.5", "2021/3/4"),
        "the header has 8 cells, but row 10 has 7; "
        "look for a comma too many or too few, or a decimal comma (write 12.8)",
    ),
    "hourly": (
        ("年月日", "年月日時"),
        "the file holds hourly values (column 年月日時); download daily values (日別値)",
    ),
    "monthly": (("年月日", "年月"), "the file holds monthly values (column 年月); download daily values (日別値)"),
    "no temperature": (
        ("平均気温(℃)", "平均湿度(%)"),
        "there is no column 平均気温, nor 最高気温 and 最低気温, only '平均湿度(%)' and '降水量の合計(mm)'; "
        "download the file again with the daily mean temperature (日平均気温)",
    ),
    "no labels": (
        (",,品質情報,均質番号,,現象なし情報,品質情報,均質番号\r\n", ""),
        "column '平均気温(℃)': columns 2, 3 and 4 could all be the values; "
        "keep the line that says which of them is 品質情報, 均質番号 or 現象なし情報, or one column only",
    ),
}


@pytest.mark.parametrize("case", JMA_EDITS)
def test_jma(tmp_path, jma_sample, case):
    (before, after), expected = JMA_EDITS[case]
    text = jma_sample().text()
    assert before in text
    assert complaint(save(tmp_path, text.replace(before, after))) == expected


def test_jma_all_of_low_quality(tmp_path, jma_sample):
    file = jma_sample()
    file.blocks[0][1] = (*file.blocks[0][1][:3], ["4"] * 12)
    expected = (
        "column '平均気温(℃)': all 12 days are missing (12 of them for their quality); give a file with observed days"
    )
    assert complaint(save(tmp_path, file.text())) == expected


def test_jma_without_data(tmp_path, jma_sample):
    text = jma_sample().text().split("2021/3/1,")[0]
    assert complaint(save(tmp_path, text)).startswith("there is a header, but no rows of data")


SOURCE = Source("in code", "", "made up")
DAYS = np.arange("2020-01-01", "2020-01-13", dtype="datetime64[D]")
WARM = np.arange(12.0)


def changed(array, value):
    copy = array.copy()
    copy[3] = value
    return copy


@pytest.mark.parametrize(
    ("dates", "temperature", "precipitation", "expected"),
    [
        (DAYS[::-1], WARM, None, "column 'dates': not consecutive days: after 2020-01-12 comes 2020-01-11; sort"),
        (
            np.delete(DAYS, 4),
            WARM[:-1],
            None,
            "column 'dates': not consecutive days: after 2020-01-04 comes 2020-01-06",
        ),
        (changed(DAYS, "NaT"), WARM, None, "column 'dates': dates[3] is NaT; "),
        (DAYS[:0], WARM[:0], None, "column 'dates': there are no days; "),
        (DAYS, WARM[:-1], None, "column 'temperature': 11 values for 12 days; "),
        (DAYS, WARM, WARM[:-1], "column 'precipitation': 11 values for 12 days; "),
        (DAYS, WARM.reshape(3, 4), None, "column 'temperature': an array of shape (3, 4); "),
        (DAYS, ["a"] * 12, None, "column 'temperature': not an array of float64 ("),
        (DAYS, changed(WARM, np.inf), None, "column 'temperature': inf on day 2020-01-04: infinite; "),
        (DAYS, changed(WARM, 300), None, "column 'temperature': 300 on day 2020-01-04: outside -95 to 65 °C; "),
        (DAYS, WARM, changed(WARM, -1), "column 'precipitation': -1 on day 2020-01-04: precipitation below 0; "),
        (DAYS, WARM * np.nan, None, "column 'temperature': all 12 days are missing; "),
        (DAYS[:9], WARM[:9], None, "column 'temperature': only 9 of 9 days observed; "),
        (DAYS, WARM * 0, None, "column 'temperature': all 12 observed values are 0; "),
    ],
)
def test_data_built_in_code(dates, temperature, precipitation, expected):
    with pytest.raises(DataError) as caught:
        WeatherData(dates, temperature, precipitation, None, SOURCE)
    assert str(caught.value).startswith(f"weather data, {expected}")
    assert len(str(caught.value).splitlines()) == 1


def test_arrays_are_copies_and_read_only():
    warm = WARM.copy()
    weather = WeatherData(DAYS, warm, warm, None, SOURCE)
    warm[0] = 40
    assert (weather.temperature[0], weather.precipitation[0]) == (0, 0)
    for array in (weather.dates, weather.temperature, weather.precipitation):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_content_gives_anything_but_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    path.write_bytes(content)
    complaint(path)


@given(
    head=st.sampled_from(["date,temperature\n", "年月日,平均気温(℃)\n", ",東京\n年月日,平均気温(℃)\n,\n"]),
    body=st.lists(st.lists(st.text(max_size=12) | st.dates().map(str) | st.floats().map(str), max_size=3), max_size=12),
)
def test_no_rows_give_anything_but_a_data_error(tmp_path_factory, head, body):
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    path.write_text(head + "\n".join(",".join(cells) for cells in body), encoding="utf-8", errors="replace")
    error = None
    try:
        load_weather(path)
    except DataError as caught:
        error = caught
    assert error is None or len(str(error).splitlines()) == 1
