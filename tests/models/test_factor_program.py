"""The Pyro program of matrix factorisations: the model's log density, its gradient, and its graph."""

from __future__ import annotations

import mpmath
import numpy as np
import pyro
import pytest
import torch
from models.factor_joint import log_joint, triangles
from models.factor_problems import FORMS, problem, simulated
from pyro import poutine
from pyro.poutine.messenger import Messenger
from scipy import special, stats

from bayeskit.inference._compiled_trace import traced
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.models.factors import _laws, program
from bayeskit.models.factors._laws import AscendingNormals, NormalRows, log_mass, log_ndtr
from bayeskit.models.factors.program import program_of

ALPHA = 1e-6  # false alarms of a test
QUICK = ("ordinal, wishart",)  # graphs of the others are made of the same parts
every_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(autouse=True)
def _alone():
    precision = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    with pyro.get_param_store().scope():
        yield
    torch.set_default_dtype(precision)


def log_density(spec, data, sites):
    """Return the program's log density of sites, and the model's."""
    made, log_volume = triangles(spec, sites)
    given = {name: torch.tensor(value) for name, value in {**sites, **made}.items()}
    function, args, kwargs = program_of(spec, data)
    trace = poutine.trace(poutine.condition(function, data=given)).get_trace(*args, **kwargs)
    return float(trace.log_prob_sum()), log_joint(spec, data, sites) + log_volume


@every_form
@pytest.mark.parametrize("seed", [1, 2])
def test_density_is_that_of_the_model(form, seed):
    spec, data = problem(**FORMS[form])
    sites, data = simulated(spec, data, seed)
    found, expected = log_density(spec, data, sites)
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-9)


class Unordered(AscendingNormals):
    def log_prob(self, value):
        return self._each.log_prob(value).sum(-1)


BROKEN = {
    "rows around 0": ("normal, wishart", "NormalRows", lambda mean, *rest: NormalRows(0 * mean, *rest)),
    "upper factor": ("normal, wishart", "NormalRows", lambda mean, factor, *rest: NormalRows(mean, factor.T, *rest)),
    "one relevance": ("normal, ard with features", "NormalRows", lambda mean, factor, *_: NormalRows(mean, factor)),
    "cutpoints in any order": ("ordinal, wishart", "AscendingNormals", Unordered),
    "levels from 1": (
        "ordinal, ard", "ProbitLevels", lambda cutpoints, eta: _laws.ProbitLevels(cutpoints - 1, eta),
    ),
    "both sides negative": (
        "ordinal, not negative", "several", lambda law, *shape, batch=0: SEVERAL(_as_normal(law), *shape, batch=batch),
    ),
}  # fmt: skip
SEVERAL = program.several


def _as_normal(law):
    return pyro.distributions.Normal(0.0, law.scale) if isinstance(law, pyro.distributions.HalfNormal) else law


@pytest.mark.parametrize("name", BROKEN)
def test_broken_programs_are_told(name, monkeypatch):
    form, attribute, wrong = BROKEN[name]
    spec, data = problem(**FORMS[form])
    sites, data = simulated(spec, data, 3)
    monkeypatch.setattr(program, attribute, wrong)
    found, expected = log_density(spec, data, sites)
    assert abs(found - expected) > 1e-3


@every_form
def test_engines_see_the_sites_of_the_spec(form):
    """What is unconstrained goes there and back, and what is no site is made of what is one."""
    spec, data = problem(**FORMS[form])
    sites, data = simulated(spec, data, 4)
    made, _ = triangles(spec, sites)
    density = pyro_density(*program_of(spec, data))
    point = density.at_values({name: value[None] for name, value in {**sites, **made}.items()})
    back = density.values(point[None], 0)
    assert set(back) == {*sites, *made}
    for name, value in sites.items():
        np.testing.assert_allclose(back[name][0, 0], value, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=[] if form in QUICK else [pytest.mark.slow]) for form in FORMS]
)
def test_the_graph_gives_what_the_program_gives(form):
    spec, data = problem(**FORMS[form])
    _, data = simulated(spec, data, 5)
    density = pyro_density(*program_of(spec, data))
    rng = np.random.default_rng(1)
    points = torch.tensor(rng.uniform(-1, 1, (2, density.n_dims)))
    graph = traced(density.gradient.function, points[0])
    expected = density.with_gradient(points)
    for place, point in enumerate(points):
        log_joint_there, gradient = graph(point)
        np.testing.assert_allclose(log_joint_there, expected[0][place], rtol=1e-12)
        np.testing.assert_allclose(gradient, expected[1][place], rtol=1e-9, atol=1e-9)
    assert not np.allclose(*expected[0])  # a graph that had written down its first point's numbers would repeat them


