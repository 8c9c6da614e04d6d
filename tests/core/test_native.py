"""C++ is compiled once, and what can go wrong with that is one line."""

import ctypes

import pytest

from bayeskit.core.errors import ToolchainError
from bayeskit.core.native import load_library


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path / "cache"))
    load_library.cache_clear()
    yield tmp_path / "cache"
    load_library.cache_clear()


def write(folder, text, header="inline double half(double x) { return x / 2; }"):
    (folder / "half.hpp").write_text(header)
    source = folder / "twice.cpp"
    source.write_text(text)
    return source


SOURCE = '#include "half.hpp"\nextern "C" double call(double x) { return half(x); }'


def test_a_library_is_compiled_once_and_anew_where_a_header_changes(tmp_path, cache):
    source = write(tmp_path, SOURCE)
    library = load_library(source)
    library.call.restype, library.call.argtypes = ctypes.c_double, [ctypes.c_double]
    assert library.call(3.0) == 1.5
    load_library.cache_clear()
    load_library(source)
    assert len(list(cache.glob("native/*.so"))) == 1
    load_library.cache_clear()
    write(tmp_path, SOURCE, header="inline double half(double x) { return 0.5 * x + 1; }")
    changed = load_library(source)
    changed.call.restype, changed.call.argtypes = ctypes.c_double, [ctypes.c_double]
    assert changed.call(3.0) == 2.5
    assert len(list(cache.glob("native/*.so"))) == 2


def test_what_does_not_compile_is_told_in_one_line(tmp_path, cache):
    with pytest.raises(ToolchainError, match=r"twice\.cpp does not compile: .*error") as caught:
        load_library(write(tmp_path, "this is not C++"))
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("native/*.so*partial*"))


def test_without_a_compiler_the_remedy_is_told(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolchainError, match=r"no C\+\+ compiler \(no-such-compiler\).*apt install g\+\+"):
        load_library(write(tmp_path, SOURCE))
