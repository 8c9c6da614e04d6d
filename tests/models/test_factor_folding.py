"""New users: their rows against conjugate and integrated posteriors, their features against those of the fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from datasets.rating_files import synthetic_items, synthetic_ratings, synthetic_users
from models.factor_draws import LEVELS, draws_of
from scipy.stats import kstest, norm, truncnorm

from bayeskit.core.errors import ConfigError
from bayeskit.datasets.ratings import ratings
from bayeskit.models.factors.features import KINDS, Seen, build_features
from bayeskit.models.factors.folding import NewUser, _between

ITEM = np.array([0, 3, 4, 7])
VALUES = np.array([5.0, 1.0, 4.0, 2.0])


def new_user(item=ITEM, values=VALUES, features=None, seed=1):
    return NewUser(item, values, features, np.random.default_rng(seed))


def moments_on_a_grid(log_density, centre, reach, n=161):
    """Mean and covariance of a density of two numbers."""
    axes = [np.linspace(at - reach, at + reach, n) for at in centre]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    log = log_density(points)
    weights = np.exp(log - log.max())
    assert weights.reshape(n, n)[[0, -1]].max() < 1e-4
    weights /= weights.sum()
    mean = weights @ points
    return mean, np.einsum("n,ni,nj->ij", weights, points - mean, points - mean)


@pytest.mark.parametrize("n_features", [0, 3])
def test_a_row_given_ratings_is_the_conjugate_one(n_features):
    """A normal row with normal ratings, conditioned as a joint normal distribution of both."""
    kept = draws_of(np.random.default_rng(1), n_features=n_features)
    features = np.array([1.0, 0.0, 0.5]) if n_features else None
    person = new_user(features=features)
    for draw in kept.draws():
        found = person(draw)
        items = draw.array("item_rows")[ITEM]
        loads = np.column_stack([np.ones(4), items[:, 1:]])
        mean = draw.array("user_mean") + (features @ draw.array("user_coefficients") if n_features else 0)
        spread = np.linalg.inv(draw.array("user_precision"))
        expected = draw.level + items[:, 0] + loads @ mean
        gain = spread @ loads.T @ np.linalg.inv(loads @ spread @ loads.T + np.eye(4) / draw.tau)
        np.testing.assert_allclose(found.mean, mean + gain @ ((VALUES - 3.4) / 1.1 - expected), atol=1e-6)
        np.testing.assert_allclose(found.covariance, spread - gain @ loads @ spread, atol=1e-6)
        assert np.abs(found.mean - mean).max() > 0.05


def test_without_ratings_a_row_is_that_of_the_population():
    kept = draws_of(np.random.default_rng(2))
    nobody = new_user(ITEM[:0], VALUES[:0])
    for draw in kept.draws():
        np.testing.assert_allclose(nobody(draw).mean, draw.array("user_mean"))
        np.testing.assert_allclose(nobody(draw).covariance, np.linalg.inv(draw.array("user_precision")))


def test_a_row_given_levels_is_drawn_from_its_posterior():
    """Against sums over a grid of bias and factor; with ratings turned around it is another one."""
    kept = draws_of(np.random.default_rng(3), rank=1, shape=(1, 1), ordinal=True)
    (draw,) = kept.draws()
    items, mean, precision = draw.array("item_rows")[ITEM], draw.array("user_mean"), draw.array("user_precision")
    bounds = np.concatenate([[-np.inf], draw.array("cutpoints"), [np.inf]])
    level = np.searchsorted(LEVELS, VALUES)

    def log_density(rows):
        eta = items[:, 0] + rows[:, :1] + rows[:, 1:] * items[:, 1]
        chances = norm.cdf(bounds[level + 1] - eta) - norm.cdf(bounds[level] - eta)
        around = rows - mean
        prior = -0.5 * np.einsum("ni,ij,nj->n", around, precision, around)
        return np.log(np.maximum(chances, 1e-300)).sum(axis=1) + prior

    exact, covariance = moments_on_a_grid(log_density, mean, 4.0)
    n, person = 400, new_user()
    found = [person(draw) for _ in range(n)]
    centres = np.array([one.mean for one in found])
    error = np.sqrt(np.diag(covariance) / n)
    assert (np.abs(centres.mean(axis=0) - exact) < 4 * error).all()
    total = np.mean([one.covariance for one in found], axis=0) + np.cov(centres.T)
    np.testing.assert_allclose(total, covariance, atol=0.15 * np.abs(covariance).max())
    turned = new_user(values=6 - VALUES)  # negative control
    other = np.mean([turned(draw).mean for _ in range(n)], axis=0)
    assert (np.abs(other - exact) > 6 * error).any()


def test_a_row_that_is_not_negative_is_drawn_from_its_posterior():
    kept = draws_of(np.random.default_rng(4), rank=2, shape=(1, 1), nonnegative=True, spread=1.0)
    (draw,) = kept.draws()
    items, alpha = draw.array("item_rows")[ITEM], np.diag(draw.array("user_precision"))

    def log_density(rows):
        left = VALUES / 1.1 - rows @ items.T
        log = -0.5 * (draw.tau * np.sum(left**2, axis=1) + rows**2 @ alpha)
        return np.where((rows >= 0).all(axis=1), log, -np.inf)

    exact, covariance = moments_on_a_grid(log_density, np.full(2, 2.0), 6.0, n=481)
    n = 200
    for person, is_hers in ((new_user(), True), (new_user(values=np.ones(4)), False)):
        rows = np.array([person(draw).mean for _ in range(n)])
        assert (rows >= 0).all()
        assert person(draw).covariance is None
        error = np.sqrt(np.diag(covariance) / n)
        assert (np.abs(rows.mean(axis=0) - exact) < 4 * error).all() == is_hers  # the other is a negative control
    nobody = np.array([new_user(ITEM[:0], VALUES[:0], seed=seed)(draw).mean for seed in range(n)])
    assert (np.abs(nobody.mean(axis=0) - np.sqrt(2 / np.pi / alpha)) < 4 * np.sqrt(1 / alpha / n)).all()


@pytest.mark.parametrize(("low", "high"), [(-1.0, 0.5), (2.0, np.inf), (-np.inf, -9.0), (60.0, np.inf), (-50.0, -49.9)])
def test_numbers_between_ends_are_those_of_a_truncated_normal(low, high):
    """By the mass below each, uniform; a normal cut in the wrong place is not."""
    drawn = _between(np.full(2000, low), np.full(2000, high), np.random.default_rng(6))
    assert ((drawn >= low) & (drawn <= high)).all()

    def p_value(low, high):
        mass = truncnorm.cdf(drawn, low, high)
        return kstest(mass, "uniform").pvalue

    assert p_value(low, high) > 1e-3
    assert p_value(low - 0.2, high - 0.2) < 1e-6  # negative control


def test_the_same_seed_gives_the_same_rows():
    kept = draws_of(np.random.default_rng(5), ordinal=True)
    first, again, other = ([new_user(seed=seed)(draw).mean for draw in kept.draws()] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.fixture(scope="module")
def known():
    """Ratings with tables: numbers in bins and few numbers, texts, lists of texts, gaps."""
    frame = synthetic_ratings(60, 40, 900, 2, seed=1)
    users, rng = synthetic_users(frame, 2), np.random.default_rng(3)
    users["income"] = np.round(rng.lognormal(10, 1, len(users)), 2)
    users["likes"] = rng.choice(["tea", "tea|rain", "", "rain|dogs"], len(users))
    users["children"] = rng.choice([0, 1, 2], len(users))
    users.loc[::7, "income"] = np.nan
    users.loc[3, "occupation"] = None
    return ratings(frame, users=users, items=synthetic_items(frame, 3), scale="1:5")


def seen_of(data, kinds):
    train = ~data.test
    return Seen(kinds, data.user_table, data.times[train], data.n_known_items)


def test_features_of_users_are_made_again_as_the_fit_made_them(known):
    """Of every user, by her row of the table and what she has rated; but for when, which nobody asks of new ones."""
    kinds = ("users", "time", "implicit")
    built = build_features(known, kinds).user
    seen, train = seen_of(known, kinds), ~known.test
    time = np.array([column.startswith("time=") for column in built.columns])
    assert {"age", "occupation", "zip", "income", "likes", "children", "time", "implicit"} <= set(built.names)
    for user in range(known.n_users):
        told = {name: value for name, value in known.user_table.iloc[user].items() if not pd.isna(value)}
        found = seen.new_user(
            {name: str(value) for name, value in told.items()}, known.item[train & (known.user == user)]
        )
        np.testing.assert_array_equal(found[~time], built.matrix[user, ~time])
        assert not found[time].any()
    other = seen.new_user({"occupation": "writer"}, np.array([0]))  # negative control
    assert (other != built.matrix).any(axis=1).all()


def test_numbers_between_those_of_the_table_fall_into_their_bins(known):
    seen = seen_of(known, ("users",))
    columns = build_features(known, ("users",)).user.columns
    incomes = np.sort(known.user_table["income"].dropna().to_numpy())
    for number, bin_of in ((incomes[0] / 2, incomes[0]), (2 * incomes[-1], incomes[-1])):
        found, same = (seen.new_user({"income": at}, np.empty(0, dtype=int)) for at in (number, bin_of))
        np.testing.assert_array_equal(found, same)
        assert found.sum() == 1
        assert columns[int(found.argmax())].startswith("income=")
    assert not seen.new_user({}, np.empty(0, dtype=int)).any()
    assert len(seen_of(known, ()).new_user({}, ITEM)) == 0
    assert set(seen.kinds) < set(KINDS)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"height": 3}, "no features of users by 'height'; there are age, gender, occupation, zip"),
        ({"occupation": "writter"}, "occupation 'writter' is none that the fit has seen; did you mean 'writer'"),
        ({"gender": "?"}, "gender '\\?' is none that the fit has seen; choose from F, M"),
        ({"income": "high"}, "income 'high' is not a number"),
        ({"children": 1.5}, "children '1.5' is none that the fit has seen"),
    ],
)
def test_what_the_features_do_not_know_is_told(known, told, words):
    with pytest.raises(ConfigError, match=words):
        seen_of(known, ("users",)).new_user(told, ITEM)
    with pytest.raises(ConfigError, match="there are none: fit with --features users"):
        replace(seen_of(known, ("users",)), kinds=()).new_user(told, ITEM)
