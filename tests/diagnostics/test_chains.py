"""The kernels against ArviZ, which works on one quantity at a time."""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import lfilter
from scipy.stats import norm, rankdata

from bayeskit.diagnostics.chains import MIN_DRAWS, PAIRS, TAILS, effective_size, in_order, mixing, quantile, split

PRECISION = 1e-10
SIZES = [(4, 1000), (1, 1000), (4, 4), (1, 4), (4, 5), (4, 10), (3, 11), (2, 101), (8, 332)]


def ours(values):
    return mixing(values, in_order(values))


def arviz(values):
    with np.errstate(all="ignore"):
        return {
            "ess_mean": array_stats.ess(values, method="mean"),
            "ess_bulk": array_stats.ess(values, method="bulk"),
            "ess_tail": array_stats.ess(values, method="tail", prob=TAILS),
            "r_hat": array_stats.rhat(values, method="rank"),
        }


def assert_equal(values):
    found, expected = ours(values), arviz(values)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=PRECISION, err_msg=name)


def chains(kind, shape, seed=1, n_cells=20):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_cells, *shape))
    made = {
        "independent": noise,
        "slow": lfilter([1], [1, -0.95], noise, axis=-1),
        "hardly moving": lfilter([1], [1, -0.999], noise, axis=-1),
        "antithetic": lfilter([1], [1, 0.8], noise, axis=-1),
        "heavy tails": rng.standard_cauchy((n_cells, *shape)),
        "skewed": np.exp(2 * noise),
        "tied": np.round(noise),
        "indicator": (noise > 0).astype(float),
        "rarely 1": (noise > 2).astype(float),
        "apart": noise + np.arange(shape[0])[:, None],
        "constant": np.broadcast_to(np.arange(float(n_cells))[:, None, None], noise.shape).copy(),
        "tiny": 1e-200 * noise,
    }
    return made[kind]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize(
    "kind", ["independent", "slow", "hardly moving", "antithetic", "heavy tails", "skewed", "apart"]
)
def test_continuous_chains_have_arviz_s_numbers(kind, shape):
    assert_equal(chains(kind, shape))


@pytest.mark.parametrize("shape", [(4, 1000), (1, 1000), (2, 101), (8, 332)])
@pytest.mark.parametrize("kind", ["tied", "indicator", "rarely 1", "constant", "tiny"])
def test_ties_have_arviz_s_numbers(kind, shape):
    assert_equal(chains(kind, shape))


def test_what_holds_no_number_has_none_and_leaves_the_others_alone():
    values = chains("slow", (4, 200))
    clean = ours(values)
    values[0, 1, 7] = np.nan
    values[1] = np.nan
    values[2, 0, 3], values[3, 2, 5] = np.inf, -np.inf
    found, expected = ours(values), arviz(values)
    for name, column in found.items():
        assert np.isnan(column[:2]).all(), name
        np.testing.assert_allclose(column, expected[name], rtol=PRECISION, err_msg=name)
        np.testing.assert_array_equal(column[4:], clean[name][4:])


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_chains_that_are_too_short_have_no_number(draws):
    assert draws < MIN_DRAWS
    assert all(np.isnan(column).all() for column in ours(np.ones((2, 4, draws))).values())


def test_all_lags_are_looked_at_where_few_do_not_tell():
    """Chains so slow that neither round of single lags is enough."""
    drifting = np.linspace(0, 1, 1000) + 1e-3 * chains("independent", (2, 1000))
    correlated = array_stats.autocorr(split(drifting)[0, 0])
    assert (correlated[: 2 * max(PAIRS)] > 0).all()
    assert_equal(drifting)


@given(
    data=st.data(),
    n_chains=st.integers(1, 5),
    n_draws=st.integers(4, 40),
    elements=st.sampled_from([st.integers(0, 2), st.integers(-20, 20), st.floats(-1e6, 1e6, width=32)]),
)
def test_any_chains_have_arviz_s_numbers(data, n_chains, n_draws, elements):
    values = data.draw(arrays(float, (1, n_chains, n_draws), elements=elements))
    assume(not on_the_edge(values[0]))
    assert_equal(values)


def test_the_edge_is_where_rounding_decides():
    assert not on_the_edge(chains("independent", (4, 100))[0])
    assert on_the_edge(np.array([[0.0, 2, 1, 1, 0, 2, 0, 2]]))


@given(
    values=arrays(float, st.tuples(st.just(1), st.integers(1, 60)), elements=st.floats(-1e3, 1e3)),
    probability=st.floats(0, 1),
)
@example(values=np.arange(21.0)[None], probability=0.05)
def test_quantiles_are_numpy_s(values, probability):
    ordered = np.sort(values, axis=1)
    np.testing.assert_array_equal(quantile(ordered, probability), np.quantile(values, probability, axis=1))


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9, -0.5])
def test_effective_size_of_a_known_process(memory):
    """The mean of an autoregression of n draws is worth n (1 - memory) / (1 + memory) independent ones.

    The sum of autocorrelations is an estimate: of 400 replications of 4 x 1000 draws its mean is within a few standard
    errors of the truth, but for the bias that Geyer's cut leaves, of some percent.
    """
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(400, 4, 1500))
    values = lfilter([1], [1, -memory], noise, axis=-1)[..., 500:]
    time = 4000 / effective_size(split(values))
    truth = (1 + memory) / (1 - memory)
    error = time.std(ddof=1) / np.sqrt(len(time))
    assert abs(time.mean() - truth) < 4 * error + 0.05 * truth
    assert abs(time.mean() - truth * 1.2) > 4 * error + 0.05 * truth  # a fifth off would show


def on_the_edge(chains_of_one):
    """Whether a pair of autocorrelations sums to 0 but for rounding, in any of the series that are looked at."""
    halves = np.vstack(np.split(chains_of_one[:, : chains_of_one.shape[1] // 2 * 2], 2, axis=1))
    if chains_of_one.shape[1] % 2:
        half = chains_of_one.shape[1] // 2
        halves = np.vstack([chains_of_one[:, :half], chains_of_one[:, -half:]])
    ranks = rankdata(halves, axis=None).reshape(halves.shape)
    low, high = np.quantile(chains_of_one, TAILS)
    series = [halves, norm.ppf((ranks - 3 / 8) / (halves.size + 1 / 4)), halves <= low, halves <= high]
    return any(_cut_by_rounding(np.asarray(one, dtype=float)) for one in series)


def _cut_by_rounding(halves):
    n_draws = halves.shape[1]
    if np.ptp(halves) == 0 or n_draws < 4:
        return False
    covariances = array_stats.autocov(halves, axis=1).mean(0)
    total = covariances[0] + halves.mean(1).var(ddof=1)
    correlations = 1 - (covariances[0] * n_draws / (n_draws - 1) - covariances) / total
    sums = correlations[: n_draws // 2 * 2].reshape(-1, 2).sum(1)
    return bool((np.abs(sums[1:]) < 1e-9).any() or np.abs(correlations[::2]).min() < 1e-9 or abs(sums[0]) < 1e-9)
