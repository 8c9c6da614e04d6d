"""The first nodes of a graph, and the edges among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets._problems import Place, counted

if TYPE_CHECKING:
    from bayeskit.datasets.graphs import Graph

FEWEST_NODES = 2


def first_nodes(whole: Graph, first: int, place: Place) -> Graph:
    """Return the graph of the first nodes only.

    Raises
    ------
    DataError
        If there are not so many, or no edges among them.
    """
    if not FEWEST_NODES <= first < whole.n_nodes:
        remedy = "take fewer" if first >= FEWEST_NODES else f"take at least {FEWEST_NODES}"
        raise place.error(f"{counted(first, 'node')} asked for, there are {whole.n_nodes:,}", remedy)
    weights = whole.weights[:first, :first]
    if not weights.nnz:
        raise place.error(f"there are no edges between the first {counted(first, 'node')}", "take more")
    return replace(
        whole,
        nodes=texts_array(whole.nodes[:first].tolist()),
        weights=weights,
        unobserved=whole.unobserved[:first, :first],
        weighted=bool((weights.data != 1).any()),
        labels=None if whole.labels is None else texts_array(whole.labels[:first].tolist()),
    )


def texts_array(values: Sequence[str]) -> NDArray[np.str_]:
    """Return texts as an array that cannot be written to."""
    array = np.array(list(values), dtype=np.str_)
    array.flags.writeable = False
    return array
