"""Two results, quantity by quantity: the tests of a pair, Holm's correction, and what the pair would have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Fit
from bayeskit.core.words import listing
from bayeskit.diagnostics import agreement_tests as tests
from bayeskit.diagnostics.agreement_profiles import Profile, profile, scalar_labels
from bayeskit.diagnostics.agreement_sliced import MIN_DRAWS, independent_draws, sliced_wasserstein
from bayeskit.diagnostics.agreement_types import Curve, Difference, PairAgreement

Floats = NDArray[np.float64]

POWER = 0.8
KINDS = ("mcmc", "iid", "weighted")
MAX_CELLS = 500  # compared one by one; of more, some at equal steps
N_PLACES = 120  # of a curve
_THREADS = 4


@dataclass(frozen=True, eq=False)
class Prepared:
    """Results of one posterior, described once: the quantities that all of them share, and what was left out."""

    profiles: Mapping[str, Profile]
    left_out: Mapping[str, str]


def prepare(fits: Mapping[str, Fit]) -> Prepared:
    """Describe the quantities that all fits share.

    Parameters
    ----------
    fits
        By name, of kinds that have Monte Carlo errors.
    """
    known = [scalar_labels(fit) for fit in fits.values()]
    shared = [label for label in known[0] if all(label in set(others) for others in known[1:])] if known else []
    left_out = {}
    lonely = sorted({label for labels in known for label in labels} - set(shared))
    if lonely:
        left_out[_short(lonely)] = say("not in all results")
    if len(shared) > MAX_CELLS:
        kept = {shared[place] for place in np.linspace(0, len(shared) - 1, MAX_CELLS).astype(int)}
        left_out[say("{n} quantities", n=f"{len(shared) - len(kept):,}")] = say(
            "of {n}, as many as {most} were compared, at equal steps", n=f"{len(shared):,}", most=MAX_CELLS
        )
        shared = [label for label in shared if label in kept]
    if not shared:
        return Prepared({}, left_out)
    with ThreadPoolExecutor(max_workers=_THREADS) as workers:
        made = list(workers.map(lambda fit: profile(fit, shared), fits.values()))
    finite = np.all([np.isfinite(one.draws).all(axis=1) for one in made], axis=0)
    if not finite.all():
        broken = [label for label, whole in zip(shared, finite, strict=True) if not whole]
        left_out[_short(broken)] = say("not a number in every draw")
        if not finite.any():
            return Prepared({}, left_out)
        kept_labels = [label for label, whole in zip(shared, finite, strict=True) if whole]
        made = [profile(fit, kept_labels) for fit in fits.values()]
    return Prepared(dict(zip(fits, made, strict=True)), left_out)


def compare_profiles(
    names: tuple[str, str], prepared: Prepared, *, seed: int, target: str = ""
) -> tuple[PairAgreement, tuple[Profile, Profile]] | PairAgreement:
    """Make all tests of two results; ``adjusted`` and the answer are for ``decide``."""
    if not prepared.profiles:
        return PairAgreement(
            *names, "unanswered", say("they share no quantity"), left_out=prepared.left_out, target=target
        )
    first, second = (prepared.profiles[name] for name in names)
    with ThreadPoolExecutor(max_workers=_THREADS) as workers:
        rows = list(workers.map(lambda cell: _cell(first, second, cell), range(len(first.labels))))
    left_out = dict(prepared.left_out)
    constant = [label for label, row in zip(first.labels, rows, strict=True) if not row]
    if constant:
        left_out[_short(constant)] = say("the same constant in both")
    found = [one for row in rows for one in row]
    blind = sorted({one.quantity for one in found if not np.isfinite(one.p_value)})
    if blind:
        left_out[_short(blind)] = say("its Monte Carlo error cannot be told")
    found = [one for one in found if one.quantity not in blind]
    moving = [place for place, row in enumerate(rows) if row and first.labels[place] not in blind]
    if not found:
        return PairAgreement(*names, "unanswered", say("no quantity moves"), left_out=left_out, target=target)
    joint, why = _joint(first, second, moving, _rng(seed, target, names))
    pair = PairAgreement(
        *names,
        answer="agree",
        differences=tuple(found + joint),
        n_quantities=len(moving),
        left_out=left_out,
        joint=why,
        target=target,
    )
    return pair, (first, second)


def holm(p_values: Sequence[float]) -> Floats:
    """Return p-values corrected for all of them: Holm (1979), https://www.jstor.org/stable/4615733.

    Examples
    --------
    >>> [round(float(p), 3) for p in holm([0.01, 0.5, 0.02])]
    [0.03, 0.5, 0.04]
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    found = np.empty_like(values)
    found[order] = np.minimum(steps, 1.0)
    return found


