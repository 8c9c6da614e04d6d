"""How large a log density gets beside a proposal's: proven where that can be done, else the highest value found."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.core.language import mark
from bayeskit.core.proposals import Mixture, Normal, Proposal, ShiftedExponential, StudentT, Uniform
from bayeskit.inference._arraylike import Unknown
from bayeskit.inference._branches import TOLERANCE, Proof, prove
from bayeskit.inference._intervals import LARGEST, Floats, Interval, interval
from bayeskit.inference._lattice import N_LISTED, Lattice, n_points

TRIED = 1024  # points to look for the highest at, of each kind
CLIMBED = 8  # from the highest of them
LOOSE = 0.1  # a proven bound may lie so far above the highest value found; it costs as much of the acceptance
HOPELESS = 100.0  # proposals so far below the highest value, on the log scale, are never accepted
MARGIN = math.log(1.01)  # above the highest value found, where nothing is proven

PROVEN = mark("proven, by interval arithmetic over the whole support")
LISTED = mark("proven: the density was evaluated at every point of its support")
HULL = mark("an adaptive hull, valid where the density is log-concave, which held at every point seen")
FOREIGN = mark("not proven: the density uses what interval arithmetic does not know")
TAILS = mark("not proven: nothing could be shown of the tails")
BOXES = mark("not proven: interval arithmetic did not get close to the highest value found")
UNCOVERED = mark("not proven: the density may be above 0 where the proposal is 0")
COUNTED = mark("not proven: the support has too many points to evaluate the density at each")


@dataclass(frozen=True)
class Bound:
    """``log f - log q <= log_bound``, on the log scale.

    ``highest`` is the largest value found; ``certificate`` says in words whether and how the bound was proven, and
    ``obstacle`` what stood in the way.
    """

    log_bound: float
    highest: float
    certified: bool
    certificate: str
    obstacle: str = ""


def find_bound(density: Density, proposal: Proposal, rng: np.random.Generator, given: float | None) -> Bound:
    """Find how large ``log f - log q`` gets, or check what was given.

    Parameters
    ----------
    density, proposal
        ``f``, and ``q``.
    rng
        Draws the points at which the search begins.
    given
        The logarithm of a bound that somebody else knows; None for one of our own.

    Raises
    ------
    ConfigError
        If nothing is given and nothing can be found: a discrete density with too many points.
    InferenceError
        If the density is 0 wherever it was tried, the proposal 0 where the density is not, or the given bound is below
        what was found.
    """
    if density.is_discrete:
        return _listed(density, proposal, rng, given)
    points, found = _highest(density, proposal, rng)
    highest = float(found[0])
    proof, certificate, obstacle = _proven(density, proposal, points, -math.inf if given is None else given)
    if proof.attained > highest:  # a peak that the search missed
        points, highest = proof.highest[None], float(log_ratio_at(density, proposal, proof.highest[None])[0])
    if given is not None:
        if highest > given + TOLERANCE:
            raise violation(density, points[0], highest, given)
        certified = proof.upper <= given + TOLERANCE
        return Bound(given, highest, certified, PROVEN if certified else certificate, obstacle)
    if proof.upper <= highest + LOOSE:
        return Bound(proof.upper, highest, True, PROVEN)
    return Bound(highest + MARGIN, highest, False, certificate, obstacle)


def violation(density: Density, point: Floats, log_ratio: float, log_bound: float) -> InferenceError:
    """Return the error that says where the envelope is below the density, and by how much."""
    excess, needed = log_ratio - log_bound, math.exp(min(log_ratio, 709.0))
    # Rounded up: what the message asks for must be enough.
    remedy = f"take bound >= {needed * (1 + 1e-6):.7g}" if 0 < needed < 1e300 else "leave bound out"
    by = f"{math.exp(excess):.9g}" if excess < 700 else f"exp({excess:.6g})"
    return InferenceError(
        f"the envelope is below the density: f(x) / (M q(x)) = {by} at {density.told(point)}, and draws would be "
        f"biased; {remedy}, or a proposal with wider tails"
    )


def log_ratio_at(density: Density, proposal: Proposal, points: Floats) -> Floats:
    """Return ``log f - log q`` at points, ``n_points x n_dims``; -inf where ``f`` is 0.

    Raises
    ------
    InferenceError
        If the proposal's density is 0 at a point where the density's is not.
    """
    log_density, log_proposal = evaluated(density, points), np.asarray(proposal.log_density(points), dtype=float)
    bare = (log_proposal == -np.inf) & (log_density > -np.inf)
    if bare.any():
        raise InferenceError(
            f"the proposal does not cover the density: at {density.told(points[bare][0])} the density is above 0 "
            "and the proposal's is 0; take a proposal that covers all of the support"
        )
    if np.isnan(log_proposal).any():
        raise ConfigError(f"the proposal's log density is NaN at {density.told(points[np.isnan(log_proposal)][0])}")
    with np.errstate(invalid="ignore"):
        return np.where(log_density == -np.inf, -np.inf, log_density - log_proposal)


def evaluated(density: Density, points: Floats) -> Floats:
    """Return the log density at NumPy points, whatever arrays it takes."""
    if density.arrays == "numpy":
        return np.asarray(density(points), dtype=float)
    import torch

    with torch.no_grad():
        found = density(torch.as_tensor(points, dtype=torch.float64, device=density.device))
    return np.asarray(found.cpu().numpy(), dtype=float)


def _listed(density: Density, proposal: Proposal, rng: np.random.Generator, given: float | None) -> Bound:
    """Evaluate a discrete density at every point, or at some where there are too many."""
    whole = bool(np.all(density.integer)) and n_points(*density.box) <= N_LISTED
    if not whole and given is None:
        raise ConfigError("nothing is known of how high this discrete density is; give bound=, M itself")
    points = Lattice(*density.box).points() if whole else proposal.sample(rng, TRIED)
    found = log_ratio_at(density, proposal, points)
    best = int(found.argmax())
    _check_positive(density, found)
    if given is not None and found[best] > given + TOLERANCE:
        raise violation(density, points[best], float(found[best]), given)
    log_bound = float(found[best]) if given is None else given
    return Bound(log_bound, float(found[best]), whole, LISTED if whole else COUNTED)


def _highest(density: Density, proposal: Proposal, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return points at which ``log f - log q`` is high, the highest first, and the values there."""
    low, high = density.box
    kinds = [proposal.sample(rng, TRIED)]
    if np.isfinite([low, high]).all():
        kinds.append(low + (high - low) * rng.random((TRIED, density.n_dims)))
    else:  # nobody knows the scale: try many
        far = np.clip(10.0 ** rng.uniform(-3, 6, (TRIED, 1)) * rng.standard_normal((TRIED, density.n_dims)), low, high)
        with suppress(ProgramError):  # that far out a density need not know what it does
            density_far = log_ratio_at(density, proposal, far)
            kinds.append(far[density_far > -np.inf])
    if density.start is not None:
        kinds.append(np.asarray(density.start(rng, CLIMBED), dtype=float))
    points = np.concatenate(kinds)
    rest = points[TRIED:]
    points = np.concatenate([points[:TRIED], rest[np.all((rest >= low) & (rest <= high), axis=1)]])
    found = log_ratio_at(density, proposal, points)
    _check_positive(density, found)
    usual = float(found[:TRIED].max())  # at the proposals themselves
    order = np.argsort(-found, kind="stable")[:CLIMBED]
    climbed = [
        _climb(density, proposal, point)
        for point, value in zip(points[order], found[order], strict=True)
        if value > -np.inf
    ]
    points = np.concatenate([points[order], climbed])
    found = log_ratio_at(density, proposal, points)
    order = np.argsort(-found, kind="stable")
    if found[order[0]] - usual > HOPELESS:
        raise InferenceError(
            f"log f(x) - log q(x) is {found[order[0]]:.6g} at {density.told(points[order[0]])}, but at most "
            f"{usual:.6g} at each of {TRIED} proposals, of which none would ever be accepted; take a proposal that is "
            "closer to the density, and wider in its tails"
        )
    return points[order], found[order]


