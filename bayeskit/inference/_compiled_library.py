"""A traced density as machine code: PyTorch's compiler makes a library of it, which is called without Python.

AOTInductor compiles the graph (https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html), and a few lines
of C, compiled too, call it as samplers do. Libraries are kept in the user's cache folder, by what they compute and for
which machine; the data are no part of them.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import platform
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bayeskit.core.building import build_once
from bayeskit.core.paths import cache_folder
from bayeskit.inference._compiled_trace import Traced, UntraceableError, double_precision

_SHIM = Path(__file__).with_name("_compiled_shim.c")
_NEEDS_PYTHON = b"aoti_torch_proxy_executor_call_function"
_KEPT = 100  # libraries
_TIMEOUT = 120  # seconds


@dataclass(frozen=True)
class Compiled:
    """A compiled density with its data; it can be pickled, whatever it was compiled from.

    Parameters
    ----------
    name
        Of the library, in the cache.
    binary
        The library itself.
    data
        What the graph takes besides the point.
    n_dims
        Of the points.
    machine
        What it was compiled for.
    """

    name: str
    binary: bytes
    data: tuple[NDArray[Any], ...]
    n_dims: int
    machine: str


def compile_traced(traced: Traced, n_dims: int) -> Compiled:
    """Compile a graph, or take it from the cache.

    Raises
    ------
    UntraceableError
        If it has operations that cannot be called without Python, or there is no C++ compiler.
    ToolchainError
        If the cache folder cannot be written to.
    """
    machine = this_machine()
    # How a graph is compiled is part of what its library is.
    known = f"{traced.key} {n_dims} {machine} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"
    path = graphs_folder() / f"{hashlib.sha256(known.encode()).hexdigest()[:32]}.so"
    try:
        build_once(path, lambda partial: _build(traced, n_dims, partial), ready=path.exists, waiting=lambda: None)
        load_shim()
    except UntraceableError:
        raise
    except (RuntimeError, AssertionError, NotImplementedError, subprocess.SubprocessError) as error:
        text = " ".join(str(error).split())
        raise UntraceableError(f"PyTorch's compiler fails ({type(error).__name__}: {text[:200]})") from error
    path.touch()
    _forget_the_oldest()
    data = tuple(array.numpy() for array in traced.data)
    return Compiled(path.name, path.read_bytes(), data, n_dims, machine)


def _build(traced: Traced, n_dims: int, folder: Path) -> Path:
    import torch
    from torch._inductor import aot_compile

    made = folder / "graph.so"
    arguments = (torch.zeros(n_dims, dtype=torch.float64), *traced.data)
    options = {"aot_inductor.output_path": str(made), "cpp.threads": 1}
    with _quiet(), double_precision():
        exported = torch.export.export(traced.graph, arguments)
        aot_compile(exported.module(), arguments, options=options)
    if _NEEDS_PYTHON in made.read_bytes():
        raise UntraceableError("it has an operation of linear algebra that cannot be called without Python")
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what PyTorch's compiler says about itself off the screen."""
    loggers = [logging.getLogger(name) for name in ("torch._inductor", "torch._export", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def graphs_folder() -> Path:
    """Return where libraries are kept."""
    return cache_folder() / "graphs"


def _forget_the_oldest() -> None:
    libraries = sorted(graphs_folder().glob("*.so"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in libraries[_KEPT:]:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)


@cache
def this_machine() -> str:
    """Tell apart what a library compiled here runs on: PyTorch's version, and all that the processor can do."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    processor = hashlib.sha256(features.encode()).hexdigest()[:16]
    return f"torch {torch.__version__}, {platform.system()} {platform.machine()} {processor}"


@cache
def load_shim() -> ctypes.CDLL:
    """Compile the C file, once a machine, and load it."""
    from torch._inductor.cpp_builder import get_cpp_compiler

    name = hashlib.sha256(_SHIM.read_bytes() + this_machine().encode()).hexdigest()[:32]
    path = graphs_folder() / f"shim-{name}.so"

    def build(folder: Path) -> Path:
        made = folder / "shim.so"
        command = [get_cpp_compiler(), "-x", "c", "-O2", "-shared", "-fPIC", "-o", str(made), str(_SHIM)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        if done.returncode:
            raise UntraceableError(f"the C compiler fails ({' '.join(done.stderr.split())[:200]})")
        return made

    build_once(path, build, ready=path.exists, waiting=lambda: None)
    return ctypes.CDLL(str(path))
