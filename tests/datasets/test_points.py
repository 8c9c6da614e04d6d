"""Points as a CSV file, a Parquet file or an array says them, and what is told of how they were read."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bayeskit.core.errors import DataError
from bayeskit.core.paths import resource
from bayeskit.datasets import tables as reading
from bayeskit.datasets.points import load_points, points


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("points")


def write(folder, text, name="points.csv", encoding="utf-8"):
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


@st.composite
def tables(draw):
    """Columns that are neither constant nor collinear, with some cells missing."""
    n_points, n_columns = draw(st.integers(2, 12)), draw(st.integers(1, 4))
    numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
    cells = [[draw(st.none() | numbers) for _ in range(n_columns)] for _ in range(n_points)]
    array = np.array(cells, dtype=float)
    kept = array[~np.isnan(array).all(axis=1)]
    assume(len(kept) > 1 and all(np.unique(column[~np.isnan(column)]).size > 1 for column in kept.T))
    assume(all((np.nanmax(column) - np.nanmin(column)) > 1e-3 for column in kept.T))
    whole = kept[~np.isnan(kept).any(axis=1)]
    if n_columns > 1 and len(whole) > n_columns + 1:
        spread = whole.std(axis=0)
        assume(spread.all())
        assume(np.linalg.svd((whole - whole.mean(axis=0)) / spread, compute_uv=False)[-1] > 1e-3)
    return array


def cell(value, missing):
    return missing if np.isnan(value) else repr(float(value))


@given(
    array=tables(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    newline=st.sampled_from(["\n", "\r\n", "\n\n"]),
    missing=st.sampled_from(["", " ", "NA", "NaN", "n/a", "null"]),
    named=st.booleans(),
)
def test_csv(folder, array, encoding, newline, missing, named):
    names = [f"x{i}" for i in range(array.shape[1])]
    # A column of text keeps rows without any number from being blank lines.
    lines = [",".join(["kind", *names])]
    lines += [",".join(["a", *(cell(value, missing) for value in row)]) for row in array]
    read = load_points(write(folder, newline.join(lines), encoding=encoding), columns=names if named else None)
    kept = ~np.isnan(array).all(axis=1)
    counters = array.shape[0] > 2 and not named and (np.diff(array, axis=0) == 1).all(axis=0).any()
    assume(not counters)
    np.testing.assert_array_equal(read.values, array[kept])
    assert read.columns == tuple(names)
    step = 2 if newline == "\n\n" else 1
    np.testing.assert_array_equal(read.rows, np.flatnonzero(kept) * step + 1 + step)


@given(array=tables(), single=st.booleans())
def test_parquet(folder, array, single):
    array = array.astype(np.float32) if single else array
    frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])]).assign(kind="a")
    path = folder / "points.parquet"
    frame.to_parquet(path)
    read = load_points(path, columns=list(frame.columns[:-1]))
    kept = ~np.isnan(array).all(axis=1)
    np.testing.assert_array_equal(read.values, array[kept].astype(float))
    np.testing.assert_array_equal(read.rows, np.flatnonzero(kept) + 1)


def test_parquet_types(folder):
    path = folder / "types.parquet"
    frame = pd.DataFrame(
        {
            "whole": pd.array([2**53 + 1, None, 5], dtype="Int64"),
            "flag": [True, False, True],
            "when": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-05"]),
            "x": [1.0, 2.0, 4.0],
        }
    )
    frame.to_parquet(path)
    read = load_points(path)
    assert read.columns == ("whole", "x")
    np.testing.assert_array_equal(read.values, [[2.0**53, 1], [np.nan, 2], [5, 4]])
    assert read.source.notes[0] == "Left out, as they hold text: 'flag', 'when'."


def test_penguins():
    read = load_points(resource("data", "penguins.csv"))
    assert read.columns == ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    assert read.values.shape == (342, 4)
    assert read.source.description == (
        "342 points of 4 columns: bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g"
    )
    assert read.source.notes == (
        "Left out, as they hold text: 'species', 'island', 'sex'.",
        "Left out, as their names or values count rows or tell times: 'year'. Name them to take them.",
        "2 rows without any value were left out: 5 and 273.",
    )
    assert read.source.variables["body_mass_g"] == "342 numbers"
    np.testing.assert_array_equal(read.rows[:5], [2, 3, 4, 6, 7])


def test_columns_that_measure_nothing_are_left_out_unless_named(folder):
    path = write(folder, ",id,x,nothing,same,rank\n0,7,1.5,,3,4\n1,3,2.5,,3,5\n2,9,0.5,,3,6\n")
    assert load_points(path).columns == ("x",)
    assert load_points(path).source.notes == (
        "Left out, as they hold no values: 'nothing'.",
        "Left out, as they are constant: 'same'.",
        "Left out, as their names or values count rows or tell times: '', 'id', 'rank'. Name them to take them.",
    )
    assert load_points(path, columns="rank,x").columns == ("rank", "x")
    assert load_points(path, columns=["id"]).source.notes == ()


def test_columns_come_in_the_order_asked_for(folder):
    path = write(folder, '"a, b",c\n1,2\n3,5\n')
    np.testing.assert_array_equal(load_points(path, columns=["c", "a, b"]).values, [[2, 1], [5, 3]])
    assert load_points(path, columns="a, b").columns == ("a, b",)  # one name that holds a comma
    assert load_points(path, columns=" c , ").columns == ("c",)


def test_missing_cells_are_told_with_their_rows(folder):
    path = write(folder, "x,y\n1,2\n,3\n4,\nNA,\n5,1\nNA,7\nnan,8\n,9\n")
    read = load_points(path)
    assert read.n_missing == 5
    assert read.source.notes == (
        "1 row without any value was left out: 5.",
        "x lacks 4 values, in rows 3, 7, 8 and 1 more.",
        "y lacks 1 value, in row 4.",
    )
    assert read.source.variables == {"x": "3 numbers, 4 missing", "y": "6 numbers, 1 missing"}
    assert repr(read) == "Points(7 points, columns x, y, 5 coordinates missing)"


CELLS = ["1.5", "-2", "1e3", " 7", "", "NA", "nan", "x", "inf", '"4"', "1_0", "１２", "0.1000000000000000055", "1,2"]


@given(
    rows=st.lists(st.lists(st.sampled_from(CELLS), min_size=2, max_size=2), min_size=1, max_size=6),
    usual=st.integers(2, 6),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    end=st.booleans(),
    mark=st.booleans(),
)
def test_a_large_file_is_read_as_a_small_one_is(folder, rows, usual, newline, end, mark):
    rows = [["3", "4"]] + [["5", "2"]] * usual + rows
    text = newline.join(["a,b", *map(",".join, rows)]) + newline * end
    path = write(folder, text, encoding="utf-8-sig" if mark else "utf-8")
    found = []
    for size in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "_LARGE", size)
            try:
                found.append(load_points(path, columns="a,b"))
            except DataError as error:
                found.append(str(error))
    one, other = found
    if isinstance(other, str):
        assert one == other
    else:
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.rows, other.rows)
        assert one.source == other.source


def test_a_large_file_of_numbers_is_read_fast():
    plain = b"a,b\n1,2\n,4\n5,6\n"
    np.testing.assert_array_equal(reading._plain_numbers(plain, 2), [[1, 2], [np.nan, 4], [5, 6]])
    for odd in (b"a,b\n1,2\n3\n", b"a,b\n1,2\n\n3,4\n", b"a,b\n1,2\n,\n", b"a,b\n1,x\n", b"a,b\n1,2,3\n", b"a,b\n"):
        assert reading._plain_numbers(odd, 2) is None


def test_the_first_points_only(folder):
    path = write(folder, "x\n1\nNA\n3\n2\nNA\n7\n")
    read = load_points(path, first=2)
    np.testing.assert_array_equal(read.values[:, 0], [1, 3])
    assert read.source.description == "the first 2 points of 4 points of 1 column: x"
    assert read.source.notes == ("1 row without any value was left out: 3.",)
    assert load_points(path, first=4).source.description == load_points(path).source.description


def test_arrays_and_frames():
    array = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, np.nan]])
    array[2, 1] = 5.0
    read = points(array)
    np.testing.assert_array_equal(read.values, array[[0, 2]])
    np.testing.assert_array_equal(read.rows, [1, 3])
    assert read.columns == ("x1", "x2")
    assert (read.source.path, read.source.sha256) == ("", "")
    assert read.source.description == "Points made in a script: 2 points of 2 columns: x1, x2"
    array[0, 0] = 9
    assert read.values[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        read.values[0, 0] = 2
    frame = pd.DataFrame({"a": [1, 2, 4], "b": [0, 5, 1]})
    assert points(frame).columns == ("a", "b")
    assert points(np.array([1.0, 2.0, 5.0]), columns=["z"]).values.shape == (3, 1)
