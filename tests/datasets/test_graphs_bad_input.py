"""Every file that cannot be used as a graph gives one line that names file, column, row and remedy."""

import contextlib
import gzip
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
from bayeskit.datasets.graphs import graph, load_graph

NUMBER = "write a number such as 2, or leave the cell empty where the pair was not observed"
GOOD = "source,target,weight\na,b,1\nb,c,2\n"


def complaint(path, about=None, **options):
    with pytest.raises(DataError) as caught:
        load_graph(path, **options)
    message = str(caught.value)
    about = str(about or path)
    assert message.startswith(about)
    assert len(message.splitlines()) == 1
    assert "; " in message
    assert len(message) < 600
    return message.removeprefix(about).removeprefix(": ").removeprefix(", ")


def write(folder, text, name="bad.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


EDGES = {
    "an empty file": ("", {}, "the file is empty; download or save it again"),
    "a header only": ("source,target\n", {}, "there is a header, but no rows of data; give one edge a row"),
    "no cells": (",,\n,,\n", {}, "the file holds no cells but empty ones; download or save it again"),
    "no edges": ("source,target,weight\na,b,0\n", {}, "there are no edges between 2 nodes; give a graph with some"),
    "loops only": ("source,target\na,a\nb,b\n", {}, "there are no edges between 2 nodes; give a graph with some"),
    "nothing observed": (
        "source,target,weight\na,b,\n",
        {},
        "there are no edges between 2 nodes; give a graph with some",
    ),
    "one node": (
        "source,target\na,a\n",
        {},
        "there is 1 node; at least 2 are needed; give more edges, or declare nodes (--nodes)",
    ),
    "one column": (
        "source\na\nb\n",
        {},
        "1 column, 'source'; an edge list has two, e.g. source,target, separated by commas or tabs",
    ),
    "spaces": (
        "source target\na b\n",
        {},
        "1 column, 'source target'; an edge list has two, e.g. source,target, separated by commas or tabs",
    ),
    "semicolons": (
        "source;target\na;b\n",
        {},
        "the columns are separated by semicolons (row 1); "
        "save it with commas or tabs between columns, and decimal points in numbers",
    ),
    "a headless list of numbers": (
        "1,2\n2,3\n",
        {},
        "the header ('1', '2') looks like an edge, where the names of the columns should stand; "
        "put a header above the edges, e.g. source,target, or name the columns (--columns)",
    ),
    "a headless list of names": (
        "ann,bob\ncid,ann\n",
        {},
        "the header ('ann', 'bob') looks like an edge, where the names of the columns should stand; "
        "put a header above the edges, e.g. source,target, or name the columns (--columns)",
    ),
    "a headless list with weights": (
        "ann,bob,3\ncid,dan,4\n",
        {},
        "the header ('ann', 'bob', '3') looks like an edge, where the names of the columns should stand; "
        "put a header above the edges, e.g. source,target,weight, or name the columns (--columns)",
    ),
    "ragged rows": (
        "source,target\na,b\na\na,b,c\n",
        {},
        "the header has 2 cells, but row 3 has 1 and row 4 has 3; "
        "look for a comma too many or too few, or a decimal comma (write 12.8)",
    ),
    "a blank name": (
        "source,target\na,b\n,c\nd, \n",
        {},
        "column 'source': '' in row 3: a node without a name; fill the cell, or delete the row",
    ),
    "a word for a weight": (
        "source,target,weight\na,b,1\nb,c,many\nc,d,no\n",
        {},
        f"column 'weight': 'many' in row 3 and 'no' in row 4: not a number; {NUMBER}",
    ),
    "a word among the weights of an unnamed column": (
        "x,y,z\na,b,1\nb,c,many\nc,d,3\n",
        {},
        "column 'z': 'many' in row 3: not a number, as most of the column are; "
        "correct it, or choose the columns without this one (--columns)",
    ),
    "negative weights": (
        "source,target,weight\n" + "".join(f"a,{i},-{i}\n" for i in range(1, 6)),
        {},
        "column 'weight': -1 from 'a' to '1' (row 2), -2 from 'a' to '2' (row 3), -3 from 'a' to '3' (row 4) "
        "and 2 more: negative; "
        "weights are 0 or more; leave such edges out, or read the graph without weights (--columns)",
    ),
    "infinite weights": (
        "source,target,weight\na,b,inf\n",
        {},
        "column 'weight': inf from 'a' to 'b' (row 2): infinite; "
        "correct the weight, or leave it empty where the pair was not observed",
    ),
    "no such column": (
        GOOD,
        {"columns": "source,targt"},
        "there is no column 'targt', only 'source', 'target' and 'weight'; did you mean 'target'?",
    ),
    "one column chosen": (
        GOOD,
        {"columns": "source"},
        "1 column chosen; name that of the sources, that of the targets and, if any, that of the weights (--columns)",
    ),
    "one column twice": (
        GOOD,
        {"columns": "source,source"},
        "column 'source': chosen twice; name it once (--columns)",
    ),
    "two columns of one name": (
        "source,source,target\na,b,c\n",
        {},
        "columns 'source' and 'source' may mean the same; name the columns to take (--columns)",
    ),
    "two columns of one name, chosen": (
        "a,a,b\nx,y,z\n",
        {"columns": "a,b"},
        "column 'a': 2 columns have this name; rename all but one",
    ),
    "open quotes": (
        'source,target\na,"b\nc,d\n',
        {},
        "the quotes that open in row 2 do not close properly (unexpected end of data); "
        'put quotes (") around whole cells, in pairs, or remove them',
    ),
    "not square": (
        ",a,b,c\na,0,1,0\nb,1,0,1\n",
        {},
        "2 rows for 3 columns of an adjacency matrix; give each node a row and a column ('c' lacks a row)",
    ),
    "names that differ": (
        ",a,b,d\na,0,1,0\nb,1,0,1\nc,0,0,0\n",
        {},
        "the names of rows and columns differ; make them the same ('c' lacks a column; 'd' lacks a row)",
    ),
    "names that have nothing in common": (
        ",x,y,z\na,0,1,0\nb,1,0,1\nc,0,0,0\n",
        {},
        "no columns are named source and target, nor do columns bear the names of rows ('a', 'b' and 'c'); "
        "name the columns of an edge list (--columns), or give a matrix's rows and columns the same names",
    ),
    "two nodes of one name": (
        ",a,b,a\na,0,1,0\nb,1,0,1\na,0,0,0\n",
        {},
        "two rows are named 'a'; give each node a name of its own",
    ),
    "two columns of one node": (
        ",a,b,a\na,0,1,0\nb,1,0,1\nc,0,0,0\n",
        {},
        "two columns are named 'a'; give each node a name of its own",
    ),
    "a word in a matrix": (
        ",a,b\na,0,yes\nb,1,0\n",
        {},
        "column 'b': 'yes' in row 2: not a number; "
        "write True or False, a number, or nothing where the pair was not observed",
    ),
    "a negative cell": (
        ",a,b\na,0,1\nb,-1,0\n",
        {},
        "-1 from 'b' to 'a' (row 3): negative; "
        "weights are 0 or more; leave such edges out, or read the graph without weights (--columns)",
    ),
    "not symmetric": (
        ",a,b,c\na,0,1,2\nb,1,0,0\nc,3,0,0\n",
        {"directed": False},
        "2 from 'a' to 'c' (row 2), but 3 from 'c' to 'a' (row 4), in an undirected graph; "
        "give both directions of a pair the same weight, or take the graph as directed",
    ),
    "one triangle": (
        ",a,b\na,0,1\nb,0,0\n",
        {"directed": False, "repeated": "sum"},
        "1 from 'a' to 'b' (row 2), but nothing in the other direction, in an undirected graph; "
        "give both directions of a pair the same weight, or take the graph as directed",
    ),
    "a matrix without a name": (
        ",a,b\na,0,1\n,1,0\n",
        {},
        "'' in row 3: a node without a name; fill the cell, or delete the row",
    ),
    "a matrix of numbers only": (
        "0,1,0\n1,0,1\n0,1,0\n",
        {},
        "the header ('0', '1', '0') looks like an edge, where the names of the columns should stand; "
        "put a header above the edges, e.g. source,target,weight, or name the columns (--columns)",
    ),
    "an attribute that is none": (
        GOOD,
        {"label_column": "kind"},
        "the nodes have no attributes; give their groups as a table (--labels)",
    ),
}


@pytest.mark.parametrize("case", EDGES)
def test_tables(tmp_path, case):
    text, options, expected = EDGES[case]
    assert complaint(write(tmp_path, text), **options) == expected


TABLES = {
    "nodes: an unknown one": (
        {"nodes": "node\nalpha\nb\n"},
        "bad.csv",
        "'alph' in row 2 and 'c' in row 3: not among the nodes of nodes.csv; "
        "did you mean 'alpha'? Or declare all nodes (--nodes)",
    ),
    "nodes: one twice": (
        {"nodes": "kind,Node\nx,alph\ny,b\nz,c\nx,b\n"},
        "nodes.csv",
        "column 'Node': 'b' in row 3 and 'b' in row 5: the same node; name each node once",
    ),
    "nodes: no header": (
        {"nodes": "alph\nb\nc\n"},
        "nodes.csv",
        "the header is 'alph', a node, where the name of the column should stand; "
        "put a header above the nodes, e.g. node",
    ),
    "nodes: a blank one": (
        {"nodes": "node,x\nalph,1\n,2\n"},
        "nodes.csv",
        "column 'node': '' in row 3: a node without a name; fill the cell, or delete the row",
    ),
    "nodes: none": (
        {"nodes": "node\n"},
        "nodes.csv",
        "there is a header, but no rows of data; give one node a row",
    ),
    "nodes: a name for two columns": (
        {"nodes": "node,node\nalph,b\n"},
        "nodes.csv",
        "column 'node': 2 columns have this name; rename all but one",
    ),
    "labels: an unknown node": (
        {"labels": "node,group\nb,1\nalpha,2\nz,3\n"},
        "labels.csv",
        "'alpha' in row 3 and 'z' in row 4: not among the nodes of the graph; "
        "did you mean 'alph'? Or declare all nodes (--nodes)",
    ),
    "labels: a node twice": (
        {"labels": "id,group\nb,1\nb,2\n"},
        "labels.csv",
        "column 'id': 'b' in row 2 and 'b' in row 3: the same node; name each node once",
    ),
    "labels: several columns": (
        {"labels": "name,group,age\nb,1,2\n"},
        "labels.csv",
        "columns 'group' and 'age' may hold the groups of the nodes; name the one to take (--label-column)",
    ),
    "labels: no column": (
        {"labels": "name\nb\n"},
        "labels.csv",
        "no column holds the groups of the nodes; add a column with the group of each node",
    ),
    "labels: no such column": (
        {"labels": "name,group,age\nb,1,2\n", "label_column": "gruop"},
        "labels.csv",
        "there is no column 'gruop', only 'name', 'group' and 'age'; did you mean 'group'?",
    ),
    "labels: the names": (
        {"labels": "name,group\nb,1\n", "label_column": "name"},
        "labels.csv",
        "column 'name': holds the names of the nodes, not their groups; name another column (--label-column)",
    ),
    "unobserved: an unknown node": (
        {"unobserved": "source,target\nalph,c\nc,d\n"},
        "unobserved.csv",
        "'d' in row 3: not among the nodes of the graph; declare all nodes (--nodes)",
    ),
    "unobserved: no header": (
        {"unobserved": "alph,c\nc,b\n"},
        "unobserved.csv",
        "the header ('alph', 'c') looks like an edge, where the names of the columns should stand; "
        "put a header above the edges, e.g. source,target, or name the columns (--columns)",
    ),
    "unobserved: an edge": (
        {"unobserved": "source,target\nc,alph\nb,c\n"},
        "unobserved.csv",
        "the pair from 'b' to 'c' (row 3) is an edge, yet declared as not observed; "
        "remove it from this list, or the edge from the graph",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_other_tables(tmp_path, case):
    options, about, expected = TABLES[case]
    files = {
        name: write(tmp_path, text, f"{name}.csv") if name != "label_column" else text for name, text in options.items()
    }
    path = write(tmp_path, "source,target\nalph,b\nb,c\n")
    assert complaint(path, about=tmp_path / about, **files) == expected


def test_no_file(tmp_path):
    assert complaint(tmp_path / "edges.csv") == "there is no such file; check the path"
    path = write(tmp_path, GOOD)
    assert complaint(path, about=tmp_path / "none.csv", nodes=tmp_path / "none.csv").startswith(
        "there is no such file; "
    )
    assert complaint(tmp_path).startswith("this is a folder; ")
    assert complaint(write(tmp_path, gzip.compress(GOOD.encode()), "edges.csv.gz")).startswith(
        "the file is compressed with gzip, not CSV in UTF-8; unpack it first"
    )


def test_parquet(tmp_path):
    path = write(tmp_path, GOOD, "bad.parquet")
    assert complaint(path).startswith("not a Parquet file that can be read (")
    pd.DataFrame({"source": [], "target": []}).to_parquet(path)
    assert complaint(path) == "there is a header, but no rows of data; give one edge a row"
    pd.DataFrame({"source": ["a", None], "target": ["b", "c"]}).to_parquet(path)
    assert complaint(path).startswith("column 'source': '' in row 2: a node without a name; ")
    pd.DataFrame({"source": ["a", "b\0"], "target": ["b", "c"]}).to_parquet(path)
    assert complaint(path).startswith("column 'source': 'b\\x00': a name with the character NUL; ")
    pd.DataFrame({"source": ["a"], "target": ["b"], "weight": ["x"]}).to_parquet(path)
    assert complaint(path) == f"column 'weight': 'x' in row 1: not a number; {NUMBER}"
    pd.DataFrame({"source": [["a"], ["b"]], "target": [["b"], ["c"]]}).to_parquet(path)
    assert load_graph(path).nodes.tolist() == ["['a']", "['b']", "['c']"]
    pd.DataFrame([[0, -1], [1, 0]], index=["a", "b"], columns=["a", "b"]).to_parquet(path)
    assert complaint(path).startswith("-1 from 'a' to 'b' (row 1): negative; ")
    pd.DataFrame([["0", "no"], ["1", "0"]], index=["a", "b"], columns=["a", "b"]).to_parquet(path)
    assert complaint(path).startswith("column 'b': 'no' in row 1: not a number; ")
    pd.DataFrame(index=[1, 2]).to_parquet(path, index=False)
    assert complaint(path).startswith("the file has no columns; ")


GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="{}">{}</graph></graphml>'
FILES = {
    "not XML": ("bad.graphml", "<graphml", {}, "not a GraphML file that can be read ("),
    "no GraphML": ("bad.graphml", "<x/>", {}, "not a GraphML file that can be read ("),
    "no graph": ("bad.graphml", GRAPHML.split("<graph ")[0] + "</graphml>", {}, "not a GraphML file that can be "),
    "not GML": ("bad.gml", "graph [ node [ id ] ]", {}, "not a GML file that can be read ("),
    "an edge to nowhere": (
        "bad.gml",
        "graph [ node [ id 1 ] edge [ source 1 target 2 ] ]",
        {},
        "not a GML file that can be read (edge #0 has undefined target 2); correct it, or write it again",
    ),
    "two labels": (
        "bad.gml",
        'graph [ node [ id 1 label "a" ] node [ id 2 label "a" ] edge [ source 1 target 2 ] ]',
        {},
        "two nodes are named 'a'; give each node a name of its own",
    ),
    "an edge twice": (
        "bad.gml",
        "graph [ multigraph 1 node [ id 1 ] node [ id 2 ] edge [ source 1 target 2 ] edge [ source 1 target 2 ] ]",
        {},
        "the edge from '1' to '2' stands 2 times: repeated; ",
    ),
    "a weight that is none": (
        "bad.gml",
        'graph [ node [ id 1 ] node [ id 2 ] edge [ source 1 target 2 weight "x" ] ]',
        {},
        "the weight 'x' from '1' to '2' is not a number; write a number such as 2, or leave it out ",
    ),
    "the other direction": (
        "bad.gml",
        "graph [ directed 1 node [ id 1 ] node [ id 2 ] edge [ source 1 target 2 ] ]",
        {"directed": False},
        "the graph is directed, and undirected was asked for; take it as it is, directed",
    ),
    "directed after all": (
        "bad.graphml",
        GRAPHML.format("undirected", '<node id="a"/><node id="b"/><edge source="a" target="b"/>'),
        {"directed": True},
        "the graph is undirected, and directed was asked for; take it as it is, undirected",
    ),
    "no edges": ("bad.graphml", GRAPHML.format("directed", '<node id="a"/><node id="b"/>'), {}, "there are no edges "),
    "no nodes": ("bad.graphml", GRAPHML.format("directed", ""), {}, "there are no nodes; at least 2 are needed; "),
    "columns": ("bad.gml", "graph [ ]", {"columns": "a,b"}, "a GML file has no columns; leave out their names"),
    "no attributes": (
        "bad.gml",
        "graph [ node [ id 1 kind 2 ] node [ id 2 ] edge [ source 1 target 2 ] ]",
        {"label_column": "knd"},
        "there is no column 'knd', only 'kind'; did you mean 'kind'?",
    ),
    "not Matrix Market": ("bad.mtx", "1 2\n", {}, "not a Matrix Market file: its first line is no banner; "),
    "no sizes": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n% 3 3 1\n\n",
        {},
        "there is a banner, but no line of sizes; ",
    ),
    "a size that is none": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n3 -3 1\n",
        {},
        "'3 -3 1' in row 2: not a line of three sizes; ",
    ),
    "cut off": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n%\n3 3 5\n2 1 5\n",
        {},
        "1 entries, where 5 are stated; correct the line of sizes, or download the file again",
    ),
    "a number too few": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n\n3 3 1\n2 1\n",
        {},
        "'2 1' in row 4: 2 numbers for 3; correct it, or write the file again",
    ),
    "a node that is none": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n3 3 1\n%\n0 1 2\n",
        {},
        "'0' in row 4: not a node, from 1 to 3; ",
    ),
    "a word": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n3 3 1\n2 1 x\n",
        {},
        "'x' in row 3: not a number; correct it, or write the file again",
    ),
    "a word in an array": (
        "bad.mtx",
        "%%MatrixMarket matrix array real symmetric\n2 2\n0\n1\nx\n",
        {},
        "'x' in row 5: not a number; ",
    ),
    "a rectangle": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n3 2 1\n2 1 5\n",
        {},
        "a matrix of 3 rows and 2 columns; a graph's matrix has a row and a column a node",
    ),
    "nothing": ("bad.mtx", "%%MatrixMarket matrix array real general\n0 0\n", {}, "there are no nodes; "),
    "no entries": ("bad.mtx", "%%MatrixMarket matrix coordinate real general\n2 2 0\n", {}, "there are no edges "),
    "complex": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 2 1 1\n",
        {},
        "'complex' as word 4 of the banner (row 1); "
        "a graph's matrix is real, double, integer, unsigned-integer or pattern there",
    ),
    "skew": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real skew-symmetric\n3 3 1\n2 1 5\n",
        {},
        "'skew-symmetric' as word 5 of the banner (row 1); a graph's matrix is general or symmetric there",
    ),
    "half a banner": (
        "bad.mtx",
        "%%MatrixMarket matrix\n",
        {},
        "nothing as word 3 of the banner (row 1); a graph's matrix is coordinate or array there",
    ),
    "more than there is": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n2 2 99999999999\n1 2 1\n",
        {},
        "2 nodes and 99,999,999,999 entries are stated in row 2 of a file of 68 characters; ",
    ),
    "more than there can be": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real general\n999999999 999999999 1\n1 2 1\n",
        {},
        "999,999,999 nodes and 1 entries are stated in row 2 of a file of ",
    ),
    "an entry twice": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate pattern general\n3 3 3\n2 1\n2 1\n3 1\n",
        {},
        "the edge from '2' to '1' stands in rows 3 and 4: repeated; ",
    ),
    "an entry in both triangles": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n2 1 4\n1 2 4\n",
        {},
        "the edge from '2' to '1' stands in rows 3 and 4: repeated, as with 1 other pair; ",
    ),
    "symmetric, yet directed": (
        "bad.mtx",
        "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 1\n2 1\n",
        {"directed": True},
        "the graph is undirected, and directed was asked for; ",
    ),
    "a broken archive": ("bad.mtx.gz", b"\x1f\x8b\x08\x00rest", {}, "cannot be unpacked ("),
}


