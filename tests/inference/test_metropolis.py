"""Metropolis: right answers where they are known, the same bits however it is run, and clear errors.

Failure rates: z-scores are compared with 6.5 standard errors, a rate of 1e-10 each, so that all of this file's together
stay below 1e-7 with room for errors of the standard errors themselves.
"""

import signal
import threading

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.diagnostics.acceptance import acceptance_verdict
from bayeskit.diagnostics.chains import effective_size, in_order, mixing
from bayeskit.inference import _chains, metropolis
from bayeskit.inference._streams import BlockStreams
from bayeskit.inference.metropolis import MetropolisConfig, fit_metropolis

LIMIT = 6.5


def gaussian(n_dims, correlation=0.9, by_row=True):
    """Return N(0, correlation to the power of the distance).

    ``by_row`` computes every row by itself, to the last digit, so that blocks can be compared bit for bit.
    """
    places = np.arange(n_dims)
    covariance = correlation ** abs(places[:, None] - places)
    precision = np.linalg.inv(covariance)
    band = [(place, other) for place, other in zip(*np.nonzero(abs(precision) > 1e-9), strict=True)]

    def gradient(points):
        found = np.zeros_like(points)
        for place, other in band:
            found[:, place] -= precision[place, other] * points[:, other]
        return found

    def log_density(points):
        return 0.5 * (points * gradient(points)).sum(axis=1)

    if not by_row:
        return Density(lambda points: -0.5 * np.vecdot(points @ precision, points), {"x": (n_dims,)})
    return Density(log_density, {"x": (n_dims,)}, gradient=lambda points: (log_density(points), gradient(points)))


def two_modes(distance=10.0):
    """0.3 N(-distance, 0.5²) + 0.7 N(distance, 1)."""

    def log_density(points):
        x = points[:, 0]
        left = np.log(0.3 / 0.5) - 0.5 * ((x + distance) / 0.5) ** 2
        return np.logaddexp(left, np.log(0.7) - 0.5 * (x - distance) ** 2)

    return Density(log_density, {"x": ()}, start=lambda rng, n: rng.normal(0, 2 * distance, (n, 1)))


def mixed():
    """k ~ Bernoulli(0.3), n ~ Poisson(4) and y | k ~ N(2 k, 1), by themselves."""

    def log_density(points):
        k, n, y = points.T
        return k * np.log(0.3) + (1 - k) * np.log(0.7) + stats.poisson.logpmf(n, 4) - 0.5 * (y - 2 * k) ** 2

    shapes = {"k": (), "n": (), "y": ()}
    return Density(log_density, shapes, lower=[0, 0, -np.inf], upper=[1, np.inf, np.inf], integer=[True, True, False])


def run(density, seed=1, **options):
    return fit_metropolis(density, MetropolisConfig(**{"thin": 1, **options}), seed=seed)


def z_scores(values, expected):
    """Return how many Monte Carlo standard errors a mean lies off, of ``n_chains x n_draws``."""
    values = np.asarray(values, dtype=float)
    error = values.std() / np.sqrt(effective_size(values[None])[0])
    return abs(values.mean() - expected) / error


def worst_moment(draws, n_dims):
    """Return the worst z-score of means, variances and neighbours' products of a correlated Gaussian."""
    x = draws.values["x"]
    scores = [z_scores(x[..., place], 0) for place in range(n_dims)]
    scores += [z_scores(x[..., place] ** 2, 1) for place in range(n_dims)]
    scores += [z_scores(x[..., place] * x[..., place + 1], 0.9) for place in range(n_dims - 1)]
    return max(scores)


def r_hat(values):
    cells = np.asarray(values, dtype=float)[None]
    return mixing(cells, in_order(cells))["r_hat"][0]


def broken(monkeypatch):
    """Accept a little too much, as one does who takes a log ratio from the wrong pair of densities."""
    accept = BlockStreams.accept
    monkeypatch.setattr(BlockStreams, "accept", lambda self, log_ratio: accept(self, log_ratio + 0.5))


GAUSSIANS = [
    (1, {"chains": 256, "draws": 500}),
    (2, {"chains": 256, "draws": 500}),
    (50, {"chains": 64, "warmup": 2500, "draws": 2000}),
    (2, {"kernel": "mala", "chains": 256, "draws": 500}),
    (5, {"kernel": "elliptical-slice", "draws": 300, "warmup": 500}),
    (2, {"kernel": "tempering", "replicas": 3, "hottest": 0.1, "draws": 600, "warmup": 200}),
]


