"""Conditionals of rows: against dense algebra, row by row, with the random numbers in hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from bayeskit.models.factors import _rows
from bayeskit.models.factors._normal import draw_above_zero
from bayeskit.models.factors._rows import draw_positive_rows, draw_rows, links_of, moments, predicted

ALPHA = 1e-6  # false alarms of a test
N_ROWS, N_OTHER, WIDTH, TAU = 5, 4, 3, 1.7
STREAM = torch.Generator()


def some(positive=False, seed=1):
    """Return ratings by row, the other side's table and a prior; the row before the last has no ratings."""
    rng = np.random.default_rng(seed)
    row, other = (places.ravel() for places in np.indices((N_ROWS, N_OTHER)))
    kept = (row != N_ROWS - 2) & (rng.random(row.size) < 0.8)
    order = rng.permutation(np.flatnonzero(kept))
    row, other = row[order], other[order]
    table = rng.standard_normal((N_OTHER, WIDTH))
    table = np.abs(table) if positive else np.column_stack([np.ones(N_OTHER), table[:, 1:]])
    half = rng.standard_normal((WIDTH, WIDTH))
    return {
        "row": row,
        "other": other,
        "ratings": rng.standard_normal(row.size),
        "table": table,
        "mean": rng.standard_normal((N_ROWS, WIDTH)),
        "precision": half @ half.T + np.eye(WIDTH),
    }


def tensors(given, *names):
    links = links_of(given["row"], given["other"], N_ROWS, "cpu")
    return links, *(torch.as_tensor(given[name]) for name in names)


def fixed(monkeypatch, name, value):
    """Have torch draw given numbers."""
    monkeypatch.setattr(
        torch, name, lambda shape, dtype, **_: torch.as_tensor(value, dtype=dtype).expand(shape).clone()
    )


def dense(given, row):
    """Return mean and covariance of a row."""
    own = given["row"] == row
    across, ratings = given["table"][given["other"][own]], given["ratings"][own]
    precision = given["precision"] + TAU * across.T @ across
    towards = given["precision"] @ given["mean"][row] + TAU * across.T @ ratings
    return np.linalg.solve(precision, towards), np.linalg.inv(precision)


