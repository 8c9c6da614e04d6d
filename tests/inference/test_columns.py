"""Stan's CSV columns become arrays of the variables' shapes; the oracle is the parser that cmdstanpy uses."""

import numpy as np
import pytest
import stanio

from bayeskit.inference._columns import by_variable


def columns_of(name, shape, endings=("",)):
    """Columns as Stan orders them: the first index runs fastest, the parts of one element stand together."""
    places = [".".join(map(str, reversed(place))) for place in np.ndindex(*reversed(shape))]
    places = [".".join(str(int(part) + 1) for part in place.split(".") if part) for place in places]
    return [f"{name}{f'.{place}' if place else ''}{ending}" for place in places for ending in endings]


def draws_of(columns, n_chains=2, n_draws=3):
    return np.arange(n_chains * n_draws * len(columns), dtype=float).reshape(n_chains, n_draws, len(columns)) + 0.5


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (3, 1, 2), (2, 2, 2, 2)])
def test_arrays_as_cmdstanpy_reads_them(shape):
    columns = ["lp__", *columns_of("a", shape), *columns_of("b", (2,))]
    draws = draws_of(columns)
    expected = stanio.parse_header(",".join(columns))["a"].extract_reshape(draws)
    found = by_variable(columns, draws, ())
    assert set(found) == {"a", "b"}
    np.testing.assert_array_equal(found["a"], expected)
    assert found["a"].shape == (2, 3, *shape)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
def test_complex_numbers_have_two_parts(shape):
    columns = columns_of("z", shape, (".real", ".imag"))
    draws = draws_of(columns, 1)
    expected = stanio.parse_header(",".join(columns))["z"].extract_reshape(draws[0])
    found = by_variable(columns, draws, ())
    np.testing.assert_array_equal(found["z.real"][0], expected.real)
    np.testing.assert_array_equal(found["z.imag"][0], expected.imag)


def test_tuples_have_an_entry_a_member():
    # array[2] tuple(real, array[2] tuple(int, vector[2]), complex) t
    columns = []
    for outer in (1, 2):
        columns.append(f"t.{outer}:1")
        for inner in (1, 2):
            columns += [f"t.{outer}:2.{inner}:1", f"t.{outer}:2.{inner}:2.1", f"t.{outer}:2.{inner}:2.2"]
        columns += [f"t.{outer}:3.real", f"t.{outer}:3.imag"]
    draws = draws_of(columns, 1, 1)
    found = by_variable(columns, draws, ())
    assert {name: value.shape[2:] for name, value in found.items()} == {
        "t.1": (2,),
        "t.2.1": (2, 2),
        "t.2.2": (2, 2, 2),
        "t.3.real": (2,),
        "t.3.imag": (2,),
    }
    expected = stanio.parse_header(",".join(columns))["t"].extract_reshape(draws[0])[0]
    for outer in (0, 1):
        first, second, third = expected[outer]
        assert found["t.1"][0, 0, outer] == first
        assert found["t.3.real"][0, 0, outer] == third.real
        for inner in (0, 1):
            assert found["t.2.1"][0, 0, outer, inner] == second[inner][0]
            np.testing.assert_array_equal(found["t.2.2"][0, 0, outer, inner], second[inner][1])


def test_integers_stay_integers_where_all_are_numbers():
    columns = ["n", "k.1", "k.2", "x"]
    draws = np.array([[[3.0, 1.0, 2.0, 4.0]]])
    found = by_variable(columns, draws, {"n", "k"})
    assert [found[name].dtype.kind for name in ("n", "k", "x")] == ["i", "i", "f"]
    draws[..., 0] = np.nan
    assert np.isnan(by_variable(columns, draws, {"n", "k"})["n"]).all()
