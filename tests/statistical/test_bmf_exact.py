"""Gibbs sampling of matrix factorisations and their Pyro program have one posterior.

Of draws u of a density p on an unbounded scale, the mean of its slope d log p / du is 0, and that of u times the slope
is -1, whatever p is: so draws by Gibbs sampling are held against the program's own gradient, at every site. And what
does not depend on the factors' rotation is held against draws of the program by the no-U-turn sampler.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from models.factor_joint import triangles
from models.factor_problems import FORMS, problem, simulated, sites_of
from scipy import stats

from bayeskit.inference._pyro_density import pyro_density
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.inference.nuts import NUTSConfig, fit_nuts
from bayeskit.models.factors.gibbs import FactorGibbs
from bayeskit.models.factors.program import program_of
from bayeskit.models.factors.sites import from_sites

ALPHA = 1e-6  # false alarms of a test
CONFIG = GibbsConfig(chains=4, warmup=30, draws=100)


def some(form):
    spec, data = problem(**FORMS[form])
    _, data = simulated(spec, data, 5)
    return spec, data


def draws_by_site(spec, data, config, seed):
    """Return draws by Gibbs sampling, ``n_chains x n_draws x ...`` by the program's sites."""
    sampler, watched = FactorGibbs(spec, data), []
    record = sampler.record

    def watching(state):
        sites = [sites_of(spec, chain) for chain in state]
        watched.append([{**each, **triangles(spec, each)[0]} for each in sites])
        return record(state)

    sampler.record = watching
    fit_gibbs(sampler, config, seed=seed)
    names = watched[0][0]
    return {name: np.array([[one[name] for one in draw] for draw in watched]).swapaxes(0, 1) for name in names}


def slopes(spec, data, draws):
    """Return what has mean 0 at each coordinate, ``n_chains x n_draws x 2 n_dims``."""
    density = pyro_density(*program_of(spec, data))
    shape = draws["user_rows"].shape[:2]
    points = np.concatenate([free(spec, site, draws[site]).reshape(*shape, -1) for site in density.shapes], axis=-1)
    _, slope = (part.numpy() for part in density.with_gradient(torch.tensor(points.reshape(-1, points.shape[-1]))))
    slope = slope.reshape(points.shape)
    around = points - points.mean(axis=(0, 1))
    return np.concatenate([slope, 1 + around * slope], axis=-1)


def free(spec, site, value):
    """Return a site's values on the scale where it has no bounds."""
    if site == "cutpoints":
        return np.concatenate([value[..., :1], np.log(np.diff(value))], axis=-1)
    positive = site.endswith(("tau", "alpha", "chi", "lambda")) or (spec.nonnegative and site.endswith("rows"))
    return np.log(value) if positive else value


def smallest(chains):
    """Return the smallest p-value of whether means are 0, times their number."""
    columns = np.moveaxis(chains, -1, 0)
    sizes = np.array([float(array_stats.ess(one, chain_axis=0, draw_axis=1, method="mean")) for one in columns])
    z = columns.mean(axis=(1, 2)) / columns.std(axis=(1, 2)) * np.sqrt(sizes)
    return 2 * stats.norm.sf(np.abs(z)).min() * len(z)


@cache
def known(form, config=CONFIG):
    """Return a model, ratings, and draws of its posterior by Gibbs sampling."""
    spec, data = some(form)
    return spec, data, draws_by_site(spec, data, config, 1)


QUICK = ("normal, wishart with features", "normal, not negative", "ordinal, wishart")


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=[] if form in QUICK else [pytest.mark.slow]) for form in FORMS]
)
def test_draws_by_gibbs_sampling_have_the_program_s_slopes(form):
    assert smallest(slopes(*known(form))) > ALPHA


@pytest.mark.slow  # thousands of draws of each form
@pytest.mark.parametrize("form", FORMS)
def test_draws_have_the_program_s_slopes_on_a_closer_look(form):
    assert smallest(slopes(*known(form, GibbsConfig(chains=8, warmup=100, draws=1500)))) > ALPHA


WRONG = {
    "wider rows": ("normal, wishart with features", "factors=wishart(4, 0.8)"),
    "surer of the precision": ("normal, wishart with features", "factors=wishart(8, 0.4)"),
    "relevance": ("normal, wishart with features", "lambda=gamma(1, 0.4)"),
    "noise": ("normal, not negative", "tau=gamma(4, 1)"),
    "alpha": ("normal, not negative", "alpha=gamma(3, 0.32)"),
    "cutpoints": ("ordinal, wishart", "cutpoints=normal(4, 1)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_prior_has_other_slopes(name):
    form, prior = WRONG[name]
    _, data, draws = known(form)
    told, _ = problem(**FORMS[form], priors=(prior,))
    assert smallest(slopes(told, data, draws)) < ALPHA


def with_other_ratings(spec, data):
    """Return levels one higher where they can be, normal ratings higher by half a unit at every second item."""
    moved = np.minimum(data.values + 1, 2) if spec.likelihood == "ordinal" else data.values + 0.5 * (data.item % 2)
    return replace(data, values=moved)


@pytest.mark.parametrize("form", QUICK)
def test_other_ratings_have_other_slopes(form):
    spec, data, draws = known(form)
    assert smallest(slopes(spec, with_other_ratings(spec, data), draws)) < ALPHA


BY_BOTH = ("normal, wishart", "normal, ard with features", "normal, not negative", "ordinal, ard")
BY_NUTS = NUTSConfig(backend="compiled", chains=4, warmup=500, draws=1000, adapt_delta=0.95)
AT_LENGTH = GibbsConfig(chains=8, warmup=200, draws=1500)


def differences(found, expected):
    """Return p-values of whether two posteriors' quantities have the same means and squares around them."""
    p_values = {}
    for name, one in found.items():
        both = [np.reshape(each, (*each.shape[:2], -1)) for each in (one, expected[name])]
        middle, scale = both[1].mean(axis=(0, 1)), both[1].std(axis=(0, 1))
        for power in (1, 2):
            for place in range(both[0].shape[-1]):
                parts = [((each[..., place] - middle[place]) / scale[place]) ** power for each in both]
                sizes = [float(array_stats.ess(part, chain_axis=0, draw_axis=1, method="mean")) for part in parts]
                error = np.sqrt(sum(part.var() / size for part, size in zip(parts, sizes, strict=True)))
                z = (parts[0].mean() - parts[1].mean()) / error
                p_values[name, place, power] = 2 * stats.norm.sf(abs(z))
    return p_values


@pytest.mark.slow  # compiles the program of each form, half a minute each
@pytest.mark.parametrize("form", BY_BOTH)
def test_gibbs_and_nuts_have_one_posterior(form):
    spec, data = some(form)
    gibbs = fit_gibbs(FactorGibbs(spec, data), AT_LENGTH, seed=1)
    nuts = fit_nuts(*program_of(spec, data), config=BY_NUTS, seed=1)
    quantities, groups = from_sites(spec, data, nuts.values)
    assert set(quantities) == set(gibbs.values)
    found = differences(quantities, gibbs.values)
    assert min(found.values()) * len(found) > ALPHA, min(found, key=found.get)
    for name in ("mean", "sd", "pit", "log_density"):
        np.testing.assert_allclose(groups["held_out"][name], gibbs.groups["held_out"][name], atol=0.1, err_msg=name)
    other = fit_gibbs(FactorGibbs(spec, with_other_ratings(spec, data)), AT_LENGTH, seed=2)
    others = differences(quantities, other.values)
    assert min(others.values()) * len(others) < ALPHA
