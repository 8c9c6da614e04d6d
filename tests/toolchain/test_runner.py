"""The C++ runner against recorded output of CmdStan 2.35.0, and against bad arguments, bad files and signals."""

import json
import os
import platform
import re
import resource
import shutil
import signal
import stat
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


def comments(text: str) -> list[str]:
    """Without the three things that differ from run to run: see tests/golden/README.md."""
    text = re.sub(r'(start_datetime"? [=:]) .*', r"\1", text)
    text = re.sub(r"[\d.e-]+ seconds", "seconds", text)
    text = re.sub(r'(stancflags"? [=:]) .*', r"\1", text)
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
    (folder / "fragile.stan").write_text(FRAGILE)
    (folder / "safe.json").write_text('{"mu": 200}')
    (folder / "out").mkdir()
    targets = [str(folder / name) for name in (*MODELS, "every_type", "fragile")]
    made = subprocess.run(["make", "-j2", *targets], cwd=stan_home, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in made.stderr
    return folder


@pytest.fixture(scope="session")
def threaded(programs: Path, stan_home: Path) -> Path:
    """The fragile program, compiled by cmdstanpy with its option for threads."""
    import cmdstanpy

    folder = programs / "threaded"
    folder.mkdir()
    shutil.copy(programs / "fragile.stan", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CMDSTAN", str(stan_home))
        cmdstanpy.CmdStanModel(stan_file=folder / "fragile.stan", cpp_options={"STAN_THREADS": True})
    return folder / "fragile"


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


def test_info(programs: Path, threaded: Path):
    lines = run(programs, "linreg", "info").stdout.splitlines()
    assert lines[:4] == [
        "stan_version_major = 2", "stan_version_minor = 35", "stan_version_patch = 0", "STAN_THREADS=false"
    ]  # fmt: skip
    assert "STAN_THREADS=true" in run(threaded.parent, "fragile", "info").stdout


@pytest.mark.parametrize(("where", "word"), [("", "Methods"), ("sample", "num_warmup=<int>"), ("output", "sig_figs")])
def test_help(programs: Path, where: str, word: str):
    result = run(programs, "linreg", f"{where} help")
    assert result.returncode == 0
    assert word in result.stdout


def test_threads_of_command_line_and_environment_agree(programs: Path):
    arguments = "sample num_samples=1 num_warmup=1 num_threads={} data file=linreg.json output file=threads.csv"
    for given, in_environment, status in ((2, "1", 0), (2, "2", 0), (2, "3", 1)):
        result = run(programs, "linreg", arguments.format(given), env={"STAN_NUM_THREADS": in_environment})
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
    "sample num_chains=2 id=2147483647": "id=2147483647 leaves no numbers for num_chains=2",
    "sample num_samples=2147483647 num_warmup=1": "their sum must not exceed 2147483647",
    "sample algorithm=hmc metric=unit_e metric_file=m.json": "contradicts metric=unit_e, which is fixed: give metric=",
    "sample": "variable name=N",
    "sample data file=none.json": "cannot read the data file 'none.json': No such file",
    f"sample {DATA} init=none.json": "cannot read the init file 'none.json'",
    f"sample algorithm=hmc metric_file=none.json {DATA}": "cannot read the metric file 'none.json'",
    f"sample {DATA} output file=none/x.csv": "cannot write 'none/x.csv': No such file",
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS)
def test_bad_arguments_end_in_one_line(programs: Path, arguments: str):
    assert_one_line(run(programs, "linreg", arguments), BAD_ARGUMENTS[arguments])


def test_the_largest_numbers_that_are_admitted(programs: Path):
    few = "sample num_chains=2 num_warmup=2147483646 num_samples=1 id=2147483646"
    assert_one_line(run(programs, "linreg", f"{few} data file=none.json"), "cannot read the data file")


BAD_NAMES = {
    "file=": "file=", "file=out/": "file=out/", "file=out/.": "file=out/.", "file=..": "file=..",
    "diagnostic_file=out/": "diagnostic_file=out/", "profile_file=out/..": "profile_file=out/..",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_no_files(programs: Path, name: str):
    before = sorted((programs / "out").iterdir())
    assert_one_line(run(programs, "linreg", f"sample {DATA} output {name}"), f"'{BAD_NAMES[name]}' is not valid")
    assert sorted((programs / "out").iterdir()) == before


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
    assert_one_line(run(programs, "linreg", "sample data file=bad.json output file=bad.csv"), BAD_DATA[content])


def test_several_chains_without_a_sampler_say_why_they_failed(programs: Path):
    (programs / "bad.json").write_text('{"N": 2, "K": 1, "x": [[1], [2]], "y": [1, NaN]}')
    fixed = "sample algorithm=fixed_param num_chains=2 data file=bad.json output file=bad.csv"
    assert_one_line(run(programs, "linreg", fixed), "failed after 100 attempts")


def wait_for_rows(csv: Path):
    deadline = time.monotonic() + 60
    while not csv.exists() or csv.stat().st_size < 20_000:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_whole_rows(programs: Path, ending: signal.Signals):
    arguments = f"sample num_samples=9999999 num_chains=2 num_warmup=50 {DATA} random seed=1 output file=cut.csv"
    command = ["./linreg", *arguments.split(), "refresh=0", "num_threads=2"]
    for pause in (0.0, 0.013, 0.029, 0.041):
        (programs / "cut_1.csv").unlink(missing_ok=True)
        process = subprocess.Popen(
            command, cwd=programs, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(ending, signal.SIG_DFL),  # a background job or nohup ignores some
        )  # fmt: skip
        wait_for_rows(programs / "cut_1.csv")
        if platform.system() == "Linux":  # a signal that ends the process of itself can hit between rows, too
            status = Path(f"/proc/{process.pid}/status").read_text()
            blocked = int(re.search(r"SigBlk:\s*(\w+)", status)[1], 16)
            assert blocked >> (ending - 1) & 1
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


def sample_fragile(programs: Path, folder: Path, arguments: str, **options) -> subprocess.CompletedProcess:
    few = f"sample num_samples=20 num_warmup=20 {arguments} random seed=1"
    return run(programs, "fragile", few, cwd=folder, **options)


SAFE = "init={programs}/safe.json random seed=1 output file=o.csv"


@pytest.mark.parametrize("rest", ["", "num_chains=2", "num_samples=0", "num_chains=2 num_samples=0"])
def test_chains_that_end_before_they_begin_are_a_failure(programs: Path, tmp_path: Path, rest: str):
    shared = f"sample num_warmup=20 {rest} adapt save_metric=1 random seed=1 output file=o.csv"
    result = run(programs, "fragile", f"{shared} init=0", cwd=tmp_path)
    assert_one_line(result, "Exception initializing step size. Exception: array[uni, ...] index: accessing element")
    assert "Chain 1 ended with 0 of " in result.stderr
    assert ("Chain 2 ended" in result.stderr) == ("num_chains=2" in rest)
    assert not list(tmp_path.glob("*_metric*"))
    good = run(programs, "fragile", f"{shared} init={programs}/safe.json", cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    assert len(list(tmp_path.glob("o_metric*.json"))) == (2 if "num_chains=2" in rest else 1)


def test_one_chain_of_two_that_ends_early_is_a_failure(programs: Path, tmp_path: Path):
    for chain, start in ((1, 200), (2, 0)):
        (tmp_path / f"start_{chain}.json").write_text(json.dumps({"mu": start}))
    result = sample_fragile(programs, tmp_path, "num_chains=2 adapt save_metric=1 init=start.json output file=o.csv")
    assert_one_line(result, "Chain 2 ended with 0 of 20 draws")
    assert "Chain 1 ended" not in result.stderr
    assert (len(numbers(tmp_path / "o_1.csv")), len(numbers(tmp_path / "o_2.csv"))) == (21, 0)
    assert not list(tmp_path.glob("*_metric*"))


@pytest.mark.parametrize("kind", ["sample thin=3 save_warmup=1", "sample thin=7 algorithm=fixed_param"])
def test_thinned_draws_are_complete(programs: Path, tmp_path: Path, kind: str):
    few = f"{kind} num_samples=20 num_warmup=20 {SAFE.format(programs=programs)}"
    result = run(programs, "fragile", few, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(numbers(tmp_path / "o.csv")) == 1 + (3 if "fixed" in kind else 7 + 7)


def test_a_profile_goes_where_its_name_leads(programs: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "old.csv").write_text("old " * 1000)
    (tmp_path / "link").symlink_to("old.csv")
    (tmp_path / "dangling").symlink_to("new.csv")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "file.csv.partial").mkdir()  # another process's business
    for name in ("pipe", "link", "dangling", "null", "file.csv"):
        result = sample_fragile(programs, tmp_path, f"{SAFE.format(programs=programs)} profile_file={name}")
        assert result.returncode == 0, result.stderr
    header = "name,thread_id,total_time"
    assert os.read(reader, 10_000).decode().startswith(header)
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert all((tmp_path / name).is_symlink() for name in ("link", "dangling", "null"))
    for name in ("old.csv", "new.csv", "file.csv"):
        text = (tmp_path / name).read_text()
        assert text.startswith(header)
        assert "old" not in text
    assert not list(tmp_path.glob("*.partial/*"))


def test_profiles_that_nobody_wants_or_that_cannot_be(programs: Path, tmp_path: Path):
    safe = SAFE.format(programs=programs)
    (tmp_path / "folder").mkdir()
    for name, reason in (("none/p.csv", "No such file"), ("folder", "Is a directory"), ("o.csv/p", "Not a directory")):
        (tmp_path / "o.csv").unlink(missing_ok=True)
        if name == "o.csv/p":
            (tmp_path / "o.csv").write_text("old")
        result = sample_fragile(programs, tmp_path, f"{safe} profile_file={name}")
        assert_one_line(result, f"cannot write '{name}': {reason}")
        assert "Iteration" not in result.stdout
    assert (tmp_path / "o.csv").read_text() == "old"
    assert sample_fragile(programs, tmp_path, f"{safe} profile_file=").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "o.csv"]
    assert sample_fragile(programs, tmp_path, safe).returncode == 0
    assert (tmp_path / "profile.csv").exists()
    (tmp_path / "profile.csv").unlink()
    (tmp_path / "profile.csv").mkdir()
    result = sample_fragile(programs, tmp_path, safe)
    assert result.returncode == 0
    assert result.stderr == "Warning: no profile is saved: cannot write 'profile.csv': Is a directory\n"


CLASHES = {
    "data file=in.json output file=in.json": "the output file 'in.json' is the same file as the data file 'in.json'",
    "data file=in.json output file=./in.json": "the data file",
    "data file=in.json output file=o.csv diagnostic_file=hard.json": "the data file",
    "data file=in.json output file=o.csv profile_file=link.json": "the data file",
    "init=in.json output file=in.json": "the init file",
    "num_chains=2 init=in.json,b_2.json output file=b.json": "the init file",
    "num_chains=2 init=b.json output file=b.json": "the init file",
    "algorithm=hmc metric_file=o_metric.json adapt save_metric=1 output file=o.csv": "the metric file",
    "data file=o_config.json output file=o.csv save_cmdstan_config=1": "the data file",
    "output file=o.csv diagnostic_file=./o.csv": "the output file",
    "output file=o.csv diagnostic_file=dangling.csv": "the output file",
    "output file=new.csv diagnostic_file=folder/../new": "the output file",
    "num_chains=2 output file=o.csv diagnostic_file=o.csv": "the output file",
    "output file=o.csv profile_file=o.csv": "the output file",
    "output file=o.csv diagnostic_file=p.csv profile_file=p.csv": "the diagnostic file",
    "output file=profile.csv": "the output file",
}


@pytest.mark.parametrize("arguments", CLASHES)
def test_two_names_of_one_file_are_refused(programs: Path, tmp_path: Path, arguments: str):
    (tmp_path / "folder").mkdir()
    for name in ("in.json", "o.csv", "b_1.json", "b_2.json", "o_metric.json", "o_config.json"):
        (tmp_path / name).write_text('{"mu": 200, "inv_metric": [1]}')
    (tmp_path / "hard.json").hardlink_to(tmp_path / "in.json")
    (tmp_path / "link.json").symlink_to("in.json")
    if "dangling" in arguments:
        (tmp_path / "o.csv").unlink()
        (tmp_path / "dangling.csv").symlink_to("folder/../o.csv")
    before = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    result = run(programs, "fragile", f"sample {arguments}", cwd=tmp_path)
    assert_one_line(result, "is the same file as")
    assert CLASHES[arguments] in result.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == before


def test_all_kinds_of_files_beside_each_other(programs: Path, tmp_path: Path):
    (tmp_path / "in.json").write_text('{"mu": 200, "inv_metric": [1]}')
    arguments = (
        "num_chains=2 algorithm=hmc metric_file=in.json adapt save_metric=1 data file=in.json init=in.json "
        "output file=o.csv diagnostic_file=d.csv save_cmdstan_config=1 profile_file=p.csv"
    )
    result = sample_fragile(programs, tmp_path, arguments)
    assert result.returncode == 0, result.stderr
    made = "d_1.csv d_2.csv in.json o_1.csv o_2.csv o_config.json o_metric_1.json o_metric_2.json p.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == made.split()


BLOCKED = {
    "num_chains=2": "o_2.csv",
    "": "d.csv",
    "adapt save_metric=1": "o_metric.json",
    "data file=none.json": "",
    "algorithm=hmc metric_file=none.json": "",
    "init=none.json": "",
}


@pytest.mark.parametrize("arguments", BLOCKED)
def test_a_run_that_cannot_begin_changes_nothing(programs: Path, tmp_path: Path, arguments: str):
    (tmp_path / "folder").mkdir()
    if BLOCKED[arguments]:
        (tmp_path / BLOCKED[arguments]).mkdir()
    for name in ("o.csv", "o_1.csv", "o_config.json"):
        (tmp_path / name).write_text("old")
    before = {path.name for path in tmp_path.iterdir()}
    rest = "output file=o.csv diagnostic_file=d.csv save_cmdstan_config=1"
    assert_one_line(run(programs, "fragile", f"sample {arguments} {rest}", cwd=tmp_path), "cannot ")
    assert {path.name for path in tmp_path.iterdir()} == before
    assert all((tmp_path / name).read_text() == "old" for name in ("o.csv", "o_1.csv", "o_config.json"))


def test_devices_and_pipes_are_used_as_named(programs: Path, tmp_path: Path):
    safe = SAFE.format(programs=programs).replace("o.csv", "{}")
    (tmp_path / "null").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with (tmp_path / "stdout").open("w") as stdout:
        result = sample_fragile(programs, tmp_path, safe.format("/dev/stdout"), stdout=stdout)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "stdout").read_text()
    assert text.startswith("method = sample")
    assert text.count("\nlp__,") == 1
    assert len(re.findall(r"^[-\d.,e]+$", text, re.M)) == 20
    assert sample_fragile(programs, tmp_path, safe.format("pipe")).returncode == 0
    assert os.read(reader, 100_000).decode().count("lp__,") == 1
    os.close(reader)
    ours, theirs = os.pipe()
    result = sample_fragile(programs, tmp_path, safe.format(f"/dev/fd/{theirs}"), pass_fds=[theirs])
    assert result.returncode == 0, result.stderr
    assert os.read(ours, 100_000).decode().count("lp__,") == 1
    assert sample_fragile(programs, tmp_path, "num_chains=2 " + safe.format("null")).returncode == 0
    assert_one_line(sample_fragile(programs, tmp_path, "num_chains=2 " + safe.format("pipe")), "several chains")
    assert_one_line(sample_fragile(programs, tmp_path, safe.format("/dev/fd/99")), "'/dev/fd/99': Bad file descriptor")
    assert_one_line(sample_fragile(programs, tmp_path, safe.format("/dev/full")), "'/dev/full': No space left")
    names = {"null", "pipe", "stdout", "profile.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize("chains", [1, 2])
def test_a_comma_in_the_name_of_an_input(programs: Path, tmp_path: Path, chains: int):
    (tmp_path / "a,b.json").write_text('{"mu": 200, "inv_metric": [1]}')
    comma = f"num_chains={chains} algorithm=hmc metric_file=a,b.json init=a,b.json output file=o.csv"
    result = sample_fragile(programs, tmp_path, comma)
    assert result.returncode == 0, result.stderr
    (tmp_path / "a,b.json").unlink()
    words = "cannot read the init file 'a,b.json'" if chains == 1 else "cannot read the init file 'a'"
    assert_one_line(sample_fragile(programs, tmp_path, comma), words)


def test_the_callers_number_of_threads_does_not_reach_the_output(programs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STAN_NUM_THREADS", "2")
    for env, line in ((environment(), "num_threads = 1 (Default)"), (dict(os.environ), "num_threads = 2 (Default)")):
        assert line in run(programs, "linreg", f"sample {DATA} output file=t.csv", env=env).stdout


def test_a_second_compilation_of_the_runner_says_why(stan_home: Path, programs: Path):
    assert programs.exists()
    plan = ["make", "-n", "-B", "build"]
    why = "--- Compiling runner/main.cpp once more for CPPFLAGS and CXXFLAGS -DX='a,b' -O2 ---"
    for flags, words in ((["CXXFLAGS=-DX='a,b' -O2"], why), ([], "--- Compiling runner/main.cpp ---")):
        planned = subprocess.run([*plan, *flags], cwd=stan_home, capture_output=True, text=True, check=True).stdout
        line = next(line for line in planned.splitlines() if line.startswith("echo") and "main.cpp" in line)
        said = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
        assert said.strip() == words


@pytest.fixture
def cmdstanpy(programs: Path, stan_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import cmdstanpy

    assert programs.exists()
    monkeypatch.chdir(tmp_path)  # where programs leave their profiles
    monkeypatch.setenv("CMDSTAN", str(stan_home))
    monkeypatch.setenv("STAN_NUM_THREADS", "1")  # cmdstanpy sets it for good
    assert cmdstanpy.utils.cmdstan_version() == (2, 35)
    return cmdstanpy


@pytest.mark.parametrize("separate", [None, False, True])
def test_cmdstanpy_unmodified(cmdstanpy, programs: Path, separate: bool | None):
    model = cmdstanpy.CmdStanModel(exe_file=programs / "linreg")
    assert model.exe_info()["STAN_THREADS"] == "false"
    fit = model.sample(
        data=programs / "linreg.json", chains=4, parallel_chains=2, seed=5, iter_warmup=200, iter_sampling=50,
        save_warmup=True, adapt_delta=0.9, inits={"alpha": 0.1, "sigma": 1}, show_progress=False,
        force_one_process_per_chain=separate,
    )  # fmt: skip
    assert fit.runset.one_process_per_chain == (separate is not False)
    assert fit.draws(inc_warmup=True).shape == (250, 4, 92)
    assert fit.draws_pd().shape == (200, 95)
    assert fit.inv_metric.shape == (4, 5)
    assert (fit.step_size > 0).all()
    assert (fit.divergences >= 0).all()


@pytest.mark.parametrize("separate", [None, True])
def test_cmdstanpy_with_threads(cmdstanpy, programs: Path, threaded: Path, separate: bool | None):
    model = cmdstanpy.CmdStanModel(exe_file=threaded)
    assert model.exe_info()["STAN_THREADS"] == "true"
    fit = model.sample(
        chains=2, threads_per_chain=2, seed=5, iter_warmup=50, iter_sampling=20, inits=str(programs / "safe.json"),
        show_progress=False, force_one_process_per_chain=separate,
    )  # fmt: skip
    assert fit.runset.one_process_per_chain == bool(separate)
    threads = fit.runset.stdout_files[0]
    assert f"num_threads = {2 if separate else 4} (Default)" in Path(threads).read_text()
    assert fit.draws().shape == (20, 2, 8)


@pytest.mark.parametrize("program", ["fragile", "every_type", "threaded/fragile"])
def test_cmdstanpy_without_a_sampler(cmdstanpy, programs: Path, threaded: Path, program: str):
    assert threaded.exists()
    model = cmdstanpy.CmdStanModel(exe_file=programs / program)
    data, inits = (programs / "every_type.json", None) if program == "every_type" else (None, 0)
    # cmdstanpy does not pass num_chains on with fixed_param, so all chains in one process are beyond it.
    separate = {"force_one_process_per_chain": True} if program == "threaded/fragile" else {}
    fit = model.sample(
        data=data, inits=inits, fixed_param=True, chains=2, iter_sampling=7, seed=1, show_progress=False, **separate
    )
    assert fit.runset.one_process_per_chain
    assert fit.draws().shape[:2] == (7, 2)
