"""A log density and what it refuses: each misbehaviour is named with the point where it shows."""

from __future__ import annotations

import numpy as np
import pytest

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, ProgramError


def normal(points):
    return -0.5 * np.square(points).sum(axis=1)


def test_points_outside_the_box_have_no_density_and_are_not_evaluated():
    seen = []

    def log_density(points):
        seen.append(points.copy())
        return np.log(points[:, 0])

    density = Density(log_density, {"x": ()}, lower=[0.0], upper=[2.0])
    found = density(np.array([[-1.0], [0.5], [3.0], [2.0]]))
    assert found.tolist() == [-np.inf, np.log(0.5), -np.inf, np.log(2.0)]
    assert all(((points >= 0) & (points <= 2)).all() for points in seen)
    assert density(np.array([[-1.0]])).tolist() == [-np.inf]
    assert len(seen) == 1


def test_points_are_left_as_they_were():
    points = np.array([[-1.0], [0.5]])
    Density(lambda p: p[:, 0], {"x": ()}, lower=[0.0])(points)
    assert points.tolist() == [[-1.0], [0.5]]


def test_the_gradient_outside_the_box_is_that_of_nothing():
    density = Density(normal, {"x": ()}, gradient=lambda p: (normal(p), -p), lower=[0.0])
    log_density, gradient = density.with_gradient(np.array([[-1.0], [2.0]]))
    assert log_density.tolist() == [-np.inf, -2.0]
    assert gradient.tolist() == [[0.0], [-2.0]]


@pytest.mark.parametrize(
    ("log_density", "told"),
    [
        (lambda p: np.where(p[:, 0] > 1, np.nan, 0.0), r"is NaN at x = 1\.5, y\[1\] = 2, y\[2\] = 3; it must be"),
        (lambda p: np.where(p[:, 0] > 1, np.inf, 0.0), r"is \+inf at x = 1\.5, y\[1\] = 2, y\[2\] = 3; it must be"),
        (lambda p: {}["missing"], r"raised KeyError \('missing'\) at x = 0, y\[1\] = 0, y\[2\] = 0; correct it"),
        (lambda p: p, r"must take \(2, 3\) points and return 2 numbers, got \(2, 3\)"),
        (lambda p: 1.0, r"must take \(2, 3\) points and return 2 numbers, got float"),
    ],
)
def test_what_it_may_not_do(log_density, told):
    density = Density(log_density, {"x": (), "y": (2,)})
    with pytest.raises(ProgramError, match=told) as caught:
        density(np.array([[0.0, 0.0, 0.0], [1.5, 2.0, 3.0]]))
    assert "\n" not in str(caught.value)


def test_an_exception_is_named_with_the_point_that_raises_it():
    def log_density(points):
        if (points > 1).any():
            raise ValueError("beyond 1")
        return normal(points)

    with pytest.raises(ProgramError, match=r"raised ValueError \(beyond 1\) at x = 2; correct it"):
        Density(log_density, {"x": ()})(np.array([[0.0], [2.0], [3.0]]))


def test_minus_infinity_is_fine():
    density = Density(lambda p: np.full(len(p), -np.inf), {"x": ()})
    assert density(np.zeros((3, 1))).tolist() == [-np.inf] * 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"shapes": {}}, "at least one coordinate"),
        ({"lower": [0.0, 0.0]}, r"lower must have 1 bounds, one a coordinate, got shape \(2,\)"),
        ({"lower": [1.0], "upper": [1.0]}, "lower bound of x must lie below the upper one"),
        ({"lower": [np.nan]}, "lower bound of x must lie below the upper one"),
        ({"shapes": {"x": (2,)}, "integer": np.array([True])}, r"of each of 2 coordinates .* got shape \(1,\)"),
    ],
)
def test_shapes_and_bounds_must_make_sense(options, told):
    with pytest.raises(ConfigError, match=told):
        Density(**{"log_density": normal, "shapes": {"x": ()}, **options})


def test_values_are_the_variables_in_their_shapes():
    density = Density(normal, {"a": (), "b": (2, 2)}, integer=np.array([True, *[False] * 4]))
    positions = np.arange(30.0).reshape(2, 3, 5)
    values = density.values(positions, seed=1)
    assert values["a"].dtype == np.int64
    assert values["a"].tolist() == [[0, 5, 10], [15, 20, 25]]
    assert values["b"].shape == (2, 3, 2, 2)
    assert values["b"][1, 2].tolist() == [[26.0, 27.0], [28.0, 29.0]]
    assert density.labels == ("a", "b[1,1]", "b[1,2]", "b[2,1]", "b[2,2]")


def test_without_a_gradient_there_is_a_remedy():
    with pytest.raises(ConfigError, match="give gradient="):
        Density(normal, {"x": ()}).with_gradient(np.zeros((1, 1)))


def test_tensors_are_taken_as_they_are():
    import torch

    density = Density(lambda p: torch.log(p[:, 0]), {"x": ()}, lower=[0.0], arrays="torch")
    found = density(torch.tensor([[1.0], [-1.0]], dtype=torch.float64))
    assert found.tolist() == [0.0, -np.inf]
    with pytest.raises(ProgramError, match="is NaN at x = 2"):
        Density(lambda p: torch.sqrt(-p[:, 0]), {"x": ()}, arrays="torch")(torch.tensor([[2.0]], dtype=torch.float64))
