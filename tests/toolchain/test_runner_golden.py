"""The C++ runner against recorded output of CmdStan 2.35.0."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toolchain.runner_support import (
    CASES,
    COMMANDS,
    DETERMINISTIC,
    GOLDEN,
    MODELS,
    comments,
    golden_files,
    numbers,
    run,
)


@pytest.mark.parametrize(("model", "name"), CASES)
def test_golden(golden_runs: Path, is_reference_machine: bool, model: str, name: str):
    for file in golden_files(name):
        ours, recorded = golden_runs / f"{model}-{file}", GOLDEN / f"{model}-{file}"
        if is_reference_machine:
            assert numbers(ours) == numbers(recorded)
            assert comments(ours.read_text()) == comments(recorded.read_text())
            continue
        # Another compiler or libm rounds differently, and chains amplify that.
        assert numbers(ours)[0] == numbers(recorded)[0]
        if name in DETERMINISTIC:
            rows = [[[float(x) for x in row.split(",")] for row in numbers(csv)[1:]] for csv in (ours, recorded)]
            np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5)
        if name == "nuts-unit-warmup":
            first = [float(numbers(csv)[1].split(",")[0]) for csv in (ours, recorded)]
            assert first[0] == pytest.approx(first[1], rel=1e-12)


def test_every_golden_file_is_compared():
    compared = {f"{model}-{file}" for model, name in CASES for file in golden_files(name)}
    assert compared == {path.name for path in GOLDEN.glob("*.csv")}


@pytest.mark.parametrize("model", MODELS)
def test_golden_side_files(golden_runs: Path, is_reference_machine: bool, model: str):
    ours = (golden_runs / f"{model}-nuts-config_config.json").read_text()
    recorded = (GOLDEN / f"{model}-nuts-config_config.json").read_text()
    assert comments(ours) == comments(recorded)
    assert json.loads(ours).keys() == json.loads(recorded).keys()
    metric = f"{model}-nuts-config_metric.json"
    if is_reference_machine:
        assert (golden_runs / metric).read_text() == (GOLDEN / metric).read_text()


CHANGES = {
    "nuts-diag": ("seed=20261120", "seed=20261121"),
    "nuts-dense": ("id=1", "id=2"),
    "static": ("seed=5", "seed=6"),
    "lbfgs": ("jacobian=0", "jacobian=1"),
    "laplace": ("seed=9", "seed=10"),
    "pathfinder": ("seed=13", "seed=14"),
    "advi": ("seed=17", "seed=18"),
    "gq": ("seed=19", "seed=20"),
    "lp": ("{data}", "jacobian=0 {data}"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_golden_comparison_notices_a_change(golden_runs: Path, programs: Path, name: str):
    arguments = COMMANDS[name].replace(*CHANGES[name]).replace("-{name}", "-changed-{name}")
    result = run(programs, "linreg", arguments.format(model="linreg", name=name, data="data file=linreg.json"))
    assert result.returncode == 0, result.stderr
    file = golden_files(name)[0].replace("_1", "_2" if name == "nuts-dense" else "_1")
    changed, recorded = golden_runs / f"linreg-changed-{file}", GOLDEN / f"linreg-{golden_files(name)[0]}"
    assert numbers(changed)[0] == numbers(recorded)[0]
    assert numbers(changed)[1:] != numbers(recorded)[1:]
