"""The loop of alternating minimisation on two numbers, where every epoch is known: half-steps, stopping, words."""

from dataclasses import dataclass

import numpy as np
import pytest

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference.alternating import ALSConfig, GDConfig, NMFConfig, fit_alternating

COUPLING = 0.8
RATE = COUPLING**2
"""By which the distance from the minimum shrinks in an epoch of exact half-steps."""


@dataclass(frozen=True)
class Bowl:
    """``(x^2 + y^2) / 2 - coupling x y - (1 - coupling) (x + y) + 2 - coupling``, least at (1, 1), where it is 1."""

    called_with: dict
    blocks = ("x", "y")

    def start(self, rng):
        return {"x": rng.uniform(2, 3), "y": rng.uniform(2, 3)}

    def _slope(self, state, block):
        other = state["y" if block == "x" else "x"]
        return state[block] - COUPLING * other - (1 - COUPLING)

    def solve(self, state, block):
        return {**state, block: state[block] - self._slope(state, block)}

    def descend(self, state, block, learning_rate):
        return {
            **state,
            block: state[block] - (0.5 if learning_rate is None else learning_rate) * self._slope(state, block),
        }

    def project(self, state, block):
        return {**state, block: max(0.0, state[block] - self._slope(state, block))}

    def loss(self, state):
        x, y = state["x"], state["y"]
        return (x**2 + y**2) / 2 - COUPLING * x * y - (1 - COUPLING) * (x + y) + 2 - COUPLING

    def errors(self, state):
        return {"away": abs(state["x"] - 1)}

    def values(self, state):
        return {"x": state["x"], "both": np.array([state["x"], state["y"]])}

    def groups(self, state):
        return {"factors": {"rows": np.array([[[state["y"]]]])}}

    def said(self, state):
        return {"outside": 0.25}


class Model:
    def __init__(self, objective=Bowl):
        self._objective = objective

    def objective(self, **options):
        self.made = self._objective(options)
        return self.made


class Uncertain(Bowl):
    def loss(self, state):
        return np.nan


class Uphill(Bowl):
    """A gradient of the wrong sign."""

    def descend(self, state, block, learning_rate):
        return super().descend(state, block, -0.5 if learning_rate is None else -learning_rate)


def test_exact_half_steps_converge_at_the_rate_of_the_coupling():
    away = fit_alternating(Model(), ALSConfig(max_iterations=20, tolerance=0), seed=1).groups["history"]["away"]
    assert len(away) == 20
    np.testing.assert_allclose(away[1:] / away[:-1], RATE, rtol=1e-6)


def test_each_method_takes_half_steps_of_its_own():
    x, y = fit_alternating(Model(), ALSConfig(max_iterations=1), seed=3).values["both"][0, 0]
    start = Bowl({}).start(np.random.default_rng(np.random.SeedSequence(3)))
    assert x == pytest.approx(COUPLING * start["y"] + 1 - COUPLING)
    assert y == pytest.approx(COUPLING * x + 1 - COUPLING)
    half = fit_alternating(Model(), GDConfig(max_iterations=1), seed=3).values["x"].item()
    assert half == pytest.approx((start["x"] + x) / 2)
    fifth = fit_alternating(Model(), GDConfig(max_iterations=1, learning_rate=0.2), seed=3).values["x"].item()
    assert fifth == pytest.approx(0.8 * start["x"] + 0.2 * x)

    class Below(Bowl):
        def start(self, rng):
            return {"x": 0.0, "y": -3.0}

    assert fit_alternating(Model(Below), NMFConfig(max_iterations=1), seed=3).values["x"].item() == 0.0


@pytest.mark.parametrize(("config", "nonnegative"), [(ALSConfig, False), (GDConfig, False), (NMFConfig, True)])
def test_the_model_is_told_what_to_minimise(config, nonnegative):
    model = Model()
    engine = fit_alternating(model, config(ridge=0.5, missing="mean"), seed=1).engine
    assert model.made.called_with == {"ridge": 0.5, "missing": "mean", "nonnegative": nonnegative}
    assert (engine["method"], engine["missing"], engine["ridge"]) == (config.method, "mean", 0.5)


