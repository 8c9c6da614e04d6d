"""The mean-field guide of factorisations: its sites, its draws' densities, and what it comes to beside Gibbs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyro
import pytest
import torch
from models.factor_joint import log_joint, triangles
from models.factor_problems import FORMS, problem, simulated
from pyro import poutine
from scipy import stats

from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.inference.svi import DrawingGuide, SVIConfig, fit_svi
from bayeskit.models.factors import guide
from bayeskit.models.factors.gibbs import FactorGibbs
from bayeskit.models.factors.guide import FactorGuide
from bayeskit.models.factors.program import program_of
from bayeskit.models.factors.sites import from_sites

ALPHA = 1e-6  # false alarms of a test
QUICK = SVIConfig(steps=20, draws=30)
every_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(autouse=True)
def _alone():
    with pyro.get_param_store().scope():
        yield


@pytest.fixture
def _double():
    precision = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(precision)


def fitted(form, config=QUICK, **options):
    spec, data = problem(**FORMS[form], **options)
    _, data = simulated(spec, data, 3)
    made = FactorGuide(spec, data)
    return spec, data, fit_svi(*program_of(spec, data), config=config, seed=1, guide=made)


@every_form
def test_draws_come_by_the_sites_of_the_spec_with_the_model_s_density(form):
    spec, data, draws = fitted(form)
    shapes = spec.shapes(data.n_users, data.n_items)
    assert {name: value.shape[2:] for name, value in draws.values.items()} == dict(shapes)
    for draw in range(3):
        sites = {name: value[0, draw] for name, value in draws.values.items()}
        expected = log_joint(spec, data, sites) + triangles(spec, sites)[1]
        assert draws.sample_stats["log_p"][0, draw] == pytest.approx(expected, rel=1e-10, abs=1e-8)
    quantities, _ = from_sites(spec, data, draws.values)
    assert all(np.isfinite(value).all() for value in quantities.values())


def free_of(support, value):
    if support is torch.distributions.constraints.real:
        return value, 0.0
    if support is torch.distributions.constraints.positive:
        return np.log(value), -np.log(value).sum()
    gaps = np.diff(value)
    return np.append(value[0], np.log(gaps)), -np.log(gaps).sum()


@pytest.mark.parametrize("form", ["normal, wishart with features", "ordinal, ard", "normal, not negative"])
def test_densities_of_the_guide_are_those_of_its_draws(form):
    spec, data = problem(**FORMS[form])
    _, data = simulated(spec, data, 3)
    made, rng = FactorGuide(spec, data), np.random.default_rng(1)
    learned = {}
    for name, factor in made._factors.items():
        learned[f"{name}_loc"] = rng.standard_normal(factor.start.shape)
        learned[f"{name}_scale"] = rng.gamma(3, 0.1, factor.start.shape)
    values, log_density = made._draw(learned, rng)
    expected = 0.0
    for name, factor in made._factors.items():
        free, log_volume = free_of(factor.support, values[name].numpy())
        expected += stats.norm(learned[f"{name}_loc"], learned[f"{name}_scale"]).logpdf(free).sum() + log_volume
    assert log_density == pytest.approx(expected, rel=1e-10)


@pytest.mark.usefixtures("_double")
@every_form
def test_the_guide_draws_what_its_own_draws_say(form):
    """Its sites by Pyro have the same law as its draws in the end: the same density of the same values."""
    spec, data = problem(**FORMS[form])
    _, data = simulated(spec, data, 3)
    made, (_, args, _) = FactorGuide(spec, data), program_of(spec, data)
    assert isinstance(made, DrawingGuide)
    pyro.set_rng_seed(1)
    trace = poutine.trace(made).get_trace(*args)
    learned = {name: value.detach().numpy() for name, value in pyro.get_param_store().items()}
    values, log_density = made._draw(learned, np.random.default_rng(1))
    again = poutine.trace(poutine.condition(made, data=values)).get_trace(*args)
    assert again.log_prob_sum().item() == pytest.approx(log_density, rel=1e-10)
    assert set(values) == {name for name, node in trace.nodes.items() if node["type"] == "sample"} - {
        frame.name for node in trace.nodes.values() for frame in node.get("cond_indep_stack", ())
    }


def test_many_ratings_make_few_draws(monkeypatch):
    monkeypatch.setattr(guide, "_MOST_WORK", 0)
    monkeypatch.setattr(guide, "_LEAST_DRAWS", 7)
    _, _, draws = fitted("normal, wishart")
    assert draws.values["tau"].shape == (1, 7)
    assert "7 draws instead of 30" in draws.engine["note"]


LARGER = {"n_users": 31, "n_items": 20, "missing": range(0, 600, 7)}


@pytest.mark.parametrize(
    ("form", "batch_size"),
    [
        ("normal, not negative", 200),
        pytest.param("normal, wishart with features", 200, marks=pytest.mark.slow),
        pytest.param("ordinal, ard", None, marks=pytest.mark.slow),
    ],
)
def test_predictions_are_nearly_those_of_gibbs_sampling(form, batch_size):
    """Of the training pairs, in units of the predictive standard deviation; one that has hardly moved is far off."""
    spec, data = problem(**FORMS[form], **LARGER)
    _, data = simulated(spec, data, 3)
    values = data.levels[data.values.astype(int)] if spec.likelihood == "ordinal" else data.in_units(data.values)
    data = replace(data, test_user=data.user, test_item=data.item, test_values=values, scale=(-100.0, 100.0))
    gibbs = fit_gibbs(FactorGibbs(spec, data), GibbsConfig(chains=2, warmup=50, draws=200), seed=1)

    def distance(steps):
        config = SVIConfig(steps=steps, learning_rate=0.05, schedule="cosine", batch_size=batch_size, draws=200)
        draws = fit_svi(*program_of(spec, data), config=config, seed=1, guide=FactorGuide(spec, data))
        _, groups = from_sites(spec, data, draws.values)
        found, expected = groups["held_out"], gibbs.groups["held_out"]
        return np.sqrt(np.mean(((found["mean"] - expected["mean"]) / expected["sd"]) ** 2))

    near, far = distance(700), distance(10)
    assert near < 0.1 < 0.15 < far, (near, far)
