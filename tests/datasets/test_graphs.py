"""Graphs as every format says them, and what becomes of loops, repeated, missing and unobserved pairs."""

import gzip
import hashlib
import io

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.paths import resource
from bayeskit.datasets.graphs import Graph, graph, load_graph

NAMES = ["007", "7", "a b", "x,y", "Éva", "東京", 'say "so"', "NA", "3.0", "tab\tbed", "source", "q;r"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("graphs")


def write(folder, text, name="edges.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def edges_of(found: Graph):
    """Return the edges by name."""
    coordinates = found.weights.tocoo()
    rows, columns = coordinates.coords
    return {
        (str(found.nodes[i]), str(found.nodes[j])): float(w)
        for i, j, w in zip(rows, columns, coordinates.data, strict=True)
    }


def hidden_of(found: Graph):
    rows, columns = found.unobserved.nonzero()
    return {(str(found.nodes[i]), str(found.nodes[j])) for i, j in zip(rows, columns, strict=True)}


def refused(call, *arguments, **options):
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@st.composite
def matrices(draw):
    """Weights with names: at least one edge, no node without edges, NaN where not observed."""
    n_nodes = draw(st.integers(2, 6))
    directed = draw(st.booleans())
    weights = st.sampled_from([1.0] if draw(st.booleans()) else [1.0, 2.0, 0.5, 1e-3, 12345.678])
    cells = st.sampled_from([0.0, 0.0, np.nan]) | weights
    matrix = np.array([[draw(cells) for _ in range(n_nodes)] for _ in range(n_nodes)])
    for at in range(n_nodes):  # a ring, which names every node
        matrix[at, (at + 1) % n_nodes] = draw(weights)
    np.fill_diagonal(matrix, 0.0)
    if not directed:
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        matrix[0, -1] = matrix[-1, 0] = draw(weights)
    names = draw(st.permutations(NAMES))[:n_nodes]
    return matrix, names, directed


def listed(matrix, names, directed):
    """Return the edge list, with an empty weight where a pair was not observed."""
    rows = [
        (names[i], names[j], matrix[i, j])
        for i in range(len(names))
        for j in range(0 if directed else i, len(names))
        if matrix[i, j] != 0
    ]
    return pd.DataFrame(rows, columns=["source", "target", "weight"])


def as_network(matrix, names, directed, *, hidden):
    network = (nx.DiGraph if directed else nx.Graph)()
    network.add_nodes_from(names)
    for row in listed(matrix, names, directed).itertuples():
        if not np.isnan(row.weight):
            network.add_edge(row.source, row.target, weight=float(row.weight))
        elif hidden:
            network.add_edge(row.source, row.target)
    return network


def check(found, matrix, names, directed, *, hidden=True):
    """Hold a graph against the matrix that it was written from."""
    seen = np.nan_to_num(matrix)
    expected = {
        (names[i], names[j]): seen[i, j] for i in range(len(names)) for j in range(len(names)) if seen[i, j] != 0
    }
    assert edges_of(found) == expected
    missing = {(names[i], names[j]) for i, j in zip(*np.nonzero(np.isnan(matrix)), strict=True)}
    assert hidden_of(found) == (missing if hidden else set())
    assert set(found.nodes) == set(names)
    assert found.directed is directed
    assert found.weighted == any(weight != 1 for weight in expected.values())
    for part in (found.weights, found.unobserved):
        assert isinstance(part, sparse.csr_array)
        assert part.dtype == np.float64
        assert part.has_canonical_format
        assert part.data.all()
        assert not part.diagonal().any()
        assert directed or (part != part.T).nnz == 0
    n_edges = len(expected) if directed else len(expected) // 2
    assert found.n_edges == n_edges
    pairs = matrix.size - len(names)
    assert found.density == pytest.approx(len(expected) / (pairs - (len(missing) if hidden else 0)))


@settings(max_examples=40)
@given(made=matrices(), kind=st.sampled_from(["csv", "tsv", "parquet", "category"]))
def test_edge_lists(folder, made, kind):
    matrix, names, directed = made
    frame = listed(matrix, names, directed)
    path = folder / f"edges.{'parquet' if kind == 'category' else kind}"
    if kind in ("parquet", "category"):
        frame = frame.astype({"source": "category", "target": "category"}) if kind == "category" else frame
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",", lineterminator="\n")
    check(load_graph(path, directed=directed), matrix, names, directed)


@settings(max_examples=40)
@given(made=matrices(), kind=st.sampled_from(["csv", "tsv", "parquet"]), corner=st.sampled_from(["", "node"]))
def test_adjacency_matrices(folder, made, kind, corner):
    matrix, names, directed = made
    frame = pd.DataFrame(matrix, index=pd.Index(names, name=corner or None), columns=names)
    path = folder / f"matrix.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if kind == "tsv" else ",", lineterminator="\n")
    found = load_graph(path, directed=directed)
    check(found, matrix, names, directed)
    assert list(found.nodes) == names


@settings(max_examples=40)
@given(made=matrices(), kind=st.sampled_from(["graphml", "gml"]))
def test_graph_files(folder, made, kind):
    matrix, names, directed = made
    network = as_network(matrix, names, directed, hidden=True)
    path = folder / f"graph.{kind}"
    (nx.write_graphml if kind == "graphml" else nx.write_gml)(network, path)
    found = load_graph(path)
    some = any("weight" in data for *_, data in network.edges(data=True))
    if some:
        check(found, matrix, names, directed)
    assert list(found.nodes) == names


@settings(max_examples=40)
@given(made=matrices(), packed=st.booleans())
def test_matrix_market(folder, made, packed):
    matrix, _, directed = made
    names = [str(at + 1) for at in range(len(matrix))]
    path, content = folder / ("graph.mtx.gz" if packed else "graph.mtx"), io.BytesIO()
    scipy.io.mmwrite(content, sparse.coo_array(matrix), symmetry="general" if directed else "symmetric")
    path.write_bytes(gzip.compress(content.getvalue()) if packed else content.getvalue())
    found = load_graph(path, directed=directed if directed else None)
    check(found, matrix, names, directed)
    assert list(found.nodes) == names


@settings(max_examples=40)
@given(made=matrices(), kind=st.sampled_from(["array", "sparse", "adjacency", "edges", "network"]))
def test_in_a_script(made, kind):
    matrix, names, directed = made
    if kind in ("array", "sparse"):
        found = graph(matrix if kind == "array" else sparse.csc_array(matrix), names, directed=directed)
    elif kind == "adjacency":
        found = graph(pd.DataFrame(matrix, index=names, columns=names), directed=directed)
    elif kind == "edges":
        found = graph(listed(matrix, names, directed), directed=directed)
    else:
        found = graph(as_network(matrix, names, directed, hidden=False), names)
    check(found, matrix, names, directed, hidden=kind != "network")
    assert found.source.path == found.source.sha256 == ""
    assert found.source.description.startswith(f"Graph made in a script: {len(names)} nodes, ")


def test_drosophila():
    edges, nodes = resource("data", "drosophila-edges.csv"), resource("data", "drosophila-nodes.csv")
    found = load_graph(edges, nodes=nodes, label_column="cell_type")
    assert (found.n_nodes, found.n_edges, found.directed, found.weighted) == (209, 7425, True, True)
    assert found.weights.sum() == 25322
    groups, sizes = np.unique(found.labels, return_counts=True)
    assert dict(zip(groups.tolist(), sizes.tolist(), strict=True)) == {
        "Kenyon cell": 101,
        "projection neuron": 58,
        "output neuron": 29,
        "input neuron": 21,
    }
    assert found.source.description == "209 nodes, 7,425 directed edges with weights from 1 to 63 (density 17\xa0%)"
    assert found.source.sha256 == hashlib.sha256(edges.read_bytes()).hexdigest()
    assert found.source.notes == (
        f"The nodes are from {nodes} (SHA-256 {hashlib.sha256(nodes.read_bytes()).hexdigest()}).",
    )
    assert found.source.variables == {"nodes": "209 names", "weights": "7,425 numbers", "labels": "4 groups"}
    assert repr(found) == "Graph(209 nodes, 7,425 directed edges, weighted, 4 known groups)"
    # Projection neurons carry odours to Kenyon cells, which do not answer: edges point from source to target.
    types = {name: found.labels == name for name in groups}
    assert found.weights[types["projection neuron"]][:, types["Kenyon cell"]].sum() == 2404
    assert found.weights[types["Kenyon cell"]][:, types["projection neuron"]].sum() == 0


def test_self_loops(folder):
    path = write(folder, "source,target,weight\na,b,1\na,a,3\nb,b,0\nc,c,2\n")
    dropped = load_graph(path)
    assert edges_of(dropped) == {("a", "b"): 1}
    assert list(dropped.nodes) == ["a", "b", "c"]
    assert not dropped.weighted
    assert dropped.source.notes == (
        "2 edges of nodes with themselves were left out: such pairs are not modelled.",
        "1 node has no edges.",
    )
    kept = load_graph(path, self_loops="keep")
    assert edges_of(kept) == {("a", "b"): 1, ("a", "a"): 3, ("c", "c"): 2}
    assert (kept.self_loops, kept.n_edges, kept.density) == (True, 3, 3 / 9)
    undirected = load_graph(path, self_loops="keep", directed=False)
    assert edges_of(undirected) == {("a", "b"): 1, ("b", "a"): 1, ("a", "a"): 3, ("c", "c"): 2}
    assert (undirected.n_edges, undirected.density) == (3, 3 / 6)
    assert refused(load_graph, path, self_loops="error").endswith(
        "column 'weight': 3 from 'a' to 'a' (row 3) and 2 from 'c' to 'c' (row 5): an edge of a node with itself; "
        "remove them, or say what to do with them: drop or keep (--self-loops)"
    )


def test_repeated_edges(folder):
    path = write(folder, "source,target,weight\na,b,1\nb,c,2\na,b,1\nb,c,2\na,b,1\n")
    assert refused(load_graph, path).endswith(
        "the edge from 'a' to 'b' stands in rows 2, 4 and 6: repeated, as with 1 other pair; "
        "list each pair once, or say what to do: add the weights up, or take each once (--repeated sum or once)"
    )
    assert edges_of(load_graph(path, repeated="sum")) == {("a", "b"): 3, ("b", "c"): 4}
    once = load_graph(path, repeated="once")
    assert edges_of(once) == {("a", "b"): 1, ("b", "c"): 2}
    assert once.source.notes == ("2 pairs are listed several times: each counts once.",)
    path = write(folder, "source,target,weight\na,b,1\na,b,2\n")
    assert "rows 2 and 3: repeated with different weights; " in refused(load_graph, path, repeated="once")
    path = write(folder, "source,target,weight\na,b,1\na,b,\n")
    assert "repeated, once without a weight; " in refused(load_graph, path, repeated="sum")
    assert "repeated with different weights; " in refused(load_graph, path, repeated="once")


def test_an_undirected_pair_in_both_directions(folder):
    path = write(folder, "source,target,weight\na,b,3\nb,a,3\nb,c,2\n")
    found = load_graph(path, directed=False)
    assert edges_of(found) == {("a", "b"): 3, ("b", "a"): 3, ("b", "c"): 2, ("c", "b"): 2}
    assert found.source.notes == ("1 pair is listed in both directions: it is one edge.",)
    # Counts by direction are added up, also where both are equal by chance.
    assert edges_of(load_graph(path, directed=False, repeated="sum"))["a", "b"] == 6
    whole = write(folder, "source,target,weight\na,b,3\nb,a,3\nb,c,2\nc,b,2\n")
    assert edges_of(load_graph(whole, directed=False, repeated="sum"))["a", "b"] == 3
    unlike = write(folder, "source,target,weight\na,b,3\nb,a,4\n")
    assert edges_of(load_graph(unlike, directed=False, repeated="sum"))["a", "b"] == 7
    assert refused(load_graph, unlike, directed=False).endswith(
        "column 'weight': 3 from 'a' to 'b' (row 2), but 4 from 'b' to 'a' (row 3), in an undirected graph; "
        "give both directions of a pair the same weight, or take the graph as directed, "
        "or add both up (--repeated sum)"
    )
    zero = write(folder, "source,target,weight\na,b,3\nb,a,0\n")
    assert "but 0 from 'b' to 'a' (row 3), in an undirected graph" in refused(load_graph, zero, directed=False)


def test_missing_weights(folder):
    path = write(folder, "source,target,weight\na,b,1\nb,c,\nc,a,NA\na,c,0\n")
    found = load_graph(path)
    assert edges_of(found) == {("a", "b"): 1}
    assert hidden_of(found) == {("b", "c"), ("c", "a")}
    assert found.density == 1 / 4
    assert found.source.notes == (
        "2 pairs have no weights: they count as not observed.",
        "1 listed pair has weight 0: it is no edge.",
        "1 node has no edges.",
    )
    assert repr(found) == "Graph(3 nodes, 1 directed edge, 2 pairs not observed)"
    zero = load_graph(path, missing="zero")
    assert zero.unobserved.nnz == 0
    assert zero.source.notes[0] == "2 pairs have no weights: they count as no edges."
    assert refused(load_graph, path, missing="error").endswith(
        "column 'weight': nan from 'b' to 'c' (row 3) and nan from 'c' to 'a' (row 4): a missing weight; "
        "fill the cells, or say what they mean: unobserved pairs, or no edges (--missing unobserved or zero)"
    )


def test_the_diagonal_of_a_matrix_may_be_empty_where_it_is_not_modelled(folder):
    path = write(folder, ",a,b\na,,1\nb,0,\n")
    for self_loops, missing in (("drop", "unobserved"), ("error", "error"), ("drop", "error")):
        found = load_graph(path, self_loops=self_loops, missing=missing)
        assert edges_of(found) == {("a", "b"): 1}
        assert found.unobserved.nnz == 0
    assert "the weight of a node with itself is missing" in refused(load_graph, path, self_loops="keep")
    assert load_graph(path, self_loops="keep", missing="zero").density == 1 / 4


def test_declared_nodes_and_labels(folder):
    edges = write(folder, "from,to\nb,a\na,c\n")
    nodes = write(folder, "name,kind,size\na,x,1\nb,NA,2\nc,y,1\nd,,2\n", "nodes.csv")
    found = load_graph(edges, nodes=nodes)
    assert list(found.nodes) == ["a", "b", "c", "d"]
    assert found.labels is None
    assert found.source.notes[-1] == "1 node has no edges."
    found = load_graph(edges, nodes=nodes, label_column="kind")
    assert list(found.labels) == ["x", "", "y", ""]
    assert found.source.notes[-1] == "The groups of 2 nodes are not known."
    labels = write(folder, "group\tid\n01\tc\n1\ta\n", "labels.tsv")
    found = load_graph(edges, labels=labels)
    assert list(found.nodes) == ["b", "a", "c"]
    assert list(found.labels) == ["", "1", "01"]
    pd.DataFrame({"node": ["a", "b"], "group": [3, 4]}).to_parquet(folder / "labels.parquet")
    assert list(load_graph(edges, labels=folder / "labels.parquet", nodes=nodes).labels) == ["3", "4", "", ""]
    with pytest.raises(ValueError, match="read-only"):
        found.nodes[0] = "z"


def test_unobserved_pairs(folder):
    edges = write(folder, "source,target\na,b\nb,c\n")
    pairs = write(folder, "source,target\nc,a\na,c\nc,a\nb,b\n", "unobserved.csv")
    found = load_graph(edges, unobserved=pairs)
    assert hidden_of(found) == {("c", "a"), ("a", "c")}
    assert found.source.notes[-1] == "2 pairs are declared as not observed."
    undirected = load_graph(edges, unobserved=pairs, directed=False)
    assert hidden_of(undirected) == {("c", "a"), ("a", "c")}
    assert undirected.density == 1
    assert "is one of a node with itself" in refused(load_graph, edges, unobserved=pairs, self_loops="keep")
    clash = write(folder, "x,y\nc,a\nb,a\n", "clash.csv")
    assert refused(load_graph, edges, unobserved=clash, directed=False) == (
        f"{clash}: the pair between 'a' and 'b' (row 3) is an edge, yet declared as not observed; "
        "remove it from this list, or the edge from the graph"
    )
    assert hidden_of(load_graph(edges, unobserved=clash)) == {("c", "a"), ("b", "a")}
    both = write(folder, "source,target,weight\na,b,1\nc,a,\n", "both.csv")
    assert hidden_of(load_graph(both, unobserved=clash)) == {("c", "a"), ("b", "a")}


def test_the_first_nodes_only(folder):
    edges = write(folder, "source,target,weight\na,b,1\nb,c,5\nc,a,\nb,a,\n")
    labels = write(folder, "node,group\na,x\nc,y\n", "groups.csv")
    found = load_graph(edges, labels=labels, first=2)
    assert edges_of(found) == {("a", "b"): 1}
    assert hidden_of(found) == {("b", "a")}
    assert list(found.labels) == ["x", ""]
    assert not found.weighted
    assert found.source.description == (
        "the first 2 nodes of 3 nodes, 2 directed edges with weights from 1 to 5 (density 50\xa0%)"
    )
    assert load_graph(edges, first=3).source.description == load_graph(edges).source.description
    assert refused(load_graph, edges, first=4).endswith("4 nodes asked for, there are 3; take fewer")
    assert refused(load_graph, edges, first=1).endswith("1 node asked for, there are 3; take at least 2")
    late = write(folder, "source,target,weight\na,b,0\nb,c,5\n")
    assert refused(load_graph, late, first=2).endswith("there are no edges between the first 2 nodes; take more")


def test_a_full_graph():
    found = graph(np.ones((4, 4)))
    assert (found.n_edges, found.density) == (12, 1)
    assert found.source.description.endswith("4 nodes, 12 directed edges (density 100\xa0%)")
    assert graph(np.ones((4, 4)), directed=False, self_loops="keep").n_edges == 10


def test_labels_and_patterns_in_a_script():
    matrix = np.array([[0, 1, 0], [0, 0, 0], [2, 0, 0]])
    found = graph(matrix, ["a", "b", "c"], labels={"c": "x"}, unobserved=np.eye(3) + np.eye(3, k=-1))
    assert list(found.labels) == ["", "", "x"]
    assert hidden_of(found) == {("b", "a"), ("c", "b")}
    assert list(graph(matrix, labels=[1, None, 2.0]).labels) == ["1", "", "2"]
    assert list(graph(matrix, labels=pd.Series({"1": "p", "2": "q"})).labels) == ["p", "q", ""]
    assert matrix.sum() == 3
    given_ = sparse.csr_array(np.array([[0.0, 1, 0], [0, 5, 0], [2, 0, 0]]))
    graph(given_)
    assert given_.nnz == 3
    twice = sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=(2, 2))
    assert edges_of(graph(twice)) == {("1", "2"): 3}
    network = nx.MultiGraph([("a", "b"), ("a", "b")])
    assert "stands 2 times: repeated" in refused(graph, network)
    assert edges_of(graph(network, repeated="sum"))["b", "a"] == 2
    assert list(graph(nx.path_graph(3)).nodes) == ["0", "1", "2"]


@pytest.mark.parametrize("option", ["self_loops", "repeated", "missing"])
def test_options(option):
    with pytest.raises(ConfigError, match=f"^{option} 'none' is unknown; choose from "):
        graph(np.ones((2, 2)), **{option: "none"})


@settings(max_examples=20)
@given(made=matrices(), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_is_that_of_nodes_only(folder, made, seed):
    matrix, names, directed = made
    frame = listed(matrix, names, directed)
    shuffled = frame.sample(frac=1, random_state=seed)
    one, other = graph(frame, directed=directed), graph(shuffled, directed=directed)
    assert edges_of(one) == edges_of(other)
    assert hidden_of(one) == hidden_of(other)
    assert list(other.nodes) == list(dict.fromkeys(shuffled[["source", "target"]].to_numpy().ravel()))