@pytest.mark.parametrize(("n_dims", "options"), GAUSSIANS)
def test_moments_of_gaussians(n_dims, options):
    draws = run(gaussian(n_dims, by_row=n_dims < 50), **options)
    assert worst_moment(draws, n_dims) < LIMIT


@pytest.mark.parametrize(("n_dims", "options"), [GAUSSIANS[0], GAUSSIANS[1], GAUSSIANS[3], GAUSSIANS[5]])
def test_a_sampler_that_accepts_too_much_is_caught(n_dims, options, monkeypatch):
    broken(monkeypatch)
    assert worst_moment(run(gaussian(n_dims), **options), n_dims) > LIMIT


def mixed_scores(draws):
    k, n, y = draws.values["k"], draws.values["n"], draws.values["y"]
    counts = [z_scores(n == value, stats.poisson.pmf(value, 4)) for value in range(10)]
    return max(
        [*counts, z_scores(k, 0.3), z_scores(y, 0.6), z_scores(k * y, 0.6), z_scores(k * (n > 4), 0.3 * 0.371163)]
    )


def test_discrete_and_continuous_coordinates_together():
    draws = run(mixed(), chains=256, draws=1000)
    assert draws.values["k"].dtype == draws.values["n"].dtype == np.int64
    assert draws.values["y"].dtype == np.float64
    assert mixed_scores(draws) < LIMIT


def test_a_discrete_sampler_that_accepts_too_much_is_caught(monkeypatch):
    broken(monkeypatch)
    assert mixed_scores(run(mixed(), chains=256, draws=1000)) > LIMIT


def test_whole_numbers_alone_near_and_far_from_each_other():
    counts = Density(
        lambda points: stats.poisson.logpmf(points[:, 0], 100) + stats.poisson.logpmf(points[:, 1], 0.02),
        {"k": (2,)},
        lower=[0, 0],
        integer=[True, True],
    )
    k = run(counts, chains=256, draws=1000).values["k"]
    assert max(z_scores(k[..., 0], 100), z_scores((k[..., 0] - 100) ** 2, 100), z_scores(k[..., 1], 0.02)) < LIMIT


def test_langevin_steps_take_turns_with_steps_on_whole_numbers():
    density = mixed()
    whole = Density(
        density.log_density,
        density.shapes,
        gradient=lambda points: (
            density.log_density(points),
            np.stack([points[:, 0] * 0.0, points[:, 1] * 0.0, 2 * points[:, 0] - points[:, 2]], axis=1),
        ),
        lower=density.lower,
        upper=density.upper,
        integer=density.integer,
    )
    assert mixed_scores(run(whole, kernel="mala", chains=256, draws=1000)) < LIMIT


def test_tempering_of_discrete_and_continuous_coordinates():
    draws = run(mixed(), kernel="tempering", replicas=3, hottest=0.3, warmup=200, draws=600)
    assert mixed_scores(draws) < LIMIT
    assert {"scale_real_1", "scale_whole_1", "scale_real_3", "scale_whole_3"} <= set(draws.engine)


def test_tempering_weighs_modes_that_one_temperature_never_leaves():
    single = run(two_modes(), draws=500)
    assert r_hat(single.values["x"]) > 1.3
    tempered = run(two_modes(), kernel="tempering", replicas=8, hottest=1e-3, warmup=300, draws=1500)
    assert r_hat(tempered.values["x"]) < 1.02
    assert z_scores(tempered.values["x"] < 0, 0.3) < 5
    assert tempered.engine["swap_acceptance"].shape == (7,)
    assert np.ptp(tempered.engine["swap_acceptance"]) < 0.15  # the ladder was cut to equal rates
    assert (np.diff(tempered.engine["inverse_temperatures"]) < 0).all()


def test_a_log_density_is_that_of_its_draw():
    density = gaussian(2)
    for kernel in ("random-walk", "mala", "elliptical-slice", "tempering"):
        draws = run(density, kernel=kernel, chains=70, warmup=50, draws=40, thin=2)
        again = density(draws.values["x"].reshape(-1, 2)).reshape(70, 40)
        np.testing.assert_allclose(draws.sample_stats["lp"], again, rtol=1e-9, atol=1e-12)


