"""The runner's method evaluate against its own log_prob, closed forms, and clients that misbehave."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from toolchain.runner_support import GOLDEN, assert_one_line, environment, numbers, run

from bayeskit.toolchain.evaluator import EvaluationError, Evaluator, EvaluatorEndedError, Setup

MANY = """
parameters {
  real free; real<lower=0> a; real<upper=3> b; real<lower=-1, upper=2> c; real<offset=1, multiplier=2> o;
  simplex[3] s; ordered[2] r; positive_ordered[2] p; unit_vector[3] u; cholesky_factor_corr[2] L; cov_matrix[2] S;
  corr_matrix[2] C; cholesky_factor_cov[3, 2] F; array[2] vector<lower=0>[2] v; matrix[2, 3] m; complex z;
  tuple(real, simplex[2]) t;
}
transformed parameters { real twice = 2 * a; }
model {
  print("a = ", a);
  if (free > 100) reject("too far: ", free);
  if (free > 50 && free < 60) target += not_a_number();
  if (free < -100) { array[1] real one = {1}; target += one[2 + (free < -200)]; }
  free ~ normal(0, 1); a ~ normal(b, 1); c ~ normal(o, 1); s ~ dirichlet(rep_vector(2, 3)); r ~ normal(0, 1);
  p ~ normal(0, 2); u ~ normal(0, 1); L ~ lkj_corr_cholesky(2); S ~ wishart(4, identity_matrix(2));
  C ~ lkj_corr(2); to_vector(F) ~ normal(0, 1); for (i in 1:2) v[i] ~ normal(0, 1); to_vector(m) ~ normal(0, 1);
  get_real(z) ~ normal(0, 1); get_imag(z) ~ normal(a, 1); t.1 ~ normal(0, 1); t.2 ~ dirichlet([1, 3]');
}
generated quantities {
  real before = a + 1; real g;
  if (free < -5) { array[1] real one = {1}; g = one[2]; }
  if (free > 10) reject("no more");
  g = normal_rng(free, 1);
  int k = poisson_rng(3);
}
"""
KINDS = ("linreg", "simplex_ordered", "many")


@pytest.fixture(scope="module")
def folder(programs: Path, stan_home: Path) -> Path:
    """The programs; the one with every type is compiled without optimisation."""
    (programs / "many.stan").write_text(MANY)
    (programs / "many.json").write_text("{}")
    made = subprocess.run(
        ["make", "O=0", programs / "many"], cwd=stan_home, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return programs


@pytest.fixture
def serve(folder: Path, tmp_path: Path):
    """Return a function that starts an evaluator, which ends with the test."""
    started = []

    def start(program: str, threads: int = 2, **options) -> Evaluator:
        data = None if program in ("many", "fragile") else folder / f"{program}.json"
        setup = Setup(folder / program, tmp_path, data, 4, threads, **options)
        started.append(Evaluator(setup))
        return started[-1]

    yield start
    for evaluator in started:
        evaluator.close()


def points_of(evaluator: Evaluator, n: int, seed: int = 1) -> np.ndarray:
    """Numbers with few binary digits, which are the same in a JSON file."""
    shape = (n, len(evaluator.describe().coordinates))
    return np.random.default_rng(seed).integers(-48, 49, shape) / 32


def tables(folder: Path, program: str, arguments: str) -> np.ndarray:
    data = "" if program == "many" else f"data file={program}.json"
    result = run(folder, program, f"{arguments} {data} random seed=4 output file=e.csv sig_figs=18")
    assert result.returncode == 0, result.stderr
    return np.array([[float(x) for x in row.split(",")] for row in numbers(folder / "e.csv")[1:]])


@pytest.mark.parametrize("program", KINDS)
@pytest.mark.parametrize("jacobian", [True, False])
def test_densities_and_gradients_are_those_of_log_prob_to_the_last_digit(
    serve, folder: Path, program: str, jacobian: bool
):
    evaluator = serve(program, propto=True, jacobian=jacobian)
    points = points_of(evaluator, 7)
    # CmdStan takes an array's numbers column by column.
    array = points.ravel().reshape(points.shape, order="F")
    (folder / "e.json").write_text(json.dumps({"params_r": array.tolist()}))
    expected = tables(folder, program, f"log_prob unconstrained_params=e.json jacobian={int(jacobian)}")
    found, gradients, rejected = evaluator.gradient(points)
    np.testing.assert_array_equal(found, expected[:, 0])
    np.testing.assert_array_equal(gradients, expected[:, 1:])
    alone, _ = evaluator.log_density(points)
    np.testing.assert_array_equal(alone, expected[:, 0])
    assert rejected == 0
    assert np.ptp(found) > 1


@pytest.mark.parametrize("program", KINDS)
def test_the_whole_density_differs_by_a_constant_and_has_the_same_gradient(serve, program: str):
    whole, up_to_a_constant = serve(program), serve(program, propto=True)
    points = points_of(whole, 20)
    (found, gradients, _), (others, slopes, _) = (each.gradient(points) for each in (whole, up_to_a_constant))
    np.testing.assert_allclose(found - others, np.mean(found - others), rtol=1e-9)
    assert abs(np.mean(found - others)) > 1
    np.testing.assert_allclose(gradients, slopes, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(whole.log_density(points)[0], found, rtol=1e-12)


def _linreg(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict]:
    """The program's density, its pointwise log likelihood and its parameters, in closed form."""
    data = {name: np.array(values) for name, values in json.loads((GOLDEN / "linreg.json").read_text()).items()}
    alpha, beta, sigma = points[:, 0], points[:, 1:4], np.exp(points[:, 4])
    mean = alpha[:, None] + beta @ data["x"].T
    log_lik = stats.norm.logpdf(data["y"], mean, sigma[:, None])
    prior = stats.norm.logpdf(alpha, 0, 5) + stats.norm.logpdf(beta, 0, 2).sum(1) + stats.norm.logpdf(sigma, 0, 3)
    return prior + log_lik.sum(1) + points[:, 4], log_lik, {"mean": mean, "sigma": sigma}


def test_a_linear_regression_has_its_density_and_quantities(serve):
    evaluator = serve("linreg")
    points = points_of(evaluator, 500)
    density, log_lik, known = _linreg(points)
    np.testing.assert_allclose(evaluator.log_density(points)[0], density, rtol=1e-12)
    columns = evaluator.describe().columns
    rows = evaluator.transform(points, len(columns), seed=11)
    np.testing.assert_array_equal(rows[:, :4], points[:, :4])
    np.testing.assert_allclose(rows[:, 4], known["sigma"], rtol=1e-15)
    np.testing.assert_allclose(rows[:, 5:45], log_lik, rtol=1e-10)
    noise = (rows[:, 45:] - known["mean"]) / known["sigma"][:, None]

    def fits(numbers: np.ndarray) -> bool:
        # Each row's numbers are normal, and so are those of each column: rows do not share what they draw.
        tests = [numbers.ravel(), numbers.mean(axis=1) * numbers.shape[1] ** 0.5, numbers.mean(axis=0) * 500**0.5]
        return min(stats.kstest(test, "norm").pvalue for test in tests) > 1e-7

    assert fits(noise)
    assert not fits(np.repeat(noise[:1], 500, axis=0))  # one stream for all of the rows
    assert not fits(np.repeat(noise[:, :1], 40, axis=1))


def test_columns_and_their_values_are_those_of_the_samplers_file(serve, folder: Path):
    evaluator = serve("many")
    names = evaluator.describe()
    result = run(folder, "many", "sample num_warmup=5 num_samples=1 random seed=1 output file=s.csv refresh=0")
    assert result.returncode == 0, result.stderr
    header = numbers(folder / "s.csv")[0].split(",")
    assert names.columns == [name for name in header if not name.endswith("__")]
    assert names.parameters == names.columns[: len(names.parameters)]
    assert names.columns[len(names.parameters) :] == ["twice", "before", "g", "k"]
    points = points_of(evaluator, 6)
    rows = evaluator.transform(points, len(names.columns), seed=1)
    lines = [",".join(names.columns), *(",".join(map(repr, row.tolist())) for row in rows)]
    (folder / "c.csv").write_text("\n".join(lines) + "\n")
    expected = tables(folder, "many", "log_prob constrained_params=c.csv")
    # A unit vector does not say how long the vector was that it is made of: its coordinates' part is left out.
    lengths = points[:, [name.startswith("u.") for name in names.coordinates]]
    found = serve("many", propto=True).log_density(points)[0] + 0.5 * (lengths**2).sum(1)
    np.testing.assert_allclose(found, expected[:, 0] + 0.5, rtol=1e-9)
    a = rows[:, names.columns.index("a")]
    np.testing.assert_array_equal(rows[:, names.columns.index("twice")], 2 * a)
    np.testing.assert_array_equal(rows[:, names.columns.index("before")], a + 1)


@pytest.mark.parametrize("program", ["linreg", "many"])
def test_numbers_depend_neither_on_the_batch_nor_on_the_threads(serve, program: str):
    few, many = serve(program, threads=1), serve(program, threads=2)
    n, n_columns = 600, len(few.describe().columns)
    points = points_of(few, n)
    for ask in ("log_density", "gradient"):
        whole, other = getattr(few, ask)(points), getattr(many, ask)(points)
        parts = [getattr(few, ask)(part) for part in (points[:1], points[1:37], points[37:])]
        for place in range(len(whole) - 1):
            np.testing.assert_array_equal(whole[place], other[place])
            np.testing.assert_array_equal(whole[place], np.concatenate([part[place] for part in parts]))
    whole = few.transform(points, n_columns, 2**40 + 5)
    np.testing.assert_array_equal(whole, many.transform(points, n_columns, 2**40 + 5))
    parts = [
        serve(program).transform(points[first:last], n_columns, 2**40 + 5, first)
        for first, last in ((0, 1), (1, 37), (37, n))
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    for seed in (5, 2**40 + 6):  # both halves of the seed count
        changed = (few.transform(points, n_columns, seed) != whole).any(axis=0)
        assert 0 < changed.sum() < n_columns


def test_points_that_the_program_rejects_have_no_density(serve):
    evaluator = serve("many")
    points = points_of(evaluator, 50)
    points[[3, 17], 0], points[20, 0] = 101, 55
    found, gradients, rejected = evaluator.gradient(points)
    alone, also = evaluator.log_density(points)
    assert rejected == also == 3
    assert set(np.flatnonzero(found == -np.inf)) == set(np.flatnonzero(alone == -np.inf)) == {3, 17, 20}
    assert not gradients[[3, 17, 20]].any()
    assert np.isfinite(gradients).all()
    assert gradients[[2, 4]].any()


def test_what_is_written_before_a_rejection_stays(serve):
    evaluator = serve("many")
    columns = evaluator.describe().columns
    points = points_of(evaluator, 4)
    points[1, 0] = 11
    rows = evaluator.transform(points, len(columns), seed=1)  # Stan writes the generated quantities at their end
    lost = np.isnan(rows)
    assert [columns[place] for place in np.flatnonzero(lost.any(axis=0))] == ["before", "g", "k"]
    assert lost.any(axis=1).tolist() == [False, True, False, False]


def test_a_program_that_fails_says_so_and_goes_on(serve):
    evaluator = serve("many")
    points = points_of(evaluator, 300)
    expected = evaluator.log_density(points)[0]
    wrong = points.copy()
    wrong[[5, 250], 0] = -101
    wrong[8, 0] = -201
    for ask in (evaluator.log_density, evaluator.gradient):
        with pytest.raises(EvaluationError, match=r"Exception: .*accessing element out of range. index 2 out of range"):
            ask(wrong)  # the first row's reason, not the ninth's, which has index 3
        with pytest.raises(EvaluationError, match="index 3"):
            ask(wrong[8:])
    with pytest.raises(EvaluationError, match="out of range"):
        evaluator.transform(wrong, 40, seed=1)
    np.testing.assert_array_equal(evaluator.log_density(points)[0], expected)


def test_no_points_at_all(serve):
    evaluator = serve("linreg")
    empty = np.empty((0, 5))
    assert evaluator.log_density(empty)[0].shape == (0,)
    assert evaluator.gradient(empty)[1].shape == (0, 5)
    assert evaluator.transform(empty, 85, seed=1).shape == (0, 85)


def test_start_values_become_points(serve, tmp_path: Path):
    evaluator = serve("linreg")
    start = tmp_path / "start.json"
    start.write_text('{"alpha": 0.5, "beta": [1, 2, 3], "sigma": 2}')
    np.testing.assert_allclose(evaluator.start(start, 1), [0.5, 1, 2, 3, np.log(2)], rtol=1e-15)
    start.write_text('{"beta": [1, 2, 3]}')
    drawn = np.array([evaluator.start(start, seed) for seed in range(300)])
    np.testing.assert_array_equal(drawn[:, 1:4], np.tile([1, 2, 3], (300, 1)))
    for column in (0, 4):
        assert stats.kstest(drawn[:, column], stats.uniform(-2, 4).cdf).pvalue > 1e-7
    np.testing.assert_array_equal(evaluator.start(start, 7), drawn[7])
    for text, words in (
        ('{"beta": [1, 2]}', "processing stage=parameter initialization; variable name=beta"),
        ('{"sigma": -2}', "is -2, but must be greater than or equal to 0"),
        ('{"beta": }', "malformed JSON in the init file"),
    ):
        start.write_text(text)
        with pytest.raises(EvaluationError, match=words):
            evaluator.start(start, 1)
    np.testing.assert_array_equal(evaluator.start(_written(start, "{}"), 3).shape, (5,))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_bad_data_are_told(folder: Path, tmp_path: Path):
    (tmp_path / "bad.json").write_text('{"N": -1}')
    evaluator = Evaluator(Setup(folder / "linreg", tmp_path, tmp_path / "bad.json", 1))
    with pytest.raises(EvaluatorEndedError) as caught:
        evaluator.describe()
    assert caught.value.status == 1
    assert "N is -1, but must be greater than or equal to 0" in caught.value.console
    evaluator.close()


class Raw:
    """The process with nothing between."""

    def __init__(self, folder: Path, output: int = subprocess.PIPE):
        self.answers, theirs = os.pipe()
        command = [folder / "many", "evaluate", f"answers=/dev/fd/{theirs}", "output", "profile_file="]
        streams = {"stdin": subprocess.PIPE, "stdout": output, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, pass_fds=[theirs], env=environment(), **streams)
        os.close(theirs)

    def ends(self, request: bytes) -> subprocess.CompletedProcess:
        out, err = self.process.communicate(request, timeout=30)
        os.close(self.answers)
        return subprocess.CompletedProcess([], self.process.returncode, out.decode(), err.decode())


def request(kind: int, count: int) -> bytes:
    return struct.pack("=4Q", kind, count, 0, 0)


BAD_REQUESTS = {
    "unknown": (request(9, 0), "a request of kind 9 is not known: expected 1 to 5"),
    "half a header": (request(2, 1)[:20], "a request broke off: expected 32 more bytes, found 20"),
    "half a point": (request(2, 1) + bytes(8), "more bytes, found 8"),
    "too many points": (request(2, 2**60), "ask in parts"),
    "too many columns": (request(4, 2**22), "ask in parts"),
    "text": (b"sample num_samples=1000 data file=x", "is not known: expected 1 to 5"),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_requests_that_are_none_end_the_process_in_one_line(folder: Path, name: str):
    asked, words = BAD_REQUESTS[name]
    assert_one_line(Raw(folder).ends(asked), words)


def test_the_end_of_the_requests_ends_the_process(folder: Path):
    result = Raw(folder).ends(request(1, 0))
    assert (result.returncode, result.stderr) == (0, "")
    assert "a = " not in result.stdout


def test_a_signal_or_a_client_that_is_gone_ends_the_process_quietly(folder: Path):
    waiting, orphan = Raw(folder), Raw(folder)
    waiting.process.stdin.write(request(1, 0))
    waiting.process.stdin.flush()
    assert os.read(waiting.answers, 24)  # by now it is waiting for more
    waiting.process.send_signal(signal.SIGTERM)
    waiting.process.wait(timeout=30)  # before the requests' end, which would end it, too
    result = waiting.ends(b"")
    assert (result.returncode, result.stderr) == (-signal.SIGTERM, "")
    os.close(orphan.answers)
    started = time.monotonic()
    _, said = orphan.process.communicate(request(1, 0), timeout=30)
    assert orphan.process.returncode != 0
    assert len(said.splitlines()) <= 1
    assert time.monotonic() - started < 10


def test_bad_arguments(folder: Path):
    assert_one_line(run(folder, "many", "evaluate"), "answers is not given")
    assert_one_line(run(folder, "many", "evaluate answers=none/a"), "cannot write 'none/a': No such file")
    assert_one_line(run(folder, "many", "evaluate jacobian=2 answers=a"), "jacobian")
    assert "evaluate" in run(folder, "many", "help").stdout
    assert "answers=<string>" in run(folder, "many", "evaluate help").stdout
