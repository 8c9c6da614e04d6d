"""Collapsed Gibbs sampling against the exact posterior of small graphs: every form, every kind of move.

Draws of a chain are so far apart that they are as good as independent; partitions are counted without labels, and held
against their exact probabilities by a chi-squared test. One failure in 10,000 runs of the suite is declared.
"""

from dataclasses import replace

import numpy as np
import pytest
from models.block_graphs import exact_posterior, pairs_of, random_pairs, spec_of
from models.test_block_likelihood import FORMS
from scipy import stats

from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models.blocks.gibbs import BlockGibbs, Plan

LEVEL = 1e-4 / 40  # of each test
CONFIG = GibbsConfig(chains=32, warmup=20, draws=125, thin=12)
NO_MOVES = Plan(moves=0)
ONLY = {
    "reallocations": Plan(visits=1, moves=4, reallocations=1, splits=0, exchanges=0),
    "splits": Plan(visits=1, moves=4, reallocations=0, splits=1, exchanges=0),
    "exchanges": Plan(visits=1, moves=4, reallocations=0, splits=0, exchanges=1),
    "single nodes": NO_MOVES,
}


def unlabelled(spec, assignments):
    """Name a partition, or two, by the order in which blocks appear."""
    names = []
    for site in spec.partitions:
        seen: dict[int, int] = {}
        names.append(tuple(seen.setdefault(int(block), len(seen)) for block in assignments[site]))
    return tuple(names)


def p_value(spec, pairs, target=None, plan=None, seed=1):
    """Return how likely counts so far from the exact ones are; ``target`` is what is sampled, unless the same."""
    found, probabilities, _ = exact_posterior(spec, pairs)
    exact: dict[tuple, float] = {}
    for assignments, probability in zip(found, probabilities, strict=True):
        name = unlabelled(spec, assignments)
        exact[name] = exact.get(name, 0.0) + probability
    sampled_spec, sampled_pairs = target or (spec, pairs)
    draws = fit_gibbs(BlockGibbs(sampled_spec, sampled_pairs, plan=plan), CONFIG, seed=seed)
    flat = {site: draws.values[site].reshape(-1, pairs.n_nodes) for site in spec.partitions}
    n_draws = len(next(iter(flat.values())))
    counts = dict.fromkeys(exact, 0)
    for draw in range(n_draws):
        counts[unlabelled(spec, {site: array[draw] for site, array in flat.items()})] += 1
    expected = np.array([n_draws * exact[name] for name in exact])
    observed = np.array([counts[name] for name in exact])
    rare = expected < 8
    if rare.any():
        expected = np.append(expected[~rare], expected[rare].sum())
        observed = np.append(observed[~rare], observed[rare].sum())
    return stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("self_pairs", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_partitions_come_as_often_as_they_should(form, self_pairs):
    spec = spec_of(2, **form)
    n_nodes = 6 if spec.shared else 4
    pairs = random_pairs(spec, n_nodes, 3, self_pairs=self_pairs, missing=0.15)
    assert p_value(spec, pairs) > LEVEL


@pytest.mark.parametrize("moves", ONLY)
@pytest.mark.parametrize("shared", [False, True])
def test_every_kind_of_move_by_itself_leaves_the_posterior_as_it_is(moves, shared):
    spec = spec_of(3, shared=shared)
    pairs = random_pairs(spec, 5 if shared else 3, 4)
    assert p_value(spec, pairs, plan=ONLY[moves]) > LEVEL


def broken(kind, spec, pairs):
    """Return what a sampler with a mistake would draw from."""
    if kind == "forgets the pairs of nodes with themselves":
        return spec, replace(pairs, self_pairs=not pairs.self_pairs)
    if kind == "takes unobserved pairs for pairs without an edge":
        return spec, replace(pairs, unobserved=pairs_of(np.zeros((pairs.n_nodes, pairs.n_nodes))).unobserved)
    if kind == "takes edges the other way round":
        return spec, replace(pairs, weights=pairs.weights.T.tocsr())
    return spec_of(2, shared=spec.shared, prior=("pi=dirichlet(0.6)",)), pairs


@pytest.mark.parametrize(
    "kind",
    [
        "forgets the pairs of nodes with themselves",
        "takes unobserved pairs for pairs without an edge",
        "takes edges the other way round",
        "has another concentration",
    ],
)
def test_a_broken_sampler_is_rejected(kind):
    spec = spec_of(2, shared=kind != "takes edges the other way round")
    pairs = random_pairs(spec, 6 if spec.shared else 4, 5, missing=0.3)
    assert p_value(spec, pairs) > LEVEL
    assert p_value(spec, pairs, target=broken(kind, spec, pairs)) < LEVEL


def test_draws_do_not_depend_on_threads_or_on_how_many_chains_there_are():
    spec = spec_of(3, shared=True, prior=("alpha=gamma(2, 1)",))
    pairs = random_pairs(spec, 20, 6)
    few, many = (GibbsConfig(chains=chains, warmup=5, draws=6) for chains in (2, 5))
    one = fit_gibbs(BlockGibbs(spec, pairs, threads=1), few, seed=3)
    two = fit_gibbs(BlockGibbs(spec, pairs, threads=2), many, seed=3)
    for name, values in one.values.items():
        np.testing.assert_array_equal(values, two.values[name][:2])
    assert one.values["z"].dtype == np.int16
