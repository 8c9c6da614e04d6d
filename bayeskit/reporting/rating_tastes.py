"""Whether what is known of users says anything of their tastes: a permutation test, and a map to look at.

A user's taste is the mean, over the kept draws, of what the model expects them to give to each item beyond what users
and items get on average. No rotation of the factors changes that, so that draws need not be aligned; distances between
tastes, over items, are what the test is made of. The map is but a picture of them.

Permutational analysis of variance: Anderson (2001), doi:10.1111/j.1442-9993.2001.01070.pp.x. t-SNE: van der Maaten and
Hinton (2008), https://www.jmlr.org/papers/v9/vandermaaten08a.html.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.reporting.groups import thinned
from bayeskit.reporting.rating_columns import members_of
from bayeskit.reporting.rating_summary import Summary
from bayeskit.reporting.rating_view import Factorisation, Side

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PERMUTATIONS = 999
LIMIT = 0.01  # of a p-value, all columns together
FEWEST = 20  # users
MAX_DRAWN = 600  # users on the map
MAX_COLUMNS = 6
MAIN = "occupation"  # which is looked at first where users have one
DIMENSIONS = 30  # at most, that the test is made in
_BATCH = 100
_SEED = 20_261  # the same in every report
_STEPS = 500


@dataclass(frozen=True, eq=False)
class Grouping:
    """A column of the users' table as groups.

    Parameters
    ----------
    name
        Of the column.
    groups
        Their names.
    member
        Group of each user that is compared, -1 where unknown.
    share
        Of the differences between tastes that lie between groups.
    by_chance
        The same of groups drawn at random, on average.
    p
        How often these have as much or more.
    """

    name: str
    groups: tuple[str, ...]
    member: Integers
    share: float
    by_chance: float
    p: float


@dataclass(frozen=True, eq=False)
class Tastes:
    """What was found.

    Parameters
    ----------
    users
        Those that were compared.
    drawn
        Which of these are on the map.
    places
        There, ``n_drawn x 2``.
    groupings
        What was tested; the first is the main one.
    """

    users: Integers
    drawn: Integers
    places: Floats
    groupings: tuple[Grouping, ...]

    def level(self, grouping: Grouping) -> float:
        """Return the p-value of a column, as large as so many columns make it (Bonferroni)."""
        return min(1.0, grouping.p * len(self.groupings))


def read_tastes(found: Factorisation, summary: Summary) -> Tastes | None:
    """Compare users' tastes; None where there are too few of them, or nothing is known that they could go with."""
    users = summary.taste_users
    if users.size < FEWEST or summary.taste_items.size < 2:
        return None
    columns = _columns(found.users, users) or _activity(found, users)
    points = _dimensions(summary.tastes)
    if not columns or not points.size:
        return None
    tested = [_tested(points, *column) for column in columns]
    tested.sort(key=lambda one: (one.name != MAIN, one.by_chance - one.share))
    drawn = thinned(np.arange(users.size), MAX_DRAWN)
    return Tastes(users, drawn, _map(points[drawn]), tuple(tested))


def _dimensions(tastes: Floats) -> Floats:
    """Return main dimensions of tastes, in which distances are the same but for what these leave out."""
    around = tastes - tastes.mean(0)
    squares, vectors = np.linalg.eigh(around @ around.T / around.shape[1])
    squares, vectors = np.maximum(squares[::-1], 0.0), vectors[:, ::-1]
    if not squares[0] > 0:
        return np.empty((len(tastes), 0))
    n = min(DIMENSIONS, int((squares > 1e-9 * squares[0]).sum()))
    signs = np.where(vectors[np.abs(vectors).argmax(0), np.arange(len(vectors))] < 0, -1.0, 1.0)
    points: Floats = (vectors * signs)[:, :n] * np.sqrt(squares[:n])
    return points


def _columns(side: Side, users: Integers) -> list[tuple[str, tuple[str, ...], Integers]]:
    """Return columns that put the users into groups; one of numbers by its quarters."""
    made = []
    for name, values in side.columns.items():
        if name == "title":
            continue
        members = members_of(values[users])
        if members and sum(map(len, members.values())) <= users.size:  # each user in one group
            made.append((name, *_apart(members, users.size)))
    return made[:MAX_COLUMNS]


def _activity(found: Factorisation, users: Integers) -> list[tuple[str, tuple[str, ...], Integers]]:
    members = members_of(found.counts("user")[users])
    return [(say("number of ratings"), *_apart(members, users.size))] if members else []


def _apart(members: Mapping[str, Integers], size: int) -> tuple[tuple[str, ...], Integers]:
    """Return the groups' names, and the group of each row, -1 where it has none."""
    member = np.full(size, -1)
    for place, rows in enumerate(members.values()):
        member[rows] = place
    return tuple(members), member


def _tested(points: Floats, name: str, groups: tuple[str, ...], member: Integers) -> Grouping:
    share, by_chance, p = permutation_test(points[member >= 0], member[member >= 0])
    return Grouping(name, groups, member, share, by_chance, p)


def permutation_test(points: Floats, member: Integers, seed: int = _SEED) -> tuple[float, float, float]:
    """Test whether groups differ in where their members lie.

    Parameters
    ----------
    points
        ``n x n_dimensions``.
    member
        Group of each, from 0.
    seed
        Of the permutations.

    Returns
    -------
    tuple of float
        The share of all squared distances that lies between groups, which grows with the pseudo-F; the same of groups
        that were dealt anew, on average; and how often these have as much or more, the data's own among them.
    """
    around = points - points.mean(0)
    total = float((around**2).sum())
    sizes = np.bincount(member)
    if not total > 0:
        return 0.0, 0.0, 1.0
    rng = np.random.default_rng(seed)
    one = np.eye(sizes.size)[:, member]
    observed = float((((one @ around) ** 2).sum(1) / np.maximum(sizes, 1)).sum())
    dealt = []
    for start in range(0, PERMUTATIONS, _BATCH):
        n = min(_BATCH, PERMUTATIONS - start)
        orders = rng.permuted(np.tile(np.arange(member.size), (n, 1)), axis=1)
        sums = one @ around[orders]
        dealt.append(((sums**2).sum(2) / np.maximum(sizes, 1)).sum(1))
    null = np.concatenate(dealt)
    p = (1 + int((null >= observed * (1 - 1e-12)).sum())) / (1 + PERMUTATIONS)
    return observed / total, float(null.mean()) / total, p


def _map(points: Floats) -> Floats:
    """Return places in the plane that keep neighbours together."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(points) - 1) / 3)
    with threadpool_limits(1), warnings.catch_warnings():  # sums come out the same on any number of cores
        warnings.simplefilter("ignore", FutureWarning)
        start = points[:, :2] if points.shape[1] > 1 else np.column_stack([points[:, 0], np.zeros(len(points))])
        start = 1e-4 * start / max(float(start[:, 0].std()), 1e-300)
        made = TSNE(2, init=start, perplexity=perplexity, max_iter=_STEPS, random_state=_SEED).fit_transform(points)
    places: Floats = np.asarray(made, dtype=float)
    return places
