"""Which columns are taken for what, which files for which format, and that large files are read as small ones are."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeskit.core.errors import DataError
from bayeskit.datasets import _graph_market as market
from bayeskit.datasets import _graph_sheets as sheets
from bayeskit.datasets.graphs import load_graph


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("graphs")


def write(folder, text, name="edges.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def edges_of(found):
    rows, columns = found.weights.nonzero()
    return [(str(found.nodes[i]), str(found.nodes[j]), found.weights[i, j]) for i, j in zip(rows, columns, strict=True)]


@pytest.mark.parametrize(
    ("header", "weight"),
    [
        ("source,target,x,weight", 5),
        ("FROM,To,x,Count", 5),
        ("src,dst,x,W", 5),
        ("from,dest,x,value", 5),
        ("source,target,x,mass", 1),
    ],
)
def test_columns_by_their_names(folder, header, weight):
    found = load_graph(write(folder, f"{header}\na,b,7,5\n"))
    assert edges_of(found) == [("a", "b", weight)]
    left = "'x'" if weight == 5 else "'x', 'mass'"
    assert found.source.notes[-1] == f"Columns left out: {left}. Name columns to take others."


def test_named_columns_in_any_order(folder):
    path = write(folder, "weight,target,id,source\n5,b,1,a\n")
    found = load_graph(path)
    assert edges_of(found) == [("a", "b", 5)]
    assert found.source.notes == (
        "Edges are from column 'source' to column 'target', with weights in column 'weight'.",
        "Columns left out: 'id'. Name columns to take others.",
    )


def test_columns_by_their_places(folder):
    found = load_graph(write(folder, "follower,followed\na,b\n"))
    assert edges_of(found) == [("a", "b", 1)]
    assert found.source.notes == ("Edges are from column 'follower' to column 'followed', all of weight 1.",)
    assert edges_of(load_graph(write(folder, "follower,followed,times\na,b,3\nb,c,\n"))) == [("a", "b", 3)]
    found = load_graph(write(folder, "follower,followed,kind\na,b,friend\n"))
    assert edges_of(found) == [("a", "b", 1)]
    assert found.source.notes[1] == "Columns left out: 'kind'. Name columns to take others."
    assert edges_of(load_graph(write(folder, "follower,followed,since\na,b,\n"))) == [("a", "b", 1)]
    assert edges_of(load_graph(write(folder, ",x,y,n\n0,a,b,3\n1,b,a,4\n"))) == [("a", "b", 3), ("b", "a", 4)]
    assert edges_of(load_graph(write(folder, "x,y,z,weight\na,b,c,3\n"))) == [("a", "b", 3)]


def test_columns_that_the_user_names(folder):
    path = write(folder, 'weight,target,"n, all",source\n5,b,1,a\n')
    assert edges_of(load_graph(path, columns="source,target")) == [("a", "b", 1)]
    assert edges_of(load_graph(path, columns="target, source, weight")) == [("b", "a", 5)]
    assert edges_of(load_graph(path, columns=["source", "target", "n, all"])) == [("a", "b", 1)]
    assert load_graph(path, columns="source,target").source.notes == ()
    numbers = write(folder, ",1,2\n1,0,1\n2,1,0\n")
    assert load_graph(numbers).n_edges == 2
    assert load_graph(numbers, columns=["1", "2"]).nodes.tolist() == ["0", "1"]


def test_names_stay_as_they_are(folder):
    found = load_graph(write(folder, "source,target\n007,7\n7,7.0\n NA ,null\n１,１ \n1,É\n"))
    assert found.nodes.tolist() == ["007", "7", "7.0", "NA", "null", "1", "É"]
    assert found.source.notes[0].startswith("1 edge of a node with itself")
    japanese = write(folder, "source,target\n年月日,東京\n", encoding="cp932")
    assert load_graph(japanese).nodes.tolist() == ["年月日", "東京"]


def test_matrices(folder):
    words = load_graph(write(folder, "node,a,b\na,FALSE,True\nb,false,true\n"))
    assert edges_of(words) == [("a", "b", 1)]
    assert not words.weighted
    other_order = load_graph(write(folder, ",b,a\na,2,0\nb,0,0.5\n"))
    assert other_order.nodes.tolist() == ["a", "b"]
    assert edges_of(other_order) == [("a", "b", 2), ("b", "a", 0.5)]
    names = load_graph(write(folder, ",source,target\nsource,0,1\ntarget,1,0\n"))
    assert names.n_edges == 2
    numbers = load_graph(write(folder, ",10,20\n10,0,1\n20,3,0\n"))
    assert edges_of(numbers) == [("10", "20", 1), ("20", "10", 3)]


def test_an_edge_list_that_names_its_columns_is_no_matrix(folder):
    found = load_graph(write(folder, "source,target,weight\ntarget,weight,2\n"))
    assert edges_of(found) == [("target", "weight", 2)]


def test_parquet_types(folder):
    path = folder / "types.parquet"
    frame = pd.DataFrame(
        {
            "to": pd.Categorical(["5", "6", "9"], categories=["1", "5", "6", "9"]),
            "from": pd.array([1, 2**53 + 1, 5], dtype="Int64"),
            "count": pd.array([2, None, 4], dtype="Int64"),
        }
    )
    frame.to_parquet(path)
    found = load_graph(path)
    assert found.nodes.tolist() == ["1", "5", "9007199254740993", "6", "9"]
    assert edges_of(found) == [("1", "5", 2), ("5", "9", 4)]
    assert found.unobserved.nnz == 1
    pd.DataFrame({"source": [1.0, 2.0], "target": [2.0, 3.5], "weight": ["2", "True"]}).to_parquet(path)
    assert edges_of(load_graph(path)) == [("1", "2", 2), ("2", "3.5", 1)]
    pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "w": [True, False]}, index=[4, 9]).to_parquet(path)
    assert edges_of(load_graph(path)) == [("a", "b", 1)]
    frame = pd.DataFrame([[0, 1], [1, 0]], index=[3, 4], columns=["3", "4"])
    frame.to_parquet(path)
    assert edges_of(load_graph(path)) == [("3", "4", 1), ("4", "3", 1)]


def test_files_are_known_by_their_content(folder):
    network = nx.DiGraph()
    network.add_edge("a", "b", weight=2)
    for kind in ("graphml", "gml"):
        path = folder / f"graph.{kind}.txt"
        (nx.write_graphml if kind == "graphml" else nx.write_gml)(network, path)
        assert edges_of(load_graph(path)) == [("a", "b", 2)]
    nx.write_graphml(network, folder / "graph.xml")
    assert edges_of(load_graph(folder / "graph.xml")) == [("a", "b", 2)]
    commented = 'Creator "igraph"\nVersion 1\ngraph\n[\n node [ id 3 ]\n node [ id 5 ]\n edge [ source 5 target 3 ] ]\n'
    found = load_graph(write(folder, commented, "graph"))
    assert (found.directed, found.nodes.tolist(), found.n_edges) == (False, ["3", "5"], 1)
    market = write(folder, "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 3\n", "graph.dat")
    assert edges_of(load_graph(market)) == [("1", "2", 1), ("2", "1", 1)]
    assert load_graph(market, self_loops="keep").n_edges == 2
    array = write(folder, "%%matrixmarket matrix Array Real General\n2 2\n0\n3\n0\n0\n", "array.mtx")
    assert edges_of(load_graph(array)) == [("2", "1", 3)]
    half = write(folder, "%%MatrixMarket matrix array integer symmetric\n3 3\n0\n1\n2\n0\n3\n0\n", "half.mtx")
    lower = [(source, target, w) for source, target, w in edges_of(load_graph(half)) if source > target]
    assert lower == [("2", "1", 1), ("3", "1", 2), ("3", "2", 3)]
    pd.DataFrame({"source": ["a"], "target": ["b"]}).to_parquet(folder / "table")
    assert edges_of(load_graph(folder / "table")) == [("a", "b", 1)]
    assert edges_of(load_graph(write(folder, "source\ttarget\nx,y\tb\n", "tabs.txt"))) == [("x,y", "b", 1)]
    assert edges_of(load_graph(write(folder, "source\ttarget\na\tb\n", "tabs.csv"))) == [("a", "b", 1)]


def test_attributes_of_nodes_are_labels(folder):
    network = nx.Graph()
    network.add_node("a", kind="x")
    network.add_node("b", kind=3, other=1.0)
    network.add_edge("a", "c")
    nx.write_gml(network, folder / "kinds.gml")
    found = load_graph(folder / "kinds.gml", label_column="kind")
    assert found.labels.tolist() == ["x", "3", ""]
    assert found.source.notes == ("1 node has no edges.", "The group of 1 node is not known.")
    nodes = write(folder, "node\nd\nc\nb\na\n", "all.csv")
    nx.write_graphml(nx.Graph([("a", "b")]), folder / "bare.graphml")
    assert load_graph(folder / "bare.graphml", nodes=nodes).nodes.tolist() == ["d", "c", "b", "a"]


NAME = st.sampled_from(
    ["a", "b", " a", "a ", "é", "01", "1", '"a"', '"b,c"', '"d""e"', 'f"g', "", '""', "NA", "Ａ", "x y"]
)
WEIGHT = st.sampled_from(
    ["1", "2.5", " 7", "1e3", "", "NA", "nan", "NaN", "true", "x", "inf", "-1", '"4"', "1_0", "+3", "0", "0x1", "1e999"]
)


@given(
    rows=st.lists(st.tuples(NAME, NAME, WEIGHT), max_size=5),
    odd=st.sampled_from(["", "", "", "a,b", "a,b,1,2", ",,", " , , ", '"a\nb",c,2', '"a"b,c,1', '"a,b,1']),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    end=st.sampled_from(["", "\n", "\n\n", "\r\n"]),
    mark=st.booleans(),
    named=st.booleans(),
)
def test_a_large_file_is_read_as_a_small_one_is(folder, rows, odd, newline, end, mark, named):
    lines = [("p", "q", "1"), ("q", "r", "2.5"), ("r", "s", "1"), ("s", "t", "1")]
    header = "source,target,weight" if named else "follower,followed,times"
    text = newline.join([header, *map(",".join, lines + rows), *([odd] if odd else [])]) + end
    path = write(folder, text, encoding="utf-8-sig" if mark else "utf-8")
    found = []
    for size in (-1, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sheets, "_LARGE", size)
            try:
                found.append(load_graph(path, repeated="sum"))
            except DataError as error:
                found.append(str(error))
    one, other = found
    if isinstance(other, str) or isinstance(one, str):
        assert one == other
    else:
        assert one.nodes.tolist() == other.nodes.tolist()
        assert (one.weights != other.weights).nnz == 0
        assert (one.unobserved != other.unobserved).nnz == 0
        assert one.source == other.source


def test_a_large_file_is_read_fast(folder, monkeypatch):
    monkeypatch.setattr(sheets, "_LARGE", -1)
    monkeypatch.setattr(sheets._TextSheet, "_read_slowly", None)
    for text in ('source,target,weight\na,b,2\n"a",c,\n\n', 'source,target,weight\r\na,b,2\r\n"a","c",NA\r\n'):
        assert edges_of(load_graph(write(folder, text))) == [("a", "b", 2)]
    assert edges_of(load_graph(write(folder, "from\tto\n a\tb \n", "edges.tsv"))) == [("a", "b", 1)]


ENTRY = st.sampled_from(
    [
        "1 2 3",
        "2 1 0.5",
        "3 3 1",
        "1 3 nan",
        "1  2 3",
        "1\t2 3",
        "% 1 2 3",
        "",
        "4 1 1",
        "0 1 1",
        "1 2",
        "1 2 x",
        "1 2 1e3",
    ]
)


@given(
    entries=st.lists(ENTRY, min_size=1, max_size=6),
    n_stated=st.integers(0, 6),
    newline=st.sampled_from(["\n", "\r\n"]),
    symmetric=st.booleans(),
)
def test_a_large_matrix_market_file_is_read_as_a_small_one_is(folder, entries, n_stated, newline, symmetric):
    n_entries = n_stated if n_stated < 2 else sum(bool(entry) and entry[0] != "%" for entry in entries)
    banner = "%%MatrixMarket matrix coordinate real " + ("symmetric" if symmetric else "general")
    path = write(folder, newline.join([banner, f"3 3 {n_entries}", *entries, ""]), "graph.mtx")
    found = []
    for size in (-1, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(market, "_LARGE", size)
            try:
                read = load_graph(path, repeated="sum", self_loops="keep", missing="zero")
                found.append((edges_of(read), read.source))
            except DataError as error:
                found.append(str(error))
    assert found[0] == found[1]


def test_a_large_matrix_market_file_is_read_fast(folder, monkeypatch):
    monkeypatch.setattr(market, "_LARGE", -1)
    monkeypatch.setattr(market, "_coordinates", None)
    for end in ("\n", "\r\n"):
        text = f"%%MatrixMarket matrix coordinate real general{end}% made up{end}2 2 1{end}1 2 3{end}"
        assert edges_of(load_graph(write(folder, text, "graph.mtx"))) == [("1", "2", 3)]
    text = "%%MatrixMarket matrix coordinate pattern symmetric\n2 2 1\n2 1\n"
    assert edges_of(load_graph(write(folder, text, "graph.mtx"))) == [("1", "2", 1), ("2", "1", 1)]


def test_a_large_graph_is_canonical(folder):
    rng = np.random.default_rng(4)
    key = rng.choice(3000 * 3000, 50_000, replace=False)
    frame = pd.DataFrame({"source": key // 3000, "target": key % 3000, "weight": rng.integers(1, 9, key.size)})
    path = folder / "large.csv"
    frame.to_csv(path, index=False)
    found = load_graph(path, self_loops="keep")
    assert (found.n_edges, found.weights.sum()) == (50_000, frame["weight"].sum())
    assert found.weights.has_canonical_format
    some = frame.iloc[1234]
    where = {name: at for at, name in enumerate(found.nodes.tolist())}
    assert found.weights[where[str(some["source"])], where[str(some["target"])]] == some["weight"]
