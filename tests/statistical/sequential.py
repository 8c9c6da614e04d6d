"""Tests of kernels by simulation, with a false-alarm rate that is declared beforehand.

A kernel starts in its target, exactly: after any number of steps the law must be what it was. Small samples come first,
and larger ones only where these leave it open: Gandy and Scott (2020), arXiv:2001.06465, algorithm 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from scipy import special, stats

from bayeskit.core.density import Density
from bayeskit.inference._streams import BLOCK, BlockStreams
from bayeskit.inference.kernels import Kernel, Tuning

TABLE_ALPHA = 1e-5  # false alarms of the kernels' sequential and joint tests together, each with an equal share
ROUNDS, GROWTH = 5, 4
BINS = 10


@dataclass(frozen=True)
class Target:
    """A law of positions: exact draws, ``n x n_columns``, and what maps them to independent uniform numbers."""

    density: Density
    draw: Callable[[np.random.Generator, int], np.ndarray]
    uniforms: Callable[[np.random.Generator, np.ndarray], np.ndarray]

    def points(self, array: np.ndarray):
        """Return an array as the density takes it."""
        if self.density.arrays == "numpy":
            return array
        import torch

        return torch.as_tensor(array)


def passes(p_values: Callable[[int, int], np.ndarray], n: int, alpha: float, seed: int) -> bool:
    """Return whether a sequential test passes; where all is right, it fails with a probability of alpha at most.

    ``p_values`` takes the number of samples and a seed, and returns p-values, however they depend on each other.
    """
    beta = alpha / ROUNDS
    gamma = beta ** (1 / ROUNDS)
    for place in range(ROUNDS):
        found = p_values(n, 1000 * seed + place)
        smallest = found.min() * found.size
        if smallest <= beta:
            return False
        if smallest > gamma + beta:
            return True
        beta /= gamma
        n = n if place else GROWTH * n
    return True


def invariance(
    target: Target,
    kernel: Kernel,
    tuning: Callable[[int], Tuning],
    *,
    steps: int = 10,
    reversible: bool = True,
    streams: Callable[[int, int], BlockStreams] | None = None,
) -> Callable[[int, int], np.ndarray]:
    """Return p-values of whether steps from the target stay in it; also of whether they forget what leads where."""

    def p_values(n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng([seed, 1])
        drawn = target.draw(rng, n)
        state, tuned = kernel.init(target.points(drawn)), tuning(n)
        source = BlockStreams(seed, n, convert=target.points) if streams is None else streams(seed, n)
        for _ in range(steps):
            state, _ = kernel.step(source, state, tuned)
        moved = np.asarray(state.position)
        assert np.mean((moved != drawn).any(axis=1)) > 0.2, "what does not move is invariant, but no sampler"
        before, after = (scores(target.uniforms(rng, points)) for points in (drawn, moved))
        return np.concatenate([of_law(after), of_blocks(after), of_reversal(before, after) if reversible else []])

    return p_values


def scores(uniforms: np.ndarray) -> np.ndarray:
    """Return uniform numbers as standard normal ones."""
    return special.ndtri(np.clip(uniforms, 1e-15, 1 - 1e-15))


def of_law(score: np.ndarray) -> np.ndarray:
    """Return p-values of whether the columns are standard normal, and independent."""
    found = []
    for column in special.ndtr(score).T:
        found.append(stats.kstest(column, "uniform", method="asymp").pvalue)
        found.append(stats.chisquare(np.histogram(column, BINS, (0, 1))[0]).pvalue)
    products = [score[:, first] * score[:, second] for first, second in combinations(range(score.shape[1]), 2)]
    return np.array([*found, *(_two_sided(product.sum() / np.sqrt(product.size)) for product in products)])


def of_blocks(score: np.ndarray) -> np.ndarray:
    """Return p-values of whether chains in the same place of neighbouring blocks are independent."""
    pairs = score.reshape(-1, 2, BLOCK, score.shape[1])
    products = (pairs[:, 0] * pairs[:, 1]).reshape(-1, score.shape[1])
    return _two_sided(products.sum(axis=0) / np.sqrt(len(products)))


def of_reversal(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return p-values of whether as many go from here to there as from there to here."""
    columns = range(before.shape[1])
    flows = [
        before[:, i] * np.tanh(after[:, i] ** 2 - 1) - after[:, i] * np.tanh(before[:, i] ** 2 - 1) for i in columns
    ]
    flows += [before[:, i] * after[:, j] - after[:, i] * before[:, j] for i, j in combinations(columns, 2)]
    return np.array([_two_sided(flow.mean() / max(flow.std(), 1e-300) * np.sqrt(flow.size)) for flow in flows])


def _two_sided(z: np.ndarray) -> np.ndarray:
    return 2 * stats.norm.sf(np.abs(z))


