"""Proposals: densities as scipy's, draws as their densities say, and one line where there is no such distribution."""

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.errors import ConfigError
from bayeskit.core.proposals import Mixture, Normal, Proposal, ShiftedExponential, StudentT, Uniform

ALPHA = 1e-7  # of each test here; 1e-5 for the whole suite
MEAN, COVARIANCE = np.array([1.0, -2.0, 300.0]), np.array([[2.0, 0.6, 10.0], [0.6, 0.5, -3.0], [10.0, -3.0, 900.0]])

NORMAL = Normal(MEAN, COVARIANCE)
STUDENT = StudentT(3.5, MEAN, COVARIANCE)
BOX = Uniform(np.array([-1.0, 5.0]), np.array([2.0, 5.5]))
ABOVE = ShiftedExponential(2.0, 2.5)
NARROW, WIDE = Normal([-2.0], 0.25), StudentT(4.0, [3.0], [[2.0]])
MIXED = Mixture([3.0, 7.0], [NARROW, WIDE])
ALL = {
    "normal": (NORMAL, stats.multivariate_normal(MEAN, COVARIANCE).logpdf),
    "student": (STUDENT, stats.multivariate_t(MEAN, COVARIANCE, df=3.5).logpdf),
    "uniform": (BOX, lambda x: stats.uniform([-1, 5], [3, 0.5]).logpdf(x).sum(axis=1)),
    "exponential": (ABOVE, lambda x: stats.expon(2.0, 1 / 2.5).logpdf(x[:, 0])),
    "mixture": (
        MIXED,
        lambda x: np.log(0.3 * stats.norm(-2, 0.5).pdf(x[:, 0]) + 0.7 * stats.t(4, 3, 2**0.5).pdf(x[:, 0])),
    ),
}
MARGINALS = {
    "normal": [stats.norm(m, s) for m, s in zip(MEAN, np.sqrt(np.diag(COVARIANCE)), strict=True)],
    "student": [stats.t(3.5, m, s) for m, s in zip(MEAN, np.sqrt(np.diag(COVARIANCE)), strict=True)],
    "uniform": [stats.uniform(-1, 3), stats.uniform(5, 0.5)],
    "exponential": [stats.expon(2.0, 1 / 2.5)],
}


