"""What ``bayeskit fit bmf`` promises, from ratings in a file to a report."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conformance.command import bayeskit, called
from datasets.rating_files import synthetic_items, synthetic_ratings, synthetic_users

import bayeskit as bk
from bayeskit.core.errors import ConfigError, DataError

N_USERS, N_ITEMS, N_RATINGS, RANK = 80, 50, 1600, 2
QUICK = {
    "gibbs": ["--chains", "2", "--warmup", "100", "--draws", "200"],
    "svi": ["--steps", "800", "--draws", "200"],
    "als": [],
    "gd": [],
    "nmf": [],
}
KINDS = {"gibbs": "mcmc", "svi": "variational", "als": "point", "gd": "point", "nmf": "point"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ratings")
    made = synthetic_ratings(N_USERS, N_ITEMS, N_RATINGS, RANK, seed=3, noise=0.5, spread=0.8)
    made.to_csv(folder / "ratings.csv", index=False)
    synthetic_users(made, seed=1).to_csv(folder / "users.csv", index=False)
    synthetic_items(made, seed=1).to_csv(folder / "items.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    made = {}

    def run(engine, *more):
        key = (engine, *more)
        if key not in made:
            out = folder / f"run-{len(made)}"
            options = ["--rank", RANK, "--split", "random", "--hold-out", "0.2", "--engine", engine, *QUICK[engine]]
            status, complaint = called("fit", "bmf", "ratings.csv", *options, *more, "--out", out.name, cwd=folder)
            assert status == 0, complaint
            made[key] = out
        return made[key]

    return run


def alone(folder):
    """Return the error of the training ratings' mean, and of users' and items' means, on the test ratings."""
    data = bk.load_ratings(folder / "ratings.csv", hold_out=0.2)
    train, test = ~data.test, data.test
    mean = data.values[train].mean()
    left = data.values[train] - mean
    of_item = np.bincount(data.item[train], left, data.n_items) / np.maximum(
        np.bincount(data.item[train], minlength=data.n_items), 1
    )
    left = left - of_item[data.item[train]]
    of_user = np.bincount(data.user[train], left, data.n_users) / np.maximum(
        np.bincount(data.user[train], minlength=data.n_users), 1
    )
    both = mean + of_item[data.item[test]] + of_user[data.user[test]]
    errors = (mean - data.values[test], both - data.values[test])
    return tuple(float(np.sqrt(np.mean(error**2))) for error in errors)


@pytest.mark.parametrize("engine", QUICK)
def test_every_engine_predicts_better_than_means(run, folder, engine):
    out = run(engine)
    record = json.loads((out / "run.json").read_text())
    assert (record["kind"], record["engine"]) == (KINDS[engine], engine)
    of_mean, of_both = alone(folder)
    limit = of_mean if engine == "nmf" else of_both
    assert record["metrics"]["test_rmse"] < 0.95 * limit
    assert record["metrics"]["test_mae"] < record["metrics"]["test_rmse"]
    assert ("coverage_95" in record["metrics"]) == (KINDS[engine] != "point")
    assert "Matrix factorisation of 1,280 ratings" in (out / "report.html").read_text()


def test_test_ratings_are_never_seen(run, folder):
    """Other test ratings leave the draws as they are: negative control of a leak."""
    data = bk.load_ratings(folder / "ratings.csv", hold_out=0.2)
    turned = np.where(data.test, 6 - data.values, data.values)
    config = bk.GibbsConfig(chains=1, warmup=5, draws=5)
    fits = []
    for values in (data.values, turned):
        made = bk.ratings(data.users[data.user], data.items[data.item], values, test=data.test, scale="1:5")
        fits.append(bk.fit(bk.bmf(made, rank=RANK), config=config, seed=4))
    same = [fit.posterior["factors"]["user_rows"].to_numpy() for fit in fits]
    np.testing.assert_array_equal(*same)
    errors = [bk.assess(fit).metrics["test_rmse"] for fit in fits]
    assert errors[1] > errors[0]


def test_the_run_folder_has_draws_of_factors_that_are_read_one_by_one(run):
    out = run("gibbs")
    fit, assessment = bk.load_run(out)
    factors = fit.posterior["factors"]
    assert factors["user_rows"].dims == ("factor_chain", "factor_draw", "user", "column")
    assert factors["user_rows"].dtype == np.float32
    assert not factors["user_rows"].variable._in_memory
    rows, items = factors["user_rows"].to_numpy(), factors["item_rows"].to_numpy()
    held = fit.posterior["held_out"]
    user, item = held["user"].to_numpy(), held["item"].to_numpy()
    eta = factors["mu"].to_numpy()[..., None] + rows[:, :, user, 0] + items[:, :, item, 0]
    eta = eta + np.sum(rows[:, :, user, 1:] * items[:, :, item, 1:], axis=-1)
    data = fit.provenance.card.factors
    values = fit.posterior["ratings"]["value"].to_numpy().astype(float)
    made = np.clip((values.mean() + values.std() * eta).mean((0, 1)), data.low, data.high)
    # Few of the draws are kept, so that means differ by their simulation error.
    assert np.corrcoef(made, held["mean"])[0, 1] > 0.99
    assert np.abs(made - held["mean"]).max() < 0.5
    assert assessment.metrics["test_rmse"] > 0
    assert xr.open_zarr(out / "factors.zarr", group="ratings", consolidated=False).sizes["training_rating"] == 1280


