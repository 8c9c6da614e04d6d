"""Description lengths and integrated likelihoods of partitions: by counting, by graph-tool, by symmetry."""

import json
import subprocess
from itertools import product
from math import factorial
from pathlib import Path

import numpy as np
import pytest
from models.block_graphs import pairs_of, planted, random_pairs, spec_of
from scipy.special import gammaln, logsumexp

from bayeskit.core.errors import DataError
from bayeskit.models.blocks.criteria import (
    MOST_EXACT,
    description_length,
    integrated_likelihood,
    log_partitions,
)
from bayeskit.models.blocks.likelihood import log_marginal

SYSTEM_PYTHON = "/usr/bin/python3"
FORMS = [(directed, corrected) for directed in (True, False) for corrected in (True, False)]


def case(seed, *, directed, n_nodes=None, loops=True):
    """A random multigraph of uneven degrees, its edges one by one, and a partition."""
    rng = np.random.default_rng(seed)
    n_nodes = int(rng.integers(3, 40)) if n_nodes is None else n_nodes
    busy = rng.choice([0.1, 0.5, 3.0]) * rng.gamma(0.5, 2.0, (n_nodes, 1))
    matrix = rng.poisson(busy, (n_nodes, n_nodes)).astype(float)
    matrix[0, 1] += 1
    if not directed:
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
    pairs = pairs_of(matrix, directed=directed, self_pairs=loops)
    z = np.unique(rng.integers(int(rng.integers(1, 8)), size=n_nodes), return_inverse=True)[1]
    return pairs, z


def edges_of(pairs):
    found = pairs.weights.tocoo()
    rows, columns, counts = *found.coords, found.data.astype(int)
    kept = np.ones(len(counts), dtype=bool) if pairs.directed else rows <= columns
    return np.repeat(np.column_stack([rows, columns])[kept], counts[kept], axis=0)


