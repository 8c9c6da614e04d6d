"""The C++ runner against recorded output of CmdStan 2.35.0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toolchain.runner_support import (
    CASES,
    COMMANDS,
    FILES,
    GOLDEN,
    MODELS,
    comments,
    numbers,
    run,
)


@pytest.mark.parametrize(("model", "name"), CASES)
def test_golden(golden_runs: Path, is_reference_machine: bool, model: str, name: str):
    for file in FILES.get(name, [f"{name}.csv"]):
        ours, recorded = golden_runs / f"{model}-nuts-{file}", GOLDEN / f"{model}-nuts-{file}"
        if is_reference_machine:
            assert numbers(ours) == numbers(recorded)
            assert comments(ours.read_text()) == comments(recorded.read_text())
        else:  # the first transition, before rounding differences of another compiler or libm can grow
            assert numbers(ours)[0] == numbers(recorded)[0]
            if name == "unit-warmup":
                first = [float(numbers(csv)[1].split(",")[0]) for csv in (ours, recorded)]
                assert first[0] == pytest.approx(first[1], rel=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_golden_side_files(golden_runs: Path, is_reference_machine: bool, model: str):
    ours = (golden_runs / f"{model}-nuts-config_config.json").read_text()
    recorded = (GOLDEN / f"{model}-nuts-config_config.json").read_text()
    assert comments(ours) == comments(recorded)
    assert json.loads(ours).keys() == json.loads(recorded).keys()
    metric = f"{model}-nuts-config_metric.json"
    if is_reference_machine:
        assert (golden_runs / metric).read_text() == (GOLDEN / metric).read_text()


@pytest.mark.parametrize("change", ["random seed=20261121", "random seed=20261120 id=2"])
def test_golden_comparison_notices_another_stream(golden_runs: Path, programs: Path, change: str):
    arguments = COMMANDS["diag"].replace("random seed=20261120 id=1", change)
    run(programs, "linreg", arguments.format(model="linreg", name="changed", data="data file=linreg.json"))
    changed, recorded = golden_runs / "linreg-nuts-changed.csv", GOLDEN / "linreg-nuts-diag.csv"
    assert numbers(changed)[0] == numbers(recorded)[0]
    assert not set(numbers(changed)[1:]) & set(numbers(recorded)[1:])
