"""What ``bayeskit predict`` and ``bayeskit generate`` promise."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from diagnostics.factories import fit_of
from models.mixture_draws import MEANS, clusters, draws_around, mixture, posterior_of

from bayeskit import runs
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import Assessment, Fit, Provenance
from bayeskit.workflows.using import generate, predict


def mixture_fit(kind="mcmc", *, shape=(2, 50), columns=("width", "length"), model="gmm", statistics=None):
    """Return a finished fit of three clusters, without any engine."""
    made = mixture(clusters(100), columns=columns)
    posterior = posterior_of(made, draws_around(made, shape, np.random.default_rng(1)))
    plain = fit_of(kind, {"weight": posterior["weight"].to_numpy()}, statistics)
    tree = plain.posterior
    tree["posterior"] = xr.DataTree(posterior)
    origin = {**plain.provenance.__dict__, "model": model}
    return Fit(tree, Provenance(**origin))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a run and new points: columns in another order, a row id, a text, a gap and an empty row."""
    place = tmp_path_factory.mktemp("using")
    fit = mixture_fit()
    (place / "run").mkdir()
    runs.save(fit, Assessment((), pd.DataFrame(), {}), place / "run")
    (place / "new.csv").write_text(
        'id,length,what,width\nA,0.1,here,-0.2\nB,3.1,"there, far",3.0\nC,NA,gap,-3.0\nD,,,\nE,90,odd,-70\n'
    )
    return place