@pytest.mark.parametrize("case", FILES)
def test_graph_files(tmp_path, case):
    name, text, options, expected = FILES[case]
    assert complaint(write(tmp_path, text, name), **options).startswith(expected)


@pytest.mark.parametrize(
    ("weights", "options", "expected"),
    [
        (np.zeros((2, 3)), {}, "graph: an array of 2 x 3; "),
        (np.zeros((2, 2, 2)), {}, "graph: an array of 2 x 2 x 2; "),
        (np.zeros((2, 2)), {}, "graph: there are no edges between 2 nodes; "),
        (np.ones((1, 1)), {}, "graph: there is 1 node; "),
        (np.zeros((0, 0)), {}, "graph: there are no nodes; "),
        ([1, 2], {}, "graph: an array of 1 x 2; "),
        ("edges.csv", {}, "graph: not a graph ("),
        ([["a", "b"], ["c", "d"]], {}, "graph: not a graph ("),
        (np.array([[0, -1], [1, 0]]), {}, "graph: -1 from '1' to '2': negative; "),
        (np.array([[0, np.inf], [1, 0]]), {}, "graph: inf from '1' to '2': infinite; "),
        (
            np.array([[0, 1], [0, 0]]),
            {"directed": False},
            "graph: 1 from '1' to '2', but nothing in the other direction",
        ),
        (np.ones((2, 2)), {"nodes": ["a"]}, "graph: 1 name for 2 nodes; "),
        (np.ones((2, 2)), {"nodes": ["a", "a"]}, "graph: two nodes are named 'a'; "),
        (np.ones((2, 2)), {"nodes": ["a", ""]}, "graph: '' in row 2: a node without a name; "),
        (np.ones((2, 2)), {"labels": ["x"]}, "graph: 1 label for 2 nodes; "),
        (np.ones((2, 2)), {"labels": {"3": "x"}}, "graph: a label for '3', which is not a node; "),
        (np.ones((2, 2)), {"unobserved": np.ones((3, 3))}, "graph: a pattern of 3 x 3 for 2 nodes; "),
        (
            np.ones((2, 2)),
            {"unobserved": np.ones((2, 2))},
            "graph: the pair from '1' to '2' is an edge, as with 1 other",
        ),
        (nx.path_graph(3), {"nodes": [0, 1]}, "graph: the node '2' is not among those named; "),
        (nx.Graph([(1, "1")]), {}, "graph: two nodes are named '1'; "),
        (nx.Graph([("a", "")]), {}, "graph: '' of node 2: a node without a name; "),
        (nx.Graph([("a", "b", {"weight": "x"})]), {}, "graph: the weight 'x' from 'a' to 'b' is not a number; "),
        (
            pd.DataFrame({"source": ["a", "a"], "target": ["b", "b"]}),
            {},
            "graph: the edge from 'a' to 'b' stands in rows",
        ),
        (
            pd.DataFrame({"source": ["a", None], "target": ["b", "b"]}),
            {},
            "graph, column 'source': '' in row 2: a node ",
        ),
        (pd.DataFrame(np.ones((2, 2)), ["a", "b"], ["x", "y"]), {}, "graph: no columns are named source and target"),
        (pd.DataFrame(np.ones((3, 3)), list("abc"), list("abd")), {}, "graph: the names of rows and columns differ; "),
    ],
)
def test_graphs_made_in_code(weights, options, expected):
    with pytest.raises(DataError) as caught:
        graph(weights, **options)
    assert str(caught.value).startswith(expected)
    assert len(str(caught.value).splitlines()) == 1


