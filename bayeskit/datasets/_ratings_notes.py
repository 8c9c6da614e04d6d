"""What is told of ratings: their number and scale, and what was not taken as it stood."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.words import commas, count, interval, percent

if TYPE_CHECKING:
    from bayeskit.datasets.ratings import Ratings

_SPLIT = mark("{train} for training and {test} for testing, of {users} and {items}, {scale}")
_WHOLE = mark("{ratings}, of {users} and {items}, {scale}")
_FILES = {
    "users": mark("The users' table is from {path} (SHA-256 {sha})."),
    "items": mark("The items' table is from {path} (SHA-256 {sha})."),
}


def described(found: Ratings, scale: str) -> str:
    """Return the numbers of ratings, of users and of items, and the scale."""
    users, items = count(found.n_users, "user"), count(found.n_items, "item")
    if not found.n_test:
        return say(_WHOLE, ratings=count(found.n_ratings, "rating"), users=users, items=items, scale=scale)
    train, test = count(found.n_train, "rating"), f"{found.n_test:,}"
    return say(_SPLIT, train=train, test=test, users=users, items=items, scale=scale)


def variables_of(found: Ratings) -> dict[str, str]:
    """Return what ratings hold, by name."""
    variables = {
        "users": count(found.n_users, "name"),
        "items": count(found.n_items, "name"),
        "values": count(found.n_ratings, "number"),
    }
    if found.times is not None:
        ends = np.array([found.times.min(), found.times.max()]).astype("datetime64[s]").astype("datetime64[D]")
        variables["times"] = interval(str(ends[0]), str(ends[1]))
    for name, table in (("user_table", found.user_table), ("item_table", found.item_table)):
        if table is not None:
            variables[name] = commas([str(column) for column in table.columns])
    return variables


def notes_on(found: Ratings) -> list[str]:
    """Return what to tell of users and items that training knows nothing of."""
    n_users, n_items = found.n_users - found.n_known_users, found.n_items - found.n_known_items
    return [*([_new_users(n_users)] if n_users else []), *([_new_items(n_items)] if n_items else [])]


def from_file(what: str, path: Path, content: bytes) -> str:
    """Name a file that was read beside that of the ratings."""
    return say(_FILES[what], path=str(path), sha=hashlib.sha256(content).hexdigest())


def only_first(number: int, whole: int) -> str:
    """Tell that only some of the file's ratings were taken."""
    return say("Only the first {n} of {whole} ratings were taken.", n=f"{number:,}", whole=f"{whole:,}")


def averaged(number: int) -> str:
    """Tell of repeated pairs, of which the mean was taken."""
    return say_count(
        number,
        "{n} pair of user and item is rated several times: it has the mean of its ratings.",
        "{n} pairs of user and item are rated several times: each has the mean of its ratings.",
    )


def replaced(number: int) -> str:
    """Tell of repeated pairs, of which the last rating was taken."""
    return say_count(
        number,
        "{n} pair of user and item is rated several times: its last rating counts.",
        "{n} pairs of user and item are rated several times: the last rating of each counts.",
    )


def between_steps() -> str:
    """Tell that means of repeated ratings are not on the scale's steps."""
    return say("Means of repeated ratings lie between the steps of the scale: ratings are taken as continuous.")


def at_random(share: float) -> str:
    """Tell of ratings held out at random."""
    return say(
        "Held out for testing: {share} of the ratings, at random, the same whatever a run's seed is.",
        share=percent(share),
    )


def last_of_each() -> str:
    """Tell of the last rating of each user held out."""
    return say("Held out for testing: the last rating, by its time, of each user with at least two.")


def official(base: str, test: str) -> str:
    """Tell of a split that is given by files."""
    return say("Held out for testing: the ratings of {test}, those of {base} are for training.", base=base, test=test)


def rebuilt(name: str, first: int, last: int) -> str:
    """Tell of a split of MovieLens 100K that was made from the whole."""
    return say(
        "Held out for testing: ratings {first} to {last} of the file, as in {name}.test of MovieLens 100K.",
        first=f"{first:,}",
        last=f"{last:,}",
        name=name,
    )


def in_neither(number: int, name: str) -> str:
    """Tell of ratings that a split leaves out."""
    return say_count(
        number,
        "{n} rating is in neither part of {name}, and was left out.",
        "{n} ratings are in neither part of {name}, and were left out.",
        name=name,
    )


def lacking(number: int, what: str) -> str:
    """Tell of users or items that a table does not have."""
    if what == "users":
        return say_count(number, "{n} user is not in the users' table.", "{n} users are not in the users' table.")
    return say_count(number, "{n} item is not in the items' table.", "{n} items are not in the items' table.")


def unrelated(path: Path, what: str) -> str:
    """Tell of a table beside the ratings that has none of their ids."""
    if what == "users":
        return say("{path} has none of the users, and was left out.", path=path.name)
    return say("{path} has none of the items, and was left out.", path=path.name)


def _new_users(number: int) -> str:
    return say_count(
        number,
        "{n} user has ratings for testing only: these are predicted from the items and what is told of the user alone.",
        "{n} users have ratings for testing only: these are predicted from the items and what is told of the users "
        "alone.",
    )


def _new_items(number: int) -> str:
    return say_count(
        number,
        "{n} item has ratings for testing only: these are predicted from the users and what is told of the item alone.",
        "{n} items have ratings for testing only: these are predicted from the users and what is told of the items "
        "alone.",
    )
