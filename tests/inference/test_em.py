"""The loop of EM on models small enough to know the answer: restarts, stopping, what it says and what it keeps."""

import numpy as np
import pytest

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.inference.em import EMConfig, fit_em


class Linkage:
    """Rao's genetic linkage, the first example of Dempster, Laird and Rubin (1977): cells (2 + t, 1 - t, 1 - t, t) / 4.

    The maximum is the positive root of 197 t^2 - 15 t - 68 = 0.
    """

    counts = np.array([125.0, 18.0, 20.0, 34.0])
    answer = (15 + np.sqrt(15**2 + 4 * 197 * 68)) / (2 * 197)
    n_points = 197

    def start(self, rng, number):
        return rng.uniform(0.05, 0.95)

    def rehearsal(self, rng):
        return self

    def step(self, t):
        hidden = self.counts[0] * t / (2 + t)
        chances = np.array([2 + t, 1 - t, 1 - t, t]) / 4
        return (hidden + 34) / (hidden + 72), float(self.counts @ np.log(chances))

    def collapsed(self, t):
        return np.array([False, False])

    def values(self, t):
        return {"t": np.asarray(t)}

    def frame(self, t):
        return {"weights": np.array([t, 1 - t])}


class Scripted:
    """Runs whose log likelihoods are given: one list a start, and which of the starts collapse."""

    n_points = 1

    def __init__(self, *paths, collapsing=()):
        self.paths, self.collapsing = paths, collapsing

    def start(self, rng, number):
        return number, 0

    def rehearsal(self, rng):
        return self

    def step(self, state):
        number, place = state
        path = self.paths[number]
        return (number, place + 1), path[min(place, len(path) - 1)]

    def collapsed(self, state):
        return np.array([state[0] in self.collapsing, False])

    def values(self, state):
        return {"number": np.asarray(float(state[0])), "place": np.asarray(float(state[1]))}

    def frame(self, state):
        return {"weights": np.array([1.0, 0.0]), "place": np.array(state[1])}


