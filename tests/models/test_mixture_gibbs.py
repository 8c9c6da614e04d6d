"""Blocked Gibbs sampling of Gaussian mixtures: against sums and integrals, from several seeds, on hard data."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from models.mixture_draws import clusters
from models.mixture_reference import mixture_spec
from scipy.special import gammaln, logsumexp

from bayeskit.core.paths import resource
from bayeskit.diagnostics.chains import in_order, mixing
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models.mixtures import _gibbs_rows, _gibbs_variances, _gibbs_weights
from bayeskit.models.mixtures.gibbs import MixtureGibbs
from bayeskit.models.mixtures.likelihood import log_joint, log_likelihood, log_prior
from bayeskit.models.mixtures.parameters import components_of

LIMIT = 5.5  # standard errors: one false alarm in some ten million
Y = np.array([-1.0, -0.6, 0.9, 1.4])
NAMES = ("together", "squares", "log_scales", "log_scales_squared", "means", "means_squared", "concentration")


def standardised(y):
    return (y - np.nanmean(y, axis=0)) / np.nanstd(y, axis=0)


def fit(spec, y, seed=1, **options):
    return fit_gibbs(MixtureGibbs(spec, y), GibbsConfig(**options), seed=seed)


def quality(quantity):
    """Return R-hat and bulk effective sample size of draws, ``n_chains x n_draws``."""
    cell = np.ascontiguousarray(quantity)[None]
    found = mixing(cell, in_order(cell))
    return float(found["r_hat"][0]), float(found["ess_bulk"][0])


class Exact:
    """The posterior of few numbers by a sum over all assignments and integrals over scales and concentration."""

    def __init__(self, spec, y):
        self._spec, self._y = spec, y
        self._k, self._n = spec.n_components, len(y)
        self._logs = np.linspace(-9, 6, 4001)
        self._parts = {}
        self.found = {name: [] for name in NAMES}
        total = np.array([self._add(np.array(assigned)) for assigned in product(range(self._k), repeat=self._n)])
        shares = np.exp(total - logsumexp(total))
        self.expected = {name: float(shares @ values) for name, values in self.found.items()}

    def _add(self, assigned):
        parts = [self._part(frozenset(np.flatnonzero(assigned == k))) for k in range(self._k)]
        counts = np.bincount(assigned, minlength=self._k)
        log_share, squares, concentration = self._weights(counts)
        found = {
            "together": float(assigned[0] == assigned[1]),
            "squares": squares,
            **{name: sum(part[place] for part in parts) for place, name in enumerate(NAMES[2:6], 1)},
            "concentration": concentration,
        }
        for name, value in found.items():
            self.found[name].append(value)
        return log_share + sum(part[0] for part in parts)

    def _part(self, rows):
        """Return the log evidence of a component's points, and means of log scale and mean and of their squares."""
        if rows not in self._parts:
            y, n = self._y[sorted(rows)], len(rows)
            variance, (centre, sd) = np.exp(2 * self._logs), self._spec.prior("means").arguments
            precision = n / variance + sd**-2
            mean = (y.sum() / variance + centre / sd**2) / precision
            squares = (y**2).sum() / variance + centre**2 / sd**2 - precision * mean**2
            log_density = self._spec.prior("scales").log_density(np.exp(self._logs)) + self._logs
            log_density += -0.5 * (n * np.log(2 * np.pi * variance) + np.log(precision * sd**2) + squares)
            shares = np.exp(log_density - logsumexp(log_density))
            evidence = logsumexp(log_density) + np.log(self._logs[1] - self._logs[0])
            expected = [self._logs, self._logs**2, mean, mean**2 + 1 / precision]
            self._parts[rows] = evidence, *(shares @ each for each in expected)
        return self._parts[rows]

    def _weights(self, counts):
        """Return the log probability of the assignment, mean sum of squared weights, and mean concentration."""
        if not self._spec.dp:
            (a,) = self._spec.prior("weights").arguments
            b, total = counts + a, self._n + a * self._k
            log_share = gammaln(b).sum() - gammaln(total)
            return log_share, (b * (b + 1)).sum() / (total * (total + 1)), 0.0
        logs = np.linspace(-12, 6, 3001)
        a = np.exp(logs)
        after = np.cumsum(counts[::-1])[::-1][1:, None]
        first, second = 1 + counts[:-1, None], a + after
        beta = gammaln(first) + gammaln(second) - gammaln(first + second) + np.log(a)
        log_density = self._spec.prior("concentration").log_density(a) + logs + beta.sum(axis=0)
        squares, rest = 0.0, 1.0
        for one, other in zip(first, second, strict=True):
            both = one + other
            squares = squares + rest * one * (one + 1) / (both * (both + 1))
            rest = rest * other * (other + 1) / (both * (both + 1))
        shares = np.exp(log_density - logsumexp(log_density))
        return logsumexp(log_density), shares @ (squares + rest), shares @ a