def decide(
    pair: PairAgreement, profiles: tuple[Profile, Profile], adjusted: Floats, *, alpha: float, n_tests: int
) -> PairAgreement:
    """Return the pair with its answer, its curve and its power, given corrected p-values of its differences."""
    found = tuple(replace(one, adjusted=float(p)) for one, p in zip(pair.differences, adjusted, strict=True))
    answered = replace(
        pair,
        differences=found,
        answer="disagree" if (adjusted <= alpha).any() else "agree",
        detectable=_detectable(profiles, pair, alpha / n_tests),
    )
    return replace(answered, curve=_curve(answered, profiles, alpha / n_tests))


def _cell(first: Profile, second: Profile, cell: int) -> list[Difference]:
    pooled = tests.pool(first, second, cell)
    return [] if tests.is_constant(pooled) else tests.compare_cell(first, second, cell, pooled)


def _joint(
    first: Profile, second: Profile, cells: Sequence[int], rng: np.random.Generator
) -> tuple[list[Difference], str]:
    """Return the joint test, or in words why there is none."""
    if len(cells) < 2:
        return [], say("there is only one quantity")
    one, other = (independent_draws(each, rng)[:, cells] for each in (first, second))
    fewest = min(len(one), len(other))
    if fewest < MIN_DRAWS:
        return [], say_count(
            fewest,
            "only {n} independent draw is left of one of them, of {needed} that are needed",
            "only {n} independent draws are left of one of them, of {needed} that are needed",
            needed=MIN_DRAWS,
        )
    distance, usual, p_value = sliced_wasserstein(one, other, rng)
    return [Difference("", "joint", distance, usual, tests.normal_size(p_value), p_value, p_value)], ""


def _rng(seed: int, target: str, names: tuple[str, str]) -> np.random.Generator:
    """Return a stream of the pair's own, whatever else is compared."""
    digest = sha256("\0".join([target, *names]).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], dtype=np.uint32).tolist()])


def _detectable(profiles: tuple[Profile, Profile], pair: PairAgreement, alpha: float) -> float:
    """Return the difference of means, in standard deviations, that one test of this size sees with ``POWER``."""
    compared = {one.quantity for one in pair.differences}
    worst = 0.0
    for cell, label in enumerate(profiles[0].labels):
        if label not in compared:
            continue
        parts = [(1 / float(one.score.size[cell]), float(one.score.freedom[cell])) for one in profiles]
        freedom = tests.welch(*parts[0], *parts[1])
        limit = student.isf(alpha / 2, freedom) if np.isfinite(freedom) else norm.isf(alpha / 2)
        worst = max(worst, float(limit + norm.ppf(POWER)) * (parts[0][0] + parts[1][0]) ** 0.5)
    return worst


def _curve(pair: PairAgreement, profiles: tuple[Profile, Profile], alpha: float) -> Curve | None:
    alone = [one for one in pair.differences if one.quantity]
    if not alone:
        return None
    label = min(alone, key=lambda one: (one.p_value, -abs(one.z))).quantity
    cell = profiles[0].labels.index(label)
    pooled = tests.pool(*profiles, cell)
    last, first, second = pooled.shares
    kept = np.unique(np.searchsorted((first + second) / 2, np.linspace(0.001, 0.999, N_PLACES)).clip(max=last.size - 1))
    size, freedom = tests.distance_size(*profiles, cell)
    return Curve(
        label,
        tuple(pooled.draws[last[kept]].tolist()),
        tuple(first[kept].tolist()),
        tuple(second[kept].tolist()),
        tests.distance_limit(alpha, size, freedom),
    )


def _short(labels: Sequence[str]) -> str:
    """Return some labels as a list, the first three and how many more."""
    more = [say("{n} more", n=len(labels) - 3)] if len(labels) > 3 else []
    return listing([*labels[:3], *more])
