"""Which files of a folder hold ratings, and which the tables of users and items beside them."""

from __future__ import annotations

import re
from pathlib import Path

from bayeskit.datasets._problems import Place, joined, quote

RATINGS = ("u.data", "ratings.dat", "ratings.csv", "ratings.tsv", "ratings.parquet")
"""Names that files of ratings have, in MovieLens's layouts and in ours."""

_FAMILIES = (
    (re.compile(r"u\.data|u[0-9ab]\.(base|test)"), ("u.user",), ("u.item",)),
    (re.compile(r"ratings\.dat"), ("users.dat",), ("movies.dat",)),
    (re.compile(r"ratings\.\w+"), ("users.csv", "users.parquet"), ("items.csv", "items.parquet", "movies.csv")),
)
"""Names of ratings, and of the tables of users and of items that lie beside them."""


def ratings_file(path: Path, place: Place) -> Path:
    """Return the file of ratings, of a folder the one that is in it.

    Raises
    ------
    DataError
        If a folder has none, or several.
    """
    if not path.is_dir():
        return path
    there = {name.lower(): name for name in sorted(entry.name for entry in path.iterdir())}
    found = [there[name] for name in RATINGS if name in there]
    if not found:
        problem = f"this is a folder without a file of ratings ({', '.join(RATINGS)})"
        raise place.error(problem, "name the file itself")
    if len(found) > 1:
        raise place.error(f"this is a folder with {joined([quote(name) for name in found])}", "name one of these")
    return path / found[0]


def tables_beside(path: Path) -> dict[str, Path]:
    """Return the tables of users and items that lie beside a file of ratings under the names that belong to its own."""
    name = path.name.lower()
    family = next((tables for pattern, *tables in _FAMILIES if pattern.fullmatch(name)), None)
    if family is None or not path.parent.is_dir():
        return {}
    there = {name.lower(): name for name in sorted(entry.name for entry in path.parent.iterdir())}
    found = {}
    for what, names in zip(("users", "items"), family, strict=True):
        chosen = next((there[one] for one in names if one in there), None)
        if chosen is not None:
            found[what] = path.parent / chosen
    return found