def test_what_the_engine_tells():
    draws = run(gaussian(2), chains=130, warmup=100, draws=50)
    assert draws.kind == "mcmc"
    assert draws.values["x"].shape == (130, 50, 2)
    assert {name: array.shape for name, array in draws.sample_stats.items()} == {
        "lp": (130, 50),
        "acceptance_rate": (130, 50),
    }
    assert draws.engine["scale"].shape == (3,)
    assert draws.engine["start_attempts"].tolist() == [1] * 130
    assert draws.engine["kernel"] == "random-walk"
    assert draws.engine["mean_acceptance"] == pytest.approx(draws.sample_stats["acceptance_rate"].mean())
    assert set(draws.timings) == {"compile", "warmup", "sampling"}
    for entry in draws.engine.values():
        assert np.isscalar(entry) or (isinstance(entry, np.ndarray) and entry.ndim == 1)


def test_a_sampler_without_rejections_tells_no_acceptance():
    draws = run(gaussian(2), kernel="elliptical-slice", chains=8, warmup=50, draws=20)
    assert set(draws.sample_stats) == {"lp"}
    assert "mean_acceptance" not in draws.engine


@pytest.mark.parametrize(
    ("kernel", "n_dims"),
    [
        *(("random-walk", n_dims) for n_dims in (1, 2, 5, 50)),
        *(("mala", n_dims) for n_dims in (1, 2, 8)),
        *((kernel, n_dims) for kernel in ("elliptical-slice", "tempering") for n_dims in (1, 8)),
    ],
)
def test_the_same_bits_from_any_number_of_blocks_and_threads(kernel, n_dims, monkeypatch):
    options = {"kernel": kernel, "warmup": 40, "draws": 10, "replicas": 3}
    one = run(gaussian(n_dims), chains=64, **options)
    monkeypatch.setattr(metropolis, "GROUP_CHAINS", 128)
    many = run(gaussian(n_dims), chains=330, threads=3, **options)
    again = run(gaussian(n_dims), chains=330, threads=1, **options)
    for name in ("lp", *(["acceptance_rate"] if kernel != "elliptical-slice" else [])):
        np.testing.assert_array_equal(many.sample_stats[name][:64], one.sample_stats[name])
        np.testing.assert_array_equal(many.sample_stats[name], again.sample_stats[name])
    np.testing.assert_array_equal(many.values["x"][:64], one.values["x"])
    np.testing.assert_array_equal(many.values["x"], again.values["x"])
    other = run(gaussian(n_dims), seed=2, chains=64, **options)
    assert not np.array_equal(other.values["x"], one.values["x"])


def test_blocks_share_no_random_numbers():
    x = run(gaussian(1), chains=128, warmup=20, draws=4).values["x"]
    assert not np.intersect1d(x[:64], x[64:]).size


def tunings(monkeypatch, **options):
    """Return the scales and factors that the kernel took in each iteration of a run."""
    taken = []
    step = _chains._Chains._step

    def spy(self, tuning, tick):
        taken.append((np.array(tuning.scale), np.array(tuning.factor)))
        return step(self, tuning, tick)

    monkeypatch.setattr(_chains._Chains, "_step", spy)
    run(gaussian(3), chains=64, **options)
    return taken


def is_frozen(taken, warmup):
    first = taken[warmup]
    return all(np.array_equal(scale, first[0]) and np.array_equal(factor, first[1]) for scale, factor in taken[warmup:])


def test_adaptation_ends_with_warmup(monkeypatch):
    taken = tunings(monkeypatch, warmup=100, draws=50)
    assert len(taken) == 150
    assert is_frozen(taken, 100)
    assert not is_frozen(taken, 60)


def test_adaptation_left_on_is_caught(monkeypatch):
    several = _chains._Chains._several

    def left_on(self, n_steps, tuning, tick):
        learner = self._learners[0]
        learner.adaptation._warmup = np.inf
        found = several(self, n_steps, self._tuning(), tick)
        learner.adaptation.learn(found, self._state.position)
        return found

    monkeypatch.setattr(_chains._Chains, "_several", left_on)
    assert not is_frozen(tunings(monkeypatch, warmup=100, draws=50), 100)


