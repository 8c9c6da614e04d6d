"""The C++ runner under cmdstanpy, unmodified."""

from __future__ import annotations

from pathlib import Path

import pytest


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
