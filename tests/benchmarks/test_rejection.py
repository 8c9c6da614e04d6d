"""How fast rejection from a plain Python log density is, beside the special sampler for that distribution."""

import os
import random
import statistics
import time

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.inference.rejection import RejectionConfig, fit_rejection

DRAWS, ROUNDS, BY_HAND = 20_000_000, 7, 20_000


def log_density(points):
    """Beta(2, 5), up to its constant, as anybody writes it."""
    x = points[..., 0]
    return np.log(x) + 4 * np.log1p(-x)


def textbook(draws, rng):
    """Rejection of the same density by the loop of the textbooks, one proposal after the other."""
    kept = []
    while len(kept) < draws:
        x = rng.random()
        if rng.random() * 2.4576 < stats.beta.pdf(x, 2, 5):
            kept.append(x)
    return kept


def seconds(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


@pytest.mark.parametrize("threads", [None, 1])
def test_beta_by_rejection(tell, threads):
    target = Density(log_density, {"x": ()}, lower=np.zeros(1), upper=np.ones(1))
    config = RejectionConfig(draws=DRAWS, threads=threads)
    ours, theirs = [], []
    fit_rejection(target, RejectionConfig(draws=1000), seed=0)
    for seed in range(ROUNDS):  # in turns, so that both meet the same machine
        ours.append(DRAWS / seconds(lambda seed=seed: fit_rejection(target, config, seed=seed)))
        theirs.append(DRAWS / seconds(lambda seed=seed: stats.beta.rvs(2, 5, size=DRAWS, random_state=seed)))
    loop = BY_HAND / seconds(lambda: textbook(BY_HAND, random.Random(1)))
    found, expected = statistics.median(ours), statistics.median(theirs)
    tell(
        f"Beta(2, 5), {threads or len(os.sched_getaffinity(0))} threads: rejection {found / 1e6:.1f} million a second, "
        f"scipy.stats.beta.rvs {expected / 1e6:.1f}, ratio {found / expected:.2f}; textbook loop {loop:,.0f} a second"
    )
