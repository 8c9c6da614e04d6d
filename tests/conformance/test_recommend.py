"""What ``bayeskit recommend`` and ``bayeskit predict`` promise of runs of a factorisation."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conformance.command import called
from datasets.rating_files import synthetic_items, synthetic_ratings, synthetic_users, write_canonical

import bayeskit as bk
from bayeskit.core.errors import ConfigError, DataError
from bayeskit.workflows.tables import shown

OPTIONS = [
    "--features",
    "users,implicit",
    "--rank",
    2,
    "--chains",
    2,
    "--warmup",
    60,
    "--draws",
    30,
    "--hold-out",
    0.15,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ratings of 60 users and 40 items; the second item has the title of the third. And a run of them."""
    folder = tmp_path_factory.mktemp("ratings")
    frame = synthetic_ratings(60, 40, 1300, 2, seed=1)
    items = synthetic_items(frame, 3)
    items.loc[1, ["title", "year"]] = ["Film 3, The", 1929]
    write_canonical(frame, folder, synthetic_users(frame, 2), items)
    status, complaint = called("fit", "bmf", "ratings.csv", *OPTIONS, "--out", "run", cwd=folder)
    assert status == 0, complaint
    return folder


@pytest.fixture(scope="module")
def run(folder):
    """Return fits by what they are of: the run's, and others that lie in no folder."""
    data = bk.load_ratings(folder / "ratings.csv", hold_out=0.15)
    quick = bk.GibbsConfig(chains=2, warmup=60, draws=30)
    made = {
        "normal": bk.load_run(folder / "run")[0],
        "ordinal": bk.fit(bk.bmf(data, rank=2, likelihood="ordinal"), config=quick, seed=1),
        "point": bk.fit(bk.bmf(data, rank=2), engine="als", seed=1),
    }
    made["normal"].posterior["factors"].load()
    return made.__getitem__


@pytest.fixture
def command(folder):
    return lambda *arguments: called(*arguments, cwd=folder)


def training(fit):
    ratings = fit.posterior["ratings"].to_dataset()
    names = {side: fit.posterior[f"{side}s"][f"{side}_name"].values for side in ("user", "item")}
    return pd.DataFrame({
        "user": names["user"][ratings["user"].values],
        "item": names["item"][ratings["item"].values],
        "rating": ratings["value"].values,
    })  # fmt: skip


def held_out(fit):
    tested = fit.posterior["held_out"].to_dataset()
    found = tested[["rating", "mean", "sd", "low", "high"]].to_dataframe().reset_index(drop=True)
    for side in ("user", "item"):
        found[side] = fit.posterior[f"{side}s"][f"{side}_name"].values[tested[side].values]
    return found


@pytest.mark.parametrize("name", ["normal", "ordinal"])
def test_recommended_items_are_new_ones_in_order(run, name):
    fit = run(name)
    found = bk.recommend(fit, 42, top=12)
    assert list(found) == ["rank", "item", "title", "mean", "low", "high", "chance", "n_ratings"]
    assert found["rank"].tolist() == list(range(1, 13))
    assert found["mean"].is_monotonic_decreasing
    assert found["mean"].between(1, 5).all()
    assert (found["low"] < found["high"]).all()
    assert found["chance"].between(0, 1).all()
    if name == "ordinal":
        assert set(found["low"]) | set(found["high"]) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    given = training(fit)
    hers = given[given["user"] == "42"]
    assert not set(found["item"]) & set(hers["item"])
    counts = given["item"].value_counts()
    assert found["n_ratings"].tolist() == [counts[item] for item in found["item"]]
    everything = bk.recommend(fit, "42", top=100, rated=True)
    assert set(hers["item"]) <= set(everything["item"])
    assert len(everything) == 40
    better = bk.recommend(fit, 42, top=12, at_least=5)
    assert (better["chance"] < found["chance"]).all()


