"""Names of data sets where files are asked for."""

import json
from dataclasses import replace

import numpy as np
import pytest
from datasets.publisher import TABLE, sha256, toys

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.paths import resource
from bayeskit.datasets import sources
from bayeskit.datasets.graphs import load_graph
from bayeskit.datasets.points import load_points
from bayeskit.datasets.sources import SETS, fetch, likely_name, located, named
from bayeskit.datasets.weather import load_weather

SHIPPED = [found for found in SETS.values() if found.shipped_by == "bayeskit"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, with an empty cache."""
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def refused(call, *arguments, error=DataError):
    with pytest.raises(error) as caught:
        call(*arguments)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def put(data_set, monkeypatch, **files):
    """Put a set into the cache as if it had been fetched."""
    monkeypatch.setattr(sources, "SETS", {**SETS, data_set.name: data_set})
    made = sources.folder_of(data_set)
    made.mkdir(parents=True)
    for name, content in files.items():
        (made / name).write_bytes(content)
    entries = {name: {"size": len(content), "sha256": sha256(content)} for name, content in files.items()}
    (made / "record.json").write_text(json.dumps({"files": entries}))
    return made


@pytest.mark.parametrize("data_set", SHIPPED, ids=lambda found: found.name)
def test_what_ships_is_there_as_the_table_and_the_note_on_provenance_have_it(data_set):
    path = located(data_set.name)
    content = path.read_bytes()
    assert data_set.files == {path.name: sha256(content)}
    assert data_set.size == len(content)
    assert f"`{sha256(content)}`" in resource("data", "PROVENANCE.md").read_text(encoding="utf-8")
    assert fetch(data_set.name) == path


def test_every_file_that_ships_has_a_name():
    named_files = {file for data_set in SHIPPED for file in data_set.files}
    assert named_files == {path.name for path in resource("data").iterdir()} - {"PROVENANCE.md"}


def test_digits_lie_where_scikit_learn_has_them():
    data_set = SETS["digits"]
    path = located("digits")
    assert (data_set.shipped, data_set.shipped_by) == (True, "scikit-learn")
    assert fetch("digits") == path == located("digits/digits.csv.gz")
    assert data_set.files == {path.name: sha256(path.read_bytes())}
    assert data_set.size == path.stat().st_size


@pytest.mark.parametrize("beside", [("gone", "no_such_module"), ("gone", "json", "data")])
def test_a_package_without_its_file_says_which(monkeypatch, beside):
    monkeypatch.setattr(sources, "SETS", {"digits": replace(SETS["digits"], beside=beside)})
    assert "data set 'digits' ships with gone, which lacks it; install that again" in refused(located, "digits")


def test_what_is_fetched_has_sources_that_are_checked():
    for data_set in SETS.values():
        assert data_set.shipped == (not data_set.sources)
        for source in data_set.sources:
            assert source.checked
            assert all(len(expected) == 64 for expected in source.checked.values())


def test_movielens_has_terms():
    for name in ("movielens-100k", "movielens-latest-small"):
        assert "research" in SETS[name].licence
        assert "acknowledge" in SETS[name].terms
        assert SETS[name].files["ratings.csv"]


def test_paths_come_back_as_they_are(folder):
    for path in ("penguins.csv", "some/penguins", "../penguins", "/penguins", "penguins/other.csv", "", "."):
        assert str(located(path)) == (path or ".")
    assert located(folder / "penguins") == folder / "penguins"


def test_files_and_folders_come_before_names(folder):
    (folder / "penguins").write_text("a,b\n1,2\n3,4\n5,6\n")
    (folder / "galaxies").mkdir()
    assert str(located("penguins")) == "penguins"
    assert load_points("penguins").columns == ("a", "b")
    assert str(located("galaxies")) == "galaxies"


def test_a_set_of_one_file_is_that_file_and_others_are_folders(monkeypatch):
    made = put(toys("somewhere", expected=None), monkeypatch, **{"ratings.csv": TABLE})
    assert located("toys") == located("toys/ratings.csv") == made / "ratings.csv"
    two = toys("somewhere").__class__(
        **{**toys("somewhere").__dict__, "name": "two", "files": {"ratings.csv": None, "items.csv": None}}
    )
    made = put(two, monkeypatch, **{"ratings.csv": TABLE, "items.csv": b"item\ni1\n"})
    assert located("two") == made
    assert located("two/items.csv") == made / "items.csv"


def test_a_set_that_is_not_here_says_how_to_get_it():
    told = refused(located, "movielens-100k")
    assert "not on this machine" in told
    assert "bayeskit data fetch movielens-100k" in told
    assert refused(load_points, "movielens-100k/ratings.csv") == told


@pytest.mark.parametrize("harm", ["shorter", "gone", "unrecorded", "unreadable", "other"])
def test_a_damaged_set_says_so(monkeypatch, harm):
    made = put(toys("somewhere"), monkeypatch, **{"ratings.csv": TABLE})
    if harm == "shorter":
        (made / "ratings.csv").write_bytes(TABLE[:-1])
    elif harm == "gone":
        (made / "ratings.csv").unlink()
    elif harm == "unrecorded":
        (made / "record.json").unlink()
    elif harm == "unreadable":
        (made / "record.json").write_text('{"files": [1')
    else:
        (made / "record.json").write_text('{"files": ["ratings.csv"]}')
    told = refused(located, "toys")
    assert "damaged" in told
    assert "bayeskit data fetch toys" in told


def test_bytes_that_changed_are_found_by_a_thorough_look_only(monkeypatch):
    made = put(toys("somewhere"), monkeypatch, **{"ratings.csv": TABLE})
    assert sources.is_whole(sources.named("toys"), thoroughly=True)
    (made / "ratings.csv").write_bytes(b"U" + TABLE[1:])
    assert sources.is_whole(sources.named("toys"))
    assert not sources.is_whole(sources.named("toys"), thoroughly=True)


def test_unknown_names_offer_the_nearest():
    assert "did you mean 'movielens-100k'?" in refused(named, "movielens100k")
    assert "bayeskit data list" in refused(named, "qqq")
    assert likely_name("ml-100k") == "movielens-100k"
    assert likely_name("edges") is None


def test_loaders_offer_the_nearest_name_where_there_is_no_such_file(folder):
    assert "did you mean the data set 'penguins'?" in refused(load_points, "pengiuns")
    assert "did you mean the data set 'seattle-weather'?" in refused(load_weather, "seattle-weather.csv")
    assert "data set" not in refused(load_points, "elsewhere/penguins")
    (folder / "pinguins.csv").write_text("a\n1\n")
    assert "did you mean 'pinguins.csv'?" in refused(load_points, "penguins.csv")


def test_terms_must_be_accepted_by_scripts_too():
    assert "accept_terms" in refused(fetch, "movielens-100k", error=ConfigError)
    assert not sources.cache_folder().exists()


def test_points_take_names():
    by_name, by_path = load_points("penguins"), load_points(resource("data", "penguins.csv"))
    np.testing.assert_array_equal(by_name.values, by_path.values)
    assert by_name.source.path == "penguins"
    assert by_name.source.sha256 == by_path.source.sha256


def test_weather_takes_names():
    by_name, by_path = load_weather("seattle-weather"), load_weather(resource("data", "seattle-weather.csv"))
    np.testing.assert_array_equal(by_name.temperature, by_path.temperature)
    assert by_name.source.path == "seattle-weather"


def test_graphs_take_names_for_edges_and_for_labels():
    by_name = load_graph("drosophila", labels="drosophila-nodes")
    by_path = load_graph(resource("data", "drosophila-edges.csv"), labels=resource("data", "drosophila-nodes.csv"))
    assert (by_name.weights != by_path.weights).nnz == 0
    np.testing.assert_array_equal(by_name.labels, by_path.labels)
    assert (by_name.source.path, by_name.options["labels"]) == ("drosophila", "drosophila-nodes")
    assert any(SETS["drosophila-nodes"].files["drosophila-nodes.csv"] in note for note in by_name.source.notes)
