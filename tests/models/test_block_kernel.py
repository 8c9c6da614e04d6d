"""Blocks in C++ against the densities in NumPy, while nodes move."""

import numpy as np
import pytest
from models.block_graphs import random_pairs, spec_of
from models.test_block_likelihood import FORMS

from bayeskit.models.blocks._native import NativeGraph, NativeSampler, gibbs_library
from bayeskit.models.blocks.likelihood import log_constant, log_marginal, totals


class Probe:
    """A chain of the Gibbs sampler, moved by hand."""

    def __init__(self, spec, pairs, assignments):
        self.spec, self.pairs = spec, pairs
        self.sampler = NativeSampler(spec, pairs, NativeGraph(gibbs_library(), pairs), [1])
        self.sizes = (spec.n_source_blocks, spec.n_target_blocks)
        self.sampler.assign(0, assignments)

    @property
    def assignments(self):
        return {site: array[0] for site, array in self.sampler.assignments().items()}

    @property
    def totals(self):
        return self.sampler.totals(0)

    @property
    def objective(self):
        return self.sampler.numbers()[0, 0]

    def scores(self, side, node):
        return self.sampler.scores(0, side, node)

    def move(self, side, node, block):
        self.sampler.move(0, side, node, block)

    def merge(self, side, old, new):
        return self.sampler.merge(0, side, old, new)


def case(form, seed, *, self_pairs, missing, n_nodes=12, k=4):
    priors = ("pi=dirichlet(0.7)", f"theta={'beta' if form['likelihood'] == 'bernoulli' else 'gamma'}(0.4, 1.3)")
    spec = spec_of(k, k if form["shared"] else k + 1, **form, prior=priors)
    pairs = random_pairs(spec, n_nodes, seed, self_pairs=self_pairs, missing=missing)
    rng = np.random.default_rng(seed)
    return rng, Probe(spec, pairs, {site: rng.integers(size, size=n_nodes) for site, size in spec.partitions.items()})


def agrees(probe):
    weights, exposures = totals(probe.spec, probe.pairs, probe.assignments)
    found = probe.totals
    np.testing.assert_array_equal(found[0], weights)
    if probe.spec.degree_corrected:
        np.testing.assert_allclose(found[1], exposures, rtol=1e-12, atol=1e-12 * exposures.max())
    else:
        np.testing.assert_array_equal(found[1], exposures)
    expected = log_marginal(probe.spec, probe.pairs, probe.assignments) - log_constant(probe.spec, probe.pairs)
    assert probe.objective == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("self_pairs", "missing"), [(False, 0.0), (True, 0.0), (False, 0.3), (True, 0.3)])
def test_totals_and_scores_follow_moves(form, self_pairs, missing):
    rng, probe = case(form, 5, self_pairs=self_pairs, missing=missing)
    agrees(probe)
    for _ in range(60):
        side = int(rng.integers(len(probe.spec.partitions)))
        node, block = int(rng.integers(probe.pairs.n_nodes)), int(rng.integers(probe.sizes[side]))
        scores, before = probe.scores(side, node), probe.objective
        old = list(probe.assignments.values())[side][node]
        probe.move(side, node, block)
        agrees(probe)
        assert scores[block] - scores[old] == pytest.approx(probe.objective - before, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_scores_leave_everything_as_it_was(form):
    rng, probe = case(form, 6, self_pairs=True, missing=0.2)
    before = probe.totals, probe.objective
    for side, node in [(int(rng.integers(len(probe.spec.partitions))), node) for node in range(12)]:
        probe.scores(side, node)
    np.testing.assert_array_equal(probe.totals, before[0])
    assert probe.objective == before[1]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("self_pairs", [False, True])
def test_blocks_merge(form, self_pairs):
    rng, probe = case(form, 7, self_pairs=self_pairs, missing=0.2)
    for side in range(len(probe.spec.partitions)):
        for _ in range(4):
            old, new = (int(block) for block in rng.permutation(probe.sizes[side])[:2])
            before = probe.objective
            change = probe.merge(side, old, new)
            agrees(probe)
            assert change == pytest.approx(probe.objective - before, rel=1e-9, abs=1e-9)
            assert old not in list(probe.assignments.values())[side]
            probe.move(side, int(rng.integers(12)), old)


def test_large_totals_go_beyond_the_tables():
    spec = spec_of(2, shared=True)
    pairs = random_pairs(spec, 1500, 8, density=0.003)
    rng = np.random.default_rng(1)
    probe = Probe(spec, pairs, {"z": (rng.random(1500) < 0.05).astype(int)})
    assert probe.totals[1].max() > 1 << 20
    for node in range(20):
        probe.move(0, node, 1)
    agrees(probe)
