"""Every file that cannot be used as ratings gives one line that names file, column, row and remedy."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from datasets import rating_files as files
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.datasets.ratings import load_ratings, ratings

NUMBER = "write a number, or delete the row"
CHOOSE = "name the columns to take (--columns user,item,rating)"
OUT = "leave the times out (--columns user,item,rating)"
TIME = f"write seconds since 1970, or dates with the year first (ISO 8601), e.g. 2013-12-25; or {OUT}"
ROWS = [(user, item, 1 + (at + place) % 5) for at, user in enumerate("abcd") for place, item in enumerate("xyz")]
LINES = [f"{user},{item},{value}" for user, item, value in ROWS]
TIMED = [f"{line},{100 + at}" for at, line in enumerate(LINES)]
OTHERS = [f"{'abcd'[at % 4]},{'xyz'[at % 3]},{at % 5 + 1}" for at in range(12)]


def complaint(path, about=None, **options):
    with pytest.raises(DataError) as caught:
        load_ratings(path, **options)
    message = str(caught.value)
    about = str(about or path)
    assert message.startswith(about)
    assert len(message.splitlines()) == 1
    assert "; " in message
    assert len(message) < 600
    return message.removeprefix(about).removeprefix(": ").removeprefix(", ")


def text(*lines, header="user,item,rating"):
    return "\n".join([*([header] if header else []), *lines]) + "\n"


def write(folder, content, name="bad.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


BAD = {
    "an empty file": ("", {}, "the file is empty; download or save it again"),
    "a header only": (text(), {}, "there is a header, but no rows of data; give one rating a row"),
    "no cells": (",,\n,,\n", {}, "the file holds no cells but empty ones; download or save it again"),
    "two columns": (
        text("a,x", "b,y", header="user,item"),
        {},
        "2 columns, 'user' and 'item'; ratings have three, e.g. user,item,rating, separated by commas or tabs",
    ),
    "spaces": (
        "1 2 3\n4 5 6\n",
        {},
        "1 column, '1 2 3'; ratings have three, e.g. user,item,rating, separated by commas or tabs",
    ),
    "semicolons": (
        text(*LINES).replace(",", ";"),
        {},
        "the columns are separated by semicolons (row 1); "
        "save it with commas or tabs between columns, and decimal points in numbers",
    ),
    "a matrix of ratings": (
        ",r,s,t,u,v,w,x,y,z\na,1,2,3,,,,,,\nb,4,,5,,,,,,\n",
        {},
        "there are 10 columns, and none is named for users, items and ratings; "
        f"give one rating a row, e.g. user,item,rating, or {CHOOSE}",
    ),
    "ragged rows": (
        text(*LINES, "a", "b,c,1,2"),
        {},
        "the header has 3 cells, but row 14 has 1 and row 15 has 4; "
        "look for a comma too many or too few, or a decimal comma (write 12.8)",
    ),
    "ragged rows without a header": (
        text(*LINES, "a,b", header=""),
        {},
        "row 1 has 3 cells, but row 13 has 2; give each rating a row of the same length",
    ),
    "open quotes": (
        text(*LINES, 'a,"w,3'),
        {},
        "the quotes that open in row 14 do not close properly (unexpected end of data); "
        'put quotes (") around whole cells, in pairs, or remove them',
    ),
    "no user": (
        text(*LINES, ",w,3", "  ,v,3"),
        {},
        "column 'user': '' in row 14 and '' in row 15: no user; fill the cell, or delete the row",
    ),
    "no item": (text(*LINES, "e,,3"), {}, "column 'item': '' in row 14: no item; fill the cell, or delete the row"),
    "no rating": (
        text(*LINES, "e,x,", "f,x,NA", "g,x,nan", "h,x,null"),
        {},
        "column 'rating': '' in row 14, '' in row 15, '' in row 16 and in 1 more row: no rating; "
        "delete the row: what was not rated need not stand in the file",
    ),
    "infinite ratings": (
        text(*LINES, "e,x,inf", "e,y,-Infinity"),
        {},
        "column 'rating': inf in row 14 and -inf in row 15: infinite; correct the rating, or delete the row",
    ),
    "huge ratings": (
        text(*LINES, "e,x,1e200"),
        {},
        "column 'rating': 1e+200 in row 14: too large to be squared; correct the rating, or delete the row",
    ),
    "words among the ratings": (
        text(*LINES, "e,x,good", "e,y,bad"),
        {},
        f"column 'rating': 'good' in row 14 and 'bad' in row 15: not a number; {NUMBER}",
    ),
    "a decimal comma": (
        text(*LINES, 'e,x,"3,5"'),
        {},
        "column 'rating': '3,5' in row 14: not a number; write numbers with a decimal point, e.g. 3.5",
    ),
    "texts for ratings": (
        text("a,x,good", "b,y,bad", "c,z,good"),
        {},
        "column 'rating': 'good' in row 2, 'bad' in row 3 and 'good' in row 4: text, not numbers; "
        f"ratings are numbers; {CHOOSE}",
    ),
    "texts in the third column": (
        text("1,a,good", "2,b,bad", header="n,who,what"),
        {},
        f"column 'what': 'good' in row 2 and 'bad' in row 3: text, not numbers; ratings are numbers; {CHOOSE}",
    ),
    "columns that may mean the same": (
        text("1,a,x,5", header="movieId,user,item,rating"),
        {},
        f"columns 'movieId' and 'item' may mean the same; {CHOOSE}",
    ),
    "columns out of order, some without a name": (
        text("1,a,x,5", header="n,user,what,rating"),
        {},
        f"no column is named for items, only 'n', 'user', 'what' and 'rating'; {CHOOSE}",
    ),
    "no such column": (
        text(*LINES),
        {"columns": "user,item,ratng"},
        "there is no column 'ratng', only 'user', 'item' and 'rating'; did you mean 'rating'?",
    ),
    "two columns chosen": (
        text(*LINES),
        {"columns": "user,item"},
        "2 columns chosen; name those of users, items, ratings and, if wanted, times (--columns user,item,rating)",
    ),
    "one column twice": (
        text(*LINES),
        {"columns": "user,user,rating"},
        "column 'user': chosen twice; name it once (--columns)",
    ),
    "columns of a file without a header": (
        text(*LINES, header=""),
        {"columns": "user,item,rating"},
        "row 1 holds a rating, so that there are no names of columns to choose from; "
        "leave their names out (--columns), or put a header above the ratings",
    ),
    "no time": (
        text(*TIMED, "e,x,3,", header="user,item,rating,time"),
        {},
        f"column 'time': '' in row 14: no time; fill the cell, or {OUT}",
    ),
    "an infinite time": (
        text(*TIMED, "e,x,3,inf", header="user,item,rating,time"),
        {},
        f"column 'time': inf in row 14: infinite; {TIME}",
    ),
    "a word among times": (
        text(*TIMED, "e,x,3,soon", header="user,item,rating,time"),
        {},
        f"column 'time': 'soon' in row 14: not a time, as most of the column are; {TIME}",
    ),
    "dates with the day first": (
        text(*(f"{line},0{at % 3 + 1}/04/2013" for at, line in enumerate(LINES)), header="user,item,rating,date"),
        {},
        f"column 'date': '01/04/2013' in row 2, '02/04/2013' in row 3, '03/04/2013' in row 4 and in 9 more rows: "
        f"not a time; {TIME}",
    ),
    "no such day": (
        text(*(f"{line},2013-02-{at + 18}" for at, line in enumerate(LINES)), header="user,item,rating,date"),
        {},
        f"column 'date': '2013-02-29' in row 13: not a time; {TIME}",
    ),
    "an empty date": (
        text(*(f"{line},2013-02-01" for line in LINES), "e,x,3,NA", header="user,item,rating,date"),
        {},
        f"column 'date': 'NA' in row 14: no time; fill the cell, or {OUT}",
    ),
    "outside the scale": (
        text(*LINES, "e,x,6", "f,x,0", "g,x,11", "h,x,7"),
        {"scale": "1:5"},
        "column 'rating': 6 in row 14, 0 in row 15, 11 in row 16 and in 1 more row: outside the scale of 1 to 5; "
        "correct the ratings, or the scale (--scale)",
    ),
    "between the steps": (
        text(*LINES, "e,x,3.25"),
        {"scale": "0.5:5:0.5"},
        "column 'rating': 3.25 in row 14: not on the scale of 0.5 to 5 in steps of 0.5; "
        "correct the ratings, or leave the step out (--scale)",
    ),
    "a repeated pair": (
        text(*LINES, "b,y,1", "b,x,1", "b,y,2"),
        {},
        "user 'b' and item 'y' are rated 3 times (rows 6, 14 and 16), as is 1 other pair; "
        "keep one rating, or take their mean or the last of them (--repeated mean, last)",
    ),
    "one user": (
        text(*(f"a,{at},{at % 5}" for at in range(20))),
        {},
        "all ratings for training are of one user, 'a'; "
        "tastes are learned by comparing users; give ratings of more of them",
    ),
    "one item": (
        text(*(f"{at},x,{at % 5}" for at in range(20))),
        {"split": "none"},
        "all ratings are of one item, 'x'; tastes are learned by comparing items; give ratings of more of them",
    ),
    "too few": (
        text(*LINES[:9]),
        {"split": "none"},
        "there are 9 ratings; at least 10 are needed; give more, or hold out fewer",
    ),
    "too few for training": (
        text(*LINES),
        {"hold_out": 0.5},
        "there are 6 ratings for training; at least 10 are needed; give more, or hold out fewer",
    ),
    "all equal": (
        text(*(f"{user},{item},4" for user, item, _ in ROWS)),
        {},
        "column 'rating': all 11 ratings for training are 4; there is nothing to predict; give ratings that differ",
    ),
    "nothing for testing": (
        text(*LINES),
        {"hold_out": 0.01},
        "of 12 ratings none would be held out for testing; hold out more (--hold-out), or nothing (--split none)",
    ),
    "the last of single ratings": (
        text(*(f"{at},{at},{at % 5},{at}" for at in range(12)), header="user,item,rating,time"),
        {"split": "last"},
        "of 12 ratings none would be held out for testing; hold out more (--hold-out), or nothing (--split none)",
    ),
    "the last without times": (
        text(*LINES),
        {"split": "last"},
        "there are no times to hold out the last rating of each user by; "
        "name their column (--columns user,item,rating,time), or split at random (--split random)",
    ),
    "an official split of another file": (
        text(*LINES),
        {"split": "u1"},
        "there is no split 'u1', which is of MovieLens 100K: the file has 12 ratings, not 100,000, and no u1.base and "
        "u1.test lie beside it; choose from none, random and last (--split)",
    ),
    "no such split": (
        text(*LINES),
        {"split": "u9"},
        "there is no split 'u9', nor do files 'u9.base' and 'u9.test' lie beside the ratings; "
        "choose from none, random and last (--split)",
    ),
    "a split out of the folder": (
        text(*LINES),
        {"split": "../u1"},
        "there is no split '../u1', nor do files '../u1.base' and '../u1.test' lie beside the ratings; "
        "choose from none, random and last (--split)",
    ),
    "too many of the first": (text(*LINES), {"first": 13}, "13 ratings were asked for, there are 12; take fewer"),
    "none of the first": (text(*LINES), {"first": 0}, "0 ratings were asked for, there are 12; take some"),
    "an id with NUL": (
        text(*LINES, "a\0,w,3"),
        {},
        "byte 0x00 at position 90: this is not text in UTF-8; save it again as CSV (UTF-8)",
    ),
    "not UTF-8": (
        text(*LINES, "é,w,3").encode("latin-1"),
        {},
        "byte 0xe9 at position 89 (row 14) is not UTF-8; save the file again as UTF-8 (in Excel: 'CSV UTF-8')",
    ),
    "UTF-16": (
        text(*LINES).encode("utf-16"),
        {},
        "the file is encoded as UTF-16 (byte 0xff at position 0), not CSV in UTF-8; save it again as UTF-8",
    ),
    "gzip": (
        gzip.compress(text(*LINES).encode()),
        {},
        "the file is compressed with gzip, not CSV in UTF-8; unpack it first, with gunzip",
    ),
    "a ZIP archive": (
        b"PK\x03\x04" + b"\0" * 40,
        {},
        "the file is an Excel workbook or a ZIP archive, not CSV in UTF-8; "
        "save the sheet as CSV (UTF-8), or unpack the archive",
    ),
    "a broken Parquet file": (b"PAR1" + b"\0" * 40, {}, "not a Parquet file that can be read ("),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_one_line(tmp_path, case):
    content, options, wanted = BAD[case]
    told = complaint(write(tmp_path, content), **options)
    assert (told if "; " in wanted else told[: len(wanted)]) == wanted


def test_no_such_file(tmp_path):
    write(tmp_path, text(*LINES), "ratings.csv")
    assert complaint(tmp_path / "rating.csv").startswith("there is no such file; did you mean")
    assert complaint(tmp_path / "no" / "rating.csv").startswith("there is no such file; nor is there a folder")


def test_folders(tmp_path):
    names = "u.data, ratings.dat, ratings.csv, ratings.tsv, ratings.parquet"
    told = f"this is a folder without a file of ratings ({names}); name the file itself"
    assert complaint(tmp_path) == told
    write(tmp_path, text(*LINES), "ratings.csv")
    write(tmp_path, text(*LINES), "u.data")
    assert complaint(tmp_path) == "this is a folder with 'u.data' and 'ratings.csv'; name one of these"
    (tmp_path / "ratings.csv").unlink()
    write(tmp_path, text("1,2,3"), "u.data")
    assert complaint(tmp_path, tmp_path / "u.data", split="none").startswith("there is 1 rating; at least 10")


def test_the_splits_that_there_are(tmp_path):
    whole = pd.DataFrame({"user": np.arange(100_000) // 100, "item": np.arange(100_000) % 100})
    with pytest.raises(DataError, match=r"no split 'u6'; choose from none, random, last, u1, u2, u3, u4 and u5"):
        ratings(whole.assign(rating=whole["item"] % 5), split="u6")
    frame = files.synthetic_ratings(10, 10, 50, 2, seed=1)
    path = files.write_u_data(frame, tmp_path)
    test = np.arange(50) % 5 == 0
    files.write_split(frame, tmp_path, "ua", test)
    assert complaint(path, split="ub").endswith("choose from none, random, last and ua (--split)")
    files.write_split(frame.assign(item=frame["item"] + 90), tmp_path, "ub", test)
    user, item = frame[~test].sort_values(["user", "item"])[["user", "item"]].iloc[0]
    assert complaint(path, tmp_path / "ub.base", split="ub") == (
        f"user '{user}' and item '{item + 90}' (row 1) are not among the ratings that this file splits; "
        "put it beside the ratings it was made of, or choose another split (--split)"
    )
    files.write_split(frame, tmp_path, "uc", np.ones(50, dtype=bool))
    (tmp_path / "uc.base").write_bytes((tmp_path / "ua.base").read_bytes())
    user, item = frame[~test][["user", "item"]].iloc[0]
    assert complaint(path, split="uc") == (
        f"user '{user}' and item '{item}' are in uc.base and in uc.test; take one of the two out"
    )


TABLES = {
    "an id twice": (
        "user,age\na,1\nb,2\na,3\n",
        "column 'user': 'a' in row 2 and 'a' in row 4: the same user; name each once",
    ),
    "an id missing": ("user,age\na,1\n,2\n", "column 'user': '' in row 3: no user; fill the cell, or delete the row"),
    "a header only": ("user,age\n", "there is a header, but no rows of data; give one of the users a row"),
    "no header": (
        "a,1\nb,2\n",
        "the header is 'a', one of the users, where the name of the column should stand; "
        "put a header above the users, e.g. user",
    ),
    "two columns of one name": ("user,age,age\na,1,2\n", "column 'age': 2 columns have this name; rename all but one"),
    "none of the users": (
        "user,age\nA,1\nB,2\n",
        "none of the users that are rated ('a', 'b', 'c' and 1 more) is among 'A' and 'B'; "
        "ids are compared as texts; write them alike in both, or leave the table out",
    ),
}


@pytest.mark.parametrize("case", TABLES, ids=str)
def test_tables_of_users(tmp_path, case):
    content, wanted = TABLES[case]
    users = write(tmp_path, content, "users.txt")
    assert complaint(write(tmp_path, text(*LINES)), users, users=users) == wanted


def test_tables_that_are_not_there_or_not_what_they_seem(tmp_path):
    path = write(tmp_path, text(*LINES))
    assert complaint(path, tmp_path / "no.csv", users=tmp_path / "no.csv").startswith("there is no such file")
    users = write(tmp_path, "a|1|m\n", "u.user")
    assert complaint(path, users, users=users) == (
        "3 cells in row 1, where u.user of MovieLens has 5; give the file another name, and a header"
    )


FRAMES = {
    "a number and its text": (
        [1, "1", 2, "2", 3, 4],
        "column 'user': the number 1 and the text '1' would be one id, '1'; "
        "write all ids as texts or all as whole numbers",
    ),
    "a floating number and its text": (
        [12.0, "12", 2, "2", 3, 4],
        "column 'user': the number 12.0 and the text '12' would be one id, '12'; "
        "write all ids as texts or all as whole numbers",
    ),
    "texts that differ in white space": (
        ["a", " a", "b", "c", "d", "e"],
        "column 'user': the text 'a' and the text ' a' would be one id, 'a'; "
        "write all ids as texts or all as whole numbers",
    ),
    "missing": ([None, "a", "b", "c", "d", "e"], "column 'user': '' in row 1"),
    "missing numbers": ([np.nan, 1, 2, 3, 4, 5], "column 'user': '' in row 1"),
    "missing and empty": ([None, "", "b", "c", "d", "e"], "column 'user': '' in row 1, '' in row 2, '' in row 7"),
    "large floating numbers": (
        [2.0**53 + 2, 1.0, 2.0, 3.0, 4.0, 5.0],
        "column 'user': 9007199254740994 in a column of floating numbers, "
        "which hold no whole numbers above 2^53 exactly; "
        "write such ids as whole numbers or texts",
    ),
    "lists": ([[1], [2], [3], [4], [5], [6]], "column 'user': cells of type list; give texts or numbers"),
    "bytes": ([b"a", b"b", b"c", b"d", b"e", b"f"], "column 'user': b'a' holds bytes; write ids as texts or numbers"),
    "NUL": (
        ["a\0", "b", "c", "d", "e", "f"],
        "column 'user': 'a\\x00': an id with the character NUL; write it otherwise",
    ),
}


@pytest.mark.parametrize("case", FRAMES, ids=str)
def test_ids_in_frames(case):
    users, wanted = FRAMES[case]
    frame = pd.DataFrame({"user": pd.Series(users * 3, dtype=None), "item": np.arange(18), "rating": np.arange(18) % 5})
    with pytest.raises(DataError) as caught:
        ratings(frame)
    told = str(caught.value).removeprefix("ratings, ")
    assert (told if "; " in wanted else told[: len(wanted)]) == wanted


def test_numbers_and_texts_that_stay_apart():
    users = [1, "a", 2.0, 2.5, "007", True] * 3
    found = ratings(users, list(range(18)), np.arange(18) % 5, split="none")
    assert found.users.tolist() == ["1", "a", "2", "2.5", "007"]


def test_bad_columns_of_parquet_files(tmp_path):
    columns = {name: pa.array([row[at] for row in ROWS]) for at, name in enumerate(["user", "item", "rating"])}
    columns["rating"] = pa.array(pd.date_range("2001-01-01", periods=len(ROWS)))
    pa.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert complaint(tmp_path / "a.parquet") == f"column 'rating': dates, not ratings; {CHOOSE}"
    columns["rating"] = pa.array([None, *range(11)], pa.int64())
    pa.parquet.write_table(pa.table(columns), tmp_path / "b.parquet")
    assert complaint(tmp_path / "b.parquet").startswith("column 'rating': '' in row 1: no rating; delete the row")
    columns["rating"] = pa.array([str(at) for at in range(11)] + ["good"])
    pa.parquet.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert complaint(tmp_path / "c.parquet") == f"column 'rating': 'good' in row 12: not a number; {NUMBER}"
    pa.parquet.write_table(pa.table({"user": []}), tmp_path / "d.parquet")
    assert complaint(tmp_path / "d.parquet").startswith("1 column, 'user'; ratings have three")
    pa.parquet.write_table(pa.table({}), tmp_path / "e.parquet")
    assert complaint(tmp_path / "e.parquet").startswith("the file has no columns; give one with columns for users")
    pa.parquet.write_table(pa.table({name: [] for name in ("user", "item", "rating")}), tmp_path / "f.parquet")
    assert complaint(tmp_path / "f.parquet") == "there is a header, but no rows of data; give one rating a row"


def test_scripts():
    one, two = np.arange(12) // 3, np.arange(12) % 3
    values = np.arange(12) % 5
    other = pd.DataFrame({"age": [1, 2]}, index=["A", "B"])
    cases = [
        (
            lambda: ratings(one, two, values, items=other),
            "none of the items that are rated ('0', '1' and '2') is among",
        ),
        (
            lambda: ratings(one, two, values[:5]),
            "arrays of different lengths (user: 12, item: 12, rating: 5); give one of",
        ),
        (lambda: ratings(one), "no frame; give a frame, or arrays of users, items and ratings"),
        (lambda: ratings(pd.DataFrame({"user": one}), two, values), "a frame, and arrays beside it; give either"),
        (
            lambda: ratings(one, two, values, test=[True]),
            "test is an array of bool of shape (1,), for 12 ratings; give",
        ),
        (
            lambda: ratings(one, two, values, test=values),
            "test is an array of int64 of shape (12,), for 12 ratings; give",
        ),
        (lambda: ratings(one, two, values, test=values > 9), "of 12 ratings none would be held out for testing; hold"),
        (lambda: ratings(one, two, values, split="u1"), "there is no split 'u1', which is of MovieLens 100K: the file"),
    ]
    for make, told in cases:
        with pytest.raises(DataError) as caught:
            make()
        assert str(caught.value).removeprefix("ratings: ").removeprefix("items: ").startswith(told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"repeated": "sum"}, "repeated 'sum' is unknown; choose from error, mean, last"),
        ({"scale": "five"}, "scale 'five' is none; write least:greatest or least:greatest:step, e.g."),
        ({"scale": "1:"}, "scale '1:' is none; write"),
        ({"scale": "5:1"}, "scale '5:1': the least rating is not below the greatest; write"),
        ({"scale": "1:5:0"}, "scale '1:5:0': 0 does not divide 1 to 5 into whole steps, fewer than 1,000; write"),
        ({"scale": "1:5:3"}, "scale '1:5:3': 3 does not divide 1 to 5 into whole steps"),
        ({"scale": "0:5:0.001"}, "scale '0:5:0.001': 0.001 does not divide 0 to 5 into whole steps"),
        ({"hold_out": 1.0}, "hold_out 1 is no share between 0 and 1; hold out, e.g., 0.1"),
    ],
)
def test_options_that_are_none(tmp_path, options, told):
    with pytest.raises(ConfigError) as caught:
        load_ratings(tmp_path / "not read.csv", **options)
    assert str(caught.value).startswith(told)


def test_marks_and_a_split():
    with pytest.raises(ConfigError, match="test marks the ratings to hold out, and split 'last' others"):
        ratings([1], [2], [3], test=[True], split="last")


@settings(max_examples=100, deadline=None)
@given(content=st.text(st.sampled_from(list('a1,.;:"|\n\r\t \ufeffé')), max_size=60) | st.binary(max_size=40))
def test_whatever_is_in_a_file_gives_ratings_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "soup.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        load_ratings(path)
    except DataError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
