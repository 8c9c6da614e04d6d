"""Random walks side by side: effective draws a second on correlated Gaussians. Run with ``pytest tests/benchmarks``.

The others start from exact draws and have no warm-up to pay for, and their steps have the best width for the number of
dimensions and the narrowest direction; ours starts wherever it starts, and is told with and without its warm-up. Ahead
of time compiled is compiled apart. "Given the covariance" is what nobody has before the posterior is known.

Where other work runs beside it, set OPENBLAS_NUM_THREADS=1: threads of BLAS that wait for each other on busy cores made
products of 320 x 50 by 50 x 50 some 20 times slower, ours and emcee's alike.
"""

import os
import statistics
import time
from importlib.metadata import version

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.diagnostics.chains import in_order, mixing
from bayeskit.inference.metropolis import MetropolisConfig, fit_metropolis

ROUNDS = 3
CORRELATION = 0.9


class Gaussian:
    """Mean 0, variance 1, correlation 0.9 to the power of the distance."""

    def __init__(self, n_dims):
        places = np.arange(n_dims)
        self.n_dims = n_dims
        self.covariance = CORRELATION ** abs(places[:, None] - places)
        self.precision = np.linalg.inv(self.covariance)
        self.factor = np.linalg.cholesky(self.covariance)
        # A step of one width for all directions must fit the narrow ones: the harmonic mean of the variances.
        self.width = 2.38 / np.sqrt(n_dims) * np.sqrt(n_dims / np.trace(self.precision))

    def log_density(self, points):
        return -0.5 * np.vecdot(points @ self.precision, points)

    def exact(self, rng, n):
        return rng.standard_normal((n, self.n_dims)) @ self.factor.T


def loop(log_density, target, n_draws, seed):
    """One chain, one step at a time."""
    rng = np.random.default_rng(seed)
    point = target.exact(rng, 1)[0]
    began = time.perf_counter()
    draws, here = np.empty((1, n_draws, target.n_dims)), log_density(point)
    for place in range(n_draws):
        candidate = point + target.width * rng.standard_normal(target.n_dims)
        there = log_density(candidate)
        if np.log(rng.random()) < there - here:
            point, here = candidate, there
        draws[0, place] = point
    return draws, time.perf_counter() - began


def textbook(target, seed):
    law = stats.multivariate_normal(np.zeros(target.n_dims), target.covariance)
    return loop(law.logpdf, target, {2: 5_000, 50: 10_000}[target.n_dims], seed)


def numpy_loop(target, seed):
    def log_density(point):
        return -0.5 * point @ target.precision @ point

    return loop(log_density, target, {2: 50_000, 50: 50_000}[target.n_dims], seed)


def emcee_walkers(target, seed):
    emcee = pytest.importorskip("emcee")
    n_walkers, n_draws, thin = {2: (64, 2000, 1), 50: (128, 500, 20)}[target.n_dims]
    sampler = emcee.EnsembleSampler(n_walkers, target.n_dims, target.log_density, vectorize=True)
    start = target.exact(np.random.default_rng(seed), n_walkers)
    began = time.perf_counter()
    sampler.run_mcmc(start, n_draws, thin_by=thin)
    return np.moveaxis(sampler.get_chain(), 0, 1), time.perf_counter() - began


class Blackjax:
    """A jitted random walk of 64 chains, ``thin`` steps a draw; the covariance's factor or one width for all."""

    def __init__(self, target, n_draws, thin, sigma):
        jax = pytest.importorskip("jax")
        blackjax = pytest.importorskip("blackjax")
        jax.config.update("jax_enable_x64", True)
        precision = jax.numpy.asarray(target.precision)
        walk = blackjax.normal_random_walk(lambda x: -0.5 * x @ precision @ x, jax.numpy.asarray(sigma))

        def chain(key, start):
            def draw(state, key):
                def step(state, key):
                    return walk.step(key, state)[0], None

                state, _ = jax.lax.scan(step, state, jax.random.split(key, thin))
                return state, state.position

            return jax.lax.scan(draw, walk.init(start), jax.random.split(key, n_draws))[1]

        def arguments(seed):
            start = target.exact(np.random.default_rng(seed), 64)
            return jax.random.split(jax.random.key(seed), 64), jax.numpy.asarray(start)

        self.arguments = arguments
        began = time.perf_counter()
        self.run = jax.jit(jax.vmap(chain)).lower(*arguments(0)).compile()
        self.compile_seconds = time.perf_counter() - began

    def __call__(self, target, seed):
        arguments = self.arguments(seed)
        began = time.perf_counter()
        draws = self.run(*arguments).block_until_ready()
        return np.asarray(draws), time.perf_counter() - began


