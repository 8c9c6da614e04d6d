"""Which ratings are held out for testing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bayeskit.datasets import _ratings_notes as told
from bayeskit.datasets._files import read_bytes
from bayeskit.datasets._graph_cells import Integers
from bayeskit.datasets._problems import Place, counted, joined, quote
from bayeskit.datasets._ratings_columns import open_sheet, read_ratings
from bayeskit.datasets._ratings_listing import Listing, first_rows
from bayeskit.datasets._ratings_pairs import each_once
from bayeskit.datasets._ratings_rules import PLAIN, Rules, parse_scale
from bayeskit.datasets._ratings_scale import Scale, on_scale

_KEY = 20_160_719  # of the stream that holds out at random
_FOLDS = ("u1", "u2", "u3", "u4", "u5")
_N_MOVIELENS, _N_FOLD = 100_000, 20_000
_FEWEST = 10
_SAFE = re.compile(r"\w[\w.-]*")


def split_up(listing: Listing, rules: Rules, folder: Path | None, place: Place) -> tuple[Listing, Scale]:
    """Return ratings on their scale, each pair once, marked for training or testing; and the scale.

    Parameters
    ----------
    listing
        All rows of the file, as they stand; perhaps marked already.
    rules
        What to make of them.
    folder
        Where files of splits lie; None of ratings made in a script.
    place
        The file.

    Raises
    ------
    DataError
        For ratings that the rules refuse; a split that there is not; or if too little is left for training, or nothing
        for testing.
    """
    listing, steps = on_scale(listing, None if rules.scale is None else parse_scale(rules.scale), place)
    if listing.test is None and rules.split not in PLAIN:
        listing = _marked(listing, rules.split, folder, place)
    if rules.first is not None:
        listing = first_rows(listing, rules.first, place)
    listing, steps = each_once(listing, steps, rules.repeated, place)
    if listing.test is None:
        listing = _split(listing, rules, place)
    _check(listing, rules, place)
    return listing, steps


def _marked(listing: Listing, name: str, folder: Path | None, place: Place) -> Listing:
    """Return ratings with the marks of a split that is given by files, or that is MovieLens's."""
    if folder is not None and _SAFE.fullmatch(name):
        base, test = folder / f"{name}.base", folder / f"{name}.test"
        if base.is_file() and test.is_file():
            return _by_files(listing, base, test, place)
    if name in _FOLDS and listing.n_listed == _N_MOVIELENS:
        fold = _FOLDS.index(name)
        held = np.zeros(listing.n_listed, dtype=bool)
        held[fold * _N_FOLD : (fold + 1) * _N_FOLD] = True
        note = told.rebuilt(name, fold * _N_FOLD + 1, (fold + 1) * _N_FOLD)
        return replace(listing, test=held, notes=(*listing.notes, note))
    raise _unknown(name, folder, listing.n_listed, place)


def _split(listing: Listing, rules: Rules, place: Place) -> Listing:
    """Return ratings with the marks of a split by chance or by time."""
    if rules.split == "none":
        return replace(listing, test=np.zeros(listing.n_listed, dtype=bool))
    if rules.split == "last":
        if listing.times is None:
            remedy = "name their column (--columns user,item,rating,time), or split at random (--split random)"
            raise place.error("there are no times to hold out the last rating of each user by", remedy)
        held, note = _last(listing.user.codes, listing.times), told.last_of_each()
    else:
        held, note = _random(listing.n_listed, rules.hold_out), told.at_random(rules.hold_out)
    return replace(listing, test=held, notes=(*listing.notes, note))


def _check(listing: Listing, rules: Rules, place: Place) -> None:
    """Refuse ratings of which too little is left for training, or nothing for testing."""
    assert listing.test is not None
    train = ~listing.test
    n_train = int(np.count_nonzero(train))
    if rules.split != "none" and n_train == listing.n_listed:
        remedy = "hold out more (--hold-out), or nothing (--split none)"
        raise place.error(f"of {counted(n_train, 'rating')} none would be held out for testing", remedy)
    where = "" if n_train == listing.n_listed else " for training"
    if n_train < _FEWEST:
        problem = f"there are {n_train} ratings{where}" if n_train != 1 else f"there is 1 rating{where}"
        raise place.error(problem, f"at least {_FEWEST} are needed; give more, or hold out fewer")
    for column, what in ((listing.user, "user"), (listing.item, "item")):
        codes = column.codes[train]
        if (codes == codes[0]).all():
            problem = f"all ratings{where} are of one {what}, {quote(column.text(int(np.flatnonzero(train)[0])))}"
            raise place.error(problem, f"tastes are learned by comparing {what}s; give ratings of more of them")
    values = listing.values[train]
    if (values == values[0]).all():
        problem = f"all {n_train:,} ratings{where} are {quote(float(values[0]))}"
        raise place.error(problem, "there is nothing to predict; give ratings that differ", column=listing.title)


