"""EM beside scikit-learn's, from the same start and to the same log likelihood. Run with ``pytest tests/benchmarks``.

Where other work runs beside it, set OPENBLAS_NUM_THREADS=1: threads of BLAS that wait for each other on busy cores made
scikit-learn's steps 16 times slower. Memory is the largest that a process of its own had, less what it had before it
read the data.
"""

import json
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from bayeskit.inference.em import EMConfig, fit_em
from bayeskit.models.mixtures.em import MixtureEM
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of

MEGABYTE = 1 << 20
STEPS = 4

IN_A_PROCESS = """
import json, sys, threading, time
import numpy as np, psutil
from bayeskit.inference.em import EMConfig, fit_em
from bayeskit.models.mixtures.em import MixtureEM
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of

path, k, on_disk, options = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "disk", json.loads(sys.argv[4])
process, peak, ended = psutil.Process(), [0], threading.Event()

def held():  # the system may drop a mapped file's pages at any time
    memory = process.memory_info()
    return memory.rss - memory.shared

def watch():
    while not ended.wait(0.002):
        peak[0] = max(peak[0], held())

before = held()
watcher = threading.Thread(target=watch)
watcher.start()
y = np.load(path, mmap_mode="r" if on_disk else None)
spec = MixtureSpec(k, y.shape[1], "full", False, priors_of(n_columns=y.shape[1], covariance="full", dp=False))
began = time.perf_counter()
said = fit_em(MixtureEM(spec, y), EMConfig(**options), seed=1).engine
seconds = time.perf_counter() - began
ended.set()
watcher.join()
print(json.dumps([peak[0] - before, seconds, said["log_likelihood"], said["n_iterations"], said["converged"]]))
"""


def spec_of(k, d):
    return MixtureSpec(k, d, "full", False, priors_of(n_columns=d, covariance="full", dp=False))


def blobs(n, d, k):
    rng = np.random.default_rng(0)
    labels, shapes = rng.integers(k, size=n), np.eye(d) + 0.3 * rng.normal(size=(k, d, d))
    points, means = rng.standard_normal((n, d)), 1.5 * rng.normal(size=(k, d))
    for component in range(k):
        mine = labels == component
        points[mine] = points[mine] @ shapes[component] + means[component]
    return (points - points.mean(axis=0)) / points.std(axis=0)


def issue_points():
    state = np.random.RandomState(42)
    parts = [((0, 0), [[1, 0.3], [0.3, 1]], 300), ((3, 3), [[1, -0.2], [-0.2, 1.5]], 400)]
    parts.append(((-3, 3), [[1.5, 0.4], [0.4, 1]], 300))
    points = np.concatenate([state.multivariate_normal(*part) for part in parts])
    return (points - points.mean(axis=0)) / points.std(axis=0)


def peer(y, k, **options):
    """Return scikit-learn's fit and its seconds."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(k, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        began = time.perf_counter()
        model.fit(y)
    return model, time.perf_counter() - began


def in_a_process(path, k, where, **options):
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, str(path), str(k), where, json.dumps(options)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_step_on_a_million_points(tell, tmp_path):
    pytest.importorskip("sklearn")
    n, d, k = 1_000_000, 16, 16
    y = blobs(n, d, k)
    model = MixtureEM(spec_of(k, d), y)
    mixture = model.start(np.random.default_rng(0))
    frame, path, seconds = model.frame(mixture), [], []
    for _ in range(STEPS):
        began = time.perf_counter()
        mixture, log_likelihood = model.step(mixture)
        seconds.append(time.perf_counter() - began)
        path.append(log_likelihood)
    start = {
        "weights_init": frame["weights"],
        "means_init": frame["means"],
        "precisions_init": np.linalg.inv(frame["covariances"]),
    }
    one, first = peer(y, k, max_iter=1, tol=0, reg_covar=0, **start)
    all_of_them, last = peer(y, k, max_iter=STEPS, tol=0, reg_covar=0, **start)
    theirs, ours = (last - first) / (STEPS - 1), min(seconds)
    assert one.lower_bound_ == pytest.approx(path[0] / n, rel=1e-10)
    assert all_of_them.lower_bound_ == pytest.approx(path[-1] / n, rel=1e-10)
    tell(f"EM, 1e6 x 16, K = 16, full: {ours:.3f} s a step, scikit-learn {theirs:.2f} s: {theirs / ours:.1f} times")
    tell(f"mean log likelihood after {STEPS} steps: {path[-1] / n:.12f}, scikit-learn {all_of_them.lower_bound_:.12f}")
    file = tmp_path / "points.npy"
    np.save(file, y)
    peak, *_ = in_a_process(file, k, "memory", restarts=4, max_iterations=5)
    bound = 1.5 * (y.nbytes + n * k * 8)
    tell(
        f"peak memory {peak / MEGABYTE:.0f} MB with data of {y.nbytes / MEGABYTE:.0f} MB; bound {bound / MEGABYTE:.0f}"
    )
    assert y.nbytes < peak < bound


def test_a_fit_of_a_thousand_points(tell):
    pytest.importorskip("sklearn")
    y = issue_points()
    for tolerance in (1e-3, 1e-8):
        runs = []
        for seed in range(15):
            began = time.perf_counter()
            ours = fit_em(MixtureEM(spec_of(3, 2), y), EMConfig(restarts=1, tolerance=tolerance), seed=seed)
            here = time.perf_counter() - began
            theirs, there = peer(y, 3, tol=tolerance, max_iter=1000, random_state=seed, reg_covar=0)
            runs.append((here, there, ours.engine["log_likelihood"], theirs.score(y) * len(y)))
        here, there, value, other = *np.min(runs, axis=0)[:2], *np.median(runs, axis=0)[2:]
        tell(
            f"EM, 1000 x 2, K = 3, tolerance {tolerance:g}, fastest of 15: {here * 1e3:.1f} ms, "
            f"scikit-learn {there * 1e3:.1f} ms: {there / here:.1f} times; "
            f"log likelihood {value:.4f}, scikit-learn {other:.4f}"
        )
        # A step changes less than the tolerance, and the last ones become less by a factor of 2 or more here.
        assert value == pytest.approx(other, abs=3 * tolerance * len(y))


def test_batches_of_a_file(tell, tmp_path):
    n, d, k = 2_000_000, 16, 8
    y = blobs(n, d, k)
    file = tmp_path / "points.npy"
    np.save(file, y)
    size = y.nbytes
    del y
    _, seconds, exact, n_steps, _ = in_a_process(file, k, "memory", restarts=4)
    tell(f"EM, 2e6 x 16, K = 8, all of the data: {seconds:.1f} s, {n_steps} steps, log likelihood {exact / n:.6f} n")
    peak, seconds, found, n_passes, converged = in_a_process(file, k, "disk", restarts=4, batch_size=20_000)
    tell(
        f"in batches from the disk: {seconds:.1f} s, {n_passes} passes, {found / n:.6f} n; "
        f"memory {peak / MEGABYTE:.0f} MB for a file of {size / MEGABYTE:.0f} MB"
    )
    assert converged
    assert found / n == pytest.approx(exact / n, abs=1e-3)
    assert peak < size / 2
