"""Half-steps of point estimates against dense tables, where every sum can be written out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference.alternating import ALSConfig, GDConfig, NMFConfig, fit_alternating
from bayeskit.models.factors import _squares
from bayeskit.models.factors._squares import Point
from bayeskit.models.factors.alternating import FactorPoint
from bayeskit.models.factors.observed import Features, Observed
from bayeskit.models.factors.spec import FactorSpec, priors_of

N_USERS, N_ITEMS, RANK, RIDGE = 14, 9, 2, 0.7
NONE = np.empty(0, dtype=np.int64)
MISSING = ("excluded", "zero", "mean")
ROUNDING = 1e-12


def spec_of(rank=RANK, nonnegative=False, likelihood="normal"):
    family = "ard" if nonnegative else "wishart"
    priors = priors_of(likelihood, family, nonnegative=nonnegative, features=False)
    none = {"user": 0, "item": 0}
    return FactorSpec(rank, likelihood, family, nonnegative, 5 if likelihood == "ordinal" else 0, none, none, priors)


def observed(table, *, centred=True, tested=True):
    """Return the ratings of a table, NaN where missing; every seventh is held out."""
    user, item = np.nonzero(~np.isnan(table))
    ratings = table[user, item]
    test = (np.arange(len(user)) % 7 == 3) & tested
    train = ~test
    centre, spread = ratings[train].mean() if centred else 0.0, ratings[train].std()
    return Observed(
        user=user[train],
        item=item[train],
        values=(ratings[train] - centre) / spread,
        n_users=table.shape[0],
        n_items=table.shape[1],
        test_user=user[test],
        test_item=item[test],
        test_values=ratings[test],
        centre=centre,
        spread=spread,
        scale=(1.0, 5.0),
        levels=np.arange(1.0, 6.0),
    )


@pytest.fixture
def table():
    """Stars with structure of rank 2; three in ten are missing, all of the last user's and of the last item's too."""
    rng = np.random.default_rng(5)
    taste = rng.normal(size=(N_USERS, 2)) @ rng.normal(size=(2, N_ITEMS))
    stars = np.clip(np.round(3.2 + taste + rng.normal(size=(N_USERS, 1)) / 2), 1, 5)
    stars[rng.random(stars.shape) < 0.3] = np.nan
    stars[-1] = stars[:, -1] = np.nan
    return stars


def objective_of(data, *, missing="excluded", nonnegative=False, ridge=RIDGE, spec=None):
    return FactorPoint(spec or spec_of(), data).objective(ridge=ridge, missing=missing, nonnegative=nonnegative)


def dense(data, missing, *, biased):
    """Return the table that is fitted, in units of the standard deviation, and the weight of each of its pairs."""
    found = np.full((data.n_users, data.n_items), np.nan)
    found[data.user, data.item] = data.values if biased else data.in_units(data.values) / data.spread
    if missing == "excluded":
        return np.nan_to_num(found), ~np.isnan(found)
    means = np.zeros(data.n_items)
    if missing == "mean":
        for item in range(data.n_items):
            rated = found[~np.isnan(found[:, item]), item]
            means[item] = rated.mean() if len(rated) else np.nanmean(found)
    return np.where(np.isnan(found), means, found), np.ones(found.shape, dtype=bool)


def dense_loss(point, data, missing, *, biased, ridge=RIDGE):
    target, weights = dense(data, missing, biased=biased)
    user, item = (point.rows[side].numpy() for side in ("user", "item"))
    eta = point.level + user @ item.T
    if biased:
        eta = point.level + user[:, :1] + item[:, :1].T + user[:, 1:] @ item[:, 1:].T
    return (np.sum(weights * (target - eta) ** 2) + ridge * (np.sum(user**2) + np.sum(item**2))) / 2


def somewhere(objective, seed=1):
    """Return a point with biases and a level, none of them 0."""
    rng = np.random.default_rng(seed)
    point = objective.start(rng)
    moved = {side: rows + torch.as_tensor(rng.uniform(0, 0.3, rows.shape)) for side, rows in point.rows.items()}
    return Point(moved, 0.2 if "level" in objective.blocks else 0.0)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("side", ["user", "item"])
def test_least_squares_are_a_ridge_regression_of_each_row(table, missing, side):
    data, biased = observed(table), missing == "excluded"
    objective = objective_of(data, missing=missing)
    point = somewhere(objective)
    found = objective.solve(point, side).rows[side].numpy()
    target, weights = dense(data, missing, biased=biased)
    if side == "item":
        target, weights = target.T, weights.T
    across = point.rows["item" if side == "user" else "user"].numpy()
    for row in range(len(found)):
        design, left = across[weights[row]], target[row, weights[row]]
        if biased:
            left = left - point.level - design[:, 0]
            design = np.column_stack([np.ones(len(design)), design[:, 1:]])
        tall = np.vstack([design, np.sqrt(RIDGE) * np.eye(across.shape[1])])
        answer = np.linalg.lstsq(tall, np.concatenate([left, np.zeros(across.shape[1])]))[0]
        np.testing.assert_allclose(found[row], answer, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_the_loss_is_that_of_the_dense_table(table, missing, nonnegative):
    data = observed(table)
    objective = objective_of(data, missing=missing, nonnegative=nonnegative)
    point = somewhere(objective)
    biased = missing == "excluded" and not nonnegative
    assert objective.loss(point) == pytest.approx(dense_loss(point, data, missing, biased=biased), rel=ROUNDING)


def slope_by_differences(objective, point, side):
    width, slope = 1e-5, np.empty(point.rows[side].shape)
    for place in np.ndindex(slope.shape):
        ends = []
        for sign in (1, -1):
            rows = point.rows[side].clone()
            rows[place] += sign * width
            ends.append(objective.loss(point.but(side, rows)))
        slope[place] = (ends[0] - ends[1]) / (2 * width)
    return slope


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("side", ["user", "item"])
def test_the_gradient_is_the_slope_of_the_loss(table, missing, side):
    objective = objective_of(observed(table), missing=missing)
    point = somewhere(objective)
    step = (point.rows[side] - objective.descend(point, side, 0.01).rows[side]).numpy() / 0.01
    slope = slope_by_differences(objective, point, side)
    np.testing.assert_allclose(step, slope, rtol=1e-6, atol=1e-7)
    assert not np.allclose(-step, slope, rtol=0.1)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("side", ["user", "item"])
def test_a_gradient_step_takes_each_row_to_the_minimum_along_its_gradient(table, missing, side):
    objective = objective_of(observed(table), missing=missing)
    point = somewhere(objective)
    moved = objective.descend(point, side, None).rows[side]
    along = moved - point.rows[side]
    assert along.abs().sum(1).min() > 0
    for row in range(len(moved)):
        losses = []
        for by in (-1e-3, 0.0, 1e-3):
            rows = moved.clone()
            rows[row] += by * along[row]
            losses.append(objective.loss(point.but(side, rows)))
        assert np.isfinite(losses).all()
        assert min(losses) == losses[1]


def test_the_level_goes_to_its_minimum(table):
    objective = objective_of(observed(table))
    point = somewhere(objective)
    solved = objective.solve(point, "level")
    assert solved.level == objective.descend(point, "level", None).level
    losses = [objective.loss(solved._replace(level=solved.level + by)) for by in (-1e-4, 0.0, 1e-4)]
    assert min(losses) == losses[1]


def test_columns_go_to_their_minimum_among_numbers_that_are_not_negative(table):
    objective = objective_of(observed(table), nonnegative=True)
    point = somewhere(objective)
    found = objective.project(point, "user")
    best = objective.loss(found)
    last = found.rows["user"][:, -1]
    assert (last == 0).any()
    assert (last > 0).any()
    for by in (-1e-3, 1e-3):
        rows = found.rows["user"].clone()
        rows[:, -1] = (last + by).clamp_min(0.0)
        assert objective.loss(found.but("user", rows)) >= best


CONFIGS = [
    *((ALSConfig, missing, False) for missing in MISSING),
    *((GDConfig, missing, False) for missing in MISSING),
    *((NMFConfig, missing, nonnegative) for missing in MISSING for nonnegative in (False, True)),
]


@pytest.mark.parametrize(("config", "missing", "nonnegative"), CONFIGS)
def test_the_loss_never_rises(table, config, missing, nonnegative):
    model = FactorPoint(spec_of(nonnegative=nonnegative), observed(table, centred=not nonnegative))
    draws = fit_alternating(model, config(missing=missing, ridge=0.3, tolerance=0), seed=2)
    assert draws.engine["largest_increase"] <= ROUNDING
    assert draws.groups["history"]["loss"][-1] < draws.groups["history"]["loss"][0]


@pytest.mark.parametrize("missing", MISSING)
def test_gradient_and_least_squares_find_the_same_minimum(table, missing):
    model = FactorPoint(spec_of(), observed(table))
    by = {
        config: fit_alternating(
            model, config(missing=missing, ridge=1.0, tolerance=1e-11, max_iterations=20_000), seed=4
        )
        for config in (ALSConfig, GDConfig)
    }
    first, second = by.values()
    assert first.engine["loss"] == pytest.approx(second.engine["loss"], rel=1e-7)
    np.testing.assert_allclose(first.values["rating"], second.values["rating"], atol=1e-3)


def test_a_large_ridge_leaves_the_level_alone(table):
    data = observed(table)
    draws = fit_alternating(FactorPoint(spec_of(), data), ALSConfig(ridge=1e9), seed=1)
    assert draws.values["level"].item() == pytest.approx(data.centre, abs=1e-6)
    assert draws.values["train_rmse"].item() == pytest.approx(data.spread, abs=1e-6)


def test_a_complete_table_is_factorised_as_by_its_singular_values():
    rng = np.random.default_rng(3)
    complete = rng.uniform(1, 5, (12, 8))
    data, ridge = observed(complete, tested=False), 0.5
    draws = fit_alternating(
        FactorPoint(spec_of(), data),
        ALSConfig(missing="zero", ridge=ridge, tolerance=1e-14, max_iterations=5000),
        seed=1,
    )
    left, singular, right = np.linalg.svd(complete / data.spread)
    answer = (left[:, :RANK] * np.maximum(singular[:RANK] - ridge, 0)) @ right[:RANK]
    user, item = (draws.groups["factors"][f"{side}_rows"][0, 0] for side in ("user", "item"))
    np.testing.assert_allclose(user[:, 1:] @ item[:, 1:].T, answer, atol=1e-4)


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("missing", ["excluded", "zero"])
def test_non_negative_factors_of_a_complete_table_are_as_good_as_those_of_scikit_learn(missing, nonnegative):
    from sklearn.decomposition import NMF

    rng = np.random.default_rng(8)
    complete = rng.gamma(2.0, size=(20, 3)) @ rng.gamma(2.0, size=(3, 12)) + rng.uniform(0, 2, (20, 12))
    data = observed(complete, centred=not nonnegative, tested=False)
    config = NMFConfig(missing=missing, ridge=0.0, tolerance=1e-7, max_iterations=1000)
    losses = [
        fit_alternating(FactorPoint(spec_of(3, nonnegative), data), config, seed=seed).engine["loss"]
        for seed in range(3)
    ]
    peer = NMF(3, init="random", random_state=0, max_iter=5000, tol=1e-8, solver="cd").fit(complete / data.spread)
    assert min(losses) <= 1.01 * peer.reconstruction_err_**2 / 2


def test_a_ridge_on_non_negative_factors_is_that_of_scikit_learn():
    from sklearn.decomposition import NMF

    rng = np.random.default_rng(8)
    complete = rng.gamma(2.0, size=(16, 2)) @ rng.gamma(2.0, size=(2, 10)) + rng.uniform(0, 2, (16, 10))
    data = observed(complete, tested=False)
    scaled = complete / data.spread
    found = fit_alternating(
        FactorPoint(spec_of(), data), NMFConfig(ridge=2.0, tolerance=1e-13, max_iterations=5000), seed=1
    )
    peer = NMF(2, init="random", random_state=0, max_iter=5000, tol=1e-9, alpha_W=2.0 / 10, alpha_H=2.0 / 16)
    user = peer.fit_transform(scaled)
    item = peer.components_
    loss = (np.sum((scaled - user @ item) ** 2) + 2.0 * (np.sum(user**2) + np.sum(item**2))) / 2
    assert found.engine["loss"] == pytest.approx(loss, rel=1e-4)


def test_missing_ratings_as_zeros_are_not_missing(table):
    data = observed(table)
    by = {
        missing: fit_alternating(FactorPoint(spec_of(), data), ALSConfig(missing=missing, ridge=1.0), seed=1)
        for missing in MISSING
    }
    level = {missing: draws.values["level"].item() for missing, draws in by.items()}
    error = {missing: draws.values["test_rmse"].item() for missing, draws in by.items()}
    assert level["zero"] < 0.75 * level["excluded"]
    assert level["mean"] == pytest.approx(level["excluded"], rel=0.1)
    assert error["zero"] > 1.2 * error["excluded"]


@pytest.mark.parametrize(("config", "missing", "nonnegative"), CONFIGS)
def test_what_is_kept_says_what_was_predicted(table, config, missing, nonnegative):
    data, spec = observed(table, centred=not nonnegative), spec_of(nonnegative=nonnegative)
    draws = fit_alternating(FactorPoint(spec, data), config(missing=missing, ridge=1.0), seed=1)
    factors, held_out = draws.groups["factors"], draws.groups["held_out"]
    assert set(factors) == {"mu", "user_rows", "item_rows"}
    assert {name: array.shape for name, array in factors.items()} == {
        "mu": (1, 1),
        "user_rows": (1, 1, N_USERS, spec.width),
        "item_rows": (1, 1, N_ITEMS, spec.width),
    }
    user, item = factors["user_rows"][0, 0][data.test_user], factors["item_rows"][0, 0][data.test_item]
    first = spec.width - spec.rank
    eta = factors["mu"].item() + (user[:, first:] * item[:, first:]).sum(1)
    eta += user[:, 0] + item[:, 0] if first else 0.0
    np.testing.assert_allclose(held_out["raw"], data.in_units(eta), atol=2e-5)
    np.testing.assert_array_equal(held_out["mean"], np.clip(held_out["raw"], 1, 5))
    assert set(held_out) == {"user", "item", "rating", "mean", "raw"}
    error = np.sqrt(np.mean((held_out["mean"] - data.test_values) ** 2))
    assert draws.values["test_rmse"].item() == pytest.approx(error, rel=ROUNDING)
    history = draws.groups["history"]
    assert history["test_rmse"][-1] == draws.values["test_rmse"].item()
    assert history["train_rmse"][-1] == draws.values["train_rmse"].item()
    assert draws.engine["outside"] == np.mean((held_out["raw"] < 1) | (held_out["raw"] > 5))
    assert draws.engine["least_prediction"] == held_out["raw"].min()
    assert draws.engine["greatest_prediction"] == held_out["raw"].max()
    if config is NMFConfig:
        assert min(factors["user_rows"].min(), factors["item_rows"].min()) >= 0


def test_without_test_ratings_all_pairs_are_looked_at(table, monkeypatch):
    data = observed(table, tested=False)
    chunked = []
    for most in (10**6, 20):
        monkeypatch.setattr("bayeskit.models.factors._estimate._CHUNK", most)
        chunked.append(fit_alternating(FactorPoint(spec_of(), data), ALSConfig(missing="zero", ridge=0.01), seed=1))
    draws = chunked[0]
    factors = {name: array[0, 0] for name, array in draws.groups["factors"].items()}
    raw = data.in_units(factors["mu"] + factors["user_rows"][:, 1:] @ factors["item_rows"][:, 1:].T)
    assert draws.engine["n_predictions"] == N_USERS * N_ITEMS
    assert draws.engine["outside"] == pytest.approx(np.mean((raw < 1) | (raw > 5)))
    assert draws.engine["least_prediction"] == pytest.approx(raw.min(), abs=1e-5)
    assert draws.engine["greatest_prediction"] == pytest.approx(raw.max(), abs=1e-5)
    assert {name: chunked[1].engine[name] for name in draws.engine} == draws.engine
    assert "held_out" not in draws.groups
    assert "test_rmse" not in draws.values
    assert "test_rmse" not in draws.groups["history"]


def test_train_rmse_is_of_training_ratings_and_not_of_imputed_ones(table):
    data = observed(table)
    objective = objective_of(data, missing="zero")
    point = somewhere(objective)
    eta = (point.rows["user"] @ point.rows["item"].T).numpy()[data.user, data.item]
    error = np.sqrt(np.mean((data.spread * eta - data.in_units(data.values)) ** 2))
    assert objective.errors(point)["train_rmse"] == pytest.approx(error, rel=ROUNDING)


def test_users_and_items_that_nobody_has_seen_are_as_the_others(table):
    data = observed(table)
    for config, alike in (
        (ALSConfig, lambda rows: np.zeros(rows.shape[1])),
        (NMFConfig, lambda rows: rows[:-1].mean(0)),
    ):
        factors = fit_alternating(FactorPoint(spec_of(), data), config(), seed=1).groups["factors"]
        for side in ("user", "item"):
            rows = factors[f"{side}_rows"][0, 0]
            np.testing.assert_allclose(rows[-1], alike(rows), atol=1e-6)


@pytest.mark.parametrize(("config", "missing", "nonnegative"), CONFIGS)
def test_predictions_follow_the_unit_of_the_ratings(table, config, missing, nonnegative):
    raw = [
        fit_alternating(
            FactorPoint(spec_of(nonnegative=nonnegative), observed(unit * table, centred=not nonnegative)),
            config(missing=missing, max_iterations=5),
            seed=1,
        ).groups["held_out"]["raw"]
        for unit in (1.0, 8.0)
    ]
    np.testing.assert_allclose(raw[1], 8 * raw[0], rtol=1e-9)


def test_equal_seeds_give_equal_bits_on_any_number_of_threads(table):
    model = FactorPoint(spec_of(), observed(table))
    before, found = torch.get_num_threads(), []
    try:
        for threads, seed in ((1, 1), (2, 1), (1, 2)):
            torch.set_num_threads(threads)
            found.append(fit_alternating(model, ALSConfig(max_iterations=4), seed=seed).groups["held_out"]["raw"])
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("config", [ALSConfig, GDConfig])
def test_rows_and_pairs_in_blocks_are_as_those_at_once(table, monkeypatch, config):
    model = FactorPoint(spec_of(), observed(table))
    raw = []
    for numbers in (2**25, 20):
        for module in ("_rows", "_squares"):
            monkeypatch.setattr(f"bayeskit.models.factors.{module}._BLOCK", numbers)
        raw.append(fit_alternating(model, config(max_iterations=4), seed=1).groups["held_out"]["raw"])
    np.testing.assert_allclose(raw[0], raw[1], rtol=ROUNDING)


def test_imputing_makes_no_dense_table(monkeypatch):
    """Of a million pairs, no tensor that is summed has more numbers than rows and ratings have."""
    rng = np.random.default_rng(1)
    n, n_ratings, largest = 1000, 3000, []
    user, item = rng.integers(n, size=(2, n_ratings))
    data = replace(
        observed(np.eye(2) + 1), user=user, item=item, values=rng.normal(size=n_ratings), n_users=n, n_items=n
    )
    original = _squares.embedding_bag

    def watched(index, weight, offsets, **options):
        found = original(index, weight, offsets, **options)
        largest.extend([index.numel(), weight.numel(), found.numel()])
        return found

    monkeypatch.setattr(_squares, "embedding_bag", watched)
    objective = objective_of(data, missing="mean")
    point = objective.descend(objective.solve(objective.start(rng), "user"), "item", None)
    objective.loss(point)
    assert largest
    assert max(largest) <= max(n_ratings, n * RANK)


def test_a_learning_rate_that_is_too_large_diverges(table):
    model = FactorPoint(spec_of(), observed(table))
    with pytest.raises(InferenceError, match=r"gd diverges.*give a learning_rate below 1, or none"):
        fit_alternating(model, GDConfig(learning_rate=1.0), seed=1)
    engine = fit_alternating(model, GDConfig(learning_rate=0.02, ridge=1.0), seed=1).engine
    assert engine["largest_increase"] <= ROUNDING


def test_a_ridge_that_is_too_small_for_least_squares_is_named(table):
    model = FactorPoint(spec_of(6), observed(table))
    with pytest.raises(InferenceError, match=r"the ridge 1e-300 is too small.*give a larger ridge"):
        fit_alternating(model, ALSConfig(ridge=1e-300), seed=1)


def test_models_that_have_no_point_estimate_are_refused(table):
    data = observed(table)
    with pytest.raises(ConfigError, match="levels have none; take --likelihood normal"):
        FactorPoint(spec_of(likelihood="ordinal"), data)
    features = Features(np.ones((N_USERS, 1)), np.zeros(1, dtype=np.int64), ("age",), ("age",))
    spec = replace(spec_of(), n_features={"user": 1, "item": 0}, n_groups={"user": 1, "item": 0})
    with pytest.raises(ConfigError, match="no features; leave --features out"):
        FactorPoint(spec, replace(data, user_features=features))
    with pytest.raises(ConfigError, match="take engine nmf, or leave --nonnegative out"):
        objective_of(observed(table, centred=False), spec=spec_of(nonnegative=True))
