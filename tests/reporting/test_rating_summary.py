"""What is computed of a factorisation's kept draws: nothing that depends on how factors are turned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reporting.rating_factories import rating_fit
from scipy import stats

from bayeskit.core.types import Fit
from bayeskit.reporting.rating_columns import members_of, quarters
from bayeskit.reporting.rating_draws import Drawn
from bayeskit.reporting.rating_reading import read_factorisation
from bayeskit.reporting.rating_summary import Summary, summarise
from bayeskit.reporting.rating_tastes import LIMIT, PERMUTATIONS, Tastes, permutation_test, read_tastes
from bayeskit.reporting.rating_view import Factorisation, Side

ALPHA = 1e-7  # of a test that rests on chance
FORMS: dict[str, dict[str, Any]] = {
    "normal": {},
    "ordinal": {"likelihood": "ordinal"},
    "nonnegative": {"nonnegative": True, "family": "ard"},
    "point": {"kind": "point"},
}


def read(fit: Fit) -> tuple[Factorisation, Summary]:
    found = read_factorisation(fit)
    assert found is not None
    summary = summarise(found)
    assert summary is not None
    return found, summary


def tables(found: Factorisation) -> tuple[list[Drawn], np.ndarray]:
    """Return the draws, and each one's table of what is expected of all users and items."""
    assert found.kept is not None
    drawn = list(found.kept.draws())
    everyone = np.arange(len(found.users)), np.arange(len(found.items))
    return drawn, np.stack([one.table(*everyone) for one in drawn])


def tastes_of(table: np.ndarray) -> np.ndarray:
    return table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()


@pytest.mark.parametrize("form", FORMS)
def test_items_and_users_have_the_means_of_the_whole_table(form: str) -> None:
    found, summary = read(rating_fit(**FORMS[form]))
    _, whole = tables(found)
    for followed, means in ((summary.items, whole.mean(1)), (summary.users, whole.mean(2))):
        if form == "ordinal":  # the other side is taken as normal
            assert (followed.draws - means).std() < 0.05 * means.std()
        else:
            np.testing.assert_allclose(followed.draws, means, atol=1e-5)


@pytest.mark.parametrize("form", ["normal", "nonnegative", "point"])
def test_splits_and_singular_values_are_those_of_what_users_and_items_make_together(form: str) -> None:
    found, summary = read(rating_fit(**FORMS[form]))
    _, whole = tables(found)
    for at, table in enumerate(whole):
        left = tastes_of(table)
        np.testing.assert_allclose(summary.splits.draws[at], left.std(0), atol=1e-5)
        values = np.linalg.svd(left, compute_uv=False)[: found.card.rank] / np.sqrt(left.size)
        np.testing.assert_allclose(summary.singular[at], values, atol=1e-6)


def test_levels_divide_friends_from_foes_by_what_they_are_expected_to_give() -> None:
    found, summary = read(rating_fit(likelihood="ordinal"))
    drawn, _ = tables(found)
    one = drawn[0]
    eta = one.user_bias[:, None] + one.item_bias + one.user_factors @ one.item_factors.T
    taste, middle = tastes_of(eta).std(0), eta.mean(0)
    ends = [one.scale.expected(middle + sign * taste, one.cutpoints) for sign in (1, -1)]
    np.testing.assert_allclose(summary.splits.draws[0], (ends[0] - ends[1]) / 2, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_cells_and_tastes_are_means_over_draws_that_differ_by_a_rotation(form: str) -> None:
    found, summary = read(rating_fit(**FORMS[form]))
    drawn, whole = tables(found)
    cells = np.ix_(summary.shown_users, summary.shown_items)
    np.testing.assert_allclose(summary.shown, np.clip(whole, 1, 5).mean(0)[cells], atol=1e-6)
    if form != "ordinal":
        mean = np.mean([tastes_of(table) for table in whole], axis=0)
        np.testing.assert_allclose(summary.tastes, mean[np.ix_(summary.taste_users, summary.taste_items)], atol=1e-6)
    if form == "normal":  # the mean of the rows themselves would say nothing
        rows = np.mean([one.user_factors for one in drawn], 0), np.mean([one.item_factors for one in drawn], 0)
        naive = tastes_of(rows[0] @ rows[1].T)
        assert naive.std() < 0.5 * summary.tastes.std()


def test_the_busiest_users_and_items_are_shown_and_all_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("MAX_SHOWN", 9), ("MAX_USERS", 25), ("MAX_ITEMS", 20)):
        monkeypatch.setattr(f"bayeskit.reporting.rating_summary.{name}", size)
    monkeypatch.setattr("bayeskit.reporting.rating_draws.MOST_NUMBERS", 0)
    found, summary = read(rating_fit())
    assert summary.shown.shape == (9, 9)
    assert summary.tastes.shape == (25, 20)
    assert summary.n_draws == 4
    assert found.kept is not None
    assert found.kept.n_kept == 12
    counts = found.counts("item")
    assert counts[summary.shown_items].min() >= np.delete(counts, summary.shown_items).max()


def test_draws_that_are_no_numbers_are_not_summarised() -> None:
    fit = rating_fit()
    fit.posterior["factors"]["item_rows"][0, 2, 5] = np.nan
    found = read_factorisation(fit)
    assert found is not None
    assert summarise(found) is None


def test_means_of_users_and_items_alone_are_a_baseline() -> None:
    found, _ = read(rating_fit())
    assert found.rated is not None
    assert found.tested is not None
    assert found.means_alone is not None
    rated, tested = found.rated, found.tested
    user, item = int(tested.user[0]), int(tested.item[0])
    of_item = {i: (rated.value[rated.item == i] - rated.mean).mean() for i in np.unique(rated.item)}
    mine = rated.user == user
    left = [v - rated.mean - of_item[i] for v, i in zip(rated.value[mine], rated.item[mine], strict=True)]
    expected = np.clip(rated.mean + np.mean(left) + of_item[item], 1, 5)
    assert found.means_alone[0] == pytest.approx(expected)


