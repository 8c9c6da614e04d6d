"""The loop of coordinate ascent: starts, annealing, stopping and what it says; on models whose answer is known."""

import threading

import numpy as np
import pytest

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference.vb import VBConfig, fit_vb


class NormalPair:
    """A normal density of two correlated numbers, by two normal factors: Bishop (2006), section 10.1.2."""

    n_factors, moves = 2, 3
    mean, precision = np.array([1.0, -2.0]), np.array([[2.0, 1.2], [1.2, 3.0]])

    def start(self, number, rng):
        return rng.normal(0, 10, 2)

    def step(self, means, inverse_temperature=1.0):
        first = self.mean[0] - self.precision[0, 1] / self.precision[0, 0] * (means[1] - self.mean[1])
        second = self.mean[1] - self.precision[0, 1] / self.precision[1, 1] * (first - self.mean[0])
        after = np.array([first, second])
        return after, self.bound(after)

    def bound(self, means):
        off = means - self.mean
        # Expected log density plus entropy, variances being one over the diagonal of the precision.
        return float(-0.5 * off @ self.precision @ off - 0.5 * np.log(self.precision.diagonal()).sum())

    def propose(self, means, rng):
        return means + rng.normal(0, 10, 2)

    def draw(self, means, n, rng):
        scale = self.precision.diagonal() ** -0.5
        noise = rng.standard_normal((n, 2))
        x = means + scale * noise
        log_p = -0.5 * np.einsum("ni,ij,nj->n", x - self.mean, self.precision, x - self.mean)
        return {"x": x}, log_p, -0.5 * (noise**2).sum(axis=1) - np.log(scale).sum()


class Scripted:
    """Runs whose bounds are given: one list a start. Notes what it is asked."""

    def __init__(self, *paths, n_factors=1, most_draws=10_000, after=()):
        """With ``after``, the paths that moves lead to."""
        self.paths, self.n_factors, self.most_draws = [*paths, *after], n_factors, most_draws
        self.moves, self.proposed = len(after), len(paths)
        self.asked, self.lock = [], threading.Lock()

    def start(self, number, rng):
        return number, 0

    def step(self, state, inverse_temperature=1.0):
        number, place = state
        with self.lock:
            self.asked.append((number, inverse_temperature))
        if inverse_temperature < 1:
            return state, -np.inf
        path = self.paths[number]
        return (number, place + 1), path[min(place, len(path) - 1)]

    def propose(self, state, rng):
        self.proposed += 1
        return min(self.proposed, len(self.paths)) - 1, 0

    def draw(self, state, n, rng):
        n = min(n, self.most_draws)
        return {"number": np.full(n, float(state[0]))}, np.zeros(n), np.zeros(n)


def climbing(limit, rate=0.5, steps=400):
    return list(limit - rate ** np.arange(steps))


def test_it_finds_the_known_factors_and_tells_what_it_did():
    draws = fit_vb(NormalPair(), VBConfig(tolerance=1e-14, draws=20_000), seed=3)
    assert draws.kind == "variational"
    assert draws.values["x"].shape == (1, 20_000, 2)
    assert draws.sample_stats["log_p"].shape == draws.sample_stats["log_q"].shape == (1, 20_000)
    x, scale = draws.values["x"][0], NormalPair.precision.diagonal() ** -0.5
    assert (np.abs(x.mean(axis=0) - NormalPair.mean) < 6 * scale / np.sqrt(20_000)).all()
    assert (np.abs(x.std(axis=0) / scale - 1) < 6 / np.sqrt(2 * 20_000)).all()
    said, history = draws.engine, draws.groups["history"]["elbo"]
    assert said["converged"] is True
    assert said["elbo"] == history[-1] == pytest.approx(NormalPair().bound(NormalPair.mean), abs=1e-12)
    assert said["n_iterations"] == len(history)
    assert said["largest_decrease"] <= 1e-14
    assert said["restarts"] == 5
    assert "note" not in said
    assert set(draws.timings) == {"compile", "optimize", "sampling"}


def test_the_start_with_the_greatest_bound_is_taken():
    draws = fit_vb(Scripted(climbing(-3.0), climbing(-1.0), climbing(-2.0)), VBConfig(restarts=3), seed=1)
    assert draws.values["number"][0, 0] == 1
    assert draws.engine["start"] == 1
    assert draws.engine["elbo"] == pytest.approx(-1, abs=1e-6)


def test_half_of_the_starts_are_given_up_time_and_again():
    slow = [climbing(-float(rank), rate=0.97) for rank in range(8)]
    model = Scripted(*slow)
    fit_vb(model, VBConfig(restarts=8, annealing=0, tolerance=1e-6), seed=1)
    steps = np.bincount([number for number, _ in model.asked])
    np.testing.assert_array_equal(steps[1:], [40, 20, 20, 10, 10, 10, 10])
    assert steps[0] > 100


def test_a_start_that_overtakes_in_time_is_kept():
    late = [-5.0] * 8 + [-0.5]
    draws = fit_vb(Scripted(climbing(-1.0), late, climbing(-2.0)), VBConfig(restarts=3, tolerance=1e-9), seed=1)
    assert draws.engine["start"] == 0  # it stood still, and counts as converged
    moving = [*(-5.0 + 1e-3 * np.arange(8)), -0.5]
    draws = fit_vb(Scripted(climbing(-1.0), moving, climbing(-2.0)), VBConfig(restarts=3, tolerance=1e-9), seed=1)
    assert draws.engine["start"] == 1


