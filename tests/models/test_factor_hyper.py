"""What rows are drawn from, given the rows: against textbook formulas and dense covariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models.factor_problems import features_of
from scipy import stats

from bayeskit.core.priors import Prior
from bayeskit.models.factors import _hyper
from bayeskit.models.factors._hyper import (
    Design,
    Population,
    design_of,
    deviations,
    draw_alpha,
    draw_coefficients,
    draw_wishart,
    wishart,
    wishart_arguments,
)

ALPHA = 1e-6  # false alarms of a test
WIDTH = 3
WISHART = Prior("factors", "wishart", (4.0, 0.4), families=("wishart",))
GAMMA = Prior("lambda", "gamma", (1.5, 0.2), lower=0.0)


def some(n_rows=7, n_features=4, seed=1):
    """Return rows, a population with coefficients, and their features."""
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((WIDTH, WIDTH))
    coefficients = torch.tensor(rng.standard_normal((n_features, WIDTH)))
    population = Population(
        rng.standard_normal(WIDTH), half @ half.T + np.eye(WIDTH), coefficients, np.array([0.7, 3.0])
    )
    return torch.tensor(rng.standard_normal((n_rows, WIDTH))), population, features_of(n_rows, n_features, rng)


def test_wishart_matrices_have_scipy_s_moments():
    rng, degrees = np.random.default_rng(2), 6.3
    inverse_scale = np.array([[2.0, 0.4, -0.3], [0.4, 1.0, 0.2], [-0.3, 0.2, 0.7]])
    law = stats.wishart(degrees, np.linalg.inv(inverse_scale))
    drawn = np.array([wishart(degrees, inverse_scale, rng) for _ in range(4000)])
    z = (drawn.mean(axis=0) - law.mean()) / np.sqrt(law.var() / len(drawn))
    assert np.abs(z).max() < stats.norm.isf(ALPHA / 18)
    log_det = np.linalg.slogdet(drawn)[1]
    theirs = np.linalg.slogdet(law.rvs(4000, random_state=rng))[1]
    assert stats.ks_2samp(log_det, theirs).pvalue > ALPHA
    # Along any direction they are chi-squared; with a degree of freedom more they are not.
    along = np.array([1.0, -2.0, 0.5])
    scaled = np.einsum("i,nij,j->n", along, drawn, along) / (along @ np.linalg.solve(inverse_scale, along))
    assert stats.kstest(scaled, stats.chi2(degrees).cdf).pvalue > ALPHA
    assert stats.kstest(scaled, stats.chi2(degrees + 1).cdf).pvalue < ALPHA


def test_the_prior_s_covariance_is_on_average_what_it_says():
    rng = np.random.default_rng(3)
    degrees, inverse_scale = wishart_arguments(WISHART, WIDTH)
    mean = stats.invwishart(degrees, inverse_scale).mean()
    np.testing.assert_allclose(mean, 0.4**2 * np.eye(WIDTH))
    assert wishart(degrees, inverse_scale, rng).shape == (WIDTH, WIDTH)


class Told:
    """Random numbers that are known beforehand: gammas are their shapes, normal numbers 0; uniform ones are given."""

    def __init__(self, uniform=0.5):
        self.shapes, self._uniform = [], uniform

    def standard_gamma(self, shape):
        self.shapes.append(np.asarray(shape))
        return np.asarray(shape, dtype=float)

    def standard_normal(self, *size):
        return np.zeros(size) if size else 0.0

    def integers(self, high):
        return 0

    def random(self):
        return self._uniform


@pytest.mark.parametrize("n_features", [0, 4, 12])
def test_mean_and_precision_are_normal_wishart(n_features, monkeypatch):
    """Gelman et al. (2013), Bayesian data analysis, section 3.6, coefficients being further observations."""
    rows, population, features = some(n_features=n_features or 1)
    design = design_of(features, "cpu") if n_features else None
    asked = []
    fixed = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]])
    monkeypatch.setattr(_hyper, "wishart", lambda *given: asked.append(given) or fixed)
    found = draw_wishart(population, rows, design, WISHART, Told())
    ((degrees, inverse_scale, _),) = asked
    left, n, prior = rows.numpy(), len(rows), wishart_arguments(WISHART, WIDTH)
    extra = np.zeros((WIDTH, WIDTH))
    if n_features:
        b = population.coefficients.numpy()
        left = left - features.matrix @ b
        extra = sum(
            population.relevance[group] * np.outer(own, own) for group, own in zip(features.groups, b, strict=True)
        )
    middle = left.mean(axis=0)
    around = (left - middle).T @ (left - middle)
    assert degrees == pytest.approx(prior[0] + n + n_features)
    np.testing.assert_allclose(inverse_scale, prior[1] + around + n / (n + 1) * np.outer(middle, middle) + extra)
    np.testing.assert_allclose(found.mean, n / (n + 1) * middle)
    np.testing.assert_array_equal(found.precision, fixed)


def test_the_mean_is_as_sure_as_its_precision(monkeypatch):
    rows, population, _ = some()
    fixed = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]])
    monkeypatch.setattr(_hyper, "wishart", lambda *_: fixed)
    plain = Population(population.mean, population.precision)
    middle = draw_wishart(plain, rows, None, WISHART, Told()).mean
    rng = np.random.default_rng(4)
    drawn = np.array([draw_wishart(plain, rows, None, WISHART, rng).mean for _ in range(2000)])
    white = (drawn - middle) @ np.linalg.cholesky((len(rows) + 1) * fixed)
    assert min(stats.kstest(column, "norm").pvalue for column in white.T) > ALPHA
    assert np.abs(np.corrcoef(white.T) - np.eye(WIDTH)).max() < 5 / np.sqrt(2000)


def designs(features):
    """Return both ways to solve for coefficients: by the features' products, and by the rows'."""
    tall = design_of(features, "cpu")
    groups = range(len(features.names))
    parts = [tall.matrix[:, features.groups == group] for group in groups]
    products = torch.stack([part @ part.T for part in parts])
    gram = tall.matrix.T @ tall.matrix
    return [Design(tall.matrix, tall.groups, tall.counts, tall.columns, each) for each in (gram, products)]


def in_hand(monkeypatch, numbers):
    """Have torch draw these numbers, as many as are asked for at a time."""
    left = [numbers]

    def randn(*size, **_):
        count = int(np.prod(size))
        found, left[0] = left[0][:count], left[0][count:]
        return torch.tensor(found).reshape(size)

    monkeypatch.setattr(torch, "randn", randn)


@pytest.mark.parametrize(("n_rows", "n_features"), [(7, 4), (5, 9)])
@pytest.mark.parametrize("way", [0, 1])
def test_coefficients_are_normal_by_either_way(n_rows, n_features, way, monkeypatch):
    """One column at a time: the mean where noise is 0, and the covariance of what each number of the noise does."""
    rows, _, features = some(n_rows, n_features)
    relevance, white = np.array([0.7, 3.0]), rows[:, :1]
    design = designs(features)[way]
    assert design.tall == (way == 0)
    system = _hyper._system_of(design, relevance, white)
    n_noise = n_features if way == 0 else n_features + n_rows
    in_hand(monkeypatch, np.zeros(n_noise))
    middle = _hyper._draw_white(white, design, system, torch.Generator()).numpy()[:, 0]
    sides = []
    for unit in np.eye(n_noise):
        in_hand(monkeypatch, unit)
        sides.append(_hyper._draw_white(white, design, system, torch.Generator()).numpy()[:, 0] - middle)
    x, each = features.matrix, relevance[features.groups]
    covariance = np.linalg.inv(x.T @ x + np.diag(each))
    np.testing.assert_allclose(middle, covariance @ x.T @ white.numpy()[:, 0], rtol=1e-9)
    np.testing.assert_allclose(np.array(sides).T @ np.array(sides), covariance, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("way", [0, 1])
def test_coefficients_are_integrated_out(way):
    """What a system knows of its relevances is the density of the rows without coefficients, up to a constant."""
    rows, _, features = some(6, 4)
    design, found, expected = designs(features)[way], [], []
    for relevance in ([0.7, 3.0], [5.0, 0.2]):
        found.append(_hyper._system_of(design, np.array(relevance), rows).log_density)
        covariance = np.eye(6) + features.matrix / np.array(relevance)[features.groups] @ features.matrix.T
        expected.append(sum(stats.multivariate_normal(cov=covariance).logpdf(column) for column in rows.numpy().T))
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], rel=1e-10)
    assert found[1] != pytest.approx(found[0])


def test_coefficients_and_relevances_follow_the_rows(monkeypatch):
    """With no noise: coefficients are those of least squares with a ridge, in units of the rows' own noise."""
    rows, population, features = some()
    design = design_of(features, "cpu")
    in_hand(monkeypatch, np.zeros(1000))
    rng = Told()
    found = draw_coefficients(population, rows, design, GAMMA, rng, torch.Generator())
    x, left = features.matrix, rows.numpy() - population.mean
    ridge = np.diag(population.relevance[features.groups])
    b = np.linalg.solve(x.T @ x + ridge, x.T @ left)
    np.testing.assert_allclose(found.coefficients, b, rtol=1e-9)
    squares = np.einsum("fi,ij,fj->f", b, population.precision, b)
    shape = 1.5 + design.counts * WIDTH / 2
    np.testing.assert_allclose(rng.shapes[-1], shape)
    np.testing.assert_allclose(found.relevance, shape / (0.2 + np.bincount(features.groups, squares) / 2))


def test_what_coefficients_and_rows_say_of_the_precision():
    rows, population, features = some()
    mean, squares, n_features = deviations(population, rows, design_of(features, "cpu"))
    left = rows.numpy() - features.matrix @ population.coefficients.numpy()
    np.testing.assert_allclose(mean, left.mean(axis=0))
    b = population.coefficients.numpy() * np.sqrt(population.relevance[features.groups])[:, None]
    np.testing.assert_allclose(squares, (left - mean).T @ (left - mean) + b.T @ b)
    assert n_features == 4


def test_precisions_of_independent_numbers_are_gamma():
    rng, squares, counts = np.random.default_rng(5), np.array([3.0, 40.0]), np.array([4.0, 9.0])
    drawn = np.array([draw_alpha(squares, counts, GAMMA, rng) for _ in range(3000)])
    for place in range(2):
        law = stats.gamma(1.5 + counts[place] / 2, scale=1 / (0.2 + squares[place] / 2))
        assert stats.kstest(drawn[:, place], law.cdf).pvalue > ALPHA
        assert stats.kstest(drawn[:, place], stats.gamma(law.args[0] + 0.5, **law.kwds).cdf).pvalue < ALPHA
