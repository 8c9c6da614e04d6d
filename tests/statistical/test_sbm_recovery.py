"""Whether planted blocks come back: their number, who belongs to them, and none where there are none.

With two partitions a source is known by its own edges only, so that no method finds all: the benchmark is the marginal
mode of the assignments given the true shares and rates, which no other estimate overlaps more with the truth on
average, Decelle, Krzakala, Moore and Zdeborová (2011), doi:10.1103/PhysRevE.84.066106. By the same source a partition
of K equal blocks can be detected where (c_in - c_out)^2 > K^2 c, with c_in and c_out N times the mean number of edges
of a pair inside a block and of one between two, and c the mean degree; both directions of a directed graph together
give c = 2 x degree.
"""

import numpy as np
import pytest
from models.block_graphs import adjusted_rand, pairs_of, planted, spec_of
from scipy import stats

from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.inference.spectral import SpectralConfig, fit_spectral
from bayeskit.inference.vb import VBConfig, fit_vb
from bayeskit.models.blocks.gibbs import BlockGibbs
from bayeskit.models.blocks.selection import choose_blocks
from bayeskit.models.blocks.spectral import BlockSpectral
from bayeskit.models.blocks.vb import BlockVB

N, K, DEGREE, RATIO = 1000, 8, 20, 8
CRITERIA = ("icl", "dl", "elbo")
FEW, ALL = range(2), pytest.param(range(2, 20), marks=pytest.mark.slow)


def by_vb(pairs, k, *, shared, seed=1):
    draws = fit_vb(BlockVB(spec_of(k, shared=shared), pairs), VBConfig(draws=100), seed=seed)
    return [modes(draws.values[site][0], k) for site in (("z",) if shared else ("z_1", "z_2"))]


def modes(draws, k):
    """Return each node's most frequent block of draws from one mode."""
    return np.stack([(draws == block).sum(axis=0) for block in range(k)]).argmax(axis=0)


def numbers(pairs, shared):
    """Return what each criterion chooses; one search by each of the two objectives."""
    found = {}
    for criterion in ("icl", "dl"):
        table = choose_blocks(spec_of(1, shared=shared), pairs, criterion=criterion).table
        for name in (criterion, "elbo") if criterion == "icl" else (criterion,):
            at = int(np.argmax(table[f"chosen_by_{name}"]))
            found[name] = (int(table["n_source_blocks"][at]), int(table["n_target_blocks"][at]))
    return found


@pytest.mark.parametrize("seeds", [FEW, ALL], ids=["few", "all"])
def test_a_shared_partition_and_its_number_come_back(seeds):
    for seed in seeds:
        pairs, z, _ = planted(N, K, DEGREE, RATIO, seed)
        assert numbers(pairs, shared=True) == dict.fromkeys(CRITERIA, (K, K))
        (found,) = by_vb(pairs, K, shared=True)
        assert adjusted_rand(z, found) >= 0.98
        assert adjusted_rand(np.random.default_rng(seed).permutation(z), found) < 0.02  # negative control


def test_every_chain_of_gibbs_finds_the_planted_partition():
    pairs, z, _ = planted(N, K, DEGREE, RATIO, 0)
    draws = fit_gibbs(BlockGibbs(spec_of(K, shared=True), pairs), GibbsConfig(warmup=60, draws=40), seed=1)
    for chain in draws.values["z"]:
        assert adjusted_rand(z, modes(chain, K)) >= 0.98


@pytest.mark.parametrize("seeds", [FEW, ALL], ids=["few", "all"])
def test_two_partitions_come_back_as_well_as_can_be(seeds):
    for seed in seeds:
        pairs, z_1, z_2 = planted(N, K, DEGREE, RATIO, seed, shared=False)
        assert numbers(pairs, shared=False) == dict.fromkeys(CRITERIA, (K, K))
        found = by_vb(pairs, K, shared=False)
        known = with_known_rates(pairs, z_1, z_2, seed)
        for truth, ours, theirs in zip((z_1, z_2), found, known, strict=True):
            assert adjusted_rand(truth, ours) >= adjusted_rand(truth, theirs) - 0.01


def with_known_rates(pairs, z_1, z_2, seed, n_sweeps=150):
    """Return the marginal modes of both partitions given the planted rates, from a Gibbs sampler begun at the truth."""
    rng = np.random.default_rng(seed)
    p_out = DEGREE / N * K / (RATIO + K - 1)
    theta = np.where(np.eye(K, dtype=bool), RATIO * p_out, p_out)
    log_odds, log_none = np.log(theta / (1 - theta)), np.log1p(-theta)
    weights, z = pairs.weights, [z_1.copy(), z_2.copy()]
    counts = [np.zeros((N, K)), np.zeros((N, K))]
    for _ in range(n_sweeps):
        for side, edges in enumerate((weights, weights.T.tocsr())):
            other = np.eye(K)[z[1 - side]]
            logs = (edges @ other) @ log_odds.T + (other.sum(axis=0) - other) @ log_none.T
            z[side] = np.argmax(logs + rng.gumbel(size=logs.shape), axis=1)
            counts[side][np.arange(N), z[side]] += 1
    return [count.argmax(axis=1) for count in counts]


@pytest.mark.parametrize(("ratio", "seeds"), [(3.4, range(6)), pytest.param(2.9, range(20), marks=pytest.mark.slow)])
def test_near_the_threshold_it_is_no_worse_than_spectral_clustering(ratio, seeds):
    """K = 4 and degree 10: detectable from a ratio of 2.15."""
    k, degree, gains, losses = 4, 10, [], []
    signal = (ratio - 1) ** 2 / (ratio + k - 1) ** 2 * 2 * degree
    assert signal > 1
    for seed in seeds:
        pairs, z, _ = planted(N, k, degree, ratio, seed)
        (ours,) = by_vb(pairs, k, shared=True)
        theirs = fit_spectral(BlockSpectral(spec_of(k, shared=True), pairs), SpectralConfig(), seed=1).values["z"][0, 0]
        worse = ours.copy()
        moved = np.random.default_rng(seed).permutation(N)[: N // 2]
        worse[moved] = np.random.default_rng(seed).permutation(ours[moved])
        gains.append(adjusted_rand(z, ours) - adjusted_rand(z, theirs))
        losses.append(adjusted_rand(z, worse) - adjusted_rand(z, theirs))
    assert stats.ttest_1samp(gains, 0, alternative="less").pvalue > 1e-3
    assert stats.ttest_rel(losses, gains, alternative="less").pvalue < 1e-3  # negative control


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 20), marks=pytest.mark.slow)], ids=["few", "all"])
def test_below_the_threshold_and_without_blocks_there_is_one(seeds, shared):
    for seed in seeds:
        noise = pairs_of(np.random.default_rng(seed).random((N, N)) < DEGREE / N)
        hidden, _, _ = planted(N, 4, 10, 1.6, seed, shared=shared)  # a signal of 0.34
        for pairs in (noise, hidden):
            assert numbers(pairs, shared) == dict.fromkeys(CRITERIA, (1, 1))
