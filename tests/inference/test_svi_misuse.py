"""What programs, guides and numbers can be wrong about, each told in one line with the site's name."""

from __future__ import annotations

import functools

import numpy as np
import pyro
import pytest
import torch
from inference.svi_programs import X, Y, regression
from pyro import distributions as dist

from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.inference._svi_optimiser import Course
from bayeskit.inference.svi import SVIConfig, fit_svi

DATA = (torch.tensor(X), torch.tensor(Y))
SHORT = SVIConfig(steps=20, candidates=1, draws=4, window=10)


def sample(name, shape=()):
    return pyro.sample(name, dist.Normal(pyro.param(f"{name}_at", torch.zeros(shape)), 1.0).to_event(len(shape)))


def without_a_site(x, y):
    pyro.param("p", torch.tensor(0.0))


def with_another(x, y):
    sample("slopes", (2,))
    sample("intercept")


def of_another_shape(x, y):
    sample("slopes", (3,))


def without_parameters(x, y):
    pyro.sample("slopes", dist.Normal(torch.zeros(2), 1.0).to_event(1))


def of_other_arguments(x):
    sample("slopes", (2,))


def raising(x, y):
    raise KeyError("of the guide")


def unused(x, y):
    pyro.param("p", torch.tensor(0.0))
    without_parameters(x, y)


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        (without_a_site, r"the guide has no site 'slopes', which regression has; add pyro.sample\('slopes'"),
        (with_another, "the guide has a site 'intercept', which regression has not"),
        (of_another_shape, r"'slopes' has shape \(3,\) in the guide and \(2,\) in regression"),
        (without_parameters, "the guide has no pyro.param"),
        (of_other_arguments, r"of_other_arguments\(x\) cannot be called as it was: too many positional"),
        (raising, "the guide raised KeyError"),
        (unused, "depends on no parameter"),
        ("normal", "'normal' is not a function"),
    ],
)
def test_guides_that_do_not_fit(guide, message):
    with pytest.raises(ProgramError, match=message) as caught:
        fit_svi(regression, DATA, config=SHORT, seed=1, guide=guide)
    assert "\n" not in str(caught.value)
    assert not pyro.get_param_store()


def observed_only(y):
    pyro.sample("y", dist.Normal(0.0, 1.0), obs=y)


def endless(y):
    n = pyro.sample("n", dist.Poisson(3.0))
    pyro.sample("y", dist.Normal(n, 1.0), obs=y)


def without_plate(y):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(mu, 1.0), obs=y)


def discrete_only(y):
    z = pyro.sample("z", dist.Bernoulli(0.3))
    pyro.sample("y", dist.Normal(z, 1.0), obs=y)


def broken(y):
    return pyro.sample("mu", dist.Normal(0.0, 1.0)) + y["nothing"]


ONE = torch.tensor(1.0)


@pytest.mark.parametrize(
    ("program", "args", "message"),
    [
        (42, (), "42 is not a function"),
        (observed_only, (ONE,), "has no latent pyro.sample site"),
        (observed_only, (), "cannot be called as it was: missing a required argument: 'y'"),
        (endless, (ONE,), "site 'n' is latent and discrete, with more values than can be summed"),
        (without_plate, (torch.ones(4),), 'at site "y", invalid log_prob shape'),
        (discrete_only, (ONE,), "no latent site but those that are summed out"),
        (broken, (ONE,), "broken raised"),
    ],
)
def test_programs_that_cannot_be_fitted(program, args, message):
    with pytest.raises(ProgramError, match=message) as caught:
        fit_svi(program, args, config=SHORT, seed=1)
    assert "\n" not in str(caught.value)


def two_states(y):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    z = pyro.sample("z", dist.Bernoulli(0.3))
    pyro.sample("y", dist.Normal(mu + z, 1.0), obs=y)


def test_options_that_do_not_fit_the_program():
    with pytest.raises(ConfigError, match="loss trace cannot sum site 'z' out; take trace_enum"):
        fit_svi(two_states, (ONE,), config=SVIConfig(loss="trace"), seed=1)
    with pytest.raises(ConfigError, match="'init': nothing gives the model's own starts"):
        fit_svi(regression, DATA, config=SVIConfig(init="model"), seed=1)
    with pytest.raises(ProgramError, match=r"starts raised KeyError \('slopes'\)"):
        fit_svi(regression, DATA, config=SHORT, seed=1, starts=lambda rng, n: {}["slopes"])
    with pytest.raises(ProgramError, match="starts gave site 'slopes' values of shape"):
        fit_svi(regression, DATA, config=SHORT, seed=1, starts=lambda rng, n: {"slopes": np.zeros((n, 3))})
    with pytest.raises(ConfigError, match="4,004,001 parameters for 2,001 coordinates"):
        fit_svi(wide, (), config=SHORT, seed=1)


def wide():
    pyro.sample("x", dist.Normal(torch.zeros(2001), 1.0).to_event(1))


def by_score(y):
    pyro.sample("mu", dist.Normal(pyro.param("m", torch.tensor(0.0)), 1.0))
    pyro.sample("z", dist.Bernoulli(pyro.param("p", torch.tensor(0.5))))


