"""Draws from the mixture's prior against the distributions that they are to have.

Each p-value has to lie above ``ALPHA``; each kind of test has a control, draws that are a little off, which it rejects.
"""

import numpy as np
import pytest
from scipy import stats

from bayeskit.models.mixtures.parameters import components_of, weights_of
from bayeskit.models.mixtures.simulation import draw_prior_values, lkj_cholesky, simulate_points
from bayeskit.models.mixtures.spec import COVARIANCES, MixtureSpec, priors_of

ALPHA = 1e-7
N = 20_000


def spec_of(n_components=3, n_columns=3, covariance="full", dp=False, prior=()):
    priors = priors_of(n_columns=n_columns, covariance=covariance, dp=dp, overrides=tuple(prior))
    return MixtureSpec(n_components, n_columns, covariance, dp, priors)


def p_value(draws, distribution):
    return stats.kstest(draws, distribution.cdf).pvalue


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
@pytest.mark.parametrize("n_columns", [1, 2, 4])
@pytest.mark.parametrize("n_components", [1, 3])
def test_sites_have_their_shapes_and_lie_in_their_supports(covariance, dp, n_columns, n_components):
    spec = spec_of(n_components, n_columns, covariance, dp)
    values = draw_prior_values(spec, np.random.default_rng(1), 50)
    assert {name: value.shape for name, value in values.items()} == {
        name: (50, *shape) for name, shape in spec.shapes.items()
    }
    np.testing.assert_allclose(values["weights"].sum(axis=-1), 1)
    assert (values["weights"] >= 0).all()
    assert (values["scales"] > 0).all()
    if spec.correlated:
        factors = values["corr_cholesky"]
        np.testing.assert_allclose((factors**2).sum(axis=-1), 1)
        assert (np.diagonal(factors, axis1=-2, axis2=-1) > 0).all()
        np.testing.assert_array_equal(factors, np.tril(factors))
    if dp:
        np.testing.assert_allclose(values["weights"], weights_of(values["sticks"]))