class Stochastic:
    """The mean of normal numbers by batches: each moves the mean by its share."""

    def __init__(self, values):
        self.y, self.n_points = values, len(values)

    def start(self, rng, number):
        return 0.0

    def rehearsal(self, rng):
        return self

    def step(self, mean):
        return self.y.mean(), -0.5 * float(((self.y - mean) ** 2).sum())

    def batches(self, size, rng):
        yield from np.array_split(rng.permutation(self.y), self.n_points // size)

    def batch_step(self, mean, batch, rate):
        return (1 - rate) * mean + rate * batch.mean(), -0.5 * float(((batch - mean) ** 2).mean())

    def collapsed(self, mean):
        return np.array([False])

    def values(self, mean):
        return {"mean": np.asarray(mean)}

    def frame(self, mean):
        return {"weights": np.array([1.0])}


@pytest.mark.parametrize("restarts", [1, 5])
def test_it_finds_the_known_maximum_and_tells_what_it_did(restarts):
    draws = fit_em(Linkage(), EMConfig(restarts=restarts, tolerance=1e-15), seed=3)
    assert draws.kind == "point"
    assert draws.values["t"].shape == (1, 1)
    assert draws.values["t"][0, 0] == pytest.approx(Linkage.answer, abs=1e-7)
    said = draws.engine
    assert said["converged"] is True
    assert said["log_likelihood"] == draws.groups["history"]["log_likelihood"][-1]
    assert said["n_iterations"] == len(draws.groups["history"]["log_likelihood"])
    assert said["largest_decrease"] <= 1e-15
    assert (said["restarts"], said["restarts_collapsed"], said["collapsed"], said["empty"]) == (restarts, 0, 0, 0)


def test_the_history_climbs_and_its_last_frame_is_the_result():
    draws = fit_em(Linkage(), EMConfig(restarts=3, tolerance=1e-12), seed=1)
    history = draws.groups["history"]
    assert (np.diff(history["log_likelihood"]) > -1e-12).all()
    assert history["frame_iteration"][0] == 0
    assert history["frame_iteration"][-1] == len(history["log_likelihood"]) - 1
    assert history["frame_weights"][-1, 0] == draws.values["t"][0, 0]
    assert Linkage().step(history["frame_weights"][0, 0])[1] == pytest.approx(history["log_likelihood"][0], abs=1e-12)


def test_frames_of_a_long_run_are_the_first_ones_and_then_fewer():
    draws = fit_em(Scripted(-1 / np.arange(1.0, 3000)), EMConfig(restarts=1, tolerance=1e-6), seed=1)
    history = draws.groups["history"]
    places = history["frame_iteration"]
    assert draws.engine["n_iterations"] == len(history["log_likelihood"]) > 900
    assert len(places) <= 60
    np.testing.assert_array_equal(places[:20], np.arange(20))
    np.testing.assert_array_equal(history["frame_place"], places)
    assert len(np.unique(np.diff(places[20:-1]))) == 1
    assert (np.diff(places) > 0).all()


def test_the_most_likely_restart_is_taken():
    draws = fit_em(Scripted([-3.0, -2.0], [-3.0, -1.0], [-3.0, -2.5]), EMConfig(restarts=3), seed=1)
    assert draws.values["number"][0, 0] == 1
    assert draws.engine["log_likelihood"] == -1


def test_a_collapsed_restart_is_not_taken_for_its_likelihood():
    model = Scripted([-3.0, -2.0], [-3.0, 5.0], [-3.0, -2.5], collapsing=(1,))
    draws = fit_em(model, EMConfig(restarts=3), seed=1)
    assert draws.values["number"][0, 0] == 0
    assert (draws.engine["collapsed"], draws.engine["restarts_collapsed"]) == (0, 1)


def test_where_all_collapse_the_result_says_so():
    draws = fit_em(Scripted([-3.0, -2.0], [-3.0, 5.0], collapsing=(0, 1)), EMConfig(restarts=2), seed=1)
    assert draws.values["number"][0, 0] == 1
    assert (draws.engine["collapsed"], draws.engine["restarts_collapsed"]) == (1, 2)
    np.testing.assert_array_equal(draws.engine["collapsed_points"], [1.0])


def test_a_log_likelihood_that_falls_is_seen():
    said = fit_em(Scripted([-3.0, -2.0, -2.25, -1.0]), EMConfig(restarts=1), seed=1).engine
    assert said["largest_decrease"] == 0.25


def test_a_run_that_is_cut_short_says_that_it_did_not_converge():
    said = fit_em(Linkage(), EMConfig(restarts=1, max_iterations=3, tolerance=1e-12), seed=1).engine
    assert said["converged"] is False
    assert said["n_iterations"] == 3
    assert "more than the tolerance" in said["message"]


def test_a_log_likelihood_that_is_no_number_ends_it():
    with pytest.raises(InferenceError, match="log likelihood is nan after 1 steps"):
        fit_em(Scripted([-3.0, np.nan]), EMConfig(restarts=1), seed=1)


def test_the_same_seed_gives_the_same_bits_and_starts_do_not_depend_on_their_number():
    seen = []

    class Watched(Linkage):
        def start(self, rng, number):
            seen.append(super().start(rng, number))
            return seen[-1]

    results = [fit_em(Watched(), EMConfig(restarts=n), seed=5).values["t"] for n in (2, 2, 4)]
    assert results[0] == results[1]
    assert seen[:2] == seen[2:4] == seen[4:6]
    assert len(set(seen)) == 4


def test_batches_arrive_and_claim_no_monotone_climb():
    values = np.random.default_rng(2).normal(1.5, 1.0, 4000)
    draws = fit_em(Stochastic(values), EMConfig(batch_size=100, tolerance=1e-4), seed=2)
    assert draws.engine["converged"]
    assert "largest_decrease" not in draws.engine
    # A share of about 1e-2 of each batch: the standard error of its noise is some sqrt(1e-2 / 2 / 100).
    assert draws.values["mean"][0, 0] == pytest.approx(values.mean(), abs=6 * 0.007)
    assert draws.engine["log_likelihood"] == Stochastic(values).step(draws.values["mean"][0, 0])[1]


def test_progress_ends_with_all_done_and_never_goes_back():
    told = []
    fit_em(Linkage(), EMConfig(restarts=3), seed=1, progress=lambda done, total: told.append((done, total)))
    done = [at for at, _ in told]
    assert told[-1][0] == told[-1][1]
    assert done == sorted(done)
    assert len(told) < 20


@pytest.mark.parametrize(
    "option", [{"restarts": 0}, {"max_iterations": 0}, {"tolerance": 0}, {"batch_size": 0}, {"device": "tpu"}]
)
def test_options_that_make_no_sense_are_refused(option):
    with pytest.raises(ConfigError, match=next(iter(option))):
        EMConfig(**option)