def tried(path, **options):
    """Load a file, whatever it holds."""
    error = None
    try:
        found = load_graph(path, **options)
        assert (found.weights.data > 0).all()
        assert np.isfinite(found.weights.data).all()
        assert found.n_edges > 0
        assert found.n_nodes > 1
    except DataError as caught:
        error = caught
    assert error is None or len(str(error).splitlines()) == 1


WHOLE = {"tsv": GOOD.replace(",", "\t").encode(), "csv": GOOD.encode()}


def sample(kind):
    """Return the bytes of a small graph."""
    network = nx.DiGraph()
    network.add_edge("a", "b", weight=2)
    network.add_edge("b", "c", weight=0.5)
    out = io.BytesIO()
    if kind in ("graphml", "gml"):
        (nx.write_graphml if kind == "graphml" else nx.write_gml)(network, out)
    elif kind == "mtx":
        scipy.io.mmwrite(out, sparse.coo_array(nx.to_numpy_array(network)))
    else:
        nx.to_pandas_edgelist(network).to_parquet(out)
    return out.getvalue()


SAMPLES = WHOLE | {kind: sample(kind) for kind in ("graphml", "gml", "mtx", "parquet")}


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), kind=st.sampled_from([*SAMPLES, "x"]))
def test_no_content_gives_anything_but_a_graph_or_a_data_error(tmp_path_factory, content, kind):
    path = tmp_path_factory.getbasetemp() / f"anything.{kind}"
    path.write_bytes(content)
    tried(path)


