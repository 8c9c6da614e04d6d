"""How fast the diagnostics of many quantities are, beside ArviZ in the same run."""

import time

import arviz_stats
import big_runs
import numpy as np
import pytest
import xarray as xr

from bayeskit.diagnostics.chains import TAILS
from bayeskit.diagnostics.convergence import summarise

OURS, ARVIZ = 20_000, 200  # quantities; the same ones as far as they go


def arviz_summary(posterior):
    """Compute with ArviZ and xarray what a summary holds."""
    posterior.mean(("chain", "draw")), posterior.std(("chain", "draw"))
    posterior.quantile([0.025, 0.16, 0.5, 0.84, 0.975], ("chain", "draw"))
    arviz_stats.mcse(posterior, method="mean")
    arviz_stats.ess(posterior, method="tail", prob=TAILS)
    return xr.Dataset({"r_hat": arviz_stats.rhat(posterior)["x"], "ess_bulk": arviz_stats.ess(posterior)["x"]})


@pytest.mark.parametrize("memory", ["independent", "as it comes", "slow"])
def test_summaries_of_many_quantities(benchmark, tell, memory):
    rng = np.random.default_rng(1)
    draws = big_runs.draw_cells(OURS, rng, troubled=False)
    if memory == "independent":
        draws = rng.normal(size=draws.shape)
    if memory == "slow":
        draws = np.cumsum(draws, axis=1)
    posterior = xr.Dataset({"x": (("chain", "draw", "cell"), draws)})
    few = posterior.isel(cell=slice(ARVIZ))
    started = time.perf_counter()
    expected = arviz_summary(few)
    theirs = (time.perf_counter() - started) / ARVIZ
    found = benchmark.pedantic(summarise, (posterior,), rounds=3)
    ours = benchmark.stats.stats.median / OURS
    for name in expected:
        np.testing.assert_allclose(found[name][:ARVIZ], expected[name], rtol=1e-10)
    tell(f"{memory}: {1e5 * ours:.1f} s for 100,000 quantities, ArviZ {1e5 * theirs:.0f} s, ratio {theirs / ours:.0f}")
