"""A report with what there is of a run, and why the rest is missing."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conformance.command import bayeskit
from diagnostics.factories import fit_of
from reporting.program_factories import assessed, program_fit

from bayeskit import runs
from bayeskit.core.errors import DataError
from bayeskit.core.types import Assessment
from bayeskit.reporting import render
from bayeskit.workflows import assess, report_again

SCHEMA_1 = Path(__file__).parent / "golden" / "runs" / "schema-1"


@pytest.fixture
def weather(tmp_path):
    """The run of a weather model: 20 days, 4 chains of 10 draws."""
    return Path(shutil.copytree(SCHEMA_1, tmp_path / "run"))


@pytest.fixture
def program(tmp_path):
    """The run of a program that passed all of its checks."""
    folder = tmp_path / "run"
    folder.mkdir()
    runs.save(*assessed(program_fit()), folder)
    return folder


def said_first(page):
    """Return the states of the verdict's boxes and the sentences in them, in their order."""
    verdict = re.search(r'<section id="verdict".*?</section>', page, re.DOTALL).group()
    states = re.findall(r'class="banner ([^"]+)"', verdict)
    return states, [re.sub("<[^>]+>", "", text) for text in re.findall(r'<p class="sentence">(.*?)</p>', verdict)]


def rewrite(folder, change, *, summary=False):
    """Replace a posterior by what a function makes of its groups, by name."""
    with xr.open_datatree(folder / "posterior.nc", engine="h5netcdf") as tree:
        groups = {name: group.load().to_dataset() for name, group in tree.children.items()}
    (folder / "posterior.nc").unlink()
    xr.DataTree.from_dict(change(groups)).to_netcdf(folder / "posterior.nc", engine="h5netcdf")
    if not summary:
        (folder / "summary.csv").unlink()


def cut(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.unlink(), "there is no posterior.nc"),
        (lambda path: path.write_text("rubbish"), "posterior.nc cannot be read (Unable to"),
        (lambda path: path.write_text(""), "posterior.nc cannot be read (Unable to"),
        (lambda path: cut(path, 0.2), "posterior.nc is cut short"),
        (lambda path: cut(path, 0.999), "posterior.nc is cut short"),
    ],
    ids=["missing", "rubbish", "empty", "cut", "short of a few bytes"],
)
def test_without_draws_the_report_says_so_first_and_tells_what_was_recorded(program, damage, why):
    damage(program / "posterior.nc")
    fit, assessment = runs.load(program, assess)
    assert not fit.has_draws
    assert len(assessment.summary) == 11
    page = render(fit, assessment)
    states, sentences = said_first(page)
    assert states == ["unchecked", "unchecked"]  # its checks passed, but nobody can look again
    assert sentences[0].startswith(f"The draws are missing: {why}")
    assert "its checks passed" in sentences[1]
    assert "<figure" not in page
    assert fit.provenance.command in page
    assert "beta[2]" in page  # from the summary
    assert "0 of 11 are shown" not in page


def test_a_failed_run_without_draws_stays_failed(weather):
    (weather / "posterior.nc").unlink()
    states, sentences = said_first(render(*runs.load(weather, assess)))
    assert states == ["unchecked", "failed"]
    assert sentences[1].startswith("Do not use these numbers: chains disagree about mu[2012-01-16] (R-hat 1.17")


def test_without_draws_and_summary_the_verdicts_are_left(program):
    (program / "posterior.nc").unlink()
    (program / "summary.csv").unlink()
    fit, assessment = runs.load(program, assess)
    states, sentences = said_first(render(fit, assessment))
    assert states == ["unchecked", "unchecked"]
    assert sentences[:2] == [
        "The draws are missing: there is no posterior.nc.",
        "The summary is missing: there is no summary.csv.",
    ]
    assert all(verdict.passed for verdict in assessment.verdicts)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.unlink(), "there is no summary.csv"),
        (lambda path: path.write_text("rubbish\n"), "summary.csv has other columns than a summary"),
        (lambda path: path.write_text(""), "summary.csv ends in the middle"),
        (lambda path: path.write_bytes(bytes(range(255, 0, -1)) + b"\n"), "summary.csv cannot be read ("),
        (lambda path: path.write_text("quantity,mean\nbeta[1],seven\n"), "summary.csv cannot be read ("),
        (lambda path: cut(path, 0.999), "summary.csv ends in the middle"),
        (
            lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2])),
            "summary.csv has 9 rows instead of 11",
        ),
    ],
    ids=["missing", "other columns", "empty", "bytes", "words", "cut", "fewer rows"],
)
def test_a_damaged_summary_is_made_anew_from_the_draws(program, damage, why):
    before = runs.load(program, assess)[1]
    damage(program / "summary.csv")
    fit, assessment = runs.load(program, assess)
    assert [text.partition(" (")[0] for text in fit.missing] == [
        f"The summary is missing: {why}. It was made anew from the draws.".partition(" (")[0]
    ]
    pd.testing.assert_frame_equal(assessment.summary, before.summary, check_names=False, rtol=1e-12)
    assert [verdict.passed for verdict in assessment.verdicts] == [verdict.passed for verdict in before.verdicts]
    recorded = runs.load(program)[1]
    assert recorded.summary.empty
    assert recorded.verdicts == before.verdicts


