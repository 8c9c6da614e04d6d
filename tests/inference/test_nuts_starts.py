"""Where chains of NUTS start: at the model's own points, each from a stream of its own."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch
from inference.compiled_programs import conjugate
from pyro import distributions as dist

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._nuts_starts import chain_starts
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.inference.nuts import NUTSConfig, fit_nuts


def positive():
    pyro.sample("s", dist.Gamma(2.0, 1.0))
    pyro.sample("shares", dist.Dirichlet(torch.ones(3)))


def starts(rng, n):
    return {"s": rng.gamma(2.0, size=n), "shares": rng.dirichlet(np.ones(3), n)}


def started(init="auto", density=None, program=positive, chains=3, seed=7, **options):
    density = density or pyro_density(program)
    return chain_starts(init, density, program, (), None, seed=seed, chains=chains, **{"starts": starts, **options})


def test_model_starts_are_the_models_values_one_stream_a_chain():
    density = pyro_density(positive)
    kind, points, attempts = started()
    assert kind == "model"
    assert attempts.tolist() == [1, 1, 1]
    values = density.values(points[None], 0)
    assert np.unique(values["s"]).size == 3
    np.testing.assert_allclose(values["shares"].sum(-1), 1)
    np.testing.assert_array_equal(started(chains=2)[1], points[:2])
    assert not np.isin(started(seed=8)[1], points).any()
    given = {"s": np.array([0.25]), "shares": np.array([[0.2, 0.3, 0.5]])}
    (point,) = started(chains=1, starts=lambda _rng, _n: given)[1]
    assert point[0] == pytest.approx(np.log(0.25))
    assert density.values(point[None, None], 0)["shares"][0, 0].tolist() == pytest.approx([0.2, 0.3, 0.5])


@pytest.mark.parametrize("init", ["auto", "uniform", "prior", "pathfinder", "svi"])
def test_other_starts_are_told_and_usable(init):
    kind, points, _ = started(init, starts=None)
    assert kind == ("uniform" if init == "auto" else init)
    assert points.shape == (3, 3)
    assert len(np.unique(points)) == 9
    if init in ("auto", "uniform"):
        assert abs(points).max() <= 2  # as it was
    np.testing.assert_array_equal(started(init, starts=None, chains=2)[1], points[:2])


def test_start_of_positive_density_is_looked_for():
    calls = []

    def sometimes(rng, n):
        calls.append(n)
        return {"s": rng.gamma(2.0, size=n) if len(calls) > 2 else np.full(n, 5e-324), **shares}

    shares = {"shares": np.full((1, 3), 1 / 3)}
    _, _, attempts = started(starts=sometimes, density=cut_off(), chains=1)
    assert attempts.tolist() == [3]
    with pytest.raises(ProgramError, match=r"chain 1 finds no start: the density is 0 at all 10 of the model's own"):
        started(starts=lambda _rng, n: {"s": np.full(n, 5e-324), **shares}, density=cut_off())


def cut_off():
    """The density, 0 at very small values."""
    density = pyro_density(positive)

    def gradient(points):
        log_density, slope = density.gradient(points)
        return torch.where(points[:, 0] < -700, -torch.inf, log_density), slope

    return type(density)(
        lambda points: gradient(points)[0],
        density.shapes,
        gradient=gradient,
        arrays="torch",
        at_values=density.at_values,
    )


def test_densities_take_starts_by_variable():
    density = Density(lambda x: -0.5 * (x**2).sum(-1), {"x": (2,)}, gradient=lambda x: (-0.5 * (x**2).sum(-1), -x))
    config = NUTSConfig(backend="pyro", chains=1, warmup=20, draws=10, init="model")
    draws = fit_nuts(density, config=config, seed=1, starts=lambda _rng, _n: {"x": np.array([[1.0, 2.0]])})
    assert draws.engine["init"] == "model"
    with pytest.raises(ProgramError, match="the starts have no value for 'x'"):
        fit_nuts(density, config=config, seed=1, starts=lambda _rng, _n: {"y": np.zeros((1, 2))})


def test_starts_that_are_not_there_are_refused():
    with pytest.raises(ConfigError, match=r"init 'model' needs the model's own starts"):
        fit_nuts(positive, config=NUTSConfig(init="model"), seed=1)
    with pytest.raises(ProgramError, match="the start of site 's' lies outside of its support"):
        started(starts=lambda _rng, n: {"s": np.full(n, -1.0), "shares": np.full((n, 3), 1 / 3)})


def test_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        fit_nuts(conjugate, config=NUTSConfig(device="cuda"), seed=1)


@pytest.mark.gpu
def test_gpu_draws_what_the_processor_draws():
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    config = NUTSConfig(chains=1, warmup=50, draws=50, device="cuda")
    draws = fit_nuts(conjugate, config=config, seed=1)
    assert draws.engine["device"] == "cuda"
    assert "lives on a GPU" in draws.engine["note"]
    assert abs(draws.values["mu"].mean() - 1.28) < 1
