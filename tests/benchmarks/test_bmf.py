"""Matrix factorisation beside myFM, SMURFF and scikit-surprise, in one run. Run with ``pytest tests/benchmarks``.

Needs ``pip install -e '.[test,bench]'`` and ``bayeskit data fetch movielens-100k --yes``. All Bayesian ones have rank
10 and make 512 sweeps; errors are on the same test ratings, predictions kept within the scale.
"""

import time
from statistics import mean, median

import numpy as np
import pytest
from scipy import sparse

from bayeskit.datasets.ratings import load_ratings, ratings
from bayeskit.datasets.sources import SETS, is_whole
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models.bmf import bmf

RANK, SWEEPS, BURN_IN = 10, 512, 32
FOLDS = 5
GRID = (48, 64, 96, 128, 192, 256, 384, 512)  # sweeps, whose errors so far are noted
SIZES = (125_000, 250_000, 500_000, 1_000_000)  # ratings
MOVIELENS = "movielens-100k"


@pytest.fixture(scope="module")
def data():
    if not is_whole(SETS[MOVIELENS]):
        pytest.skip(f"{MOVIELENS} is not here; bayeskit data fetch {MOVIELENS} --yes")
    return load_ratings(MOVIELENS, split="none")


@pytest.fixture(scope="module")
def folds(data):
    """Random fifths, the same for all."""
    fold = np.random.default_rng(0).permutation(np.arange(data.n_ratings) % FOLDS)
    return [fold == number for number in range(FOLDS)]


def split(data, test):
    return ratings(data.users[data.user], data.items[data.item], data.values, test=test, scale="1:5")


def error(mean, actual):
    return float(np.sqrt(np.mean((np.clip(mean, 1, 5) - actual) ** 2)))


def ours(data, test, chains=1):
    """Return seconds and error after so many sweeps in all."""
    made = split(data, test)
    began = time.perf_counter()
    model = bmf(made, rank=RANK).gibbs()
    marks, n = [], SWEEPS // chains

    def progress(done, total):
        marks.append((done, time.perf_counter() - began))

    draws = fit_gibbs(model, GibbsConfig(chains=chains, warmup=BURN_IN, draws=n - BURN_IN), seed=1, progress=progress)
    seconds = time.perf_counter() - began
    held = draws.groups["held_out"]
    so_far = draws.groups["history"]["test_rmse_so_far"]
    done, at = np.array(marks).T
    track = [(np.interp(chains * k, done, at), so_far[0, k - BURN_IN - 1]) for k in GRID if k <= n]
    return seconds, error(held["mean"], held["rating"]), track


def of_myfm(data, test):
    myfm = pytest.importorskip("myfm")
    one = sparse.csr_array(
        (
            np.ones(2 * data.n_ratings),
            np.stack([data.user, data.n_users + data.item], 1).ravel(),
            np.arange(0, 2 * data.n_ratings + 1, 2),
        )
    )
    groups = [data.n_users, data.n_items]
    train = sparse.csr_matrix(one[~test])
    total, marks = np.zeros(test.sum()), []
    rows = np.stack([data.user[test], data.n_users + data.item[test]])
    began = time.perf_counter()

    def watch(sweep, model, hyper, history):
        if sweep >= BURN_IN:
            left, right = rows
            total[:] += model.w0 + model.w[left] + model.w[right] + (model.V[left] * model.V[right]).sum(1)
            if sweep + 1 in GRID:
                marks.append((time.perf_counter() - began, error(total / (sweep + 1 - BURN_IN), data.values[test])))
        return False, None

    model = myfm.MyFMRegressor(rank=RANK, random_seed=1)
    model.fit(train, data.values[~test], n_iter=SWEEPS, n_kept_samples=1, group_shapes=groups, callback=watch)
    return time.perf_counter() - began, marks[-1][1], marks


