"""Every table that cannot be learned from gives one line that names file, column, row and remedy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.datasets.examples import examples, load_examples

ROWS = [(i, (7 * i * i) % 11, -i + (i * i * i) % 5, "red" if i % 3 else "blue", i % 2) for i in range(12)]
HEADER = "a,b,c,kind,code"
REMEDY_TEXT = "leave the column out (--columns); it may be a condition (--condition) or a label (--label)"


def complaint(path, error=DataError, **options):
    with pytest.raises(error) as caught:
        load_examples(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    assert "; " in message
    assert len(message) < 600
    return message.removeprefix(str(path)).removeprefix(": ").removeprefix(", ")


def table(header=HEADER, **replace):
    """Return a header and twelve good rows, some replaced: ``row5='...'`` is line 5 of the file."""
    lines = [header, *(",".join(map(str, row)) for row in ROWS)]
    for row, text in replace.items():
        lines[int(row.removeprefix("row")) - 1] = text
    return "\n".join(lines) + "\n"


NAMED = {"columns": "a,b,c"}
KIND = {"condition": "kind"}
FILL = "fill or drop, or leave the column out (--columns)"
CSV = {
    "an empty file": ("", {}, "the file is empty; download or save it again"),
    "one row": ("a,b\n1,2\n", {}, "there is 1 row; at least 2 are needed; give more"),
    "empty cells": (
        table(row3=",1,2,red,1", row5="NA,3,4,red,1"),
        {},
        f"column 'a': 2 missing values (rows 3 and 5); {FILL}",
    ),
    "NaN": (table(row4="1,nan,2,red,1"), NAMED, f"column 'b': 1 missing value (row 4); {FILL}"),
    "a column without values": (
        "a,b\n1,\n2,\n3,\n",
        {"columns": "a,b"},
        f"column 'b': 3 missing values (rows 2, 3 and 4); {FILL}",
    ),
    "nothing but empty rows": (
        "a,b\n1,\n2,NA\n4,\n",
        {"columns": "b"},
        "no row has any value in the chosen columns; choose others (--columns)",
    ),
    "a word": (
        table(row5="3,x,4,red,1"),
        NAMED,
        "column 'b': 'x' in row 5: not a number, as most of the column are; "
        "correct it, or choose columns without this one (--columns)",
    ),
    "a column of text": (table(), {"columns": "a,kind"}, f"column 'kind': text, not numbers; {REMEDY_TEXT}"),
    "infinite": (
        table(row3="inf,1,3,red,0"),
        {},
        "column 'a': inf in row 3: infinite; correct the value, or leave the column out (--columns)",
    ),
    "huge": (
        table(row3="1,1e31,3,red,0"),
        {},
        "column 'b': 1e+31 in row 3: beyond 1e+30; correct the value, or leave the column out (--columns)",
    ),
    "a constant column": (
        "a,b\n1,3\n2,3\n5,3\n",
        {"columns": "a,b"},
        "column 'b': all 3 values are 3; a constant column has no density; leave it out (--columns)",
    ),
    "a column that varies too little for single precision": (
        "a,b\n1,1000000.001\n2,1000000.002\n3,1000000.001\n",
        {},
        "column 'b': values vary by 0.00047 around 1000000.001, too little for single precision; "
        "subtract a constant, e.g. the mean",
    ),
    "no such column": (
        table(),
        {"columns": "a,kin"},
        "there is no column 'kin', only 'a', 'b', 'c', 'kind' and 'code'; did you mean 'kind'?",
    ),
    "no such condition": (
        table("pressure,temperature,c,kind,code"),
        {"condition": "temprature"},
        "there is no column 'temprature', only 'pressure', 'temperature', 'c', 'kind' and 'code'; "
        "did you mean 'temperature'?",
    ),
    "no such label": (
        table(),
        {"label": "kinds"},
        "there is no column 'kinds', only 'a', 'b', 'c', 'kind' and 'code'; did you mean 'kind'?",
    ),
    "a condition of no kind": (
        table(),
        {"condition": "code:text"},
        "condition 'code:text'; write code:class or code:number",
    ),
    "an empty condition": (table(), {"condition": " "}, "no condition is named; name a column, e.g. 'a' (--condition)"),
    "a condition twice": (
        table(),
        {"condition": "code,code:class"},
        "column 'code': given twice; name it once (--condition)",
    ),
    "a condition that is learned": (
        table(),
        {"columns": "a,code", "condition": "code"},
        "column 'code': both learned and given; name it in --columns, or in --condition and --label",
    ),
    "nothing left to learn": (
        "a,kind\n1,x\n2,x\n",
        {"condition": "a"},
        "no column holds numbers to take (text: 'kind'); choose columns by name (--columns)",
    ),
    "an empty cell in a condition": (
        table(row4="1,2,3,,1", row7="1,2,3,NA,1"),
        KIND,
        "column 'kind': a condition with 2 missing values (rows 4 and 7); fill or drop",
    ),
    "an empty number in a condition": (
        table(row4=",2,3,red,1"),
        {"condition": "a"},
        "column 'a': a condition with 1 missing value (row 4); fill or drop",
    ),
    "an empty code in a condition": (
        table(row4="1,2,3,red,"),
        {"condition": "code:class"},
        "column 'code': a condition with 1 missing value (row 4); fill or drop",
    ),
    "a condition that is constant": (
        "a,b,kind\n1,2,x\n2,4,x\n3,1,x\n",
        KIND,
        "column 'kind': all 3 rows have 'x'; a condition that is constant tells nothing; leave it out (--condition)",
    ),
    "a number that is constant": (
        "a,b,t\n1,2,300\n2,4,300\n3,1,300\n",
        {"condition": "t"},
        "column 't': all 3 rows have 300; a condition that is constant tells nothing; leave it out (--condition)",
    ),
    "a class with one row": (
        table(row6="1,2,3,green,1"),
        KIND,
        "column 'kind': classes of a single row: 'green' (row 6); drop or join them",
    ),
    "a code with one row": (
        table(row6="1,2,3,red,2"),
        {"condition": "code"},
        "column 'code': classes of a single row: '2' (row 6); "
        "drop or join them, or take the column as a number (code:number)",
    ),
    "texts that are all different": (
        "a,name\n1,x\n2,y\n5,z\n3,w\n",
        {"condition": "name"},
        "column 'name': classes of a single row: 'w' (row 5), 'x' (row 2), 'y' (row 3) and 1 more; drop or join them",
    ),
    "a word in a condition of numbers": (
        table(row5="x,3,4,red,1"),
        {"condition": "a"},
        "column 'a': 'x' in row 5: not a number, as most of the column are; "
        "correct it, or take the column as a class (a:class)",
    ),
    "texts as numbers": (
        table(),
        {"condition": "kind:number"},
        "column 'kind': 'blue' in row 2, 'red' in row 3, 'red' in row 4 and in 9 more rows: "
        "not a number, as most of the column are; correct it, or take the column as a class (kind:class)",
    ),
    "an infinite condition": (
        table(row5="-inf,3,4,red,1"),
        {"condition": "a"},
        "column 'a': -inf in row 5: beyond 1e+30; correct the value",
    ),
    "too many labels": (
        "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(101)),
        {"label": "b", "columns": "a"},
        "column 'b': 101 different labels in 101 rows; labels name at most 100 groups; choose another column",
    ),
    "too many first rows": (table(), {"first": 13}, "13 rows were asked for, there are 12; take fewer (--first)"),
    "no first rows": (table(), {"first": 0}, "0 rows were asked for, there are 12; take some (--first)"),
    "two columns of a name": ("a,a\n1,2\n2,1\n", {}, "column 'a': 2 columns have this name; rename all but one"),
}


@pytest.mark.parametrize("case", CSV)
def test_csv(tmp_path, case):
    text, options, expected = CSV[case]
    path = tmp_path / "bad.csv"
    path.write_text(text)
    assert complaint(path, **options) == expected


def test_constant_columns_that_nobody_named_are_left_out(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,3\n2,3\n5,3\n")
    assert load_examples(path).source.notes == ("Left out, as they are constant: 'b'.",)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"size": 28}, "size is not for tables; leave it out (--size)"),
        ({"binarise": "static"}, "binarise is not for tables; leave it out (--binarise)"),
    ],
)
def test_options_of_images(tmp_path, options, expected):
    path = tmp_path / "table.csv"
    path.write_text(table())
    assert complaint(path, ConfigError, **options) == expected


def test_no_file(tmp_path):
    (tmp_path / "process.csv").touch()
    assert complaint(tmp_path / "proces.csv").endswith(f"did you mean '{tmp_path / 'process.csv'}'?")
    with pytest.raises(DataError, match="did you mean the data set 'digits'"):
        load_examples("digit")


def test_a_set_that_is_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path))
    with pytest.raises(
        DataError, match="data set 'mnist' is not on this machine yet; bayeskit data fetch mnist gets it"
    ):
        load_examples("mnist")


ARRAY = np.arange(12.0).reshape(6, 2) ** 1.5


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([["a", "b"]], {}, "examples: not an array of numbers ("),
        (ARRAY[:0], {}, "examples: an array of shape (0, 2), without values; give some"),
        (pd.DataFrame(), {}, "examples: a data frame without columns; give some"),
        (ARRAY[0, :1], {}, "examples: there is 1 row; at least 2 are needed; give more"),
        (ARRAY, {"columns": ["a"]}, "examples: 1 name for 2 columns; name each column"),
        (ARRAY, {"columns": ["a", "a"]}, "examples, column 'a': 2 columns have this name; "),
        (ARRAY, {"conditions": {"t": [1, 2]}}, "examples, column 't': shape (2) for 6 rows; give one value a row"),
        (ARRAY, {"conditions": {"x1": range(6)}}, "examples, column 'x1': 2 columns have this name; "),
        (ARRAY, {"conditions": "t"}, "examples: there is no column 't', only 'x1' and 'x2'; "),
        (ARRAY, {"labels": "ab"}, "examples: there is no column 'ab', only 'x1' and 'x2'; "),
        (ARRAY, {"held_out": [0, 1, 0, 1, 0, 1]}, "examples: held_out; give True for each row"),
        (ARRAY, {"held_out": np.zeros(6, bool)}, "examples: held_out; give True for each row"),
        (np.where(ARRAY > 36, np.nan, ARRAY), {}, "examples, column 'x2': 1 missing value (row 6); "),
        (pd.DataFrame({"a": [1.0, None, 4.0], "b": [1, 2, 5]}), {}, "examples, column 'a': 1 missing value (row 2); "),
    ],
)
def test_rows_made_in_code(values, options, expected):
    with pytest.raises(DataError) as caught:
        examples(values, **options)
    assert str(caught.value).startswith(expected)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (ARRAY, {"binarise": "static"}, "examples: binarise is not for tables; leave it out (--binarise)"),
        (ARRAY, {"binarise": "some"}, "binarise is 'some'; choose from none, static, dynamic"),
        (np.ones((3, 4, 4)), {"columns": ["a"]}, "examples: columns is not for images; leave it out (--columns)"),
    ],
)
def test_options_of_other_data(values, options, expected):
    with pytest.raises(ConfigError) as caught:
        examples(values, **options)
    assert str(caught.value) == expected


CELLS = st.sampled_from(["1", "2.5", "-3", "0", "a", "b", "", "NA", "inf", "1e31", '"x', "１"])


@given(
    body=st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=8),
    condition=st.sampled_from([None, "b", "b:class", "b:number", "a,b", "c"]),
    label=st.sampled_from([None, "b"]),
    columns=st.sampled_from([None, "a", "a,b"]),
)
def test_no_rows_give_anything_but_examples_or_a_data_error(tmp_path_factory, body, condition, label, columns):
    path = tmp_path_factory.getbasetemp() / "anything.csv"
    path.write_text("a,b\n" + "\n".join(",".join(row) for row in body), encoding="utf-8")
    error = None
    try:
        found = load_examples(path, condition=condition, label=label, columns=columns)
        assert np.isfinite(found.values).all()
        assert (found.values.std(axis=0) > 0).all()
        assert all(len(given.values) == found.n_rows for given in found.conditions)
    except DataError as caught:
        error = caught
    assert error is None or len(str(error).splitlines()) == 1
