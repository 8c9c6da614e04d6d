"""What is drawn from where nobody gives a proposal: the map out of the box, fitted mixtures, and pilot runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import InferenceError
from bayeskit.core.proposals import StudentT
from bayeskit.inference._pilot import importance_proposal, start_distribution
from bayeskit.inference._student_mixtures import fit_student_mixture
from bayeskit.inference._unbounded import Stretched, Unbounded

BOX = Density(
    lambda x: np.zeros(len(x)),
    {"x": (4,)},
    lower=np.array([-np.inf, 2.0, -np.inf, -1.0]),
    upper=np.array([np.inf, np.inf, 5.0, 3.0]),
)


@given(st.lists(st.floats(-30, 30), min_size=4, max_size=4))
def test_coordinates_and_points_belong_together(coordinates):
    unbounded, z = Unbounded(BOX), np.array([coordinates])
    points = unbounded.points(z)
    low, high = BOX.box
    assert np.all((points > low) & (points < high))
    inner = np.abs(z) < 12  # farther out, the box's own digits end
    np.testing.assert_allclose(unbounded.coordinates(points)[inner], z[inner], rtol=1e-6, atol=1e-6)
    if np.abs(z).max() < 8:
        steps = np.array([unbounded.points(z + h * np.eye(4)) for h in (1e-5, -1e-5)])
        slopes = np.log(np.abs(np.diagonal(steps[0] - steps[1])) / 2e-5)  # below an upper bound it falls
        assert unbounded.log_jacobian(z)[0] == pytest.approx(slopes.sum(), abs=1e-5)


def test_points_stay_inside_however_far_out():
    unbounded = Unbounded(BOX)
    for far in (-1e4, 1e4):
        points = unbounded.points(np.full((1, 4), far))
        assert np.isfinite(points).all()
        assert np.isfinite(unbounded.coordinates(points)).all()
        assert np.all(BOX(points) == 0)


def test_a_stretched_proposal_s_density_has_integral_1():
    one = Density(lambda x: x[:, 0], {"x": ()}, lower=np.array([2.0]), upper=np.array([5.0]))
    proposal = Stretched(StudentT(4.0, [0.3], [[1.5]]), Unbounded(one))
    grid = np.linspace(2, 5, 200_001)[1:-1]
    assert np.trapezoid(np.exp(proposal.log_density(grid[:, None])), grid) == pytest.approx(1, abs=1e-3)
    draws = proposal.sample(np.random.default_rng(1), 5000)[:, 0]
    ends = np.cumsum(np.exp(proposal.log_density(grid[:, None]))) * (grid[1] - grid[0])
    assert stats.kstest(draws, lambda x: np.interp(x, grid, ends)).pvalue > 1e-7


def test_a_mixture_is_found_again_from_its_draws():
    rng = np.random.default_rng(2)
    first, second = rng.normal([-4, 0], [0.5, 1], (600, 2)), rng.normal([4, 2], [1, 0.3], (1400, 2))
    found = fit_student_mixture(np.vstack([first, second]))
    assert len(found.parts) == 2
    order = np.argsort([part.mean[0] for part in found.parts])
    np.testing.assert_allclose(found.weights[order], [0.3, 0.7], atol=5 * np.sqrt(0.21 / 2000))
    np.testing.assert_allclose([found.parts[place].mean for place in order], [[-4, 0], [4, 2]], atol=0.25)
    # By weight: the second cluster's points count for a ninth of what they did.
    weights = np.repeat([1.0, 1 / 9], [600, 1400])
    fewer = fit_student_mixture(np.vstack([first, second]), weights)
    share = 600 / (600 + 1400 / 9)
    assert max(fewer.weights) == pytest.approx(share, abs=0.1)


def test_one_cluster_is_one_part_and_points_without_volume_are_refused():
    points = np.random.default_rng(3).normal(size=(2000, 3))
    assert len(fit_student_mixture(points).parts) == 1
    with pytest.raises(InferenceError, match="a pilot run found no proposal"):
        fit_student_mixture(points[:, [0, 1, 1]])


def test_pilot_runs_find_the_scale_and_the_place():
    density = Density(lambda x: stats.norm([300, 0.01], [20, 1e-3]).logpdf(x).sum(axis=1), {"x": (2,)})
    start = start_distribution(density, 1)
    assert isinstance(start.of, StudentT)
    np.testing.assert_allclose(start.of.mean, [300, 0.01], rtol=0.1)
    np.testing.assert_allclose(np.sqrt(np.diag(start.of.scale_matrix)), [40, 2e-3], rtol=0.25)
    proposal = importance_proposal(density, 1, 0.1)
    points = proposal.sample(np.random.default_rng(1), 4000)
    weights = np.exp(density(points) - proposal.log_density(points))
    assert weights.sum() ** 2 / np.square(weights).sum() > 0.8 * 4000
    assert weights.max() < 10 / 0.1
