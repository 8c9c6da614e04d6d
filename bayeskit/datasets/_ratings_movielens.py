"""MovieLens's own tables: columns without a header, genres as flags, occupations as codes, years in titles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_OCCUPATIONS = (
    "other", "academic/educator", "artist", "clerical/admin", "college/grad student", "customer service",
    "doctor/health care", "executive/managerial", "farmer", "homemaker", "K-12 student", "lawyer", "programmer",
    "retired", "sales/marketing", "scientist", "self-employed", "technician/engineer", "tradesman/craftsman",
    "unemployed", "writer",
)  # fmt: skip
_NO_GENRES = frozenset({"(no genres listed)", "unknown"})
_YEAR = re.compile(r"(.*?)\s*\((\d{4})(?:[-\N{EN DASH}]\d{0,4})?\)")

HEADERS: Mapping[str, tuple[str, ...]] = {
    "u.user": ("user", "age", "gender", "occupation", "zip"),
    "u.item": ("item", "title", "date", "video date", "address", *_GENRES),
    "users.dat": ("user", "gender", "age", "occupation", "zip"),
    "movies.dat": ("item", "title", "genres"),
}
"""Columns of the tables without a header, by the names of their files. They may be in Latin-1."""
DELIMITERS: Mapping[str, str] = dict.fromkeys(["u.user", "u.item"], "|") | dict.fromkeys(
    ["ratings.dat", "users.dat", "movies.dat"], "::"
)
"""What stands between the cells of these, and of a file of ratings."""


def tidied(found: dict[str, Any], layout: str) -> dict[str, Any]:
    """Return the columns of a table as they are wanted.

    Parameters
    ----------
    found
        By name, each ``n_rows`` numbers or texts.
    layout
        Name of the file, which may be one of ``HEADERS``: of ``u.item`` the flags become genres such as
        ``Action|Comedy``, of ``users.dat`` the codes of occupations words. Of any table, titles such as ``Toy Story
        (1995)`` become title and year.
    """
    if layout == "u.item":
        genres = _from_flags([found[name] for name in _GENRES[1:]], _GENRES[1:])
        found = {"title": found["title"], "date": found["date"], "genres": genres}
    if layout == "users.dat":
        words = {str(at): word for at, word in enumerate(_OCCUPATIONS)}
        found["occupation"] = objects([words.get(text, text) for text in found["occupation"]])
    if "genres" in found:
        found["genres"] = objects(["" if text in _NO_GENRES else text for text in found["genres"]])
    return _with_years(found, dated=layout == "u.item")


def objects(texts: Sequence[str]) -> Any:
    """Return texts as an array of objects."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def _with_years(found: dict[str, Any], *, dated: bool) -> dict[str, Any]:
    """Take years out of titles, if most have one; where one has none, its year is that of the date, if there is one."""
    if "title" not in found or "year" in found:
        return found
    matches = [_YEAR.fullmatch(text) for text in found["title"]]
    if not dated and 2 * sum(match is not None for match in matches) <= len(matches):
        return found
    years = np.array([float(match[2]) if match else np.nan for match in matches])
    if dated:
        ends = [re.search(r"\d{4}$", str(text)) for text in found.pop("date")]
        years = np.where(np.isnan(years), [float(end[0]) if end else np.nan for end in ends], years)
    titles = [match[1] if match else text for match, text in zip(matches, found.pop("title"), strict=True)]
    return {"title": objects(titles), "year": years, **found}


def _from_flags(flags: Sequence[Any], names: Sequence[str]) -> Any:
    """Return the names of the flags that are set, row by row."""
    rows = zip(*flags, strict=True)
    return objects(["|".join(name for name, flag in zip(names, row, strict=True) if flag == 1) for row in rows])