def _check_positive(density: Density, found: Floats) -> None:
    if not found.size or found.max() == -np.inf:
        raise InferenceError(
            f"the density is 0 at each of the {found.size} points where it was tried; correct it, its bounds, or the "
            "proposal"
        )


def _climb(density: Density, proposal: Proposal, point: Floats) -> Floats:
    from scipy.optimize import minimize

    def depth(at: Floats) -> float:
        inside = np.clip(at, *density.box)[None]
        return float(np.minimum(-log_ratio_at(density, proposal, inside)[0], 1e100))

    limits = list(zip(*density.box, strict=True))
    options: Any = {"method": "L-BFGS-B", "bounds": limits, "options": {"maxiter": 200}}
    try:
        with np.errstate(all="ignore"):
            at = np.clip(minimize(depth, point, **options).x, *density.box)
        return at if np.isfinite(at).all() and depth(at) <= depth(point) else point
    except ProgramError:  # a step too far
        return point


def _proven(density: Density, proposal: Proposal, points: Floats, target: float) -> tuple[Proof, str, str]:
    """Return what could be proven of ``log f - log q``, and in words what could not and what stood in the way."""
    nothing = Proof(math.inf, -math.inf, points[0], 0)
    if density.arrays != "numpy":
        return nothing, FOREIGN, "torch"
    function = density.log_density
    try:
        if not _covered(function, density, proposal):
            return nothing, UNCOVERED, ""
        low, high = (np.clip(end, *_support(proposal, density)) for end in density.box)
        known = _log_density(proposal)
        # Near the points of the search, so that branch and bound need not find the peak anew.
        proof = prove(lambda x: function(x) - known(x), (low, high), np.clip(points, low, high), target=target)
    except Unknown as unknown:
        return nothing, FOREIGN, str(unknown)
    except Exception as error:  # the density's own code met something that is no array
        return nothing, FOREIGN, f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
    return proof, TAILS if proof.why_not == "tails" else BOXES, ""


