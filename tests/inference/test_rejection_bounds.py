"""Certificates: a proven bound is above the density everywhere, and tight; what cannot be proven says so."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.core.proposals import Mixture, Normal, ShiftedExponential, StudentT, Uniform
from bayeskit.inference import _bounds
from bayeskit.inference._bounds import find_bound
from bayeskit.inference._branches import TOLERANCE, prove
from bayeskit.inference._lattice import Lattice


def density(function, low=-np.inf, high=np.inf, n_dims=1, **options):
    return Density(function, {"x": (n_dims,)}, lower=np.full(n_dims, low), upper=np.full(n_dims, high), **options)


def bound(target, proposal, given=None, seed=1):
    return find_bound(target, proposal, np.random.default_rng(seed), given)


def beta(x):
    return np.log(30) + np.log(x[..., 0]) + 4 * np.log1p(-x[..., 0])


def normal(x):
    return -0.5 * math.log(2 * math.pi) - 0.5 * x[..., 0] ** 2


def two_modes(x):
    left = math.log(0.3 / 0.5) - 0.5 * ((x[..., 0] + 2) / 0.5) ** 2
    return np.logaddexp(left, math.log(0.7) - 0.5 * (x[..., 0] - 3) ** 2) - 0.5 * math.log(2 * math.pi)


WIDE = Mixture([0.3, 0.7], [Normal([-2.0], [[0.75**2]]), Normal([3.0], [[1.5**2]])])
RATE = (2 + math.sqrt(8)) / 2
ALONE = 0.5 * math.erfc(2 / math.sqrt(2))

KNOWN = {
    "beta": (density(beta, 0, 1), Uniform([0.0], [1.0]), math.log(2.4576)),
    "normal by a wider one": (density(normal), Normal([0.0], [[4.0]]), math.log(2)),
    "normal by Cauchy": (density(normal), StudentT(1, [0.0], [[1.0]]), 0.5 * math.log(2 * math.pi / math.e)),
    "tail": (
        density(lambda x: normal(x) - math.log(ALONE), 2),
        ShiftedExponential(2, RATE),
        RATE**2 / 2 - RATE * 2 - math.log(RATE * math.sqrt(2 * math.pi) * ALONE),
    ),
    "half a normal": (density(normal, -np.inf, 1.0), Normal([0.0], [[4.0]]), math.log(2)),
    "beyond 2 by a condition": (
        density(lambda x: np.where(x[..., 0] > 2, normal(x), -np.inf)),
        ShiftedExponential(2, RATE),
        RATE**2 / 2 - RATE * 2 - math.log(RATE * math.sqrt(2 * math.pi)),
    ),
    "two numbers": (
        density(lambda x: -0.5 * (x[..., 0] ** 2 + (x[..., 1] - 0.9 * x[..., 0]) ** 2 / 0.19), -6, 6, 2),
        Uniform([-6.0, -6.0], [6.0, 6.0]),
        math.log(144),
    ),
    "matrix": (
        density(lambda x: -np.einsum("ni,ij,nj->n", x - 0.3, np.array([[2.0, 0.5], [0.5, 1]]), x - 0.3), -2, 3, 2),
        Uniform([-2.0, -2.0], [3.0, 3.0]),
        math.log(25),
    ),
    "many hills": (
        density(lambda x: (10 * np.cos(2 * np.pi * (x - 0.7)) - (x - 0.7) ** 2).sum(-1), -5, 5, 2),
        Uniform([-5.0, -5.0], [5.0, 5.0]),
        20 + math.log(100),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_bounds_are_proven_and_tight(name):
    target, proposal, exact = KNOWN[name]
    found = bound(target, proposal)
    assert found.certified
    assert found.certificate == _bounds.PROVEN
    assert exact - 1e-12 <= found.log_bound <= exact + 2 * TOLERANCE


@pytest.mark.parametrize("name", KNOWN)
def test_given_bounds_are_proven(name):
    target, proposal, exact = KNOWN[name]
    assert bound(target, proposal, exact).certified
    assert bound(target, proposal, exact + 1).certified
    with pytest.raises(
        InferenceError, match=r"envelope is below the density.*= 1\.0001.* at x\[1\] = .*take bound >= "
    ):
        bound(target, proposal, exact - 1e-4)


def test_mixture_by_a_mixture():
    best = max(
        -minimize_scalar(
            lambda x: float((WIDE.log_density(np.array([[x]])) - two_modes(np.array([[x]])))[0]), around
        ).fun
        for around in [(-2.5, -2.0, -1.5), (2.5, 3.0, 3.5)]
    )
    found = bound(density(two_modes), WIDE)
    assert found.certified
    assert best - 1e-9 <= found.log_bound <= best + 2 * TOLERANCE
    assert found.log_bound == pytest.approx(math.log(1.5), abs=1e-6)


@pytest.mark.parametrize("place", [0.7123, 0.1111111, 0.9999])
@pytest.mark.parametrize("width", [1e-4, 1e-7, 1e-10])
def test_a_peak_that_points_miss_is_found(place, width):
    def peak(x):
        return np.logaddexp(-50 * (x[..., 0] - 0.3) ** 2, 5 - ((x[..., 0] - place) / width) ** 2)

    points = np.random.default_rng(1).random((2048, 1))
    if width < 1e-4:
        assert peak(points).max() < 1  # an optimiser that starts at these sees nothing of it
    proof = prove(peak, (np.zeros(1), np.ones(1)), points)
    assert 5 <= proof.upper <= 5.01
    assert proof.upper - proof.attained <= TOLERANCE
    found = bound(density(peak, 0, 1), Uniform([0.0], [1.0]))
    assert found.certified
    assert found.log_bound >= 5


def test_a_search_without_its_proof_misses_that_peak(monkeypatch):
    """The negative control of the test above: the optimum alone is far below the peak."""
    nothing = _bounds.Proof(math.inf, -math.inf, np.zeros(1), 0)
    monkeypatch.setattr(_bounds, "_proven", lambda *_: (nothing, _bounds.FOREIGN, ""))
    found = bound(
        density(lambda x: np.logaddexp(-50 * (x[..., 0] - 0.3) ** 2, 5 - ((x[..., 0] - 0.7123) / 1e-10) ** 2), 0, 1),
        Uniform([0.0], [1.0]),
    )
    assert not found.certified
    assert found.log_bound < 1


FOREIGN = {
    "function": (density(lambda x: -np.sort(x**2, axis=-1)[..., 0], -1, 1), Uniform([-1.0], [1.0]), "np.sort"),
    "array": (
        density(lambda x: np.array([-(float(row[0]) ** 2) for row in x]), -1, 1),
        Uniform([-1.0], [1.0]),
        "plain",
    ),
    "row": (density(lambda x: np.array([-(row[0] ** 2) for row in x]), -1, 1), Uniform([-1.0], [1.0]), "plain array"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_intervals_do_not_know_is_not_certified(name):
    target, proposal, word = FOREIGN[name]
    found = bound(target, proposal)
    assert not found.certified
    assert found.certificate == _bounds.FOREIGN
    assert word in found.obstacle
    assert found.highest < found.log_bound <= found.highest + _bounds.MARGIN + 1e-12


def test_tails_in_two_dimensions_are_not_certified():
    found = bound(
        density(lambda x: -0.5 * np.square(x).sum(-1), n_dims=2), Normal([0.0, 0.0], [[2.0, 0.3], [0.3, 2.0]])
    )
    assert not found.certified
    assert found.certificate == _bounds.TAILS


def test_a_proposal_with_thin_tails_has_no_bound():
    with pytest.raises(InferenceError, match="wider in its tails"):
        bound(density(normal), Normal([0.0], [[0.5]]))


def test_a_proposal_on_a_smaller_box_does_not_cover():
    with pytest.raises(
        InferenceError, match=r"does not cover the density: at x\[1\] = .* above 0 and the proposal's is 0"
    ):
        bound(density(normal), Uniform([-3.0], [3.0]))


def test_a_density_that_is_0_nearly_everywhere():
    def spike(x):
        return np.where(np.abs(x[..., 0] - 0.123456789) < 1e-9, 0.0, -np.inf)

    with pytest.raises(InferenceError, match="the density is 0 at each of the 2048 points where it was tried"):
        bound(density(spike, 0, 1), Uniform([0.0], [1.0]))


def test_whole_numbers_are_listed():
    target = density(lambda x: x.sum(-1) * math.log(0.4), 0, 30, 2, integer=np.array([True, True]))
    found = bound(target, Lattice(*target.box))
    assert found.certified
    assert found.certificate == _bounds.LISTED
    assert found.log_bound == pytest.approx(2 * math.log(31))
    many = density(lambda x: -x.sum(-1), 0, 10**6, 2, integer=np.array([True, True]))
    with pytest.raises(ConfigError, match="give bound="):
        bound(many, Lattice(*many.box))
