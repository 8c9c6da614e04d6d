"""Rows of tables as examples, with what is given beside them, and what is told of how they were read."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayeskit as bk
from bayeskit.datasets._examples_conditions import are_codes
from bayeskit.datasets.examples import examples, load_examples


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    path = tmp_path_factory.mktemp("examples") / "process.csv"
    bk.temperature_sensors(60, seed=1).assign(
        grade=[*"aabb"] * 15, code=[0, 1, 2] * 20, plant="north", id=range(60)
    ).to_csv(path, index=False)
    return path


def test_columns_are_learned_and_conditions_are_given(process):
    read = load_examples(process, condition="temperature,grade", label="grade")
    frame = pd.read_csv(process)
    assert read.columns == ("s1", "s2", "s3", "s4", "s5", "code")
    np.testing.assert_array_equal(read.values, frame[list(read.columns)].to_numpy(np.float32))
    temperature, grade = read.conditions
    np.testing.assert_array_equal(temperature.values, frame["temperature"])
    assert (temperature.name, temperature.classes, temperature.values.dtype) == ("temperature", (), np.float64)
    assert (grade.name, grade.classes, grade.values.dtype) == ("grade", ("a", "b"), np.int64)
    np.testing.assert_array_equal(np.array(grade.classes)[grade.values], frame["grade"])
    np.testing.assert_array_equal(read.labels, frame["grade"])
    np.testing.assert_array_equal(read.rows, np.arange(2, 62))
    assert (read.held_out, read.binarise, read.levels, read.is_images) == (None, "none", 0, False)
    assert (read.n_rows, read.shape) == (60, (6,))
    assert repr(read) == "Examples(60 rows, columns s1, s2, s3, s4, s5, code, given temperature, grade)"


def test_what_is_told_of_a_table(process):
    source = load_examples(process, condition="temperature,grade,code", columns="s1,s2").source
    assert source.path == str(process)
    assert source.description == "60 rows of 2 columns: s1, s2; given temperature, grade, code"
    low, high = (f"{value:.3g}" for value in pd.read_csv(process)["temperature"].agg(["min", "max"]))
    assert source.notes[0] == f"temperature is given as a number, from {low} to {high}."
    assert source.notes[1:] == (
        "grade is given as a class: a, b.",
        "code is given as a class, as its numbers look like codes: 0, 1, 2. Write code:number to take it as a number.",
    )
    assert source.variables == {
        "s1": "60 numbers",
        "s2": "60 numbers",
        "temperature": "a number, given",
        "grade": "2 classes",
        "code": "3 classes",
    }
    assert load_examples(process).source.notes == (
        "Left out, as they hold text: 'grade', 'plant'.",
        "Left out, as their names or values count rows or tell times: 'id'. Name them to take them.",
    )


def test_how_a_condition_is_taken_can_be_said(process):
    as_number, as_class = (
        load_examples(process, condition=f"code:{kind}").conditions[0] for kind in ("number", "class")
    )
    assert as_number.classes == ()
    np.testing.assert_array_equal(as_number.values, as_class.values)
    assert as_class.classes == ("0", "1", "2")
    assert "look like codes" not in load_examples(process, condition="code:class").source.notes[-1]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0, 1], True),
        ([1, 2, 3], True),
        (range(20), True),
        (range(21), False),
        ([0, 2, 4], False),
        ([2, 3, 4], False),
        ([300, 310, 320], False),
        ([0.5, 1.5], False),
        ([-1, 0, 1], False),
        ([1, 1], False),
        ([1, np.nan, 2], False),
    ],
)
def test_which_numbers_look_like_codes(numbers, expected):
    assert are_codes(np.array([*numbers, *numbers], dtype=float)) == expected
    assert not are_codes(np.array(numbers, dtype=float))


def test_classes_that_are_numbers_stand_in_their_order(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,grade\n" + "".join(f"{at * at},{(10, 9, 2)[at % 3]}\n" for at in range(9)))
    (found,) = load_examples(path, condition="grade:class").conditions
    assert found.classes == ("2", "9", "10")
    np.testing.assert_array_equal(found.values, [2, 1, 0] * 3)


def test_a_column_whose_name_holds_a_comma_or_a_colon(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('"a, b",c:class,d\n' + "".join(f"{at},{at * at},{at**3}\n" for at in range(5)))
    assert [found.name for found in load_examples(path, condition="a, b").conditions] == ["a, b"]
    (found,) = load_examples(path, condition=["c:class"]).conditions
    assert (found.name, found.classes) == ("c:class", ())


def test_rows_without_any_value_are_left_out_with_their_conditions(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,y,kind\n1,2,a\n,,\n4,1,b\n3,3,a\nNA,,b\n5,7,b\n")
    read = load_examples(path, condition="kind", label="kind")
    np.testing.assert_array_equal(read.rows, [2, 4, 5, 7])
    np.testing.assert_array_equal(read.conditions[0].values, [0, 1, 0, 1])
    assert "1 row without any value was left out: 6." in read.source.notes
    first = load_examples(path, first=3)
    np.testing.assert_array_equal(first.values, [[1, 2], [4, 1], [3, 3]])
    assert first.source.notes == ("Left out, as they hold text: 'kind'.",)


def test_rows_without_a_label_are_unknown(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,kind,code\n1,a,1\n2,,\n4,NA,2\n3,b,2\n")
    assert list(load_examples(path, columns="x", label="kind").labels) == ["a", "unknown", "unknown", "b"]
    assert list(load_examples(path, columns="x", label="code").labels) == ["1", "unknown", "2", "2"]


def test_parquet_reads_as_csv(process, tmp_path):
    frame = pd.read_csv(process)
    frame.to_parquet(tmp_path / "process.parquet")
    one, other = (
        load_examples(path, condition="temperature,grade,code") for path in (process, tmp_path / "process.parquet")
    )
    np.testing.assert_array_equal(one.values, other.values)
    for found, again in zip(one.conditions, other.conditions, strict=True):
        assert (found.name, found.classes) == (again.name, again.classes)
        np.testing.assert_array_equal(found.values, again.values)


def test_options_repeat_the_reading(process):
    read = load_examples(
        process, columns=["s1", "s3"], condition=["temperature", "code:number"], label="grade", first=40
    )
    options = json.loads(json.dumps(read.options))
    again = load_examples(process, **options)
    np.testing.assert_array_equal(read.values, again.values)
    assert again.options == read.options
    assert again.source == read.source


def test_nothing_can_be_changed(process):
    read = load_examples(process, condition="temperature", label="grade")
    for array in (read.values, read.rows, read.labels, read.conditions[0].values, read.take([1]).values):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


@given(places=st.lists(st.integers(-60, 59), max_size=20), as_mask=st.booleans())
def test_some_rows_keep_what_is_known_of_them(process, places, as_mask):
    read = load_examples(process, condition="temperature,grade", label="grade")
    chosen = np.isin(np.arange(60), np.array(places, dtype=int) % 60) if as_mask else np.array(places, dtype=int)
    some = read.take(chosen)
    np.testing.assert_array_equal(some.values, read.values[chosen])
    np.testing.assert_array_equal(some.rows, read.rows[chosen])
    np.testing.assert_array_equal(some.labels, read.labels[chosen])
    for found, whole in zip(some.conditions, read.conditions, strict=True):
        np.testing.assert_array_equal(found.values, whole.values[chosen])
    assert some.source == read.source


def test_frames_read_as_files_do(process):
    frame = pd.read_csv(process)
    one = load_examples(process, condition="temperature,grade", label="grade")
    other = examples(frame, conditions="temperature,grade", labels="grade")
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.labels, other.labels)
    for found, again in zip(one.conditions, other.conditions, strict=True):
        np.testing.assert_array_equal(found.values, again.values)
    assert other.source.notes == one.source.notes
    assert other.source.description == f"Examples made in a script: {one.source.description}"
    assert (other.source.path, other.source.sha256, other.options) == ("", "", {})
    np.testing.assert_array_equal(other.rows, np.arange(1, 61))
    assert examples(frame, columns=["s2", "s1"]).columns == ("s2", "s1")


def test_arrays():
    rng = np.random.default_rng(1)
    array, held = rng.normal(size=(8, 2)), np.arange(8) > 5
    given_, kind = np.linspace(0, 1, 8), np.array([*"abab"] * 2)
    read = examples(array, conditions={"t": given_, "kind": kind}, labels=kind, held_out=held)
    np.testing.assert_array_equal(read.values, array.astype(np.float32))
    assert read.columns == ("x1", "x2")
    assert [found.name for found in read.conditions] == ["t", "kind"]
    np.testing.assert_array_equal(read.labels, kind)
    np.testing.assert_array_equal(read.held_out, held)
    array[0, 0], held[0] = 9, True
    assert read.values[0, 0] != 9
    assert not read.held_out[0]
    assert examples(array, columns=["a", "b"]).columns == ("a", "b")


def test_the_names_load_nothing_heavy():
    """scikit-learn and Pillow are not imported for a table, nor scikit-learn for its digits."""
    code = (
        "import sys, bayeskit as bk; bk.load_examples('penguins', condition='species');"
        "assert 'PIL' not in sys.modules; bk.load_examples('digits'); assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
