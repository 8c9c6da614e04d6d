"""Graphs: who is linked to whom, sparse, with names, known groups, and pairs that were not observed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeskit.core.language import mark, say
from bayeskit.core.types import Source
from bayeskit.core.words import count
from bayeskit.datasets._files import read_bytes
from bayeskit.datasets._graph_files import read_listing
from bayeskit.datasets._graph_first import FEWEST_NODES, first_nodes, texts_array
from bayeskit.datasets._graph_listing import Listing, direction_of
from bayeskit.datasets._graph_nodes import declare_nodes, labels_of, read_labels, read_unobserved
from bayeskit.datasets._graph_notes import described, n_groups, notes_on, notes_on_files, variables_of
from bayeskit.datasets._graph_pairs import Missing, Repeated, Rules, SelfLoops, matrices_of
from bayeskit.datasets._graph_scripts import groups_of, hidden_pairs, listing_of
from bayeskit.datasets._problems import Place, counted

FilePath = str | os.PathLike[str]

_NO_FILE = mark("Graph made in a script")


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A graph as it was read; build it with ``load_graph`` or ``graph``.

    Parameters
    ----------
    nodes
        ``n_nodes`` names, in order of first appearance, or in that of the table of nodes or the matrix.
    weights
        ``n_nodes x n_nodes``, canonical and without explicit zeros, ``[i, j]`` from i to j. Undirected: symmetric, a
        self-loop once on the diagonal.
    unobserved
        ``n_nodes x n_nodes``, ones where a pair was not observed, none on the diagonal. Undirected: symmetric.
    directed
        Whether ``[i, j]`` and ``[j, i]`` are two pairs.
    weighted
        Whether there are weights other than 1.
    self_loops
        Whether pairs of a node with itself are observed.
    labels
        ``n_nodes``, the known group of each node, empty where it is not known; None where no groups were given.
    source
        The file; of a graph made in a script without a path.
    options
        What ``load_graph`` was called with besides the file, to repeat it; empty of a graph made in a script.
    """

    nodes: NDArray[np.str_]
    weights: sparse.csr_array
    unobserved: sparse.csr_array
    directed: bool
    weighted: bool
    self_loops: bool
    labels: NDArray[np.str_] | None
    source: Source
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return int(self.nodes.size)

    @property
    def n_edges(self) -> int:
        """Number of pairs with a weight that is not zero; undirected ones count once."""
        return self._n_pairs(self.weights)

    @property
    def density(self) -> float:
        """Share of the observed pairs that are edges."""
        ordered = self.n_nodes * (self.n_nodes - 1)
        n_pairs = ordered if self.directed else ordered // 2
        n_pairs += self.n_nodes if self.self_loops else 0
        return self.n_edges / max(n_pairs - self._n_pairs(self.unobserved), 1)

    def __repr__(self) -> str:
        kind = ("" if self.directed else "un") + "directed edge"
        weighted = ", weighted" if self.weighted else ""
        n_hidden = self._n_pairs(self.unobserved)
        hidden = f", {counted(n_hidden, 'pair')} not observed" if n_hidden else ""
        groups = "" if self.labels is None else f", {counted(n_groups(self.labels), 'known group')}"
        return f"Graph({counted(self.n_nodes, 'node')}, {counted(self.n_edges, kind)}{weighted}{hidden}{groups})"

    def _n_pairs(self, matrix: sparse.csr_array) -> int:
        if self.directed:
            return int(matrix.nnz)
        n_loops = int(np.count_nonzero(matrix.diagonal()))
        return (int(matrix.nnz) - n_loops) // 2 + n_loops


