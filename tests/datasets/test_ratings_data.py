"""Made-up ratings have the structure that they are said to have; MovieLens 100K is what the literature says it is."""

import time

import numpy as np
import pytest
from datasets.rating_files import synthetic_items, synthetic_ratings, synthetic_users, write_latest, write_u_data

from bayeskit.core.errors import DataError
from bayeskit.datasets.ratings import load_ratings
from bayeskit.datasets.sources import located


@pytest.mark.parametrize(
    ("n_users", "n_items", "n_ratings"), [(30, 50, 200), (50, 30, 1400), (20, 20, 400), (2, 40, 40)]
)
def test_every_user_and_item_is_there_and_no_pair_twice(n_users, n_items, n_ratings):
    frame = synthetic_ratings(n_users, n_items, n_ratings, 2, seed=3)
    assert len(frame) == n_ratings
    assert not frame.duplicated(["user", "item"]).any()
    assert set(frame["user"]) == set(range(1, n_users + 1))
    assert set(frame["item"]) == set(range(1, n_items + 1))
    assert set(frame["rating"]) <= {1, 2, 3, 4, 5}
    assert frame.equals(synthetic_ratings(n_users, n_items, n_ratings, 2, seed=3))
    assert not frame.equals(synthetic_ratings(n_users, n_items, n_ratings, 2, seed=4))
    assert len(synthetic_users(frame, 1)) == n_users
    assert len(synthetic_items(frame, 1)) == n_items


def test_structure_and_popularity():
    frame, mean, users, items = synthetic_ratings(400, 300, 12_000, 3, seed=1, levels=None, noise=0.5, truth=True)
    assert np.linalg.matrix_rank(users @ items.T) == 3
    residual = frame["rating"].to_numpy() - mean
    # The variance of n normal numbers has a relative standard deviation of sqrt(2 / n).
    assert abs(residual.var() / 0.25 - 1) < 4.5 * np.sqrt(2 / len(frame))
    product = np.einsum("nk,nk->n", users[frame["user"] - 1], items[frame["item"] - 1])
    assert abs(np.corrcoef(product, residual)[0, 1]) < 4.5 / np.sqrt(len(frame))
    counts = np.sort(np.bincount(frame["item"]))[::-1]
    assert counts[:30].sum() > 0.4 * len(frame)  # a tenth of the items has most of the ratings; of equal ones a tenth
    even = synthetic_ratings(400, 300, 12_000, 3, seed=1, tail=0)
    assert np.sort(np.bincount(even["item"]))[::-1][:30].sum() < 0.2 * len(even)


def test_movielens_100k():
    """Sizes that are known of the set and of u1.base, in which 32 films do not occur."""
    try:
        located("movielens-100k")
    except DataError as error:
        pytest.skip(str(error))
    found = load_ratings("movielens-100k", split="u1")
    assert (found.n_users, found.n_items, found.n_train, found.n_test) == (943, 1682, 80_000, 20_000)
    assert (found.n_known_users, found.n_known_items) == (943, 1650)
    assert np.unique(found.user[found.test]).size == 459
    assert np.unique(found.item[found.test]).size == 1410
    assert np.bincount(found.values.astype(int)).tolist() == [0, 6110, 11370, 27145, 34174, 21201]
    assert found.item_table.loc["1", ["title", "year"]].tolist() == ["Toy Story", 1995]
    assert found.user_table["occupation"].nunique() == 21


@pytest.mark.slow  # a million ratings take seconds to make and to write
@pytest.mark.parametrize("write", [write_u_data, write_latest])
def test_a_million_ratings_are_read_in_seconds(tmp_path, write):
    path = write(synthetic_ratings(6_000, 4_000, 1_000_000, 5, seed=1), tmp_path)
    start = time.perf_counter()
    assert load_ratings(path).n_ratings == 1_000_000
    assert time.perf_counter() - start < 4  # 0.5 s alone on a machine