@pytest.mark.parametrize("name", ["normal", "ordinal"])
def test_what_is_predicted_of_test_ratings_is_what_the_run_held_against_them(run, name):
    """As all draws of so short a run are kept, to the digits that are; of other pairs it is something else."""
    tested = held_out(run(name))
    found = bk.predict(run(name), tested[["user", "item"]])
    assert set(found["known"]) == {"both"}
    for column in ("mean", "low", "high"):
        np.testing.assert_allclose(found[column], tested[column], atol=1e-4)
    assert np.abs(found["mean"][::-1].to_numpy() - tested["mean"]).mean() > 0.2  # negative control
    assert tested["rating"].between(found["low"], found["high"]).mean() > 0.9
    narrow = (tested["rating"] - tested["mean"]).abs() < 0.25 * (found["high"] - found["low"])
    assert narrow.mean() < 0.85  # negative control: half as wide an interval


def test_pairs_come_back_in_their_order_whoever_they_are(command, folder, run):
    fit = run("normal")
    given = training(fit).iloc[[5, 3, 5]]
    frame = pd.DataFrame({
        "note": list("abcdef"),
        "movieId": [*given["item"], "nothing", given["item"].iloc[0], ""],
        "userId": [*given["user"], given["user"].iloc[0], "nobody", "nobody"],
    })  # fmt: skip
    frame.to_csv(folder / "new.csv", index=False)
    status, told = command("predict", "run", "new.csv", "--out", "predicted.csv", "--overwrite")
    assert status == 0, told
    assert "3 rows with a user or an item that the run has no ratings of" in told
    found = pd.read_csv(folder / "predicted.csv", dtype={"movieId": str, "userId": str})
    assert list(found) == ["note", "movieId", "userId", "mean", "low", "high", "chance", "known"]
    assert found["note"].tolist() == list("abcdef")
    assert found["known"].tolist() == ["both"] * 3 + ["user", "item", "neither"]
    assert found["mean"][0] == found["mean"][2] != found["mean"][1]
    widths = (found["high"] - found["low"]).to_numpy()
    assert widths[5] > widths[3:5].max() > widths[0]
    again = bk.predict(fit, frame.set_index("note"))
    np.testing.assert_allclose(again["mean"], found["mean"], rtol=1e-7)
    with pytest.raises(DataError, match="there is no column of users; call it 'user'"):
        bk.predict(fit, frame[["movieId"]])


def test_a_user_folded_in_by_her_own_ratings_is_herself(run):
    """With her own features; with somebody else's ratings she is not."""
    for name in ("normal", "ordinal"):
        fit = run(name)
        given = training(fit)
        user, other = given["user"].value_counts().index[[0, 1]]
        users = fit.posterior["users"].to_dataset().to_dataframe().set_index("user_name")
        profile = users.loc[user].to_dict() if name == "normal" else None
        own = bk.recommend(fit, user, top=40, rated=True).set_index("item")
        ratings = {who: given[given["user"] == who].set_index("item")["rating"].to_dict() for who in (user, other)}
        options = {"profile": profile, "top": 40, "rated": True}
        folded, another = (
            bk.recommend(fit, ratings=ratings[who], **options).set_index("item") for who in (user, other)
        )
        apart = {what: np.abs(own["mean"] - one["mean"]).mean() for what, one in (("own", folded), ("other", another))}
        assert apart["own"] < 0.1
        assert apart["other"] > 2.5 * apart["own"]  # negative control
        assert not set(bk.recommend(fit, ratings=ratings[user], top=40)["item"]) & set(ratings[user])


