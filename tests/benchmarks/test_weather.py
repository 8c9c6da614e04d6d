"""How fast the weather models are: sampling, building, reporting. Run with ``pytest tests/benchmarks``."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bayeskit as bk
from bayeskit.core.paths import resource
from bayeskit.reporting import render


@pytest.fixture(scope="module")
def seattle():
    return bk.load_weather(resource("data", "seattle-weather.csv"))


def ess_per_second(data, form, seed):
    """Smallest bulk ESS over all parameters and states, per second of the chains' warm-up and sampling."""
    fit = bk.fit(bk.weather(data, form=form), seed=seed)
    seconds = fit.provenance.timings["warmup"] + fit.provenance.timings["sampling"]
    assessment = bk.assess(fit)
    return assessment.metrics["min_ess_bulk"] / seconds, assessment.metrics["max_r_hat"], seconds


def test_marginal_against_latent_form(benchmark, seattle, tell):
    latent, latent_r_hat, latent_seconds = ess_per_second(seattle, "latent", 1)
    runs = [ess_per_second(seattle, "marginal", seed) for seed in (1, 2, 3)]
    benchmark.pedantic(bk.fit, (bk.weather(seattle),), {"seed": 1}, rounds=3)
    marginal = statistics.median(run[0] for run in runs)
    tell(f"marginal form: {marginal:.3g} effective draws a second (median of 3), R-hat {max(r[1] for r in runs):.3f}")
    tell(f"latent form:   {latent:.3g} effective draws a second in {latent_seconds:.0f} s, R-hat {latent_r_hat:.2f}")
    tell(f"ratio:         {marginal / latent:.0f}")


def test_build_and_compile(benchmark, tmp_path, monkeypatch, tell):
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path))
    monkeypatch.delenv("CMDSTAN", raising=False)
    from bayeskit.toolchain import compile_program, ensure_home

    started = time.perf_counter()
    home = ensure_home("wheel")
    tell(f"toolchain: {time.perf_counter() - started:.0f} s, {own_megabytes(home.path):.0f} MB beside the headers")
    compiled = {}
    for name in ("weather_level", "weather_trend"):
        executable, compiled[name] = compile_program(resource("stan", f"{name}.stan"), home, (resource("stan"),))
        tell(f"{name}: {compiled[name]:.0f} s, {executable.stat().st_size / 1e6:.1f} MB")
    again = (resource("stan", "weather_level.stan"), home, (resource("stan"),))
    benchmark.pedantic(compile_program, again, rounds=5)
    tell(f"the same from the cache: {benchmark.stats.stats.median:.3f} s")


def own_megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.stat().st_nlink == 1) / 1e6


@pytest.mark.parametrize("model", ["level", "trend"])
def test_report(benchmark, seattle, model, tell):
    fit = bk.fit(bk.weather(seattle, model=model, rain="noise"))
    started = time.perf_counter()
    assessment = bk.assess(fit)
    tell(f"{model}: assessed in {time.perf_counter() - started:.1f} s")
    page = benchmark.pedantic(render, (fit, assessment), rounds=3)
    tell(f"{model}: report in {benchmark.stats.stats.median:.1f} s (median of 3), {len(page.encode()) / 1e6:.1f} MB")


def test_help(benchmark, tell):
    command = [sys.executable, "-c", "from bayeskit.cli import main; main()", "--help"]
    benchmark.pedantic(subprocess.run, (command,), {"check": True, "capture_output": True}, rounds=11)
    tell(f"bayeskit --help: {benchmark.stats.stats.median:.2f} s (median of 11)")
