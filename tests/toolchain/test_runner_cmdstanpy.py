"""The C++ runner under cmdstanpy, unmodified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
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


@pytest.fixture
def linreg(cmdstanpy, programs: Path):
    return cmdstanpy.CmdStanModel(exe_file=programs / "linreg", stan_file=programs / "linreg.stan", compile=False)


@pytest.fixture
def data(programs: Path) -> str:
    return str(programs / "linreg.json")


def assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_sample_with_everything(cmdstanpy, linreg, data: str, tmp_path: Path):
    first = linreg.sample(
        data=data, chains=2, seed=1, iter_warmup=200, iter_sampling=100, thin=2, save_warmup=True, sig_figs=12,
        save_latent_dynamics=True, save_profile=True, output_dir=tmp_path / "a", show_progress=False, metric="dense_e",
        max_treedepth=8, adapt_init_phase=20, adapt_metric_window=30, adapt_step_size=20, refresh=50, time_fmt="x",
    )  # fmt: skip
    assert first.draws(inc_warmup=True).shape == (150, 2, 92)
    assert first.inv_metric.shape == (2, 5, 5)
    assert first.thin == 2
    assert sorted(first.stan_variables()) == ["alpha", "beta", "log_lik", "sigma", "y_rep"]
    assert first.stan_variable("beta").shape == (100, 3)
    latent = [path for path in first.runset.diagnostic_files if path]
    assert all("p_alpha,p_beta.1" in Path(path).read_text() for path in latent)
    assert len(latent) == 2
    again = linreg.sample(
        data=data, chains=2, seed=2, iter_warmup=0, iter_sampling=10, adapt_engaged=False, step_size=0.3,
        inv_metric={"inv_metric": first.inv_metric[0]}, inits=first.create_inits(chains=2), show_progress=False,
        metric="dense_e",
    )  # fmt: skip
    np.testing.assert_allclose(again.inv_metric[1], first.inv_metric[0], rtol=1e-5)
    copied = cmdstanpy.from_csv(first.runset.csv_files)
    assert_same(copied.stan_variables(), first.stan_variables())
    first.save_csvfiles(tmp_path / "saved")
    assert len(list((tmp_path / "saved").glob("*.csv"))) >= 2


@pytest.mark.filterwarnings("ignore:The 'float_precision' argument is deprecated")  # cmdstanpy's own, under pandas 3
def test_summary_and_diagnose(linreg, data: str):
    fit = linreg.sample(data=data, chains=2, seed=1, iter_warmup=300, iter_sampling=200, show_progress=False)
    summary = fit.summary(percentiles=(10, 50, 90), sig_figs=5)
    assert {"Mean", "StdDev", "10%", "50%", "90%", "R_hat"} <= set(summary.columns)
    assert list(summary.index[:6]) == ["lp__", "alpha", "beta[1]", "beta[2]", "beta[3]", "sigma"]
    assert summary.loc["alpha", "Mean"] == pytest.approx(fit.stan_variable("alpha").mean(), rel=1e-3)
    assert "no problems detected" in fit.diagnose()


def test_optimize(cmdstanpy, linreg, data: str, tmp_path: Path):
    fits = [
        linreg.optimize(data=data, seed=3, algorithm=algorithm, jacobian=True, output_dir=tmp_path / str(algorithm))
        for algorithm in ("lbfgs", "bfgs", "Newton", None)
    ]
    assert all(fit.converged for fit in fits)
    modes = [[fit.stan_variable("alpha"), *fit.stan_variable("beta"), fit.stan_variable("sigma")] for fit in fits]
    np.testing.assert_allclose(modes[1:], [modes[0]] * 3, atol=1e-3)
    path = linreg.optimize(
        data=data, seed=3, save_iterations=True, algorithm="lbfgs", tol_obj=1e-3, history_size=3, iter=20
    )
    assert len(path.optimized_iterations_np) > 2
    np.testing.assert_array_equal(path.optimized_iterations_np[-1], path.optimized_params_np)
    assert_same(cmdstanpy.from_csv(tmp_path / "lbfgs", method="optimize").stan_variables(), fits[0].stan_variables())


def test_optimize_without_convergence(linreg):
    two = {"N": 2, "K": 1, "x": [[1], [2]], "y": [1.5, 2.5]}  # a line through two points: sigma goes to 0
    with pytest.raises(RuntimeError, match="Optimization terminated with error"):
        linreg.optimize(data=two, seed=1)
    fit = linreg.optimize(data=two, seed=1, require_converged=False)
    assert not fit.converged
    assert fit.stan_variable("sigma") < 1e-3


def test_laplace_sample(cmdstanpy, linreg, data: str, tmp_path: Path):
    fit = linreg.laplace_sample(data=data, seed=9, draws=500, opt_args={"seed": 3}, output_dir=tmp_path)
    assert fit.draws().shape[0] == 500
    assert fit.mode.converged
    centre = fit.stan_variable("alpha").mean() - fit.mode.stan_variable("alpha")
    assert abs(centre) < 5 * fit.stan_variable("alpha").std() / np.sqrt(500)
    assert set(fit.method_variables()) == {"log_p__", "log_q__"}
    same = linreg.laplace_sample(data=data, seed=9, draws=500, mode=fit.mode)
    assert_same(same.stan_variables(), fit.stan_variables())
    without = linreg.laplace_sample(data=data, seed=9, draws=500, jacobian=False)
    assert without.stan_variable("sigma").mean() < fit.stan_variable("sigma").mean()


def test_pathfinder(cmdstanpy, linreg, data: str, tmp_path: Path):
    fit = linreg.pathfinder(data=data, seed=13, num_paths=3, draws=200, num_single_draws=100, output_dir=tmp_path)
    assert fit.is_resampled
    assert fit.draws().shape[0] == 200
    assert_same(cmdstanpy.from_csv(tmp_path, method="pathfinder").stan_variables(), fit.stan_variables())
    chains = linreg.sample(
        data=data, chains=4, seed=1, iter_warmup=100, iter_sampling=10, inits=fit.create_inits(), show_progress=False
    )
    assert chains.draws().shape == (10, 4, 92)
    raw = linreg.pathfinder(data=data, seed=13, num_paths=3, num_single_draws=100, psis_resample=False)
    assert raw.draws().shape[0] == 300
    assert not raw.is_resampled
    single = linreg.pathfinder(
        data=data, seed=13, num_paths=1, num_single_draws=50, max_lbfgs_iters=100,
        num_elbo_draws=10, inits={"alpha": 0, "beta": [0, 0, 0], "sigma": 1}, calculate_lp=False,
    )  # fmt: skip
    assert single.draws().shape[0] == 50


@pytest.mark.parametrize("algorithm", ["meanfield", "fullrank"])
def test_variational(cmdstanpy, linreg, data: str, tmp_path: Path, algorithm: str):
    fit = linreg.variational(data=data, seed=17, algorithm=algorithm, draws=300, output_dir=tmp_path, eta=0.1)
    assert fit.variational_sample.shape == (300, 88)
    assert fit.eta > 0
    assert fit.stan_variable("beta", mean=False).shape == (300, 3)
    same = cmdstanpy.from_csv(tmp_path, method="variational")
    assert_same(same.stan_variables(mean=False), fit.stan_variables(mean=False))
    with pytest.raises(RuntimeError, match="may not have converged"):
        linreg.variational(data=data, seed=17, algorithm=algorithm, iter=10, adapt_engaged=False, eta=0.1)


def test_generate_quantities_of_each_fit(cmdstanpy, linreg, data: str, tmp_path: Path):
    chains = linreg.sample(
        data=data, chains=2, seed=1, iter_warmup=200, iter_sampling=20, save_warmup=True, sig_figs=18,
        show_progress=False,
    )  # fmt: skip
    fits = (
        chains,
        linreg.optimize(data=data, seed=1, sig_figs=18),
        linreg.variational(data=data, seed=1, draws=20, sig_figs=18, require_converged=False),
    )
    for fit in fits:
        made = linreg.generate_quantities(data=data, previous_fit=fit, seed=19, sig_figs=18)
        options = {"mean": False} if fit is fits[2] else {}  # of a variational fit the draws, not their mean
        expected = fit.stan_variable("log_lik", **options)
        np.testing.assert_allclose(np.squeeze(made.stan_variable("log_lik")), expected, rtol=1e-9)
    made = linreg.generate_quantities(data=data, previous_fit=chains, seed=19, gq_output_dir=tmp_path)
    assert made.draws_pd(vars=["y_rep"]).shape[0] == 40
    assert made.stan_variable("log_lik", inc_warmup=True).shape[0] == 440


def test_log_prob_and_diagnose(linreg, data: str):
    values = {"alpha": 0.5, "beta": [0.1, 0.2, 0.3], "sigma": 2.0}
    adjusted, plain = (linreg.log_prob(values, data=data, jacobian=jacobian) for jacobian in (True, False))
    assert list(adjusted.columns) == ["lp__", "g_alpha", "g_beta.1", "g_beta.2", "g_beta.3", "g_sigma"]
    assert adjusted["lp__"][0] - plain["lp__"][0] == pytest.approx(np.log(2), rel=1e-4)
    table = linreg.diagnose(data=data, inits=values)
    assert table["error"].abs().max() < 1e-5
    with pytest.raises(RuntimeError, match="may exceed the error threshold"):
        linreg.diagnose(data=data, inits=values, epsilon=0.1, require_gradients_ok=True)
    assert len(linreg.diagnose(data=data, inits=values, epsilon=0.1, require_gradients_ok=False)) == 5


def test_the_source(linreg):
    assert set(linreg.src_info()["parameters"]) == {"alpha", "beta", "sigma"}
    assert linreg.exe_info()["stan_version_minor"] == "35"
    assert "generated quantities" in linreg.code()
