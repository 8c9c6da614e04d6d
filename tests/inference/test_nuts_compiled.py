"""NUTS on compiled densities: known posteriors, Pyro's own sampler as the other opinion, and who runs the chains."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from arviz_stats.base import array_stats
from inference.compiled_programs import Y, conjugate, endless, looks
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.inference._executors import importable, n_cores, processes, processes_pay, side_by_side
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.inference.nuts import NUTSConfig, fit_nuts

ALPHA = 1e-7  # two-sided, for each moment below
SHORT = NUTSConfig(backend="compiled", chains=2, warmup=60, draws=40)


def p_value(draws: np.ndarray, expected: float) -> float:
    """Of a mean over chains that have converged, by its Monte Carlo standard error."""
    error = array_stats.mcse(draws, method="mean", chain_axis=0, draw_axis=1)
    return 2 * stats.norm.sf(abs(draws.mean() - expected) / error)


@pytest.fixture(scope="module")
def fitted():
    return fit_nuts(conjugate, config=NUTSConfig(warmup=300, draws=2000), seed=1)


@pytest.mark.parametrize("metric", ["diag_e", "dense_e"])
def test_conjugate_posterior(metric):
    config = NUTSConfig(backend="compiled", warmup=300, draws=2000, metric=metric)
    values = fit_nuts(conjugate, config=config, seed=1).values
    variance = 1 / (1 / 4 + 5 / 2.25)
    mean = variance * float(Y.sum()) / 2.25
    assert p_value(values["mu"], mean) > ALPHA
    assert p_value((values["mu"] - mean) ** 2, variance) > ALPHA
    assert p_value((values["mu"] - mean) ** 2, 1.15 * variance) < ALPHA  # negative control
    np.testing.assert_allclose(values["spread"], np.exp(values["log_spread"]), rtol=1e-14)
    assert p_value(values["spread"], np.exp(1.125)) > ALPHA


def test_statistics_are_those_of_the_draws(fitted):
    found = fitted.sample_stats
    assert set(found) == {"lp", "acceptance_rate", "step_size", "tree_depth", "n_steps", "diverging", "energy"}
    assert all(values.shape == (4, 2000) for values in found.values())
    u = np.stack([fitted.values["mu"], fitted.values["log_spread"]], -1).reshape(-1, 2)
    np.testing.assert_allclose(
        found["lp"].ravel(), stats.norm(0, 2).logpdf(u[:, 0]) + stats.norm(1, 0.5).logpdf(u[:, 1])
        + stats.norm(u[:, :1], 1.5).logpdf(Y.numpy()).sum(-1), rtol=1e-10
    )  # fmt: skip
    steps, depth = found["n_steps"], found["tree_depth"]
    assert (steps >= 2.0**depth - 1).all()
    assert (steps <= 2.0 ** (depth + 1) - 1).all()
    assert ((found["acceptance_rate"] > 0) & (found["acceptance_rate"] <= 1)).all()
    assert abs(found["acceptance_rate"].mean() - 0.8) < 0.15
    assert (found["energy"] >= -found["lp"]).all()  # a kinetic energy is positive
    assert found["diverging"].dtype == bool
    assert not found["diverging"].any()
    assert set(fitted.timings) == {"compile", "warmup", "sampling"}
    assert all(seconds > 0 for seconds in fitted.timings.values())
    assert fitted.engine["backend"] == "compiled"
    assert "note" not in fitted.engine
    assert {"nutpie", "pyro", "torch"} <= set(fitted.engine)


def test_options_reach_the_sampler():
    long, short = (
        fit_nuts(conjugate, config=SHORT.model_copy(update=options), seed=3).sample_stats
        for options in ({"adapt_delta": 0.99}, {"adapt_delta": 0.99, "max_treedepth": 2})
    )
    usual = fit_nuts(conjugate, config=SHORT, seed=3).sample_stats
    assert long["step_size"].mean() < 0.7 * usual["step_size"].mean()
    assert short["tree_depth"].max() == 2 < long["tree_depth"].max()
    assert short["n_steps"].max() == 3


class Eager(Executor):
    """Runs a call where it is submitted: the simplest executor that is none of Python's own."""

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.slow
def test_draws_do_not_depend_on_the_number_of_chains_nor_on_who_runs_them():
    options = {"config": SHORT, "seed": 4}
    drawn = [fit_nuts(conjugate, **options).values["mu"]]
    drawn.append(fit_nuts(conjugate, config=SHORT.model_copy(update={"chains": 3}), seed=4).values["mu"][:2])
    with ThreadPoolExecutor(1) as pool:
        drawn.append(fit_nuts(conjugate, **options, executor=pool).values["mu"])
    drawn.append(fit_nuts(conjugate, **options, executor=Eager()).values["mu"])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        drawn.append(fit_nuts(conjugate, **options, executor=pool).values["mu"])
        of_pyro = NUTSConfig(backend="pyro", chains=1, warmup=20, draws=10)
        alone, elsewhere = (
            fit_nuts(conjugate, config=of_pyro, seed=4, executor=who).values["mu"] for who in (None, pool)
        )
    for other in drawn[1:]:
        np.testing.assert_array_equal(drawn[0], other)
    np.testing.assert_array_equal(alone, elsewhere)
    assert not np.isin(fit_nuts(conjugate, config=SHORT, seed=5).values["mu"], drawn[0]).any()
    assert len(np.unique(drawn[0][:, 0])) == 2  # a chain is no copy of another


