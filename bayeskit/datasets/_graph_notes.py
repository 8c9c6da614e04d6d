"""What is told of a graph: its size, and of the pairs and nodes that were not taken as they stood."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.words import count, significant, with_unit
from bayeskit.datasets._sources_archives import sha256_of
from bayeskit.datasets.sources import located

if TYPE_CHECKING:
    from bayeskit.datasets.graphs import Graph

_PLAIN = mark("{nodes}, {edges} (density {density})")
_WEIGHTED = mark("{nodes}, {edges} with weights from {low} to {high} (density {density})")
_FILES = {
    "nodes": mark("The nodes are from {path} (SHA-256 {sha})."),
    "unobserved": mark("The pairs that were not observed are from {path} (SHA-256 {sha})."),
    "labels": mark("The known groups are from {path} (SHA-256 {sha})."),
}
_EXACT = 1e15  # above which a number's digits are not all its own


def described(found: Graph) -> str:
    """Return the numbers of nodes and edges, the weights' range, and the density."""
    nodes = count(found.n_nodes, "node")
    edges = count(found.n_edges, "directed edge") if found.directed else count(found.n_edges, "undirected edge")
    density = with_unit(significant(100 * found.density, 2), "%")
    if not found.weighted:
        return say(_PLAIN, nodes=nodes, edges=edges, density=density)
    ends = float(found.weights.data.min()), float(found.weights.data.max())
    low, high = (f"{end:,.0f}" if end.is_integer() and end < _EXACT else significant(end) for end in ends)
    return say(_WEIGHTED, nodes=nodes, edges=edges, density=density, low=low, high=high)


def variables_of(found: Graph) -> dict[str, str]:
    """Return what a graph holds, by name."""
    variables = {"nodes": count(found.n_nodes, "name"), "weights": count(found.n_edges, "number")}
    return variables if found.labels is None else variables | {"labels": count(n_groups(found.labels), "group")}


def n_groups(labels: NDArray[Any]) -> int:
    """Return the number of known groups."""
    return int(np.unique(labels[labels != ""]).size)


def notes_on(found: Graph) -> list[str]:
    """Return what to tell of nodes without edges or without a known group."""
    degrees = np.diff(found.weights.indptr) + np.bincount(found.weights.indices, minlength=found.n_nodes)
    n_isolated = int(np.count_nonzero(degrees == 0))
    n_unlabelled = 0 if found.labels is None else int(np.count_nonzero(found.labels == ""))
    return [*([isolated(n_isolated)] if n_isolated else []), *([unlabelled(n_unlabelled)] if n_unlabelled else [])]


def notes_on_files(files: Mapping[str, str | os.PathLike[str] | None]) -> list[str]:
    """Name the files that a graph was read from beside that of its edges."""
    return [
        say(_FILES[what], path=os.fspath(path), sha=sha256_of(located(path)))
        for what, path in files.items()
        if path is not None
    ]


def loops_left_out(number: int) -> str:
    """Tell of edges of nodes with themselves that are not modelled."""
    return say_count(
        number,
        "{n} edge of a node with itself was left out: such pairs are not modelled.",
        "{n} edges of nodes with themselves were left out: such pairs are not modelled.",
    )


def added_up(number: int) -> str:
    """Tell of repeated pairs, of which the weights were added up."""
    return say_count(
        number,
        "{n} pair is listed several times: its weights were added up.",
        "{n} pairs are listed several times: their weights were added up.",
    )


def taken_once(number: int) -> str:
    """Tell of repeated pairs that count once."""
    return say_count(
        number,
        "{n} pair is listed several times: it counts once.",
        "{n} pairs are listed several times: each counts once.",
    )


def both_directions(number: int) -> str:
    """Tell of undirected pairs that stand in both directions with one weight."""
    return say_count(
        number,
        "{n} pair is listed in both directions: it is one edge.",
        "{n} pairs are listed in both directions: each is one edge.",
    )


def directions_added_up(number: int) -> str:
    """Tell of undirected pairs, of which the weights of both directions were added up."""
    return say_count(
        number,
        "{n} pair is listed in both directions: its weights were added up.",
        "{n} pairs are listed in both directions: their weights were added up.",
    )


def missing_as_zero(number: int) -> str:
    """Tell of pairs without a weight, taken for no edges."""
    return say_count(
        number,
        "{n} pair has no weight: it counts as no edge.",
        "{n} pairs have no weights: they count as no edges.",
    )


def missing_as_unobserved(number: int) -> str:
    """Tell of pairs without a weight, taken for unobserved."""
    return say_count(
        number,
        "{n} pair has no weight: it counts as not observed.",
        "{n} pairs have no weights: they count as not observed.",
    )


def declared_unobserved(number: int) -> str:
    """Tell of pairs that a list declares as unobserved."""
    return say_count(number, "{n} pair is declared as not observed.", "{n} pairs are declared as not observed.")


def zero_weights(number: int) -> str:
    """Tell of listed pairs of weight 0."""
    return say_count(
        number, "{n} listed pair has weight 0: it is no edge.", "{n} listed pairs have weight 0: they are no edges."
    )


def isolated(number: int) -> str:
    """Tell of nodes without edges."""
    return say_count(number, "{n} node has no edges.", "{n} nodes have no edges.")


def unlabelled(number: int) -> str:
    """Tell of nodes without a known group."""
    return say_count(number, "The group of {n} node is not known.", "The groups of {n} nodes are not known.")
