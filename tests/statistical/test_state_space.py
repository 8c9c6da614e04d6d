"""The Stan functions against the dense Gaussian: densities to rounding, smoother draws by exact chi-square tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statistical.dense import Dense

from bayeskit.core.paths import resource
from bayeskit.toolchain import compile_program, ensure_home

HERE = Path(__file__).parent
N_DRAWS = 4000
ALPHA = 1e-4  # two-sided, for each of the tests below: a false alarm once in about a thousand runs of the suite

rng = np.random.default_rng(20261120)
Y = 10 + np.cumsum(rng.normal(size=14))
Y[[0, 4, 5, 11]] = np.nan
NOISE = np.array([0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1])
CASES = {
    "balanced": Dense("level", Y, NOISE, 0.8, np.array([0.5, 1.3]), (9.0, 3.0), (0.3, 0.7)),
    "hardly any noise": Dense("level", Y, NOISE, 0.8, np.array([1e-4, 2e-4]), (9.0, 3.0), (0.3, 0.7)),
    "little noise": Dense("level", Y, NOISE, 0.8, np.array([0.02, 0.03]), (9.0, 3.0), (0.3, 0.7)),
    "hardly any signal": Dense("level", Y, NOISE, 1e-3, np.array([0.5, 1.3]), (9.0, 3.0), (0.3, 0.7)),
}


@pytest.fixture(scope="module")
def probe():
    home = ensure_home()
    executable, _ = compile_program(HERE / "state_space_probe.stan", home, (resource("stan"),))
    results = {}

    def run(name):
        import cmdstanpy

        if name not in results:
            case = CASES[name]
            seen = case.observed
            data = {
                "T": Y.size,
                "N": int(seen.sum()),
                "day": np.flatnonzero(seen) + 1,
                "y": case.y[seen],
                "S": 2,
                "noise": case.noise + 1,
                "s_mu": case.s_mu,
                "s_y": case.s_y,
                "mu_1": list(case.mu_1),
                "slope_1": list(case.slope_1),
            }
            fit = cmdstanpy.CmdStanModel(exe_file=str(executable)).sample(
                data=data, fixed_param=True, chains=1, iter_sampling=N_DRAWS, seed=7, sig_figs=17, show_progress=False
            )
            results[name] = fit.stan_variables()
        return results[name]

    return run


def p_values(draws, mean, cov):
    """Exact p-values of the draws' mean and of their spread under the given Gaussian."""
    values, vectors = np.linalg.eigh(cov)
    kept = values > 1e-10 * values.max()
    white = (draws - mean) @ vectors[:, kept] / np.sqrt(values[kept])
    n, k = white.shape
    of_mean = stats.chi2(k).sf(n * (white.mean(axis=0) ** 2).sum())
    spread = stats.chi2(n * k).cdf((white**2).sum())
    # Neighbouring days must go together as they do in the smoothed distribution, not only each for itself.
    cross = np.array([(white[:, i] * white[:, j]).sum() / np.sqrt(n) for i in range(k) for j in range(i)])
    of_correlation = stats.chi2(cross.size).sf((cross**2).sum())
    return of_mean, 2 * min(spread, 1 - spread), of_correlation


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("structure", ["level", "trend"])
def test_one_step_ahead_densities_are_exact(probe, name, structure):
    expected = replace(CASES[name], structure=structure).one_step_ahead()
    found = probe(name)[f"{structure}_log_lik"][0]
    # The dense oracle loses digits where the noise is a millionth of the signal; the filter does not.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 if name == "hardly any noise" else 1e-9)


@pytest.mark.parametrize("name", ["balanced", "little noise", "hardly any signal"])
@pytest.mark.parametrize("structure", ["level", "trend"])
def test_smoother_draws_from_the_states_given_all_days(probe, name, structure):
    draws = probe(name)["level_mu"] if structure == "level" else probe(name)["trend_states"][..., 0]
    assert min(p_values(draws, *replace(CASES[name], structure=structure).smoothed())) > ALPHA


def test_slope_is_the_daily_change_of_the_level(probe):
    states = probe("balanced")["trend_states"]
    np.testing.assert_allclose(np.diff(states[..., 0], axis=1), states[:, :-1, 1], atol=1e-10)


def test_last_slope_has_the_spread_of_one_more_step(probe):
    states = probe("balanced")["trend_states"]
    # Given the days, slope[T] = slope[T-1] + eta, and no observation says anything of that eta.
    eta = (states[:, -1, 1] - states[:, -2, 1]) / CASES["balanced"].s_mu
    assert stats.kstest(eta, "norm").pvalue > ALPHA
    assert stats.kstest(1.15 * eta, "norm").pvalue < ALPHA  # negative control


@pytest.mark.parametrize(
    ("variable", "change"),
    [
        ("filtered_mu", {}),
        ("level_mu", {"s_mu": 0.88}),
        ("level_mu", {"mu_1": (11.0, 3.0)}),
        ("trend_states", {"structure": "trend", "s_mu": 0.88}),
        ("trend_states", {"structure": "level"}),
    ],
    ids=["filtered, not smoothed", "another s_mu", "another prior mean", "another s_mu of the trend", "another model"],
)
def test_wrong_draws_are_rejected(probe, variable, change):
    draws = probe("balanced")[variable]
    draws = draws[..., 0] if draws.ndim == 3 else draws
    assert min(p_values(draws, *replace(CASES["balanced"], **change).smoothed())) < ALPHA
