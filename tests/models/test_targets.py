"""The targets' densities, exact draws, moments, proposals and envelopes, each against what does not know the others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from bayeskit.core.proposals import Proposal
from bayeskit.core.types import Draws
from bayeskit.models.targets import ENGINES, TARGETS

SEED = 20261120
Z_LIMIT = 5.33  # two-sided p of 1e-7, for each of the numbers compared below
ALPHA = 1e-7
ONE_DIMENSION = ["beta", "mixture", "tail", "beta-binomial"]
EXACT = [name for name, target in TARGETS.items() if target.exact is not None]
WITH_ENVELOPE = [name for name, target in TARGETS.items() if target.make_envelope is not None]


def draws_of(name, n, seed=SEED):
    """Draw exactly, by name and as points, ``n x n_dims``."""
    drawn = TARGETS[name].exact(np.random.default_rng(seed), n)
    return drawn, points_of(name, drawn)


def points_of(name, drawn):
    shapes = TARGETS[name].density().shapes
    return np.concatenate([drawn[variable].reshape(-1, math.prod(shapes[variable])) for variable in shapes], axis=1)


def z_scores(numbers, value=0.0):
    """Return how many standard errors the means of the columns lie off."""
    return (numbers.mean(axis=0) - value) / (numbers.std(axis=0, ddof=1) / math.sqrt(len(numbers)))


def on_a_grid(name):
    """Return points that cover the target and their volumes, for the midpoint rule in at most three dimensions."""
    target = TARGETS[name]
    low, high = target.density().box
    drawn = draws_of(name, 20_000)[1]
    middle, reach = np.median(drawn, axis=0), 3.0 * np.ptp(drawn, axis=0)
    size = {1: 200_000, 2: 1000, 3: 120}[drawn.shape[1]]
    axes, volumes = [], np.ones(1)
    for place in range(drawn.shape[1]):
        edges = np.linspace(
            max(low[place], middle[place] - reach[place]), min(high[place], middle[place] + reach[place]), size + 1
        )
        if low[place] == 0 and high[place] == np.inf:  # a variance: even steps of its logarithm
            logs = np.linspace(np.log(drawn[:, place].min()) - 2, np.log(drawn[:, place].max()) + 3, size + 1)
            edges = np.exp(logs)
        axes.append((edges[1:] + edges[:-1]) / 2)
        volumes = np.multiply.outer(volumes, np.diff(edges))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)), volumes.ravel()


def finite_differences(density, points):
    """Return the gradient by central differences."""
    columns = []
    for place in range(density.n_dims):
        step = np.zeros(density.n_dims)
        step[place] = 1e-5
        columns.append((density.log_density(points + step) - density.log_density(points - step)) / 2e-5)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("name", TARGETS)
def test_density_takes_batches_of_any_shape_and_every_variable_has_a_meaning(name):
    target = TARGETS[name]
    density = target.density()
    assert tuple(density.shapes) == target.outputs == tuple(quantity.name for quantity in target.quantities)
    points = density.start(np.random.default_rng(1), 7)
    assert points.shape == (7, density.n_dims)
    assert np.isfinite(density(points)).all()
    one_by_one = np.concatenate([density(point[None]) for point in points])
    np.testing.assert_allclose(density(points), one_by_one, rtol=1e-14)
    assert density(points[:0]).shape == (0,)
    low, high = density.box
    if np.isfinite(low).any():
        assert density(np.where(np.isfinite(low), low - 0.01, points[:1]))[0] == -np.inf
    if np.isfinite(high).any():
        assert density(np.where(np.isfinite(high), high + 0.01, points[:1]))[0] == -np.inf


@pytest.mark.parametrize("name", EXACT)
def test_gradient_is_that_of_the_density(name):
    density = TARGETS[name].density()
    _, points = draws_of(name, 50)
    log_density, gradient = density.with_gradient(points)
    np.testing.assert_array_equal(log_density, density(points))
    expected = finite_differences(density, points)

    def wrong(found):
        return np.abs(found - expected) > 1e-6 * (1 + np.abs(expected).max(axis=1, keepdims=True))

    assert not wrong(gradient).any()
    assert wrong(1.001 * gradient).any()  # negative control


@pytest.mark.parametrize(
    "name", ["beta", "mixture", "tail", "gaussian-2", "banana", "normal", "beta-binomial", "linear-regression"]
)
def test_density_integrates_to_what_it_says(name):
    target = TARGETS[name]
    points, volumes = on_a_grid(name)
    found = np.exp(target.density()(points) - target.log_normalizer) @ volumes
    tolerance = 2e-3 if points.shape[1] == 3 else 1e-5
    assert found == pytest.approx(1, abs=tolerance)
    assert target.is_normalised == (name not in ("normal", "beta-binomial", "linear-regression"))


@pytest.mark.parametrize("name", ["normal", "linear-regression"])
def test_conjugate_moments_are_those_of_the_density(name):
    target = TARGETS[name]
    points, volumes = on_a_grid(name)
    weights = np.exp(target.density()(points) - target.log_normalizer) * volumes
    drawn = {"beta": points[:, :-1], "sigma2": points[:, -1]}
    for label, moment in target.moments.items():
        found = weights @ moment.of(drawn)
        assert found == pytest.approx(moment.value, rel=5e-3), label
        assert found != pytest.approx(1.02 * moment.value, rel=5e-3), label  # negative control


def test_what_is_too_large_for_a_grid_has_the_density_that_scipy_gives():
    _, points = draws_of("funnel", 200)
    v, x = points[:, 0], points[:, 1:]
    expected = stats.norm(0, 3).logpdf(v) + stats.norm(0, np.exp(v / 2)[:, None]).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(TARGETS["funnel"].density()(points), expected, rtol=1e-12)
    _, points = draws_of("gaussian-50", 200)
    covariance = TARGETS["gaussian-50"].stan_data()["Sigma"]
    expected = stats.multivariate_normal(np.zeros(50), covariance).logpdf(points)
    np.testing.assert_allclose(TARGETS["gaussian-50"].density()(points), expected, rtol=1e-10)
    assert covariance[0, 1] == 0.9
    assert covariance[7, 10] == pytest.approx(0.9**3)


@pytest.mark.parametrize("name", ONE_DIMENSION)
def test_exact_draws_follow_the_density_in_one_dimension(name):
    density = TARGETS[name].density()
    points, volumes = on_a_grid(name)
    mass = np.cumsum(np.exp(density(points) - TARGETS[name].log_normalizer) * volumes)

    def p_value(drawn):
        # The midpoint rule's error, 1e-5 at most, is far below what 20,000 draws can tell: 0.01.
        return stats.kstest(np.interp(drawn, points[:, 0] + volumes / 2, mass), "uniform").pvalue

    drawn = draws_of(name, 20_000)[1][:, 0]
    assert p_value(drawn) > ALPHA
    assert p_value(drawn[0] + 0.9 * (drawn - drawn[0])) < ALPHA  # negative control


def stein_scores(name, points):
    """Return z-scores of the expectations that Stein's identity says are 0, for every coordinate.

    ``E[h(x) d log f(x) / dx_j + dh(x) / dx_j] = 0`` for any smooth ``h`` that is 0 at the edges: Stein (1972); as a
    test of draws, Gorham and Mackey (2015), arXiv:1506.03039. Here ``h`` is the distance to the edges, times 1, and
    times each coordinate.
    """
    density = TARGETS[name].density()
    slope = density.with_gradient(points)[1]
    h, dh = np.ones_like(points), np.zeros_like(points)
    for edge in density.box:
        away = np.where(np.isfinite(edge), points - edge, 1.0)
        h, dh = h * away, dh * away + np.where(np.isfinite(edge), h, 0.0)
    first = h * slope + dh  # with h itself
    size = len(points)
    mean = points.T @ first + np.diag(h.sum(axis=0))  # with h times a coordinate, all pairs at once
    square = (points**2).T @ first**2 + np.diag((2 * points * first * h + h**2).sum(axis=0))
    error = np.sqrt(square / size - (mean / size) ** 2) / math.sqrt(size)
    return np.concatenate([z_scores(first), (mean / size / error).ravel()])


@pytest.mark.parametrize("name", EXACT)
def test_exact_draws_follow_the_density(name):
    _, points = draws_of(name, 5000 if name == "gaussian-50" else 100_000)
    assert np.abs(stein_scores(name, points)).max() < Z_LIMIT
    centre = np.median(points, axis=0)
    assert np.abs(stein_scores(name, centre + 0.9 * (points - centre))).max() > Z_LIMIT  # negative control


@pytest.mark.parametrize("name", EXACT)
def test_exact_draws_have_the_stated_moments(name):
    drawn, _ = draws_of(name, 200_000, seed=SEED + 1)
    for label, moment in TARGETS[name].moments.items():
        numbers = moment.of(drawn)
        assert numbers.shape == (200_000,)
        assert abs(z_scores(numbers, moment.value)) < Z_LIMIT, label
        assert abs(z_scores(numbers, moment.value + 0.05 * numbers.std())) > Z_LIMIT, label  # negative control


def test_numbers_from_the_textbooks():
    assert math.exp(TARGETS["beta"].envelope().log_bound) == pytest.approx(2.4576, rel=1e-12)
    height, beyond = stats.norm.pdf(2), stats.norm.sf(2)
    assert TARGETS["tail"].moments["mean square"].value == pytest.approx(1 + 2 * height / beyond, rel=1e-12)
    assert round(TARGETS["tail"].moments["mean square"].value, 3) == 5.746
    square = integrate.quad(lambda x: x**2 * np.exp(TARGETS["tail"].density()(np.array([[x]]))[0]), 2, 40)[0]
    assert square == pytest.approx(TARGETS["tail"].moments["mean square"].value, rel=1e-9)
    left = 0.3 * stats.norm(-2, 0.5).cdf(0.5) + 0.7 * stats.norm(3, 1).cdf(0.5)
    assert TARGETS["mixture"].moments["left weight"].value == pytest.approx(left, rel=1e-12)
    of_a_count = stats.betabinom(20, 1, 1).logpmf(7)
    assert TARGETS["beta-binomial"].log_normalizer == pytest.approx(of_a_count, rel=1e-12)


@pytest.mark.parametrize("name", ["normal", "linear-regression"])
def test_evidence_is_that_of_a_multivariate_t(name):
    """Of normal and inverse gamma integrated out of a regression: a route of its own to the same number."""
    data = TARGETS[name].stan_data()
    scale = np.eye(data["N"]) + data["X"] @ np.diag(data["spread"] ** 2) @ data["X"].T
    marginal = stats.multivariate_t(data["X"] @ data["centre"], data["b"] / data["a"] * scale, df=2 * data["a"])
    assert TARGETS[name].log_normalizer == pytest.approx(marginal.logpdf(data["y"]), rel=1e-10)


@pytest.mark.parametrize("name", WITH_ENVELOPE)
def test_envelope_holds_everywhere_and_is_attained(name):
    target = TARGETS[name]
    envelope, density = target.envelope(), target.density()
    rng = np.random.default_rng(SEED)
    near = envelope.touches + 0.01 * rng.standard_normal((1000, density.n_dims))
    points = np.concatenate([envelope.proposal.sample(rng, 100_000), draws_of(name, 10_000)[1], near])

    def is_violated(log_bound):
        inside = np.isfinite(density(points))
        return (density(points) - envelope.proposal.log_density(points))[inside].max() > log_bound + 1e-10

    assert not is_violated(envelope.log_bound)
    at = density(envelope.touches[None]) - envelope.proposal.log_density(envelope.touches[None])
    assert at[0] == pytest.approx(envelope.log_bound, abs=1e-8)
    if density.n_dims <= 3:
        assert is_violated(envelope.log_bound - 0.01)  # negative control: a bound that is 1 % too small


@pytest.mark.parametrize("name", [name for name in WITH_ENVELOPE if name != "gaussian-50"])
def test_proposals_are_normalised_and_accept_as_often_as_the_bound_says(name):
    target = TARGETS[name]
    envelope, density = target.envelope(), target.density()
    rng = np.random.default_rng(SEED)
    for proposal in (envelope.proposal, target.proposal()):
        assert isinstance(proposal, Proposal)
        assert proposal.n_dims == density.n_dims
        points = proposal.sample(rng, 400_000)
        weights = np.exp(density(points) - proposal.log_density(points) - target.log_normalizer)
        assert abs(z_scores(weights, 1.0)) < Z_LIMIT
        assert abs(z_scores(weights, 1.05)) > Z_LIMIT or weights.std() > 5  # negative control, where there is power
    points = envelope.proposal.sample(rng, 400_000)
    log_ratio = density(points) - envelope.proposal.log_density(points) - envelope.log_bound
    accepted = np.log(rng.random(400_000)) < log_ratio
    assert abs(z_scores(accepted.astype(float), math.exp(target.log_normalizer - envelope.log_bound))) < Z_LIMIT


def test_table_is_complete_and_says_why():
    assert set(TARGETS) >= {
        "beta", "mixture", "tail", "gaussian-2", "gaussian-50", "funnel", "banana", "normal", "beta-binomial",
        "linear-regression",
    }  # fmt: skip
    for name, target in TARGETS.items():
        assert target.name == name
        assert set(target.expected) == set(target.settings) == set(ENGINES)
        for engine, cell in target.expected.items():
            assert bool(cell.reason) == (cell.outcome != "agree"), (name, engine)
        others = {cell.outcome for engine, cell in target.expected.items() if engine != "exact"}
        assert target.expected["exact"].outcome == ("agree" if target.exact and "agree" in others else "none")
        if target.expected["rejection"].outcome == "agree":
            assert target.envelope() is not None


@pytest.mark.parametrize("name", TARGETS)
def test_card_shows_the_twin_that_made_the_draws(name):
    target = TARGETS[name]
    shown = {engine: target.card(Draws("mcmc", {}, engine={engine: "1"})) for engine in ("stan", "pyro", "numpy")}
    assert shown["stan"].language == "stan"
    assert "parameters {" in shown["stan"].program
    assert "pyro" in shown["pyro"].program
    assert "Density(" in shown["numpy"].program
    assert target.card().program == shown["numpy"].program
    values = {variable: np.zeros((1, 2, *shape)) for variable, shape in target.density().shapes.items()}
    assert set(target.groups({**values, "other": np.zeros((1, 2))})["posterior"]) == set(target.outputs)