@pytest.mark.parametrize("options", [["--likelihood", "ordinal"], ["--prior-family", "ard"], ["--features", "all"]])
def test_forms(run, folder, options):
    record = json.loads((run("gibbs", *options) / "run.json").read_text())
    assert record["metrics"]["test_rmse"] < 0.95 * alone(folder)[0]
    assert 0.85 < record["metrics"]["coverage_95"] <= 1


def test_the_script_does_what_the_command_did(run, folder):
    out = run("gibbs")
    record = json.loads((out / "run.json").read_text())
    command = shlex.split(record["command"])
    assert command[:3] == ["bayeskit", "fit", "bmf"]
    printed = bayeskit("script", *command[2:], "--out", "again", cwd=folder)
    (folder / "again.py").write_text(printed.stdout)
    done = subprocess.run([sys.executable, "again.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (pd.read_csv(path / "summary.csv") for path in (out, folder / "again"))
    pd.testing.assert_frame_equal(one, two)


def test_what_was_missing_taken_for_zero_is_told_beside(run):
    fit, _ = bk.load_run(run("gibbs"))
    found = fit.posterior["baselines"].to_dataset().to_dataframe()
    zero, excluded = found[found["missing"] == "zero"], found[found["missing"] == "excluded"]
    assert zero["test_rmse"].min() > 1.5 * excluded["test_rmse"].min()
    assert zero["outside"].min() > excluded["outside"].max()


BAD = {
    "rank above the data's size": (["--rank", "60"], "rank 60 is out of range: 80 users by 50 items"),
    "no such engine": (["--engine", "stan"], "engine 'stan' cannot fit bmf"),
    "features of no table": (["--features", "users", "--users", "none.csv"], "none.csv"),
    "unknown features": (["--features", "colour"], "features 'colour' are unknown"),
    "an official split of other data": (["--split", "u1"], "u1"),
    "gradient of features": (["--engine", "als", "--features", "items"], "point estimates take no features"),
    "imputation by a sampler": (["--missing", "zero"], "--missing is no option of --engine gibbs"),
    "prior on nothing": (["--prior", "alpha=gamma(1,1)"], "the model has no parameter 'alpha'"),
    "a family that is not negative": (["--nonnegative", "--prior-family", "wishart"], "prior family ard"),
    "ratings outside the scale": (["--scale", "1:4"], "4"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line_and_leaves_nothing(folder, name):
    options, told = BAD[name]
    status, complaint = called("fit", "bmf", "ratings.csv", *options, "--out", "bad", cwd=folder)
    lines = complaint.strip().splitlines()
    assert status == 2
    assert lines[-1].startswith("bayeskit: ")
    assert told in lines[-1]
    assert not (folder / "bad").exists()
    assert not (folder / "bad.partial").exists()


def test_levels_are_needed_for_an_ordinal_likelihood():
    rng = np.random.default_rng(1)
    made = bk.ratings(np.repeat(np.arange(10), 4), np.tile(np.arange(4), 10), rng.normal(size=40))
    with pytest.raises(DataError, match="an ordinal likelihood needs a scale of 2 to 100 levels"):
        bk.bmf(made, rank=2, likelihood="ordinal")


def test_a_run_in_a_script_is_no_command_and_can_be_kept(tmp_path):
    made = synthetic_ratings(20, 12, 120, 1, seed=5)
    model = bk.bmf(bk.ratings(made), rank=1)
    fitted = bk.fit(model, config=bk.GibbsConfig(chains=2, warmup=10, draws=20), seed=1)
    assert fitted.provenance.command == ""
    bk.save_run(fitted, bk.assess(fitted), tmp_path / "kept")
    again, _ = bk.load_run(tmp_path / "kept")
    xr.testing.assert_equal(again.posterior["posterior"].to_dataset(), fitted.posterior["posterior"].to_dataset())
    with pytest.raises(ConfigError, match="runs on the CPU"):
        bk.fit(
            bk.gmm(bk.points(np.random.default_rng(1).normal(size=(30, 2))), components=1),
            config=bk.GibbsConfig(device="cuda"),
        )