def of_smurff(data, test):
    smurff = pytest.importorskip("smurff")
    shape = (data.n_users, data.n_items)

    def matrix(which):
        return sparse.coo_matrix((data.values[which], (data.user[which], data.item[which])), shape=shape)

    centre = data.values[~test].mean()
    train, held = matrix(~test), matrix(test)
    train.data -= centre
    held.data -= centre
    began, marks = time.perf_counter(), []
    session = smurff.TrainSession(
        priors=["normal", "normal"], num_latent=RANK, burnin=BURN_IN, nsamples=SWEEPS - BURN_IN, seed=1, verbose=0,
        num_threads=2,
    )  # fmt: skip
    session.addTrainAndTest(train, held, smurff.AdaptiveNoise(1.0, 10.0))  # its default takes the noise for known
    session.init()
    while True:
        if not session.step():
            break
        status = session.getStatus()
        if status.phase == "Sample" and status.iter + BURN_IN in GRID:
            marks.append((time.perf_counter() - began, status.rmse_avg))
    return time.perf_counter() - began, marks[-1][1], marks


def of_surprise(data, test):
    surprise = pytest.importorskip("surprise")
    import pandas as pd

    frame = pd.DataFrame({"user": data.user, "item": data.item, "rating": data.values})
    reader = surprise.Reader(rating_scale=(1, 5))
    train = surprise.Dataset.load_from_df(frame[~test], reader).build_full_trainset()
    began = time.perf_counter()
    model = surprise.SVD(random_state=1).fit(train)
    seconds = time.perf_counter() - began
    made = [model.predict(user, item).est for user, item in zip(data.user[test], data.item[test], strict=True)]
    return seconds, error(np.array(made), data.values[test]), [(seconds, error(np.array(made), data.values[test]))]


PEERS = {
    "bayeskit, 1 chain": ours,
    "bayeskit, 2 chains of half as many": lambda data, test: ours(data, test, chains=2),
    "SMURFF BPMF": of_smurff,
    "myFM": of_myfm,
    "surprise SVD, its defaults": of_surprise,
}


def test_errors_and_seconds_a_fold(data, folds, tell):
    import os

    tell(f"MovieLens 100K, random fifths, rank {RANK}, {SWEEPS} sweeps; load {os.getloadavg()[0]:.1f}")
    found = {name: [] for name in PEERS}
    for test in folds:  # side by side in time, so that other work disturbs all alike
        for name, fit in PEERS.items():
            found[name].append(fit(data, test))
    for name, runs in found.items():
        seconds, errors = [run[0] for run in runs], [run[1] for run in runs]
        tell(f"{name:36s} RMSE {mean(errors):.4f}, {median(seconds):.2f} s a fold (median of {len(runs)})")
    for target in (0.933, 0.90, 0.895):
        times = {name: median([_reached(run[2], target) for run in runs]) for name, runs in found.items()}
        told = ", ".join(f"{name} {at:.2f} s" if np.isfinite(at) else f"{name} never" for name, at in times.items())
        tell(f"  to RMSE {target}: {told}")


def _reached(track, target):
    return next((seconds for seconds, error in track if error <= target), np.inf)


def test_a_sweep_takes_time_in_proportion_to_the_ratings(tell):
    n_users, n_items, rng = 4_000, 2_000, np.random.default_rng(1)
    seconds = []
    for n in SIZES:
        user, item = rng.integers(n_users, size=n), rng.integers(n_items, size=n)
        pairs = np.unique(user * n_items + item)
        made = ratings(pairs // n_items, pairs % n_items, rng.integers(1, 6, pairs.size), split="none", scale="1:5")
        model = bmf(made, rank=RANK).gibbs()
        state = model.start([np.random.SeedSequence(1)])
        model.sweep(state)
        times = []
        for _ in range(5):
            began = time.perf_counter()
            model.sweep(state)
            times.append(time.perf_counter() - began)
        seconds.append(median(times))
    for n, one in zip(SIZES, seconds, strict=True):
        tell(f"{n:>9,} ratings: {1000 * one:.0f} ms a sweep, {1e9 * one / n:.0f} ns a rating")