def test_the_report_of_a_run_whose_summary_was_lost_says_so(weather):
    (weather / "summary.csv").unlink()
    states, sentences = said_first(report_again(weather).read_text())
    assert states == ["unchecked", "failed"]
    assert sentences[0] == "The summary is missing: there is no summary.csv. It was made anew from the draws."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:900], "cannot be read"),
        (lambda text: text.replace('"card"', '"crad"'), "damaged: it has no 'card'"),
        (lambda text: text.replace('"verdicts"', '"verdict"'), "damaged: it has no 'verdicts'"),
        (lambda text: text.replace('"comparison"', '"comp"'), "damaged .*comp"),
        (lambda text: json.dumps(json.loads(text) | {"metrics": 3}), "damaged"),
        (lambda text: json.dumps(json.loads(text) | {"data": None}), "damaged"),
    ],
    ids=["cut", "no card", "no verdicts", "other field", "metrics", "data"],
)
def test_a_damaged_record_is_one_line(weather, change, said):
    record = weather / "run.json"
    record.write_text(change(record.read_text()))
    with pytest.raises(DataError, match=said) as error:
        runs.load(weather, assess)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("fit again")


def test_a_run_without_record_ends_with_2(weather):
    (weather / "run.json").unlink()
    done = bayeskit("report", weather, cwd=weather.parent)
    assert done.returncode == 2
    assert "there is no run.json" in done.stderr
    assert "Traceback" not in done.stderr


def _fill(value):
    def change(groups):
        return groups | {"posterior": groups["posterior"].map(lambda array: xr.full_like(array, value))}

    return change


def _some_nan(groups):
    return groups | {"posterior": groups["posterior"].where(groups["posterior"]["draw"] != 3)}


def _take(**places):
    def change(groups):
        drawn = ("posterior", "sample_stats", "posterior_predictive", "log_likelihood")
        return {name: data.isel(places) if name in drawn else data for name, data in groups.items()}

    return change


def _only(*names):
    return lambda groups: {name: data for name, data in groups.items() if name in names}


def _without(*names):
    return lambda groups: {name: data for name, data in groups.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        (_some_nan, "failed", "R-hat cannot be computed for s_mu and 24 more"),
        (_fill(np.nan), "failed", "R-hat cannot be computed for s_mu and 24 more"),
        (_fill(1.5), "failed", "R-hat cannot be computed for s_mu and 24 more"),
        (_take(chain=[0]), "failed", "too few independent draws"),
        (_take(draw=slice(3)), "unchecked", "Nothing was checked"),
        (_take(draw=slice(1)), "unchecked", "Nothing was checked"),
        (_take(draw=slice(4)), "failed", "chains disagree"),
        (_only("posterior"), "failed", "chains disagree"),
        (_without("sample_stats"), "failed", "chains disagree"),
        (_without("observed_data"), "failed", "chains disagree"),
    ],
    ids=[
        *("some nan", "all nan", "constant", "one chain", "three draws", "one draw", "four draws"),
        *("posterior alone", "no statistics", "no data"),
    ],
)
def test_strange_draws_have_a_report(weather, change, state, said):
    rewrite(weather, change)
    page = render(*runs.load(weather, assess))
    states, sentences = said_first(page)
    assert states == ["unchecked", state]
    assert said in sentences[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_take(draw=slice(0)), "posterior.nc holds none"),
        (_without("posterior"), "posterior.nc holds no posterior"),
        (lambda groups: groups | {"posterior": groups["posterior"].drop_vars("mu")}, "posterior.nc holds no mu"),
    ],
    ids=["zero draws", "no posterior", "no state"],
)
def test_a_posterior_without_what_matters_is_none(weather, change, why):
    rewrite(weather, change, summary=True)
    states, sentences = said_first(render(*runs.load(weather, assess)))
    assert states == ["unchecked", "failed"]
    assert sentences[0] == f"The draws are missing: {why}."


