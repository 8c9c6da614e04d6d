"""The C++ runner against recorded output of CmdStan 2.35.0, and against bad arguments, bad files and signals."""

import json
import platform
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
MODELS = ("linreg", "simplex_ordered")
ENDING = "output file=out/{model}-nuts-{name}.csv refresh=0 sig_figs=18"
COMMANDS = {
    "diag": "sample num_samples=100 num_warmup=150 {data} random seed=20261120 id=1 " + ENDING,
    "dense": "sample num_samples=50 num_warmup=150 num_chains=2 algorithm=hmc engine=nuts max_depth=8 metric=dense_e "
    "adapt delta=0.95 {data} random seed=7 id=1 " + ENDING,
    "unit-warmup": "sample num_samples=40 num_warmup=100 save_warmup=1 thin=2 algorithm=hmc metric=unit_e {data} "
    "random seed=11 id=3 init=0.5 " + ENDING,
    "config": "sample num_samples=20 num_warmup=100 adapt save_metric=1 {data} random seed=29 id=1 "
    "output file=out/{model}-nuts-{name}.csv refresh=0 save_cmdstan_config=1 sig_figs=9",
}
FILES = {"diag": ["diag.csv"], "dense": ["dense_1.csv", "dense_2.csv"], "unit-warmup": ["unit-warmup.csv"]}
CASES = [(model, name) for model in MODELS for name in COMMANDS]

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
EVERY_COLUMN = (
    "a k r.1.1 r.2.1 r.1.2 r.2.2 r.1.3 r.2.3 v.1 v.2 w.1 w.2 m.1.1 m.2.1 m.1.2 m.2.2 m.1.3 m.2.3 s.1 s.2 o.1 o.2 "
    "L.1.1 L.2.1 L.1.2 L.2.2 am.1.1.1 am.2.1.1 am.1.2.1 am.2.2.1 c.real c.imag cv.1.real cv.1.imag cv.2.real "
    "cv.2.imag cm.1.1.real cm.1.1.imag cm.1.2.real cm.1.2.imag t:1 t:2.1 t:2.2 at.1:1 at.1:2:1 at.1:2:2.real "
    "at.1:2:2.imag at.2:1 at.2:2:1 at.2:2:2.real at.2:2:2.imag inf nan_"
)


def numbers(csv: Path) -> list[str]:
    return [line for line in csv.read_text().splitlines() if not line.startswith("#")]


def comments(text: str) -> list[str]:
    """Without the three things that differ from run to run: see tests/golden/README.md."""
    text = re.sub(r'(start_datetime"? [=:]) .*', r"\1", text)
    text = re.sub(r"[\d.e-]+ seconds", "seconds", text)
    text = re.sub(r'(stancflags"? [=:]) .*', r"\1", text)
    return [line for line in text.splitlines() if line.startswith(("#", " ", "{", "}"))]


def run(programs: Path, model: str, arguments: str, **options) -> subprocess.CompletedProcess:
    command = [f"./{model}", *arguments.split()]
    return subprocess.run(command, cwd=programs, capture_output=True, text=True, timeout=120, check=False, **options)


def assert_whole_rows(csv: Path) -> int:
    text = csv.read_bytes()
    assert text.endswith(b"\n")
    rows = [line for line in text.splitlines() if not line.startswith(b"#")]
    assert len({row.count(b",") for row in rows}) == 1
    return len(rows)


@pytest.fixture(scope="session")
def is_reference_machine() -> bool:
    compiler = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=False).stdout
    return platform.system() == "Linux" and platform.machine() == "x86_64" and compiler.split(".")[0].strip() == "12"


