"""Points that chains start from: where they lie, and that each depends on the seed and its place alone."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch
from inference.svi_programs import exact, regression
from inference.test_svi import DATA
from pyro import distributions as dist
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference._initial import KINDS, initial_points
from bayeskit.inference._pyro_density import pyro_density


@pytest.fixture(scope="module")
def density():
    return pyro_density(regression, DATA)


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_does_not_depend_on_how_many_there_are(density, kind):
    three = initial_points(kind, density, regression, DATA, None, 5, 3)
    assert three.shape == (3, 2)
    np.testing.assert_array_equal(initial_points(kind, density, regression, DATA, None, 5, 1), three[:1])
    assert len(np.unique(three)) == 6
    assert not np.isin(initial_points(kind, density, regression, DATA, None, 6, 1), three).any()


@pytest.mark.parametrize(("kind", "inflated"), [("svi", 1.5), ("pathfinder", 1.5)])
def test_points_by_approximation_are_draws_of_nearly_the_posterior(density, kind, inflated):
    """Mahalanobis distances of eight points; that so many of the prior lie so close is out of the question."""
    mean, covariance, _ = exact()

    def distance(points):
        return float(np.einsum("ni,ij,nj->", points - mean, np.linalg.inv(covariance), points - mean))

    bound = stats.chi2(16).isf(1e-7) * inflated
    assert distance(initial_points(kind, density, regression, DATA, None, 1, 8)) < bound
    assert distance(initial_points("prior", density, regression, DATA, None, 1, 8)) > bound


def positive():
    pyro.sample("x", dist.LogNormal(1.0, 0.5))
    z = pyro.sample("z", dist.Bernoulli(0.5))
    pyro.sample("y", dist.Normal(z, 1.0), obs=torch.tensor(0.0))


def test_points_of_the_prior_are_its_draws_unconstrained():
    """The log of a log-normal number is normal; the discrete site is summed out."""
    points = initial_points("prior", pyro_density(positive), positive, (), None, 1, 300)
    assert stats.kstest(points[:, 0], stats.norm(1.0, 0.5).cdf).pvalue > 1e-7
    assert stats.kstest(np.exp(points[:, 0]), stats.norm(1.0, 0.5).cdf).pvalue < 1e-7  # negative control


def test_what_cannot_be_had_is_told(density):
    with pytest.raises(ConfigError, match="start 'guess' is unknown; choose from svi, pathfinder, prior"):
        initial_points("guess", density, regression, DATA, None, 1, 1)
    plain = Density(lambda x: -(x**2).sum(-1), {"x": (1,)}, gradient=lambda x: (-(x**2).sum(-1), -2 * x))
    with pytest.raises(ConfigError, match="'prior' needs a Pyro program"):
        initial_points("prior", plain, None, (), None, 1, 1)
    nowhere = Density(
        lambda x: x[:, 0] * np.nan, {"x": (1,)}, gradient=lambda x: (np.full(len(x), -np.inf), np.full(x.shape, np.nan))
    )
    for kind in ("svi", "pathfinder"):
        with pytest.raises(InferenceError, match="none of 100 points drawn from"):
            initial_points(kind, nowhere, None, (), None, 1, 1)