def test_progress_is_told_to_the_end():
    told = []
    config = MetropolisConfig(chains=130, warmup=40, draws=20, thin=2)
    fit_metropolis(gaussian(2), config, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (160, 160)  # two groups: the whole blocks, and the chains left over
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_thinned_draws_are_those_of_a_longer_run():
    long = run(gaussian(2), warmup=50, draws=60)
    thin = run(gaussian(2), warmup=50, draws=20, thin=3)
    np.testing.assert_array_equal(thin.values["x"], long.values["x"][:, 2::3])
    rates = long.sample_stats["acceptance_rate"].reshape(64, 20, 3).mean(axis=2)
    np.testing.assert_allclose(thin.sample_stats["acceptance_rate"], rates)


def test_draws_are_stored_once():
    draws = run(gaussian(2), chains=10, warmup=20, draws=8)
    assert draws.values["x"].base is not None  # a view of where the chains wrote


def late(value, after=2000):
    """Misbehave once the points asked for are more than ``after``, in the third row."""
    seen = [0]

    def log_density(points):
        found = -0.5 * np.square(points).sum(axis=1)
        seen[0] += len(points)
        if seen[0] > after and len(points) > 2:
            found[2] = value
        return found

    return Density(log_density, {"x": (2,)})


def trap(answer, edge=1.5):
    """Misbehave wherever the first coordinate is above an edge."""

    def log_density(points):
        found = -0.5 * np.square(points).sum(axis=1)
        if callable(answer):
            return answer() if (points[:, 0] > edge).any() else found
        return np.where(points[:, 0] > edge, answer, found)

    return Density(log_density, {"x": (2,)}, start=lambda rng, n: rng.uniform(-0.1, 0.1, (n, 2)))


def fail():
    raise ZeroDivisionError("by\nzero")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.nan, r"is NaN at x\[1\] = 1\.\d+, x\[2\] = .*\(iteration \d+ of warm-up, chain \d+\)$"),
        (np.inf, r"is \+inf at x\[1\] = 1\.\d+, .*\(iteration \d+ of warm-up, chain \d+\)$"),
        (fail, r"raised ZeroDivisionError \(by zero\) at x\[1\] = 1\.\d+, .*\(iteration \d+ of warm-up, chain \d+\)$"),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_density_that_misbehaves_in_the_middle(answer, message, threads, monkeypatch):
    monkeypatch.setattr(metropolis, "GROUP_CHAINS", 64)
    with pytest.raises(ProgramError, match=message) as raised:
        run(trap(answer), chains=192, warmup=500, draws=500, threads=threads)
    assert "\n" not in str(raised.value)


def test_the_chain_that_is_named_is_the_one():
    density = trap(np.nan, edge=3.0)
    with pytest.raises(ProgramError) as raised:
        run(density, chains=32, warmup=500, draws=500)
    named = int(str(raised.value).rpartition("chain ")[2].rstrip(")"))
    asked = []

    def watched(points):
        if len(points) == 32:  # not the starts, which are evaluated in the same number: the last call counts
            asked.append(points.copy())
        return density.log_density(points)

    with pytest.raises(ProgramError):
        run(Density(watched, {"x": (2,)}, start=density.start), chains=32, warmup=500, draws=500)
    assert np.flatnonzero(asked[-1][:, 0] > 3.0)[0] + 1 == named


@pytest.mark.parametrize("kernel", ["elliptical-slice", "tempering"])
def test_a_density_that_misbehaves_in_a_pilot_run(kernel):
    with pytest.raises(ProgramError, match=r"is NaN at .* of a pilot run\)$"):
        run(trap(np.nan), kernel=kernel, warmup=100, draws=10)


def test_a_failing_thread_stops_the_others(monkeypatch):
    monkeypatch.setattr(metropolis, "GROUP_CHAINS", 64)
    calls, first = [], threading.Event()

    def log_density(points):
        calls.append(1)
        if threading.current_thread().name.endswith("_1"):
            if len(calls) > 50:
                first.set()
                return np.full(len(points), np.nan)
        elif first.is_set():
            first.wait(0.001)
        return -0.5 * np.square(points).sum(axis=1)

    with pytest.raises(ProgramError, match="NaN"):
        run(Density(log_density, {"x": (2,)}), chains=128, warmup=100_000, draws=10, threads=2)
    assert len(calls) < 50_000


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_ends_all_threads(threads, monkeypatch):
    monkeypatch.setattr(metropolis, "GROUP_CHAINS", 64)
    config, told = MetropolisConfig(chains=128, warmup=1_000_000, draws=4, threads=threads), []

    def progress(done, total):
        told.append(done)
        if len(told) == 2:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            fit_metropolis(gaussian(1), config, seed=1, progress=progress)
    finally:
        signal.signal(signal.SIGINT, before)
    assert told[-1] < 500_000
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


