"""The runner beside Stan's own callbacks: the same sampler, the same headers, flags and object of the program."""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import pytest
from toolchain.program_support import peak_memory
from toolchain.runner_support import GOLDEN, environment, numbers

import bayeskit as bk
from bayeskit.core.paths import resource as shipped

HERE = Path(__file__).parent
# Draws and rounds: a second or more a run, and enough runs for a median.
SIZES = {"linreg": (40_000, 9), "weather_level": (1000, 6)}


@pytest.fixture(scope="module")
def folder(stan_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every program three times: with our runner, with the reference, and with the reference without threads."""
    folder = tmp_path_factory.mktemp("speed")
    for name in ("linreg.stan", "linreg.json"):
        shutil.copy(GOLDEN / name, folder)
    for name in ("weather_level.stan", "state_space.stanfunctions"):
        shutil.copy(shipped("stan", name), folder)
    model = bk.weather(bk.load_weather(shipped("data", "seattle-weather.csv")))
    (folder / "weather_level.json").write_text(json.dumps(model.stan_data(), default=lambda array: array.tolist()))
    targets = [f"{folder}/{name}-{kind}" for name in SIZES for kind in ("ours", "reference", "alone")]
    command = ["make", "-j2", "-f", HERE / "reference.mk", f"FROM={HERE}", f"TO={folder}"]
    command.append(f"STANCFLAGS=--include-paths={folder}")
    made = subprocess.run([*command, *targets], cwd=stan_home, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in made.stderr
    return folder


def command(folder: Path, name: str, kind: str, draws: int, sig_figs: int) -> list[str]:
    """The command that writes NAME-KIND.csv."""
    data, output = f"{name}.json", f"{name}-{kind}.csv"
    if kind != "ours":
        return [f"{folder}/{name}-{kind}", data, output, "1", "500", str(draws), str(sig_figs)]
    arguments = (
        f"sample num_warmup=500 num_samples={draws} data file={data} random seed=1 output file={output} refresh=0"
    )
    return [f"{folder}/{name}-{kind}", *arguments.split(), f"sig_figs={sig_figs}"]


def seconds(folder: Path, arguments: list[str]) -> tuple[float, float]:
    """On the wall's clock, and of the processor."""
    used, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(arguments, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, check=True)
    wall, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


@pytest.mark.parametrize("sig_figs", [-1, 18])
@pytest.mark.parametrize("name", SIZES)
def test_against_stans_own_callbacks(folder: Path, name: str, sig_figs: int, tell):
    draws, rounds = SIZES[name]
    kinds = ("ours", "reference", "alone")
    times = {kind: [] for kind in kinds}
    for round_ in range(rounds):
        for shift in range(3):  # each goes first as often as the others
            kind = kinds[(round_ + shift) % 3]
            times[kind].append(seconds(folder, command(folder, name, kind, draws, sig_figs)))
    ours, reference, alone = (numbers(folder / f"{name}-{kind}.csv") for kind in kinds)
    assert len(ours) == draws + 1
    assert ours == reference
    assert ours == alone
    wall = {kind: statistics.median(time[0] for time in times[kind]) for kind in kinds}
    cpu = {kind: min(time[1] for time in times[kind]) for kind in kinds}  # the run that was disturbed least
    tell(f"{name}, sig_figs={sig_figs}: {wall['ours']:.2f} s; medians of {rounds} and their ratios to")
    for kind, words in (("reference", "Stan's own callbacks"), ("alone", "those, compiled without threads")):
        ratios = sorted(a[0] / b[0] for a, b in zip(times["ours"], times[kind], strict=True))
        tell(
            f"  {words + ':':34}wall {wall['ours'] / wall[kind]:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}), "
            f"processor {cpu['ours'] / cpu[kind]:.3f}"
        )


@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_peak_memory(folder: Path, kind: str, tell):
    peaks = {
        draws: peak_memory(*command(folder, "linreg", kind, draws, -1), cwd=folder) / 1e6 for draws in (1000, 100_000)
    }
    tell(f"{kind}: {peaks[1000]:.1f} MB for 1,000 draws of 92 numbers, {peaks[100_000]:.1f} MB for 100,000")
