"""Ratings as every layout says them: what is read is what was written, in the order that is promised."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from datasets import rating_files as files
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.datasets.ratings import load_ratings, ratings

NAMES = ["007", "7", "a b", "x,y", "Éva", "東京", 'say "so"', "NA", "3.0", "1e3", "user", "q;r", "a|b", "None", "½"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ratings")


@pytest.fixture(scope="module")
def frame():
    return files.synthetic_ratings(40, 25, 400, 3, seed=1)


def listed(found):
    """The rows as they were given."""
    times = [None] * found.n_ratings if found.times is None else found.times.tolist()
    return list(
        zip(
            found.users[found.user].tolist(),
            found.items[found.item].tolist(),
            found.values.tolist(),
            times,
            strict=True,
        )
    )


def same(one, other):
    """Whether two are the same to the last bit, but for where they came from."""
    for name in ("users", "items", "user", "item", "values", "times", "levels", "test"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.scale == other.scale
    for name in ("user_table", "item_table"):
        tables = getattr(one, name), getattr(other, name)
        if tables[0] is not None and tables[1] is not None:
            pd.testing.assert_frame_equal(*tables, check_like=True)


@st.composite
def rows(draw, names=None, text=False):
    """At least ten ratings of at least two users and two items, each pair once."""
    plain = st.text(
        st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="\ufeff"), min_size=1
    )
    ids = st.sampled_from(names) | plain if names else st.integers(1, 10**12).map(str)
    users = draw(st.lists(ids, min_size=3, max_size=5, unique=True))
    items = draw(st.lists(ids, min_size=4, max_size=5, unique=True))
    pairs = draw(st.permutations([(u, i) for u in users for i in items]))
    n = draw(st.integers(len(pairs) - 2, len(pairs)))
    value = st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0]) | st.floats(-1e6, 1e6)
    values = [1.0, 2.0, *draw(st.lists(value, min_size=n - 2, max_size=n - 2))]
    times = draw(st.none() | st.lists(st.integers(1_000_000_000, 2_000_000_000), min_size=n, max_size=n))
    found = [(*pair, value) for pair, value in zip(pairs[:n], values, strict=True)]
    return found if times is None else [(*row, time) for row, time in zip(found, times, strict=True)]


def expected(given):
    return [(*row[:3], row[3] if len(row) > 3 else None) for row in given]


def frame_of(given):
    return pd.DataFrame(given, columns=["user", "item", "rating", "timestamp"][: len(given[0])])


@settings(max_examples=40, deadline=None)
@given(given=rows(NAMES), newline=st.sampled_from(["\n", "\r\n"]), bom=st.booleans(), tab=st.booleans())
def test_csv(folder, given, newline, bom, tab):
    path = folder / ("any.tsv" if tab else "any.csv")
    text = frame_of(given).to_csv(index=False, sep="\t" if tab else ",", lineterminator=newline)
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    found = load_ratings(path, split="none")
    assert listed(found) == expected(given)
    assert found.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.source.notes == ()


@settings(max_examples=40, deadline=None)
@given(given=rows([name for name in NAMES if "::" not in name]), layout=st.sampled_from(["u.data", "ratings.dat"]))
def test_layouts_without_a_header(folder, given, layout):
    delimiter = "\t" if layout == "u.data" else "::"
    lines = [delimiter.join(map(str, row)) for row in given]
    if any(line.count(delimiter) != len(given[0]) - 1 or ":::" in line for line in lines):
        return
    if layout == "u.data" and any('"' in line for line in lines):
        return
    path = folder / layout
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    assert listed(load_ratings(path, split="none")) == expected(given)


@settings(max_examples=40, deadline=None)
@given(given=rows(NAMES))
def test_parquet(folder, given):
    path = folder / "any.parquet"
    frame_of(given).to_parquet(path)
    assert listed(load_ratings(path, split="none")) == expected(given)


@settings(max_examples=40, deadline=None)
@given(given=rows(), kind=st.sampled_from(["int64", "float64", "Int64", "string", "category"]))
def test_ids_of_any_type(folder, given, kind):
    typed = frame_of(given).astype({"user": "int64", "item": "int64"}).astype({"user": kind, "item": kind})
    assert listed(ratings(typed, split="none")) == expected(given)
    path = folder / "typed.parquet"
    typed.to_parquet(path)
    assert listed(load_ratings(path, split="none")) == expected(given)


@settings(max_examples=40, deadline=None)
@given(given=rows(NAMES))
def test_arrays_are_read_as_a_frame_is(given):
    found = ratings(frame_of(given), split="none")
    arrays = [list(column) for column in zip(*given, strict=True)]
    again = ratings(*arrays, split="none")
    assert listed(found) == listed(again) == expected(given)
    same(found, again)
    indexed = frame_of(given).set_index(["user", "item"])
    same(found, ratings(indexed, split="none"))


@settings(max_examples=40, deadline=None)
@given(given=rows(NAMES), data=st.data())
def test_users_and_items_known_from_training_come_first(given, data):
    size = len(given)
    test = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    test[:10] = False
    frame = frame_of(given)
    if frame[~test][["user", "item", "rating"]].nunique().min() < 2 or not test.any():
        return
    found = ratings(frame, test=test)
    for names, known, n_known in (
        (found.users, "user", found.n_known_users),
        (found.items, "item", found.n_known_items),
    ):
        train = list(dict.fromkeys(frame[known][~test]))
        rest = [name for name in dict.fromkeys(frame[known][test]) if name not in set(train)]
        assert names.tolist() == train + rest
        assert n_known == len(train)
    assert listed(found) == expected(given)
    assert (found.n_ratings, found.n_test, found.n_train) == (size, int(test.sum()), size - int(test.sum()))


def test_every_layout_says_the_same(frame, tmp_path):
    users, items = files.synthetic_users(frame, 2), files.synthetic_items(frame, 3)
    found = []
    for write in (files.write_u_data, files.write_ratings_dat, files.write_canonical, files.write_parquet):
        place = tmp_path / write.__name__
        place.mkdir()
        assert write(frame, place, users, items).parent == place
        found.append(load_ratings(place))
        same(found[-1], load_ratings(write(frame, place, users, items)))
    (tmp_path / "latest").mkdir()
    files.write_latest(frame, tmp_path / "latest", items)
    found.append(load_ratings(tmp_path / "latest"))
    for other in found[1:]:
        same(found[0], other)
    read = found[0]
    assert (
        read.source.description == "360 ratings for training and 40 for testing, of 40 users and 25 items, 1 to 5 stars"
    )
    assert read.source.variables == {
        "users": "40 names",
        "items": "25 names",
        "values": "400 numbers",
        "times": "1997-09-20 to 1998-04-22",
        "user_table": "age, gender, occupation, zip",
        "item_table": "title, year, genres",
    }
    assert repr(read) == "Ratings(400 ratings, 40 for testing, 40 users, 25 items, 1 to 5)"
    assert read.user_table.index.tolist() == read.users.tolist()
    wanted = users.assign(user=users["user"].astype(str)).set_index("user").loc[read.users]
    assert read.user_table["zip"].tolist() == wanted["zip"].tolist()
    assert read.user_table["age"].tolist() == wanted["age"].tolist()
    wanted = items.assign(item=items["item"].astype(str)).set_index("item").loc[read.items]
    for column in ("title", "year", "genres"):
        assert read.item_table[column].tolist() == wanted[column].tolist()


def test_nothing_can_be_written_to(frame):
    given = frame.copy()
    found = ratings(frame)
    for name in ("users", "items", "user", "item", "values", "times", "levels", "test"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(found, name)[0] = getattr(found, name)[1]
    values = np.linspace(0, 1, len(frame))
    found = ratings(frame["user"], frame["item"], values)
    values[0] = 9
    assert found.values[0] == 0
    pd.testing.assert_frame_equal(frame, given)


def test_options_repeat_it(frame, tmp_path):
    path = files.write_canonical(frame, tmp_path, files.synthetic_users(frame, 1))
    options = {"columns": ["user", "item", "rating", "timestamp"], "split": "last", "scale": "1:5", "repeated": "last"}
    found = load_ratings(path, users=tmp_path / "users.csv", first=300, **options)
    assert found.options == {
        "columns": "user,item,rating,timestamp",
        "users": str(tmp_path / "users.csv"),
        "items": None,
        "repeated": "last",
        "scale": "1:5",
        "split": "last",
        "hold_out": 0.1,
        "first": 300,
    }
    same(found, load_ratings(path, **found.options))
    assert found.source.path == str(path)
    assert found.n_ratings == 300
    assert found.source.notes[0] == "Only the first 300 of 400 ratings were taken."
    assert ratings(frame).options == {}
    assert ratings(frame).source.path == ""
    assert ratings(frame).source.description.startswith("Ratings made in a script: 360 ratings for training")


class TestRepeated:
    FRAME = pd.DataFrame(
        {
            "user": ["a", "b", "a", "c", "a", *"bcdefgh"],
            "item": ["x", "x", "x", "y", "x", *"yxxyxyx"],
            "rating": [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2],
            "time": [50, 1, 70, 1, 60, *range(7)],
        }
    )

    def test_error(self):
        message = (
            "ratings: user 'a' and item 'x' are rated 3 times (rows 1, 3 and 5); "
            r"keep one rating, or take their mean or the last of them (--repeated mean, last)"
        )
        with pytest.raises(DataError) as caught:
            ratings(self.FRAME, split="none")
        assert str(caught.value) == message

    def test_last_by_time(self):
        found = ratings(self.FRAME, split="none", repeated="last")
        assert listed(found)[:4] == [("b", "x", 2, 1), ("a", "x", 3, 70), ("c", "y", 4, 1), ("b", "y", 1, 0)]
        assert found.source.notes == ("1 pair of user and item is rated several times: its last rating counts.",)

    def test_last_by_row(self):
        found = ratings(self.FRAME.drop(columns="time"), split="none", repeated="last")
        assert listed(found)[:3] == [("b", "x", 2, None), ("c", "y", 4, None), ("a", "x", 5, None)]

    def test_mean(self):
        found = ratings(self.FRAME, split="none", repeated="mean")
        assert listed(found)[1] == ("a", "x", 3, 70)
        assert found.levels.tolist() == [1, 2, 3, 4, 5]
        between = self.FRAME.assign(rating=[2, *self.FRAME["rating"][1:]])
        found = ratings(between, split="none", repeated="mean")
        assert listed(found)[1] == ("a", "x", 10 / 3, 70)
        assert found.levels.size == 0
        assert found.scale == (1, 5)
        assert found.source.notes[1].startswith("Means of repeated ratings lie between the steps of the scale")

    def test_a_pair_is_not_both_for_training_and_for_testing(self):
        test = np.zeros(12, dtype=bool)
        test[[0, 11]] = True
        for repeated in ("mean", "last"):
            with pytest.raises(DataError, match=r"user 'a' and item 'x': both for training and for testing, rows 1, 3"):
                ratings(self.FRAME, test=test, repeated=repeated)
        test[:] = self.FRAME["user"] == "a"
        more = pd.concat([self.FRAME, pd.DataFrame({"user": ["i"], "item": ["y"], "rating": [3], "time": [0]})])
        assert ratings(more, test=np.r_[test, False], repeated="last").n_test == 1

    @pytest.mark.parametrize("seed", range(5))
    def test_as_group_by_says(self, seed):
        whole = np.random.default_rng(seed).integers(0, 5, (60, 4)).tolist()
        frame = pd.DataFrame([(1, 1, 0, 0), (2, 2, 1, 0), *whole], columns=["user", "item", "rating", "time"])
        groups = frame.reset_index().sort_values(["time", "index"]).groupby(["user", "item"])
        for repeated, rating in (("mean", groups["rating"].mean()), ("last", groups["rating"].last())):
            found = ratings(frame, split="none", repeated=repeated)
            for user, item, value, time in listed(found):
                assert value == pytest.approx(rating[int(user), int(item)], abs=1e-12)
                assert time == groups["time"].last()[int(user), int(item)]
            assert found.n_ratings == len(groups)


class TestScale:
    @pytest.mark.parametrize(
        ("values", "scale", "levels", "ends"),
        [
            ([1, 2, 3, 4, 5], None, [1, 2, 3, 4, 5], (1, 5)),
            ([1, 2, 4, 5], None, [1, 2, 3, 4, 5], (1, 5)),
            ([0.5, 1, 5], None, np.arange(0.5, 5.1, 0.5), (0.5, 5)),
            ([-1, 1], None, [-1, 1], (-1, 1)),
            ([1, 2, 3.5], None, np.arange(1, 3.6, 0.5), (1, 3.5)),
            ([0.1, 0.2, 0.3], None, [0.1, 0.2, 0.3], (0.1, 0.3)),
            ([1, 1.5, np.pi], None, [], (1, np.pi)),
            (range(20), None, range(20), (0, 19)),
            (range(21), None, [], (0, 20)),
            ([0, 1, 40], None, [], (0, 40)),
            ([2, 3, 4], "1:5", [1, 2, 3, 4, 5], (1, 5)),
            ([2, 3, 4], "1:5:0.5", np.arange(1, 5.1, 0.5), (1, 5)),
            ([2.25, 3, 4], " 0 : 10 ", np.empty(0), (0, 10)),
            ([-3, 4.25], "-10:10:0.25", np.arange(-10, 10.1, 0.25), (-10, 10)),
            ([3 * 0.1, 0.7], "0:1:0.1", np.round(np.arange(11) / 10, 1), (0, 1)),
            (range(2, 50), "1:100:1", range(1, 101), (1, 100)),
        ],
    )
    def test_guessed_or_declared(self, values, scale, levels, ends):
        values = np.resize(np.asarray(values, dtype=float), 60)
        found = ratings(np.arange(60) // 10, np.arange(60) % 10, values, scale=scale, split="none")
        assert found.levels.tolist() == list(levels)
        assert found.scale == ends
        np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-12)
        if found.levels.size:
            assert np.isin(found.values, found.levels).all()

    @pytest.mark.parametrize(
        ("scale", "told"),
        [
            ("1:5", "1 to 5 stars"),
            ("1:10:1", "1 to 10 in steps of 1"),
            ("0.5:5:0.5", "0.5 to 5 in steps of 0.5"),
            ("-10:10:0.05", "\N{MINUS SIGN}10 to 10 in steps of 0.05"),
        ],
    )
    def test_in_words(self, scale, told):
        found = ratings(np.arange(20) // 5, np.arange(20) % 5, np.arange(20) % 4 + 1, scale=scale, split="none")
        assert found.source.description.endswith(f": 20 ratings, of 4 users and 5 items, {told}")

    def test_continuous_in_words(self):
        found = ratings(np.arange(30) // 5, np.arange(30) % 5, np.sin(np.arange(30)) - 1, split="none")
        assert found.source.description.endswith("5 items, from \N{MINUS SIGN}2.00 to \N{MINUS SIGN}0.00939")


class TestSplits:
    def test_random_is_fixed_and_of_the_size_asked_for(self, frame, tmp_path):
        found = load_ratings(files.write_canonical(frame, tmp_path))
        assert found.n_test == 40
        assert hashlib.sha256(np.packbits(found.test).tobytes()).hexdigest()[:16] == RANDOM
        same(found, ratings(frame))
        assert load_ratings(tmp_path, hold_out=0.333).n_test == 133
        assert load_ratings(tmp_path, hold_out=0.25).source.notes == (
            "Held out for testing: 25\N{NO-BREAK SPACE}% of the ratings, at random, the same whatever a run's seed is.",
        )

    def test_random_is_random(self):
        """Chances are equal: held-out counts in ten stretches of the file are as a hypergeometric law says."""
        n = 10_000
        found = ratings(np.arange(n) // 100, np.arange(n) % 100, np.arange(n) % 5, hold_out=0.2)
        counts = found.test.reshape(10, -1).sum(axis=1)
        variance = 1000 * 0.2 * 0.8 * (1 - 1000 / n)
        assert np.abs(counts - 200).max() < 4.5 * np.sqrt(variance)
        assert counts.std() > 0.2 * np.sqrt(variance)

    def test_last_leaves_one_out_by_time(self, frame):
        found = ratings(frame, split="last")
        for user in range(found.n_users):
            mine = np.flatnonzero(found.user == user)
            held = mine[found.test[mine]]
            if len(mine) == 1:
                assert not held.size
            else:
                assert held.tolist() == [mine[np.argmax(found.times[mine])]]
        assert "the last rating, by its time, of each user with at least two." in found.source.notes[0]

    def test_last_breaks_ties_by_row_and_spares_single_ratings(self):
        user, item = list("aabbbcdddeeeef"), list("xyxyzyxyzxyzwx")
        times = [5, 5, 3, 9, 9, 1, 2, 1, 0, 7, 7, 7, 6, 0]
        found = ratings(user, item, [1, 2] * 7, times, split="last")
        assert np.flatnonzero(found.test).tolist() == [1, 4, 6, 11]

    def test_files_of_a_split(self, frame, tmp_path):
        files.write_u_data(frame, tmp_path)
        test = np.arange(len(frame)) % 7 == 2
        files.write_split(frame, tmp_path, "ua", test)
        found = load_ratings(tmp_path, split="ua")
        np.testing.assert_array_equal(found.test, test)
        assert listed(found) == listed(load_ratings(tmp_path, split="none"))
        assert found.source.notes[1] == (
            "Held out for testing: the ratings of ua.test, those of ua.base are for training."
        )
        files.write_split(frame[:300], tmp_path, "ub", test[:300])
        found = load_ratings(tmp_path, split="ub")
        assert listed(found) == listed(load_ratings(tmp_path, split="none"))[:300]
        assert "100 ratings are in neither part of ub, and were left out." in found.source.notes

    def test_movielens_100k_is_rebuilt_exactly(self, tmp_path):
        frame = files.synthetic_ratings(943, 1682, 100_000, 4, seed=5)
        path = files.write_u_data(frame, tmp_path)
        rebuilt = [load_ratings(path, split=f"u{fold}") for fold in range(1, 6)]
        for fold, found in enumerate(rebuilt):
            held = np.flatnonzero(found.test)
            assert held.tolist() == list(range(20_000 * fold, 20_000 * (fold + 1)))
        files.write_split(frame, tmp_path, "u2", rebuilt[1].test)
        again = load_ratings(path, split="u2")
        same(again, rebuilt[1])
        assert again.source.notes != rebuilt[1].source.notes
        assert "ratings 20,001 to 40,000 of the file, as in u2.test of MovieLens 100K." in rebuilt[1].source.notes[1]
        same(ratings(frame, split="u1"), rebuilt[0])

    def test_what_training_does_not_know_is_told(self):
        frame = pd.DataFrame(
            {"user": list("aabbccddeef"), "item": list("xyxyxyxyxyz"), "rating": [1, 2, 3, 4] * 2 + [5, 1, 2]}
        )
        test = np.zeros(11, dtype=bool)
        test[10] = True
        found = ratings(frame, test=test)
        assert found.users[-1] == "f"
        assert found.items[-1] == "z"
        told = "1 {} has ratings for testing only: these are predicted from the {}s and what is told of the {} alone."
        assert found.source.notes == (told.format("user", "item", "user"), told.format("item", "user", "item"))

    def test_first_rows_of_a_split(self, frame, tmp_path):
        files.write_u_data(frame, tmp_path)
        test = np.arange(len(frame)) % 7 == 2
        files.write_split(frame, tmp_path, "ua", test)
        np.testing.assert_array_equal(load_ratings(tmp_path, split="ua", first=200).test, test[:200])
        same(load_ratings(tmp_path, first=400), load_ratings(tmp_path))

    @pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, float("nan")])
    def test_a_share_that_is_none(self, frame, share):
        with pytest.raises(ConfigError, match="is no share between 0 and 1; hold out"):
            ratings(frame, hold_out=share)


RANDOM = "bd17ace98e15d766"
