"""Samplers side by side on a Gaussian mixture: 1000 points, 3 components, 2 columns, 17 unconstrained parameters.

Each runs 4 chains from the same starts near the clusters; warm-up counts, compiling is told apart. The figure is the
smallest bulk ESS a second over weights, means and scales, and the median of several runs, interleaved so that whatever
else the machine does meets all of them. Labels are put in the order of the first means; no chain changes them here.
Pyro has no chains side by side that pay here: it is given the time of one after the other, divided by the cores.
Run with ``pytest tests/benchmarks/test_gmm_nuts.py``; BAYESKIT_ROUNDS says how many runs.
"""

import itertools
import os
import statistics
import time
from importlib.metadata import version

import numpy as np
import pytest
import torch

from bayeskit.diagnostics.chains import in_order, mixing
from bayeskit.models.mixtures.program import gmm_program
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of
from bayeskit.models.mixtures.starts import start_values

CHAINS, WARMUP, DRAWS = 4, 300, 1000
ROUNDS = int(os.environ.get("BAYESKIT_ROUNDS", "3"))
LIMIT = 6.0  # standard errors by which means may differ
SPEC = MixtureSpec(3, 2, "full", False, priors_of(n_columns=2, covariance="full", dp=False))
SITES = ("weights", "means", "scales")


def standardised_points():
    rng = np.random.RandomState(42)  # the data are those of this generator
    y = np.concatenate(
        [
            rng.multivariate_normal((0, 0), [[1, 0.3], [0.3, 1]], 300),
            rng.multivariate_normal((3, 3), [[1, -0.2], [-0.2, 1.5]], 400),
            rng.multivariate_normal((-3, 3), [[1.5, 0.4], [0.4, 1]], 300),
        ]
    )
    return (y - y.mean(0)) / y.std(0)


Y = standardised_points()


def starts(seed):
    """Starts of all chains, labels in the order of the first means, so that chains agree on them."""
    drawn = start_values(SPEC, Y, np.random.default_rng(seed), CHAINS)
    order = np.argsort(drawn["means"][..., 0], axis=1)
    return [{name: value[chain, order[chain]] for name, value in drawn.items()} for chain in range(CHAINS)]


def one_by_one(given):
    """The starts as our engine asks for them: a chain at a time."""
    left = iter(given)

    def next_start(_rng, _n):
        return {name: value[None] for name, value in next(left).items()}

    return next_start


class Ours:
    def __init__(self, **options):
        import nutpie  # noqa: F401

        from bayeskit.inference.nuts import NUTSConfig, fit_nuts

        self.fit, self.options = fit_nuts, options
        self.config = NUTSConfig(chains=CHAINS, **{"warmup": WARMUP, "draws": DRAWS, **options})
        began = time.perf_counter()
        self(0)
        self.compile_seconds = time.perf_counter() - began

    def __call__(self, seed):
        given = starts(seed)
        began = time.perf_counter()
        draws = self.fit(gmm_program, (torch.tensor(Y), SPEC), config=self.config, seed=seed, starts=one_by_one(given))
        seconds = time.perf_counter() - began - draws.timings["compile"]
        return draws.values, seconds


class Gibbs:
    compile_seconds = 0.0

    def __init__(self):
        from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
        from bayeskit.models.mixtures.gibbs import MixtureGibbs

        self.fit, self.model = fit_gibbs, MixtureGibbs(SPEC, Y)
        self.config = GibbsConfig(chains=CHAINS, warmup=WARMUP, draws=4 * DRAWS)

    def __call__(self, seed):
        began = time.perf_counter()
        draws = self.fit(self.model, self.config, seed=seed)
        return draws.values, time.perf_counter() - began


class Stan:
    def __init__(self):
        from bayeskit.inference.stan import StanConfig, fit_stan
        from bayeskit.models.mixtures.stan import PROGRAM, site_values, stan_data, stan_outputs, stan_start

        class Model:
            program, metric, outputs = PROGRAM, "diag_e", stan_outputs(SPEC)

            def __init__(self, given):
                self.left = itertools.cycle(given)

            def stan_data(self):
                return stan_data(SPEC, Y)

            def stan_inits(self, _rng):
                return stan_start(SPEC, next(self.left))

        self.model, self.fit, self.values = Model, fit_stan, site_values
        self.config = StanConfig(chains=CHAINS, warmup=WARMUP, draws=DRAWS)
        began = time.perf_counter()
        self(0)
        self.compile_seconds = time.perf_counter() - began

    def __call__(self, seed):
        model = self.model(starts(seed))
        began = time.perf_counter()
        draws = self.fit(model, self.config, seed=seed)
        seconds = time.perf_counter() - began - draws.timings["compile"]
        return self.values(SPEC, draws.values), seconds


