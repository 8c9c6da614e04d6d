"""All scalars of a posterior, a block at a time: the same as all at once."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bayeskit.diagnostics import blocks
from bayeskit.diagnostics.convergence import summarise
from bayeskit.diagnostics.labels import cell_draws, cell_labels, draws_at


def variable(sizes, dtype=float, chains=2, draws=5, name="x"):
    values = np.random.default_rng(1).integers(0, 100, (chains, draws, *sizes)).astype(dtype)
    return xr.DataArray(values, dims=("chain", "draw", *(f"x_dim_{i}" for i in range(len(sizes)))), name=name)


@given(
    sizes=st.lists(st.integers(1, 5), max_size=4),
    n_bytes=st.integers(1, 8 * 10 * 200),
    dtype=st.sampled_from([float, np.float32, int, bool]),
    turned=st.booleans(),
)
def test_blocks_hold_every_cell_once_and_in_order(sizes, n_bytes, dtype, turned):
    array = variable(sizes, dtype)
    given_as = array.transpose(..., "draw", "chain") if turned else array
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", n_bytes)
        found = list(blocks.cell_blocks(given_as))
    np.testing.assert_array_equal(np.concatenate(found), np.moveaxis(cell_draws(array), -1, 0))
    assert all(block.dtype == float and block.flags.c_contiguous for block in found)
    assert all(block.nbytes <= max(n_bytes, 8 * 10) for block in found)


@given(sizes=st.lists(st.integers(1, 4), max_size=3), data=st.data())
def test_cells_are_found_by_their_place(sizes, data):
    array = variable(sizes)
    flat = cell_draws(array)
    places = sorted(data.draw(st.sets(st.integers(0, flat.shape[-1] - 1), min_size=1)))
    draws = sorted(data.draw(st.sets(st.integers(0, 9), min_size=1)))
    found = blocks.cells_at(array, np.array(places), np.array(draws))
    np.testing.assert_array_equal(found, flat.reshape(10, -1)[np.ix_(draws, places)])
    np.testing.assert_array_equal(draws_at(array, places[0]), flat[..., places[0]])


@pytest.mark.parametrize("n_bytes", [1, 8 * 10 * 3, 2**20])
def test_finite_cells(monkeypatch, n_bytes):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", n_bytes)
    array = variable((3, 4))
    array[0, 1, 2, 3], array[1, 4, 0, 0] = np.nan, np.inf
    assert np.flatnonzero(~blocks.finite_cells(array)).tolist() == [0, 11]


@pytest.mark.parametrize("threads", [1, 7])
def test_the_table_does_not_depend_on_blocks_or_threads(monkeypatch, threads):
    rng = np.random.default_rng(2)
    shape = (4, 50)
    posterior = xr.Dataset(
        {
            "a": (("chain", "draw"), rng.normal(size=shape)),
            "M": (("chain", "draw", "i", "j"), rng.normal(size=(*shape, 7, 3))),
            "flag": (("chain", "draw"), rng.random(shape) < 0.3),
            "z": (("chain", "draw", "k"), rng.normal(size=(*shape, 2)) + 1j * rng.normal(size=(*shape, 2))),
            "none": (("chain", "draw", "l"), np.zeros((*shape, 0))),
            "word": (("chain", "draw"), np.full(shape, "x")),
        }
    )
    whole = summarise(posterior)
    monkeypatch.setattr(blocks.os, "cpu_count", lambda: threads)
    monkeypatch.setattr(blocks, "PIECE_BYTES", 8 * 200 * 2)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8 * 200 * 5)
    pieces = summarise(posterior)
    assert whole.equals(pieces)
    assert list(whole.index[:3]) == ["a", "M[0,0]", "M[0,1]"]
    assert list(whole.index[-4:]) == ["z.real[0]", "z.real[1]", "z.imag[0]", "z.imag[1]"]
    assert not any(label.startswith(("none", "word")) for label in whole.index)


def test_a_table_of_nothing_has_its_columns():
    table = summarise(xr.Dataset(coords={"chain": [0], "draw": [0]}))
    assert table.empty
    assert {"mean", "sd", "r_hat", "ess_bulk"} <= set(table.columns)


def test_what_goes_wrong_in_a_thread_is_raised():
    def wrong(values):
        raise RuntimeError("wrong")

    with pytest.raises(RuntimeError, match="wrong"):
        blocks.over_cells(xr.Dataset({"x": variable((3,))}), wrong)


def test_what_lies_on_disk_stays_there(tmp_path):
    array = variable((40, 3), chains=2, draws=20)
    xr.Dataset({"x": array}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "x.nc", engine="h5netcdf", cache=False) as lazy:
        found = summarise(lazy)
        assert not lazy["x"].variable._in_memory
        assert found.equals(summarise(xr.Dataset({"x": array})))
        assert list(found.index) == cell_labels(array)
        np.testing.assert_array_equal(draws_at(lazy["x"], 50), cell_draws(array)[..., 50])
        assert not lazy["x"].variable._in_memory
