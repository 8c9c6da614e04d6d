"""From listed edges to the sparse matrices of a graph: self-loops, repeated and missing pairs as the user says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeskit.core.errors import ConfigError
from bayeskit.datasets import _graph_notes as told
from bayeskit.datasets._graph_listing import Listing
from bayeskit.datasets._problems import Place, counted, joined

SelfLoops = Literal["drop", "keep", "error"]
Repeated = Literal["error", "sum", "once"]
Missing = Literal["unobserved", "zero", "error"]

_SHOWN = 3
_SYMMETRY = "give both directions of a pair the same weight, or take the graph as directed"


@dataclass(frozen=True)
class Rules:
    """What becomes of pairs that are not plain edges.

    Parameters
    ----------
    self_loops
        ``drop``: pairs of a node with itself are not modelled, and edges there left out; ``keep``: they are pairs as
        all others; ``error``: there must be no such edge.
    repeated
        Of a pair that is listed several times: ``error``; ``sum`` the weights; take it ``once``, if its weights agree.
    missing
        A missing weight means that the pair was not observed (``unobserved``), that there is no edge (``zero``), or an
        ``error``.
    """

    self_loops: SelfLoops = "drop"
    repeated: Repeated = "error"
    missing: Missing = "unobserved"

    def __post_init__(self) -> None:
        for name, choices in (("self_loops", SelfLoops), ("repeated", Repeated), ("missing", Missing)):
            if getattr(self, name) not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise ConfigError(f"{name} '{getattr(self, name)}' is unknown; choose from {known}")


@dataclass(frozen=True, eq=False)
class Matrices:
    """The weights and the pattern of unobserved pairs, each ``n_nodes x n_nodes``, and what to tell of them."""

    weights: sparse.csr_array
    unobserved: sparse.csr_array
    notes: tuple[str, ...]


def matrices_of(
    listing: Listing, hidden: Listing | None, rules: Rules, place: Place, *, directed: bool, hidden_place: Place
) -> Matrices:
    """Build the matrices of a graph.

    Parameters
    ----------
    listing
        Its edges.
    hidden
        Pairs that were not observed, by the same names, read from ``hidden_place``.
    rules
        What becomes of loops, repeated pairs and missing weights.
    directed
        Whether ``[i, j]`` and ``[j, i]`` are two pairs; if not, the matrices are symmetric.

    Raises
    ------
    DataError
        Weights that are negative or infinite; what the rules refuse; undirected, two weights of one pair; pairs both
        an edge and unobserved.
    """
    notes: list[str] = []
    _check_weights(listing, place)
    listing = _without_loops(listing, rules, notes, place)
    listing = _each_once(listing, rules, notes, place)
    if not directed:
        listing = _undirected(listing, rules, notes, place)
    listing, missing = _without_missing(listing, rules, notes, place)
    if hidden is not None:
        found = _hidden(hidden, rules, hidden_place, directed=directed)
        _refuse_seen(listing, found, hidden_place, directed=directed)
        notes.append(told.declared_unobserved(len(found.source)))
        missing = _together(missing, found)
    n_zeros = int(np.count_nonzero(listing.weights == 0))
    if n_zeros:
        notes.append(told.zero_weights(n_zeros))
        listing = listing.take(listing.weights != 0)
    pattern = _matrix(missing, directed=directed)
    pattern.data[:] = 1.0
    return Matrices(_matrix(listing, directed=directed), pattern, tuple(notes))


def _check_weights(listing: Listing, place: Place) -> None:
    infinite = np.isinf(listing.weights)
    if infinite.any():
        remedy = "correct the weight, or leave it empty where the pair was not observed"
        raise listing.wrong(infinite, "infinite", remedy, place)
    negative = listing.weights < 0
    if negative.any():
        remedy = "weights are 0 or more; leave such edges out, or read the graph without weights (--columns)"
        raise listing.wrong(negative, "negative", remedy, place)


def _without_loops(listing: Listing, rules: Rules, notes: list[str], place: Place) -> Listing:
    loops = listing.source == listing.target
    edges = loops & (listing.weights > 0)
    missing = loops & np.isnan(listing.weights)
    if rules.self_loops == "error" and edges.any():
        remedy = "remove them, or say what to do with them: drop or keep (--self-loops)"
        raise listing.wrong(edges, "an edge of a node with itself", remedy, place)
    if rules.self_loops == "keep":
        if missing.any() and rules.missing == "unobserved":
            remedy = "these pairs are observed all or not at all: fill them, or drop them all (--self-loops drop)"
            raise listing.wrong(missing, "the weight of a node with itself is missing", remedy, place)
        return listing
    n_loops = int(edges.sum())
    if n_loops:
        notes.append(told.loops_left_out(n_loops))
    return listing.take(~loops) if loops.any() else listing


def _each_once(listing: Listing, rules: Rules, notes: list[str], place: Place) -> Listing:
    """Return each pair once, in ascending order, both directions of a pair being two."""
    n_nodes = len(listing.names)
    key = listing.source * n_nodes + listing.target
    order = np.argsort(key, kind="stable")
    key, listing = key[order], listing.take(order)
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    if len(starts) == len(key):
        return listing
    sizes = np.diff(starts, append=len(key))
    repeated = np.flatnonzero(sizes > 1)
    if rules.repeated == "error":
        remedy = (
            "list each pair once, or say what to do: add the weights up, or take each once (--repeated sum or once)"
        )
        raise _repetition(listing, starts, sizes, repeated, "repeated", remedy, place)
    first = listing.weights[starts]
    same = np.repeat(first, sizes)
    differ = (listing.weights != same) & ~(np.isnan(listing.weights) & np.isnan(same))
    some_missing = np.isnan(same) != np.isnan(listing.weights)
    which = differ if rules.repeated == "once" else some_missing
    clash = np.flatnonzero(np.logical_or.reduceat(which, starts))
    if clash.size:
        problem = "repeated with different weights" if rules.repeated == "once" else "repeated, once without a weight"
        remedy = "add the weights up (--repeated sum), or correct them" if rules.repeated == "once" else "correct it"
        raise _repetition(listing, starts, sizes, clash, problem, remedy, place)
    summed = rules.repeated == "sum"
    weights = np.add.reduceat(listing.weights, starts) if summed else first
    notes.append((told.added_up if summed else told.taken_once)(len(repeated)))
    return replace(listing.take(starts), weights=weights)


def _repetition(
    listing: Listing,
    starts: NDArray[Any],
    sizes: NDArray[Any],
    groups: NDArray[Any],
    problem: str,
    remedy: str,
    place: Place,
) -> Exception:
    """Return the error on pairs that are listed several times: the first one in the file, with its rows."""
    rows = np.arange(len(listing.source)) if listing.rows is None else listing.rows
    group = groups[np.argmin(rows[starts[groups]])]
    members = np.arange(starts[group], starts[group] + sizes[group])
    stands = f"{counted(int(sizes[group]), 'time')}"
    if listing.rows is not None:
        shown = [f"{row}" for row in rows[members[:_SHOWN]]]
        more = [f"{len(members) - _SHOWN:,} more"] if len(members) > _SHOWN else []
        stands = f"in rows {joined([*shown, *more])}"
    others = f", as with {counted(groups.size - 1, 'other pair')}" if groups.size > 1 else ""
    return place.error(f"the edge {listing.pair(int(starts[group]))} stands {stands}: {problem}{others}", remedy)


def _undirected(listing: Listing, rules: Rules, notes: list[str], place: Place) -> Listing:
    """Return each pair once, whichever of its directions was listed."""
    low, high = np.minimum(listing.source, listing.target), np.maximum(listing.source, listing.target)
    key = low * len(listing.names) + high
    order = np.argsort(key, kind="stable")
    key, listing, low, high = key[order], listing.take(order), low[order], high[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    both = np.diff(starts, append=len(key)) == 2
    first = listing.weights[starts]
    second = np.where(both, listing.weights[np.minimum(starts + 1, len(key) - 1)], first)
    loops = low[starts] == high[starts]
    differ = (first != second) & ~(np.isnan(first) & np.isnan(second))
    one_sided = ~both & ~loops
    if listing.whole:
        differ |= one_sided
    adds = rules.repeated == "sum" and not listing.whole and bool((differ | one_sided).any())
    if adds:
        differ = np.isnan(first) != np.isnan(second)
    if differ.any():
        one = np.flatnonzero(differ)[0]
        at = int(starts[one])
        other = listing.told(at + 1) if both[one] else "nothing in the other direction"
        more = f", as with {counted(int(differ.sum()) - 1, 'other pair')}" if differ.sum() > 1 else ""
        problem = f"{listing.told(at)}, but {other}, in an undirected graph{more}"
        remedy = _SYMMETRY if listing.whole else f"{_SYMMETRY}, or add both up (--repeated sum)"
        raise place.error(problem, remedy, column=listing.column)
    if adds and both.any():
        notes.append(told.directions_added_up(int(both.sum())))
        first = np.where(both, first + second, first)
    elif both.any() and not listing.whole:
        notes.append(told.both_directions(int(both.sum())))
    kept = listing.take(starts)
    return replace(kept, source=low[starts], target=high[starts], weights=first)


def _without_missing(listing: Listing, rules: Rules, notes: list[str], place: Place) -> tuple[Listing, Listing]:
    """Return the pairs with weights, and those without."""
    missing = np.isnan(listing.weights)
    n_missing = int(missing.sum())
    if n_missing and rules.missing == "error":
        remedy = "fill the cells, or say what they mean: unobserved pairs, or no edges (--missing unobserved or zero)"
        raise listing.wrong(missing, "a missing weight", remedy, place)
    if n_missing and rules.missing == "zero":
        notes.append(told.missing_as_zero(n_missing))
        return listing.take(~missing), listing.take(missing & False)
    if n_missing:
        notes.append(told.missing_as_unobserved(n_missing))
    return listing.take(~missing), listing.take(missing)


def _hidden(hidden: Listing, rules: Rules, place: Place, *, directed: bool) -> Listing:
    """Return each pair that was not observed once."""
    loops = hidden.source == hidden.target
    if loops.any() and rules.self_loops == "keep":
        at = int(np.flatnonzero(loops)[0])
        remedy = "these pairs are observed all or not at all: remove it, or drop them all (--self-loops drop)"
        raise place.error(f"the pair {hidden.pair(at)} is one of a node with itself", remedy)
    hidden = hidden.take(~loops)
    if not directed:
        low, high = np.minimum(hidden.source, hidden.target), np.maximum(hidden.source, hidden.target)
        hidden = replace(hidden, source=low, target=high)
    _, first = np.unique(hidden.source * len(hidden.names) + hidden.target, return_index=True)
    return hidden.take(first)


def _together(first: Listing, second: Listing) -> Listing:
    return replace(
        first,
        source=np.concatenate([first.source, second.source]),
        target=np.concatenate([first.target, second.target]),
        weights=np.concatenate([first.weights, second.weights]),
        rows=None,
    )


def _refuse_seen(listing: Listing, hidden: Listing, place: Place, *, directed: bool) -> None:
    n_nodes = len(listing.names)
    edges = listing.take(listing.weights > 0)
    seen = np.isin(hidden.source * n_nodes + hidden.target, edges.source * n_nodes + edges.target)
    if seen.any():
        at = int(np.flatnonzero(seen)[0])
        row = "" if hidden.rows is None else f" (row {hidden.rows[at]})"
        more = f", as with {counted(int(seen.sum()) - 1, 'other pair')}" if seen.sum() > 1 else ""
        problem = f"the pair {hidden.pair(at, directed=directed)}{row} is an edge{more}, yet declared as not observed"
        raise place.error(problem, "remove it from this list, or the edge from the graph")


def _matrix(listing: Listing, *, directed: bool) -> sparse.csr_array:
    """Return a canonical matrix of pairs that differ; of undirected ones with both triangles."""
    row, column, weights = listing.source, listing.target, listing.weights
    if not directed:
        off = row != column
        row, column, weights = (
            np.concatenate([row, column[off]]),
            np.concatenate([column, row[off]]),
            np.concatenate([weights, weights[off]]),
        )
    n_nodes = len(listing.names)
    found = sparse.coo_array((weights, (row, column)), shape=(n_nodes, n_nodes)).tocsr()
    found.sum_duplicates()  # an unobserved pair may be both without a weight and declared
    return sparse.csr_array(found)