@pytest.fixture(scope="session")
def programs(stan_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (stan_home / "runner").is_dir():
        pytest.skip(f"the Stan in {stan_home} is not built on our runner")
    folder = tmp_path_factory.mktemp("programs")
    for model in MODELS:
        shutil.copy(GOLDEN / f"{model}.stan", folder)
        shutil.copy(GOLDEN / f"{model}.json", folder)
    (folder / "every_type.stan").write_text(EVERY_TYPE)
    (folder / "every_type.json").write_text('{"Z": 0}')
    (folder / "out").mkdir()
    targets = [str(folder / name) for name in (*MODELS, "every_type")]
    made = subprocess.run(["make", "-j2", *targets], cwd=stan_home, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in made.stderr
    return folder


@pytest.fixture(scope="session")
def golden_runs(programs: Path) -> Path:
    """The folder with what the golden files' command lines give."""
    for model, name in CASES:
        arguments = COMMANDS[name].format(model=model, name=name, data=f"data file={model}.json")
        result = run(programs, model, arguments)
        assert result.returncode == 0, result.stderr
    return programs / "out"


@pytest.mark.parametrize(("model", "name"), CASES)
def test_golden(golden_runs: Path, is_reference_machine: bool, model: str, name: str):
    for file in FILES.get(name, [f"{name}.csv"]):
        ours, recorded = golden_runs / f"{model}-nuts-{file}", GOLDEN / f"{model}-nuts-{file}"
        if is_reference_machine:
            assert numbers(ours) == numbers(recorded)
            assert comments(ours.read_text()) == comments(recorded.read_text())
        else:  # the first transition, before rounding differences of another compiler or libm can grow
            assert numbers(ours)[0] == numbers(recorded)[0]
            if name == "unit-warmup":
                first = [float(numbers(csv)[1].split(",")[0]) for csv in (ours, recorded)]
                assert first[0] == pytest.approx(first[1], rel=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_golden_side_files(golden_runs: Path, is_reference_machine: bool, model: str):
    ours = (golden_runs / f"{model}-nuts-config_config.json").read_text()
    recorded = (GOLDEN / f"{model}-nuts-config_config.json").read_text()
    assert comments(ours) == comments(recorded)
    assert json.loads(ours).keys() == json.loads(recorded).keys()
    metric = f"{model}-nuts-config_metric.json"
    if is_reference_machine:
        assert (golden_runs / metric).read_text() == (GOLDEN / metric).read_text()


@pytest.mark.parametrize("change", ["random seed=20261121", "random seed=20261120 id=2"])
def test_golden_comparison_notices_another_stream(golden_runs: Path, programs: Path, change: str):
    arguments = COMMANDS["diag"].replace("random seed=20261120 id=1", change)
    run(programs, "linreg", arguments.format(model="linreg", name="changed", data="data file=linreg.json"))
    changed, recorded = golden_runs / "linreg-nuts-changed.csv", GOLDEN / "linreg-nuts-diag.csv"
    assert numbers(changed)[0] == numbers(recorded)[0]
    assert not set(numbers(changed)[1:]) & set(numbers(recorded)[1:])


def test_chains_of_one_process_equal_processes_of_one_chain(programs: Path):
    shared = "sample num_samples=50 num_warmup=100 {chains} data file=linreg.json random seed=3 id={id} output file={f}"
    run(programs, "linreg", shared.format(chains="num_chains=3", id=4, f="many.csv") + " num_threads=2")
    for chain in (4, 5, 6):
        run(programs, "linreg", shared.format(chains="", id=chain, f="one.csv"))
        assert numbers(programs / "one.csv") == numbers(programs / f"many_{chain}.csv")


def test_initial_values_per_chain(programs: Path):
    for chain, alpha in ((1, 0.25), (2, -0.5)):
        values = {"alpha": alpha, "beta": [0, 0, 0], "sigma": 1}
        (programs / f"start_{chain}.json").write_text(json.dumps(values))
    common = "sample num_chains=2 num_samples=1 num_warmup=0 adapt engaged=0 algorithm=hmc stepsize=1e-9 "
    for init in ("start.json", "start_1.json,start_2.json"):
        result = run(programs, "linreg", f"{common} data file=linreg.json init={init} output file=i.csv sig_figs=6")
        assert result.returncode == 0, result.stderr
        starts = [float(numbers(programs / f"i_{chain}.csv")[1].split(",")[7]) for chain in (1, 2)]
        np.testing.assert_allclose(starts, [0.25, -0.5], atol=1e-5)


def test_every_type_of_a_program_without_parameters(programs: Path):
    result = run(programs, "every_type", "sample num_samples=7 data file=every_type.json output file=types.csv")
    assert result.returncode == 0, result.stderr
    assert "running fixed_param sampler" in result.stdout
    header, *rows = numbers(programs / "types.csv")
    assert header.split(",") == ["lp__", "accept_stat__", *EVERY_COLUMN.split()]
    assert len(rows) == 7
    assert all(row.endswith(",inf,nan") for row in rows)


def test_info(programs: Path):
    lines = run(programs, "linreg", "info").stdout.splitlines()
    assert lines[:4] == [
        "stan_version_major = 2", "stan_version_minor = 35", "stan_version_patch = 0", "STAN_THREADS=true"
    ]  # fmt: skip


@pytest.mark.parametrize(("where", "word"), [("", "Methods"), ("sample", "num_warmup=<int>"), ("output", "sig_figs")])
def test_help(programs: Path, where: str, word: str):
    result = run(programs, "linreg", f"{where} help")
    assert result.returncode == 0
    assert word in result.stdout


def test_threads_of_command_line_and_environment_agree(programs: Path):
    arguments = "sample num_samples=1 num_warmup=1 num_threads={} data file=linreg.json output file=threads.csv"
    for given, environment, status in ((2, "1", 0), (2, "2", 0), (2, "3", 1)):
        result = run(programs, "linreg", arguments.format(given), env={"STAN_NUM_THREADS": environment})
        assert result.returncode == status, result.stderr
    assert "contradicts STAN_NUM_THREADS=3" in result.stderr


DATA = "data file=linreg.json"
BAD_ARGUMENTS = {
    "": "a method must be given",
    "sample num_smples=10": "nearest is 'num_samples'",
    "sample num_samples=10 num_samples=20": "given twice",
    "sample num_samples=-1": "0 <= num_samples",
    "sample num_samples=ten": "expected an integer",
    "sample adapt delta=1": "0 < delta < 1",
    "sample delta=0.9": "belongs in 'method=sample adapt delta=<double>'",
    "sample algorithm=hmc metric=round": "unit_e|diag_e|dense_e",
    "sample thin": "needs a value",
    "optimize": "supported: sample",
    "sample random seed=4294967296": "seed <= 4294967295",
    f"sample num_warmup=0 {DATA}": "num_warmup=0 contradicts adaptation",
    f"sample init=-1 {DATA}": "init=-1",
    "sample num_threads=0": "num_threads=0",
    "sample": "variable name=N",
    "sample data file=none.json": "cannot read the data file 'none.json': No such file",
    f"sample {DATA} init=none.json": "cannot read the init file 'none.json'",
    f"sample algorithm=hmc metric_file=none.json {DATA}": "cannot read the metric file 'none.json'",
    f"sample {DATA} output file=none/x.csv": "cannot write 'none/x.csv': No such file",
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS)
def test_bad_arguments_end_in_one_line(programs: Path, arguments: str):
    result = run(programs, "linreg", arguments)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(("Error: ", "Exception: "))
    assert BAD_ARGUMENTS[arguments] in result.stderr


BAD_DATA = {
    '{"N": 3,\n "K": 1\n "x": 3}': "line 3, column 2: Missing a comma",
    "": "line 1, column 1",
    '{"N": 2, "K": 1, "x": [[1], [2, 3]], "y": [1, 2]}': "Variable: x",
    '{"N": 2, "K": 1, "x": [[1], [2]], "y": [1, 2, 3]}': "name=y; position=0; dims declared=(2); dims found=(3)",
    '{"N": 2, "K": 0, "x": [[], []], "y": [1, 2]}': "K is 0",
    '{"N": 2, "K": 1, "x": [[1], [2]], "y": [1, NaN]}': "failed after 100 attempts",
}


@pytest.mark.parametrize("content", BAD_DATA)
def test_bad_data_end_in_one_line(programs: Path, content: str):
    (programs / "bad.json").write_text(content)
    result = run(programs, "linreg", "sample data file=bad.json output file=bad.csv")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert BAD_DATA[content] in result.stderr


def wait_for_rows(csv: Path):
    deadline = time.monotonic() + 60
    while not csv.exists() or csv.stat().st_size < 20_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_whole_rows(programs: Path, ending: signal.Signals):
    arguments = f"sample num_samples=9999999 num_chains=2 num_warmup=50 {DATA} random seed=1 output file=cut.csv"
    command = ["./linreg", *arguments.split(), "refresh=0", "num_threads=2"]
    for pause in (0.0, 0.013, 0.029, 0.041):
        (programs / "cut_1.csv").unlink(missing_ok=True)
        process = subprocess.Popen(command, cwd=programs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_rows(programs / "cut_1.csv")
        time.sleep(pause)
        process.send_signal(ending)
        assert process.wait(timeout=10) == -ending
        assert assert_whole_rows(programs / "cut_1.csv") > 1


def test_a_full_disk_leaves_whole_rows(programs: Path):
    def limit_file_size():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    result = run(programs, "linreg", f"sample {DATA} random seed=1 output file=full.csv", preexec_fn=limit_file_size)
    assert result.returncode == 1
    assert "cannot write 'full.csv': File too large" in result.stderr
    assert assert_whole_rows(programs / "full.csv") > 1
    assert "Elapsed" not in (programs / "full.csv").read_text()


@pytest.mark.parametrize(("code", "options"), [("model { broken", []), ("model { }", ["CXX=false"])])
def test_a_failed_compilation_leaves_no_half_made_file(programs: Path, stan_home: Path, code: str, options: list[str]):
    folder = programs / "failed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "m.stan").write_text(code)
    made = subprocess.run(["make", *options, str(folder / "m")], cwd=stan_home, capture_output=True, check=False)
    assert made.returncode != 0
    assert {path.name for path in folder.iterdir()} <= {"m.stan", "m.hpp"}
    assert (folder / "m.hpp").exists() == bool(options)


@pytest.mark.parametrize("separate", [False, True])
def test_cmdstanpy_unmodified(programs: Path, stan_home: Path, monkeypatch: pytest.MonkeyPatch, separate: bool):
    import cmdstanpy

    monkeypatch.setenv("CMDSTAN", str(stan_home))
    monkeypatch.setenv("STAN_NUM_THREADS", "1")  # cmdstanpy sets it for good
    assert cmdstanpy.utils.cmdstan_version() == (2, 35)
    model = cmdstanpy.CmdStanModel(exe_file=programs / "linreg")
    assert model.exe_info()["STAN_THREADS"] == "true"
    fit = model.sample(
        data=programs / "linreg.json", chains=4, parallel_chains=2, seed=5, iter_warmup=200, iter_sampling=50,
        save_warmup=True, adapt_delta=0.9, inits={"alpha": 0.1, "sigma": 1}, show_progress=False,
        force_one_process_per_chain=separate,
    )  # fmt: skip
    assert fit.draws(inc_warmup=True).shape == (250, 4, 92)
    assert fit.draws_pd().shape == (200, 95)
    assert fit.inv_metric.shape == (4, 5)
    assert (fit.step_size > 0).all()
    assert (fit.divergences >= 0).all()
