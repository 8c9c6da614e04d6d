"""A compiled density loaded into this process: evaluated here, or by a sampler that has its address."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.building import build_once
from bayeskit.core.errors import InferenceError
from bayeskit.inference._compiled_library import Compiled, graphs_folder, load_shim, this_machine


@cache
def _torch() -> ctypes.CDLL:
    import torch

    return ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*"))))


@cache
def _library(path: str) -> ctypes.CDLL:
    return ctypes.CDLL(path)


class _Chain(ctypes.Structure):
    """As in the C file."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("wrap", "share", "numbers", "drop", "run", "use_threads")),
        *((name, ctypes.c_void_p) for name in ("graph", "data", "where")),
        *((name, ctypes.c_int64) for name in ("n_data", "warmup")),
        *((name, ctypes.c_int32) for name in ("type", "device")),
        *((name, ctypes.c_int64) for name in ("draws", "stop", "wrong")),
        ("warmed_up", ctypes.c_double),
    )


class Evaluator:
    """A compiled density loaded, for one thread at a time.

    Parameters
    ----------
    compiled
        The density.
    warmup
        After how many draws the clock is read.

    Raises
    ------
    InferenceError
        If it was compiled for another machine.
    """

    def __init__(self, compiled: Compiled, warmup: int = 0) -> None:
        if compiled.machine != this_machine():
            raise InferenceError(
                f"the density was compiled for {compiled.machine}, and this is {this_machine()}; run its chains on "
                "machines of one kind with one version of torch, or give backend pyro"
            )
        self.n_dims = compiled.n_dims
        self._compiled, self._library = compiled, _library(str(_placed(compiled)))
        self._where = np.empty(compiled.n_dims)
        graph = ctypes.c_void_p()
        one, cpu = ctypes.c_size_t(1), ctypes.c_char_p(b"cpu")
        if self._library.AOTInductorModelContainerCreateWithDevice(ctypes.byref(graph), one, cpu, None):
            raise InferenceError("the compiled density cannot be loaded; give backend pyro")
        self._graph, self._data = graph, self._tensors()
        torch = _torch()
        self.chain = _Chain(
            *map(
                _address,
                (
                    torch.aoti_torch_create_tensor_from_blob,
                    torch.aoti_torch_new_tensor_handle,
                    torch.aoti_torch_get_data_ptr,
                    torch.aoti_torch_delete_tensor_object,
                    self._library.AOTInductorModelContainerRun,
                    getattr(torch, "omp_set_num_threads", None),
                ),
            ),
            graph.value,
            ctypes.cast(self._data, ctypes.c_void_p).value,
            self._where.ctypes.data,
            len(self._data),
            warmup,
            torch.aoti_torch_dtype_float64(),
            torch.aoti_torch_device_type_cpu(),
        )

    @property
    def log_density(self) -> int:
        """Address of the function, as nutpie takes it."""
        return _address(load_shim().log_density) or 0

    @property
    def keep(self) -> int:
        """Address of the function that keeps a draw, as nutpie takes it."""
        return _address(load_shim().keep) or 0

    @property
    def address(self) -> int:
        """Address of what both functions are given."""
        return ctypes.addressof(self.chain)

    @property
    def where(self) -> NDArray[np.float64]:
        """Point at which it went wrong, where ``chain.wrong`` says so."""
        return self._where.copy()

    def __call__(self, point: NDArray[np.float64], times: int = 1) -> tuple[int, float, NDArray[np.float64]]:
        """Evaluate ``times`` times at a point, ``n_dims``: the C function's status, log density and gradient."""
        given, value, gradient = np.ascontiguousarray(point, dtype=float), np.empty(1), np.empty(self.n_dims)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (given, gradient, value)]
        chain = ctypes.c_void_p(self.address)
        repeat = load_shim().repeat
        repeat.restype = ctypes.c_int64
        status = repeat(ctypes.c_uint64(self.n_dims), *pointers, chain, ctypes.c_int64(times))
        return int(status), float(value[0]), gradient

    def close(self) -> None:
        """Give the memory back; nothing may be called afterwards."""
        for handle in self._data:
            _torch().aoti_torch_delete_tensor_object(ctypes.c_void_p(handle))
        self._library.AOTInductorModelContainerDelete(self._graph)

    def _tensors(self) -> Any:
        """Make tensors of the data, in their memory."""
        torch = _torch()
        handles = (ctypes.c_void_p * len(self._compiled.data))()
        for place, array in enumerate(self._compiled.data):
            sizes = (ctypes.c_int64 * array.ndim)(*array.shape)
            strides = (ctypes.c_int64 * array.ndim)(*(step // array.itemsize for step in array.strides))
            kind = getattr(torch, f"aoti_torch_dtype_{array.dtype.name}")()
            handle = ctypes.c_void_p()
            memory = ctypes.c_void_p(array.ctypes.data)
            layout = ctypes.c_int64(array.ndim), sizes, strides, ctypes.c_int64(0), kind
            torch.aoti_torch_create_tensor_from_blob(
                memory, *layout, torch.aoti_torch_device_type_cpu(), 0, ctypes.byref(handle)
            )
            handles[place] = handle.value
        return handles


def _address(function: Any) -> int | None:
    return None if function is None else ctypes.cast(function, ctypes.c_void_p).value


def _placed(compiled: Compiled) -> Path:
    """Return where the library is on this machine."""
    path = graphs_folder() / compiled.name

    def build(folder: Path) -> Path:
        made = folder / "graph.so"
        made.write_bytes(compiled.binary)
        return made

    build_once(path, build, ready=path.exists, waiting=lambda: None)
    return path