def _support(proposal: Proposal, density: Density) -> tuple[Floats, Floats]:
    if isinstance(proposal, Uniform):
        return proposal.lower, proposal.upper
    if isinstance(proposal, ShiftedExponential):
        return np.array([proposal.origin]), np.array([np.inf])
    return np.full(density.n_dims, -np.inf), np.full(density.n_dims, np.inf)


def _covered(function: Callable[[Any], Any], density: Density, proposal: Proposal) -> bool:
    """Return whether the density is certainly 0 outside of the proposal's box."""
    (low, high), (first, last) = density.box, _support(proposal, density)
    below = [(place, low[place], np.nextafter(first[place], -np.inf)) for place in np.flatnonzero(low < first)]
    above = [(place, np.nextafter(last[place], np.inf), high[place]) for place in np.flatnonzero(high > last)]
    for place, start, stop in (*below, *above):
        lower, upper = low.copy(), high.copy()
        lower[place], upper[place] = start, stop
        with np.errstate(all="ignore"):
            found = interval(function(Interval(lower[None], upper[None])))
        if np.max(found.upper) > -LARGEST:
            return False
    return True


def _log_density(proposal: Proposal) -> Callable[[Any], Any]:
    """Return a proposal's log density in functions that intervals know, equal to its own up to rounding."""
    if isinstance(proposal, Uniform):
        constant = -float(np.log(proposal.upper - proposal.lower).sum())
        return lambda points: constant
    if isinstance(proposal, ShiftedExponential):
        origin, rate = proposal.origin, proposal.rate
        return lambda points: math.log(rate) - rate * (points[..., 0] - origin)
    if isinstance(proposal, Normal):
        at_mean, white = _whitening(proposal, proposal.mean, proposal.covariance)
        return lambda points: at_mean - 0.5 * np.square(white(points)).sum(-1)
    if isinstance(proposal, StudentT):
        at_mean, white = _whitening(proposal, proposal.mean, proposal.scale_matrix)
        freedom = float(proposal.degrees_of_freedom)
        power = (freedom + proposal.n_dims) / 2
        return lambda points: at_mean - power * np.log1p(np.square(white(points)).sum(-1) / freedom)
    if isinstance(proposal, Mixture):
        logs, parts = np.log(proposal.weights), [_log_density(part) for part in proposal.parts]
        if any(isinstance(part, Uniform | ShiftedExponential) for part in proposal.parts):
            raise Unknown("a mixture with a bounded part")
        return lambda points: functools.reduce(
            np.logaddexp, [weight + part(points) for weight, part in zip(logs, parts, strict=True)]
        )
    return proposal.log_density


def _whitening(proposal: Proposal, mean: Floats, matrix: Floats) -> tuple[float, Callable[[Any], Any]]:
    """Return the log density at the mean, and what takes points to whitened ones."""
    factor = np.linalg.inv(np.linalg.cholesky(matrix))
    at_mean = float(proposal.log_density(mean[None])[0])
    if np.count_nonzero(factor - np.diag(np.diag(factor))) == 0:
        return at_mean, lambda points: (points - mean) * np.diag(factor)
    return at_mean, lambda points: (points - mean) @ factor.T