@pytest.mark.parametrize(
    ("density", "options", "error", "message"),
    [
        (two_modes(), {"kernel": "mala"}, ConfigError, "kernel 'mala' needs the density's gradient"),
        (
            mixed(),
            {"kernel": "elliptical-slice"},
            ConfigError,
            "moves real coordinates only; take kernel 'random-walk'",
        ),
        (mixed(), {"kernel": "mala"}, ConfigError, "kernel 'mala' needs the density's gradient"),
        (
            gaussian(2),
            {"chains": 65_536, "draws": 10**9},
            ConfigError,
            r"take 2,097,152\.0 GB of memory, of which .* take fewer",
        ),
        (late(np.nan, after=64 * 50), {"chains": 64}, ProgramError, "iteration"),
    ],
)
def test_what_cannot_be_sampled(density, options, error, message):
    with pytest.raises(error, match=message):
        run(density, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"chains": 0},
        {"warmup": 5},
        {"draws": 3},
        {"thin": 0},
        {"kernel": "gibbs"},
        {"target_acceptance": 1.0},
        {"replicas": 1},
        {"hottest": 0.0},
        {"hottest": 1.0},
        {"threads": 0},
        {"scale": 1.0},
    ],
)
def test_options_that_make_no_sense(options):
    with pytest.raises(ConfigError, match=f"option '{next(iter(options))}'"):
        MetropolisConfig(**options)


@pytest.mark.parametrize("rise", [0.0, 1.0])
def test_a_density_that_is_not_proper_is_left_to_the_verdicts(rise):
    improper = Density(lambda points: rise * points[:, 0] ** 2, {"x": ()})
    draws = run(improper, chains=64, warmup=200, draws=200)
    acceptance = acceptance_verdict(draws.sample_stats["acceptance_rate"])
    assert not acceptance.passed or r_hat(draws.values["x"]) > 1.05


def test_acceptance_near_none_is_left_to_the_verdict():
    """Steps adapted to where the chains started are far too wide for a spike that they then fall into."""
    spike = Density(
        lambda points: np.logaddexp(-0.5 * points[:, 0] ** 2, 12 - 0.5e6 * (points[:, 0] - 1) ** 2), {"x": ()}
    )
    draws = run(spike, chains=256, warmup=100, draws=2000)
    assert not acceptance_verdict(draws.sample_stats["acceptance_rate"]).passed


def test_nearly_collinear_coordinates():
    density = Density(
        lambda points: -0.5 * points[:, 0] ** 2 - 0.5e10 * (points[:, 0] - points[:, 1]) ** 2, {"x": (2,)}
    )
    draws = run(density, warmup=3000, draws=1000)
    x = draws.values["x"]
    assert r_hat(x[..., 0]) < 1.05
    assert max(z_scores(x[..., 0], 0), z_scores(x[..., 0] ** 2, 1)) < LIMIT
    assert z_scores((x[..., 0] - x[..., 1]) ** 2 * 1e10, 1) < LIMIT


def test_a_coordinate_that_cannot_move():
    density = Density(
        lambda points: np.where(points[:, 1] == 1.0, -0.5 * points[:, 0] ** 2, -np.inf),
        {"x": (2,)},
        start=lambda rng, n: np.stack([rng.standard_normal(n), np.ones(n)], axis=1),
    )
    x = run(density, warmup=500, draws=1000).values["x"]
    assert (x[..., 1] == 1.0).all()
    assert max(z_scores(x[..., 0], 0), z_scores(x[..., 0] ** 2, 1)) < LIMIT


def test_tensors_give_what_arrays_give():
    torch = pytest.importorskip("torch")

    def gradient(points):
        return -0.5 * (points**2).sum(1), -points

    tensors = Density(lambda points: gradient(points)[0], {"x": (3,)}, gradient=gradient, arrays="torch")
    arrays = Density(lambda points: gradient(points)[0], {"x": (3,)}, gradient=gradient)
    for kernel in ("random-walk", "mala", "elliptical-slice", "tempering"):
        options = {"kernel": kernel, "chains": 70, "warmup": 50, "draws": 10, "replicas": 3}
        one, other = run(tensors, **options), run(arrays, **options)
        np.testing.assert_allclose(one.values["x"][:, 0], other.values["x"][:, 0], rtol=1e-6)
        assert isinstance(one.values["x"], np.ndarray)
    assert torch.is_grad_enabled()


@pytest.mark.gpu
def test_on_a_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    density = Density(lambda points: -0.5 * (points**2).sum(1), {"x": (2,)}, arrays="torch", device="cuda")
    x = run(density, chains=4096, warmup=300, draws=200).values["x"]
    assert max(z_scores(x[..., 0], 0), z_scores(x[..., 1] ** 2, 1)) < LIMIT
