"""Where Markov chains on a mixture start: near maxima of the likelihood that each found for itself, and spread out.

A chain seldom finds its way from a bad clustering to the good one, whatever its kind: it starts at the best of several
runs of EM, moved by about two posterior standard deviations, so that chains that agree did not agree from the start
(Gelman and Rubin 1992, doi:10.1214/ss/1177011136).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._em_passes import one_thread
from bayeskit.models.mixtures._em_steps import Mixture, raise_to_floor
from bayeskit.models.mixtures.em import MixtureEM
from bayeskit.models.mixtures.parameters import values_of
from bayeskit.models.mixtures.spec import MixtureSpec

Floats = NDArray[np.float64]

_RESTARTS = 5
_ITERATIONS = 200
_TOLERANCE = 1e-5  # of the mean log likelihood
_WIDTH = 2.0  # posterior standard deviations
_LEAST = 0.1  # standard deviations of a column: how narrow a component may be that has hardly any points


def start_values(spec: MixtureSpec, y: Floats, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Return independent starts, labels permuted at random.

    Parameters
    ----------
    spec
        Sizes, form and priors.
    y
        ``n_points x n_columns`` on the model's scale, NaN where missing.
    rng
        Start ``i`` does not depend on how many starts are asked for at once.
    n
        Number of starts.

    Returns
    -------
    dict
        Every site of the spec to its values, ``n x`` its shape.

    Notes
    -----
    Starts of a Dirichlet process differ in how many components they use, from 1 to all; the concentration is drawn from
    its prior, and labels are in the random order in which sticks break: biased by size (Pitman 1996,
    doi:10.1214/lnms/1215453576).
    """
    full = MixtureEM(spec, y)
    with one_thread():
        found = [_one(full, child) for child in rng.spawn(n)]
    concentrations = np.array([concentration for _, concentration in found]) if spec.dp else None
    frames = [full.frame(mixture) for mixture, _ in found]
    weights, means, covariances = (
        np.stack([frame[name] for frame in frames]) for name in ("weights", "means", "covariances")
    )
    return values_of(spec, weights, means, covariances, concentrations)


def _one(full: MixtureEM, rng: np.random.Generator) -> tuple[Mixture, float]:
    """Return one start on the scale of EM, and a concentration."""
    spec, concentration = full.spec, 0.0
    used = spec.n_components
    if spec.dp:
        concentration = float(spec.prior("concentration").draw(1, rng)[0])
        used = min(used, int(np.exp(rng.uniform(0, np.log(used + 1)))))
    model = full.rehearsal(rng).with_components(used)
    mixture = _filled_up(_best(model, rng), full, model, rng)
    mixture = _moved(mixture, spec, full.n_points, rng)
    order = rng.permutation(spec.n_components)
    if spec.dp:
        order = rng.choice(spec.n_components, spec.n_components, replace=False, p=mixture.weights)
    return _picked(mixture, order), concentration


def _best(model: MixtureEM, rng: np.random.Generator) -> Mixture:
    """Return the most likely of several maxima, one without collapsed components rather than one with them."""
    best, value = None, (-np.inf, -np.inf)
    for number, child in enumerate(rng.spawn(_RESTARTS)):
        mixture, before = model.start(child, number), -np.inf
        for _ in range(_ITERATIONS):
            after, log_likelihood = model.step(mixture)
            if log_likelihood - before < _TOLERANCE * model.n_points:
                break
            mixture, before = after, log_likelihood
        here = (-float(model.collapsed(mixture).sum()), log_likelihood)
        if best is None or here > value:
            best, value = mixture, here
    assert best is not None
    return best


def _filled_up(mixture: Mixture, full: MixtureEM, model: MixtureEM, rng: np.random.Generator) -> Mixture:
    """Return all components of the spec: those that nobody uses lie on points, and are as wide as the others."""
    n_columns, missing = mixture.means.shape[1], full.spec.n_components - len(mixture.weights)
    counts = np.concatenate([mixture.weights * full.n_points, np.zeros(missing)])
    empty = counts < 1
    means = np.concatenate([mixture.means, np.empty((missing, n_columns))])
    means[empty] = model.points(rng)[rng.integers(model.n_points, size=empty.sum())]
    unit = np.eye(n_columns) if mixture.covariances.ndim == 3 else np.ones(n_columns)
    within = np.tensordot(mixture.weights, mixture.covariances, 1) + _LEAST**2 * unit
    covariances = np.concatenate([mixture.covariances, np.repeat(within[np.newaxis], missing, axis=0)])
    few = (counts < 3 * (n_columns + 2)) | np.concatenate([model.collapsed(mixture), np.zeros(missing, dtype=bool)])
    few &= full.spec.covariance != "tied"
    share = ((n_columns + 2) / (counts + n_columns + 2))[(slice(None), *[np.newaxis] * (covariances.ndim - 1))]
    covariances[few] = ((1 - share) * covariances + share * within)[few]
    weights = (counts + 1) / (counts + 1).sum()
    return Mixture(weights, means, covariances, np.zeros(len(weights), dtype=bool))


def _moved(mixture: Mixture, spec: MixtureSpec, n_points: int, rng: np.random.Generator) -> Mixture:
    """Return components that moved by about two posterior standard deviations, as many points would have them."""
    shape = mixture.means.shape
    counts = np.maximum(mixture.weights * n_points, shape[1] + 2)[:, np.newaxis]
    each = np.full_like(counts, n_points) if spec.covariance == "tied" else counts
    drawn = rng.standard_normal(shape) * _WIDTH / np.sqrt(2 * each)  # of the log scales
    if spec.covariance in ("tied", "spherical"):
        axis = 0 if spec.covariance == "tied" else 1
        drawn = np.repeat(np.take(drawn, [0], axis), shape[axis], axis)
    steps = rng.standard_normal(shape) * _WIDTH / np.sqrt(counts)
    if spec.correlated:
        factors = np.linalg.cholesky(mixture.covariances)
        below = np.tril(rng.standard_normal((*shape, shape[1])), -1) * _WIDTH / np.sqrt(each[..., np.newaxis])
        if spec.covariance == "tied":
            below[:] = below[0]
        moved = factors @ (below + np.exp(drawn)[..., np.newaxis] * np.eye(shape[1]))
        steps, covariances = (factors @ steps[..., np.newaxis])[..., 0], moved @ np.swapaxes(moved, -1, -2)
    else:
        steps, covariances = np.sqrt(mixture.covariances) * steps, mixture.covariances * np.exp(2 * drawn)
    spread = np.sqrt((1 - mixture.weights) / (mixture.weights * n_points + 1))
    weights = mixture.weights * np.exp(np.clip(_WIDTH * spread * rng.standard_normal(shape[0]), -3, 3))
    return replace(
        mixture,
        weights=weights / weights.sum(),
        means=mixture.means + steps,
        covariances=raise_to_floor(covariances)[0],
        moments=None,
    )


def _picked(mixture: Mixture, order: NDArray[np.int64]) -> Mixture:
    return Mixture(mixture.weights[order], mixture.means[order], mixture.covariances[order], mixture.floored[order])
