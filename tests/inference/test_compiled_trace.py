"""Densities written down as graphs: against the density itself, operation by operation, for shapes of all kinds."""

from __future__ import annotations

import itertools

import numpy as np
import pyro
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyro import distributions as dist
from torch.distributions import utils

from bayeskit.inference import _compiled_matrices
from bayeskit.inference._compiled_trace import Traced, UntraceableError, traced
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.models.mixtures.program import gmm_program
from bayeskit.models.mixtures.spec import COVARIANCES, MixtureSpec, priors_of

TOLERANCE = 1e-10


def mixture(n_points, n_columns, n_components, covariance, dp, missing, seed=0):
    """A mixture's density, some of whose coordinates are missing."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n_points, n_columns))
    y[rng.random(y.shape) < missing] = np.nan
    priors = priors_of(n_columns=n_columns, covariance=covariance, dp=dp)
    return pyro_density(gmm_program, (torch.tensor(y), MixtureSpec(n_components, n_columns, covariance, dp, priors)))


def points(density, n_points=3, seed=1):
    return torch.tensor(np.random.default_rng(seed).uniform(-1.5, 1.5, (n_points, density.n_dims)))


def difference(graph, density, given_points):
    """By how much log densities and gradients differ at most, relative to their size."""
    worst = 0.0
    for point in given_points:
        log_density, gradient = graph(point)
        expected, slope = (part[0] for part in density.gradient.function(point[None]))
        of_value = abs(log_density - expected) / max(1.0, abs(expected))
        worst = max(worst, float(of_value), float((gradient - slope).abs().max() / max(1.0, slope.abs().max())))
    return worst


@settings(max_examples=2, deadline=None, derandomize=True)
@given(
    n_points=st.integers(1, 6),
    n_columns=st.integers(1, 4),
    n_components=st.integers(2, 4),
    covariance=st.sampled_from(COVARIANCES),
    dp=st.booleans(),
    missing=st.sampled_from([0.0, 0.3]),
)
@example(n_points=5, n_columns=3, n_components=3, covariance="full", dp=True, missing=0.3)
@example(n_points=5, n_columns=3, n_components=2, covariance="tied", dp=False, missing=0.0)
def test_graph_is_the_density_for_mixtures_of_all_shapes(n_points, n_columns, n_components, covariance, dp, missing):
    density = mixture(n_points, n_columns, n_components, covariance, dp, missing)
    u = points(density)
    assert difference(traced(density.gradient.function, u[0]), density, u) < TOLERANCE


def test_graph_takes_other_data_of_the_same_shape():
    one, other = (mixture(5, 2, 2, "full", False, 0.0, seed=seed) for seed in (0, 1))
    u = points(one)
    graphs = [traced(density.gradient.function, u[0]) for density in (one, other)]
    assert graphs[0].key == graphs[1].key  # so that what is compiled once serves both
    moved = Traced(graphs[0].graph, graphs[1].data)
    assert difference(moved, other, u) < TOLERANCE
    assert difference(moved, one, u) > TOLERANCE  # negative control
    assert mixture(6, 2, 2, "full", False, 0.0).shapes == one.shapes
    assert traced(mixture(6, 2, 2, "full", False, 0.0).gradient.function, u[0]).key != graphs[0].key


@pytest.mark.parametrize(("size", "diag"), [(1, 0), (2, 0), (3, 0), (5, 0), (2, -1), (3, -1), (5, -1)])
def test_lower_triangles_are_torchs(size, diag):
    n = size * (size + 1) // 2 + diag * size
    vector = torch.arange(1.0, 1 + 2 * n).reshape(2, n)
    matrix = utils.vec_to_tril_matrix(vector, diag)
    torch.testing.assert_close(_compiled_matrices.lower_matrix(vector, diag), matrix, rtol=0, atol=0)
    torch.testing.assert_close(_compiled_matrices.lower_vector(matrix, diag), vector, rtol=0, atol=0)


@pytest.mark.parametrize(("upper", "left", "unitriangular"), list(itertools.product((False, True), repeat=3)))
@pytest.mark.parametrize(("batch", "n"), [(((), ()), 4), (((3,), (3,)), 1), (((3,), (2, 3)), 4), (((3,), (3,)), 11)])
def test_triangular_systems_written_out_are_torchs(upper, left, unitriangular, batch, n):
    torch.manual_seed(0)
    matrix = torch.randn(*batch[0], n, n, dtype=torch.float64) / n + 4 * torch.eye(n, dtype=torch.float64)
    right = torch.randn(*batch[1], *((n, 5) if left else (5, n)), dtype=torch.float64)
    options = {"upper": upper, "left": left, "unitriangular": unitriangular}
    expected = torch.linalg.solve_triangular(matrix, right, **options)  # which looks at one triangle only, too
    torch.testing.assert_close(_compiled_matrices.solve_triangular(matrix, right, **options), expected)
    other = torch.linalg.solve_triangular(matrix, right, **options | {"upper": not upper})
    assert n == 1 or not torch.allclose(expected, other)  # negative control


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 23])
@pytest.mark.parametrize("upper", [False, True])
def test_factors_written_out_are_torchs(n, upper):
    torch.manual_seed(0)
    root = torch.randn(3, n, n, dtype=torch.float64)
    matrix = root @ root.mT + torch.eye(n, dtype=torch.float64)
    found, info = _compiled_matrices.cholesky_ex(matrix, upper=upper)
    torch.testing.assert_close(found, torch.linalg.cholesky(matrix, upper=upper), rtol=1e-10, atol=1e-12)
    assert info.tolist() == [0, 0, 0]
    matrix[1, n // 2, n // 2] = -1.0
    assert _compiled_matrices.cholesky_ex(matrix, upper=upper)[1].tolist() == [0, 1, 0]


def kernel():
    width = pyro.sample("width", dist.Normal(0.0, 1.0))
    places = torch.linspace(0, 1, 4)
    covariance = torch.exp(-((places[:, None] - places) ** 2)) * (width + 2) + 0.1 * torch.eye(4)
    pyro.sample("y", dist.MultivariateNormal(torch.zeros(4), covariance), obs=torch.tensor([0.3, 1.0, -0.2, 0.1]))


def test_matrix_that_is_not_positive_definite_is_nan_rather_than_an_error():
    density = pyro_density(kernel)
    inside, outside = torch.tensor([0.7], dtype=torch.float64), torch.tensor([-5.0], dtype=torch.float64)
    graph = traced(density.gradient.function, inside)
    assert difference(graph, density, [inside]) < TOLERANCE
    assert graph(outside)[0].isnan()
    with pytest.raises(RuntimeError, match="positive-definite"):
        density.gradient.function(outside[None])


def whole_numbers():
    """Arithmetic of whole numbers and Python's, which takes torch's default precision."""
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(x, 0.1 + 0.3 * torch.arange(3)).to_event(1), obs=torch.ones(3))


def test_default_precision_is_double_in_the_graph_and_as_it_was_outside():
    density = pyro_density(whole_numbers)
    u = points(density)
    graph = traced(density.gradient.function, u[0])
    assert torch.get_default_dtype() == torch.float32
    assert difference(graph, density, u) < TOLERANCE
    assert utils.vec_to_tril_matrix.__module__ == "torch.distributions.utils"  # only while it is traced


def looks():
    x = pyro.sample("x", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(x if x > 0 else 3 * x, 1.0), obs=torch.tensor(0.5))


def test_decisions_by_value_are_refused_with_the_reason():
    density = pyro_density(looks)
    with pytest.raises(UntraceableError, match=r"looks at a number that depends on the parameters.*take torch\.where"):
        traced(density.gradient.function, points(density)[0])


def test_constants_made_at_every_run_are_data():
    def coins(heads):
        bias = pyro.sample("bias", dist.Beta(2.0, 2.0))
        with pyro.plate("flips", len(heads)):
            pyro.sample("flip", dist.Bernoulli(bias), obs=heads)

    density = pyro_density(coins, (torch.tensor([1.0, 1.0, 0.0, 1.0]),))
    graph = traced(density.gradient.function, points(density)[0])
    assert difference(graph, density, points(density)) < TOLERANCE