def test_gradient_is_that_of_finite_differences():
    for form in ("normal, wishart with features", "ordinal, ard"):
        spec, data = problem(**FORMS[form])
        _, data = simulated(spec, data, 6)
        density = pyro_density(*program_of(spec, data))
        point = np.random.default_rng(2).uniform(-1, 1, density.n_dims)
        _, (gradient,) = (part.numpy() for part in density.with_gradient(torch.tensor(point[None])))
        step = 1e-4 * np.eye(point.size)
        near = density(torch.tensor(np.concatenate([point + step, point - step]))).numpy().reshape(2, -1)
        np.testing.assert_allclose(gradient, (near[0] - near[1]) / 2e-4, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("likelihood", ["normal", "ordinal"])
def test_parts_of_the_ratings_stand_for_all(likelihood):
    """The mean over parts that share the ratings out is what all of them give."""
    spec, data = problem(likelihood)
    sites, data = simulated(spec, data, 7)
    made, _ = triangles(spec, sites)
    given = {name: torch.tensor(value) for name, value in {**sites, **made}.items()}
    function, args, kwargs = program_of(spec, data)
    conditioned = poutine.condition(function, data=given)
    whole = poutine.trace(conditioned).get_trace(*args, **kwargs).log_prob_sum()
    parts = [
        poutine.trace(Chosen(places)(conditioned)).get_trace(*args, **kwargs).log_prob_sum()
        for places in torch.arange(data.n_ratings).split(data.n_ratings // 2)
    ]
    assert float(sum(parts) / len(parts)) == pytest.approx(float(whole), rel=1e-12)
    assert float(parts[0]) != pytest.approx(float(whole), rel=1e-6)


class Chosen(Messenger):
    """Has the ratings' plate take some of its places."""

    def __init__(self, places):
        super().__init__()
        self._places = places

    def _pyro_sample(self, msg):
        if msg["name"] == "ratings":
            msg["value"] = self._places


def test_rows_have_the_precision_of_their_factor():
    torch.manual_seed(1)
    factor = torch.tensor([[1.5, 0.0, 0.0], [0.4, 0.8, 0.0], [-0.7, 0.3, 2.0]])
    mean, times = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), torch.tensor([1.0, 4.0])
    law = NormalRows(mean, factor, times)
    drawn = law.rsample((20_000,))
    assert drawn.shape == (20_000, 2, 3)
    for row in range(2):
        white = ((drawn[:, row] - mean[row]) @ factor * times[row].sqrt()).numpy()
        assert min(stats.kstest(column, "norm").pvalue for column in white.T) > ALPHA
        assert np.abs(np.corrcoef(white.T) - np.eye(3)).max() < stats.norm.isf(ALPHA / 6) / np.sqrt(20_000)
    assert NormalRows(mean[0], factor).rsample().shape == (3,)
    against = stats.multivariate_normal(mean[1], np.linalg.inv(4 * (factor @ factor.T).numpy()))
    np.testing.assert_allclose(law.log_prob(drawn[:5])[:, 1], against.logpdf(drawn[:5, 1]), rtol=1e-10)


def test_ascending_normals_are_normal_numbers_in_order():
    torch.manual_seed(2)
    law = AscendingNormals(1.0, 2.0, 3)
    drawn = law.sample((5000,)).numpy()
    assert (np.diff(drawn, axis=1) > 0).all()
    for place in range(3):
        order = stats.beta(place + 1, 3 - place)
        uniform = order.cdf(stats.norm(1, 2).cdf(drawn[:, place]))
        assert stats.kstest(uniform, "uniform").pvalue > ALPHA


EXTREMES = [(-0.3, 0.8), (9, 9.001), (25, 26), (-60, -58), (300, 1e8), (-1e8, -40), (-1e8, 3), (0.5, 0.5 + 1e-9)]


@pytest.mark.parametrize(("low", "high"), EXTREMES)
def test_log_mass_keeps_its_digits_at_extremes(low, high):
    with mpmath.workdps(60):
        far = mpmath.erfc(min(abs(low), abs(high)) / mpmath.sqrt(2)) / 2
        near = mpmath.erfc(max(abs(low), abs(high)) / mpmath.sqrt(2)) / 2
        expected = float(mpmath.log(far - near if low * high > 0 else 1 - far - near))
    given = torch.tensor([low, high], dtype=torch.float64).requires_grad_()
    found = log_mass(given[0], given[1])
    (slope,) = torch.autograd.grad(found, given)
    assert found.item() == pytest.approx(expected, rel=1e-7 if high - low < 1e-6 else 1e-9)
    assert torch.isfinite(slope).all()


def test_log_ndtr_is_scipy_s():
    x = np.concatenate([np.linspace(-60, 8, 200), [-1e8, -1e4, -20.0, 30.0]])
    np.testing.assert_allclose(log_ndtr(torch.tensor(x)).numpy(), special.log_ndtr(x), rtol=1e-9, atol=1e-15)