def estimated(spec, y, draws):
    """Return the same numbers of draws, ``n_chains x n_draws`` each."""
    values = draws.values
    joint = log_joint(y[:, None], components_of(spec, values))
    shares = np.exp(joint - logsumexp(joint, axis=-1, keepdims=True))
    found = {
        "together": (shares[..., 0, :] * shares[..., 1, :]).sum(axis=-1),
        "squares": (values["weights"] ** 2).sum(axis=-1),
    }
    logs = np.log(values["scales"]).reshape(*shares.shape[:2], -1)
    for name, array in (("log_scales", logs), ("means", values["means"][..., 0])):
        found |= {name: array.sum(axis=-1), f"{name}_squared": (array**2).sum(axis=-1)}
    return found | ({"concentration": values["concentration"]} if spec.dp else {})


def worst_error(spec, y, exact, draws):
    """Return the largest error, in standard errors of the mean."""
    errors = []
    for name, quantity in estimated(spec, y, draws).items():
        cell = np.ascontiguousarray(quantity)[None]
        size = mixing(cell, in_order(cell))["ess_mean"][0]
        errors.append(abs(quantity.mean() - exact.expected[name]) / (quantity.std() / np.sqrt(size)))
    return max(errors)


SMALL = {
    "full": {"n_components": 2},
    "spherical": {"n_components": 3, "covariance": "spherical", "overrides": ("scales=inv_gamma(3, 1.5)",)},
    "few weights": {"n_components": 2, "overrides": ("weights=dirichlet(0.3)", "means=normal(0.5, 1)")},
    "process": {"n_components": 3, "dp": True},
    "process, lognormal": {"n_components": 3, "dp": True, "overrides": ("concentration=lognormal(-0.5, 0.8)",)},
}


@pytest.mark.parametrize("name", SMALL)
def test_posterior_of_four_points(name):
    spec = mixture_spec(n_columns=1, **SMALL[name])
    draws = fit(spec, Y[:, None], chains=8, warmup=50, draws=1500)
    assert worst_error(spec, Y, Exact(spec, Y), draws) < LIMIT