def _random(n_ratings: int, share: float) -> NDArray[np.bool_]:
    """Hold out a share: the bits of a generator, unlike its permutations, are the same in all versions of NumPy."""
    n_test = round(share * n_ratings)
    held = np.zeros(n_ratings, dtype=bool)
    if n_test:
        bits = np.random.PCG64(_KEY).random_raw(n_ratings)
        held[np.argpartition(bits, n_test - 1)[:n_test]] = True
    return held


def _last(user: Integers, times: Integers) -> NDArray[np.bool_]:
    """Hold out the last rating of each user with at least two; of several at the same time the last in the file."""
    counts = np.bincount(user)
    latest = np.full(len(counts), times.min())
    np.maximum.at(latest, user, times)
    at = np.flatnonzero(times == latest[user])
    last = np.zeros(len(counts), dtype=np.int64)
    last[user[at]] = at  # of several, the last one written stays
    held = np.zeros(len(user), dtype=bool)
    held[last[counts > 1]] = True
    return held


def _by_files(listing: Listing, base: Path, test: Path, place: Place) -> Listing:
    """Mark the pairs of one file for training, those of another for testing."""
    in_base, in_test = (_held_by(path, listing) for path in (base, test))
    both = in_base & in_test
    if both.any():
        at = int(np.flatnonzero(both)[0])
        raise place.error(f"{listing.pair(at)} are in {base.name} and in {test.name}", "take one of the two out")
    neither = ~(in_base | in_test)
    notes = (*listing.notes, told.official(base.name, test.name))
    if neither.any():
        notes = (*notes, told.in_neither(int(np.count_nonzero(neither)), base.stem))
    found = replace(listing, test=in_test, notes=notes)
    return found.take(~neither) if neither.any() else found


def _held_by(path: Path, listing: Listing) -> NDArray[np.bool_]:
    """Whether each rating is in a file of a split."""
    place = Place(str(path))
    content = read_bytes(path, place)
    part = read_ratings(open_sheet(content, path.suffix.lower(), place), None, place)
    user, item = (
        _codes(*columns) for columns in ((part.user.texts, listing.user.texts), (part.item.texts, listing.item.texts))
    )
    users, items = user[part.user.codes], item[part.item.codes]
    keys = np.where((users < 0) | (items < 0), -1, users * len(listing.item.texts) + items)
    known = np.isin(keys, listing.keys)
    if not known.all():
        at = int(np.flatnonzero(~known)[0])
        problem = f"{part.pair(at)} (row {part.rows[at]}) are not among the ratings that this file splits"
        raise place.error(problem, "put it beside the ratings it was made of, or choose another split (--split)")
    return np.isin(listing.keys, keys)


def _codes(texts: Sequence[str], known: Sequence[str]) -> Integers:
    places = {text: at for at, text in enumerate(known)}
    return np.array([places.get(text, -1) for text in texts], dtype=np.int64)


def _unknown(name: str, folder: Path | None, n_listed: int, place: Place) -> Exception:
    choices = [*PLAIN]
    if n_listed == _N_MOVIELENS:
        choices += _FOLDS
    if folder is not None:
        found = sorted(path.stem for path in folder.glob("*.base") if path.with_suffix(".test").is_file())
        choices += [stem for stem in found if stem not in choices]
    problem = f"there is no split {quote(name)}"
    if name in _FOLDS:
        problem += (
            f", which is of MovieLens 100K: the file has {n_listed:,} ratings, not {_N_MOVIELENS:,}, and no "
            f"{name}.base and {name}.test lie beside it"
        )
    elif folder is not None:
        problem += f", nor do files {quote(name + '.base')} and {quote(name + '.test')} lie beside the ratings"
    return place.error(problem, f"choose from {joined(choices)} (--split)")
