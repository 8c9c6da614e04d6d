"""What ``bayeskit fit sbm`` promises, from a graph in a file to a report."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conformance.command import bayeskit, called
from models.block_graphs import adjusted_rand, planted

import bayeskit as bk
from bayeskit import workflows
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.datasets.points import points

N, K = 90, 3
QUICK = {
    "vb": ["--draws", "200"],
    "gibbs": ["--warmup", "100", "--draws", "200"],
    "svi": ["--steps", "1500", "--draws", "200"],
    "spectral": [],
}
KINDS = {"vb": "variational", "gibbs": "mcmc", "svi": "variational", "spectral": "point"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    pairs, z, _ = planted(N, K, 14, 12, seed=3)
    rows, columns = pairs.weights.tocoo().coords
    names = np.array([f"n{at:03d}" for at in range(N)])
    pd.DataFrame({"source": names[rows], "target": names[columns]}).to_csv(folder / "edges.csv", index=False)
    kinds = np.array(["red", "green", "blue"])[z]
    pd.DataFrame({"node": names, "kind": kinds}).to_csv(folder / "kinds.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    made = {}

    def run(engine, *more):
        key = (engine, *more)
        if key not in made:
            out = folder / f"run-{len(made)}"
            options = ["--shared", "--source-blocks", K, "--labels", "kinds.csv", "--engine", engine, *QUICK[engine]]
            status, complaint = called("fit", "sbm", "edges.csv", *options, *more, "--out", out.name, cwd=folder)
            assert status == 0, complaint
            made[key] = out
        return made[key]

    return run


@pytest.mark.parametrize("engine", QUICK)
def test_every_engine_finds_the_blocks(run, folder, engine):
    out = run(engine)
    record = json.loads((out / "run.json").read_text())
    assert record["kind"] == KINDS[engine]
    assert record["engine"] == engine
    assert record["metrics"]["ari"] > 0.9
    assert record["metrics"]["nmi"] > 0.85
    nodes, kinds = pd.read_csv(out / "nodes.csv"), pd.read_csv(folder / "kinds.csv")
    joined = nodes.merge(kinds, on="node")
    assert len(joined) == N
    assert (joined["label"] == joined["kind"]).all()
    known = joined["kind"].astype("category").cat.codes.to_numpy()
    found = joined["block"].to_numpy() - 1
    assert adjusted_rand(known, found) == pytest.approx(record["metrics"]["ari"], abs=1e-12)
    assert adjusted_rand(np.random.default_rng(1).permutation(known), found) < 0.2  # negative control
    assert "Stochastic block model with 3 blocks" in (out / "report.html").read_text()


def test_draws_of_the_nodes_blocks_are_kept_under_common_labels(run):
    with xr.open_datatree(run("gibbs") / "posterior.nc", engine="h5netcdf") as tree:
        drawn = tree["assignments"]["z"]
        assert drawn.dims == ("chain", "draw", "node")
        share = (drawn == tree["derived"]["block"]).mean(("chain", "draw"))
        np.testing.assert_allclose(share, tree["derived"]["certainty"], atol=1e-12)
        rates = tree["posterior"]["theta"].mean(("chain", "draw")).to_numpy()
    assert np.diag(rates).min() > 3 * rates[~np.eye(K, dtype=bool)].max()


def test_chains_at_one_partition_have_converged_and_at_two_have_not(folder):
    """Of blocks so clear that no node ever leaves its own."""
    model = bk.sbm(bk.load_graph(folder / "edges.csv"), source_blocks=K, target_blocks=K, shared=True)
    fit = bk.fit(model, config=bk.GibbsConfig(warmup=100, draws=200), seed=1)
    posterior = fit.posterior["posterior"]
    assert np.ptp(posterior["log_density"].to_numpy()) == 0
    verdicts = {verdict.name: verdict for verdict in bk.assess(fit).verdicts}
    assert verdicts["r_hat"].passed
    assert verdicts["mcse"].passed
    posterior["log_density"][1] -= 20.0  # negative control
    fit.posterior["sample_stats"]["lp"][1] -= 20.0
    assert {verdict.name: verdict for verdict in bk.assess(fit).verdicts}["r_hat"].passed is False


def test_the_script_gives_the_same_draws(folder, run):
    options = ["--shared", "--source-blocks", K, "--labels", "kinds.csv", "--engine", "gibbs", *QUICK["gibbs"]]
    printed = bayeskit("script", "sbm", "edges.csv", *options, "--out", "by-script", cwd=folder)
    assert printed.returncode == 0, printed.stderr
    # As a comment of the script says, model.priors shows the scales.
    (folder / "analysis.py").write_text(printed.stdout + "print(model.priors[0])\n")
    done = subprocess.run([sys.executable, "analysis.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "dirichlet(1)" in done.stdout
    assert (folder / "by-script" / "summary.csv").read_text() == (run("gibbs") / "summary.csv").read_text()


@pytest.mark.parametrize("form", [["--shared"], []], ids=["shared", "two partitions"])
def test_the_command_in_the_record_chooses_the_same_number_again(folder, form):
    options = [*form, *QUICK["vb"], "--self-loops", "keep", "--repeated", "once"]
    status, complaint = called("fit", "sbm", "edges.csv", *options, "--out", "chosen", "--overwrite", cwd=folder)
    assert status == 0, complaint
    record = json.loads((folder / "chosen" / "run.json").read_text())
    assert record["card"]["blocks"]["n_source_blocks"] == K
    assert record["card"]["blocks"]["n_target_blocks"] == K
    command = shlex.split(record["command"])
    assert "--source-blocks" not in command
    status, complaint = called(*command[1:], "--out", "again", "--overwrite", cwd=folder)
    assert status == 0, complaint
    assert (folder / "again" / "summary.csv").read_text() == (folder / "chosen" / "summary.csv").read_text()
    with xr.open_datatree(folder / "chosen" / "posterior.nc", engine="h5netcdf") as tree:
        selection = tree["selection"].to_dataset()
        best = int(np.argmax(selection["icl"].values))
        assert selection["n_source_blocks"].values[best] == K
        assert selection["chosen"].values[best] == 1


def test_links_held_out_are_predicted_better_than_by_chance(run):
    metrics = json.loads((run("vb", "--hold-out", "0.2") / "run.json").read_text())["metrics"]
    pairs, edges = metrics["held_out_pairs"], metrics["held_out_edges"]
    assert pairs == round(0.2 * N * (N - 1))
    assert 0 < edges < pairs
    error = np.sqrt((pairs + 1) / (12 * edges * (pairs - edges)))  # of the AUC of a guess
    assert metrics["auc"] > 0.5 + 5 * error
    assert metrics["average_precision"] > 1.5 * edges / pairs


def test_holding_out_every_edge_is_refused():
    with pytest.raises(DataError, match="hold out fewer"):
        bk.sbm(bk.graph(np.eye(2)[::-1], directed=False), source_blocks=1, hold_out=0.9)


def test_new_pairs_are_predicted_by_name(run, folder, tmp_path):
    (tmp_path / "pairs.csv").write_text("what,source,target\nfirst,n000,n001\nsecond,n089,n000\n")
    status, complaint = called("predict", run("gibbs"), tmp_path / "pairs.csv", "--out", "links.csv", cwd=tmp_path)
    assert status == 0, complaint
    links = pd.read_csv(tmp_path / "links.csv")
    assert list(links.columns) == [
        "what",
        "source",
        "target",
        "expected_weight",
        "low",
        "high",
        "source_block",
        "target_block",
    ]
    assert ((links["low"] <= links["expected_weight"]) & (links["expected_weight"] <= links["high"])).all()
    with xr.open_datatree(run("gibbs") / "posterior.nc", engine="h5netcdf") as tree:
        z, theta = tree["assignments"]["z"].to_numpy() - 1, tree["posterior"]["theta"].to_numpy()
    chains, draws = np.ogrid[: z.shape[0], : z.shape[1]]
    by_hand = theta[chains, draws, z[..., 0], z[..., 1]].mean()
    assert links["expected_weight"][0] == pytest.approx(by_hand, rel=1e-6)
    (tmp_path / "pairs.csv").write_text("source,target\nn000,n999\n")
    status, complaint = called("predict", run("gibbs"), tmp_path / "pairs.csv", "--out", "no.csv", cwd=tmp_path)
    assert status == 2
    assert "'n999'" in complaint
    assert not (tmp_path / "no.csv").exists()


def test_names_of_nodes_in_new_pairs_are_texts(tmp_path):
    """However large the file is, and whatever types its columns have."""
    weights = np.zeros((6, 6))
    weights[0, 1:] = 1
    model = bk.sbm(bk.graph(weights, nodes=["7", "8", "007", "008", "9", "10"]), source_blocks=2, target_blocks=1)
    fit = bk.fit(model, config=bk.VBConfig(draws=20), seed=1)
    by_name = {
        source: bk.predict(fit, pd.DataFrame({"source": [source], "target": ["8"]}))["expected_weight"][0]
        for source in ("7", "007")
    }
    assert by_name["7"] > by_name["007"] + 0.1
    (tmp_path / "few.csv").write_text("source,target\n007,8\n")
    (tmp_path / "many.csv").write_text("source,target\n" + "007,8\n" * 400_000)
    (tmp_path / "few.tsv").write_text("source\ttarget\n007\t8\n")
    for name in ("few.csv", "many.csv", "few.tsv"):
        links = bk.predict(fit, tmp_path / name)
        assert set(links["source"]) == {"007"}
        assert (links["expected_weight"] == by_name["007"]).all()
    pd.DataFrame({"source": [7, 9], "target": [10, 8]}).to_parquet(tmp_path / "numbers.parquet")
    links = bk.predict(fit, tmp_path / "numbers.parquet")
    assert list(links["target"]) == ["10", "8"]
    assert links["expected_weight"][0] == by_name["7"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--source-blocks", "0"], "--source-blocks from 1 to 90"),
        (["--source-blocks", "91"], "there are 90 nodes"),
        (["--source-blocks", "many"], "--source-blocks must be a whole number or auto"),
        (["--shared", "--source-blocks", "2", "--target-blocks", "3"], "no shared partition"),
        (["--source-blocks", "2", "--degree-corrected", "--likelihood", "bernoulli"], "--likelihood poisson"),
        (["--source-blocks", "2", "--hold-out", "1"], "--hold-out"),
        (["--source-blocks", "2", "--prior", "theta=normal(0, 1)"], "no distribution 'normal' here"),
        (["--source-blocks", "2", "--prior", "rate=beta(1, 1)"], "no parameter 'rate'"),
        (["--source-blocks", "2", "--prior", "alpha=gamma(2, 1)"], "take engine gibbs or svi"),
        (["--source-blocks", "2", "--engine", "em"], "engine 'em' cannot fit sbm; choose from vb, gibbs"),
        (["--source-blocks", "2", "--engine", "exact"], "nodes"),
        (["--source-blocks", "2", "--engine", "vb", "--thin", "2"], "--thin is no option of --engine vb"),
        (["--source-blocks", "2", "--engine", "svi", "--guide", "normal"], "a guide of its own"),
        (["--labels", "nowhere.csv", "--source-blocks", "2"], "nowhere.csv"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(folder, words, told):
    status, complaint = called("fit", "sbm", "edges.csv", *words, "--out", "bad", cwd=folder)
    assert status == 2, complaint
    assert told in complaint
    assert len(complaint.strip().splitlines()) <= 3  # what was read may be told before
    assert not list(folder.glob("bad*"))


@pytest.mark.parametrize(
    ("rows", "words", "told"),
    [
        ("a,b,-1", [], "negative weight -1"),
        ("a,b,0.5", [], "fractional weight 0.5, where an edge is there or not"),
        ("a,b,1.5", ["--likelihood", "poisson"], "fractional weight 1.5, where weights are counts"),
    ],
)
def test_weights_that_are_no_counts_are_refused_by_name(tmp_path, rows, words, told):
    (tmp_path / "weighted.csv").write_text(f"source,target,weight\nb,c,2\n{rows}\n")
    options = ["--source-blocks", "1", *words, "--out", "bad"]
    status, complaint = called("fit", "sbm", "weighted.csv", *options, cwd=tmp_path)
    assert status == 2, complaint
    assert told in complaint or "negative" in complaint
    assert "b" in complaint


@pytest.mark.parametrize("shared", [True, False])
def test_a_complete_graph_and_one_without_structure_have_one_block(shared):
    full = bk.sbm(bk.graph(np.ones((12, 12)) - np.eye(12)), shared=shared)
    assert full.is_complete
    assert any("nothing tells the nodes apart" in note for note in full.card().notes)
    noise = (np.random.default_rng(1).random((60, 60)) < 0.2).astype(float)
    np.fill_diagonal(noise, 0)
    for model in (full, bk.sbm(bk.graph(noise), shared=shared)):
        assert (model.spec.n_source_blocks, model.spec.n_target_blocks) == (1, 1)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "two partitions"])
def test_chains_with_one_block_have_converged(shared):
    noise = (np.random.default_rng(1).random((12, 12)) < 0.3).astype(float)
    model = bk.sbm(bk.graph(noise), source_blocks=1, target_blocks=1, shared=shared)
    assessment = bk.assess(bk.fit(model, engine="gibbs", seed=1))
    assert assessment.passed, assessment


def test_isolated_nodes_have_a_block_too():
    weights = np.zeros((30, 30))
    weights[:10, 10:20] = 1
    fit = bk.fit(bk.sbm(bk.graph(weights), source_blocks=2, target_blocks=2), seed=1)
    derived = fit.posterior["derived"]
    assert len(np.unique(derived["block_1"][:10])) == 1
    assert (derived["block_1"][10:] != derived["block_1"][0]).all()


def test_engines_agree_by_crosscheck_and_a_wrong_model_is_found():
    found = workflows.crosscheck("sbm", seed=1)
    assert found.passed, found
    fewer = workflows.crosscheck(bk.sbm(bk.graph(np.eye(5)[::-1]), source_blocks=2, target_blocks=2), seed=1)
    assert fewer.passed, fewer


def test_engines_that_know_no_graphs_are_refused():
    model = bk.sbm(bk.graph(np.eye(5)[::-1]), source_blocks=2, target_blocks=2)
    with pytest.raises(ConfigError, match="engine metropolis cannot fit sbm; choose from vb"):
        bk.fit(model, engine="metropolis")


@pytest.mark.parametrize("number", [np.int64(3), 3], ids=["of NumPy", "of Python"])
def test_a_number_of_blocks_is_taken_as_given_and_kept_as_a_plain_one(number):
    model = bk.sbm(bk.graph(np.eye(5)[::-1]), source_blocks=number, target_blocks=number, prior="theta=beta(1, 3)")
    assert (model.spec.n_source_blocks, model.spec.n_target_blocks) == (3, 3)
    assert type(model.options["source_blocks"]) is int
    assert model.spec.rate_arguments == (1.0, 3.0)


@pytest.mark.parametrize("wrong", ["3", "many", 2.0, True])
def test_what_is_no_number_of_blocks_is_refused(wrong):
    with pytest.raises(ConfigError, match="--source-blocks must be a whole number or auto"):
        bk.sbm(bk.graph(np.eye(5)[::-1]), source_blocks=wrong)


def test_a_criterion_with_nothing_to_choose_is_refused():
    nothing = bk.graph(np.eye(5)[::-1])
    with pytest.raises(ConfigError, match="leave it out"):
        bk.sbm(nothing, source_blocks=2, target_blocks=2, criterion="dl")
    assert bk.sbm(nothing, criterion="dl").options["criterion"] == "dl"
    assert bk.sbm(nothing).options["criterion"] == "icl"


def test_calibration_takes_no_number_of_targets_for_one_partition(folder):
    words = ["--shared", "--source-blocks", "2", "--target-blocks", "3", "--simulations", "2", "--out", "bad"]
    status, complaint = called("calibrate", "sbm", "edges.csv", *words, cwd=folder)
    assert status == 2
    assert "no shared partition" in complaint
    assert not (folder / "bad").exists()


def test_a_number_that_was_chosen_is_told(tmp_path):
    """Of graphs with one block there are many."""
    (tmp_path / "path.csv").write_text("source,target\na,b\nb,c\n")
    status, complaint = called("fit", "sbm", "path.csv", "--undirected", "--out", "run", cwd=tmp_path)
    assert status == 0, complaint
    assert "1 block, chosen by icl" in complaint


@pytest.mark.parametrize(
    "model",
    [
        bk.sbm(bk.graph(np.eye(5)[::-1]), source_blocks=2, target_blocks=2),
        bk.gmm(points(np.arange(20.0)[:, None]), components=1),
    ],
    ids=["graph", "points"],
)
def test_a_calibration_of_data_in_no_file_is_refused_by_name(model):
    with pytest.raises(ConfigError, match="these data are in no file; save them"):
        bk.calibrate(model, simulations=2)