@pytest.mark.parametrize("kind", ["mcmc", "iid", "variational", "point"])
def test_a_result_of_any_kind_without_draws_has_a_report(kind):
    fit = program_fit(kind)
    drawn = {name: group.to_dataset().isel(draw=slice(0)) for name, group in fit.posterior.children.items()}
    fit = replace(fit, posterior=xr.DataTree.from_dict(drawn))
    assessment = assess(fit)
    assert not fit.has_draws
    assert not any(verdict.passed for verdict in assessment.verdicts if verdict.name != "finite")
    states, sentences = said_first(render(fit, assessment))
    assert [state.split()[0] for state in states] == ["unchecked", "unchecked"]
    assert sentences[0] == "This run has no draws."


def test_names_like_missing_values_survive(tmp_path):
    rng = np.random.default_rng(1)
    names = ["NA", "nan", "null", "None", "1", "inf", "true", 'a,"b"', "x"]
    fit = fit_of("mcmc", {name: rng.normal(size=(4, 100)) for name in names})
    assessment = assess(fit)
    assessment.summary.loc["x", "r_hat"] = np.nan
    assessment.summary.loc["x", "ess_bulk"] = np.inf
    runs.save(fit, assessment, tmp_path)
    loaded_fit, loaded = runs.load(tmp_path)
    assert loaded_fit.missing == ()
    assert sorted(loaded.summary.index) == sorted(names)
    pd.testing.assert_frame_equal(loaded.summary, assessment.summary, check_names=False, rtol=1e-12)


def test_a_large_posterior_stays_on_disk_and_gives_the_same_report(program, monkeypatch):
    eager, assessment = runs.load(program, assess)
    monkeypatch.setattr(runs.saved, "IN_MEMORY", 4 * 250 * 8 * 3)
    lazy, _ = runs.load(program, assess)
    held = {name: array.variable._in_memory for name, array in lazy.posterior["posterior"].data_vars.items()}
    assert held == {"alpha": True, "z.real": True, "beta": False, "L": False, "t.1": False}
    assert assess(lazy).summary.equals(assess(eager).summary)
    assert render(lazy, assessment) == render(eager, assessment)
    assert not lazy.posterior["posterior"]["L"].variable._in_memory


def test_a_run_of_schema_1_loads_and_has_a_report(weather):
    fit, assessment = runs.load(weather, assess)
    assert fit.missing == ()
    assert fit.provenance.card.series.state == "mu"
    assert len(assessment.summary) == 25
    assert [verdict.name for verdict in assessment.verdicts if not verdict.passed] == [
        *("r_hat", "ess_bulk", "ess_tail", "mcse"),
    ]
    states, sentences = said_first(render(fit, assessment))
    assert states == ["failed"]
    assert sentences[0].startswith("Do not use these numbers: chains disagree about mu[2012-01-16]")


def test_its_numbers_are_those_of_today(weather):
    """But for the tails: schema 1 had ArviZ's 11 % and 89 %."""
    fit, recorded = runs.load(weather, assess)
    today = assess(fit)
    pd.testing.assert_frame_equal(
        today.summary.drop(columns="ess_tail"),
        recorded.summary.drop(columns="ess_tail"),
        check_names=False,
        rtol=1e-10,
        check_index_type=False,
    )


@pytest.mark.parametrize("version", [99, 0, None, "2"])
def test_other_schemas_are_refused(weather, version):
    record = json.loads((weather / "run.json").read_text())
    (weather / "run.json").write_text(json.dumps(record | {"schema_version": version}))
    advice = "update bayeskit" if version == 99 else "which no bayeskit writes"
    with pytest.raises(DataError, match=f"schema_version {version}.*{advice}"):
        runs.load(weather)


def test_what_is_missing_has_no_place_in_a_fresh_run():
    fit, assessment = assessed(program_fit())
    assert fit.missing == ()
    assert isinstance(assessment, Assessment)
    assert said_first(render(fit, assessment))[0] == ["passed"]