def test_first_steps_are_annealed_and_not_in_the_history():
    model = Scripted(climbing(-1.0))
    draws = fit_vb(model, VBConfig(restarts=1, annealing=4), seed=1)
    temperatures = [temperature for _, temperature in model.asked]
    np.testing.assert_allclose(temperatures[:4], [0.8, 0.85, 0.9, 0.95])
    assert set(temperatures[4:]) == {1.0}
    assert draws.engine["n_iterations"] == len(temperatures) - 4
    assert np.isfinite(draws.groups["history"]["elbo"]).all()


def test_a_bound_that_falls_is_seen():
    said = fit_vb(Scripted([-3.0, -2.0, -2.5, -1.0], n_factors=2), VBConfig(restarts=1), seed=1).engine
    assert said["largest_decrease"] == 0.25


def test_the_tolerance_is_by_factor():
    counts = [
        fit_vb(Scripted(climbing(-1.0), n_factors=n), VBConfig(restarts=1, tolerance=1e-6), seed=1).engine[
            "n_iterations"
        ]
        for n in (1, 1024)
    ]
    assert counts[0] - counts[1] == 10


def test_moves_that_end_higher_are_taken_and_no_others():
    after = [[-9.0, -2.0, -2.0], [-9.0, -0.5, -0.4, -0.4], [-9.0, -0.6, -0.6]]
    model = Scripted([-3.0, -1.0, -1.0], after=after)
    draws = fit_vb(model, VBConfig(restarts=1, annealing=2), seed=1)
    assert draws.values["number"][0, 0] == 2
    assert draws.engine["elbo"] == -0.4
    assert draws.engine["moves"] == 1
    assert draws.engine["largest_decrease"] == 0
    assert draws.engine["converged"]
    history = draws.groups["history"]["elbo"]
    assert (np.diff(history) >= 0).all()
    assert model.proposed == 1 + 2 + 3  # three in a row have not helped
    assert fit_vb(Scripted([-3.0, -1.0, -1.0], after=after), VBConfig(restarts=1, moves=0), seed=1).engine["elbo"] == -1


def test_a_move_that_will_not_get_there_is_given_up():
    hopeless, slow = list(-9 + 1e-3 * np.arange(40)), list(-2 + 0.06 * np.arange(40))
    model = Scripted([-3.0, -1.0, -1.0], after=[hopeless, slow])
    draws = fit_vb(model, VBConfig(restarts=1, moves=2), seed=1)
    steps = np.bincount([number for number, _ in model.asked])
    assert steps[1] == 5
    assert draws.values["number"][0, 0] == 2


def test_a_fall_after_a_move_is_seen():
    model = Scripted([-3.0, -1.0, -1.0], after=[[-2.0, -2.5, -2.5]])
    assert fit_vb(model, VBConfig(restarts=1), seed=1).engine["largest_decrease"] == 0.5


def test_a_run_that_is_cut_short_says_that_it_did_not_converge():
    said = fit_vb(Scripted(climbing(-1.0)), VBConfig(restarts=1, max_iterations=3), seed=1).engine
    assert said["converged"] is False
    assert said["n_iterations"] == 3
    assert "more than the tolerance 1e-07" in said["message"]
    many = Scripted(climbing(-1.0), climbing(-2.0))
    assert fit_vb(many, VBConfig(restarts=2, max_iterations=3), seed=1).engine["n_iterations"] == 3


def test_a_bound_that_is_no_number_ends_it():
    with pytest.raises(InferenceError, match="lower bound is nan after 2 steps"):
        fit_vb(Scripted([-1.0, np.nan], [-1.0]), VBConfig(restarts=2), seed=1)


def test_fewer_draws_than_asked_for_are_told_of():
    draws = fit_vb(Scripted(climbing(-1.0), most_draws=100), VBConfig(restarts=1), seed=1)
    assert draws.values["number"].shape == (1, 100)
    assert draws.engine["note"] == "100 draws instead of 1000, for the size of the data"


def test_seeds_and_cores_and_numbers_of_starts(monkeypatch):
    started = []

    class Watched(NormalPair):
        def start(self, number, rng):
            started.append(super().start(number, rng))
            return started[-1]

    results = []
    for cores, restarts in ((1, 2), (4, 2), (4, 4)):
        monkeypatch.setattr("bayeskit.inference._executors.n_cores", lambda n=cores: n)
        results.append(fit_vb(Watched(), VBConfig(restarts=restarts), seed=5).values["x"])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(started[:2], started[2:4])
    np.testing.assert_array_equal(started[:2], started[4:6])
    assert (fit_vb(Watched(), VBConfig(restarts=2), seed=6).values["x"] != results[0]).any()


def test_progress_ends_with_all_done_and_never_goes_back():
    told = []
    fit_vb(NormalPair(), seed=1, progress=lambda done, total: told.append((done, total)))
    done, total = np.array(told).T
    assert (np.diff(done) >= 0).all()
    assert done[-1] == total[-1] == total[0]


@pytest.mark.parametrize("wrong", [{"restarts": 0}, {"tolerance": 0}, {"annealing": -1}, {"draws": 0}], ids=str)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        VBConfig(**wrong)
