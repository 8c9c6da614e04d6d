"""The Pyro program: the reference's density, its gradient's, and the same when it is written down as a graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models.mixture_reference import (
    by_brute_force,
    coordinates,
    free,
    log_posterior,
    mixture_spec,
    some_points,
    some_values,
    specs,
)

from bayeskit.inference._compiled_trace import traced
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.models.mixtures import program
from bayeskit.models.mixtures._normals import marginal_cholesky, observed_together
from bayeskit.models.mixtures.likelihood import log_prior
from bayeskit.models.mixtures.parameters import components_of
from bayeskit.models.mixtures.spec import COVARIANCES

seeds = st.integers(0, 2**32 - 1)
every_form = pytest.mark.parametrize(("form", "dp"), [(form, dp) for form in COVARIANCES for dp in (False, True)])


def density_of(spec, y):
    return pyro_density(program.gmm_program, (torch.as_tensor(y), spec))


def at(density, *points):
    """Return log densities and gradients of points."""
    found = density.with_gradient(torch.as_tensor(np.stack(points)))
    return [part.numpy() for part in found]


def differs(found, expected):
    return float(np.max(np.abs(found - expected)) / max(1, np.max(np.abs(expected))))


@every_form
@pytest.mark.parametrize("n_columns", [1, 2, 3])
def test_density_is_the_reference(form, dp, n_columns):
    rng = np.random.default_rng(n_columns)
    spec = mixture_spec(3, n_columns, form, dp)
    y, values = some_points(spec, rng), some_values(spec, rng)
    density = density_of(spec, y)
    point = coordinates(spec, values)
    ((found,), _) = at(density, point)
    assert differs(found, log_posterior(spec, y, values)) < 1e-10
    back = density.values(point[None, None], 0)
    assert {name: value.shape[2:] for name, value in back.items()} == dict(spec.shapes)
    for name, value in values.items():
        np.testing.assert_allclose(back[name][0, 0], value, rtol=1e-8, atol=1e-10, err_msg=name)


def test_assignments_are_summed_as_by_brute_force():
    rng = np.random.default_rng(3)
    for n_components, n_points in ((2, 6), (3, 5)):
        spec = mixture_spec(n_components, 2)
        y, values = some_points(spec, rng, n_points), some_values(spec, rng)
        parts = components_of(spec, values)
        ((found,), _) = at(density_of(spec, y), coordinates(spec, values))
        of_coordinates = sum(log_jacobian for _, log_jacobian in free(spec, values).values())
        likelihood = found - log_prior(spec, values) - of_coordinates
        expected = by_brute_force(y, parts.weights, parts.means, parts.covariances)
        assert differs(likelihood, expected) < 1e-10
        assert differs(likelihood + of_coordinates, expected) > 1e-3  # control: a Jacobian is missing


def test_the_reference_tells_broken_programs(monkeypatch):
    rng = np.random.default_rng(4)
    spec = mixture_spec(3, 2)
    y, values = some_points(spec, rng), some_values(spec, rng)
    expected, point = log_posterior(spec, y, values), coordinates(spec, values)
    weights, normal, marginal = program._log_weights, program.normal, program.marginal
    broken = {
        "_log_weights": lambda spec, like: weights(spec, like) * 0,
        "normal": lambda means, spread: normal(means, spread * torch.eye(spread.shape[-1])),
        "marginal": lambda means, spread, columns: (
            marginal(means, spread, columns)[0],
            columns_alone(spread, columns),
        ),
    }
    assert differs(at(density_of(spec, y), point)[0][0], expected) < 1e-10
    for name, function in broken.items():
        with monkeypatch.context() as patch:
            patch.setattr(program, name, function)
            assert differs(at(density_of(spec, y), point)[0][0], expected) > 1e-3, name


def columns_alone(spread, columns):
    """Return the factors' rows and columns, which are no Cholesky factors of the rows' covariances."""
    return spread[..., list(columns), :][..., list(columns)]


@every_form
def test_gradient_is_that_of_finite_differences(form, dp):
    rng = np.random.default_rng(5)
    spec = mixture_spec(3, 2, form, dp)
    density = density_of(spec, some_points(spec, rng))
    point = coordinates(spec, some_values(spec, rng))
    (_, (gradient,)) = at(density, point)
    step = 1e-3 * np.eye(point.size)
    near = density(torch.as_tensor(np.concatenate([point + step, point - step, point + 2 * step, point - 2 * step])))
    after, before, far_after, far_before = near.numpy().reshape(4, -1)
    differences = (8 * (after - before) - (far_after - far_before)) / 12e-3
    assert differs(gradient, differences) < 1e-8
    assert differs(gradient, (after - before) / 2e-3 * 1.001) > 1e-5  # control: a thousandth off


@settings(deadline=None, max_examples=4)
@given(spec=specs(), seed=seeds, complete=st.booleans())
def test_the_graph_gives_what_the_program_gives(spec, seed, complete):
    rng = np.random.default_rng(seed)
    y = some_points(spec, rng, missing=0 if complete else 0.3)
    density = density_of(spec, y)
    values = [some_values(spec, rng) for _ in range(2)]
    points = [coordinates(spec, each) for each in values]
    log_densities, gradients = at(density, *points)
    graph = traced(density.gradient.function, torch.as_tensor(points[0]))
    for each, point, log_density, gradient in zip(values, points, log_densities, gradients, strict=True):
        assert differs(log_density, log_posterior(spec, y, each)) < 1e-10
        found = graph(torch.as_tensor(point))
        assert differs(found[0].numpy(), log_density) < 1e-10
        assert differs(found[1].numpy(), gradient) < 1e-10
    # Control: a graph that had written down the numbers of its first point would give them at the second.
    assert differs(log_densities[1], log_densities[0]) > 1e-6


def test_numbers_stay_finite_where_the_mixture_is_extreme():
    rng = np.random.default_rng(6)
    spec = mixture_spec(10, 20)
    y = np.concatenate([np.repeat(rng.standard_normal((3, 20)), 4, axis=0), np.full((1, 20), 1e6)])
    y[0, 3] = np.nan
    values = some_values(spec, rng)
    values["means"][:5] = values["means"][0]  # on top of each other
    values["weights"] = np.append(np.full(9, 1e-12), 1 - 9e-12)
    (log_density,), (gradient,) = at(density_of(spec, y), coordinates(spec, values))
    assert differs(log_density, log_posterior(spec, y, values)) < 1e-10
    assert np.isfinite(gradient).all()


@pytest.mark.gpu
@every_form
def test_density_on_a_gpu_is_that_on_the_processor(form, dp):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    rng = np.random.default_rng(7)
    spec = mixture_spec(3, 3, form, dp)
    y, values = some_points(spec, rng), some_values(spec, rng)
    density = pyro_density(program.gmm_program, (torch.as_tensor(y), spec), device="cuda")
    points = torch.as_tensor(coordinates(spec, values))[None].cuda()
    found = density.with_gradient(points)
    expected = at(density_of(spec, y), coordinates(spec, values))
    for part, other in zip(found, expected, strict=True):
        assert differs(part.cpu().numpy(), other) < 1e-10
    assert differs(found[0].cpu().numpy() * 1.001, expected[0]) > 1e-10  # control


def test_marginal_factor_of_a_nearly_singular_covariance():
    corner = 1e-9
    cholesky = torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0], [1, corner, corner]], dtype=torch.float64)
    found = marginal_cholesky(cholesky.expand(2, -1, -1), (0, 2))
    np.testing.assert_allclose(found, [[[1, 0], [1, np.sqrt(2) * corner]]] * 2, rtol=1e-6)


def test_points_are_grouped_by_what_is_observed():
    nan = np.nan
    y = torch.tensor([[1, nan], [1, 2], [nan, nan], [3, nan], [4, 5]], dtype=torch.float64)
    found = [(points.tolist(), columns) for points, columns in observed_together(y)]
    assert found == [([[1, 2], [4, 5]], (0, 1)), ([[1], [3]], (0,))]
