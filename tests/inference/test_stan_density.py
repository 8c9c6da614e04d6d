"""A Stan program's density as the engines get it: start values, quantities by name, and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayeskit as bk
from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, DataError, InferenceError, ProgramError
from bayeskit.inference import _stan_density as module
from bayeskit.inference._stan_density import stan_density
from bayeskit.toolchain.evaluator import EvaluationError

LINREG = Path(__file__).parents[1] / "golden" / "linreg.stan"
DATA = json.loads(LINREG.with_suffix(".json").read_text())


@dataclass(frozen=True)
class Model:
    """The linear regression, with what a test wants changed."""

    program: str = str(LINREG)
    data: Any = None
    outputs: Any = None
    init: Any = None
    metric: str = "diag_e"

    def stan_data(self):
        return DATA if self.data is None else self.data

    def stan_inits(self, rng: np.random.Generator):
        return self.init(rng) if callable(self.init) else self.init


@pytest.fixture(scope="module", autouse=True)
def home(stan_home: Path):
    if not (stan_home / "runner").is_dir():
        pytest.skip(f"the Stan in {stan_home} is not built on our runner")


@pytest.fixture(scope="module")
def density(home: None):
    with stan_density(Model(), seed=4) as density:
        yield density


def test_a_density_over_the_unconstrained_parameters(density: Density):
    assert isinstance(density, Density)
    assert density.shapes == {"alpha": (), "beta": (3,), "unconstrained sigma": ()}
    points = np.random.default_rng(1).normal(size=(100, 5))
    x, y = (np.array(DATA[name]) for name in ("x", "y"))
    sigma = np.exp(points[:, 4])
    mean = points[:, :1] + points[:, 1:4] @ x.T
    expected = stats.norm.logpdf(y, mean, sigma[:, None]).sum(1) + points[:, 4] + stats.norm.logpdf(sigma, 0, 3)
    expected += stats.norm.logpdf(points[:, 0], 0, 5) + stats.norm.logpdf(points[:, 1:4], 0, 2).sum(1)
    before = density.rejections.n_points
    np.testing.assert_allclose(density(points), expected, rtol=1e-12)
    found, gradients = density.with_gradient(points)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    step = 1e-6 * np.eye(5)
    differences = np.stack([(density(points + axis) - density(points - axis)) / 2e-6 for axis in step], axis=1)
    np.testing.assert_allclose(gradients, differences, rtol=1e-4, atol=1e-3)
    assert density.rejections.n_points - before == 1200
    assert density.engine["stan_origin"] in ("assembled", "CMDSTAN")
    assert density.declared["log_lik"] == "generated quantity"
    assert "compile" in density.timings


def test_where_the_density_is_zero(density: Density):
    points = np.zeros((3, 5))
    points[1, 4] = -800  # sigma rounds to 0, which the normal distribution rejects
    before = density.rejections.n_rejected
    found, gradients = density.with_gradient(points)
    assert np.isneginf(found).tolist() == [False, True, False]
    assert not gradients[1].any()
    assert density.rejections.n_rejected - before == 1


def test_values_are_the_programs_quantities(density: Density):
    positions = np.random.default_rng(2).normal(size=(3, 4, 5))
    values = density.values(positions, seed=8)
    shapes = {name: array.shape for name, array in values.items()}
    assert shapes == {"alpha": (3, 4), "beta": (3, 4, 3), "sigma": (3, 4), "log_lik": (3, 4, 40), "y_rep": (3, 4, 40)}
    np.testing.assert_array_equal(values["beta"], positions[..., 1:4])
    np.testing.assert_allclose(values["sigma"], np.exp(positions[..., 4]), rtol=1e-15)
    mean = positions[..., :1] + positions[..., 1:4] @ np.array(DATA["x"]).T
    expected = stats.norm.logpdf(DATA["y"], mean, values["sigma"][..., None])
    np.testing.assert_allclose(values["log_lik"], expected, rtol=1e-10)
    again, other = density.values(positions, seed=8), density.values(positions, seed=9)
    for name in values:
        np.testing.assert_array_equal(values[name], again[name])
        assert np.array_equal(values[name], other[name]) == (name != "y_rep")


def test_values_come_in_parts_and_only_those_that_are_kept(monkeypatch: pytest.MonkeyPatch, density: Density):
    positions = np.random.default_rng(2).normal(size=(1, 50, 5))
    whole = density.values(positions, seed=8)
    expected = density.with_gradient(positions[0])
    monkeypatch.setattr(module, "_CHUNK", 7 * 85)
    with stan_density(Model(outputs=("y_rep", "sigma")), seed=4) as kept:
        found = kept.values(positions, seed=8)
        assert {name: array.shape for name, array in kept.values(positions[:, :0], seed=8).items()} == {
            "y_rep": (1, 0, 40), "sigma": (1, 0)
        }  # fmt: skip
    monkeypatch.setattr(module, "_CHUNK", 7 * 5)
    for mine, other in zip(density.with_gradient(positions[0]), expected, strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_allclose(density(positions[0]), expected[0], rtol=1e-12)
    assert list(found) == ["y_rep", "sigma"]
    for name in found:
        np.testing.assert_array_equal(found[name], whole[name])


@pytest.mark.parametrize(("init", "width"), [(None, 2), (0.25, 0.25), (0, 0)])
def test_starts_that_stan_would_draw(density: Density, init: float | None, width: float):
    with stan_density(Model(init=init), seed=4) as one:
        starts = one.start(np.random.default_rng(5), 2000)
    assert starts.shape == (2000, 5)
    assert (np.abs(starts) <= width).all()
    if width:
        assert stats.kstest(starts.ravel(), stats.uniform(-width, 2 * width).cdf).pvalue > 1e-7


def test_starts_that_the_model_gives():
    def init(rng: np.random.Generator) -> dict[str, Any]:
        return {"beta": rng.normal(size=3), "sigma": rng.uniform(1, 2)}

    with stan_density(Model(init=init), seed=4) as density:
        starts = density.start(np.random.default_rng(5), 40)
        np.testing.assert_array_equal(starts, density.start(np.random.default_rng(5), 40))
    assert ((starts[:, 4] > 0) & (starts[:, 4] < np.log(2))).all()
    assert len(np.unique(starts[:, 0])) == 40  # the rest is drawn
    assert (np.abs(starts[:, 0]) <= 2).all()


BAD_STARTS = {
    "misspelt": ({"sgima": 1}, r"start value 'sgima': the program has no such parameter; correct --init"),
    "shape": ({"beta": [1, 2]}, r"start value 'beta' must have size 3, but has size 2.*; correct --init"),
    "constraint": ({"sigma": -2}, r"start values do not fit the program: .* is -2, but must be .*; correct --init"),
}


@pytest.mark.parametrize("name", BAD_STARTS)
def test_starts_that_do_not_fit(name: str):
    init, words = BAD_STARTS[name]
    with pytest.raises(DataError, match=words), stan_density(Model(init=init), seed=4) as density:
        density.start(np.random.default_rng(5), 1)


BAD_DATA = {
    "missing": ({"N": 2, "K": 1, "y": [1, 2]}, DataError, "the data have no 'x'"),
    "value": ({**DATA, "K": 0}, DataError, "K is 0, but must be greater than or equal to 1"),
    "shape": ({**DATA, "N": 39}, DataError, "'x' must have size 39 x 3, but has size 40 x 3"),
    "not a number": ({**DATA, "y": [np.nan] * 40}, None, ""),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data(name: str):
    data, error, words = BAD_DATA[name]
    if error:
        with pytest.raises(error, match=words), stan_density(Model(data=data), seed=4):
            pass
        return
    with stan_density(Model(data=data), seed=4) as density:
        points = density.start(np.random.default_rng(1), 5)
        assert (density(points) == -np.inf).all()


def test_programs_without_a_density(tmp_path: Path):
    program = tmp_path / "none.stan"
    program.write_text("generated quantities { real x = normal_rng(0, 1); }")
    with pytest.raises(ConfigError, match="has no parameters"), stan_density(Model(str(program)), seed=1):
        pass
    with pytest.raises(ConfigError), stan_density(Model(str(tmp_path / "no.stan")), seed=1):
        pass
    program.write_text("parameters { real x }")
    with pytest.raises(ProgramError, match=r"none\.stan has an error"), stan_density(Model(str(program)), seed=1):
        pass


def test_a_home_without_the_method_gives_way_to_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    ours = module.ensure_home("wheel")
    asked = []

    def ensure(source: str = "auto"):
        asked.append(source)
        return ours if source == "wheel" else replace(ours, path=tmp_path, origin="CMDSTAN")

    monkeypatch.setattr(module, "ensure_home", ensure)
    with stan_density(Model(), seed=4) as density:
        assert np.isfinite(density(np.zeros((1, 5)))).all()
    assert asked == ["auto", "wheel"]


def test_a_process_that_is_killed_is_told_and_replaced():
    with stan_density(Model(), seed=4) as density:
        (process,) = density.log_density.__self__.evaluator._running
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(InferenceError, match="ended by the signal SIGKILL, most likely for lack of memory"):
            density.log_density(np.zeros((1, 5)))
        assert np.isfinite(density(np.zeros((1, 5)))).all()
    with pytest.raises(ProgramError, match="closed"):
        density(np.zeros((1, 5)))


def test_a_program_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, density: Density):
    said = "Exception: linreg_model_namespace::log_prob: accessing element out of range. (in 'linreg.stan', line 3)"

    def fail(points: np.ndarray):
        raise EvaluationError(said)

    monkeypatch.setattr(density.log_density.__self__.evaluator, "log_density", fail)
    with pytest.raises(
        ProgramError, match=r"^the program fails: accessing element .*; correct the program, or"
    ) as told:
        density.log_density(np.zeros((1, 5)))
    assert "namespace" not in str(told.value)


def test_many_threads_and_no_leftovers(tmp_path: Path):
    with stan_density(Model(), seed=4, output_dir=tmp_path, threads=1) as density:
        points = np.random.default_rng(1).normal(size=(6, 100, 5))
        expected = [density(part) for part in points]
        found: dict[int, np.ndarray] = {}
        threads = [
            threading.Thread(target=lambda place: found.__setitem__(place, density(points[place])), args=(place,))
            for place in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for place in range(6):
            np.testing.assert_array_equal(found[place], expected[place])
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_the_weather_model_has_its_density_and_outputs():
    data = bk.load_weather(Path(__file__).parents[2] / "data" / "seattle-weather.csv", days=60)
    model = bk.weather(data)
    with stan_density(model, seed=1) as density:
        points = density.start(np.random.default_rng(1), 8)
        found, gradients = density.with_gradient(points)
        assert np.isfinite(found).all()
        step = 1e-5 * np.eye(density.n_dims)
        slopes = np.stack([(density(points + axis) - density(points - axis)) / 2e-5 for axis in step], axis=1)
        np.testing.assert_allclose(gradients, slopes, rtol=1e-4, atol=1e-3)
        values = density.values(points.reshape(2, 4, -1), seed=1)
    assert list(values) == list(model.outputs)
    assert values["mu"].shape == (2, 4, 60)
    assert model.groups(values)["posterior"]["s_mu"].shape == (2, 4)