def load_graph(
    path: FilePath,
    *,
    columns: str | Sequence[str] | None = None,
    directed: bool | None = None,
    self_loops: SelfLoops = "drop",
    repeated: Repeated = "error",
    missing: Missing = "unobserved",
    nodes: FilePath | None = None,
    unobserved: FilePath | None = None,
    labels: FilePath | None = None,
    label_column: str | None = None,
    first: int | None = None,
) -> Graph:
    """Read a graph from an edge list, an adjacency matrix, or a GraphML, GML or Matrix Market file.

    Parameters
    ----------
    path
        The file. Edge lists and matrices are CSV, tab-separated or Parquet, with a header. A matrix's columns have the
        names of its rows, in its first column, and hold numbers, or True and False. Names are texts: ``007`` is not
        ``7``. A GraphML file's nodes are named by their identifiers, a GML file's by their labels if all have one, and
        the weights of both are the edges' attribute ``weight``.
    columns
        Names of an edge list's columns of sources, of targets and, if there are any, of weights, separated by commas
        or as a list. Unless given, those named source or from or src, target or to or dst or dest, and weight, w,
        count or value; or else the first two, and the third of three if it holds numbers.
    directed
        Whether an edge has a direction. Unless given, as the file says; where it does not, yes.
    self_loops
        Edges of nodes with themselves: ``drop`` leaves them out, and such pairs are not modelled; ``keep`` makes them
        pairs like others; ``error`` refuses them.
    repeated
        Pairs that are listed several times: ``error`` refuses them; ``sum`` adds their weights up; ``once`` takes each
        once, and refuses different weights. An undirected pair may stand in both directions, with one weight; with
        ``sum`` the weights of both directions are added up, unless all pairs stand in both with equal weights.
    missing
        Empty weights, and empty cells of a matrix: ``unobserved`` pairs, ``zero`` for no edge, or ``error``.
    nodes
        A table (CSV, tab-separated or Parquet) of all nodes, those without edges included; their names are in its
        column node, name or id, or else the first.
    unobserved
        A table of pairs that were not observed: sources and targets, as in an edge list.
    labels
        A table of the known groups of nodes; names as in ``nodes``.
    label_column
        Name of its column of groups, if it has more than one; without ``labels`` that of ``nodes``, or else an
        attribute of the nodes in a GraphML or GML file.
    first
        Only so many of the first nodes, and the edges among them, if not all.

    Returns
    -------
    Graph
        ``source.notes`` tells of all that was not taken as it stands.

    Raises
    ------
    DataError
        If the files cannot be used as they are: one line that names file, column, row (the line in the file, counted
        from 1; of a Parquet file the record), value and remedy.
    ConfigError
        For an option that is none.
    """
    rules = Rules(self_loops, repeated, missing)
    name = os.fspath(path)
    place = Place(str(name))
    content = read_bytes(Path(name), place)
    listing = read_listing(content, str(name), columns, place)
    if nodes is not None:
        listing = declare_nodes(listing, os.fspath(nodes), place)
    hidden = None if unobserved is None else read_unobserved(os.fspath(unobserved), listing.names)
    table = nodes if labels is None and label_column is not None else labels
    groups = None
    if table is not None:
        groups = read_labels(os.fspath(table), label_column, listing.names)
    elif label_column is not None:
        groups = labels_of(listing, label_column, place)
    found = _built(listing, hidden, groups, rules, place, directed=directed, first=first)
    paths = {"nodes": nodes, "unobserved": unobserved, "labels": labels}
    source = replace(
        found.source,
        path=os.fsencode(name).decode("utf-8", "backslashreplace"),
        sha256=hashlib.sha256(content).hexdigest(),
        notes=(*notes_on_files(paths), *found.source.notes),
    )
    options = {
        "columns": columns if columns is None or isinstance(columns, str) else ",".join(columns),
        "directed": directed,
        "self_loops": self_loops,
        "repeated": repeated,
        "missing": missing,
        **{option: None if file is None else os.fspath(file) for option, file in paths.items()},
        "label_column": label_column,
        "first": first,
    }
    return replace(found, source=source, options=options)


def graph(
    weights: Any,
    nodes: Sequence[Any] | None = None,
    *,
    directed: bool | None = None,
    self_loops: SelfLoops = "drop",
    repeated: Repeated = "error",
    missing: Missing = "unobserved",
    unobserved: Any = None,
    labels: Sequence[Any] | Mapping[Any, Any] | None = None,
) -> Graph:
    """Take a graph from a script.

    Parameters
    ----------
    weights
        ``n_nodes x n_nodes`` array or sparse matrix, ``[i, j]`` from i to j; a frame of pandas, an adjacency matrix
        whose index and columns have the same names, or an edge list; or a networkx graph. NaN is a missing weight.
    nodes
        Names, ``1``, ``2`` and so on unless given; of graphs with names of their own, all of them, in the order wanted.
    directed, self_loops, repeated, missing
        As in ``load_graph``.
    unobserved
        ``n_nodes x n_nodes`` array or sparse matrix, not zero where a pair was not observed.
    labels
        ``n_nodes``, the known groups, or by name; empty where not known.

    Returns
    -------
    Graph
        As there is no file, no command can repeat a run of it.

    Raises
    ------
    DataError
        If it cannot be used as it is; places are counted from 1.
    ConfigError
        For an option that is none.
    """
    rules = Rules(self_loops, repeated, missing)
    place = Place("graph")
    listing = listing_of(weights, nodes, place)
    hidden = None if unobserved is None else (hidden_pairs(unobserved, listing, place), place)
    groups = None if labels is None else groups_of(labels, listing.names, place)
    found = _built(listing, hidden, groups, rules, place, directed=directed, first=None)
    description = say("{what}: {described}", what=say(_NO_FILE), described=found.source.description)
    return replace(found, source=replace(found.source, description=description))


def _built(
    listing: Listing,
    hidden: tuple[Listing, Place] | None,
    groups: Sequence[str] | None,
    rules: Rules,
    place: Place,
    *,
    directed: bool | None,
    first: int | None,
) -> Graph:
    """Build a graph whose source has neither path nor hash yet."""
    directed = direction_of(listing, directed, place)
    pairs, pairs_place = hidden or (None, place)
    matrices = matrices_of(listing, pairs, rules, place, directed=directed, hidden_place=pairs_place)
    n_nodes = len(listing.names)
    if n_nodes < FEWEST_NODES:
        problem = f"there is {counted(n_nodes, 'node')}" if n_nodes else "there are no nodes"
        raise place.error(problem, f"at least {FEWEST_NODES} are needed; give more edges, or declare nodes (--nodes)")
    found = Graph(
        nodes=texts_array(listing.names),
        weights=matrices.weights,
        unobserved=matrices.unobserved,
        directed=directed,
        weighted=bool((matrices.weights.data != 1).any()),
        self_loops=rules.self_loops == "keep",
        labels=None if groups is None else texts_array(groups),
        source=Source("", "", ""),
    )
    if not found.weights.nnz:
        raise place.error(f"there are no edges between {counted(n_nodes, 'node')}", "give a graph with some")
    description = described(found)
    if first is not None and first != n_nodes:
        found = first_nodes(found, first, place)
        description = say("the first {nodes} of {whole}", nodes=count(first, "node"), whole=description)
    notes = (*listing.notes, *matrices.notes, *notes_on(found))
    return replace(found, source=Source("", "", description, notes, variables_of(found)))
