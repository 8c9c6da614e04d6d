"""One mixture, three programs: Stan, Pyro and the reference in NumPy give one density."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models.mixture_reference import coordinates, free, log_posterior, mixture_spec, some_points, some_values

from bayeskit.inference._pyro_density import pyro_density
from bayeskit.inference._stan_density import stan_density
from bayeskit.models.mixtures.program import gmm_program
from bayeskit.models.mixtures.spec import COVARIANCES, MixtureSpec
from bayeskit.models.mixtures.stan import PROGRAM, site_values, stan_data, stan_outputs, stan_start

TOLERANCE = 1e-10
CASES = [(3, n_columns, form, dp) for n_columns in (1, 2, 3) for form in COVARIANCES for dp in (False, True)]
CASES += [(1, 2, "full", False), (1, 2, "tied", True), (2, 6, "full", True)]


@dataclass(frozen=True)
class Model:
    """A mixture for the Stan engine, with what a test wants changed in its data."""

    spec: MixtureSpec
    y: Any
    start: Any = None
    changes: dict[str, Any] = field(default_factory=dict)
    program: str = PROGRAM
    metric: str = "diag_e"

    @property
    def outputs(self):
        return stan_outputs(self.spec)

    def stan_data(self):
        return stan_data(self.spec, self.y) | self.changes

    def stan_inits(self, rng):
        return None if self.start is None else stan_start(self.spec, self.start)


@pytest.fixture(scope="module", autouse=True)
def home(stan_home: Path):
    if not (stan_home / "runner").is_dir():
        pytest.skip(f"the Stan in {stan_home} is not built on our runner")


def differs(found, expected):
    return float(np.max(np.abs(np.subtract(found, expected)) / np.maximum(1, np.abs(expected))))


@pytest.mark.parametrize(("n_components", "n_columns", "form", "dp"), CASES)
def test_stan_and_pyro_and_the_reference_agree(n_components, n_columns, form, dp):
    rng = np.random.default_rng(n_columns)
    spec = mixture_spec(n_components, n_columns, form, dp, ("scales=inv_gamma(3, 2)",) if n_columns == 2 else ())
    y = some_points(spec, rng, 9)
    with stan_density(Model(spec, y), seed=1, threads=1) as density:
        points = rng.standard_normal((3, density.n_dims))
        by_stan, stan_gradients = density.with_gradient(points)
        values = site_values(spec, density.values(points[None], 0))
    assert {name: value.shape[2:] for name, value in values.items()} == dict(spec.shapes)
    each = [{name: value[0, i] for name, value in values.items()} for i in range(len(points))]
    by_reference = [log_posterior(spec, y, one) for one in each]
    assert differs(by_stan, by_reference) < TOLERANCE
    program = pyro_density(gmm_program, (torch.as_tensor(y), spec))
    by_pyro, pyro_gradients = program.with_gradient(torch.as_tensor(np.stack([coordinates(spec, one) for one in each])))
    assert differs(by_pyro.numpy(), by_stan) < TOLERANCE
    # torch's bijections are Stan's, the order of the coordinates apart.
    assert differs(np.sort(pyro_gradients.numpy()), np.sort(stan_gradients)) < 1e-6
    # Control: without the Jacobians they would not agree.
    without = [sum(log_jacobian for _, log_jacobian in free(spec, one).values()) for one in each]
    assert differs(by_stan - without, by_reference) > 1e-3


@pytest.mark.parametrize(
    "changes",
    [
        {"means_args": [0.0, 2.2]},
        {"scales_args": [-0.7, 0.9]},
        {"correlations_shape": 2.2},
        {"weights_concentration": 1.2},
        {"observed": 0},
    ],
    ids=["wider means", "wider scales", "another LKJ", "another Dirichlet", "columns exchanged"],
)
def test_another_mixture_is_told(changes):
    rng = np.random.default_rng(2)
    spec = mixture_spec(2, 2)
    y, values = some_points(spec, rng, 9), some_values(spec, rng)
    if "observed" in changes:
        observed = stan_data(spec, y)["observed"]
        changes = {"observed": np.where(observed[:, 1:] == 0, np.where(observed > 0, 3 - observed, 0), observed)}
    with stan_density(Model(spec, y, values, changes), seed=1, threads=1) as density:
        found = density(density.start(rng, 1))
    assert differs(found, log_posterior(spec, y, values)) > 1e-6


@pytest.mark.parametrize("form", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
def test_start_values_are_where_stan_starts(form, dp):
    rng = np.random.default_rng(3)
    spec = mixture_spec(3, 2, form, dp)
    values, y = some_values(spec, rng), some_points(spec, rng)
    with stan_density(Model(spec, y, values), seed=1, threads=1) as density:
        start = density.start(rng, 1)
        found = site_values(spec, density.values(start[None], 0))
        assert differs(density(start), log_posterior(spec, y, values)) < TOLERANCE
    for name, value in values.items():
        np.testing.assert_allclose(found[name][0, 0], value, rtol=1e-8, atol=1e-10, err_msg=name)


def test_numbers_stay_finite_where_the_mixture_is_extreme():
    rng = np.random.default_rng(6)
    spec = mixture_spec(10, 20)
    y = np.concatenate([np.repeat(rng.standard_normal((3, 20)), 4, axis=0), np.full((1, 20), 1e6)])
    y[0, 3] = np.nan
    values = some_values(spec, rng)
    values["means"][:5] = values["means"][0]
    with stan_density(Model(spec, y, values), seed=1, threads=1) as density:
        log_density, gradient = density.with_gradient(density.start(rng, 1))
    assert differs(log_density, log_posterior(spec, y, values)) < 1e-8
    assert np.isfinite(gradient).all()
