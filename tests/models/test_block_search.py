"""The partition that a search finds: the best of all there are on small graphs, the planted one on larger ones."""

from itertools import product

import numpy as np
import pytest
from models.block_graphs import adjusted_rand, pairs_of, planted, random_pairs, spec_of
from models.test_block_likelihood import FORMS

from bayeskit.core.errors import ConfigError
from bayeskit.models.blocks.criteria import description_length, integrated_likelihood
from bayeskit.models.blocks.search import search_partition
from bayeskit.models.blocks.selection import choose_blocks


def all_partitions(n_nodes):
    """Give every partition of a few nodes once, blocks in the order in which they appear."""

    def extend(labels):
        if len(labels) == n_nodes:
            yield np.array(labels)
            return
        for label in range(max(labels) + 2):
            yield from extend([*labels, label])

    yield from extend([0])


def score_of(spec, pairs, assignments, objective):
    if objective == "dl":
        return description_length(pairs, assignments, degree_corrected=spec.degree_corrected)
    return -integrated_likelihood(spec, pairs, assignments)


def best_of_all(spec, pairs, objective):
    each = list(all_partitions(pairs.n_nodes))
    sides = product(each, repeat=len(spec.partitions))
    return min(score_of(spec, pairs, dict(zip(spec.partitions, side, strict=True)), objective) for side in sides)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("objective", ["dl", "icl"])
def test_on_small_graphs_nothing_is_better_than_what_is_found(form, objective):
    spec = spec_of(1, **form)
    for seed in range(3):
        pairs = random_pairs(spec, 7 if spec.shared else 4, seed, density=0.5)
        found = search_partition(spec, pairs, objective=objective, seed=seed)
        assert found.score == pytest.approx(best_of_all(spec, pairs, objective), rel=1e-9)
        for one in (found, *found.path):
            assert one.score == pytest.approx(score_of(spec, pairs, one.assignments, objective), rel=1e-9)
            for labels, size in zip(one.assignments.values(), (one.n_source_blocks, one.n_target_blocks), strict=False):
                assert sorted(set(labels.tolist())) == list(range(size))


@pytest.mark.parametrize("objective", ["dl", "icl"])
@pytest.mark.parametrize("shared", [True, False])
def test_planted_blocks_and_their_number_are_found(shared, objective):
    pairs, z_1, z_2 = planted(400, 4, 16, 10, seed=2, shared=shared)
    spec = spec_of(1, shared=shared)
    found = search_partition(spec, pairs, objective=objective)
    assert (found.n_source_blocks, found.n_target_blocks) == (4, 4)
    for labels, truth in zip(found.assignments.values(), (z_1, z_2), strict=False):
        assert adjusted_rand(truth, labels) > 0.9
        assert adjusted_rand(np.random.default_rng(1).permutation(truth), labels) < 0.1  # negative control


def test_names_and_order_of_the_nodes_do_not_matter():
    pairs, _, _ = planted(120, 3, 14, 12, seed=4)
    order = np.random.default_rng(5).permutation(120)
    moved = pairs_of(pairs.weights[order][:, order])
    first, second = (search_partition(spec_of(1, shared=True), one, objective="icl") for one in (pairs, moved))
    assert first.score == pytest.approx(second.score, rel=1e-9)
    assert adjusted_rand(first.assignments["z"][order], second.assignments["z"]) == pytest.approx(1)


def test_a_given_number_is_kept_and_the_other_side_is_free():
    pairs, _, _ = planted(120, 3, 14, 12, seed=4, shared=False)
    found = search_partition(spec_of(1), pairs, objective="icl", n_source_blocks=5)
    assert found.n_source_blocks == 5
    assert all(one.n_source_blocks == 5 for one in found.path)
    with pytest.raises(ConfigError, match="n_target_blocks must be from 1"):
        search_partition(spec_of(1), pairs, n_target_blocks=121)


@pytest.mark.parametrize("criterion", ["icl", "dl", "elbo"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_graph_without_blocks_has_one(shared, criterion):
    rng = np.random.default_rng(6)
    noise = pairs_of(rng.random((150, 150)) < 0.08)
    chosen = choose_blocks(spec_of(1, shared=shared), noise, criterion=criterion)
    assert (chosen.n_source_blocks, chosen.n_target_blocks) == (1, 1)


def test_the_table_tells_what_each_criterion_would_choose():
    pairs, z, _ = planted(150, 3, 14, 12, seed=7)
    chosen = choose_blocks(spec_of(1, shared=True, prior=("alpha=gamma(2, 2)",)), pairs, criterion="dl")
    table = chosen.table
    assert chosen.n_source_blocks == 3
    assert adjusted_rand(z, chosen.assignments["z"]) > 0.95
    assert table["chosen"].sum() == 1
    assert table["n_source_blocks"][np.argmin(table["description_length"])] == 3
    for name, best in (("icl", np.argmax(table["icl"])), ("elbo", np.argmax(table["elbo"]))):
        assert table[f"chosen_by_{name}"][best] == 1
    assert (table["elbo"] >= table["icl"] - 1e-6).all()  # coordinate ascent begins at the partition, whose bound it is
    assert len(set(table["n_source_blocks"].tolist())) == len(table["n_source_blocks"]) > 3
