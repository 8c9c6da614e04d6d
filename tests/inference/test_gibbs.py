"""The Gibbs engine's loop, on two normal variables that are drawn in turn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference import gibbs
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs

CORRELATION = 0.6


class State(NamedTuple):
    generators: list
    x: np.ndarray
    y: np.ndarray


class Pair:
    """Two standard normal variables with a correlation."""

    blocks = ("x", "y")

    def __init__(self, noise=1 - CORRELATION**2, broken=False):
        self._sd, self._broken, self.sweeps = noise**0.5, broken, 0

    def start(self, seeds):
        generators = [np.random.default_rng(seed) for seed in seeds]
        return State(generators, np.full(len(seeds), 3.0), np.full(len(seeds), -3.0))

    def sweep(self, state):
        self.sweeps += 1
        noise = self._sd * np.array([generator.standard_normal(2) for generator in state.generators])
        x = CORRELATION * state.y + noise[:, 0]
        return State(state.generators, x, CORRELATION * x + noise[:, 1])

    def record(self, state):
        return {"x": state.x, "both": np.stack([state.x, state.y], 1)}

    def finish(self, recorded):
        both = recorded["both"] / (0.0 if self._broken else 1.0)
        return {"both": both}, {"lp": -0.5 * recorded["x"] ** 2}


def p_value(model):
    """Return a p-value of whether draws, far enough from each other, have the law that they should."""
    draws = fit_gibbs(model, GibbsConfig(chains=4, warmup=50, draws=400, thin=20), seed=3)
    both = draws.values["both"].reshape(-1, 2)
    u = both[:, 0] + both[:, 1], both[:, 0] - both[:, 1]
    scales = np.sqrt([2 + 2 * CORRELATION, 2 - 2 * CORRELATION])
    return 2 * min(stats.kstest(a / scale, "norm").pvalue for a, scale in zip(u, scales, strict=True))


def test_draws_have_the_law():
    assert p_value(Pair()) > 1e-7


def test_another_law_is_told():
    assert p_value(Pair(noise=3 * (1 - CORRELATION**2))) < 1e-7


def test_what_comes_back():
    told = []
    draws = fit_gibbs(
        Pair(), GibbsConfig(chains=3, warmup=7, draws=5, thin=2), seed=1, progress=lambda *a: told.append(a)
    )
    assert draws.kind == "mcmc"
    assert draws.values["both"].shape == (3, 5, 2)
    assert draws.sample_stats["lp"].shape == (3, 5)
    assert draws.engine == {"method": "gibbs", "blocks": "x, y", "thin": 2, "device": "cpu"}
    assert set(draws.timings) == {"compile", "warmup", "sampling"}
    assert told[-1] == (3 * 17, 3 * 17)


def test_chains_do_not_depend_on_their_number(monkeypatch):
    monkeypatch.setattr(gibbs, "_TOGETHER", 4)
    few, many = (fit_gibbs(Pair(), GibbsConfig(chains=n, warmup=3, draws=6), seed=8).values["both"] for n in (3, 9))
    np.testing.assert_array_equal(many[:3], few)
    assert np.unique(many[:, -1, 0]).size == 9
    other = fit_gibbs(Pair(), GibbsConfig(chains=3, warmup=3, draws=6), seed=9).values["both"]
    assert not np.isclose(other, few).any()


def test_thinning_keeps_every_second_sweep():
    all_of_them = fit_gibbs(Pair(), GibbsConfig(chains=2, warmup=2, draws=8), seed=8).values["both"]
    thinned = fit_gibbs(Pair(), GibbsConfig(chains=2, warmup=2, draws=4, thin=2), seed=8).values["both"]
    np.testing.assert_array_equal(thinned, all_of_them[:, 1::2])


def test_without_warmup():
    assert fit_gibbs(Pair(), GibbsConfig(chains=1, warmup=0, draws=4), seed=1).values["both"].shape == (1, 4, 2)


def test_progress_is_told_seldom(monkeypatch):
    clock = iter(np.arange(10_000) * 0.01)
    monkeypatch.setattr(gibbs.time, "monotonic", lambda: next(clock))
    told = []
    fit_gibbs(Pair(), GibbsConfig(chains=1, warmup=0, draws=100), seed=1, progress=lambda *a: told.append(a))
    assert 9 <= len(told) <= 12


def test_values_that_are_not_finite():
    with pytest.warns(RuntimeWarning), pytest.raises(InferenceError, match="both is not finite in draw 1 of chain 1"):
        fit_gibbs(Pair(broken=True), GibbsConfig(chains=2, warmup=0, draws=4), seed=1)


def test_more_than_memory_holds():
    model = Pair()
    with pytest.raises(ConfigError, match="take fewer draws or chains, or thin"):
        fit_gibbs(model, GibbsConfig(chains=1000, warmup=0, draws=10**12), seed=1)
    assert model.sweeps == 1


@pytest.mark.parametrize("options", [{"chains": 0}, {"draws": 3}, {"warmup": -1}, {"thin": 0}, {"kernel": "mala"}])
def test_options_out_of_range(options):
    with pytest.raises(ConfigError, match=f"option '{next(iter(options))}'"):
        GibbsConfig(**options)
