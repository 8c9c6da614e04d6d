"""What rows are coloured by on a map of their codes, and whether rows that lie together are of the same colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import number, percent
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_view import Autoencoder, Codes
from bayeskit.reporting.groups import N_COLOURS, colour_name, colour_of, thinned

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_COMPARED = 2000  # rows
MAX_NAMED = 28  # groups that have a colour and a symbol of their own
QUINTILES = 5


@dataclass(frozen=True, eq=False)
class Colouring:
    """What rows are coloured by: groups in order, and each row's, -1 for none; ``ordered`` ones go from low to high.

    ``agreeing`` is how often the nearest other row by codes is of the same group, ``given`` whether networks are told.
    """

    what: str
    groups: tuple[str, ...]
    member: Integers
    ordered: bool
    given: bool
    agreeing: float = float("nan")

    @property
    def apart(self) -> bool:
        """Whether groups lie apart, rather than on top of each other."""
        return self.agreeing > 2 * self.chance

    @cached_property
    def chance(self) -> float:
        """How often two rows taken at random are of one group."""
        shares = np.bincount(self.member[self.member >= 0]) / max(1, int((self.member >= 0).sum()))
        return float((shares**2).sum())

    def colour(self, place: int) -> str:
        """Return a group's colour."""
        if self.ordered:
            return f.faded(f.FIT, round(0.2 + 0.8 * place / max(1, len(self.groups) - 1), 2))
        return colour_of(place)


def colouring_of(found: Autoencoder, codes: Codes) -> Colouring | None:
    """Return what to colour rows by: labels, or else the first condition; None where nothing is known of them."""
    made = _known(found, codes)
    return None if made is None else replace(made, agreeing=neighbours_agree(codes, made))


def neighbours_agree(codes: Codes, colouring: Colouring) -> float:
    """Return how often the nearest other row by codes is of the same group, over rows that have one."""
    from scipy.spatial import cKDTree

    known = np.flatnonzero(colouring.member >= 0)
    some = known[thinned(np.arange(known.size), MAX_COMPARED)]
    tree = cKDTree(codes.mean[some])
    nearest = np.asarray(tree.query(codes.mean[some], k=2)[1])
    own = np.arange(some.size)
    other = np.where(nearest[:, 1] == own, nearest[:, 0], nearest[:, 1])
    return float(np.mean(colouring.member[some] == colouring.member[some[other]]))


def colouring_title(colouring: Colouring) -> str:
    """Say what the codes have to do with what rows are coloured by."""
    told = {"share": percent(colouring.agreeing), "chance": percent(colouring.chance), "what": colouring.what}
    if colouring.given:
        return _given_title(colouring, told)
    if colouring.apart:
        return say(
            "Codes tell labels apart, which training never saw: the nearest row has the same in {share} of cases, by "
            "chance in {chance}",
            **told,
        )
    return say(
        "Codes say little of labels: the nearest row has the same in {share} of cases, by chance in {chance}", **told
    )


def _given_title(colouring: Colouring, told: Mapping[str, str]) -> str:
    """Say whether codes hold what the decoder is told anyway."""
    if colouring.ordered:
        template = mark(
            "The codes repeat little of {what}, which the decoder is told: rows that lie together are of the same "
            "fifth of it in {share} of cases, by chance in {chance}"
        )
        if colouring.apart:
            template = mark(
                "The codes repeat {what}, which the decoder is told: rows that lie together are of the same fifth of "
                "it in {share} of cases, by chance in {chance}"
            )
        return say(template, **told)
    template = mark(
        "The codes repeat little of {what}, which the decoder is told: rows that lie together have the same in {share} "
        "of cases, by chance in {chance}"
    )
    if colouring.apart:
        template = mark(
            "The codes repeat {what}, which the decoder is told: rows that lie together have the same in {share} of "
            "cases, by chance in {chance}"
        )
    return say(template, **told)


def colouring_key(colouring: Colouring | None) -> tuple[tuple[str, str], ...]:
    """Return the key of the colours."""
    if colouring is None or colouring.ordered:
        return ()
    n = min(len(colouring.groups), N_COLOURS)
    made = [(colour_name(place), ", ".join(colouring.groups[place::N_COLOURS])) for place in range(n)]
    return (*made, *([("prior", say("others"))] if (colouring.member < 0).any() else []))


def _known(found: Autoencoder, codes: Codes) -> Colouring | None:
    if codes.labels is not None:
        given = any(condition.name == "label" for condition in found.card.conditions)
        return _classes(say("label"), codes.labels, found.card.labels, given=given)
    for condition in found.card.conditions:
        values = codes.given.get(condition.name)
        if values is None:
            continue
        if values.dtype.kind == "f":
            return _fifths(condition.name, values)
        return _classes(condition.name, values, condition.classes, given=True)
    return None


def _classes(what: str, values: NDArray[Any], order: tuple[str, ...], *, given: bool) -> Colouring | None:
    names, counts = np.unique(values, return_counts=True)
    known = [name for name in order if name in set(names.tolist())] or names[np.argsort(-counts)].tolist()
    shown = {name: place for place, name in enumerate(known[:MAX_NAMED])}
    member = np.array([shown.get(value, -1) for value in values.tolist()])
    return Colouring(what, tuple(shown), member, ordered=False, given=given) if len(shown) > 1 else None


def _fifths(what: str, values: Floats) -> Colouring | None:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, QUINTILES + 1)))
    if edges.size < 3:
        return None
    member = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, edges.size - 2)
    decimals = max(0, 2 - int(np.floor(np.log10(max(float(np.ptp(edges)), 1e-12)))))
    ends = [number(float(edge), decimals) for edge in edges]
    groups = tuple(say("{low} to {high}", low=low, high=high) for low, high in pairwise(ends))
    return Colouring(what, groups, member, ordered=True, given=True)
