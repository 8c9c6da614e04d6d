"""Densities as machine code: against the densities that they were compiled from."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inference.compiled_programs import POINTS, endless

from bayeskit.core.errors import InferenceError
from bayeskit.inference import _compiled_library
from bayeskit.inference._compiled_density import TOLERANCE, compare, compile_density
from bayeskit.inference._compiled_evaluator import Evaluator
from bayeskit.inference._compiled_library import Compiled
from bayeskit.inference._compiled_trace import UntraceableError
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.models.mixtures.program import gmm_program
from bayeskit.models.mixtures.spec import COVARIANCES, MixtureSpec, priors_of


def mixture(y=POINTS, n_components=2, covariance="full", dp=False):
    n_columns = y.shape[1]
    priors = priors_of(n_columns=n_columns, covariance=covariance, dp=dp)
    return pyro_density(gmm_program, (y, MixtureSpec(n_components, n_columns, covariance, dp, priors)))


def points(density, n_points=20, seed=1):
    return np.random.default_rng(seed).uniform(-2, 2, (n_points, density.n_dims))


@pytest.fixture(scope="module")
def compiled():
    density = mixture()
    return compile_density(density, points(density, 1))


def test_compiled_density_is_the_density(compiled):
    density = mixture()
    u = points(density)
    assert compare(compiled, density, u) < TOLERANCE
    assert compare(compiled, mixture(POINTS + 1e-6), u) > TOLERANCE  # negative control: data a millionth off
    far = np.array([[1e200] * density.n_dims, [-800.0] * density.n_dims])
    assert compare(compiled, density, far) == 0  # undefined in both, or in none


def test_other_data_need_no_other_library(compiled, monkeypatch):
    monkeypatch.setattr(_compiled_library, "_build", lambda *_: pytest.fail("compiled anew"))
    density = mixture(POINTS * 1.5)
    moved = compile_density(density, points(density, 1))
    assert moved.binary == compiled.binary
    assert compare(moved, density, points(density)) < TOLERANCE


def test_many_evaluations_leave_the_numbers_as_they_are(compiled):
    evaluator = Evaluator(compiled)
    first, second = points(mixture(), 2)
    once, _, again = evaluator(first), evaluator(second), evaluator(first, times=300)
    assert once[0] == again[0] == 0
    assert once[1] == again[1]
    np.testing.assert_array_equal(once[2], again[2])
    evaluator.close()


def test_status_tells_what_is_no_number():
    density = pyro_density(endless)
    compiled = compile_density(density, np.array([[-3.0]]))
    evaluator = Evaluator(compiled)
    assert evaluator(np.array([0.5]))[0] == 0
    assert evaluator(np.array([2.0]))[0] == 5
    assert evaluator.where.tolist() == [2.0]
    assert evaluator.chain.wrong == 5
    assert evaluator(np.array([np.nan]))[0] > 0
    evaluator.close()


def test_compiled_density_travels(compiled, tmp_path, monkeypatch):
    sent = pickle.loads(pickle.dumps(compiled))
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path))  # another machine, which has never seen it
    assert compare(sent, mixture(), points(mixture(), 3)) < TOLERANCE
    with pytest.raises(InferenceError, match="was compiled for a toaster, and this is torch"):
        Evaluator(Compiled(sent.name, sent.binary, sent.data, sent.n_dims, "a toaster"))


def test_what_cannot_be_compiled_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("BAYESKIT_CACHE", str(tmp_path))
    density = pyro_density(endless)

    def failing(*_):
        raise RuntimeError("no g++\nanywhere")

    monkeypatch.setattr(_compiled_library, "_build", failing)
    with pytest.raises(UntraceableError, match=r"compiler fails \(RuntimeError: no g\+\+ anywhere\)"):
        compile_density(density, np.zeros((1, 1)))


def test_compiled_density_that_gives_other_numbers_is_not_taken(monkeypatch, compiled):
    density = mixture()
    monkeypatch.setattr("bayeskit.inference._compiled_density.traced", lambda *_: None)
    monkeypatch.setattr("bayeskit.inference._compiled_density.compile_traced", lambda *_: compiled)
    with pytest.raises(UntraceableError, match="other numbers"):
        compile_density(mixture(POINTS + 0.1), points(density, 1))


@pytest.mark.slow
@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    n_columns=st.integers(1, 3),
    n_components=st.integers(2, 4),
    covariance=st.sampled_from(COVARIANCES),
    dp=st.booleans(),
    missing=st.sampled_from([0.0, 0.3]),
)
def test_compiled_densities_of_all_shapes(n_columns, n_components, covariance, dp, missing):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(7, n_columns))
    y[rng.random(y.shape) < missing] = np.nan
    density = mixture(torch.tensor(y), n_components, covariance, dp)
    assert compare(compile_density(density, points(density, 1)), density, points(density)) < TOLERANCE