def test_mean_field_needs_reparameterised_guides():
    with pytest.raises(ConfigError, match=r"trace_mean_field needs a guide that draws by reparam.* site 'z' does not"):
        fit_svi(two_states, (ONE,), config=SVIConfig(loss="trace_mean_field"), seed=1, guide=by_score)


def out_of_support(y):
    rate = pyro.sample("rate", dist.LogNormal(0.0, 1.0))
    pyro.sample("height", dist.Normal(rate, 1.0), obs=ONE.double())
    pyro.sample("share", dist.Uniform(0.0, 1.0, validate_args=False), obs=y)


def no_number(y):
    level = pyro.sample("level", dist.Normal(0.0, 1.0))
    pyro.sample("fine", dist.Normal(level, 1.0), obs=y)
    pyro.sample("root", dist.Normal((level - 100).sqrt(), 1.0, validate_args=False), obs=y)


def steep(y):
    """A log density that is a number at 0, with a gradient that is none."""
    level = pyro.sample("level", dist.Normal(0.0, 1.0))
    pyro.sample("edge", dist.Normal((level * 0).abs().sqrt(), 1.0), obs=y)


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize(
    ("program", "message"),
    [
        (out_of_support, "out_of_support: site 'share' has log density -inf: data outside its support"),
        (no_number, "no_number: site 'root' has log density nan in the first step"),
        (steep, "steep: the gradient of site 'edge' is nan at parameter 'AutoNormal.locs.level' in the first step"),
    ],
)
def test_what_is_no_number_is_told_with_its_site(program, message, record):
    config = SVIConfig(steps=400, candidates=1, guide="normal", record=record)
    with pytest.raises(ProgramError, match=message) as caught:
        fit_svi(program, (torch.tensor(-1.0),), config=config, seed=1)
    assert "\n" not in str(caught.value)


def runs_away(y):
    """Fine near 0; from 3 on, where the guide is drawn to, it is no number."""
    level = pyro.sample("level", dist.Normal(0.0, 100.0))
    pyro.sample("log", dist.Normal((3 - level).log(), 1.0, validate_args=False), obs=y)
    pyro.factor("pull", 50.0 * level)


@pytest.mark.parametrize("record", [True, False])
def test_what_stops_being_a_number_is_told_with_the_step(record):
    config = SVIConfig(steps=400, candidates=1, guide="normal", learning_rate=0.05, record=record)
    starts = functools.partial(_at, "level", 0.0)
    with pytest.raises(
        InferenceError, match=r"site 'log' has log density nan in step \d+; take a smaller learning"
    ) as at:
        fit_svi(runs_away, (ONE,), config=config, seed=1, starts=starts)
    assert int(str(at.value).split("in step ")[1].split(";")[0]) > 5


def _at(name, value, rng, n):
    return {name: np.full(n, value)}


def factor(y):
    """Its matrix is no longer positive definite where the correlation passes 1."""
    level = pyro.sample("level", dist.Normal(0.0, 100.0))
    matrix = torch.stack([torch.stack([ONE.double(), level]), torch.stack([level, ONE.double()])])
    pyro.sample("pair", dist.MultivariateNormal(torch.zeros(2), matrix, validate_args=False), obs=y.expand(2))
    pyro.factor("pull", 50.0 * level)


@pytest.mark.parametrize("record", [True, False])
def test_what_is_raised_in_the_middle_is_told_with_the_step(record):
    config = SVIConfig(steps=400, candidates=1, guide="normal", learning_rate=0.05, record=record)
    with pytest.raises(InferenceError, match=r"factor: it raised .*positive-definite.* in step \d+"):
        fit_svi(factor, (ONE,), config=config, seed=1, starts=functools.partial(_at, "level", 0.0))


def grows(y, memory=[]):  # noqa: B006
    """Declares another parameter in a later run."""
    memory.append(1)
    pyro.param(f"p{len(memory) // 20}", torch.tensor(0.0))
    without_plate(y)


def test_parameters_that_come_up_later_are_refused():
    with pytest.raises(ProgramError, match="parameter 'p1' is not there in every run"):
        fit_svi(grows, (ONE,), config=SVIConfig(steps=60, candidates=1), seed=1)


def counting(y, calls=[0]):  # noqa: B006
    """Does something else each time: what it observes drifts away."""
    calls[0] += 1
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(mu, 1.0), obs=y + calls[0])


SHIFT = [0.0]


def shifted(y):
    mu = pyro.sample("mu", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(mu, 1.0), obs=y + SHIFT[0])


def test_programs_that_do_not_do_the_same_each_time_are_not_recorded(monkeypatch):
    config = SVIConfig(steps=350, candidates=1, draws=4)
    assert fit_svi(counting, (ONE,), config=config, seed=1).engine["recorded"] is False
    add = Course.add

    def shifting(course, *rest):
        add(course, *rest)
        SHIFT[0] = 10.0 * (len(course.losses) > 600)

    monkeypatch.setattr(Course, "add", shifting)
    config = SVIConfig(steps=1200, candidates=1, draws=4, schedule="cosine")
    draws = fit_svi(shifted, (ONE,), config=config, seed=1)
    assert draws.engine["recorded"] is False
    assert "does not do the same each time" in draws.engine["note"]
    bound = draws.groups["history"]["elbo"]
    assert np.median(bound[1050:]) < np.median(bound[900:1000]) - 5