def test_rows_are_drawn_around_their_means_with_their_covariances(monkeypatch):
    given = some()
    parts = tensors(given, "ratings", "table", "mean", "precision")
    fixed(monkeypatch, "randn", 0.0)
    middle = draw_rows(*parts, TAU, STREAM).rows.numpy()
    sides = []
    for place in range(WIDTH):
        fixed(monkeypatch, "randn", np.eye(WIDTH)[:, [place]])
        sides.append(draw_rows(*parts, TAU, STREAM).rows.numpy() - middle)
    for row in range(N_ROWS):
        mean, covariance = dense(given, row)
        factor = np.array([side[row] for side in sides]).T
        np.testing.assert_allclose(middle[row], mean, rtol=1e-10)
        np.testing.assert_allclose(factor @ factor.T, covariance, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(middle[N_ROWS - 2], given["mean"][N_ROWS - 2], rtol=1e-10)


def test_rows_are_spread_as_normal_numbers_are():
    """The same by draws, with torch's own random numbers."""
    given, stream = some(), torch.Generator().manual_seed(1)
    links, *parts = tensors(given, "ratings", "table", "mean", "precision")
    drawn = np.array([draw_rows(links, *parts, TAU, stream).rows.numpy() for _ in range(2000)])
    for row in range(N_ROWS):
        mean, covariance = dense(given, row)
        white = np.linalg.solve(np.linalg.cholesky(covariance), (drawn[:, row] - mean).T)
        assert min(stats.kstest(column, "norm").pvalue for column in white) > ALPHA


def left(given, rows):
    return given["ratings"] - (rows[given["row"]] * given["table"][given["other"]]).sum(axis=1)


@pytest.mark.parametrize("block", [1, 2 * WIDTH**2, 10**6])
def test_what_is_explained_is_what_squares_fall_by(block, monkeypatch):
    """However many rows are drawn at a time."""
    monkeypatch.setattr(_rows, "_BLOCK", block)
    given = some()
    drawn = draw_rows(*tensors(given, "ratings", "table", "mean", "precision"), TAU, STREAM.manual_seed(2))
    rest, ratings = left(given, drawn.rows.numpy()), given["ratings"]
    assert drawn.explained == pytest.approx(ratings @ ratings - rest @ rest, rel=1e-10)
    assert drawn.total == pytest.approx((ratings - rest).sum(), rel=1e-10)


def test_single_precision_is_enough_for_what_is_explained():
    given = some()
    links, *parts = tensors(given, "ratings", "table", "mean", "precision")
    drawn = draw_rows(links, *(part.float() for part in parts), TAU, STREAM.manual_seed(2))
    rest, ratings = left(given, drawn.rows.double().numpy()), given["ratings"]
    assert drawn.rows.dtype == torch.float32
    assert drawn.explained == pytest.approx(ratings @ ratings - rest @ rest, abs=1e-4)


@pytest.mark.parametrize("block", [WIDTH**2, 10**6])
def test_moments_are_sums_over_each_row_s_ratings(block, monkeypatch):
    monkeypatch.setattr(_rows, "_BLOCK", block)
    given = some()
    found = list(moments(*tensors(given, "ratings", "table")))
    assert [part.rows for part in found][-1].stop == N_ROWS
    products, weighted = (torch.cat([getattr(part, name) for part in found]) for name in ("products", "weighted"))
    for row in range(N_ROWS):
        own = given["row"] == row
        across = given["table"][given["other"][own]]
        np.testing.assert_allclose(products[row], across.T @ across, atol=1e-12)
        np.testing.assert_allclose(weighted[row], across.T @ given["ratings"][own], atol=1e-12)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_rows_that_are_not_negative_are_drawn_column_by_column(share, monkeypatch):
    given, alpha = some(positive=True), np.array([0.5, 1.0, 4.0])
    links, ratings, table = tensors(given, "ratings", "table")
    start = np.abs(given["mean"])
    fixed(monkeypatch, "rand", share)
    drawn = draw_positive_rows(links, ratings, table, torch.tensor(start), torch.tensor(alpha), TAU, STREAM)
    expected = start.copy()
    for row in range(N_ROWS):
        own = given["row"] == row
        across = given["table"][given["other"][own]]
        for column in range(WIDTH):
            others = np.delete(np.arange(WIDTH), column)
            rest = given["ratings"][own] - across[:, others] @ expected[row, others]
            precision = alpha[column] + TAU * across[:, column] @ across[:, column]
            mean, sd = TAU * across[:, column] @ rest / precision, precision**-0.5
            expected[row, column] = stats.truncnorm(-mean / sd, np.inf, mean, sd).isf(share)
    np.testing.assert_allclose(drawn.rows, expected, rtol=1e-8, atol=1e-10)
    rest = left(given, expected)
    assert drawn.explained == pytest.approx(given["ratings"] @ given["ratings"] - rest @ rest, rel=1e-8)
    np.testing.assert_array_equal(start, np.abs(given["mean"]))  # what was given stays


@pytest.mark.parametrize("at", [-1e6, -400.0, -31.0, -29.0, -8.0, -1.0, 0.0, 2.0, 40.0])
def test_normal_numbers_above_zero_are_scipy_s(at, monkeypatch):
    """Beyond 30 standard deviations by how their density falls, to single precision; far beyond, exponential."""
    sd = 0.3
    for share in (1e-6, 0.1, 0.5, 0.9, 1 - 1e-6):
        fixed(monkeypatch, "rand", share)
        found = draw_above_zero(torch.tensor([at * sd], dtype=torch.float64), torch.tensor([sd]).double(), STREAM)
        far = at < -1000
        expected = np.log(share) / at * sd if far else stats.truncnorm(-at, np.inf, at * sd, sd).isf(share)
        assert found.item() == pytest.approx(expected, rel=2e-5 if at < -30 else 1e-6, abs=1e-10)


def test_normal_numbers_above_zero_come_as_often_as_they_should():
    stream = torch.Generator().manual_seed(3)
    for at in (-50.0, -3.0, 0.5):
        drawn = draw_above_zero(torch.full((4000,), at), torch.ones(4000), stream).numpy()
        assert (drawn >= 0).all()
        assert stats.kstest(drawn, stats.truncnorm(-at, np.inf, at, 1).cdf).pvalue > ALPHA
        assert stats.kstest(drawn, stats.truncnorm(-0.8 * at, np.inf, 0.8 * at, 1).cdf).pvalue < ALPHA or at > 0


def test_pairs_are_predicted_by_biases_and_products():
    rng = np.random.default_rng(4)
    user, item = rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    table = user @ item.T
    biased = user[:, :1] + item[:, 0] + user[:, 1:] @ item[:, 1:].T
    pairs = rng.integers(0, 4, 20), rng.integers(0, 5, 20)
    given = *(torch.tensor(rows) for rows in (user, item)), *(torch.tensor(places) for places in pairs)
    np.testing.assert_allclose(predicted(*given, biased=True), biased[pairs])
    np.testing.assert_allclose(predicted(*given, biased=False), table[pairs])
