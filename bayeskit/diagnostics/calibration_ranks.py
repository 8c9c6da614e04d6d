"""Where the truth of a simulation ranks among its posterior draws, and what is kept of one simulation.

Talts, Betancourt, Simpson, Vehtari and Gelman (2018), arXiv:1804.06788: drawn from the prior, the truth is one more
draw from the posterior given the data simulated with it, so that all of its ranks are equally likely. Ties are broken
at random, as in Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman and Vehtari (2023), doi:10.1214/23-BA1404.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, InferenceError
from bayeskit.core.types import Kind
from bayeskit.diagnostics.moments import PROBABILITIES

Floats = NDArray[np.float64]

LOG_LIKELIHOOD = "log_lik"
"""The label of the joint log likelihood among the test quantities: it depends on the data too."""
_PLACE = 20231404  # parts the stream of the places from all others that start at a simulation's index


@dataclass(frozen=True)
class Ranked:
    """One test quantity in one simulation.

    Parameters
    ----------
    truth
        Its value when the data were simulated.
    rank
        How many of the ``n_draws`` thinned draws lie below the truth, ties broken at random: 0 to ``n_draws``.
    n_draws
        Number of thinned draws.
    mean, sd, quantiles
        Of all draws; the quantiles at ``moments.PROBABILITIES``.
    ess
        Bulk effective sample size of all draws; NaN where they never move or are too few to tell.
    """

    truth: float
    rank: int
    n_draws: int
    mean: float
    sd: float
    quantiles: tuple[float, ...]
    ess: float


@dataclass(frozen=True)
class Simulation:
    """One simulation: the ranks, or why there are none.

    Parameters
    ----------
    index
        Counted from 0.
    seconds
        What the engine took.
    quantities
        By label, in the order of the report; empty where the engine failed.
    problem
        Why it gave no result, in words.
    divergences
        Number of divergent transitions.
    max_r_hat
        Of all quantities; None where there is one chain, or none at all.
    """

    index: int
    seconds: float
    quantities: Mapping[str, Ranked] = field(default_factory=dict)
    problem: str = ""
    divergences: int = 0
    max_r_hat: float | None = None


def rank_quantities(
    truth: Mapping[str, float], draws: Mapping[str, NDArray[Any]], rng: np.random.Generator, *, kind: Kind = "mcmc"
) -> dict[str, Ranked]:
    """Rank each quantity's truth among its draws.

    Parameters
    ----------
    truth
        By label, in the order of the report.
    draws
        By the same labels, each ``n_chains x n_draws``.
    rng
        Breaks the ties.
    kind
        Of the draws. Those of Markov chains are thinned.

    Raises
    ------
    ConfigError
        For a point estimate or weighted draws, which have no ranks.
    InferenceError
        If a truth or a draw is not a finite number.

    Notes
    -----
    All quantities keep the same draws of each chain: every 2 S / ESS-th of S, with the smallest bulk effective sample
    size of all quantities. Talts et al. (2018) thin by S / ESS, at which an autoregressive chain's draws still
    correlate by exp(-2) = 0.14; at twice that by 0.02. Chains that move without memory or faster are kept whole.
    Where no effective sample size can be had, each chain keeps one draw. The first draw of a chain is always among
    those kept: a warm-up that was left in lowers the ESS so far that thinning would hide it otherwise.
    """
    if kind == "point":
        raise ConfigError("a point estimate has no draws to rank the truth among; calibrate an engine that samples")
    if kind == "weighted":
        raise ConfigError("weighted draws have no ranks; resample them by their weights, and give them as iid")
    values = {label: np.asarray(draws[label], dtype=float) for label in truth}
    for label, array in values.items():
        wrong = int(np.sum(~np.isfinite(array)))
        if wrong or not array.size or not math.isfinite(truth[label]):
            told = f"{wrong:,} of {array.size:,} draws" if wrong or not array.size else "the simulated truth"
            raise InferenceError(f"{label} holds no finite number in {told}, so that it cannot be ranked")
    sizes = {
        label: _effective_sample_size(array) if kind == "mcmc" else float(array.size) for label, array in values.items()
    }
    stride = _stride(values, sizes) if kind == "mcmc" else 1
    return {
        label: _ranked(truth[label], array, array[:, ::stride].ravel(), sizes[label], rng)
        for label, array in values.items()
    }


def places(simulations: Sequence[Simulation]) -> dict[str, Floats]:
    """Return each quantity's places, (rank + V) / (n_draws + 1) with V uniform: uniform where the ranks are.

    V starts from the simulation's index alone, so that the same ranks have the same places whenever they are looked at.
    """
    found: dict[str, list[float]] = {}
    for simulation in simulations:
        within = np.random.default_rng((_PLACE, simulation.index)).random(len(simulation.quantities))
        for (label, ranked), offset in zip(simulation.quantities.items(), within, strict=True):
            found.setdefault(label, []).append((ranked.rank + float(offset)) / (ranked.n_draws + 1))
    return {label: np.array(values) for label, values in found.items()}


def _ranked(truth: float, draws: Floats, thinned: Floats, ess: float, rng: np.random.Generator) -> Ranked:
    below, equal = int(np.sum(thinned < truth)), int(np.sum(thinned == truth))
    return Ranked(
        truth=float(truth),
        rank=below + int(rng.integers(equal + 1)),
        n_draws=thinned.size,
        mean=float(draws.mean()),
        sd=float(draws.std(ddof=1)) if draws.size > 1 else 0.0,
        quantiles=tuple(map(float, np.quantile(draws, list(PROBABILITIES.values())))),
        ess=ess,
    )


def _effective_sample_size(draws: Floats) -> float:
    from arviz_stats.base import array_stats

    if draws.shape[1] < 4 or np.ptp(draws) == 0:
        return math.nan
    with np.errstate(all="ignore"):  # a chain that never moves
        return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))


def _stride(draws: Mapping[str, Floats], sizes: Mapping[str, float]) -> int:
    known = [size for size in sizes.values() if math.isfinite(size)]
    n_chains, n_draws = map(int, next(iter(draws.values())).shape) if draws else (1, 1)
    if not known:
        return n_draws
    total = n_chains * n_draws
    return 1 if min(known) >= total else min(math.ceil(2 * total / min(known)), n_draws)