# Whether what is known of users goes with their tastes


def pseudo_f(points: np.ndarray, member: np.ndarray) -> float:
    """Compute Anderson's statistic as it was defined: from distances between pairs."""
    squares = ((points[:, None] - points) ** 2).sum(2)
    n, groups = len(points), np.unique(member)
    total = squares[np.triu_indices(n, 1)].sum() / n
    within = 0.0
    for group in groups:
        mine = np.flatnonzero(member == group)
        within += squares[np.ix_(mine, mine)][np.triu_indices(mine.size, 1)].sum() / mine.size
    return ((total - within) / (groups.size - 1)) / (within / (n - groups.size))


def test_the_share_between_groups_gives_the_statistic_of_distances() -> None:
    rng = np.random.default_rng(1)
    points, member = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    share, by_chance, _ = permutation_test(points, member)
    assert (share / 2) / ((1 - share) / 27) == pytest.approx(pseudo_f(points, member))
    assert by_chance == pytest.approx(2 / 29, rel=0.15)
    turned = points @ stats.ortho_group.rvs(4, random_state=rng) + 7
    assert permutation_test(turned, member) == pytest.approx((share, by_chance, permutation_test(points, member)[2]))


def test_p_is_uniform_without_an_effect_and_small_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayeskit.reporting.rating_tastes.PERMUTATIONS", 99)
    rng = np.random.default_rng(2)
    member = np.arange(24) % 3
    found = [permutation_test(rng.normal(size=(24, 3)), member, seed)[2] for seed in range(200)]
    assert stats.kstest(np.array(found) - rng.random(200) / 100, "uniform").pvalue > ALPHA
    planted = [permutation_test(rng.normal(size=(24, 3)) + np.eye(3)[member], member, seed)[2] for seed in range(200)]
    assert stats.kstest(np.array(planted) - rng.random(200) / 100, "uniform").pvalue < ALPHA


def test_points_that_are_all_alike_say_nothing() -> None:
    assert permutation_test(np.ones((10, 2)), np.arange(10) % 2) == (0.0, 0.0, 1.0)


def compared(fit: Fit) -> Tastes:
    found, summary = read(fit)
    tastes = read_tastes(found, summary)
    assert tastes is not None
    return tastes


def test_an_occupation_that_makes_taste_is_found_and_one_that_does_not_is_not() -> None:
    planted, nothing = compared(rating_fit(effect=1.0)), compared(rating_fit())
    main = planted.groupings[0]
    assert (main.name, set(main.groups)) == ("occupation", {"artist", "doctor", "writer"})
    assert main.p == 1 / (1 + PERMUTATIONS)
    assert planted.level(main) == pytest.approx(2 * main.p)  # occupation and age were tested; no two have the same zip
    assert main.share > 5 * main.by_chance
    assert nothing.level(nothing.groupings[0]) > LIMIT
    age = next(one for one in planted.groupings if one.name == "age")
    assert (len(age.groups), age.member[4]) == (4, -1)


def test_the_map_is_the_same_each_time_and_keeps_groups_together() -> None:
    first, second = compared(rating_fit(effect=1.5)), compared(rating_fit(effect=1.5))
    np.testing.assert_array_equal(first.places, second.places)
    member = first.groupings[0].member[first.drawn]
    away = ((first.places[:, None] - first.places) ** 2).sum(2) + np.diag(np.full(member.size, np.inf))
    assert np.mean(member[away.argmin(1)] == member) > 0.8


def test_of_many_users_some_are_drawn_and_all_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayeskit.reporting.rating_tastes.MAX_DRAWN", 30)
    tastes = compared(rating_fit())
    assert tastes.places.shape == (30, 2)
    assert tastes.groupings[0].member.size == tastes.users.size == 60


def test_users_without_a_table_are_told_apart_by_how_much_they_rate() -> None:
    assert [one.name for one in compared(rating_fit(tables=False)).groupings] == ["number of ratings"]


def test_too_few_users_have_no_map() -> None:
    found, summary = read(rating_fit(n_users=14))
    assert read_tastes(found, summary) is None


# Columns as groups


def test_columns_of_several_names_and_of_numbers_become_groups() -> None:
    genres = np.array(["Action|Drama", "Drama", "", "Comedy | Drama"] * 3)
    found = members_of(genres)
    assert list(found) == ["Drama", "Action", "Comedy"]
    np.testing.assert_array_equal(found["Comedy"], [3, 7, 11])
    names, member = quarters(np.arange(40.0))
    assert names == ("0 to 9", "10 to 19", "20 to 29", "30 to 39")
    np.testing.assert_array_equal(np.bincount(member), [10] * 4)
    few, member = quarters(np.array([1.0, 2.0, np.nan, 2.0] * 8))
    assert few == ("1", "2")
    assert member[2] == -1
    assert members_of(np.array([f"zip {i}" for i in range(200)])) == {}
    assert members_of(np.full(30, "same")) == {}
    assert members_of(np.full(30, np.nan)) == {}


def test_titles_have_their_year_once() -> None:
    side = Side(
        np.array(["1", "2", "3", "4"]),
        {
            "title": np.array(["Star Wars", "Fargo (1996)", "", "X" * 99]),
            "year": np.array([1977.0, 1996, 1999, np.nan]),
        },
    )
    assert [side.title(place) for place in range(3)] == ["Star Wars (1977)", "Fargo (1996)", "3"]
    assert side.title(3) == "X" * 43 + "…"
    assert replace(side, columns={}).title(0) == "1"