def test_a_run_ends_when_an_epoch_changes_the_loss_by_no_larger_a_share():
    draws = fit_alternating(Model(), ALSConfig(tolerance=1e-4), seed=1)
    loss, engine = draws.groups["history"]["loss"], draws.engine
    shares = -np.diff(loss) / loss[:-1]
    assert len(loss) == engine["n_iterations"] < 100
    assert shares[-1] <= 1e-4 < shares[:-1].min()
    assert engine["converged"]
    assert engine["message"] == f"epoch {len(loss)} changed the loss by a share of {shares[-1]:.2g}"
    assert engine["loss"] == loss[-1]
    assert engine["largest_increase"] == 0.0


def test_a_run_that_ends_too_soon_says_so():
    engine = fit_alternating(Model(), ALSConfig(max_iterations=3), seed=1).engine
    assert not engine["converged"]
    assert engine["n_iterations"] == 3
    assert "more than the tolerance 1e-05" in engine["message"]


@pytest.mark.parametrize(("epochs", "converged"), [(100, True), (3, False)])
def test_without_a_tolerance_all_epochs_are_made_and_the_last_is_judged(epochs, converged):
    engine = fit_alternating(Model(), GDConfig(max_iterations=epochs, tolerance=0), seed=1).engine
    assert engine["n_iterations"] == epochs
    assert engine["converged"] is converged


def test_the_result_is_one_point_with_what_the_model_adds():
    draws = fit_alternating(Model(), ALSConfig(), seed=1)
    assert draws.kind == "point"
    assert {name: value.shape for name, value in draws.values.items()} == {"x": (1, 1), "both": (1, 1, 2)}
    assert set(draws.groups) == {"factors", "history"}
    assert set(draws.groups["history"]) == {"loss", "away"}
    assert draws.engine["outside"] == 0.25
    assert not draws.sample_stats
    assert set(draws.timings) == {"compile", "optimising"}


def test_a_step_that_is_too_long_diverges_and_the_error_names_it():
    with pytest.raises(
        InferenceError, match=r"gd diverges: .* after epoch 1, .*; give a learning_rate below 2.5, or none"
    ):
        fit_alternating(Model(), GDConfig(learning_rate=2.5), seed=1)
    fit_alternating(Model(), GDConfig(learning_rate=1.5), seed=1)


def test_a_gradient_of_the_wrong_sign_is_caught():
    with pytest.raises(InferenceError, match="gd diverges"):
        fit_alternating(Model(Uphill), GDConfig(), seed=1)


def test_a_loss_that_is_no_number_is_an_error():
    with pytest.raises(InferenceError, match="als diverges: the loss is nan"):
        fit_alternating(Model(Uncertain), ALSConfig(), seed=1)


def test_a_loss_that_rose_on_the_way_is_told():
    class Bumpy(Bowl):
        losses = iter([4.0, 2.0, 3.0, 1.0])

        def loss(self, state):
            return next(self.losses)

    assert fit_alternating(Model(Bumpy), ALSConfig(max_iterations=3), seed=1).engine["largest_increase"] == 0.5


def test_equal_seeds_give_equal_bits_and_others_do_not():
    loss = [fit_alternating(Model(), ALSConfig(), seed=seed).groups["history"]["loss"] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(loss[0], loss[1])
    assert loss[0][0] != loss[2][0]


def test_progress_ends_at_the_total():
    told = []
    fit_alternating(
        Model(), ALSConfig(max_iterations=50), seed=1, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (50, 50)


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (ALSConfig, {"ridge": 0.0}, "option 'ridge'"),
        (GDConfig, {"learning_rate": 0.0}, "option 'learning_rate'"),
        (ALSConfig, {"learning_rate": 0.1}, "option 'learning_rate'"),
        (NMFConfig, {"missing": "median"}, "option 'missing'"),
        (GDConfig, {"tolerance": -1e-3}, "option 'tolerance'"),
        (NMFConfig, {"max_iterations": 0}, "option 'max_iterations'"),
    ],
)
def test_options_that_make_no_sense_are_refused(config, options, message):
    with pytest.raises(ConfigError, match=message):
        config(**options)


def test_tensors_keep_to_one_thread_as_long_as_it_takes():
    import torch

    threads = set()

    class Watched(Bowl):
        def solve(self, state, block):
            threads.add(torch.get_num_threads())
            return super().solve(state, block)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        fit_alternating(Model(Watched), ALSConfig(), seed=1)
        assert threads == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