@pytest.mark.parametrize(
    ("overrides", "means", "scales"),
    [
        ((), stats.norm(0, 2), stats.lognorm(0.8, scale=np.exp(-0.7))),
        (("means=normal(1, 0.5)", "scales=inv_gamma(3, 1)"), stats.norm(1, 0.5), stats.invgamma(3, scale=1)),
    ],
)
def test_means_and_scales(overrides, means, scales):
    values = draw_prior_values(spec_of(2, 2, prior=overrides), np.random.default_rng(2), N // 4)
    assert p_value(values["means"].ravel(), means) > ALPHA
    assert p_value(values["scales"].ravel(), scales) > ALPHA
    assert p_value(1.1 * values["scales"].ravel(), scales) < ALPHA


@pytest.mark.parametrize("concentration", [0.05, 1.0, 4.0])
def test_weights(concentration):
    spec = spec_of(4, prior=[f"weights=dirichlet({concentration})"])
    weights = draw_prior_values(spec, np.random.default_rng(3), N)["weights"]
    for k in (0, 3):
        assert p_value(weights[:, k], stats.beta(concentration, 3 * concentration)) > ALPHA
    # Two of them together, as the Dirichlet distribution has it; independent weights made to sum to 1 would not.
    assert p_value(weights[:, :2].sum(axis=1), stats.beta(2 * concentration, 2 * concentration)) > ALPHA
    assert p_value(weights[:, 0], stats.beta(1.2 * concentration, 3.6 * concentration)) < ALPHA


def test_weights_of_which_nearly_all_vanish_are_numbers():
    weights = draw_prior_values(spec_of(5, prior=["weights=dirichlet(0.0001)"]), np.random.default_rng(4), 1000)
    assert np.isfinite(np.log(weights["weights"])).all()
    np.testing.assert_allclose(weights["weights"].sum(axis=-1), 1)


def test_sticks():
    spec = spec_of(5, dp=True)
    values = draw_prior_values(spec, np.random.default_rng(5), N)
    assert p_value(values["concentration"], stats.gamma(2, scale=0.5)) > ALPHA
    # Beta(1, a) has the distribution function 1 - (1 - s)^a.
    for a, broken in ((values["concentration"], False), (values["concentration"] + 0.3, True)):
        uniform = 1 - (1 - values["sticks"]) ** a[:, None]
        found = [p_value(uniform[:, k], stats.uniform()) for k in range(4)]
        assert (max(found) < ALPHA) if broken else (min(found) > ALPHA)
    expected = 1 / (1 + values["concentration"])
    off = values["weights"][:, 0] - expected  # E of the first weight
    assert abs(off.mean()) < 5.5 * off.std() / np.sqrt(N)


def test_sticks_of_a_tiny_concentration_leave_something_for_the_rest():
    values = draw_prior_values(spec_of(5, dp=True, prior=["concentration=gamma(2, 1000)"]), np.random.default_rng(6), N)
    assert (values["sticks"] < 1).all()
    assert (values["sticks"] > 0).all()
    assert (values["weights"] >= 0).all()


@pytest.mark.parametrize("shape", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("n_columns", [2, 3, 5])
def test_every_correlation_has_its_marginal_distribution(shape, n_columns):
    """Of d columns each is Beta(shape - 1 + d/2, same) on (-1, 1): Lewandowski et al. (2009), section 3."""
    factors = lkj_cholesky(shape, (N,), n_columns, np.random.default_rng(7))
    correlations = factors @ np.swapaxes(factors, -1, -2)
    a = shape - 1 + n_columns / 2
    for i, j in zip(*np.triu_indices(n_columns, 1), strict=True):
        assert p_value((correlations[:, i, j] + 1) / 2, stats.beta(a, a)) > ALPHA
    assert p_value((correlations[:, 0, 1] + 1) / 2, stats.beta(1.25 * a, 1.25 * a)) < ALPHA


@pytest.mark.parametrize("broken", [False, True])
def test_correlations_together_are_as_by_rejection(broken):
    """Numbers from the cube, kept where they make a correlation matrix, with the chance of its determinant.

    The broken ones have every row's length from the same distribution.
    """
    rng = np.random.default_rng(8)
    n = 200_000
    r = rng.uniform(-1, 1, (n, 3))
    determinants = 1 - (r**2).sum(axis=1) + 2 * r.prod(axis=1)
    positive = determinants > 0
    kept = r[positive & (rng.random(n) < determinants)]
    factors = lkj_cholesky(2.0, (N,), 3, rng)
    if broken:
        factors[:, 2] = lkj_cholesky(2.0, (N,), 4, rng)[:, 2, :3]
    matrix = factors @ np.swapaxes(factors, -1, -2)
    found = matrix[:, [0, 0, 1], [1, 2, 2]]
    compared = [np.ptp, np.prod, lambda x, axis: 1 - (x**2).sum(axis=axis) + 2 * x.prod(axis=axis)]
    p_values = [stats.ks_2samp(statistic(found, axis=1), statistic(kept, axis=1)).pvalue for statistic in compared]
    assert (min(p_values) < ALPHA) if broken else (min(p_values) > ALPHA)


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("broken", [False, True])
def test_points_come_from_the_mixture(covariance, broken):
    """Components far apart: how many points each has, and how far these lie from it in its own metric."""
    spec = spec_of(3, 2, covariance)
    values = draw_prior_values(spec, np.random.default_rng(9), 1)
    values["means"] = 1000.0 * np.arange(3)[None, :, None] * np.ones((1, 3, 2))
    simulated = simulate_points(spec, values, N, np.random.default_rng(10))[0]
    components = components_of(spec, {name: value[0] for name, value in values.items()})
    chosen = np.abs(simulated[:, :1] - components.means[:, 0]).argmin(axis=1)
    weights = values["weights"][0, ::-1] if broken else values["weights"][0]
    off = (simulated - components.means[chosen])[..., None]
    whitened = np.linalg.solve(components.cholesky[chosen], off)[..., 0] * (1.05 if broken else 1)
    p_values = [
        stats.chisquare(np.bincount(chosen, minlength=3), N * weights).pvalue,
        p_value((whitened**2).sum(axis=1), stats.chi2(2)),
        p_value(whitened[:, 0], stats.norm()),
        p_value(whitened.sum(axis=1), stats.norm(0, np.sqrt(2))),
    ]
    assert (max(p_values[:2]) < ALPHA) if broken else (min(p_values) > ALPHA)


def test_points_of_many_mixtures_at_once():
    spec = spec_of(2, 2)
    values = draw_prior_values(spec, np.random.default_rng(11), 6)
    shaped = {name: value.reshape(2, 3, *value.shape[1:]) for name, value in values.items()}
    assert simulate_points(spec, shaped, 4, np.random.default_rng(12)).shape == (2, 3, 4, 2)
    flat = simulate_points(spec, values, 4, np.random.default_rng(12))
    np.testing.assert_array_equal(simulate_points(spec, shaped, 4, np.random.default_rng(12)).reshape(6, 4, 2), flat)
    one = simulate_points(spec, {name: value[0] for name, value in values.items()}, 4, np.random.default_rng(12))
    assert one.shape == (4, 2)
