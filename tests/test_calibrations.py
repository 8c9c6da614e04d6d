"""The folder of a calibration: it goes on where it stopped, and mixes nothing."""

from __future__ import annotations

import json

import pytest

from bayeskit import calibrations
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.diagnostics.calibration import Ranked, Simulation

SETTINGS = {"draws": 100, "seed": 1, "priors": {"mu": "normal(0, 1)"}}


def simulation(index: int, **changes) -> Simulation:
    ranked = Ranked(0.5, 40 + index, 100, 0.4, 0.1, (0.2, 0.3, 0.4, 0.5, 0.6), 90.0)
    return Simulation(**{"index": index, "seconds": 0.1, "quantities": {"mu": ranked}, **changes})


def test_simulations_survive_a_kill(tmp_path):
    out = tmp_path / "cal"
    with pytest.raises(KeyboardInterrupt), calibrations.journal(out, SETTINGS) as journal:  # noqa: PT012
        journal.add(simulation(3))
        journal.add(simulation(0))
        raise KeyboardInterrupt
    with (out / "simulations.jsonl").open("a") as file:
        file.write('{"index": 7, "quantities": {"mu": {"tru')  # cut short by the kill
    with calibrations.journal(out, SETTINGS) as journal:
        assert journal.done == {0: simulation(0), 3: simulation(3)}
        journal.add(simulation(7))
    with calibrations.journal(out, SETTINGS) as journal:
        assert sorted(journal.done) == [0, 3, 7]


def test_numbers_that_are_none_come_back(tmp_path):
    odd = Ranked(float("nan"), 0, 10, float("nan"), 0.0, (0.0,) * 5, float("nan"))
    with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
        journal.add(simulation(1, quantities={"a": odd}, problem="chain 1 said <stop>", max_r_hat=None))
    with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
        back = journal.done[1]
    assert repr(back) == repr(simulation(1, quantities={"a": odd}, problem="chain 1 said <stop>", max_r_hat=None))


@pytest.mark.parametrize("max_r_hat", [None, float("nan"), 1.01])
def test_chains_that_stand_still_do_so_when_read_again(tmp_path, max_r_hat):
    """NaN is chains that stand still, None that there was one chain: they have different verdicts."""
    with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
        journal.add(simulation(1, max_r_hat=max_r_hat))
    with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
        assert repr(journal.done[1].max_r_hat) == repr(max_r_hat)


def test_what_other_alphabets_take_for_the_end_of_a_line_is_none(tmp_path):
    told = "no file d\u2028a\u0085t\u000ba"
    for _ in range(2):  # written when added, and again when opened
        with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
            journal.add(simulation(1, quantities={}, problem=told))
    with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
        assert journal.done == {1: simulation(1, quantities={}, problem=told)}


def test_a_file_that_a_kill_left_aside_is_no_obstacle(tmp_path):
    with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
        journal.add(simulation(0))
    (tmp_path / "cal" / "ranks.csv.partial").write_text("simul")
    with calibrations.journal(tmp_path / "cal", SETTINGS) as journal:
        assert sorted(journal.done) == [0]


def test_a_failure_takes_away_no_more_than_was_written(tmp_path):
    (tmp_path / "report.html").write_text("somebody else's")
    with pytest.raises(ZeroDivisionError), calibrations.journal(tmp_path, SETTINGS):
        _ = 1 / 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(ZeroDivisionError), calibrations.journal(tmp_path / "cal", SETTINGS):
        _ = 1 / 0
    assert not (tmp_path / "cal").exists()


def test_other_settings_are_refused_and_overwritten(tmp_path):
    out = tmp_path / "cal"
    with calibrations.journal(out, SETTINGS) as journal:
        journal.add(simulation(0))
    with (
        pytest.raises(ConfigError, match=r"another draws \(100, now 200\); choose another --out, or give --overwrite"),
        calibrations.journal(out, SETTINGS | {"draws": 200}),
    ):
        pass
    with calibrations.journal(out, SETTINGS | {"draws": 200}, overwrite=True) as journal:
        assert journal.done == {}
    assert json.loads((out / "calibration.json").read_text())["settings"]["draws"] == 200


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("everything")
    with pytest.raises(ConfigError, match=r"holds thesis\.tex"), calibrations.journal(tmp_path, SETTINGS):
        pass
    with (
        pytest.raises(ConfigError, match=r"holds thesis\.tex"),
        calibrations.journal(tmp_path, SETTINGS, overwrite=True),
    ):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "everything"
    with pytest.raises(ConfigError, match="is a file"), calibrations.journal(tmp_path / "thesis.tex", SETTINGS):
        pass


def test_two_processes_do_not_write_to_one_folder(tmp_path):
    with (
        calibrations.journal(tmp_path / "cal", SETTINGS),
        pytest.raises(ConfigError, match="another process is writing"),
        calibrations.journal(tmp_path / "cal", SETTINGS),
    ):
        pass


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no calibration\.json"):
        calibrations.load(tmp_path)
    with calibrations.journal(tmp_path / "cal", SETTINGS):
        pass
    with pytest.raises(DataError, match="is not finished"):
        calibrations.load(tmp_path / "cal")
    (tmp_path / "cal" / "calibration.json").write_text('{"schema_version": 99}')
    with pytest.raises(DataError, match="schema_version 99"):
        calibrations.load(tmp_path / "cal")
    (tmp_path / "cal" / "calibration.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        calibrations.load(tmp_path / "cal")
