"""Predictions of ratings by kept draws, against plain loops, simulation and tables of all pairs."""

from dataclasses import replace

import numpy as np
import pytest
from models.factor_draws import LEVELS, N_ITEMS, N_USERS, dense, draws_of, precisions, scale_of
from scipy.stats import chisquare, norm

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.models.factors import prediction
from bayeskit.models.factors.kept import Row
from bayeskit.models.factors.prediction import predict_ratings, recommend_items, similar_to

USER, ITEM = (at.ravel() for at in np.indices((N_USERS, N_ITEMS)))
EVERYTHING = np.arange(N_ITEMS)
FORMS = {
    "normal": {},
    "ordinal": {"ordinal": True},
    "not negative": {"nonnegative": True},
    "features": {"n_features": 3},
}


def person_of(user):
    return lambda draw: Row(draw.rows("user")[user])


@pytest.mark.parametrize("form", [{}, {"nonnegative": True}], ids=["normal", "not negative"])
def test_normal_ratings_are_mixtures_over_the_draws(form):
    kept = draws_of(np.random.default_rng(1), **form)
    found = predict_ratings(kept, USER, ITEM, 4.0)
    means = kept.scale.centre + 1.1 * dense(kept)[:, USER, ITEM]
    sd = 1.1 / np.sqrt(precisions(kept))[:, None]
    np.testing.assert_allclose(found.raw, means.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.mean, np.clip(means.mean(axis=0), 1, 5), rtol=1e-6)
    reach = 1.959964 * np.sqrt(means.var(axis=0) + np.mean(sd**2))
    np.testing.assert_allclose(found.low, means.mean(axis=0) - reach, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.high, means.mean(axis=0) + reach, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.chance, norm.sf(3.5, means, sd).mean(axis=0), rtol=1e-5)
    assert np.ptp(found.raw) > 0.3


def test_levels_are_mixtures_over_the_draws():
    kept = draws_of(np.random.default_rng(2), ordinal=True)
    found = predict_ratings(kept, USER, ITEM, 4.0)
    cutpoints = kept.factors["cutpoints"].values.astype(float).reshape(-1, 1, 4)
    at_most = norm.cdf(cutpoints - dense(kept)[:, USER, ITEM, None]).mean(axis=0)
    at_most = np.concatenate([at_most, np.ones((len(USER), 1))], axis=1)
    chances = np.diff(at_most, axis=1, prepend=0)
    np.testing.assert_allclose(found.mean, chances @ LEVELS, rtol=1e-6)
    np.testing.assert_allclose(found.chance, chances[:, 3:].sum(axis=1), rtol=1e-6)
    for share, ends in ((0.025, found.low), (0.975, found.high)):
        np.testing.assert_array_equal(ends, [LEVELS[np.flatnonzero(row >= share)[0]] for row in at_most])


def test_a_chance_under_a_normal_likelihood_is_of_the_nearest_level():
    """Ratings simulated and rounded; without the half step the chance is far too small."""
    kept = draws_of(np.random.default_rng(3))
    rng = np.random.default_rng(4)
    sd = 1.1 / np.sqrt(precisions(kept))
    for at_least in (2.0, 4.0, 5.0):
        found = predict_ratings(kept, USER, ITEM, at_least)
        means = kept.scale.centre + 1.1 * dense(kept)
        simulated = np.clip(np.round(means + sd[:, None, None] * rng.normal(size=(500, *means.shape))), 1, 5)
        shares = (simulated >= at_least).mean(axis=(0, 1)).ravel()
        error = 0.5 / np.sqrt(500 * kept.n_draws)
        assert np.abs(shares - found.chance).max() < 4.5 * error
        raw = norm.sf(at_least, means, sd[:, None, None]).mean(axis=0).ravel()
        assert np.abs(shares - raw).max() > 9 * error  # negative control


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_those_whom_the_run_does_not_know_are_drawn_from_the_others(form):
    """Users and items drawn from what theirs are drawn from, many times; a mean of them alone is too sure."""
    kept, rng, n = draws_of(np.random.default_rng(5), **form), np.random.default_rng(6), 20_000
    user, item = np.array([-1, 2, -1]), np.array([3, -1, -1])
    found = predict_ratings(kept, user, item, 4.0)
    first = 0 if kept.nonnegative else 1
    made = [[] for _ in user]
    for draw in kept.draws():
        rows = {}
        for side in ("user", "item"):
            row = rng.multivariate_normal(draw.array(f"{side}_mean"), np.linalg.inv(draw.array(f"{side}_precision")), n)
            rows[side] = np.abs(row) if kept.nonnegative else row
        for case, (u, i) in enumerate(zip(user, item, strict=True)):
            a = rows["user"] if u < 0 else draw.rows("user")[[u]]
            b = rows["item"] if i < 0 else draw.rows("item")[[i]]
            eta = draw.level + np.sum(a[:, first:] * b[:, first:], axis=1) + (a[:, 0] + b[:, 0] if first else 0)
            noise = rng.normal(size=n) / np.sqrt(draw.tau)
            made[case].append(eta + noise)
    hidden = np.array(made).reshape(len(user), -1)
    if kept.scale.ordinal:
        cutpoints = kept.factors["cutpoints"].values.reshape(-1, 1, 4)
        ratings = LEVELS[np.sum(hidden.reshape(3, -1, n, 1) > cutpoints, axis=-1)].reshape(3, -1)
    else:
        ratings = kept.scale.centre + 1.1 * hidden
    error = ratings.std(axis=1) / np.sqrt(ratings.shape[1])
    exact = slice(2) if kept.scale.ordinal else slice(3)  # of two unknown a normal stands for what is none
    assert (np.abs(ratings.mean(axis=1) - found.raw)[exact] < 4.5 * error[exact]).all()
    shares = (ratings >= (4 if kept.scale.ordinal else 3.5)).mean(axis=1)
    if not kept.nonnegative:
        assert np.abs(shares - found.chance)[:2].max() < 4.5 * 0.5 / np.sqrt(ratings.shape[1])
    assert np.abs(shares - found.chance).max() < 0.03
    if not kept.scale.ordinal:
        reach = 1.959964 * ratings.std(axis=1)
        np.testing.assert_allclose(found.high - found.raw, reach, rtol=0.02)
        too_sure = 1.959964 * 1.1 * np.sqrt(np.mean(1 / precisions(kept)))  # negative control
        assert np.abs(too_sure / reach - 1).max() > 0.1