def test_somebody_new_is_told_of_in_several_ways(command, folder, run, capsys):
    fit = run("normal")
    titles = fit.posterior["items"].to_dataset().to_dataframe().set_index("item_name")
    titled = f"{titles.loc['7', 'title']} ({titles.loc['7', 'year']:.0f})"
    assert titled.startswith("Film 7, The (")
    by_id = bk.recommend(fit, ratings={"7": 5, 9: 1}, profile={"age": 25, "occupation": "artist"})
    by_text = bk.recommend(fit, ratings=f"{titled}=5, film 9, the=1", profile="occupation=artist,age=25")
    pd.testing.assert_frame_equal(by_id, by_text)
    pd.DataFrame({"movieId": ["7", "9"], "stars": [5, 1]}).to_csv(folder / "hers.csv", index=False)
    out = folder / "recommended.csv"
    arguments = ("--ratings", "hers.csv", "--profile", "age=25,occupation=artist", "--out", out)
    status, told = command("recommend", "run", *arguments)
    assert status == 0, told
    assert "chance: of a rating of at least 4" in told
    written = pd.read_csv(out, dtype={"item": str})
    np.testing.assert_allclose(written["mean"], by_id["mean"], rtol=1e-7)
    assert written["item"].tolist() == by_id["item"].tolist()
    liked, disliked = (bk.recommend(fit, ratings={"7": stars}, top=40, rated=True) for stars in (5, 1))
    assert liked["mean"].mean() > disliked["mean"].mean() + 0.05
    older, younger = (bk.recommend(fit, profile={"age": age}, top=40).set_index("item") for age in (56, 1))
    assert np.abs(older["mean"] - younger["mean"]).max() > 1e-4
    status, told = command("recommend", "run", *arguments)
    assert (status, "--overwrite" in told) == (2, True)


def test_thompson_sampling_repeats_by_its_seed_and_is_diverse(run):
    fit = run("normal")
    first, again, other = (bk.recommend(fit, 42, thompson=True, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first["item"].tolist() != other["item"].tolist()
    assert first["item"].is_unique
    assert first["mean"].mean() <= bk.recommend(fit, 42)["mean"].mean()


def test_similar_items_are_found_by_title_or_id(run):
    fit = run("normal")
    found = bk.similar_items(fit, "film 7, the", top=5)
    assert list(found) == ["rank", "item", "title", "similarity", "low", "high", "n_ratings"]
    pd.testing.assert_frame_equal(found, bk.similar_items(fit, 7, top=5))
    assert "7" not in set(found["item"])
    assert found["similarity"].is_monotonic_decreasing
    assert (found["low"] <= found["similarity"]).all()
    assert (found["similarity"] <= found["high"]).all()


def test_a_point_estimate_gives_means_alone(run):
    fit = run("point")
    assert list(bk.recommend(fit, 42)) == ["rank", "item", "title", "mean", "n_ratings"]
    assert list(bk.similar_items(fit, 7)) == ["rank", "item", "title", "similarity", "n_ratings"]
    tested = fit.posterior["held_out"].to_dataset()
    names = [fit.posterior[f"{side}s"][f"{side}_name"].values[tested[side].values] for side in ("user", "item")]
    found = bk.predict(fit, pd.DataFrame({"user": names[0], "item": names[1]}))
    assert list(found) == ["user", "item", "mean", "known"]
    np.testing.assert_allclose(found["mean"], tested["mean"], atol=1e-5)
    with pytest.raises(ConfigError, match="a point estimate has no draws to sample from"):
        bk.recommend(fit, 42, thompson=True)
    with pytest.raises(ConfigError, match="a point estimate does not say who else there might be"):
        bk.recommend(fit, ratings={"7": 5})


def test_draws_are_read_one_by_one(folder):
    fit, _ = bk.load_run(folder / "run")
    bk.recommend(fit, 42)
    bk.predict(fit, training(fit).head())
    for name in ("user_rows", "item_rows"):
        assert not fit.posterior["factors"][name].variable._in_memory


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"user": "424"},
            r"the run has no user '424'; the nearest is '4\d'; for somebody new give --ratings or --profile",
        ),
        ({"ratings": "Film 7, An=3"}, "the run has no item 'Film 7, An'; did you mean"),
        ({"ratings": "Film 3, The=3"}, "2 items of the run have the title 'Film 3, The'.*give the id"),
        ({"ratings": "7=6"}, "a rating of 6 is off the scale, 1 to 5"),
        ({"ratings": "7=good"}, "the rating of '7', 'good', is not a number"),
        ({"ratings": "7=3,Film 7, The=4"}, "item '7' is rated twice"),
        ({"ratings": "7=3,8"}, "no list of items and numbers"),
        ({"ratings": "hers2.csv"}, "there is no such file"),
        ({"profile": "age"}, "no list of columns and values"),
        ({"profile": "occupation=writter"}, r"did you mean 'writer'\?"),
        ({"profile": "height=3"}, "the fit has no features of users by 'height'"),
        ({"user": "42", "top": 0}, "top must be at least 1"),
        ({"user": "42", "at_least": 7}, "is every one or none on a scale from 1 to 5"),
        ({"user": "42", "ratings": "7=3"}, "give either"),
        ({"user": "42", "seed": -1}, "seed"),
    ],
)
def test_what_makes_no_sense_is_told(run, options, words):
    with pytest.raises((ConfigError, DataError), match=words) as told:
        bk.recommend(run("normal"), **options)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--user", "424"], "the run has no user '424'"),
        (["--user", "42", "--ratings", "7=3"], "give --user, or --profile and --ratings of somebody new, or --like"),
        ([], "give --user, or --profile and --ratings of somebody new, or --like"),
        (["--like", "7", "--thompson"], "leave them out with --like"),
        (["--user", "42", "--out", "run/x.csv"], "the run's own folder"),
    ],
)
def test_the_command_tells_it_in_one_line(command, arguments, words):
    status, told = command("recommend", "run", *arguments)
    assert status == 2
    assert told.count("\n") == 1, told
    assert words in told


