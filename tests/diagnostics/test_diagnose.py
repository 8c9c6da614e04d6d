"""Our diagnose against the official one's recorded output, and its thresholds one by one."""

from pathlib import Path

import numpy as np
import pytest

from bayeskit.diagnostics import diagnose

GOLDEN = Path(__file__).parent.parent / "golden"
TOOLS = GOLDEN / "tools"
SETS = {
    "simplex_ordered-nuts-dense": [GOLDEN / f"simplex_ordered-nuts-dense_{chain}.csv" for chain in (1, 2)],
    "linreg-nuts-diag": [GOLDEN / "linreg-nuts-diag.csv"],
    "troubled": [TOOLS / f"troubled_{chain}.csv" for chain in (1, 2)],
}
TITLES = ("Checking sampler transitions", "Checking E-BFMI", "The following parameters", "Processing complete")
HEALTHY = """\
Checking sampler transitions treedepth.
Treedepth satisfactory for all transitions.

Checking sampler transitions for divergences.
No divergent transitions found.

Checking E-BFMI - sampler transitions HMC potential energy.
E-BFMI satisfactory.

Rank-normalized split effective sample size satisfactory for all parameters.

Rank-normalized split R-hat values satisfactory for all parameters.

Processing complete, no problems detected.
"""


def run(capsys: pytest.CaptureFixture[str], *files: object) -> tuple[int, str, str]:
    status = diagnose.main([str(file) for file in files])
    return (status, *capsys.readouterr())


def findings(text: str) -> list[str]:
    """The lines that say how each check came out; the advice below them is in words of our own."""
    kept = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        kept += lines[:2] if lines[0].startswith(TITLES) else lines
    return [line.partition(" which suggests")[0].partition(": the energy")[0] for line in kept]


def chains(tmp_path: Path, max_depth: int = 10, n_draws: int = 400, **columns: object) -> list[Path]:
    """Two chains that are fine, but for the columns given, as ``2 x n_draws``."""
    generator = np.random.default_rng(5)
    shape = (2, n_draws)
    values = {
        "lp__": generator.normal(size=shape),
        "treedepth__": np.full(shape, 3),
        "divergent__": np.zeros(shape),
        "energy__": generator.normal(size=shape),
        "x": generator.normal(size=shape),
        **{name: np.broadcast_to(value, shape) for name, value in columns.items()},
    }
    paths = []
    for chain in range(2):
        rows = np.column_stack([value[chain] for value in values.values()])
        body = "\n".join(",".join(repr(float(cell)) for cell in row) for row in rows)
        path = tmp_path / f"chain_{chain}.csv"
        path.write_text(f"# method = sample\n#   max_depth = {max_depth}\n{','.join(values)}\n{body}\n")
        paths.append(path)
    return paths


@pytest.mark.parametrize("name", SETS)
def test_the_findings_are_the_official_ones(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, text, error = run(capsys, *SETS[name])
    assert (status, error) == (0, "")
    official = (TOOLS / f"{name}.diagnose.txt").read_text()
    assert findings(text) == findings(official)
    assert text.count("\n\n") == official.count("\n\n")
    assert not text.endswith("\n\n")


def test_healthy_chains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *chains(tmp_path)) == (0, HEALTHY, "")


