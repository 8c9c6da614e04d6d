"""What ``bayeskit fit vae``, ``fit cvae``, ``resume``, ``generate`` and ``predict`` promise, from files to files."""

import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from conformance.command import called
from safetensors.numpy import load_file

import bayeskit as bk
from bayeskit.core.errors import ConfigError, DataError

QUICK = ["--epochs", "30", "--hidden", "16", "--batch-size", "50", "--learning-rate", "0.01"]
CONDITIONS = ["--condition", "temperature,plant"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sensors of two plants, and small digits."""
    folder = tmp_path_factory.mktemp("autoencoders")
    made = bk.temperature_sensors(600, seed=1)
    made["plant"] = np.random.default_rng(1).choice(["north", "south"], len(made))
    made["s1"] += 20.0 * (made["plant"] == "south")
    made.to_csv(folder / "process.csv", index=False)
    digits = bk.load_examples("digits", first=300)
    np.savez(folder / "digits.npz", images=digits.values, labels=digits.labels)
    return folder


@pytest.fixture(scope="module")
def process(folder):
    status, complaint = called("fit", "cvae", "process.csv", *CONDITIONS, *QUICK, "--out", "process", cwd=folder)
    assert status == 0, complaint
    return folder / "process"


@pytest.fixture(scope="module")
def pictures(folder):
    status, complaint = called("fit", "vae", "digits.npz", *QUICK, "--out", "pictures", cwd=folder)
    assert status == 0, complaint
    return folder / "pictures"


def one_line(complaint):
    lines = [line for line in complaint.splitlines() if line.startswith("bayeskit:")]
    assert len(lines) == 1
    return lines[0]


def test_a_run_has_its_numbers_its_networks_and_a_report(process):
    assert {path.name for path in process.iterdir()} == {
        *("run.json", "posterior.nc", "summary.csv", "report.html", "weights.safetensors")
    }
    record = json.loads((process / "run.json").read_text())
    assert {"held_out_elbo", "held_out_log_density", "reconstruction_rmse", "active_codes"} <= set(record["metrics"])
    assert record["metrics"]["held_out_elbo"] <= record["metrics"]["held_out_log_density"] + 0.05
    assert {"converged", "overfitting"} <= {verdict["name"] for verdict in record["verdicts"]}
    assert (record["model"], record["engine"], record["kind"]) == ("cvae", "amortised", "point")
    fit, assessment = bk.load_run(process)
    assert not fit.missing
    assert set(load_file(process / "weights.safetensors")) == set(fit.posterior["weights"].data_vars)
    assert assessment.metrics.keys() == record["metrics"].keys()


def test_the_command_and_the_script_that_a_run_names_repeat_it_to_the_bit(process, folder, monkeypatch):
    fit, _ = bk.load_run(process)
    assert called(*shlex.split(fit.provenance.command)[1:], "--out", "again", cwd=folder)[0] == 0
    (folder / "again.py").write_text(fit.provenance.script)
    monkeypatch.chdir(folder)
    runpy.run_path("again.py", run_name="__main__")
    for again in ("again", "reports/run"):
        assert (folder / again / "weights.safetensors").read_bytes() == (process / "weights.safetensors").read_bytes()


def test_rows_are_generated_under_conditions_and_those_outside_are_marked(process, folder):
    given = ["--condition", "temperature=400", "--condition", "plant=south", "-n", "2000"]
    for out in ("a.csv", "b.csv"):
        assert called("generate", process, *given, "--out", out, cwd=folder)[0] == 0
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()
    made = pd.read_csv(folder / "a.csv")
    assert list(made) == ["s1", "s2", "s3", "s4", "s5", "temperature", "plant", "outside"]
    assert len(made) == 2000
    assert not made["outside"].any()
    other = bk.generate(process, 2000, conditions={"temperature": 320, "plant": "north"})
    assert made["s3"].mean() - other["s3"].mean() == pytest.approx(40, abs=8)  # 0.5 a degree
    status, told = called(
        "generate", process, *given[2:], "--condition", "temperature=700", "--out", "c.csv", cwd=folder
    )
    assert status == 0
    assert "2,000 rows under conditions outside those of the training" in told
    assert pd.read_csv(folder / "c.csv")["outside"].all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--condition", "temperature=400"], "condition 'plant' is missing"),
        (
            ["--condition", "temperature=400", "--condition", "plant=west"],
            "'west' is none of its classes: north, south",
        ),
        (["--condition", "temperature=hot", "--condition", "plant=north"], "'temperature' takes a number, not 'hot'"),
        (["--condition", "pressure=1"], "condition 'pressure' is none of this run's: temperature, plant"),
        (["--condition", "temperature"], "must be NAME=VALUE"),
        (["--condition", "plant=north", "--condition", "plant=south"], "--condition plant is given twice"),
        (["-n", "0"], "n must lie between 1 and"),
    ],
)
def test_conditions_that_make_no_sense_are_one_line(process, folder, words, told):
    status, complaint = called("generate", process, *words, "--out", "never.csv", cwd=folder)
    assert status == 2
    assert told in one_line(complaint)
    assert not (folder / "never.csv").exists()


def test_new_rows_have_codes_and_reconstructions(process, folder):
    new = pd.read_csv(folder / "process.csv").head(40)
    new.loc[3, "temperature"] = 900.0
    new["note"] = "kept"
    new.to_csv(folder / "new.csv", index=False)
    status, told = called("predict", process, "new.csv", "--out", "codes.csv", cwd=folder)
    assert status == 0
    assert "1 row under conditions outside those of the training" in told
    found = pd.read_csv(folder / "codes.csv")
    results = ["code_1", "code_1_sd", "code_2", "code_2_sd", *(f"s{i}_reconstructed" for i in range(1, 6))]
    assert list(found) == [*new.columns, *results, "elbo", "outside"]
    assert list(np.flatnonzero(found["outside"])) == [3]
    inside = ~found["outside"]
    assert found.loc[inside, "s3_reconstructed"].corr(found.loc[inside, "s3"]) > 0.98
    made = bk.reconstruct(process, new)
    np.testing.assert_allclose(made[inside][:, 2], found.loc[inside, "s3_reconstructed"], rtol=1e-5)
    again = bk.predict(process, new[list(reversed(new.columns))])
    np.testing.assert_allclose(again["code_1"], found["code_1"], rtol=1e-5)


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        (lambda new: new.drop(columns="s2"), "there is no column 's2'"),
        (lambda new: new.drop(columns="plant"), "there is no column plant"),
        (lambda new: new.assign(s2=np.nan), "column 's2'"),
        (lambda new: new.assign(plant="west"), "'west' is none of its classes"),
    ],
)
def test_new_rows_that_do_not_fit_are_one_line(process, folder, spoiled, told):
    spoiled(pd.read_csv(folder / "process.csv").head(5)).to_csv(folder / "bad.csv", index=False)
    status, complaint = called("predict", process, "bad.csv", "--out", "never.csv", cwd=folder)
    assert status == 2
    assert told in one_line(complaint)
    assert not (folder / "never.csv").exists()


def test_images_have_codes_and_are_generated(pictures, folder):
    assert called("predict", pictures, "digits.npz", "--out", "codes.npz", cwd=folder)[0] == 0
    with np.load(folder / "codes.npz") as found:
        assert found["codes"].shape == found["codes_sd"].shape == (300, 2)
        assert found["reconstructions"].shape == (300, 8, 8)
    table = bk.predict(pictures, folder / "digits.npz")
    assert list(table) == ["row", "label", "code_1", "code_1_sd", "code_2", "code_2_sd", "rmse", "elbo"]
    assert table["rmse"].max() < 0.5
    assert called("generate", pictures, "-n", "10", cwd=folder)[0] == 0
    with np.load(folder / "generated.npz") as made:
        assert made["images"].shape == (10, 8, 8)
        assert set(np.unique(made["drawn"])) <= {0.0, 1.0}
    assert called("generate", pictures, "-n", "10", "--out", "sheet.png", cwd=folder)[0] == 0
    assert (folder / "sheet.png").read_bytes().startswith(b"\x89PNG")
    status, complaint = called("generate", pictures, "--out", "images.csv", cwd=folder)
    assert status == 2
    assert "images go to .npz (arrays) or .png" in one_line(complaint)


def test_images_are_generated_by_class_and_completed_by_convolutions_too(folder):
    small = ["--architecture", "conv", "--hidden", "4,8", "--epochs", "2", "--binarise", "static"]
    status, complaint = called(
        "fit", "cvae", "digits.npz", "--condition", "label", *small, "--out", "classes", cwd=folder
    )
    assert status == 0, complaint
    made = bk.generate(folder / "classes", 5, conditions={"label": "3.0"})
    assert (made.shape, made.n_rows, made.conditions[0].classes[made.conditions[0].values[0]]) == ((8, 8), 5, "3")
    with pytest.raises(ConfigError, match="'11' is none of its classes"):
        bk.generate(folder / "classes", 5, conditions={"label": 11})
    assert called("generate", "classes", "-n", "4", "--condition", "label=3", "--out", "threes.npz", cwd=folder)[0] == 0
    with np.load(folder / "threes.npz") as arrays:
        assert set(arrays.files) == {"images", "drawn", "label", "outside"}
    table = bk.predict(folder / "classes", folder / "digits.npz")
    assert not table["outside"].any()
    assert called("fit", "cvae", "digits.npz", "--quadrants", "2", *small, "--out", "halves", cwd=folder)[0] == 0
    assert called("predict", "halves", "digits.npz", "--out", "halves.npz", cwd=folder)[0] == 0
    with np.load(folder / "halves.npz") as arrays:
        assert arrays["completed"].shape == (300, 8, 8, 8)
        left = arrays["completed"][:, :, :, :4]
        assert (left == left[:, :1]).all()
        assert {"rmse", "elbo"} <= set(arrays.files)


def test_runs_are_put_to_their_own_use_only(process, pictures, folder):
    with pytest.raises(ConfigError, match="none of this run's: it has none"):
        bk.generate(pictures, 3, conditions={"temperature": 1})
    with pytest.raises(DataError, match="the run is of images"):
        bk.predict(pictures, pd.DataFrame({"s1": [1.0]}))
    with pytest.raises(DataError, match="the run is of a table"):
        bk.predict(process, bk.load_examples("digits", first=5))
    (folder / "wide").mkdir(exist_ok=True)
    fit, _ = bk.load_run(pictures)
    with pytest.raises(DataError, match="rows have the shape 4 x 4"):
        bk.predict(fit, bk.examples(np.random.default_rng(1).random((5, 4, 4))))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["vae", "process.csv", "--latent", "0"], "latent"),
        (["vae", "process.csv", "--hidden", "wide"], "--hidden must be a whole number or none, got 'wide'"),
        (["vae", "process.csv", "--columns", "s1,s2,temprature"], "did you mean 'temperature'"),
        (["vae", "process.csv", "--likelihood", "bernoulli"], "bernoulli"),
        (["cvae", "process.csv"], "condition"),
        (["cvae", "process.csv", "--condition", "temprature"], "did you mean 'temperature'"),
        (["cvae", "process.csv", "--quadrants", "2"], "image"),
        (["cvae", "digits.npz", "--quadrants", "4"], "quadrants"),
        (["vae", "process.csv", "--architecture", "conv"], "image"),
        (["vae", "nothing.npz"], "nothing.npz"),
        (["vae", "process.csv", "--learning-rate", "-1"], "learning_rate"),
        (["vae", "process.csv", "--first", "2"], "row"),
    ],
)
def test_bad_options_are_one_line(folder, words, told):
    status, complaint = called("fit", *words, "--out", "never", cwd=folder)
    assert status == 2
    assert told in one_line(complaint)
    assert not list(folder.glob("never*"))


def stopped(folder, out, number, *, after=0.3):
    """Begin a training that keeps its state after each step, and stop it in the middle; return what it said."""
    words = ["fit", "vae", "process.csv", *LONG, "--checkpoint-every", "0", "--out", out]
    command = [sys.executable, "-c", "from bayeskit.cli import main; main()", *words]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    state = folder / f"{out}.partial" / "checkpoint.safetensors"
    while not state.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(after)
    assert process.poll() is None
    os.kill(process.pid, number)
    return process.communicate()[1]


LONG = ["--hidden", "8", "--epochs", "60", "--batch-size", "20", "--patience", "0"]


def test_a_training_that_was_killed_goes_on_to_the_same_bits(folder):
    assert called("fit", "vae", "process.csv", *LONG, "--out", "whole", cwd=folder)[0] == 0
    stopped(folder, "killed", signal.SIGKILL)
    status, complaint = called("fit", "vae", "process.csv", *LONG, "--out", "killed", cwd=folder)
    assert status == 2
    assert "goes on with it, --overwrite begins anew" in one_line(complaint)
    status, complaint = called("resume", folder / "killed", cwd=folder.parent)  # the data are where they were
    assert status == 0, complaint
    whole, killed = ((folder / name / "weights.safetensors").read_bytes() for name in ("whole", "killed"))
    assert killed == whole
    assert not (folder / "killed.partial").exists()
    status, complaint = called("resume", "killed", cwd=folder)
    assert status == 2
    assert "is a finished run" in one_line(complaint)


def test_a_training_that_was_interrupted_says_how_to_go_on_and_refuses_what_is_not_its_own(folder):
    told = stopped(folder, "halted", signal.SIGINT)
    assert "stopped; 'bayeskit resume halted' goes on from here" in told
    partial = folder / "halted.partial"
    state, table = (partial / "checkpoint.safetensors").read_bytes(), (folder / "process.csv").read_text()
    (folder / "process.csv").write_text(table.rstrip("\n").rsplit("\n", 1)[0] + "\n")
    status, complaint = called("resume", "halted", cwd=folder)
    assert status == 2
    assert "the file of the data differs" in one_line(complaint)
    (folder / "process.csv").write_text(table)
    (partial / "checkpoint.safetensors").write_bytes(state[: len(state) // 2])
    status, complaint = called("resume", "halted", cwd=folder)
    assert status == 2
    assert "checkpoint" in one_line(complaint)
    (partial / "checkpoint.safetensors").write_bytes(state)
    (partial / "task.json").write_text("{")
    status, complaint = called("resume", "halted.partial", cwd=folder)
    assert status == 2
    assert "task.json cannot be read" in one_line(complaint)
    status, complaint = called("resume", "nowhere", cwd=folder)
    assert status == 2
    assert "there is no unfinished run" in one_line(complaint)