def effective_draws(draws):
    """Return the smallest bulk ESS, and the largest R-hat, of ``n_chains x n_draws x n_dims``."""
    found = mixing(*((cells := np.ascontiguousarray(np.moveaxis(draws, -1, 0))), in_order(cells)))
    return found["ess_bulk"].min(), found["r_hat"].max()


def told(rate):
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def timed(sampler, target):
    """Return the median over rounds of effective draws a second, and the worst R-hat."""
    rates, r_hats = [], []
    for seed in range(1, ROUNDS + 1):
        draws, seconds = sampler(target, seed)
        ess, r_hat = effective_draws(draws)
        rates.append(ess / seconds)
        r_hats.append(r_hat)
    return statistics.median(rates), max(r_hats)


def ours(target, threads, **options):
    """Return medians with and without warm-up, and the worst R-hat."""
    density = Density(target.log_density, {"x": (target.n_dims,)})
    rates, without, r_hats = [], [], []
    for seed in range(1, ROUNDS + 1):
        began = time.perf_counter()
        found = fit_metropolis(density, MetropolisConfig(**{"threads": threads, "thin": 1, **options}), seed=seed)
        seconds = time.perf_counter() - began
        ess, r_hat = effective_draws(found.values["x"])
        share = found.timings["sampling"] / (found.timings["sampling"] + found.timings["warmup"])
        rates.append(ess / seconds)
        without.append(ess / (seconds * share))
        r_hats.append(r_hat)
    return statistics.median(rates), statistics.median(without), max(r_hats)


OURS = {
    2: {"chains": 8192, "warmup": 200, "draws": 500},
    50: {"chains": 640, "warmup": 2500, "draws": 400, "thin": 10},
}
BLACKJAX = {2: (2000, 1), 50: (500, 20)}


@pytest.mark.parametrize("n_dims", [2, 50])
def test_random_walks_on_correlated_gaussians(n_dims, tell):
    target, cores = Gaussian(n_dims), len(os.sched_getaffinity(0))
    blas = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or "as many as it likes"
    tell(f"{n_dims} dimensions; numpy {version('numpy')}, scipy {version('scipy')}; medians of {ROUNDS} runs")
    tell(f"  cores: {cores}, threads of BLAS: {blas}")
    peers = {"textbook loop over scipy's density": textbook, "NumPy loop": numpy_loop}
    peers[f"emcee {version('emcee')}"] = emcee_walkers
    name = f"blackjax {version('blackjax')} (jax {version('jax')}), 64 chains"
    for label, sigma in ((name, np.full(n_dims, target.width)), (f"{name}, given the covariance", None)):
        best = 2.38 / np.sqrt(n_dims) * target.factor
        peers[label] = Blackjax(target, *BLACKJAX[n_dims], best if sigma is None else sigma)
        tell(f"  {label}: compiled in {peers[label].compile_seconds:.1f} s")
    best_peer = 0.0
    for label, sampler in peers.items():
        rate, r_hat = timed(sampler, target)
        best_peer = max(best_peer, 0.0 if "given" in label else rate)
        mixed = "one chain" if np.isnan(r_hat) else f"R-hat {r_hat:.3f}"
        tell(f"  {label:65} {told(rate):>10} a second, {mixed}")
    for threads in dict.fromkeys((1, cores)):
        rate, without, r_hat = ours(target, threads, **OURS[n_dims])
        label = f"ours, {OURS[n_dims]['chains']} chains, {threads} thread{'s' if threads > 1 else ''}"
        tell(f"  {label:65} {told(rate):>10} a second, R-hat {r_hat:.3f}; without warm-up {told(without)}")
        tell(f"  {'':65} {rate / best_peer:10.1f} times the best of those that know as little")


@pytest.mark.parametrize(("chains", "n_dims"), [(64, 2), (4096, 2), (64, 50), (640, 50)])
def test_cost_of_a_draw(benchmark, chains, n_dims, tell):
    target = Gaussian(n_dims)
    density, config = (
        Density(target.log_density, {"x": (n_dims,)}),
        MetropolisConfig(chains=chains, warmup=20, draws=200, thin=1),
    )
    benchmark.pedantic(fit_metropolis, (density, config), {"seed": 1}, rounds=5)
    per_draw = benchmark.stats.stats.median / (chains * (config.warmup + config.draws))
    tell(f"{chains} chains in {n_dims} dimensions: {1e9 * per_draw:.0f} ns a draw (median of 5)")
