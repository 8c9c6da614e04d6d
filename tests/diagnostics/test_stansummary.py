"""Our stansummary against the official one's recorded output, and against formulas written down once more."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayeskit.core.errors import DataError
from bayeskit.diagnostics import stan_csv, stansummary
from bayeskit.diagnostics.stan_csv_statistics import mixing, summarise_draws

GOLDEN = Path(__file__).parent.parent / "golden"
TOOLS = GOLDEN / "tools"
SETS = {
    "simplex_ordered-nuts-dense": [GOLDEN / f"simplex_ordered-nuts-dense_{chain}.csv" for chain in (1, 2)],
    "linreg-nuts-diag": [GOLDEN / "linreg-nuts-diag.csv"],
    "troubled": [TOOLS / f"troubled_{chain}.csv" for chain in (1, 2)],
}
ONE = GOLDEN / "simplex_ordered-nuts-diag.csv"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = stansummary.main([str(argument) for argument in arguments])
    return (status, *capsys.readouterr())


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, index_col=0, comment="#")


def edited(tmp_path: Path, change, source: Path = ONE) -> Path:
    """A copy of a file, with its rows (the header first) changed in place."""
    lines = source.read_text().split("\n")
    rows = [place for place, line in enumerate(lines) if line and not line.startswith("#")]
    cells = [lines[place].split(",") for place in rows]
    change(cells)
    for place, row in zip(rows, cells, strict=True):
        lines[place] = ",".join(row)
    path = tmp_path / "edited.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [("simplex_ordered-nuts-dense", []), ("troubled", ["-s", "4", "-p", "2.5,50,97.5", "-a", "1"])],
)
def test_the_text_is_the_official_one(name: str, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, text, error = run(capsys, *options, *SETS[name])
    assert (status, error) == (0, "")
    official = (TOOLS / f"{name}.stansummary.txt").read_text().replace("-nan", " nan")
    ours, theirs = text.splitlines(), official.splitlines()
    # Two lines explain the columns, in words of our own.
    start = next(place for place, line in enumerate(theirs) if line.startswith("Samples were drawn")) + 1
    assert len(ours) == len(theirs)
    assert ours[:start] == theirs[:start]
    after = start + 2
    assert ours[after : after + 3] == theirs[after : after + 3]
    if options:
        # The last digit may differ by one: autocorrelations of integers end in a 5 every now and then.
        lags, official_lags = (
            np.array([row.split() for row in rows[after + 3 : -1]], float) for rows in (ours, theirs)
        )
        assert lags.shape == (61, 20)
        np.testing.assert_allclose(lags, official_lags, rtol=1.1e-3)


@pytest.mark.parametrize("name", SETS)
def test_the_numbers_are_the_official_ones(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "summary.csv"
    percentiles = ["-p", "2.5,50,97.5"] if name == "troubled" else []
    assert run(capsys, "-s", "15", *percentiles, "-c", file, *SETS[name])[0] == 0
    ours, theirs = table(file), table(TOOLS / f"{name}.stansummary.csv")
    assert list(ours.index) == list(theirs.index)
    assert list(ours.columns) == list(theirs.columns)
    # The official standard deviation of a constant is the rounding error of its mean.
    constant = theirs["StdDev"] < 1e-12 * theirs["Mean"].abs()
    assert (ours.loc[constant, "StdDev"] == 0).all()
    theirs.loc[constant, "StdDev"] = 0.0
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_the_comments_in_the_csv_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "summary.csv"
    _, text, _ = run(capsys, "-c", file, *SETS["troubled"])
    comments = [line.removeprefix("# ") for line in file.read_text().splitlines() if line.startswith("#")]
    printed = text.splitlines()
    assert comments == [*printed[:5], *printed[-3:]]
    assert re.search(r'^"lp__",-31\.2703,', file.read_text(), flags=re.MULTILINE), "six figures unless asked"


def test_cmdstanpys_own_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "summary.csv"
    status, _, _ = run(capsys, "--percentiles= 1,99", "--sig_figs=3", f"--csv_filename={file}", ONE)
    assert status == 0
    assert list(table(file).columns)[4:6] == ["1%", "99%"]
    assert table(file).loc["mu[1]", "Mean"] == -2.02


def test_options_may_stand_between_files(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = SETS["troubled"]
    expected = run(capsys, "-s", "3", one, other)
    assert expected[0] == 0
    assert run(capsys, one, "-s", "3", other) == expected
    assert run(capsys, one, other, "--sig_figs=3") == expected


@pytest.mark.parametrize("arguments", [["-i", "L.2.1", "mu[1]", ONE], [ONE, "-i", "mu[1]", "-i", "L[2,1]"]])
def test_parameters_that_are_asked_for(
    arguments: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "-c", tmp_path / "whole.csv", ONE)[0] == 0
    assert run(capsys, "-c", tmp_path / "part.csv", *arguments)[0] == 0
    whole, part = table(tmp_path / "whole.csv"), table(tmp_path / "part.csv")
    assert list(part.index) == [*(name for name in whole.index if name.endswith("__")), "mu[1]", "L[2,1]"]
    pd.testing.assert_frame_equal(part, whole.loc[part.index])


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 106, "at least one Stan CSV file"),
        (["missing.csv"], 105, "missing.csv does not exist"),
        ([GOLDEN], 105, "is a directory"),
        (["--foo", ONE], 109, "no option --foo"),
        (["--sig", ONE], 109, "no option --sig"),
        (["-s", "19", ONE], 105, "--sig_figs must be an integer from 1 to 18, not '19'"),
        (["-s", "2.5", ONE], 105, "'2.5'"),
        (["-s", "2", "-s", "3", ONE], 114, "--sig_figs is given twice"),
        (["-s"], 114, "expected one argument"),
        (["-a", "0", ONE], 105, "--autocorr"),
        (["-a", "2", ONE], 1, "no chain 2 of 1"),
        (["-p", "50,5", ONE], 1, "ascending order, not '50,5'"),
        (["-p", "5,101", ONE], 1, "from 0 to 100"),
        (["-p", "5,x", ONE], 1, "'5,x'"),
        (["-p", "nan", ONE], 1, "'nan'"),
        (["-c", ONE, ONE], 105, "exists already"),
        (["-c", "/no/such/folder/x.csv", ONE], 1, "cannot write"),
        (["-i", "mu", ONE], 1, "no parameter mu"),
        (["-i", "lp__", ONE], 1, "no parameter lp__"),
    ],
)
def test_mistakes_give_one_line_and_the_official_status(
    arguments: list[object], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, out, error = run(capsys, *(arguments or ["-a", "1"]))
    assert (found, out) == (status, "")
    assert message in error
    assert error.startswith("stansummary: ")
    assert error.count("\n") == 1


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = run(capsys, "--help")
    assert status == 0
    assert all(option in text for option in ("-p", "--sig_figs", "--autocorr", "--csv_filename", "--include_param"))
    assert run(capsys) == (1, text, "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[5].pop(), r"line 57: expected 17 columns, found 16"),
        (lambda rows: rows[5].append("1"), r"line 57: expected 17 columns, found 18"),
        (lambda rows: rows[-1].__setitem__(slice(5, None), ["1"]), r"found 6; was the run interrupted\?"),
        (lambda rows: rows[5].__setitem__(7, "abc"), r"line 57, column w\[1\]: 'abc' is not a number"),
        (lambda rows: rows[5].__setitem__(16, ""), r"line 57, column L\[2,2\]: '' is not a number"),
        (lambda rows: rows.__delitem__(0), "no row of column names"),
        (lambda rows: rows.__setitem__(slice(1, None), [[""]] * (len(rows) - 1)), "holds no draws after warmup"),
    ],
)
def test_a_bad_file_is_named_with_line_and_column(
    change, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "no row" in message:
        path = tmp_path / "edited.csv"
        path.write_text("\n".join(line for line in ONE.read_text().split("\n") if not line.startswith("lp__")))
    else:
        path = edited(tmp_path, change)
    status, out, error = run(capsys, path)
    assert (status, out) == (1, "")
    assert re.search(message, error), error
    assert str(path) in error


def test_files_that_are_no_stan_csv_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    assert "is empty" in run(capsys, empty)[2]
    assert "no Stan CSV file" in run(capsys, GOLDEN / "linreg.json")[2]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (SETS["simplex_ordered-nuts-dense"][0], "has 50 draws, but"),
        (SETS["linreg-nuts-diag"][0], "has 92 columns, but"),
        ("renamed", r"column 17 of .* is L\[2,2q\], but L\[2,2\] in"),
    ],
)
def test_files_that_do_not_fit_together(
    other: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if other == "renamed":
        other = edited(tmp_path, lambda rows: rows[0].__setitem__(16, "L.2.2q"))
    status, out, error = run(capsys, ONE, other)
    assert (status, out) == (1, "")
    assert re.search(message, error), error
    assert error.count("\n") == 1


def test_warmup_and_the_mean_of_an_approximation_are_no_draws(tmp_path: Path) -> None:
    saved = GOLDEN / "simplex_ordered-nuts-unit-warmup.csv"
    text = saved.read_text()
    assert stan_csv.scan(saved).draws([0]).shape == (1, 20)
    # Without the mark that Stan leaves after adaptation, the settings say how many rows to drop: 100, thinned by 2.
    unmarked = tmp_path / "unmarked.csv"
    unmarked.write_text(text.replace("# Adaptation terminated\n", ""))
    np.testing.assert_array_equal(stan_csv.scan(unmarked).draws([0]), stan_csv.scan(saved).draws([0]))
    everything = tmp_path / "everything.csv"
    everything.write_text(text.replace("save_warmup = true", "save_warmup = false"))
    assert stan_csv.scan(everything).draws([0]).shape == (1, 70)
    approximation = tmp_path / "approximation.csv"
    approximation.write_text("# method = variational\nlp__,x\n0,7\n0,1\n0,2\n")
    np.testing.assert_array_equal(stan_csv.scan(approximation).draws([1, 0]), [[1, 2], [0, 0]])


def test_names_as_programs_have_them() -> None:
    names = {
        "x": "x",
        "theta.1.2": "theta[1,2]",
        "z.1.2.real": "z[1,2,real]",
        "t:1": "t.1",
        "t:2.1": "t.2[1]",
        "a.1:2.3": "a[1].2[3]",
    }
    assert {name: stan_csv.readable(name) for name in names} == names


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_draws", [1, 2, 3])
def test_too_few_draws_are_summarised_as_far_as_they_go(
    n_draws: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "few.csv"
    path.write_text("lp__,x\n" + "".join(f"-1,{2 * draw}\n" for draw in range(n_draws)))
    file = tmp_path / "summary.csv"
    assert run(capsys, "-c", file, path)[0] == 0
    row = table(file).loc["x"]
    assert row["Mean"] == n_draws - 1
    assert math.isnan(row["ESS_bulk"])
    assert math.isnan(row["R_hat"])


def test_complex_numbers_and_tuples_are_summarised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "complex.csv"
    names = ["lp__", "z.1.real", "z.1.imag", "z.2.real", "z.2.imag", "t:1", "t:2.1", "m.1.1", "m.2.1", "m.1.2", "m.2.2"]
    path.write_text(",".join(names) + "\n" + "".join(",".join(f"{k + i}" for k in range(11)) + "\n" for i in range(9)))
    file = tmp_path / "summary.csv"
    assert run(capsys, "-c", file, path)[0] == 0
    assert list(table(file).index) == [
        "lp__",
        *("z[1,real]", "z[1,imag]", "z[2,real]", "z[2,imag]"),
        *("t.1", "t.2[1]", "m[1,1]", "m[1,2]", "m[2,1]", "m[2,2]"),
    ]
    assert list(table(file)["Mean"]) == [4, 5, 6, 7, 8, 9, 10, 11, 13, 12, 14]


def reference_ess(chains: np.ndarray) -> float:
    """Effective sample size, lag by lag, of ``n_chains x n_draws``: the sums as Geyer and Stan describe them."""
    n_chains, n_draws = chains.shape
    centred = chains - chains.mean(axis=1, keepdims=True)
    covariance = np.array([(centred[:, : n_draws - t] * centred[:, t:]).sum(axis=1) / n_draws for t in range(n_draws)])
    within = covariance[0].mean() * n_draws / (n_draws - 1)
    total = covariance[0].mean() + (chains.mean(axis=1).var(ddof=1) if n_chains > 1 else 0)
    rho = 1 - (within - covariance.mean(axis=1)) / total
    rho[0] = 1
    kept, lag = [rho[0] + rho[1]], 2
    even = 0.0
    while lag < n_draws - 3:
        even, pair = rho[lag], rho[lag] + rho[lag + 1]
        if pair <= 0:
            break
        kept.append(min(pair, kept[-1]))
        lag += 2
    else:
        raise AssertionError("the reference is for chains that mix")
    return n_chains * n_draws / (-1 + 2 * sum(kept) + max(even, 0))


@pytest.mark.parametrize("n_draws", [200, 501])
def test_the_monte_carlo_error_by_a_slower_way(n_draws: int) -> None:
    noise = np.random.default_rng(1).normal(size=(3, 4, n_draws))
    draws = noise.copy()
    for t in range(1, n_draws):
        draws[..., t] += np.array([[-0.3], [0.2], [0.6]]) * draws[..., t - 1]
    summary = summarise_draws(draws, [], seconds=2)
    for row, chains in zip(summary, draws, strict=True):
        expected = chains.std(ddof=1) / math.sqrt(reference_ess(chains))
        assert row[1] == pytest.approx(expected, rel=1e-9)
        assert row[6] == pytest.approx(row[4] / 2)


def test_batches_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(2).normal(size=(7, 2, 100))
    whole = summarise_draws(draws, [0.5], seconds=1), *mixing(draws)
    monkeypatch.setattr("bayeskit.diagnostics.stan_csv_statistics._BATCH", 450)
    for one, other in zip(whole, (summarise_draws(draws, [0.5], seconds=1), *mixing(draws)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_chains_that_disagree_show() -> None:
    draws = np.random.default_rng(3).normal(size=(1, 4, 500))
    ess, r_hat = mixing(draws)
    assert ess[0] > 1000
    assert r_hat[0] < 1.02
    draws[0, 0] += 3
    ess, r_hat = mixing(draws)
    assert ess[0] < 20
    assert r_hat[0] > 1.3


def test_nothing_is_said_under_strict_warnings() -> None:
    command = [sys.executable, "-W", "error", "-m", "bayeskit.diagnostics.stansummary", *map(str, SETS["troubled"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "constant" in done.stdout


def test_help_is_quick() -> None:
    code = """
import sys
from bayeskit.diagnostics import stansummary
assert stansummary.main(["--help"]) == 0
heavy = {"numpy", "pandas", "arviz_stats", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_reading_without_numbers() -> None:
    with pytest.raises(DataError, match="cannot read"):
        stan_csv.scan(GOLDEN)