@pytest.mark.parametrize("wrong", ["scales", "weights", "means", "accepted", "concentration", "order"])
def test_broken_samplers_miss_it(wrong, monkeypatch):
    options = dict(SMALL["process" if wrong in ("concentration", "order") else "full"])
    spec = mixture_spec(n_columns=1, **options)
    assumed = {
        "scales": "scales=lognormal(-0.7, 0.88)",
        "weights": "weights=dirichlet(2)",
        "means": "means=normal(0, 2.2)",
        "concentration": "concentration=gamma(2, 2.4)",
    }
    used = mixture_spec(n_columns=1, **options, overrides=(assumed[wrong],)) if wrong in assumed else spec
    if wrong == "accepted":
        complete = _gibbs_variances.Variances._complete
        monkeypatch.setattr(
            _gibbs_variances.Variances,
            "_complete",
            lambda self, logs: complete(self, logs)._replace(log_ratio=0 * logs),
        )
    if wrong == "order":
        monkeypatch.setattr(
            _gibbs_weights.StickWeights,
            "_neighbours",
            lambda self, counts, *_: np.argsort(counts, axis=1, kind="stable"),
        )
    n_draws = 4000 if wrong in ("scales", "means") else 1500  # ten per cent need more
    draws = fit(used, Y[:, None], chains=8, warmup=50, draws=n_draws)
    assert worst_error(spec, Y, Exact(spec, Y), draws) > LIMIT


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_clusters(seed):
    y, spec = standardised(clusters()), mixture_spec()
    draws = fit(spec, y, seed)
    components = components_of(spec, draws.values)
    joint = log_joint(y[:300:20], components)
    shares = np.exp(joint - logsumexp(joint, axis=-1, keepdims=True))
    quantities = [draws.sample_stats["lp"], log_likelihood(y[::10], components).sum(axis=-1)]
    together = np.einsum("cdik,cdjk->cdij", shares, shares)
    quantities += [together[:, :, i, i + 1] for i in range(0, 14, 4)]
    found = [quality(quantity) for quantity in quantities]
    assert max(r_hat for r_hat, _ in found) <= 1.01
    assert min(size for _, size in found) > 400
    assert draws.sample_stats["covariance_acceptance"].mean() > 0.95  # what they are proposed from fits