class Pyro:
    """Pyro as its users run it, on our program."""

    def __init__(self, jit):
        from bayeskit.inference._pyro_density import pyro_density

        self.jit, self.compile_seconds = jit, 0.0
        self.density = pyro_density(gmm_program, (torch.tensor(Y), SPEC))

    def __call__(self, seed, warmup=150, draws=150):
        from pyro.infer import MCMC, NUTS

        found, seconds = [], 0.0
        torch.set_default_dtype(torch.float64)
        try:
            for chain, start in enumerate(starts(seed)):
                point = torch.tensor(self.density.at_values({name: value[None] for name, value in start.items()})[0])
                sizes = [int(np.prod(shape)) for shape in self.density.shapes.values()]
                parts = zip(self.density.shapes.items(), point.split(sizes), strict=True)
                begin = {name: part.reshape(shape) for (name, shape), part in parts}
                torch.manual_seed(100 * seed + chain)
                kernel = NUTS(gmm_program, jit_compile=self.jit, ignore_jit_warnings=True)
                runner = MCMC(kernel, draws, warmup, initial_params=begin, disable_progbar=True)
                began = time.perf_counter()
                runner.run(torch.tensor(Y), SPEC)
                seconds += time.perf_counter() - began
                found.append(runner.get_samples())
        finally:
            torch.set_default_dtype(torch.float32)
        cores = min(CHAINS, len(os.sched_getaffinity(0)))
        return {name: np.stack([draws[name].numpy() for draws in found]) for name in SITES}, seconds / cores


class NumPyro:
    def __init__(self):
        os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={CHAINS}")
        self.numpyro = pytest.importorskip("numpyro")
        import jax
        import jax.numpy as jnp
        from numpyro import distributions as dist

        self.numpyro.enable_x64()
        self.jax, y, sample = jax, jnp.asarray(Y), self.numpyro.sample

        def model():
            weights = sample("weights", dist.Dirichlet(jnp.ones(3)))
            with self.numpyro.plate("component", 3):
                means = sample("means", dist.Normal(jnp.zeros(2), 2.0).to_event(1))
                scales = sample("scales", dist.LogNormal(jnp.full(2, -0.7), 0.8).to_event(1))
                factors = sample("corr_cholesky", dist.LKJCholesky(2, 2.0))
            normal = dist.MultivariateNormal(means, scale_tril=scales[..., None] * factors)
            joint = jnp.log(weights) + normal.log_prob(y[:, None, :])
            self.numpyro.factor("y", jax.scipy.special.logsumexp(joint, axis=-1).sum())

        self.model = model
        self.runner = self.numpyro.infer.MCMC(
            self.numpyro.infer.NUTS(model),
            num_warmup=WARMUP,
            num_samples=DRAWS,
            num_chains=CHAINS,
            chain_method="parallel",
            progress_bar=False,
        )
        began = time.perf_counter()
        self(0)
        self.compile_seconds = time.perf_counter() - began

    def __call__(self, seed):
        free = [self.numpyro.infer.util.unconstrain_fn(self.model, (), {}, start) for start in starts(seed)]
        begin = {name: np.stack([point[name] for point in free]) for name in free[0]}
        began = time.perf_counter()
        self.runner.run(self.jax.random.key(seed), init_params=begin)
        found = {name: np.asarray(value) for name, value in self.runner.get_samples(group_by_chain=True).items()}
        return found, time.perf_counter() - began