def test_levels_that_are_none_and_other_models_are_refused(run):
    with pytest.raises(DataError, match=r"a rating of 3\.5 is none of the levels 1, 2, 3 and 2 more"):
        bk.recommend(run("ordinal"), ratings={"7": 3.5})
    with pytest.raises(ConfigError, match="no features of users by 'age'; there are none"):
        bk.recommend(run("ordinal"), profile={"age": 3})
    with pytest.raises(ConfigError, match="give either"):
        bk.recommend(run("ordinal"), 42, ratings={"7": 3})
    with pytest.raises(DataError, match="all items of the run are rated"):
        bk.recommend(run("ordinal"), ratings=dict.fromkeys(run("ordinal").posterior["items"]["item_name"].values, 3))


def _no_factors(run):
    shutil.rmtree(run / "factors.zarr")


def _cut_short(run):
    (run / "factors.zarr/factors/item_rows/c/1/2/0/0").write_bytes(b"\x28\xb5")


def _one_draw_gone(run):
    (run / "factors.zarr/factors/item_rows/c/1/2/0/0").unlink()


def _no_ratings(run):
    for chunk in (run / "factors.zarr/ratings/value/c").iterdir():
        chunk.unlink()


def _another_model(run):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "model": "gmm"}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_no_factors, r"there is no factors\.zarr"),
        (_cut_short, r"factors\.zarr cannot be read"),
        (_one_draw_gone, r"factors\.zarr lacks a part of draw 3 of 'item_rows'"),
        (_no_ratings, r"factors\.zarr lacks a part of the ratings"),
        (_another_model, "a run of gmm cannot recommend; runs of bmf can"),
    ],
)
def test_a_damaged_run_is_told_in_one_line(folder, tmp_path, change, words):
    shutil.copytree(folder / "run", tmp_path / "run")
    change(tmp_path / "run")
    with pytest.raises((ConfigError, DataError), match=words) as told:
        bk.recommend(tmp_path / "run", 42)
    assert "\n" not in str(told.value)


def test_a_table_is_shown_for_people(folder, run):
    found = bk.recommend(run("normal"), 42, top=3)
    found["title"] = ["七人の侍", "A title that is much longer than what is shown of it in a terminal", "new\nline"]
    header, *lines = shown(found).splitlines()
    assert header.split() == list(found)
    assert "A title that is much longer than what is shown …  " in lines[1]
    assert "new?line" in lines[2]
    assert lines[0].split()[-3:] == [f"{100 * found['chance'][0]:.0f}", "%", str(found["n_ratings"][0])]
    assert len({len(line) + 4 * ("七" in line) for line in [header, *lines]}) == 1