def command(folder, monkeypatch, capsys, *arguments):
    from bayeskit.cli import main

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["bayeskit", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code, capsys.readouterr()


def test_every_row_comes_back_in_its_order_with_the_results_behind_it(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "made" / "scores.csv"
    code, told = command(folder, monkeypatch, capsys, "predict", "run", "new.csv", "--out", out)
    assert code == 0, told.err
    assert told.out.strip() == str(out)
    table = pd.read_csv(out, keep_default_na=False)
    assert list(table.columns[:6]) == ["id", "length", "what", "width", "component", "certainty"]
    assert list(table.columns[6:9]) == ["p_1", "p_1_low", "p_1_high"]
    assert list(table.columns[-2:]) == ["log_density", "anomaly"]
    assert list(table["id"]) == list("ABCDE")
    assert table["what"][1] == "there, far"
    assert table["length"][2] == "NA"
    assert (table["log_density"][3], table["anomaly"][3]) == ("", "")
    assert float(table["anomaly"][4]) > 0.99
    assert (table[["p_1", "p_2", "p_3"]].astype(float).sum(axis=1) - 1).abs().max() < 1e-6
    assert table["component"][0] != table["component"][1]
    assert "1 row with none of the columns" in told.err
    assert "where they belong: 5\n" in told.err
    assert "1 with an anomaly score above 0.99" in told.err


def test_files_and_frames_are_predicted_alike(folder):
    from_file = predict(folder / "run", folder / "new.csv")
    frame = pd.read_csv(folder / "new.csv").set_index("id")
    from_frame = predict(mixture_fit(), frame)
    assert list(from_frame.index) == list("ABCDE")
    for name in ("component", "certainty", "p_2_high", "log_density", "anomaly"):
        np.testing.assert_allclose(from_file[name], from_frame[name], rtol=1e-9, err_msg=name)


def test_predictions_repeat_and_the_seed_moves_only_what_is_simulated(folder):
    first, again, other = (predict(folder / "run", folder / "new.csv", seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first["log_density"].equals(other["log_density"])
    assert not first["anomaly"].equals(other["anomaly"])
    assert np.nanmax(abs(first["anomaly"] - other["anomaly"])) < 0.05


def test_parquet_works_and_keeps_its_types(folder, tmp_path):
    frame = pd.DataFrame({"n": [1, 2], "width": [0.0, 3.0], "length": [0.1, 2.9]})
    frame.to_parquet(tmp_path / "new.parquet")
    found = predict(folder / "run", tmp_path / "new.parquet")
    np.testing.assert_array_equal(found["width"], frame["width"])
    assert found["certainty"].min() > 0.9


def test_a_point_estimate_gives_no_intervals():
    found = predict(mixture_fit("point", shape=(1, 1)), pd.DataFrame({"width": [0.0], "length": [0.0]}))
    assert [name for name in found if name.startswith("p_")] == ["p_1", "p_2", "p_3"]


def test_weighted_draws_count_by_their_weights():
    """All weight on draws whose first component is heavier: shares and points follow."""
    fit = mixture_fit("weighted", shape=(1, 2000))
    weight = fit.posterior["posterior"]["weight"].to_numpy()[0, :, 0]
    heavy = mixture_fit("weighted", shape=(1, 2000), statistics={"log_weight": 20 * (weight - weight.mean())[None]})
    equal = mixture_fit("weighted", shape=(1, 2000), statistics={"log_weight": np.zeros((1, 2000))})
    nothing = pd.DataFrame({"width": [np.nan], "length": [np.nan]})
    tilted = np.average(weight, weights=np.exp(20 * (weight - weight.mean())))
    error = 5.5 * weight.std() / np.sqrt(1000)  # of the draws that are taken
    assert abs(predict(equal, nothing)["p_1"][0] - weight.mean()) < error
    assert abs(predict(heavy, nothing)["p_1"][0] - tilted) < error
    assert tilted - weight.mean() > error


def test_results_never_take_the_place_of_a_column():
    fit = mixture_fit(columns=("component", "anomaly"))
    found = predict(fit, pd.DataFrame({"component": [0.0], "anomaly": [0.5], "anomaly_": ["mine"]}))
    assert list(found.columns[:3]) == ["component", "anomaly", "anomaly_"]
    assert found["component"][0] == 0.0
    assert found["anomaly_"][0] == "mine"
    assert found["component_"][0] in (1, 2, 3)
    assert 0 < found["anomaly__"][0] < 1
    assert list(generate(fit, 5).columns) == ["component", "anomaly", "component_"]


def test_generated_points_are_of_the_run(folder, monkeypatch, capsys, tmp_path):
    out = tmp_path / "many.csv"
    code, told = command(folder, monkeypatch, capsys, "generate", "run", "-n", "3000", "--seed", "7", "--out", out)
    assert code == 0, told.err
    table = pd.read_csv(out)
    assert list(table.columns) == ["width", "length", "component"]
    assert len(table) == 3000
    pd.testing.assert_frame_equal(table, generate(folder / "run", 3000, seed=7), rtol=1e-7, check_dtype=False)
    by_component = table.groupby("component")[["width", "length"]].mean().to_numpy()
    distance = np.linalg.norm(by_component[:, None] - MEANS, axis=-1)
    assert distance.min(axis=1).max() < 0.4
    assert sorted(distance.argmin(axis=1)) == [0, 1, 2]
    code, told = command(folder, monkeypatch, capsys, "predict", "run", out, "--out", tmp_path / "back.csv")
    assert code == 0, told.err
    back = pd.read_csv(tmp_path / "back.csv")
    assert (back["component_"] == back["component"]).mean() > 0.9


def test_nothing_is_overwritten_unasked(folder, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    run, new = folder / "run", folder / "new.csv"
    assert command(tmp_path, monkeypatch, capsys, "predict", run, new)[0] == 0
    first = (tmp_path / "predictions.csv").read_text()
    code, told = command(tmp_path, monkeypatch, capsys, "predict", run, new)
    assert code == 2
    assert "--overwrite" in told.err
    assert command(tmp_path, monkeypatch, capsys, "predict", run, new, "--overwrite")[0] == 0
    assert (tmp_path / "predictions.csv").read_text() == first
    assert command(tmp_path, monkeypatch, capsys, "generate", run, "-n", "3")[0] == 0
    assert (tmp_path / "generated.csv").read_text().count("\n") == 4
    before = sorted(path.name for path in run.iterdir())
    for out, why in ((run / "x.csv", "run's own folder"), (new, "file of the data"), (folder, "is a folder")):
        code, told = command(tmp_path, monkeypatch, capsys, "predict", run, new, "--overwrite", "--out", out)
        assert (code, why in told.err) == (2, True), told.err
    assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("width,lenght\n1,2\n", ["'length'", "did you mean 'lenght'"]),
        ("width,length\n1,two\n2,3\n", ["new2.csv, column 'length'", "'two' in row 2", "not a number"]),
        ("width,length\n1,inf\n", ["column 'length'", "infinite"]),
        ("width,length,width\n1,2,3\n", ["'width'", "rename"]),
        ("width,length\n", ["no rows"]),
        ("", ["empty"]),
    ],
)
def test_bad_data_are_told_in_one_line(folder, monkeypatch, capsys, tmp_path, text, words):
    (tmp_path / "new2.csv").write_text(text)
    out = tmp_path / "out.csv"
    code, told = command(folder, monkeypatch, capsys, "predict", "run", tmp_path / "new2.csv", "--out", out)
    assert code == 2
    assert told.err.count("\n") == 1
    for word in words:
        assert word in told.err, told.err
    assert not out.exists()


def test_what_cannot_be_used_is_told():
    new = pd.DataFrame({"width": [0.0], "length": [0.0]})
    with pytest.raises(
        ConfigError, match="a run of weather cannot predict new data; runs of gmm, sbm, bmf, vae, cvae can"
    ):
        predict(mixture_fit(model="weather"), new)
    with pytest.raises(ConfigError, match="a run of weather cannot generate data"):
        generate(mixture_fit(model="weather"))
    with pytest.raises(ConfigError, match="n must lie between 1 and"):
        generate(mixture_fit(), 0)
    with pytest.raises(ConfigError, match="seed"):
        generate(mixture_fit(), 5, seed=-1)
    with pytest.raises(DataError, match=r"there is no run\.json"):
        predict("nowhere", new)
    with pytest.raises(DataError, match="no column length"):
        predict(mixture_fit(), new[["width"]])
    with pytest.raises(DataError, match="not numbers"):
        predict(mixture_fit(), new.assign(width="a"))
    empty = mixture_fit()
    empty.posterior["posterior"] = xr.DataTree(xr.Dataset())
    with pytest.raises(DataError, match="There are no draws"):
        predict(empty, new)