def test_what_cannot_be_compiled_falls_back_with_a_note():
    config = NUTSConfig(chains=1, warmup=20, draws=10)
    draws = fit_nuts(looks, config=config, seed=1)
    assert draws.engine["backend"] == "pyro"
    assert "looks at a number that depends on the parameters" in draws.engine["note"]
    same = fit_nuts(looks, config=config.model_copy(update={"backend": "pyro"}), seed=1)
    np.testing.assert_array_equal(draws.values["x"], same.values["x"])
    assert "note" not in same.engine
    with pytest.raises(ConfigError, match=r"cannot be compiled: it looks at a number .*; give backend auto or pyro"):
        fit_nuts(looks, config=config.model_copy(update={"backend": "compiled"}), seed=1)


def test_density_in_numpy_falls_back():
    density = Density(lambda x: -0.5 * (x**2).sum(-1), {"x": ()}, gradient=lambda x: (-0.5 * (x**2).sum(-1), -x))
    draws = fit_nuts(density, config=NUTSConfig(chains=1, warmup=20, draws=10), seed=1)
    assert "no function of torch tensors" in draws.engine["note"]


def test_density_in_torch_is_compiled():
    density = pyro_density(conjugate)
    plain = Density(density.log_density, density.shapes, gradient=density.gradient, arrays="torch")
    draws = fit_nuts(plain, config=SHORT, seed=4)
    np.testing.assert_array_equal(draws.values["mu"], fit_nuts(conjugate, config=SHORT, seed=4).values["mu"])


def test_infinite_density_is_told_with_the_point():
    with pytest.raises(ProgramError, match=r"the log density is \+inf at x = [1-9]"):
        fit_nuts(endless, config=SHORT.model_copy(update={"warmup": 500}), seed=1, starts=lambda _r, _n: {"x": [0.5]})


def test_progress_counts_to_the_end():
    told = []
    fit_nuts(conjugate, config=SHORT, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (200, 200)
    assert told == sorted(told)


def test_interrupt_ends_all_chains_soon():
    long = SHORT.model_copy(update={"chains": 4, "draws": 20_000_000})

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fit_nuts(conjugate, config=long, seed=1, progress=interrupt)
    assert time.monotonic() - began < 30
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("chain")]


def dying():
    os._exit(3)


def failing():
    raise InferenceError("nothing came")


def unnoticed():
    pass


def test_who_dies_or_cannot_be_reached_is_told_in_one_line():
    with processes(1) as pool, pytest.raises(InferenceError, match="has ended all at once") as died:
        side_by_side(pool, [unnoticed, dying])
    with processes(1) as pool, pytest.raises(ConfigError, match="cannot be sent to the executor's processes") as lost:
        side_by_side(pool, [lambda: None])
    with ThreadPoolExecutor(1) as pool, pytest.raises(InferenceError, match="nothing came"):
        side_by_side(pool, [failing, unnoticed])
    assert "\n" not in f"{died.value}{lost.value}"


def test_processes_where_they_pay(monkeypatch):
    monkeypatch.setattr("bayeskit.inference._executors.n_cores", lambda: 2)
    much = {"n_chains": 4, "iterations": 1000, "numbers": 2000}
    assert processes_pay(conjugate, **much)
    assert not processes_pay(conjugate, **much | {"n_chains": 1})
    assert not processes_pay(conjugate, **much | {"numbers": 20})
    assert not processes_pay(lambda: None, **much)
    assert importable(conjugate)
    assert not importable(Eager().submit)
    assert n_cores() >= 1
    monkeypatch.setattr("multiprocessing.parent_process", lambda: "somebody")
    assert not processes_pay(conjugate, **much)