@pytest.mark.parametrize(("depth", "found"), [(3, True), (4, False)])
def test_tree_depth(depth: int, found: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    treedepth = np.zeros((2, 400))
    treedepth[1, 7] = 3
    _, text, _ = run(capsys, *chains(tmp_path, max_depth=depth, treedepth__=treedepth))
    line = "1 of 800 (0.12%) transitions hit the maximum treedepth limit of 3, or 2^3 leapfrog steps."
    assert (line in text) is found
    assert ("no problems detected" in text) is not found


def test_divergences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    divergent = np.zeros((2, 400))
    divergent[0, :6] = 1
    _, text, _ = run(capsys, *chains(tmp_path, divergent__=divergent))
    assert "\n6 of 800 (0.75%) transitions ended with a divergence.\n" in text
    assert text.endswith("Processing complete.\n")


def test_energy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    energy = np.cumsum(np.random.default_rng(6).normal(size=(2, 400)), axis=1)
    _, text, _ = run(capsys, *chains(tmp_path, energy__=energy))
    pooled = energy.ravel()
    value = np.mean(np.diff(pooled) ** 2) / pooled.var(ddof=1)
    assert value < 0.3
    assert f"The E-BFMI, {value:.2f}, is below the nominal threshold of 0.30" in text


def test_effective_sample_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shift = np.array([[0.0], [100.0]])
    slow = np.cumsum(np.random.default_rng(7).normal(size=(2, 3000)), axis=1) * 0.01 + shift
    _, text, _ = run(capsys, *chains(tmp_path, n_draws=3000, slow=slow))
    assert "The following parameters had fewer than 0.001 effective draws per transition:\n  slow\n" in text
    # With fewer draws the same handful of effective ones is a larger share.
    _, text, _ = run(capsys, *chains(tmp_path, n_draws=300, slow=slow[:, :300]))
    assert "effective sample size satisfactory" in text


@pytest.mark.parametrize(("shift", "found"), [(0.0, False), (0.6, True)])
def test_r_hat(shift: float, found: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = np.random.default_rng(8).normal(size=(2, 400)) + np.array([[0.0], [shift]])
    _, text, _ = run(capsys, *chains(tmp_path, moved=moved))
    listing = "The following parameters had rank-normalized split R-hat greater than 1.01:\n  moved\n"
    assert (listing in text) is found


@pytest.mark.parametrize(
    ("ess", "r_hat", "finding"),
    [
        (0.81, 1.0149, "no problems detected"),  # of 800 draws
        (0.79, 1.0149, "fewer than 0.001 effective draws per transition:\n  x\n"),
        (0.81, 1.0151, "R-hat greater than 1.01:\n  x\n"),  # it is rounded before it is judged
    ],
)
def test_the_thresholds_themselves(
    ess: float,
    r_hat: float,
    finding: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "bayeskit.diagnostics.stan_csv_statistics.mixing",
        lambda draws: (np.full(len(draws), ess), np.full(len(draws), r_hat)),
    )
    assert finding in run(capsys, *chains(tmp_path))[1]


def test_what_never_moves_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *chains(tmp_path, fixed=2.5, nothing=np.nan, energy__=3.0))[1] == HEALTHY


def test_draws_without_a_sampler(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "draws.csv"
    draws = np.random.default_rng(9).normal(size=200)
    path.write_text("x\n" + "".join(f"{draw}\n" for draw in draws))
    status, text, _ = run(capsys, path)
    assert (status, text.startswith("Rank-normalized split effective sample size")) == (0, True)


def test_nothing_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = run(capsys)
    assert (status, text.startswith("USAGE:  diagnose")) == (0, True)
    missing = tmp_path / "missing.csv"
    assert run(capsys, missing) == (1, f"File {missing} not found\nNo valid input files, exiting.\n", "")
    status, text, _ = run(capsys, missing, *chains(tmp_path))
    assert (status, text) == (0, f"File {missing} not found\n{HEALTHY}")


def test_bad_files_give_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = chains(tmp_path)
    other.write_text(other.read_text().rstrip().rpartition(",")[0])
    for files, message in (
        ([one, other], "expected 5 columns, found 4"),
        ([one, *SETS["linreg-nuts-diag"]], "has 92 columns, but"),
        ([GOLDEN / "linreg.json"], "no Stan CSV file"),
        ([tmp_path], "Is a directory"),
    ):
        status, text, error = run(capsys, *files)
        assert (status, text) == (1, "")
        assert error.startswith("diagnose: ")
        assert message in error
        assert error.count("\n") == 1
