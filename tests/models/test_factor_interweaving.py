"""Moves that stretch rows with their scales: the densities that they are drawn from, against the joint density."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from models.factor_joint import log_joint
from models.factor_problems import FORMS, problem, put, simulated, sites_of
from scipy import stats

from bayeskit.models.factors import _interweaving
from bayeskit.models.factors.gibbs import FactorGibbs
from bayeskit.models.factors.spec import SIDES

ALPHA = 1e-6  # false alarms of a test
GRID = np.linspace(-0.8, 0.8, 5)
STEP = 0.3  # which each move takes here
NORMAL = [form for form in FORMS if form.startswith("normal")]
WITH_FEATURES = [form for form in NORMAL if form.endswith("features")]


def ready(form):
    """Return a model, ratings, the conditionals and a chain at parameters from the prior."""
    spec, data = problem(**FORMS[form], n_users=9, n_items=7, missing=(2, 11))
    sites, data = simulated(spec, data, 8)
    sampler = FactorGibbs(spec, data)
    (chain,) = sampler.start([np.random.SeedSequence(1)])
    put(chain, spec, sites)
    chain.rows = {side: torch.as_tensor(sites[f"{side}_rows"]) for side in SIDES}  # in double precision
    chain.ratings = torch.as_tensor(data.values)
    return spec, data, sampler.conditionals, chain


def before_a_side(spec, data, chain, side):
    """Return what a side's rows are to explain, and the other side's rows as they stand in the product."""
    other, places = ("item", data.item) if side == "user" else ("user", data.user)
    across, left = chain.rows[other], chain.ratings - chain.level
    if spec.nonnegative:
        return left, across
    return left - across[:, 0][places], torch.cat([torch.ones_like(across[:, :1]), across[:, 1:]], dim=1)


@pytest.fixture
def told(monkeypatch):
    """Log densities along the grid, less those where moves are; each then takes the same step."""
    found = []

    def stepping(log_density, at, _rng):
        found.append(np.array([log_density(at + step) - log_density(at) for step in GRID]))
        return at + STEP

    monkeypatch.setattr(_interweaving, "_slice", stepping)
    return found


def along(log_density, place, n):
    """Return what a density of ``n`` steps is along the grid in one place, those before it being taken."""
    steps = np.tile([*np.full(place, STEP), *np.zeros(n - place)], (1 + len(GRID), 1))
    steps[1:, place] = GRID
    values = np.array([log_density(each) for each in steps])
    return values[1:] - values[0]


def test_rows_of_a_side_are_stretched_by_their_conditional(told):
    for form in ("normal, wishart", "normal, wishart with features"):
        spec, data, conditionals, chain = ready(form)
        for side in SIDES:
            told.clear()
            ratings, table = before_a_side(spec, data, chain, side)
            sites, d = sites_of(spec, chain), spec.width
            turn = _interweaving.principal_axes(table, 1)
            n_moved = len(chain.rows[side]) + 1 + spec.n_features[side]

            def log_density(steps, side=side, sites=sites, turn=turn, n_moved=n_moved, spec=spec, data=data, d=d):
                by, back = (turn * np.exp(sign * steps) @ turn.T for sign in (1, -1))
                moved = {**sites, f"{side}_precision": back @ sites[f"{side}_precision"] @ back.T}
                for name in (f"{side}_rows", f"{side}_mean", f"{side}_coefficients"):
                    moved |= {name: sites[name] @ by} if name in sites else {}
                # Of the volume, that of a precision shrinks.
                return log_joint(spec, data, moved) + (n_moved - (d + 1)) * steps.sum()

            conditionals._stretch_columns(chain, side, ratings, table)
            assert len(told) == d
            for place, found in enumerate(told):
                np.testing.assert_allclose(found, along(log_density, place, d), rtol=1e-8, atol=1e-8)
            expected = sites[f"{side}_rows"] @ turn * np.exp(STEP) @ turn.T
            np.testing.assert_allclose(chain.rows[side], expected)


@pytest.mark.parametrize("form", ["normal, ard", "normal, ard with features", "normal, not negative"])
def test_factors_of_both_sides_are_stretched_by_their_conditional(form, told):
    spec, data, conditionals, chain = ready(form)
    ratings, table = before_a_side(spec, data, chain, "item")
    sites, first = sites_of(spec, chain), spec.width - spec.rank
    n_moved = sum(len(chain.rows[side]) + spec.n_features[side] for side in SIDES)

    def log_density(steps):
        stretch = np.concatenate([np.ones(first), np.exp(steps)])
        names = [f"{side}_{what}" for side in SIDES for what in ("rows", "coefficients")]
        moved = {name: sites[name] * stretch for name in names if name in sites}
        moved["alpha"] = sites["alpha"] * np.exp(-2 * steps)
        return log_joint(spec, data, {**sites, **moved}) + (n_moved - 2) * steps.sum()

    conditionals._stretch_columns(chain, "item", ratings, table)
    assert len(told) == spec.rank
    for place, found in enumerate(told):
        np.testing.assert_allclose(found, along(log_density, place, spec.rank), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(chain.alpha, sites["alpha"] * np.exp(-2 * STEP))
    after = sites_of(spec, chain)
    assert log_joint(spec, data, after) - log_joint(spec, data, sites) == pytest.approx(
        log_density(np.full(spec.rank, STEP)) - log_density(np.zeros(spec.rank)) - (n_moved - 2) * STEP * spec.rank
    )


@pytest.mark.parametrize("form", WITH_FEATURES)
def test_groups_of_features_are_stretched_by_their_conditional(form, told):
    spec, data, conditionals, chain = ready(form)
    for side in SIDES:
        told.clear()
        ratings, table = before_a_side(spec, data, chain, side)
        sites, features = sites_of(spec, chain), data.features(side)
        counts = np.bincount(features.groups)

        def log_density(steps, side=side, sites=sites, features=features, counts=counts):
            coefficients = sites[f"{side}_coefficients"]
            stretched = coefficients * np.exp(-steps / 2)[features.groups, None]
            moved = {
                f"{side}_lambda": sites[f"{side}_lambda"] * np.exp(steps),
                f"{side}_coefficients": stretched,
                f"{side}_rows": sites[f"{side}_rows"] + features.matrix @ (stretched - coefficients),
            }
            return log_joint(spec, data, {**sites, **moved}) + (1 - counts * spec.width / 2) @ steps

        conditionals._stretch_groups(chain, side, ratings, table)
        assert len(told) == len(counts)
        for place, found in enumerate(told):
            np.testing.assert_allclose(found, along(log_density, place, len(counts)), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(chain.populations[side].relevance, sites[f"{side}_lambda"] * np.exp(STEP))


LAWS = {
    "narrow": (stats.norm(1, 0.2), lambda x: -12.5 * (x - 1) ** 2),
    "skewed": (stats.gumbel_l(0, 2), lambda x: x / 2 - math.exp(x / 2)),
    "wide": (stats.norm(0, 6), lambda x: -(x**2) / 72),
}


@pytest.mark.parametrize("name", LAWS)
def test_slices_leave_their_density_as_it_is(name):
    """Thinned, for draws to be as good as independent."""
    law, log_density = LAWS[name]
    rng, at, found = np.random.default_rng(6), 3.0, []
    for step in range(5000):
        at = _interweaving._slice(log_density, at, rng)
        if step % 10 == 9 and step > 100:
            found.append(at)
    assert stats.kstest(found, law.cdf).pvalue > ALPHA
    assert stats.kstest(found, lambda x: law.cdf(x + 0.3 * law.std())).pvalue < ALPHA
