"""Interval arithmetic: whatever a function is at a point of a box lies within what was said of the box."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bayeskit.inference import _branches, _intervals
from bayeskit.inference._arraylike import Unknown
from bayeskit.inference._duals import Dual
from bayeskit.inference._intervals import Interval
from bayeskit.inference._tails import Tail, tail_bound

ONE = {
    "neg": np.negative,
    "abs": np.abs,
    "square": np.square,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "arctan": np.arctan,
    "sin": np.sin,
    "cos": np.cos,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "reciprocal": np.reciprocal,
    "cube": lambda x: x**3,
    "inverse square": lambda x: x**-2,
    "power": lambda x: x**1.7,
    "base": lambda x: 1.7**x,
}
TWO = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "logaddexp": np.logaddexp,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "power": lambda x, y: np.abs(x) ** y,
    "where": lambda x, y: np.where((x > 0.3) & ~(y < -1), x, y),
    "where not": lambda x, y: np.where((x <= y) | (x >= 2), 1.5, y),
    "einsum": lambda x, y: np.einsum("ni,ij,nj->n", columns(x, y), MATRIX, columns(x, y)),
    "matmul": lambda x, y: (columns(x, y) @ MATRIX).sum(axis=-1),
}
MATRIX = np.array([[2.0, -0.5], [1.0, 0.3]])
NUMBERS = st.floats(-4, 4, allow_subnormal=True)
LEAVES = st.one_of(st.sampled_from(["x", "y"]), NUMBERS)
TREES = st.recursive(
    LEAVES,
    lambda tree: st.one_of(
        st.tuples(st.sampled_from(sorted(ONE)), tree), st.tuples(st.sampled_from(sorted(TWO)), tree, tree)
    ),
    max_leaves=8,
)
BOXES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=2).map(lambda ends: np.sort(np.array(ends), axis=1))
SHARES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6).map(np.array)


def columns(x, y):
    """A matrix of two columns, as a user writes one."""
    return x[..., None] * np.array([1.0, 0.0]) + y[..., None] * np.array([0.0, 1.0])


def build(tree):
    """The function of points that a tree of operations stands for."""
    if tree in ("x", "y"):
        return lambda points: points[..., "xy".index(tree)]
    if isinstance(tree, float):
        return lambda points: tree + 0 * points[..., 0]
    name, *parts = tree
    inner = [build(part) for part in parts]
    return lambda points: (ONE if len(parts) == 1 else TWO)[name](*(part(points) for part in inner))


def inside(lower, upper, shares):
    return np.clip(lower + shares * (upper - lower), lower, upper)


def values(function, points):
    with np.errstate(all="ignore"):
        return np.asarray(function(points), dtype=float)


def outside(function, box, points):
    """How many of the values at points lie outside the interval that their box was given."""
    found = function(Interval(box[None, :, 0], box[None, :, 1]))
    seen = values(function, points)
    return int(np.sum((seen < found.lower) | (seen > found.upper)))


@given(TREES, BOXES, SHARES)
@settings(max_examples=250, deadline=None)
def test_values_lie_within_their_interval(tree, box, shares):
    function = build(tree)
    points = inside(box[:, 0], box[:, 1], shares)
    seen = values(function, points)
    found = function(Interval(box[None, :, 0], box[None, :, 1]))
    real = ~np.isnan(seen)
    assert np.all(seen[real] >= found.lower)
    assert np.all(seen[real] <= found.upper)


@given(TREES, BOXES, SHARES)
@settings(max_examples=250, deadline=None)
def test_differences_lie_within_what_the_slopes_allow(tree, box, shares):
    function = build(tree)
    points = inside(box[:, 0], box[:, 1], shares)
    seen = values(function, points)
    assume(np.isfinite(seen).all())
    found = function(Dual.of_boxes(box[None, :, 0], box[None, :, 1]))
    assert np.all((seen >= found.value.lower) & (seen <= found.value.upper))
    along = points - points[0]
    rise = (found.slope * Interval(along, along)).sum(-1)
    at_first = function(Interval(points[:1], points[:1]))  # the function's own rounding error
    at_each = function(Interval(points, points))
    with np.errstate(invalid="ignore"):
        slack = (at_first.upper - at_first.lower) + (at_each.upper - at_each.lower) + 1e-12 * np.abs(seen - seen[0])
        assert np.all(~(seen - seen[0] < rise.lower - slack))
        assert np.all(~(seen - seen[0] > rise.upper + slack))


@given(TREES, BOXES)
@settings(max_examples=40, deadline=None)
def test_proven_bounds_are_above_a_grid(tree, box):
    function, (low, high) = build(tree), box.T
    sides = [np.linspace(*ends, 41) for ends in box]
    grid = np.clip(np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2), low, high)
    seen = values(function, grid)
    with mock.patch.multiple(_branches, BOXES=1000, ENDLESS_BOXES=300):
        proof = _branches.prove(function, (low, high), ((low + high) / 2)[None])
    assert np.nanmax(seen, initial=-np.inf) <= proof.upper
    assert proof.attained <= proof.upper


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("multiply", lambda a, b: Interval(a.lower * b.lower, a.upper * b.upper)),
        ("subtract", lambda a, b: Interval(a.lower - b.lower, a.upper - b.upper)),
        ("square", lambda a: Interval(np.minimum(a.lower**2, a.upper**2), np.maximum(a.lower**2, a.upper**2))),
        ("cos", lambda a: Interval(*np.sort([np.cos(a.lower), np.cos(a.upper)], axis=0))),
        ("add", lambda a, b: Interval(np.nextafter(a.lower + b.lower, np.inf), a.upper + b.upper)),
    ],
)
def test_broken_arithmetic_is_caught(monkeypatch, name, broken):
    rng = np.random.default_rng(1)
    used = {"square": ONE["square"], "cos": ONE["cos"]}.get(name)
    caught = 0
    for _ in range(200):
        box = np.sort(rng.uniform(-4, 4, (2, 2)), axis=1)
        points = inside(box[:, 0], box[:, 1], rng.choice([0.0, 0.3, 1.0], (50, 2)))
        function = (lambda x: used(x[..., 0])) if used else (lambda x: TWO[name](x[..., 0], x[..., 1]))
        assert outside(function, box, points) == 0
        with monkeypatch.context() as patch:
            patch.setitem(_intervals.FUNCTIONS, name, broken)
            caught += outside(function, box, points) > 0
    assert caught > 0


TAILS = {
    "normal by a wider one": lambda x: -0.5 * x[..., 0] ** 2 + x[..., 0] ** 2 / 8,
    "normal by t": lambda x: -0.5 * np.square(x[..., 0] - 1) + 3 * np.log1p(x[..., 0] ** 2 / 5),
    "two modes by t": lambda x: (
        np.logaddexp(-1.2 - 0.5 * ((x[..., 0] + 2) / 0.5) ** 2, -0.4 - 0.5 * (x[:, 0] - 3) ** 2)
        + 3 * np.log1p(x[..., 0] ** 2 / 80)
    ),
    "laplace": lambda x: -np.abs(x[:, 0]) + np.tanh(x[:, 0]) * 0.5,
    "waves": lambda x: np.cos(3 * x[..., 0]) - 0.1 * x[..., 0] ** 2,
    "gamma": lambda x: 2 * np.log(np.abs(x[..., 0])) - np.maximum(x[..., 0], -x[..., 0]),
    "data": lambda x: -0.5 * ((np.arange(5.0) - x[..., :1]) ** 2).sum(-1) - np.exp(-(x[..., 0] ** 2)),
    "mixed": lambda x: np.where(x[..., 0] > -0.5, -x[..., 0], 2 * x[..., 0]) - np.minimum(x[..., 0], 3 * x[..., 0]) / 4,
}


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_tails_are_bounded(name, sign):
    function = TAILS[name]
    bounded = [origin for origin in 2.0 ** np.arange(1, 12) if np.isfinite(tail_bound(function, origin, sign))]
    assert bounded, "no tail at all was bounded"
    for origin in bounded:
        far = sign * origin * np.geomspace(1, 1e6, 2000)[:, None]
        seen = values(function, far)
        assert seen.max() <= tail_bound(function, origin, sign)
        assert tail_bound(function, origin, sign) <= seen.max() + 3  # and not by much


@pytest.mark.parametrize("name", TAILS)
def test_what_grows_has_no_bound(name):
    assert tail_bound(lambda x: -TAILS[name](x), 16.0, 1.0) == np.inf


@given(TREES, st.sampled_from([1.0, 3.0, 50.0]), st.sampled_from([1.0, -1.0]))
@settings(max_examples=200, deadline=None)
def test_values_far_out_lie_within_their_range(tree, origin, sign):
    function = build(tree)

    def line(points):
        return function(points * np.array([1.0, 0.0]) + np.array([0.0, 0.7]))

    far = sign * origin * np.array([1.0, 1.1, 3.0, 100.0, 1e5])
    seen = values(line, far[:, None])
    try:
        found = line(Tail.beyond(origin, sign))
    except Unknown:
        return
    seen = seen[~np.isnan(seen)]
    slack = 1e-9 * (1 + np.abs(seen))  # the tail is told from coefficients, not from the same operations
    assert np.all(seen >= found.range.lower - slack)
    assert np.all(seen <= found.range.upper + slack)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.linalg.norm(x, axis=-1),
        lambda x: np.sort(x, axis=-1)[..., 0],
        lambda x: np.array([float(row[0]) for row in x]),
        lambda x: np.asarray(x)[..., 0],
        lambda x: x[..., 0] if x[0, 0] > 0 else x[..., 1],
        lambda x: np.floor(x[..., 0]),
        lambda x: np.nan * x[..., 0],
    ],
)
def test_what_is_not_known_is_refused(function):
    for given_box in (Interval(np.zeros((1, 2)), np.ones((1, 2))), Dual.of_boxes(np.zeros((1, 2)), np.ones((1, 2)))):
        with pytest.raises(Unknown):
            function(given_box)
