"""Every file that cannot be used as points gives one line that names file, column, row and remedy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeskit.core.errors import DataError
from bayeskit.datasets.points import load_points, points

REMEDY = "write a number such as -1.5, or leave the cell empty where the value is missing"
ROWS = [(i, (7 * i * i) % 11, -i + (i * i * i) % 5) for i in range(12)]


def complaint(path, **options):
    with pytest.raises(DataError) as caught:
        load_points(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    assert "; " in message
    assert len(message) < 600
    return message.removeprefix(str(path)).removeprefix(": ").removeprefix(", ")


def table(header="a,b,c", **replace):
    """Return a header and twelve good rows, some replaced: ``row5='...'`` is line 5 of the file."""
    lines = [header, *(",".join(map(str, row)) for row in ROWS)]
    for row, text in replace.items():
        lines[int(row.removeprefix("row")) - 1] = text
    return "\n".join(lines) + "\n"


NAMED = {"columns": "a,b,c"}
CSV = {
    "an empty file": ("", {}, "the file is empty; download or save it again"),
    "a header only": ("a,b\n", {}, "there is a header, but no rows of data; give a file with one point a row"),
    "one row": ("a,b\n1,2\n", {}, "there is 1 point; at least 2 are needed; give more rows"),
    "no header": (
        "1.5,-2\n3,4\n",
        {},
        "row 1 holds numbers, where the names of the columns should stand; put a header above the data, e.g. x1,x2",
    ),
    "semicolons": (
        "a;b\n1;2\n",
        {},
        "the columns are separated by semicolons (row 1); "
        "save it with commas between columns and decimal points in numbers, e.g. 12.8",
    ),
    "ragged rows": (
        table(row4="1,2"),
        {},
        "the header has 3 cells, but row 4 has 2; "
        "look for a comma too many or too few, or a decimal comma (write 12.8)",
    ),
    "a word": (table(row5="3,x,4"), NAMED, f"column 'b': 'x' in row 5: not a number; {REMEDY}"),
    "a word in a column that nobody named": (
        table(row5="3,x,4"),
        {},
        "column 'b': 'x' in row 5: not a number, as most of the column are; "
        "correct it, or choose columns without this one (--columns)",
    ),
    "infinite values in a column that nobody named": (
        "a,b\n1,2\n2,inf\n4,1\n",
        {},
        "column 'b': inf in row 3: infinite; correct the value, or leave the cell empty where it is missing",
    ),
    "a decimal comma": (
        table(row5='3,"1,5",4'),
        NAMED,
        "column 'b': '1,5' in row 5: not a number; write numbers with a decimal point, e.g. 12.8",
    ),
    "a column of text": (
        "x,kind\n1,red\n2,blue\n3,green\n4,red\n5,blue\n",
        {"columns": "x,kind"},
        "column 'kind': 'red' in row 2, 'blue' in row 3, 'green' in row 4 and in 2 more rows: text, not numbers; "
        "a mixture is of numbers; leave the column out (--columns)",
    ),
    "nothing but text": (
        "kind,year\nred,2007\nblue,2009\n",
        {},
        "no column holds numbers to take (text: 'kind'; label: 'year'); choose columns by name (--columns)",
    ),
    "no such column": (
        table("length,width,mass"),
        {"columns": "length,wdth"},
        "there is no column 'wdth', only 'length', 'width' and 'mass'; did you mean 'width'?",
    ),
    "nothing like it": (
        table(),
        {"columns": ["temperature"]},
        "there is no column 'temperature', only 'a', 'b' and 'c'; choose from these",
    ),
    "no columns": (table(), {"columns": ","}, "no columns are chosen; name some, e.g. 'a' (--columns)"),
    "one chosen twice": (table(), {"columns": "a,b,a"}, "column 'a': chosen twice; name it once (--columns)"),
    "two of one name": (table("a,b,a"), {}, "column 'a': 2 columns have this name; rename all but one"),
    "two of one name, chosen": (
        table("a,b,a"),
        {"columns": "a"},
        "column 'a': 2 columns have this name; rename all but one",
    ),
    "a constant column": (
        "a,b\n1,4\n2,4\n3,\n",
        {"columns": "a,b"},
        "column 'b': all 2 observed values are 4; a constant column has no density; leave it out (--columns)",
    ),
    "constant to rounding": (
        "a,b\n1,0.1\n2,0.10000000000000002\n5,0.1\n",
        {"columns": "a,b"},
        "column 'b': all 3 observed values are 0.1; a constant column has no density; leave it out (--columns)",
    ),
    "a single value": (
        "a,b\n1,4\n2,\n3,\n",
        {"columns": "a,b"},
        "column 'b': all 1 observed value is 4; a constant column has no density; leave it out (--columns)",
    ),
    "a column without values": (
        "a,b\n1,\n2,NA\n",
        {"columns": "a,b"},
        "column 'b': all 2 values are missing; leave the column out (--columns)",
    ),
    "no values at all": (
        "a,b\nNA,\n,NA\n",
        {"columns": "a,b"},
        "no row has any value in the chosen columns; choose others (--columns)",
    ),
    "infinite": (
        table(row3="inf,1,2", row9="-inf,1,3"),
        NAMED,
        "column 'a': inf in row 3 and -inf in row 9: infinite; "
        "correct the value, or leave the cell empty where it is missing",
    ),
    "huge": (
        table(row3="1,1e200,2"),
        NAMED,
        "column 'b': 1e+200 in row 3: beyond 1e+100, too large to be squared; "
        "correct the value, or give the column another unit",
    ),
    "too many first points": (table(), {**NAMED, "first": 13}, "13 points were asked for, there are 12; take fewer"),
    "no first points": (table(), {**NAMED, "first": 0}, "0 points were asked for, there are 12; take some"),
}


@pytest.mark.parametrize("case", CSV)
def test_csv(tmp_path, case):
    text, options, expected = CSV[case]
    path = tmp_path / "bad.csv"
    path.write_text(text)
    assert complaint(path, **options) == expected


def test_no_file(tmp_path):
    assert complaint(tmp_path / "points.csv") == "there is no such file; check the path"
    (tmp_path / "points.csv").touch()
    assert complaint(tmp_path / "point.csv").endswith(f"did you mean '{tmp_path / 'points.csv'}'?")
    assert complaint(tmp_path).startswith("this is a folder; ")


def test_parquet(tmp_path):
    path = tmp_path / "bad.parquet"
    path.write_text("a,b\n1,2\n")
    assert complaint(path).startswith("not a Parquet file that can be read (")
    pd.DataFrame({"a": [], "b": []}).to_parquet(path)
    assert complaint(path) == "there are 2 columns, but no rows of data; give some points"
    pd.DataFrame({"a": ["x", "1", "2"], "b": [1, 2, 5]}).to_parquet(path)
    assert complaint(path, columns="a,b") == f"column 'a': 'x' in row 1: not a number; {REMEDY}"


def made(columns):
    rng = np.random.default_rng(3)
    a, b, c = rng.normal(size=(3, 40))
    return {"a": a, "b": 5 + 100 * b, "c": c} | columns(a, b, c)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (lambda a, b, c: {"d": a + b}, "columns 'a', 'b' and 'd' are collinear"),
        (lambda a, b, c: {"d": 32 + 1.8 * a}, "columns 'a' and 'd' are collinear"),
        (lambda a, b, c: {"d": a.astype(np.float32)}, "columns 'a' and 'd' are collinear"),
        (lambda a, b, c: {"c": 1e9 + a - 3 * b}, "columns 'a', 'b' and 'c' are collinear"),
    ],
)
def test_collinear_columns_are_named(tmp_path, columns, expected):
    path = tmp_path / "bad.csv"
    pd.DataFrame(made(columns)).to_csv(path, index=False)
    last = expected.split("'")[-2]
    tail = f": each is a linear function of the others, to rounding; leave one of them out (--columns), e.g. '{last}'"
    assert complaint(path) == expected + tail


def test_columns_that_nearly_depend_on_each_other_are_taken(tmp_path):
    """Rounded to four digits a unit conversion is an odd choice, yet a covariance of full rank."""
    path = tmp_path / "good.csv"
    pd.DataFrame(made(lambda a, b, c: {"d": (32 + 1.8 * a).round(3)})).to_csv(path, index=False)
    assert load_points(path).n_columns == 4
    few = np.random.default_rng(1).normal(size=(4, 4))  # points in a plane because they are few
    assert points(few).n_columns == 4


@pytest.mark.parametrize(
    ("values", "columns", "expected"),
    [
        (np.zeros((3, 2, 2)), None, "points: an array of shape (3, 2, 2); "),
        ([["a", "b"]], None, "points: not an array of numbers ("),
        ([[1.0, 2.0], [2.0, 1.0]], ["a"], "points: 1 name for 2 columns; "),
        ([[1.0, 2.0], [2.0, 1.0]], ["a", "a"], "points, column 'a': 2 columns have this name; "),
        ([[1.0, 2.0]], None, "points: there is 1 point; "),
        ([[np.nan, np.nan]] * 3, None, "points: there are no points; "),
        ([[1.0, np.inf], [2.0, 3.0]], None, "points, column 'x2': inf in row 1: infinite; "),
        ([[1.0, 3.0], [2.0, 3.0]], None, "points, column 'x2': all 2 observed values are 3; "),
    ],
)
def test_points_made_in_code(values, columns, expected):
    with pytest.raises(DataError) as caught:
        points(values, columns)
    assert str(caught.value).startswith(expected)
    assert len(str(caught.value).splitlines()) == 1


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_content_gives_anything_but_points_or_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    path.write_bytes(content)
    error = None
    try:
        load_points(path)
    except DataError as caught:
        error = caught
    assert error is None or len(str(error).splitlines()) == 1


@given(
    body=st.lists(
        st.lists(st.text(max_size=6) | st.floats().map(str) | st.integers().map(str), min_size=2, max_size=3),
        max_size=8,
    )
)
def test_no_rows_give_anything_but_points_or_a_data_error(tmp_path_factory, body):
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    path.write_text("a,b\n" + "\n".join(",".join(row) for row in body), encoding="utf-8", errors="replace")
    error = None
    try:
        found = load_points(path)
        assert np.isfinite(found.values[~np.isnan(found.values)]).all()
    except DataError as caught:
        error = caught
    assert error is None or len(str(error).splitlines()) == 1
