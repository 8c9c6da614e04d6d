"""What is computed of draws of a factorisation: against whole tables, and the same by every engine's way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from models.factor_problems import FORMS, LEVELS, problem, put, simulated, sites_of
from models.factor_scores import predictions
from scipy import special, stats

from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models.factors import testing
from bayeskit.models.factors.gibbs import FactorGibbs
from bayeskit.models.factors.quantities import followed_pairs, quantities_of
from bayeskit.models.factors.simulation import parameters_of
from bayeskit.models.factors.sites import from_sites, log_likelihood, recorded

every_form = pytest.mark.parametrize("form", FORMS)


def truth(form, seed=1, **options):
    spec, data = problem(**FORMS[form], **options)
    sites, data = simulated(spec, data, seed)
    return spec, data, sites


def table_of(spec, data, sites):
    """Return what is predicted of all users and items."""
    every = np.indices((data.n_users, data.n_items)).reshape(2, -1)
    return predictions(spec, replace(data, user=every[0], item=every[1]), sites).reshape(data.n_users, data.n_items)


@every_form
def test_quantities_are_those_of_the_whole_table(form):
    spec, data, sites = truth(form)
    found = quantities_of(spec, data, parameters_of(spec, sites))
    table = table_of(spec, data, sites)
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0)
    left = table - rows - columns + table.mean()
    energies = np.linalg.svd(left, compute_uv=False) ** 2
    spread = data.spread
    assert found["sd_user"] == pytest.approx(spread * rows.std())
    assert found["sd_item"] == pytest.approx(spread * columns.std())
    assert found["sd_interaction"] == pytest.approx(spread * left.std())
    assert found["effective_rank"] == pytest.approx(energies.sum() ** 2 / (energies**2).sum())
    if spec.likelihood == "normal":
        assert found["level"] == pytest.approx(data.centre + spread * table.mean())
        assert found["sigma"] == pytest.approx(spread / np.sqrt(sites["tau"]))
        ratings = data.centre + spread * table
    else:
        np.testing.assert_allclose(found["cutpoints"], sites["cutpoints"] - table.mean(), rtol=1e-10)
        at_most = special.ndtr(sites["cutpoints"] - table[..., None])
        ratings = LEVELS[-1] - at_most @ np.diff(LEVELS)
    np.testing.assert_allclose(found["rating"], ratings[followed_pairs(data)], rtol=1e-10)
    if "alpha" in sites:
        np.testing.assert_allclose(found["factor_sd"], np.sort(sites["alpha"] ** -0.5)[::-1])


def transformed(spec, sites, rng):
    """Return the same predictions by other factors: turned, moved, and with the level shared out in another way."""
    d, found = spec.width, dict(sites)
    if spec.nonnegative:
        order, scale = rng.permutation(d), rng.gamma(3, size=d)
        return found | {
            "user_rows": sites["user_rows"][:, order] * scale,
            "item_rows": sites["item_rows"][:, order] / scale,
        }
    turn = rng.standard_normal((spec.rank, spec.rank))
    moved, shift = rng.standard_normal(spec.rank), rng.standard_normal()
    user, item = sites["user_rows"], sites["item_rows"]
    found["item_rows"] = np.column_stack([item[:, 0] - item[:, 1:] @ moved, item[:, 1:] @ np.linalg.inv(turn).T])
    found["user_rows"] = np.column_stack([user[:, 0] - shift, (user[:, 1:] + moved) @ turn])
    if spec.has_level:
        return found | {"mu": sites["mu"] + shift}
    return found | {"cutpoints": sites["cutpoints"] - shift}


@every_form
def test_other_factors_of_the_same_table_have_the_same_quantities(form):
    spec, data, sites = truth(form)
    other = transformed(spec, sites, np.random.default_rng(1))
    assert not np.allclose(other["user_rows"], sites["user_rows"], atol=0.05)
    found, again = (recorded(spec, data, parameters_of(spec, each)) for each in (sites, other))
    for name, value in found.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-8, err_msg=name)


@every_form
def test_log_likelihood_is_that_of_the_ratings(form):
    spec, data, sites = truth(form)
    eta = predictions(spec, data, sites)
    if spec.likelihood == "normal":
        law = stats.norm(data.in_units(eta), data.spread * sites["tau"] ** -0.5)
        expected = law.logpdf(data.in_units(data.values)).sum()
    else:
        bounds = np.concatenate([[-np.inf], sites["cutpoints"], [np.inf]])
        level = data.values.astype(int)
        expected = np.log(special.ndtr(bounds[level + 1] - eta) - special.ndtr(bounds[level] - eta)).sum()
    assert log_likelihood(spec, data, parameters_of(spec, sites)) == pytest.approx(expected, rel=1e-10)


@every_form
def test_draws_by_site_give_what_gibbs_sampling_keeps(form):
    spec, data, _ = truth(form, seed=2)
    sampler, draws = FactorGibbs(spec, data, keep_every=2), []
    watched = {name: [] for name in spec.shapes(data.n_users, data.n_items)}
    record = sampler.record

    def watching(state):
        for name, value in watched.items():
            value.append([np.array(sites_of(spec, chain)[name]) for chain in state])
        return record(state)

    sampler.record = watching
    draws = fit_gibbs(sampler, GibbsConfig(chains=2, warmup=2, draws=5), seed=1)
    values = {name: np.array(value).swapaxes(0, 1) for name, value in watched.items()}
    found, groups = from_sites(spec, data, values, keep_every=2)
    assert set(found) == set(draws.values)
    for name, value in draws.values.items():
        # The sampler's rows, and their residuals' squares, are of single precision.
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=1e-4, err_msg=name)
    for group, arrays in groups.items():
        assert set(arrays) == set(draws.groups[group])
        for name, value in arrays.items():
            assert value.dtype == draws.groups[group][name].dtype
            np.testing.assert_allclose(value, draws.groups[group][name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_without_test_ratings_none_are_predicted():
    spec, data, sites = truth("normal, wishart", n_test=0)
    found, groups = from_sites(spec, data, {name: value[None, None] for name, value in sites.items()})
    assert "test_rmse" not in found
    assert set(groups) == {"factors"}


@pytest.mark.parametrize("form", ["normal, wishart", "ordinal, ard"])
def test_predictive_distributions_are_mixtures_over_draws(form):
    spec, data, sites = truth(form, n_test=40)
    rng, tested, drawn = np.random.default_rng(1), testing.Tested(spec, data, "cpu"), []
    several = [sites, {**sites, "user_rows": sites["user_rows"] + 0.3}]
    places = np.stack([data.test_user, data.test_item])
    for each in several:
        tested.add(parameters_of(spec, each))
        eta = predictions(spec, replace(data, user=places[0], item=places[1]), each)
        noise = rng.standard_normal((4000, eta.size))
        if spec.likelihood == "normal":
            drawn.append(data.in_units(eta + noise / np.sqrt(each["tau"])))
        else:
            drawn.append(data.levels[np.searchsorted(each["cutpoints"], eta + noise)])
    drawn = np.concatenate(drawn)
    found = testing.Tested.together([tested])
    error = 5 * drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(found["mean"] - np.clip(drawn.mean(axis=0), *data.scale)) < error).all()
    np.testing.assert_allclose(found["sd"], drawn.std(axis=0), rtol=0.08)
    below = (drawn < data.test_values).mean(axis=0)
    at_most = (drawn <= data.test_values).mean(axis=0)
    slack = 5 / np.sqrt(len(drawn))
    assert (found["pit"] > below - slack).all()
    assert (found["pit"] < at_most + slack).all()
    inside = ((drawn >= found["low"]) & (drawn <= found["high"])).mean(axis=0)
    assert (inside > 0.95 - slack).all()
    if spec.likelihood == "ordinal":
        share = np.array([(drawn == level).mean(axis=0) for level in LEVELS]).T
        np.testing.assert_allclose(found["chances"], share, atol=slack)
        own = found["chances"][np.arange(40), np.searchsorted(LEVELS, data.test_values)]
        np.testing.assert_allclose(np.exp(found["log_density"]), own)


def test_chains_put_anywhere_are_there():
    spec, data, sites = truth("normal, ard with features")
    sampler = FactorGibbs(spec, data)
    (chain,) = sampler.start([np.random.SeedSequence(1)])
    put(chain, spec, sites)
    np.testing.assert_allclose(sampler.conditionals.eta(chain).numpy(), predictions(spec, data, sites), atol=1e-5)
    assert chain.rows["user"].dtype == torch.float32


def test_chains_are_of_single_precision_whatever_torch_s_default_is():
    spec, data, _ = truth("normal, ard")
    found = []
    for precision in (torch.float32, torch.float64):
        before = torch.get_default_dtype()
        torch.set_default_dtype(precision)
        try:
            found.append(fit_gibbs(FactorGibbs(spec, data), GibbsConfig(chains=1, warmup=1, draws=4), seed=1))
        finally:
            torch.set_default_dtype(before)
    for name, value in found[0].values.items():
        np.testing.assert_array_equal(value, found[1].values[name])


@every_form
def test_a_chain_depends_on_its_own_seed_alone(form):
    spec, data, _ = truth(form)
    few, many = (
        fit_gibbs(FactorGibbs(spec, data), GibbsConfig(chains=chains, warmup=1, draws=4), seed=2) for chains in (1, 3)
    )
    for name, value in few.values.items():
        np.testing.assert_array_equal(value, many.values[name][:1])
    assert not np.array_equal(many.values["log_lik"][0], many.values["log_lik"][1])
