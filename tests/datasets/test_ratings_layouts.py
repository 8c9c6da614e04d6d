"""Which columns are taken for what, which tables lie beside, what times mean, and that large files are read alike."""

import datetime
import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeskit.core.errors import DataError
from bayeskit.datasets import sources
from bayeskit.datasets._problems import Place
from bayeskit.datasets._ratings_sheets import TextSheet, text_sheet
from bayeskit.datasets.ratings import load_ratings, ratings

ROWS = [(user, item, 1 + (at + place) % 5) for at, user in enumerate("abcd") for place, item in enumerate("xyz")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ratings")


def write(folder, text, name="any.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def table(header, row="{0},{1},{2}", delimiter=","):
    lines = [*([header] if header else []), *(row.format(*cells) for cells in ROWS)]
    return "\n".join(lines).replace(",", delimiter) + "\n"


def listed(found):
    return [
        (str(found.users[u]), str(found.items[i]), int(value))
        for u, i, value in zip(found.user, found.item, found.values, strict=True)
    ]


def read(folder, text, name="any.csv", **options):
    return load_ratings(write(folder, text, name), split="none", **options)


class TestColumns:
    @pytest.mark.parametrize(
        ("header", "told"),
        [
            ("user,item,rating", None),
            ("User_ID,itemId,RATING", None),
            ("userId,movieId,rating", "'userId', 'movieId', 'rating'"),
            ("reviewer id,ASIN,overall", "'reviewer id', 'ASIN', 'overall'"),
            ("user_id:token,item_id:token,rating:float", None),
            ("uid,iid,stars", "'uid', 'iid', 'stars'"),
        ],
    )
    def test_by_their_names(self, folder, header, told):
        found = read(folder, table(header))
        assert listed(found) == ROWS
        assert found.source.notes == (() if told is None else (f"Columns {told} are taken for users, items, ratings.",))

    def test_in_any_order(self, folder):
        found = read(folder, table("stars,comment,time,film,user", "{2},fine,10{2},{1},{0}"))
        assert listed(found) == ROWS
        assert found.times.tolist() == [100 + row[2] for row in ROWS]
        assert found.source.notes == (
            "Columns 'user', 'film', 'stars', 'time' are taken for users, items, ratings, times.",
            "Columns left out: 'comment'. Name columns to take others.",
        )

    def test_by_their_order(self, folder):
        found = read(folder, table("who,what,how"))
        assert listed(found) == ROWS
        assert found.source.notes == (
            "By their order, columns 'who', 'what', 'how' are taken for users, items, ratings.",
        )
        found = read(folder, table(",who,what,how,when", "0,{0},{1},{2},2001-01-0{2}"))
        assert listed(found) == ROWS
        assert found.times[0] == 978307200
        assert found.source.notes[0].endswith("'when' are taken for users, items, ratings, times.")
        found = read(folder, table("who,what,how,why", "{0},{1},{2},because"))
        assert (listed(found), found.times) == (ROWS, None)
        assert found.source.notes[1] == "Columns left out: 'why'. Name columns to take others."
        found = read(folder, table("user,wine,points"))
        assert listed(found) == ROWS

    def test_without_a_header(self, folder):
        told = "The file has no header: its columns are taken for {}, in this order."
        found = read(folder, table(""))
        assert listed(found) == ROWS
        assert found.source.notes == (told.format("users, items, ratings"),)
        found = read(folder, table("", "{0},{1},{2},97830{2}000"), "any.data")
        assert found.times[0] == 978301000
        assert found.source.notes == (told.format("users, items, ratings, times"),)
        found = read(folder, table("", "{0},{1},{2},fine"))
        assert (listed(found), found.times) == (ROWS, None)

    @pytest.mark.parametrize("delimiter", ["\t", "::", "|"])
    def test_delimiters(self, folder, delimiter):
        assert listed(read(folder, table("user,item,rating", delimiter=delimiter), "any.txt")) == ROWS
        assert listed(read(folder, table("", delimiter=delimiter), "any.txt")) == ROWS

    def test_that_the_user_names(self, folder):
        text = table('rating,item,user,"n, all"', "{2},{1},{0},3{2}")
        path = write(folder, text)
        assert listed(load_ratings(path, columns="user,item,rating", split="none")) == ROWS
        found = load_ratings(path, columns="item, user, rating", split="none")
        assert listed(found) == [(item, user, value) for user, item, value in ROWS]
        found = load_ratings(path, columns=["user", "item", "n, all"], split="none")
        assert listed(found) == [(user, item, 30 + value) for user, item, value in ROWS]
        assert found.source.notes == ()
        path = write(folder, table("user,item,1", "{0},{1},{2}"))
        assert listed(load_ratings(path, columns="user,item,1", split="none")) == ROWS

    def test_blank_lines_and_spaces(self, folder):
        text = "\n\n" + table("user , item,rating", " {0} ,{1} , {2} ").replace("\n", "\n\n")
        assert listed(read(folder, text)) == ROWS


class TestTimes:
    @pytest.mark.parametrize(
        ("cells", "seconds"),
        [
            ("978300760,978300761", [978300760, 978300761]),
            ("978300760.0,978300761.9", [978300760, 978300761]),
            ("978300760123,978300761999", [978300760, 978300761]),
            ("978300760123456,978300761999999", [978300760, 978300761]),
            ("978300760123456789,978300761500000000", [978300760, 978300761]),
            ("-86400,5", [-86400, 5]),
            ("2000-12-31,2001-01-01", [978220800, 978307200]),
            ("20001231,20010101", [978220800, 978307200]),
            ("20001231,20010132", [20001231, 20010132]),
            ("2000-12-31T22:12:40,2000-12-31 22:12:41.9", [978300760, 978300761]),
            ("2000-12-31T22:12:40Z,2001-01-01T00:12:41+02:00", [978300760, 978300761]),
        ],
    )
    def test_units_and_texts(self, folder, cells, seconds):
        cells = cells.split(",")
        times = [cells[at % 2] for at in range(len(ROWS))]
        text = "user,item,rating,time\n" + "".join(
            f"{u},{i},{r},{time}\n" for (u, i, r), time in zip(ROWS, times, strict=True)
        )
        assert read(folder, text).times[:2].tolist() == seconds

    def test_columns_of_moments(self, folder):
        frame = pd.DataFrame(ROWS, columns=["user", "item", "rating"])
        moments = pd.date_range("2000-12-31 22:12:40.5", periods=len(frame), freq="1h")
        wanted = [978300760 + 3600 * at for at in range(len(frame))]
        path = folder / "times.parquet"
        for when in (moments, moments.tz_localize("UTC"), moments.tz_localize("UTC").tz_convert("Asia/Tokyo")):
            frame["date"] = when
            assert ratings(frame, split="none").times.tolist() == wanted
            frame.to_parquet(path)
            assert load_ratings(path, split="none").times.tolist() == wanted
        frame["date"] = [datetime.date(2001, 1, 1 + at) for at in range(len(frame))]
        frame.to_parquet(path)
        assert load_ratings(path, split="none").times[:2].tolist() == [978307200, 978393600]


class TestTables:
    USERS = "id,age,job,code\na,20,cook,01\nc,,,02\nb,40,NA,03\nq,1,clown,04\n"

    def test_named(self, folder):
        path = write(folder, table("user,item,rating"))
        users = write(folder, self.USERS, "people.csv")
        found = load_ratings(path, users=users, split="none")
        frame = found.user_table
        assert frame.index.tolist() == found.users.tolist() == ["a", "b", "c", "d"]
        assert frame["age"].fillna(-1).tolist() == [20, 40, -1, -1]
        assert frame["job"].tolist() == ["cook", "", "", ""]
        assert frame["code"].tolist() == ["01", "03", "02", ""]
        assert found.item_table is None
        sha = hashlib.sha256(users.read_bytes()).hexdigest()
        assert found.source.notes == (
            f"The users' table is from {users} (SHA-256 {sha}).",
            "1 user is not in the users' table.",
        )
        assert found.source.variables["user_table"] == "age, job, code"

    def test_the_first_column_has_the_ids_unless_another_is_named_for_them(self, folder):
        path = write(folder, table("user,item,rating"))
        for text in ("name,n\nx,1\ny,2\nz,3\n", "n,movieId\n1,x\n2,y\n3,z\n"):
            found = load_ratings(path, items=write(folder, text, "films.csv"), split="none").item_table
            assert found["n"].tolist() == [1, 2, 3]

    @pytest.mark.parametrize("kind", ["int64", "float64", "str"])
    def test_parquet_and_frames(self, folder, kind):
        frame = pd.DataFrame(ROWS, columns=["user", "item", "rating"]).assign(
            user=[1 + at // 3 for at in range(len(ROWS))]
        )
        users = pd.DataFrame(
            {"user": np.arange(1, 5).astype(kind), "age": [1.5, np.nan, 3, 4], "sex": ["m", None, "f", ""]}
        )
        users["user"] = users["user"].astype(str).str.removesuffix(".0") if kind == "str" else users["user"]
        users.to_parquet(folder / "people.parquet")
        frame.to_parquet(folder / "some.parquet")
        found = [
            load_ratings(folder / "some.parquet", users=folder / "people.parquet", split="none"),
            ratings(frame, users=users, split="none"),
            ratings(frame, users=users.set_index("user"), split="none"),
            ratings(frame, users=users.set_index("user").rename_axis(None), split="none"),
        ]
        for one in found:
            assert one.user_table["age"].fillna(-1).tolist() == [1.5, -1, 3, 4]
            assert one.user_table["gender"].tolist() == ["m", "", "f", ""]

    def test_titles_years_and_genres(self, folder):
        text = (
            "movieId,title,genres\nx,Toy Story (1995),Animation|Comedy\n"
            'y,"Babylon 5 (TV) (1994-1998)",(no genres listed)\nz,None,Drama\n'
        )
        path = write(folder, table("user,item,rating"))
        found = load_ratings(path, items=write(folder, text, "films.csv"), split="none").item_table
        assert found.columns.tolist() == ["title", "year", "genres"]
        assert found["title"].tolist() == ["Toy Story", "Babylon 5 (TV)", "None"]
        assert found["year"].fillna(0).tolist() == [1995, 1994, 0]
        assert found["genres"].tolist() == ["Animation|Comedy", "", "Drama"]
        recbole = "item_id:token\tmovie_title:token_seq\trelease_year:token\nx\tToy Story (1995)\t1996\n"
        found = load_ratings(path, items=write(folder, recbole, "any.item"), split="none").item_table
        assert found.loc["x"].tolist() == ["Toy Story (1995)", 1996]
        few = "item,title\nx,Toy Story (1995)\ny,Heat\n"
        found = load_ratings(path, items=write(folder, few, "few.csv"), split="none").item_table
        assert found["title"].tolist() == ["Toy Story (1995)", "Heat", ""]

    def test_one_that_lies_beside_is_taken_only_where_it_belongs(self, tmp_path):
        write(tmp_path, self.USERS, "users.csv")
        write(tmp_path, table("user,item,rating"), "ratings.csv")
        assert load_ratings(tmp_path).user_table is not None
        write(tmp_path, table("user,item,rating"), "other.csv")
        assert load_ratings(tmp_path / "other.csv").user_table is None
        write(tmp_path, self.USERS.replace("a,", "A,").replace("b,", "B,").replace("c,", "C,"), "users.csv")
        write(tmp_path, "movieId,title\n1,Heat (1995)\n", "movies.csv")
        found = load_ratings(tmp_path)
        assert found.user_table is found.item_table is None
        assert "users.csv has none of the users, and was left out." in found.source.notes
        assert "movies.csv has none of the items, and was left out." in found.source.notes

    def test_a_table_of_movielens_in_latin_1(self, tmp_path):
        flags = "|".join("0" * 5 + "1" + "0" * 13)
        lines = [f"{item}|Les Misérables, {item} (1995)|01-Jan-1995||http://x/|{flags}" for item in "xyz"]
        write(tmp_path, "\n".join([*lines, f"w|unknown||||1{flags[1:]}"]), "u.item", "latin-1")
        write(tmp_path, table("", delimiter="\t"), "u.data")
        found = load_ratings(tmp_path, split="none")
        assert found.item_table.loc["y"].tolist() == ["Les Misérables, y", 1995, "Comedy"]


def test_the_name_of_a_data_set_stands_for_its_folder(tmp_path, monkeypatch):
    write(tmp_path, table("user,item,rating"), "ratings.csv")
    monkeypatch.setattr("bayeskit.datasets.ratings.located", lambda path: tmp_path)
    found = load_ratings("movielens-100k", split="none")
    assert listed(found) == ROWS
    assert found.source.path == "movielens-100k"
    monkeypatch.undo()
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "none"))
    assert "movielens-100k" in sources.SETS
    with pytest.raises(DataError, match="bayeskit data fetch movielens-100k"):
        load_ratings("movielens-100k")


class TestParquet:
    def test_any_types(self, folder):
        arrays = {
            "user": pa.array([row[0] for row in ROWS]).dictionary_encode(),
            "item": pa.array([row[1] for row in ROWS], pa.large_string()),
            "rating": pa.array([row[2] for row in ROWS], pa.int8()),
            "time": pa.array(range(len(ROWS)), pa.int32()),
        }
        path = folder / "types.parquet"
        pa.parquet.write_table(pa.table(arrays), path)
        found = load_ratings(path, split="none")
        assert listed(found) == ROWS
        assert found.times.tolist() == list(range(len(ROWS)))
        for kind in (pa.float32(), pa.string(), pa.decimal128(3, 1)):
            arrays["rating"] = pa.array([str(row[2]) for row in ROWS]).cast(kind)
            pa.parquet.write_table(pa.table(arrays), path)
            assert listed(load_ratings(path, split="none")) == ROWS

    def test_times_by_their_place(self, folder):
        frame = pd.DataFrame(ROWS, columns=["who", "what", "how"])
        frame["when"] = pd.date_range("2001-01-01", periods=len(frame))
        assert ratings(frame, split="none").times[1] == 978393600
        frame["when"] = "soon"
        assert ratings(frame, split="none").times is None

    def test_an_index_is_no_column(self, folder):
        frame = pd.DataFrame(ROWS, columns=["who", "what", "how"], index=np.arange(5, 5 + len(ROWS)))
        frame.to_parquet(folder / "index.parquet")
        assert listed(load_ratings(folder / "index.parquet", split="none")) == ROWS


CELLS = st.text(st.sampled_from(list('a7."\r\n,\t: \x1f')), max_size=4)


def outcome(sheet, fast):
    """What is read, or what is said; None where the fast way declines."""
    try:
        found = sheet._read_fast((0, 1), (2, 3)) if fast else sheet._read_slowly((0, 1), (2, 3))
    except DataError as error:
        return str(error)
    if found is None:
        return None
    plain = [np.array(column.texts, dtype=object)[column.codes].tolist() for column in found.ids]
    for column in found.numbers:
        kept = isinstance(column, np.ndarray)
        plain.append(column.tolist() if kept else np.array(column.texts, dtype=object)[column.codes].tolist())
    return found.rows.tolist(), repr(plain)


@settings(max_examples=300, deadline=None)
@given(
    lines=st.lists(
        st.tuples(CELLS, CELLS, st.sampled_from(["1", "2.5", "", "NA", "x"]) | CELLS, st.sampled_from(["7", "nan"]))
        .map(list)
        .flatmap(lambda cells: st.sampled_from([cells, cells, cells, cells[:3], [f'"{cell}"' for cell in cells]])),
        min_size=1,
        max_size=4,
    ),
    delimiter=st.sampled_from([",", "\t", "::", "|"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    ending=st.booleans(),
)
def test_large_files_are_read_as_they_are_line_by_line(lines, delimiter, newline, ending):
    text = newline.join(map(delimiter.join, [["user", "item", "rating", "time"], *lines])) + newline * ending
    suffix = ".tsv" if delimiter == "\t" else ".csv"
    sheet = text_sheet(text.encode(), suffix, Place("any"), delimiter if delimiter in {"::", "|"} else None)
    if len(sheet.header) != 4:
        return
    fast = outcome(sheet, fast=True)
    if fast is not None:
        assert fast == outcome(sheet, fast=False)


def test_plain_files_are_read_fast(folder, monkeypatch):
    """A negative control of the one above: were the fast way never taken, it could not fail."""

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(TextSheet, "_read_slowly", refuse)
    for delimiter in (",", "\t", "::"):
        assert listed(read(folder, table("user,item,rating", delimiter=delimiter), "any.txt")) == ROWS
    assert listed(read(folder, table("user,item,rating", '"{0}","{1}",{2}'))) == ROWS
    assert len(read(folder, table("user,item,rating,time", "{0},{1},{2},2001-01-0{2}")).times) == len(ROWS)
    with pytest.raises(AssertionError):
        read(folder, table("user,item,rating") + "\n\n" + "a,w,3\n")