@given(kind=st.sampled_from(sorted(SAMPLES)), data=st.data())
@settings(max_examples=150)
def test_no_damage_gives_anything_but_a_graph_or_a_data_error(tmp_path_factory, kind, data):
    content = bytearray(SAMPLES[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(["cut", "change", "insert", "drop", "double"]))
        if how == "cut":
            del content[max(at, 1) :]
        elif how == "change":
            content[at] = data.draw(st.integers(0, 255))
        elif how == "insert":
            content[at:at] = data.draw(st.sampled_from([b"\n", b",", b'"', b"9", b"-", b"\0", b"<", b"]", b" "]))
        else:
            end = at + data.draw(st.integers(1, 20))
            content[at:end] = b"" if how == "drop" else content[at:end] * 2
        content = content or bytearray(b"x")
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(content)
    tried(path)


@given(
    body=st.lists(
        st.lists(st.sampled_from(["a", "b", "c", "", "1", "0", "nan", "x"]), min_size=2, max_size=4), max_size=6
    ),
    header=st.sampled_from(["source,target", "a,b", ",a,b", "node,a,b,c", "source,target,weight"]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "directed": st.booleans(),
            "self_loops": st.sampled_from(["drop", "keep", "error"]),
            "repeated": st.sampled_from(["error", "sum", "once"]),
            "missing": st.sampled_from(["unobserved", "zero", "error"]),
            "columns": st.sampled_from(["a,b", "source,target"]),
            "first": st.integers(-1, 4),
            "label_column": st.just("a"),
        },
    ),
    others=st.dictionaries(st.sampled_from(["nodes", "labels", "unobserved"]), st.text("abc,\n", max_size=12)),
)
def test_no_rows_give_anything_but_a_graph_or_a_data_error(tmp_path_factory, body, header, options, others):
    folder = tmp_path_factory.getbasetemp()
    path = write(folder, header + "\n" + "\n".join(",".join(row) for row in body), "rows.csv")
    files = {name: write(folder, text, f"{name}.csv") for name, text in others.items()}
    with contextlib.suppress(ConfigError):
        tried(path, **options, **files)
