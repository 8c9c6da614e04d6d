"""MovieLens in one form, whichever of its sources it comes from.

``ratings.csv`` has user, item, rating and timestamp in the publisher's order, with its digits; ``users.csv`` user, age,
gender, occupation and zip; ``items.csv`` item, title, year and genres, separated by ``|``. Years and genres are empty
where not known. Harper and Konstan (2015), https://doi.org/10.1145/2827872.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from bayeskit.core.errors import DataError

RATINGS = ("user", "item", "rating", "timestamp")
USERS = ("user", "age", "gender", "occupation", "zip")
ITEMS = ("item", "title", "year", "genres")
# The flags of u.item, in its order.
GENRES = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
# Released on video: "… (1995) (V)".
_YEAR = re.compile(r"(.*?)\s*\((\d{4})\)\s*(?:\(V\))?")
_NO_GENRE = {"unknown", "(no genres listed)"}


def from_publisher(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Convert ``u.data``, ``u.user`` and ``u.item`` of MovieLens 100K."""
    found = _by_last_name(members)
    return {
        "ratings.csv": _csv(RATINGS, _rows(found["u.data"], "\t", 4)),
        "users.csv": _csv(USERS, _rows(found["u.user"], "|", 5)),
        "items.csv": _csv(ITEMS, (_flagged(row) for row in _rows(found["u.item"], "|", 24, encoding="latin-1"))),
    }


def from_recbole(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Convert the same three tables as RecBole has them: tab-separated with a header, titles without their years."""
    found = _by_last_name(members)
    return {
        "ratings.csv": _csv(RATINGS, _rows(found["ml-100k.inter"], "\t", 4, header=True)),
        "users.csv": _csv(USERS, _rows(found["ml-100k.user"], "\t", 5, header=True)),
        "items.csv": _csv(ITEMS, (_parted(row) for row in _rows(found["ml-100k.item"], "\t", 4, header=True))),
    }


def from_latest(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Convert ``ratings.csv`` and ``movies.csv`` of the sets that the publisher calls latest."""
    found = _by_last_name(members)
    return {
        "ratings.csv": _csv(RATINGS, _rows(found["ratings.csv"], ",", 4, header=True)),
        "items.csv": _csv(ITEMS, (_titled(row) for row in _rows(found["movies.csv"], ",", 3, header=True))),
    }


def _by_last_name(members: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name.rpartition("/")[2]: content for name, content in members.items()}


def _rows(
    content: bytes, delimiter: str, width: int, *, header: bool = False, encoding: str = "utf-8"
) -> Iterator[list[str]]:
    """Give the rows of a table; only commas come with quotes."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
    try:
        text = content.decode(encoding)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
        for number, row in enumerate(rows, 1):
            if len(row) != width:
                raise DataError(f"row {number} has {len(row)} cells where {width} were expected")
            if number > header:
                yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"a table cannot be read ({error})") from error


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return sink.getvalue().encode()


def _flagged(row: Sequence[str]) -> tuple[str, ...]:
    """Item, title, two dates, an address, and a flag for each genre."""
    genres = [name for name, flag in zip(GENRES, row[5:], strict=True) if flag == "1"]
    return row[0], *_title_and_year(row[1]), _genres(genres)


def _parted(row: Sequence[str]) -> tuple[str, ...]:
    """Item, title, what stood in its last brackets, and genres separated by blanks.

    The one title without a year reads "unkonwn" there, in both columns; the one with two pairs of brackets keeps the
    year, and has the second pair for it.
    """
    item, title, last, genres = row
    whole = "unknown" if title == last == "unkonwn" else f"{title} ({last})"
    return item, *_title_and_year(whole), _genres(genres.split(" "))


def _titled(row: Sequence[str]) -> tuple[str, ...]:
    item, title, genres = row
    return item, *_title_and_year(title), _genres(genres.split("|"))


def _title_and_year(text: str) -> tuple[str, str]:
    found = _YEAR.fullmatch(text.strip())
    return (found[1], found[2]) if found else (text.strip(), "")


def _genres(names: Iterable[str]) -> str:
    return "|".join(name for name in names if name not in _NO_GENRE)
