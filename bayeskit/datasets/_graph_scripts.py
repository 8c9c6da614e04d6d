"""Graphs made in a script: from an array, a sparse matrix, a frame of pandas, or a graph of networkx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from bayeskit.datasets._graph_cells import (
    Cells,
    Column,
    Grid,
    Integers,
    coded,
    grid_of_columns,
    numbers_of,
    text_of,
)
from bayeskit.datasets._graph_edges import read_edges, refuse_blank
from bayeskit.datasets._graph_files import network_listing, refuse_twice
from bayeskit.datasets._graph_listing import Listing
from bayeskit.datasets._problems import Place, counted, nearest, quote


def listing_of(weights: Any, nodes: Sequence[Any] | None, place: Place) -> Listing:
    """Take a graph of any such kind.

    Parameters
    ----------
    weights
        ``n_nodes x n_nodes``; or a frame that is an adjacency matrix, whose index has the columns' names, or an edge
        list; or a networkx graph.
    nodes
        Names of the nodes of an array, ``1``, ``2`` and so on unless given; all nodes of a frame of edges; not for
        graphs that name their own.

    Raises
    ------
    DataError
        If it is of no such kind.
    """
    if hasattr(weights, "is_directed") and hasattr(weights, "edges"):
        return _declared(network_listing(weights, list(weights.nodes), place), nodes, place)
    if hasattr(weights, "columns") and hasattr(weights, "index"):
        return _declared(read_edges(_FrameSheet(weights), None, place), nodes, place)
    return _array(weights, nodes, place)


def groups_of(labels: Any, names: Sequence[str], place: Place) -> list[str]:
    """Return the known group of each node: from a sequence in their order, or by name.

    Raises
    ------
    DataError
        If there are too many or too few, or a name is not in the graph.
    """
    if hasattr(labels, "to_dict"):
        labels = labels.to_dict()
    if isinstance(labels, Mapping):
        known = {text_of(name): text_of(label) for name, label in labels.items()}
        unknown = [name for name in known if name not in set(names)]
        if unknown:
            meant = nearest(unknown[0], names)
            remedy = f"did you mean {quote(meant)}?" if meant else "name nodes of the graph only"
            raise place.error(f"a label for {quote(unknown[0])}, which is not a node", remedy)
        return [known.get(name, "") for name in names]
    found = [text_of(label) for label in labels]
    if len(found) != len(names):
        raise place.error(
            f"{counted(len(found), 'label')} for {counted(len(names), 'node')}",
            "label each node, '' where its group is not known",
        )
    return found


def hidden_pairs(pattern: Any, listing: Listing, place: Place) -> Listing:
    """Return the pairs of a pattern, ``n_nodes x n_nodes``, that is not zero where they were not observed."""
    n_nodes = len(listing.names)
    found = _sparse(pattern, place)
    if found.shape != (n_nodes, n_nodes):
        shape = " x ".join(str(size) for size in found.shape)
        raise place.error(f"a pattern of {shape} for {counted(n_nodes, 'node')}", "give it a row and a column a node")
    source, target = (np.asarray(axis, dtype=np.int64) for axis in found.coords)
    return Listing(listing.names, source, target, np.full(len(source), np.nan))


def _array(weights: Any, nodes: Sequence[Any] | None, place: Place) -> Listing:
    found = _sparse(weights, place)
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        shape = " x ".join(str(size) for size in found.shape)
        raise place.error(f"an array of {shape}", "a graph's matrix has a row and a column a node")
    n_nodes = found.shape[0]
    names = [str(at) for at in range(1, n_nodes + 1)] if nodes is None else [text_of(name) for name in nodes]
    if len(names) != n_nodes:
        raise place.error(f"{counted(len(names), 'name')} for {counted(n_nodes, 'node')}", "name each node")
    refuse_blank(names, None, [(at + 1, "") for at, name in enumerate(names) if not name], place)
    refuse_twice(names, place)
    source, target = (np.asarray(axis, dtype=np.int64) for axis in found.coords)
    return Listing(names, source, target, found.data.astype(np.float64), whole=True)


def _sparse(values: Any, place: Place) -> sparse.coo_array:
    found: sparse.coo_array
    try:
        if sparse.issparse(values):
            given: Any = values
            found = sparse.coo_array(given, copy=True).astype(np.float64)
            found.sum_duplicates()
        else:
            array = np.asarray(values, dtype=np.float64)
            found = sparse.coo_array(array if array.ndim == 2 else np.atleast_2d(array))
    except (TypeError, ValueError) as error:
        remedy = "give an array, a sparse matrix, a frame, or a networkx graph; NaN where a pair was not observed"
        raise place.error(f"not a graph ({error})", remedy) from error
    found.eliminate_zeros()
    return found


def _declared(listing: Listing, nodes: Sequence[Any] | None, place: Place) -> Listing:
    """Return the edges with the nodes of a list, in its order."""
    if nodes is None:
        return listing
    names = [text_of(name) for name in nodes]
    refuse_twice(names, place)
    known = {name: at for at, name in enumerate(names)}
    for name in listing.names:
        if name not in known:
            meant = nearest(name, names)
            remedy = f"did you mean {quote(meant)}?" if meant else "name all of them"
            raise place.error(f"the node {quote(name)} is not among those named", remedy)
    where = np.array([known[name] for name in listing.names], dtype=np.int64)
    return replace(listing, names=names, source=where[listing.source], target=where[listing.target])


class _FrameSheet:
    """A frame of pandas; its rows are counted from 1, and its index stands before its columns if it has names."""

    def __init__(self, frame: Any) -> None:
        columns = [text_of(name) for name in frame.columns]
        names = [text_of(name) for name in frame.index]
        named = any(isinstance(name, str) for name in frame.index)
        plain = all(kind.kind in "bifu" for kind in frame.dtypes)
        alike = set(names) == set(columns) or (named and (plain or bool(set(names) & set(columns))))
        self._is_matrix = len(names) > 1 and alike
        self._series = [frame.iloc[:, at] for at in range(len(columns))]
        if self._is_matrix:
            self._series.insert(0, frame.index.to_series())
        self.header = ("", *columns) if self._is_matrix else tuple(columns)
        self._n_rows = len(frame)

    def head(self, n_rows: int) -> list[list[str]]:
        columns = [[text_of(value) for value in series.iloc[:n_rows].tolist()] for series in self._series]
        return [list(cells) for cells in zip(*columns, strict=True)]

    def read(self, names: Sequence[int], weight: int | None = None) -> Cells:
        rows = np.arange(1, self._n_rows + 1)
        columns = tuple(self._texts(at) for at in names)
        if weight is None:
            return Cells(rows, columns, None, ())
        return Cells(rows, columns, *numbers_of(self._texts(weight), rows))

    def grid(self) -> Grid:
        rows = np.arange(1, self._n_rows + 1)
        names = [text_of(value) for value in self._series[0].tolist()]
        return grid_of_columns(names, (numbers_of(self._texts(at), rows) for at in range(1, len(self._series))))

    def _texts(self, position: int) -> Column:
        import pandas as pd

        codes, values = pd.factorize(self._series[position], use_na_sentinel=False)
        whole: Integers = codes.astype(np.int64)
        return coded(whole, list(values), text_of)