def miscounted(totals, most_parts):
    """What graph-tool 2.45 takes for the number of partitions: those whose next part always fits in what is left."""
    e = np.asarray(totals, dtype=int)
    n = np.minimum(np.asarray(most_parts, dtype=int), e)
    found = log_partitions(e, n)
    counts = (np.arange(e.max(initial=0) + 1) > 0).astype(float)
    for part in range(1, n.max(initial=0) + 1):
        if part > 1:
            counts[:part] = 0
            padded = np.zeros(-(-len(counts) // part) * part)
            padded[: len(counts)] = counts
            rows = padded.reshape(-1, part)
            rows[1:] = np.cumsum(rows[1:], axis=0)
            counts = rows.ravel()[: len(counts)]
        mine = (n == part) & (e <= MOST_EXACT)
        found[mine] = np.log(counts[e[mine]])
    return found


def by_graph_tool(cases):
    told = [
        {"directed": p.directed, "edges": edges_of(p).tolist(), "blocks": z.tolist(), "degree_corrected": corrected}
        for p, z, corrected in cases
    ]
    script = Path(__file__).with_name("graph_tool_entropy.py")
    command = [SYSTEM_PYTHON, str(script)]
    done = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["entropies"]


def has_graph_tool():
    found = "import importlib.util, sys; sys.exit(importlib.util.find_spec('graph_tool') is None)"
    return Path(SYSTEM_PYTHON).exists() and subprocess.run([SYSTEM_PYTHON, "-c", found], check=False).returncode == 0


def as_graph_tool_counts(pairs, z, corrected):
    """Our description length, with graph-tool's count of restricted partitions in place of ours."""
    length = description_length(pairs, {"z": z}, degree_corrected=corrected)
    if not corrected:
        return length
    sizes, edges = np.bincount(z), edges_of(pairs)
    ends = [np.bincount(z[edges[:, side]], minlength=len(sizes)) for side in (0, 1)]
    for totals in ends if pairs.directed else [ends[0] + ends[1]]:
        length += float(np.sum(miscounted(totals, sizes) - log_partitions(totals, sizes)))
    return length


# By graph-tool 2.45: BlockState(g, b=z, deg_corr=corrected).entropy() of case(seed, directed=directed).
GOLDEN = [
    (1, True, True, 371.5493192084186),
    (1, True, False, 426.7138281790018),
    (1, False, True, 211.93263467452437),
    (1, False, False, 241.46689547922583),
    (2, True, True, 338.57033014833644),
    (2, True, False, 355.5607464146903),
    (2, False, True, 191.7721837536577),
    (2, False, False, 189.1938105672203),
    (3, True, True, 307.0564665243029),
    (3, True, False, 354.60725403144687),
    (3, False, True, 156.67089879650092),
    (3, False, False, 161.58097884289498),
]


@pytest.mark.parametrize(("seed", "directed", "corrected", "expected"), GOLDEN)
def test_the_description_length_is_what_graph_tool_found(seed, directed, corrected, expected):
    pairs, z = case(seed, directed=directed)
    assert as_graph_tool_counts(pairs, z, corrected) == pytest.approx(expected, rel=1e-8)


def compare_with_graph_tool(cases):
    if not has_graph_tool():
        pytest.skip(f"{SYSTEM_PYTHON} has no graph-tool (Debian: python3-graph-tool)")
    ours = [as_graph_tool_counts(*each) for each in cases]
    np.testing.assert_allclose(ours, by_graph_tool(cases), rtol=1e-8)


@pytest.mark.slow
def test_the_description_length_is_graph_tools_now():
    compare_with_graph_tool(
        [(*case(seed, directed=directed), corrected) for seed in range(20) for directed, corrected in FORMS]
    )


@pytest.mark.slow
def test_the_description_length_of_larger_graphs_is_graph_tools():
    cases = []  # with blocks of so many edges that their partitions are not counted exactly
    for n_nodes, degree in ((1000, 20), (2000, 40)):
        for directed, corrected in FORMS:
            pairs, z, _ = planted(n_nodes, 4, degree, 8, 1, directed=directed)
            cases.append((pairs, z, corrected))
    compare_with_graph_tool(cases)


def test_what_graph_tool_miscounts_is_little():
    totals, parts = (grid.ravel() for grid in np.meshgrid(np.arange(1, 3000, 7), [1, 2, 3, 7, 20, 55, 150, 400]))
    difference = log_partitions(totals, parts) - miscounted(totals, parts)
    assert difference.min() > -1e-9
    assert 0.9 < difference.max() < 1.1
    assert 0.05 < difference[totals > 1000].max() < 0.1


def test_partitions_are_counted():
    def count(total, most, largest=None):
        if total == 0:
            return 1
        if most == 0:
            return 0
        return sum(count(total - part, most - 1, part) for part in range(1, min(total, largest or total) + 1))

    for total, most in product(range(1, 13), range(1, 14)):
        assert np.exp(log_partitions([total], [most]))[0] == pytest.approx(count(total, most), rel=1e-12)
    assert log_partitions([0, 0], [0, 5]).tolist() == [0, 0]


def test_partitions_of_large_integers_join_those_that_are_counted(monkeypatch):
    parts = np.array([12, 40, 150, 600, 2500, 9000])
    exact = log_partitions(np.full(6, MOST_EXACT), parts)
    monkeypatch.setattr("bayeskit.models.blocks.criteria.MOST_EXACT", 1)
    asymptotic = log_partitions(np.full(6, MOST_EXACT), parts)
    # The next term of the asymptotic series is of the order of one over the root of the number, or over the parts.
    assert (abs(asymptotic - exact) < 1 / np.minimum(parts, np.sqrt(MOST_EXACT))).all()
    few = log_partitions([MOST_EXACT, MOST_EXACT], [1, 2])
    np.testing.assert_allclose(np.exp(few), [1, MOST_EXACT / 2], rtol=1e-3)


def all_multigraphs(n_nodes, most_edges, directed):
    """Every multigraph of so many edges at most, as matrices, loops allowed."""
    places = [(i, j) for i in range(n_nodes) for j in range(n_nodes) if directed or i <= j]
    for counts in product(range(most_edges + 1), repeat=len(places)):
        if sum(counts) == most_edges:
            matrix = np.zeros((n_nodes, n_nodes))
            for (i, j), count in zip(places, counts, strict=True):
                matrix[i, j] = matrix[j, i] = count if not directed else matrix[j, i]
                matrix[i, j] = count
            yield matrix


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("directed", "corrected"), FORMS)
def test_densities_of_all_graphs_of_so_many_edges_sum_to_one(directed, corrected, shared):
    if not directed and not shared:
        pytest.skip("undirected graphs have one partition")
    blocks = {"z": np.array([0, 1, 0])} if shared else {"z_1": np.array([0, 1, 0]), "z_2": np.array([1, 1, 0])}
    logs = [
        -description_length(pairs_of(matrix, directed=directed, self_pairs=True), blocks, degree_corrected=corrected)
        for matrix in all_multigraphs(3, 3, directed)
    ]
    # What is left is the density of the partition alone: log N + log C(N - 1, B - 1) + log N! - sum log n_r!.
    partition = np.log(3) + np.log(2) + np.log(factorial(3) / 2)
    assert logsumexp(logs) == pytest.approx(-partition * len(blocks), abs=1e-9)
    assert logsumexp(logs[1:]) < -partition * len(blocks) - 1e-6


@pytest.mark.parametrize("corrected", [True, False])
def test_one_partition_taken_for_two_pays_for_it_twice(corrected):
    pairs, z = case(5, directed=True)
    once = description_length(pairs, {"z": z}, degree_corrected=corrected)
    twice = description_length(pairs, {"z_1": z, "z_2": z}, degree_corrected=corrected)
    sizes = np.bincount(z)
    n_nodes, n_blocks = sizes.sum(), len(sizes)
    binomial = gammaln(n_nodes) - gammaln(n_blocks) - gammaln(n_nodes - n_blocks + 1)
    partition = np.log(n_nodes) + binomial + gammaln(n_nodes + 1) - gammaln(sizes + 1).sum()
    assert twice - once == pytest.approx(partition, rel=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_names_of_blocks_and_the_order_of_nodes_say_nothing(form):
    directed, corrected = form
    pairs, z, _ = planted(60, 3, 8, 8, 1, directed=directed)
    order = np.random.default_rng(1).permutation(len(z))
    turned = pairs_of(pairs.weights.toarray()[np.ix_(order, order)], directed=directed)
    expected = description_length(pairs, {"z": z}, degree_corrected=corrected)
    for graph, blocks in ((pairs, 3 * (z.max() - z) + 2), (turned, z[order])):
        assert description_length(graph, {"z": blocks}, degree_corrected=corrected) == pytest.approx(
            expected, rel=1e-12
        )
    assert description_length(turned, {"z": z}, degree_corrected=corrected) > expected + 10


def test_the_integrated_likelihood_has_as_many_blocks_as_have_nodes():
    spec = spec_of(5, 6)
    pairs = random_pairs(spec, 12, 1)
    z_1, z_2 = np.array([0, 4, 4] * 4), np.array([5, 2, 0] * 4)
    found = integrated_likelihood(spec, pairs, {"z_1": z_1, "z_2": z_2})
    closed = {"z_1": z_1 // 4, "z_2": np.array([2, 1, 0] * 4)}
    assert found == pytest.approx(log_marginal(spec.with_blocks(2, 3), pairs, closed), rel=1e-12)
    assert found > log_marginal(spec, pairs, {"z_1": z_1, "z_2": z_2})


def test_fractions_are_not_counted():
    pairs = pairs_of(np.array([[0, 1.5], [1, 0]]))
    with pytest.raises(DataError, match="no whole numbers; choose by icl"):
        description_length(pairs, {"z": np.array([0, 1])}, degree_corrected=False)
