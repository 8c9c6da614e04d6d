"""Programs, command lines and helpers that the tests of the runner share."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"
MODELS = ("linreg", "simplex_ordered")
_FULL = "output file=out/{model}-{name}.csv refresh=0 sig_figs=18"
# In this order, since laplace starts from map, and gq from nuts-diag.
COMMANDS = {
    "nuts-diag": f"sample num_samples=100 num_warmup=150 {{data}} random seed=20261120 id=1 {_FULL}",
    "nuts-dense": "sample num_samples=50 num_warmup=150 num_chains=2 algorithm=hmc engine=nuts max_depth=8 "
    f"metric=dense_e adapt delta=0.95 {{data}} random seed=7 id=1 {_FULL}",
    "nuts-unit-warmup": "sample num_samples=40 num_warmup=100 save_warmup=1 thin=2 algorithm=hmc metric=unit_e {data} "
    f"random seed=11 id=3 init=0.5 {_FULL}",
    "nuts-config": "sample num_samples=20 num_warmup=100 adapt save_metric=1 {data} random seed=29 id=1 "
    "output file=out/{model}-{name}.csv refresh=0 save_cmdstan_config=1 sig_figs=9",
    "static": "sample num_samples=50 num_warmup=100 algorithm=hmc engine=static int_time=1.5 {data} "
    f"random seed=5 id=1 {_FULL}",
    "lbfgs": f"optimize algorithm=lbfgs jacobian=0 {{data}} random seed=3 id=1 {_FULL}",
    "map": f"optimize algorithm=lbfgs jacobian=1 {{data}} random seed=3 id=1 {_FULL}",
    "newton": f"optimize algorithm=newton jacobian=0 {{data}} random seed=3 id=1 {_FULL}",
    "laplace": f"laplace mode=out/{{model}}-map.csv jacobian=1 draws=50 {{data}} random seed=9 id=1 {_FULL}",
    "pathfinder": "pathfinder num_paths=2 num_draws=40 num_psis_draws=40 {data} random seed=13 id=1 num_threads=1 "
    f"{_FULL}",
    "pathfinder-single": f"pathfinder num_paths=1 num_draws=40 {{data}} random seed=13 id=1 num_threads=1 {_FULL}",
    "advi": "variational algorithm=meanfield iter=2000 output_samples=50 {data} random seed=17 id=1 " + _FULL,
    "gq": f"generate_quantities fitted_params=out/{{model}}-nuts-diag.csv {{data}} random seed=19 id=1 {_FULL}",
    "lp": "log_prob unconstrained_params={model}.unconstrained.json {data} "
    "output file=out/{model}-{name}.csv sig_figs=18",
}
LINREG_ALONE = ("gq", "lp")
DETERMINISTIC = ("lbfgs", "map", "newton", "lp")
CASES = [(model, name) for model in MODELS for name in COMMANDS if model == "linreg" or name not in LINREG_ALONE]

EVERY_TYPE = """
data { int<lower=0> Z; }
generated quantities {
  real a = 1; int k = poisson_rng(3); array[2, 3] real r = rep_array(1.5, 2, 3); vector[2] v = [1, 2]';
  row_vector[2] w = [1, 2]; matrix[2, 3] m = [[1, 2, 3], [4, 5, 6]]; simplex[2] s = [0.5, 0.5]';
  ordered[2] o = [1, 2]'; cholesky_factor_corr[2] L = identity_matrix(2); array[2] matrix[2, 1] am;
  complex c = to_complex(1, 2); complex_vector[2] cv = to_complex(v, v); complex_matrix[1, 2] cm = [[c, c]];
  tuple(real, vector[2]) t = (1, v); array[2] tuple(int, tuple(real, complex)) at;
  vector[Z] e; array[0] int z; array[2, 0] vector[3] ez; real inf = positive_infinity(); real nan_ = not_a_number();
  for (i in 1:2) { am[i] = [[i], [-i]]; at[i] = (i, (i, c)); }
}
"""
FRAGILE = """
// Indexing fails wherever mu is between 90 and 110, which is where the first step from 0 leads.
parameters { real mu; }
model {
  profile("all") { array[1] real centre = {200}; mu ~ normal(centre[1 + (mu > 90 && mu < 110)], 1); }
}
"""
EVERY_COLUMN = (
    "a k r.1.1 r.2.1 r.1.2 r.2.2 r.1.3 r.2.3 v.1 v.2 w.1 w.2 m.1.1 m.2.1 m.1.2 m.2.2 m.1.3 m.2.3 s.1 s.2 o.1 o.2 "
    "L.1.1 L.2.1 L.1.2 L.2.2 am.1.1.1 am.2.1.1 am.1.2.1 am.2.2.1 c.real c.imag cv.1.real cv.1.imag cv.2.real "
    "cv.2.imag cm.1.1.real cm.1.1.imag cm.1.2.real cm.1.2.imag t:1 t:2.1 t:2.2 at.1:1 at.1:2:1 at.1:2:2.real "
    "at.1:2:2.imag at.2:1 at.2:2:1 at.2:2:2.real at.2:2:2.imag inf nan_"
)


def numbers(csv: Path) -> list[str]:
    return [line for line in csv.read_text().splitlines() if not line.startswith("#")]


def golden_files(name: str) -> list[str]:
    return ["nuts-dense_1.csv", "nuts-dense_2.csv"] if name == "nuts-dense" else [f"{name}.csv"]


def comments(text: str) -> list[str]:
    """Without what differs from run to run: see tests/golden/README.md."""
    text = re.sub(r'(start_datetime"? [=:]) .*', r"\1", text)
    text = re.sub(r"[\d.e-]+ seconds", "seconds", text)
    text = re.sub(r'(stancflags"? [=:]) .*', r"\1", text)
    text = re.sub(r"seed = \d+ \(Default\)", "seed = (Default)", text)
    return [line for line in text.splitlines() if line.startswith(("#", " ", "{", "}"))]


def environment(**changes: str) -> dict[str, str]:
    """Without the number of threads, which is part of the output and which cmdstanpy sets for good."""
    return {name: value for name, value in os.environ.items() if name != "STAN_NUM_THREADS"} | changes


def run(programs: Path, model: str, arguments: str, **options) -> subprocess.CompletedProcess:
    command = [programs / model, *arguments.split()]
    options = {"cwd": programs, "env": environment(), "stdout": subprocess.PIPE, **options}
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=120, check=False, **options)


def assert_one_line(result: subprocess.CompletedProcess, words: str):
    assert result.returncode == 1, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(("Error: ", "Exception"))
    assert words in result.stderr


def assert_whole_rows(csv: Path) -> int:
    text = csv.read_bytes()
    assert text.endswith(b"\n")
    rows = [line for line in text.splitlines() if not line.startswith(b"#")]
    assert len({row.count(b",") for row in rows}) == 1
    return len(rows)


def sample_fragile(programs: Path, folder: Path, arguments: str, **options) -> subprocess.CompletedProcess:
    few = f"sample num_samples=20 num_warmup=20 {arguments} random seed=1"
    return run(programs, "fragile", few, cwd=folder, **options)


SAFE = "init={programs}/safe.json random seed=1 output file=o.csv"
DATA = "data file=linreg.json"
