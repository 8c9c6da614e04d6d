"""Variational inference on the Gaussian mixture: overlapping clouds, missing coordinates, a Dirichlet process."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bayeskit.diagnostics.weights import importance_weights
from bayeskit.inference.svi import SVIConfig, fit_svi
from bayeskit.models.mixtures.program import gmm_program
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of

pytestmark = pytest.mark.slow

CLOUDS = (
    ((0, 0), ((1, 0.3), (0.3, 1)), 300),
    ((3, 3), ((1, -0.2), (-0.2, 1.5)), 400),
    ((-3, 3), ((1.5, 0.4), (0.4, 1)), 300),
)


def points():
    rng = np.random.RandomState(42)
    y = np.concatenate([rng.multivariate_normal(*cloud) for cloud in CLOUDS])
    return y, y.mean(0), y.std(0)


def fitted(y, *, dp=False, n_components=3, **options):
    spec = MixtureSpec(n_components, 2, "full", dp, priors_of(n_columns=2, covariance="full", dp=dp))
    return fit_svi(gmm_program, (torch.tensor(y), spec), config=SVIConfig(**options), seed=1)


def k_hat(draws):
    return importance_weights((draws.sample_stats["log_p"] - draws.sample_stats["log_q"]).ravel()).k_hat


def test_three_clouds_are_found_from_uniform_starts():
    """Means within four of their posterior standard deviations, 0.08, of the maximum likelihood."""
    y, centre, spread = points()
    draws = fitted((y - centre) / spread)
    assert draws.engine["converged"]
    assert draws.engine["recorded"]
    assert k_hat(draws) < 0.7
    means = draws.values["means"][0].mean(0) * spread + centre
    order = np.argsort(means[:, 0])
    np.testing.assert_allclose(means[order], [[-3.084, 3.073], [0.089, 0.046], [3.059, 3.157]], atol=0.3)
    np.testing.assert_allclose(draws.values["weights"][0].mean(0)[order], [0.300, 0.310, 0.389], atol=0.06)


def test_with_missing_coordinates_steps_are_recorded_all_the_same():
    y, centre, spread = points()
    y[::7, 0], y[3::11, 1] = np.nan, np.nan
    y[np.isnan(y).all(axis=1)] = centre
    draws = fitted((y - centre) / spread)
    assert draws.engine["recorded"]
    assert draws.engine["converged"]
    assert set(draws.engine["summed_out"].split(", ")) == {"z_0", "z_1", "z_2"}
    assert k_hat(draws) < 0.7


def test_a_dirichlet_process_has_its_weights_beside_its_sites():
    y, centre, spread = points()
    draws = fitted((y - centre) / spread, dp=True, n_components=5)
    np.testing.assert_allclose(draws.values["weights"].sum(-1), 1.0)
    assert {"concentration", "sticks", "weights"} <= set(draws.values)