class PyMC:
    def __init__(self):
        pm = pytest.importorskip("pymc")
        nutpie = pytest.importorskip("nutpie")
        import pytensor.tensor as pt

        self.nutpie, start = nutpie, starts(0)[0]
        self.began = time.perf_counter()
        with pm.Model() as model:
            weights = pm.Dirichlet("weights", np.ones(3))
            means = pm.Normal("means", 0.0, 2.0, shape=(3, 2))
            scales = pm.LogNormal("scales", -0.7, 0.8, shape=(3, 2))
            correlation = 2 * pm.Beta("half", 2.0, 2.0, shape=3) - 1  # of two columns this is LKJ(2)
            left, right = ((Y[:, None, column] - means[:, column]) / scales[:, column] for column in (0, 1))
            left_over = 1 - correlation**2
            distance = (left**2 - 2 * correlation * left * right + right**2) / left_over
            normal = -0.5 * distance - pt.log(scales).sum(-1) - 0.5 * pt.log(left_over) - np.log(2 * np.pi)
            pm.Potential("y", pt.logsumexp(pt.log(weights) + normal, axis=1).sum())
        half = (start["corr_cholesky"][:, 1, 0] + 1) / 2
        begin = {**{name: start[name] for name in SITES}, "half": half}
        self.compiled = nutpie.compile_pymc_model(model, initial_points=begin, jitter_rvs=set())
        self(0)
        self.compile_seconds = time.perf_counter() - self.began

    def __call__(self, seed):
        began = time.perf_counter()
        trace = self.nutpie.sample(
            self.compiled, draws=DRAWS, tune=WARMUP, chains=CHAINS, seed=seed, progress_bar=False
        )
        return {name: trace.posterior[name].values for name in SITES}, time.perf_counter() - began


def in_one_order(values):
    """Quantities as ``n_chains x n_draws x n``, components of each chain in the order of their first means."""
    parts = []
    for chain in range(CHAINS):
        order = np.argsort(values["means"][chain, ..., 0].mean(0))
        ordered = [values[name][chain][:, order].reshape(len(values[name][chain]), -1) for name in SITES]
        parts.append(np.concatenate(ordered, axis=-1))
    return np.stack(parts)


def assessed(values):
    """Smallest bulk ESS, largest R-hat; and means with their standard errors."""
    drawn = in_one_order({name: np.asarray(values[name]) for name in SITES})
    cells = np.ascontiguousarray(np.moveaxis(drawn, -1, 0))
    found = mixing(cells, in_order(cells))
    errors = drawn.std(axis=(0, 1)) / np.sqrt(found["ess_bulk"])
    return found["ess_bulk"].min(), found["r_hat"].max(), drawn.mean(axis=(0, 1)), errors


def made(label, make, tell):
    try:
        return make()
    except pytest.skip.Exception as missing:
        tell(f"  {label}: not here ({missing})")
        return None


@pytest.mark.filterwarnings("ignore")
def test_effective_draws_a_second(tell):
    cores = len(os.sched_getaffinity(0))
    tell(f"torch {torch.__version__}, {cores} cores, load {os.getloadavg()[0]:.1f}; medians of {ROUNDS} runs")
    kinds = {
        "Pyro NUTS, eager": lambda: Pyro(jit=False),
        "Pyro NUTS, JIT (compiling counted)": lambda: Pyro(jit=True),
        "ours, Pyro's kernel": lambda: Ours(backend="pyro", warmup=150, draws=150),
        f"NumPyro {version('numpyro')}": NumPyro,
        "Stan, our toolchain": Stan,
        f"PyMC {version('pymc')} + nutpie {version('nutpie')}": PyMC,
        "ours, compiled": lambda: Ours(backend="compiled"),
        "ours, compiled, dense_e (low rank)": lambda: Ours(backend="compiled", metric="dense_e"),
        "ours, blocked Gibbs": Gibbs,
    }
    samplers = {label: sampler for label, make in kinds.items() if (sampler := made(label, make, tell)) is not None}
    rates = {label: [] for label in samplers}
    summaries = {}
    for seed in range(1, ROUNDS + 1):
        for label, sampler in samplers.items():
            if seed > 1 and label.startswith("Pyro"):
                continue  # half a minute a run
            values, seconds = sampler(seed)
            ess, r_hat, means, errors = assessed(values)
            rates[label].append(ess / seconds)
            summaries[label] = (r_hat, means, errors)
    base = statistics.median(rates["Pyro NUTS, eager"])
    _, reference, certain = summaries["ours, compiled"]
    for label, found in rates.items():
        r_hat, means, errors = summaries[label]
        rate, furthest = statistics.median(found), (abs(means - reference) / np.hypot(errors, certain)).max()
        tell(
            f"  {label:36} {rate:8,.0f} a second, {rate / base:6.1f} times Pyro's; R-hat {r_hat:.3f}, means within "
            f"{furthest:.1f} errors of ours; first run with compiling {samplers[label].compile_seconds:.0f} s"
        )
        assert furthest < LIMIT, label
    moved = reference + 0.05  # negative control: a difference that does not show on the screen
    assert (abs(moved - reference) / np.hypot(certain, certain)).max() > LIMIT
    tell(f"  load at the end {os.getloadavg()[0]:.1f}")
