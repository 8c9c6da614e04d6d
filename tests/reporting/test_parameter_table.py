"""The table of all quantities as the page holds it: the same numbers, the right draws, few bytes."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reporting.program_factories import assessed, program_fit, program_values

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting import packing
from bayeskit.reporting import parameter_table as module
from bayeskit.reporting.parameter_table import ParameterTable, parameter_table


def floats(text: str, dtype: str) -> np.ndarray:
    raw = np.frombuffer(gzip.decompress(base64.b64decode(text)), dtype=np.uint8)
    return raw.reshape(np.dtype(dtype).itemsize, -1).T.copy().view(dtype).ravel()


def unpacked(table: ParameterTable) -> tuple[dict[str, Any], pd.DataFrame]:
    """Read the page's JSON as its script does."""
    spec = json.loads(table.spec)
    labels = json.loads(gzip.decompress(base64.b64decode(spec["labels"])))
    columns = {}
    for column in spec["columns"]:
        columns[column["name"]] = floats(column["values"], "<f4" if column["bits"] == 32 else "<f8").astype(float)
        for row, value in column["exact"]:
            columns[column["name"]][row] = value
    return spec, pd.DataFrame(columns, index=labels)


def of_summary(summary: pd.DataFrame, kind: str = "mcmc") -> ParameterTable:
    """Make a table of a summary alone, its draws all the same."""
    names = list(dict.fromkeys(str(label).partition("[")[0] for label in summary.index))
    sizes = [sum(str(label).partition("[")[0] == name for label in summary.index) for name in names]
    values = {name: np.ones((2, 30) if size == 1 else (2, 30, size)) for name, size in zip(names, sizes, strict=True)}
    return parameter_table(program_fit(kind, values=values), Assessment((), summary, {}))


@pytest.mark.parametrize("kind", ["mcmc", "variational", "iid", "point"])
def test_the_page_holds_the_summary_scalars_first(kind: str) -> None:
    fit, assessment = assessed(program_fit(kind))
    spec, found = unpacked(parameter_table(fit, assessment))
    assert list(found.index[:2]) == ["alpha", "z.real"]
    assert sorted(found.index) == sorted(assessment.summary.index)
    expected = assessment.summary.loc[found.index]
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=2**-23)
    assert [(v["name"], v["rows"]) for v in spec["variables"]][:3] == [("alpha", 1), ("z.real", 1), ("beta", 3)]
    assert sum(v["rows"] for v in spec["variables"]) == spec["rows"] == len(found)


def test_the_draws_are_those_of_their_quantities() -> None:
    values = program_values("mcmc") | {"c": np.random.default_rng(5).normal(size=(4, 250, 2)) * (1 + 2j)}
    fit, assessment = assessed(program_fit(values=values))
    table = parameter_table(fit, assessment)
    spec, found = unpacked(table)
    drawn = spec["drawn"]
    kept = floats(drawn["values"], "<f4").reshape(len(drawn["rows"]), drawn["chains"], drawn["draws"])
    by_label = {found.index[row]: draws for row, draws in zip(drawn["rows"], kept, strict=True)}
    step = drawn["step"]
    cells = {
        "alpha": values["alpha"],
        "beta[2]": values["beta"][..., 1],
        "L[2,1]": values["L"][..., 1, 0],
        "t.1[1]": values["t.1"][..., 0],
        "c.real[2]": values["c"][..., 1].real,
        "c.imag[1]": values["c"][..., 0].imag,
    }
    for label, expected in cells.items():
        np.testing.assert_array_equal(by_label[label], expected[:, ::step].astype("<f4"), err_msg=label)
    assert "L[1,1]" not in by_label  # constant


@pytest.mark.parametrize("kind", ["point", "weighted"])
def test_what_cannot_be_drawn_as_it_is_has_no_draws(kind: str) -> None:
    """A point has none, and weighted draws without their weights would show another distribution."""
    fit, assessment = assessed(program_fit())
    object.__setattr__(fit.provenance, "kind", kind)
    assert parameter_table(fit, assessment).drawn is None


def test_few_quantities_of_many_have_draws_scalars_and_worst_among_them() -> None:
    rng = np.random.default_rng(2)
    fit, assessment = assessed(
        program_fit(values={"theta": rng.normal(size=(4, 60, 900)), "s": rng.normal(size=(4, 60))})
    )
    table = parameter_table(fit, assessment)
    assert table.drawn is not None
    labels = [table.summary.index[row] for row in table.drawn.rows]
    assert len(labels) == module.MAX_DRAWN
    assert table.drawn.draws.shape[1] * table.drawn.draws.shape[2] <= packing.DRAWS
    worst = list(assessment.summary.sort_values(["r_hat", "ess_bulk"], ascending=[False, True]).index[:20])
    assert {"s", "theta[1]", "theta[100]", *worst} <= set(labels)


def test_a_number_that_32_bits_would_change_is_held_exactly() -> None:
    summary = pd.DataFrame(
        {"mean": [1_700_000_003.1, 1e300, 1e-60, 0.25, *np.zeros(96)], "sd": [0.5, 1e298, 1e-62, 0.1, *np.ones(96)]},
        index=[f"x[{i}]" for i in range(100)],
    )
    spec, found = unpacked(of_summary(summary))
    assert spec["columns"][0]["bits"] == 32
    assert [row for row, _ in spec["columns"][0]["exact"]] == [0, 1, 2]
    np.testing.assert_array_equal(found["mean"], summary["mean"])
    # The control: 32 bits alone would be off by many standard deviations.
    assert abs(float(np.float32(summary["mean"].iloc[0])) - summary["mean"].iloc[0]) > summary["sd"].iloc[0]


def test_a_column_of_such_numbers_has_64_bits() -> None:
    rng = np.random.default_rng(3)
    summary = pd.DataFrame({"mean": 1.7e9 + rng.random(50), "sd": 0.1}, index=[f"x[{i}]" for i in range(50)])
    spec, found = unpacked(of_summary(summary))
    assert spec["columns"][0]["bits"] == 64
    np.testing.assert_array_equal(found["mean"], summary["mean"])


def test_of_too_many_the_first_and_the_worst_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 10)
    r_hat = np.linspace(1, 1.2, 40)
    summary = pd.DataFrame(
        {"mean": 0.0, "sd": 1.0, "ess_bulk": 500.0, "r_hat": r_hat}, index=[f"x[{i}]" for i in range(40)]
    )
    table = of_summary(summary)
    assert list(table.summary.index) == [f"x[{i}]" for i in (0, 1, 2, 3, 4, 35, 36, 37, 38, 39)]
    assert (table.cut, table.total) == (True, 40)


def test_names_of_any_kind_survive() -> None:
    names = ["<script>alert(1)</script>", 'a "b", \\c', "x" * 10_000, "\u202eright", "e\u0301", "two\nlines"]
    summary = pd.DataFrame({"mean": 1.0, "sd": 1.0}, index=[f"v[{name}]" for name in names])
    table = of_summary(summary)
    assert not set("<>&") & set(table.spec)
    _, found = unpacked(table)
    assert list(found.index) == [f"v[{name}]" for name in names]


def test_the_same_fit_gives_the_same_bytes(small: tuple[Fit, Assessment]) -> None:
    assert parameter_table(*small).spec == parameter_table(*small).spec