def test_unknown_ones_of_a_point_estimate_are_the_mean_of_those_with_ratings():
    kept = draws_of(np.random.default_rng(7), shape=(1, 1), point=True)
    found = predict_ratings(kept, np.array([-1, 0]), np.array([2, 2]), 4.0)
    eta = dense(kept)[0]
    np.testing.assert_allclose(found.raw[0], kept.scale.centre + 1.1 * eta[:-1, 2].mean(), rtol=1e-6)
    assert found.low is None
    assert found.chance is None
    assert list(found.columns()) == ["mean"]
    assert similar_to(kept, 0).low is None


def test_many_pairs_are_taken_in_parts(monkeypatch):
    kept = draws_of(np.random.default_rng(8))
    whole = predict_ratings(kept, USER, ITEM, 4.0)
    monkeypatch.setattr(prediction, "_AT_ONCE", 10)
    parts = predict_ratings(kept, USER, ITEM, 4.0)
    for name, values in whole.columns().items():
        np.testing.assert_array_equal(values, parts.columns()[name])
    assert len(predict_ratings(kept, USER[:0], ITEM[:0], 4.0).mean) == 0


@pytest.mark.parametrize("form", [FORMS["normal"], FORMS["ordinal"]], ids=["normal", "ordinal"])
def test_the_best_items_come_first_and_say_what_predictions_say(form):
    kept = draws_of(np.random.default_rng(9), **form)
    items, found = recommend_items(kept, person_of(3), 4.0, allowed=EVERYTHING[1:], top=5)
    pairs = predict_ratings(kept, np.full(N_ITEMS, 3), EVERYTHING, 4.0)
    expected = [item for item in np.argsort(-pairs.raw) if item != 0][:5]
    assert items.tolist() == expected
    for name, values in found.columns().items():
        np.testing.assert_allclose(values, pairs.columns()[name][items], rtol=1e-12)


def test_thompson_sampling_takes_items_as_often_as_they_are_best():
    kept = draws_of(np.random.default_rng(10), shape=(2, 6), spread=0.3)
    best = np.bincount(dense(kept)[:, 3].argmax(axis=1), minlength=N_ITEMS) / kept.n_draws
    assert np.sum(best > 0.05) > 2
    chosen = np.array([
        recommend_items(kept, person_of(3), 4.0, allowed=EVERYTHING, top=1, rng=np.random.default_rng(seed))[0][0]
        for seed in range(250)
    ])  # fmt: skip
    counts, possible = np.bincount(chosen, minlength=N_ITEMS), best > 0
    assert counts[~possible].sum() == 0
    assert chisquare(counts[possible], 250 * best[possible]).pvalue > 1e-4
    greedy = recommend_items(kept, person_of(3), 4.0, allowed=EVERYTHING, top=1)[0][0]
    always = 250.0 * (np.flatnonzero(possible) == greedy)
    assert chisquare(always, 250 * best[possible]).pvalue < 1e-12  # negative control


