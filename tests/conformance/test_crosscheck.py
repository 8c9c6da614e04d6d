"""Every engine on every target comes out as it must: agreeing, or flagging itself where it cannot be right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conformance.command import bayeskit

import bayeskit as bk
from bayeskit import workflows
from bayeskit.core.density import Density
from bayeskit.models.targets import TARGETS
from bayeskit.workflows import crosschecking

LONG = ("gaussian-50", "weather-trend", "banana")  # minutes; others are of their kinds


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in TARGETS]
)
def test_every_cell_comes_out_as_it_must(name):
    found = workflows.crosscheck(name)
    wrong = [
        f"{cell.engine} {cell.status}, must {cell.expected}: {cell.detail}"
        for cell in found.cells
        if not cell.as_expected
    ]
    assert not wrong
    assert found.passed
    assert {cell.engine for cell in found.cells} == set(TARGETS[name].expected)
    statuses = {cell.status for cell in found.cells}
    assert statuses == {"flagged", "does not apply"} if name == "funnel" else "agrees" in statuses


def test_the_table_has_all_three_kinds_of_cells():
    outcomes = {(name, engine): cell.outcome for name, one in TARGETS.items() for engine, cell in one.expected.items()}
    assert set(outcomes.values()) == {"agree", "flag", "none"}
    assert outcomes["mixture", "stan"] == outcomes["mixture", "nuts"] == "flag"
    assert outcomes["funnel", "stan"] == "flag"
    assert outcomes["gaussian-50", "rejection"] == "none"
    assert all(cell.reason for one in TARGETS.values() for cell in one.expected.values() if cell.outcome != "agree")


def test_nuts_between_two_modes_has_r_hat_near_2():
    fit = bk.fit(bk.target("mixture"), engine="stan", seed=3)
    r_hat = next(verdict for verdict in bk.assess(fit).verdicts if verdict.name == "r_hat")
    assert not r_hat.passed
    assert r_hat.value > 1.4  # of ranks, no two groups of chains get beyond 1.7


def shifted(monkeypatch, engine, by):
    """Let one engine draw from a target that is a little off."""
    original = crosschecking.fit

    def wrong(model, *, engine: str, seed: int):
        if engine != chosen:
            return original(model, engine=engine, seed=seed)
        density = model.density()
        moved = Density(lambda points: density.log_density(points - by), density.shapes)
        return original(bk.DensityModel(model.name, moved, density.log_density), engine=engine, seed=seed)

    chosen = engine
    monkeypatch.setattr(crosschecking, "fit", wrong)


def test_an_engine_that_draws_from_something_else_is_found(monkeypatch):
    shifted(monkeypatch, "metropolis", 0.1)
    found = workflows.crosscheck("gaussian-2")
    cells = {cell.engine: cell for cell in found.cells}
    assert cells["metropolis"].status == "disagrees"
    assert not found.passed
    assert cells["importance"].status == "agrees"


def test_a_cell_that_must_be_flagged_but_is_not_fails(monkeypatch):
    exact = crosschecking.fit

    def honest(model, *, engine, seed):
        return exact(model, engine="exact" if engine in ("stan", "nuts") else engine, seed=seed + (engine == "nuts"))

    monkeypatch.setattr(crosschecking, "fit", honest)
    found = workflows.crosscheck("mixture")
    cells = {cell.engine: cell for cell in found.cells}
    assert cells["stan"].status == "agrees"
    assert not cells["stan"].as_expected
    assert not found.passed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("crosscheck")
    (place / "mine.py").write_text(
        "import numpy as np\nimport bayeskit as bk\n"
        "ring = bk.density(lambda p: -8 * (np.hypot(p[:, 0], p[:, 1]) - 2) ** 2, {'position': (2,)}, name='ring')\n"
    )
    result = bayeskit("crosscheck", "mine.py:ring", "beta", "--strict", "--out", "out", "--seed", "2", cwd=place)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "out/report.html"
    return place


def test_the_command_leaves_a_page_and_a_record(folder):
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["crosscheck.json", "report.html"]
    record = json.loads((folder / "out" / "crosscheck.json").read_text(encoding="utf-8"))
    assert record["passed"] is True
    assert record["command"] == "bayeskit crosscheck mine.py:ring beta --seed 2"
    assert {cell["target"] for cell in record["cells"]} == {"mine.py:ring", "beta"}
    assert {cell["engine"] for cell in record["cells"] if cell["target"] == "mine.py:ring"} == {
        "metropolis",
        "importance",
        "smc",
    }
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "Do the engines agree?" in page


def test_an_earlier_one_is_replaced_only_when_asked(folder):
    refused = bayeskit("crosscheck", "beta", "--out", "out", cwd=folder)
    assert refused.returncode == 2
    assert "output folder" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["gamma"], "there is no model or target 'gamma'; choose from weather, gmm, sbm, bmf, vae, cvae, beta"),
        (["beta", "--seed", "-1"], "seed must lie between 0 and"),
    ],
)
def test_what_cannot_be_asked(folder, arguments, told):
    result = bayeskit("crosscheck", *arguments, "--out", "never", cwd=folder)
    assert result.returncode == 2
    assert told in result.stderr
    assert not (folder / "never").exists()


def test_same_seed_same_bits():
    for engine in ("metropolis", "rejection", "importance", "smc", "exact"):
        first, second = (bk.fit(bk.target("gaussian-2"), engine=engine, seed=4) for _ in range(2))
        one, two = (fit.posterior["posterior"]["x"].to_numpy() for fit in (first, second))
        assert np.array_equal(one, two), engine
        other = bk.fit(bk.target("gaussian-2"), engine=engine, seed=5).posterior["posterior"]["x"].to_numpy()
        assert not np.array_equal(one, other), engine