@pytest.mark.parametrize("name", ALL)
def test_densities_are_scipy_s(name):
    proposal, log_density = ALL[name]
    assert isinstance(proposal, Proposal)
    points = proposal.sample(np.random.default_rng(1), 500)
    assert points.shape == (500, proposal.n_dims)
    points = np.vstack([points, points + 1.7, points - 40])
    with np.errstate(divide="ignore"):
        expected = log_density(points)
    np.testing.assert_allclose(proposal.log_density(points), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", MARGINALS)
def test_every_coordinate_is_drawn_as_its_density_says(name):
    points = ALL[name][0].sample(np.random.default_rng(2), 20_000)
    assert min(p_values(points, MARGINALS[name])) > ALPHA / 3
    # Negative control: a standard deviation 10 % too large.
    centre = np.median(points, axis=0)
    assert max(p_values(centre + 1.1 * (points - centre), MARGINALS[name])) < ALPHA


def test_directions_too_are_drawn_with_the_covariance():
    """Squared Mahalanobis distances of a normal are chi-square, those of a t are d F(d, df)."""
    rng = np.random.default_rng(3)
    for proposal, exact in ((NORMAL, stats.chi2(3)), (STUDENT, stats.f(3, 3.5, scale=3))):
        points = proposal.sample(rng, 20_000) - MEAN
        distance = np.einsum("ij,jk,ik->i", points, np.linalg.inv(COVARIANCE), points)
        assert stats.kstest(distance, exact.cdf).pvalue > ALPHA
        diagonal = np.einsum("ij,ij->i", points / np.diag(COVARIANCE), points)  # negative control
        assert stats.kstest(diagonal, exact.cdf).pvalue < ALPHA


def test_a_mixture_draws_its_parts_by_their_weights():
    points = MIXED.sample(np.random.default_rng(4), 40_000)[:, 0]

    def below(x, share):
        return share * stats.norm(-2, 0.5).cdf(x) + (1 - share) * stats.t(4, 3, 2**0.5).cdf(x)

    assert stats.kstest(points, lambda x: below(x, 0.3)).pvalue > ALPHA
    assert stats.kstest(points, lambda x: below(x, 0.35)).pvalue < ALPHA  # negative control
    # Where a part is nowhere, the other counts.
    split = Mixture([1.0, 1.0], [Uniform([0.0], [1.0]), Uniform([2.0], [3.0])])
    np.testing.assert_array_equal(split.log_density(np.array([[0.5], [1.5]])), [np.log(0.5), -np.inf])


def test_weights_of_a_mixture_give_sum_1_and_edges_belong_to_the_box():
    np.testing.assert_allclose(MIXED.weights, [0.3, 0.7])
    assert np.isfinite(BOX.log_density(np.array([[-1.0, 5.0], [2.0, 5.5]]))).all()
    narrow = Uniform([1.0], [1.0 + 2**-50])
    points = narrow.sample(np.random.default_rng(5), 1000)
    assert np.isfinite(narrow.log_density(points)).all()


def test_whether_a_covariance_is_singular_does_not_depend_on_units():
    scales = np.array([1e-9, 1.0, 1e9])
    assert Normal(np.zeros(3), COVARIANCE * np.outer(scales, scales)).n_dims == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Normal([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]]), "covariance is singular"),
        (lambda: Normal([0.0, 0.0], [[1.0, 1 - 1e-17], [1 - 1e-17, 1.0]]), "covariance is singular"),
        (lambda: Normal([0.0, 0.0], [[1.0, 0.0], [0.0, 0.0]]), "covariance is singular"),
        (lambda: Normal([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]), "covariance is singular"),
        (lambda: Normal([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]]), "covariance is not symmetric"),
        (lambda: Normal([0.0, 0.0], [1.0, 1.0]), "covariance must have shape"),
        (lambda: Normal([0.0, np.nan], np.eye(2)), "mean must be finite, got nan"),
        (lambda: Normal([], np.eye(0)), "mean must hold at least one number"),
        (lambda: Normal("far", np.eye(2)), "mean must be numbers"),
        (lambda: StudentT(4, [0.0, 0.0], np.ones((2, 2))), "scale_matrix is singular"),
        (lambda: StudentT(0, [0.0], [[1.0]]), "degrees_of_freedom must be a number above 0"),
        (lambda: StudentT(np.nan, [0.0], [[1.0]]), "degrees_of_freedom must be a number above 0"),
        (lambda: Uniform([0.0, 1.0], [1.0, 1.0]), "lower must lie below upper"),
        (lambda: Uniform([0.0, 1.0], [1.0]), "lower must lie below upper"),
        (lambda: Uniform([0.0], [np.inf]), "upper must be finite"),
        (lambda: Uniform([-1e308], [1e308]), "take a smaller box"),
        (lambda: ShiftedExponential(0.0, 0.0), "rate must be"),
        (lambda: ShiftedExponential(np.inf, 1.0), "origin must be"),
        (lambda: Mixture([0.5], [NARROW, WIDE]), "weights must be 2 numbers above 0"),
        (lambda: Mixture([1.0, 0.0], [NARROW, WIDE]), "weights must be 2 numbers above 0"),
        (lambda: Mixture([1.0, 1.0], [NARROW, BOX]), "as many coordinates"),
    ],
)
def test_what_is_no_distribution_is_refused_in_one_line(make, words):
    with pytest.raises(ConfigError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def p_values(points, marginals):
    return [stats.kstest(points[:, place], exact.cdf).pvalue for place, exact in enumerate(marginals)]