def gaussian(mean, covariance, arrays="numpy") -> Target:
    """The normal law, with its gradient."""
    mean, covariance = np.asarray(mean, dtype=float), np.asarray(covariance, dtype=float)
    precision, factor = np.linalg.inv(covariance), np.linalg.cholesky(covariance)
    centre, matrix = mean, precision
    if arrays == "torch":
        import torch

        centre, matrix = torch.as_tensor(mean), torch.as_tensor(precision)

    def log_density(x):
        return -0.5 * ((x - centre) @ matrix * (x - centre)).sum(1)

    return Target(
        Density(
            log_density,
            {"x": mean.shape},
            gradient=lambda x: (log_density(x), -(x - centre) @ matrix),
            arrays=arrays,
        ),
        lambda rng, n: mean + rng.normal(size=(n, mean.size)) @ factor.T,
        lambda rng, x: special.ndtr((x - mean) @ np.linalg.inv(factor).T),
    )


def independent(density: Density, laws) -> Target:
    """Independent coordinates by SciPy's frozen distributions; whole numbers are spread out at random."""

    def uniforms(rng, x):
        columns = []
        for column, law in zip(x.T, laws, strict=True):
            whole = isinstance(law.dist, stats.rv_discrete)
            columns.append(law.cdf(column - 1) + rng.random(len(x)) * law.pmf(column) if whole else law.cdf(column))
        return np.stack(columns, 1)

    return Target(
        density,
        lambda rng, n: np.stack([law.rvs(n, random_state=rng).astype(float) for law in laws], 1),
        uniforms,
    )


def side_by_side(density: Density, targets) -> Target:
    """The product of several laws: replicas, of which the first is the density's."""
    sizes = np.cumsum([0, *(target.density.n_dims for target in targets)])
    parts = [slice(first, last) for first, last in pairwise(sizes)]
    return Target(
        density,
        lambda rng, n: np.hstack([target.draw(rng, n) for target in targets]),
        lambda rng, x: np.hstack(
            [target.uniforms(rng, x[:, part]) for target, part in zip(targets, parts, strict=True)]
        ),
    )


def log_gamma(x):
    return 2 * np.log(x) - x


GAMMA = independent(
    Density(
        lambda x: log_gamma(x).sum(1),
        {"x": (2,)},
        lower=np.zeros(2),
        gradient=lambda x: (log_gamma(x).sum(1), 2 / x - 1),
    ),
    [stats.gamma(3), stats.gamma(3)],
)
BETA = independent(
    Density(
        lambda x: (np.log(x) + 4 * np.log1p(-x)).sum(1),
        {"x": ()},
        lower=np.zeros(1),
        upper=np.ones(1),
        gradient=lambda x: ((np.log(x) + 4 * np.log1p(-x)).sum(1), 1 / x - 4 / (1 - x)),
    ),
    [stats.beta(2, 5)],
)
# Half of a normal law: the density jumps at 0, where the gradient does not say so.
HALF = independent(
    Density(
        lambda x: -0.5 * (x**2).sum(1),
        {"x": ()},
        lower=np.zeros(1),
        gradient=lambda x: (-0.5 * (x**2).sum(1), -x),
    ),
    [stats.halfnorm()],
)


def two_modes(x):
    return np.logaddexp(np.log(0.3) - 2 * (x + 1) ** 2 + np.log(2), np.log(0.7) - 0.5 * (x - 2) ** 2)[:, 0]


MODES = Target(
    Density(two_modes, {"x": ()}),
    lambda rng, n: np.where(rng.random(n) < 0.3, rng.normal(-1, 0.5, n), rng.normal(2, 1, n))[:, None],
    lambda rng, x: 0.3 * special.ndtr((x + 1) / 0.5) + 0.7 * special.ndtr(x - 2),
)

# A count, and a number around it.
MIXED = Target(
    Density(
        lambda x: x[:, 0] * np.log(3.0) - special.gammaln(x[:, 0] + 1) - 0.5 * (x[:, 1] - x[:, 0]) ** 2,
        {"k": (), "x": ()},
        lower=np.array([0.0, -np.inf]),
        integer=np.array([True, False]),
        gradient=lambda x: (MIXED.density.log_density(x), np.stack([0 * x[:, 0], x[:, 0] - x[:, 1]], 1)),
    ),
    lambda rng, n: (lambda k: np.stack([k, k + rng.normal(size=n)], 1))(rng.poisson(3, n).astype(float)),
    lambda rng, x: np.stack(
        [
            stats.poisson(3).cdf(x[:, 0] - 1) + rng.random(len(x)) * stats.poisson(3).pmf(x[:, 0]),
            special.ndtr(x[:, 1] - x[:, 0]),
        ],
        1,
    ),
)