FORMS = [
    {"covariance": covariance, "n_columns": d, "dp": dp}
    for covariance, d, dp in product(("full", "tied", "diagonal", "spherical"), (1, 3), (False, True))
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_values_and_log_density(form):
    rng = np.random.default_rng(5)
    spec = mixture_spec(**form)
    y = rng.standard_normal((40, form["n_columns"])) + 3 * rng.integers(0, 2, (40, 1))
    y[rng.random(y.shape) < 0.15] = np.nan
    y = standardised(y)
    draws = fit(spec, y, chains=2, warmup=5, draws=10)
    assert {name: array.shape[2:] for name, array in draws.values.items()} == dict(spec.shapes)
    expected = log_likelihood(y, components_of(spec, draws.values)).sum(axis=-1) + log_prior(spec, draws.values)
    np.testing.assert_allclose(draws.sample_stats["lp"], expected, rtol=1e-10)
    np.testing.assert_allclose(draws.values["weights"].sum(axis=-1), 1, rtol=1e-12)
    if spec.correlated:
        np.testing.assert_allclose(np.linalg.norm(draws.values["corr_cholesky"], axis=-1), 1, rtol=1e-12)


@pytest.mark.parametrize("dp", [False, True])
def test_chains_do_not_depend_on_their_number(dp):
    y = standardised(clusters(100))
    y[::9, 1] = np.nan
    spec = mixture_spec(n_components=6, dp=dp)
    one, few, many, again = (fit(spec, y, chains=n, warmup=20, draws=20) for n in (1, 2, 5, 5))
    for name, array in many.values.items():
        np.testing.assert_array_equal(array[:2], few.values[name])
        np.testing.assert_array_equal(array, again.values[name])
        np.testing.assert_array_equal(array[:1], one.values[name])
    np.testing.assert_array_equal(many.sample_stats["lp"][:2], few.sample_stats["lp"])
    np.testing.assert_array_equal(many.sample_stats["lp"][:1], one.sample_stats["lp"])


def both_ways(y, spec, monkeypatch):
    """Return the draws by matrix products, in blocks, and by differences."""
    draws = [fit(spec, y, chains=2, warmup=0, draws=4)]
    monkeypatch.setattr(_gibbs_rows, "_AT_ONCE", 1)  # blocks of 256 points
    draws.append(fit(spec, y, chains=2, warmup=0, draws=4))
    monkeypatch.setattr(_gibbs_rows, "_TIGHT", 0.0)
    draws.append(fit(spec, y, chains=2, warmup=0, draws=4))
    return [each.values["means"] for each in draws]


@pytest.mark.parametrize("covariance", ["full", "tied", "diagonal", "spherical"])
def test_products_blocks_and_differences_agree(covariance, monkeypatch):
    one, blocks, differences = both_ways(standardised(clusters()), mixture_spec(covariance=covariance), monkeypatch)
    np.testing.assert_allclose(blocks, one, rtol=1e-8)
    np.testing.assert_allclose(differences, one, rtol=1e-8)


def hard_cases():
    rng = np.random.default_rng(0)
    cloud = rng.standard_normal((60, 2))
    galaxies = np.loadtxt(resource("data", "galaxies.csv"), skiprows=1, delimiter=",")[:, None]
    repeated = np.concatenate([np.full((40, 2), 0.5), cloud])
    on_a_line = np.concatenate([cloud[:, :1] * [1, 1] + 3, cloud])
    wide = rng.standard_normal((90, 20)) + 4 * rng.integers(0, 3, (90, 1))
    return {
        "galaxies": (galaxies, {"n_components": 6, "n_columns": 1}),
        "galaxies, process": (galaxies, {"n_components": 12, "n_columns": 1, "dp": True}),
        "more components than clusters": (clusters(100), {"n_components": 12}),
        "more components than points": (cloud[:3], {"n_components": 5}),
        "repeated points": (repeated, {}),
        "repeated points, diagonal": (repeated, {"covariance": "diagonal"}),
        "repeated points, spherical": (repeated, {"covariance": "spherical"}),
        "on a line": (on_a_line, {}),
        "twenty columns": (wide, {"n_columns": 20}),
        "twenty columns, tied": (wide, {"n_columns": 20, "covariance": "tied"}),
        "weights that vanish": (cloud, {"n_components": 6, "overrides": ("weights=dirichlet(0.01)",)}),
    }


@pytest.mark.parametrize("name", hard_cases())
def test_hard_cases_stay_finite(name):
    y, options = hard_cases()[name]
    y, spec = standardised(y), mixture_spec(**options)
    draws = fit(spec, y, chains=2, warmup=100, draws=100)
    expected = log_likelihood(y, components_of(spec, draws.values)).sum(axis=-1) + log_prior(spec, draws.values)
    assert np.isfinite(draws.sample_stats["lp"]).all()
    np.testing.assert_allclose(draws.sample_stats["lp"], expected, rtol=1e-7)
    assert draws.values["scales"].min() > 9e-9
    assert np.ptp(draws.sample_stats["lp"], axis=1).min() > 0


def test_a_point_without_any_coordinate_says_nothing():
    y, spec = standardised(clusters(100)), mixture_spec()
    empty = np.full((1, 2), np.nan)
    with_it, without = MixtureGibbs(spec, np.concatenate([y, empty])), MixtureGibbs(spec, y)
    seeds = [np.random.SeedSequence(1)]
    states = [sampler.start(seeds) for sampler in (with_it, without)]
    assert states[0].moments.counts.sum() == states[1].moments.counts.sum() == len(y)
    assert "missing coordinates" not in with_it.blocks


@pytest.mark.slow
def test_many_points_stay_within_memory():
    import tracemalloc

    rng = np.random.default_rng(2)
    n, d, k = 100_000, 10, 10
    y = standardised(rng.standard_normal((n, d)) + 3 * rng.standard_normal((k, d))[rng.integers(0, k, n)])
    tracemalloc.start()
    draws = fit(mixture_spec(k, d), y, warmup=10, draws=10)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    products = 8 * n * (1 + d + d * (d + 1) // 2)
    assert most < 2 * products + 4 * 8 * n + 200e6
    assert np.isfinite(draws.sample_stats["lp"]).all()
