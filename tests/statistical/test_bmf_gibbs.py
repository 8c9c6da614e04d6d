"""Gibbs sampling of matrix factorisations leaves the posterior as it is: Geweke's joint distribution test.

A chain starts at parameters from the prior, and goes on by turns: ratings given the parameters, then one sweep given
these ratings. However long this lasts, parameters and the ratings that they were drawn for come from the model, so that
all of them can be taken back to independent standard normal numbers. Each chain gives the means of these, of their
squares and of some of their products over its turns; chains are independent of each other, so that the errors of their
means are right however strongly turns go together. Geweke (2004), doi:10.1198/016214504000001132; with samples that
grow where need be: Gandy and Scott (2020), arXiv:2001.06465.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import pytest
import torch
from models.factor_problems import FORMS, problem, put, sites_of
from models.factor_scores import scores_of
from scipy import stats
from statistical.sequential import passes

from bayeskit.models.factors import _conditionals as conditionals
from bayeskit.models.factors import _cutpoints, _hyper, _interweaving, _rows
from bayeskit.models.factors._conditionals import Conditionals
from bayeskit.models.factors.gibbs import FactorGibbs
from bayeskit.models.factors.simulation import draw_parameters, simulate_values
from bayeskit.models.factors.spec import SIDES

ALPHA = 1e-6  # false alarms of a test
CHAINS, TURNS = 40, 8
QUICK = (
    "normal, wishart with features",
    "normal, ard",
    "normal, not negative",
    "ordinal, wishart",
    "ordinal, ard with features",
)
LARGER = {"n_users": 16, "n_items": 6, "rank": 3, "missing": (3, 8), "n_test": 0}


def p_values(spec, data, n_chains, seed):
    """Return p-values of whether the means over chains are 0."""
    told = np.array([chain_means(spec, data, np.random.SeedSequence([seed, chain])) for chain in range(n_chains)])
    assert (told.std(axis=0) > 0).all(), "what does not move is invariant, but no sampler"
    t = told.mean(axis=0) / told.std(axis=0, ddof=1) * np.sqrt(n_chains)
    return 2 * stats.t(n_chains - 1).sf(np.abs(t))


def chain_means(spec, data, seed):
    """Return what one chain comes to, and by how much sweeps change it; less what is expected of it."""
    rng = np.random.default_rng(seed)
    sites, found = draw_parameters(spec, data, rng), []
    for _ in range(TURNS):
        made = replace(data, values=simulate_values(spec, data, sites, rng))
        sampler = FactorGibbs(spec, made)
        (chain,) = sampler.start(seed.spawn(1))
        put(chain, spec, sites)
        sampler.sweep([chain])
        both, spread = (sites, sites_of(spec, chain)), rng.integers(2**32)
        before, after = (
            np.array(told_of(data, scores_of(spec, made, each, np.random.default_rng(spread)))) for each in both
        )
        shapes = np.subtract(*(shapes_of(spec, each) for each in reversed(both)))
        found.append(np.concatenate([after, after - before, shapes]))
        sites = both[1]
    return np.mean(found, axis=0)


def shapes_of(spec, sites):
    """Return how large factors are and how unequal, however they are turned; only changes of it have a known mean."""
    found = []
    for side in SIDES:
        factors = sites[f"{side}_rows"][:, spec.width - spec.rank :]
        matrices = [factors.T @ factors]
        matrices += [sites[f"{side}_precision"]] if spec.family == "wishart" else []
        for matrix in matrices:
            logs = np.log(np.maximum(np.linalg.eigvalsh(matrix), 1e-9))
            found += [logs.mean(), logs.std()]
    return found


def told_of(data, scores):
    """Return means of scores by site, of their squares, of products of columns, and of ratings with parameters."""
    found = []
    for score in scores.values():
        found += [score.mean(), (score**2 - 1).mean()]
        if score.ndim == 2:
            found.append((score[:, 0] * score[:, -1]).mean())
            found += list(score.mean(axis=0))
    found += [number for side in SIDES if (site := f"{side}_precision") in scores for number in scores[site]]
    ratings = scores["ratings"]
    for site in ("mu", "tau", "cutpoints"):
        if site in scores:
            found += [scores[site].mean() * ratings.mean(), scores[site].mean() * (ratings**2 - 1).mean()]
    for side, places in zip(SIDES, (data.user, data.item), strict=True):
        found += list((ratings * scores[f"{side}_rows"][places].T).mean(axis=1))
    return found


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=[] if form in QUICK else [pytest.mark.slow]) for form in FORMS]
)
def test_joint_distribution_stays(form):
    assert passes(partial(p_values, *problem(**FORMS[form], **LARGER)), CHAINS, ALPHA, 4)


def test_joint_distribution_stays_where_rows_come_in_blocks(monkeypatch):
    monkeypatch.setattr(_rows, "_BLOCK", 2 * 3**2)
    assert passes(partial(p_values, *problem(missing=(0, 1, 2, 4))), CHAINS, ALPHA, 2)  # one user without ratings


@pytest.mark.slow  # hundreds of chains of each form: more subtle mistakes than those below
@pytest.mark.parametrize("form", FORMS)
def test_joint_distribution_stays_on_a_closer_look(form):
    assert passes(partial(p_values, *problem(**FORMS[form], **LARGER)), 300, ALPHA, 3)


def without_prior_mean(links, ratings, table, mean, *rest):
    return _rows.draw_rows(links, ratings, table, 0 * mean, *rest)


def of_twice_the_precision(links, ratings, table, rows, alpha, *rest):
    return _rows.draw_positive_rows(links, ratings, table, rows, 2 * alpha, *rest)


def folded(mean, sd, stream):
    return (mean + sd * torch.randn(mean.shape, generator=stream)).abs()


def explained_once(found, rows):
    along = torch.einsum("nij,nj->ni", found.products, rows)
    return float(((found.weighted - along / 2) * rows).sum())


def around_the_last_level(self, chain, squares, total):
    LEVEL(self, chain, squares, total - 0.5 * len(chain.ratings) * chain.level)


def without_features(population, rows, design):
    mean, squares, _ = _hyper.deviations(population, rows, design)
    return mean, squares, 0


def in_each_other_s_places(*given):
    drawn = _hyper.draw_coefficients(*given)
    return replace(drawn, relevance=drawn.relevance[::-1].copy())


def without_noise(level, cutpoints, eta, stream):
    bounds = np.concatenate([[-np.inf], cutpoints, [np.inf]])
    return torch.tensor(np.clip(eta.numpy(), bounds[level], bounds[level + 1])).float()


def by_their_negatives(levels, cutpoints, eta, *rest):
    return _cutpoints.draw_cutpoints(levels, cutpoints, -eta, *rest)


def along_their_own_axes(self, chain, side, *rest):
    own = chain.rows[side]
    with mock.patch.object(conditionals, "principal_axes", lambda _, first: _interweaving.principal_axes(own, first)):
        AXES(self, chain, side, *rest)


def of_the_row_before(rows, other, n_rows, device):
    return _rows.links_of(np.roll(rows, 1), other, n_rows, device)


AXES, LEVEL = Conditionals._stretch_axes, Conditionals._draw_level_and_precision
BROKEN = {
    "rows without their prior mean": ("normal, wishart", conditionals, "draw_rows", without_prior_mean),
    "rows of other ratings": ("normal, ard", conditionals, "links_of", of_the_row_before),
    "residuals that are not what is left": ("normal, wishart", _rows, "_explained", explained_once),
    "level without its mean": ("normal, wishart", Conditionals, "_draw_level_and_precision", around_the_last_level),
    "precision of a rating by twice the count": (
        "normal, not negative", conditionals, "Observed.n_ratings", property(lambda self: 2 * self.values.size),
    ),
    "degrees of freedom without the rows": (
        "normal, wishart", _hyper, "wishart", lambda degrees, *rest: _WISHART(degrees / 2, *rest),
    ),
    "sums of squares not halved": (
        "normal, ard", conditionals, "draw_alpha", lambda squares, *rest: _hyper.draw_alpha(2 * squares, *rest),
    ),
    "counts not halved": (
        "ordinal, not negative", conditionals, "draw_alpha",
        lambda squares, counts, *rest: _hyper.draw_alpha(squares, 2 * counts, *rest),
    ),
    "coefficients left out of the precision": (
        "normal, ard with features", conditionals, "deviations", without_features,
    ),
    "relevances in each other's places": (
        "normal, wishart with features", conditionals, "draw_coefficients", in_each_other_s_places,
    ),
    "half-normal rows twice as precise": (
        "normal, not negative", conditionals, "draw_positive_rows", of_twice_the_precision,
    ),
    "normal rows folded over": ("normal, not negative", _rows, "draw_above_zero", folded),
    "hidden ratings without noise": ("ordinal, wishart", conditionals, "draw_hidden", without_noise),
    "cutpoints by negatives of predictions": (
        "ordinal, not negative", conditionals, "draw_cutpoints", by_their_negatives,
    ),
    "scales whatever the ratings say": (
        "ordinal, ard", _interweaving, "_slice", lambda _, at, rng: at + 0.3 * rng.standard_normal(),
    ),
    "rows stretched along their own axes": ("ordinal, wishart", Conditionals, "_stretch_axes", along_their_own_axes),
}  # fmt: skip
_WISHART = _hyper.wishart


# Enough for one mistake of each kind; the others take as long again.
AT_LENGTH = (
    "level without its mean",
    "rows without their prior mean",
    "half-normal rows twice as precise",
    "scales whatever the ratings say",
    "rows stretched along their own axes",
    "rows of other ratings",
    "sums of squares not halved",
    "counts not halved",
    "relevances in each other's places",
    "normal rows folded over",
    "hidden ratings without noise",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in AT_LENGTH else []) for name in BROKEN]
)
def test_broken_samplers_are_told(name, monkeypatch):
    form, where, attribute, wrong = BROKEN[name]
    if attribute == "Observed.n_ratings":
        where, attribute = where.Observed, "n_ratings"
    monkeypatch.setattr(where, attribute, wrong)
    assert not passes(partial(p_values, *problem(**FORMS[form], **LARGER)), CHAINS, ALPHA, 4)