def test_each_place_is_the_best_of_what_is_left_under_a_draw_of_its_own():
    kept = draws_of(np.random.default_rng(11), shape=(1, 4))
    items, found = recommend_items(kept, person_of(2), 4.0, allowed=EVERYTHING[2:], top=6, rng=np.random.default_rng(1))
    order = np.argsort(-dense(kept)[:, 2], axis=1)
    left = set(EVERYTHING[2:].tolist())
    possible = [{next(item for item in draw if item in left - set(items[:at])) for draw in order} for at in range(6)]
    assert all(item in may for item, may in zip(items.tolist(), possible, strict=True))
    assert len(set(items.tolist())) == 6
    pairs = predict_ratings(kept, np.full(6, 2), items, 4.0)
    np.testing.assert_allclose(found.mean, pairs.mean, rtol=1e-12)


def test_a_row_that_is_not_known_makes_ratings_less_sure_and_sampling_wider():
    kept = draws_of(np.random.default_rng(12), shape=(1, 2))
    wide = lambda draw: draw.population("user")  # noqa: E731
    narrow = lambda draw: Row(draw.population("user").mean)  # noqa: E731
    items, unsure = recommend_items(kept, wide, 4.0, allowed=EVERYTHING, top=N_ITEMS)
    same, sure = recommend_items(kept, narrow, 4.0, allowed=EVERYTHING, top=N_ITEMS)
    assert items.tolist() == same.tolist()
    assert (unsure.high - unsure.low > 1.02 * (sure.high - sure.low)).all()
    pairs = predict_ratings(kept, np.full(N_ITEMS, -1), items, 4.0)
    np.testing.assert_allclose(unsure.chance, pairs.chance, rtol=1e-12)

    def firsts(person):
        made = (np.random.default_rng(seed) for seed in range(60))
        return {recommend_items(kept, person, 4.0, allowed=EVERYTHING, top=1, rng=rng)[0][0] for rng in made}

    assert len(firsts(wide)) > len(firsts(narrow))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_similarity_is_the_correlation_of_what_is_left_of_the_table(form):
    kept = draws_of(np.random.default_rng(13), **form)
    found = similar_to(kept, 4)
    table = dense(kept)
    left = table - table.mean(axis=1, keepdims=True) - table.mean(axis=2, keepdims=True)
    each = np.array([np.corrcoef(one, rowvar=False)[4] for one in left])
    np.testing.assert_allclose(found.mean, each.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.low, np.quantile(each, 0.025, axis=0), atol=1e-5)
    assert found.mean[4] == pytest.approx(1)
    assert np.abs(np.delete(found.mean, 4)).max() < 0.999


def test_similarity_does_not_see_rotations_and_shifts():
    kept = draws_of(np.random.default_rng(14))
    turned = kept.factors.astype(float).copy(deep=True)
    rotation, shift = np.linalg.qr(np.random.default_rng(1).normal(size=(2, 2)))[0], np.array([0.7, -0.4])
    users, items = turned["user_rows"].values, turned["item_rows"].values
    users[..., 0] -= users[..., 1:] @ shift
    items[..., 1:] += shift
    users[..., 1:] = users[..., 1:] @ rotation
    items[..., 1:] = items[..., 1:] @ rotation
    moved = replace(kept, factors=turned)
    np.testing.assert_allclose(dense(moved), dense(kept), atol=1e-5)
    np.testing.assert_allclose(similar_to(moved, 1).mean, similar_to(kept, 1).mean, atol=1e-5)
    items[..., 1] *= 2  # negative control
    assert np.abs(similar_to(moved, 1).mean - similar_to(kept, 1).mean).max() > 0.01


def test_what_a_high_rating_is():
    scale = scale_of()
    assert (scale.at_least(None), scale.at_least(3.2), scale.threshold(4.0)) == (4.0, 4.0, 3.5)
    halves = scale_of(levels=np.arange(1, 11) / 2)
    halves = replace(halves, low=0.5)
    assert (halves.at_least(None), halves.threshold(4.0)) == (4.0, 3.75)
    smooth = scale_of(levels=np.empty(0))
    assert (smooth.at_least(None), smooth.at_least(3.2), smooth.threshold(3.2)) == (4.0, 3.2, 3.2)
    for wrong in (1.0, 0.0, 5.5):
        with pytest.raises(ConfigError, match="every one or none on a scale from 1 to 5"):
            scale.at_least(wrong)


def test_a_missing_part_of_a_draw_is_told():
    kept = draws_of(np.random.default_rng(15))
    kept.factors["item_rows"].values[1, 2, 3] = np.nan
    with pytest.raises(DataError, match="lacks a part of draw 3 of 'item_rows'; fit again"):
        predict_ratings(kept, USER, ITEM, 4.0)
