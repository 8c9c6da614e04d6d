"""What calibration ranks of a mixture: quantities that stay the same when components change their labels.

A component's own mean or weight says nothing by itself, since the posterior is the same in every order of the
components, and the truth's order is one of them by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures.likelihood import log_joint, log_likelihood, log_prior, log_sum_exp
from bayeskit.models.mixtures.parameters import Components, components_of
from bayeskit.models.mixtures.spec import MixtureSpec

Floats = NDArray[np.float64]

LOG_LIKELIHOOD = "log_lik"
_MOST_COLUMNS = 4  # whose moments are ranked
_AT_ONCE = 1 << 21  # numbers that a block of draws takes
_PLACES = {"centre": 0.0, "edge": 0.75}
"""Where the density of a new point is looked at, in standard deviations of the prior on means."""


def label_free_quantities(
    spec: MixtureSpec, y: Floats, columns: Sequence[str], values: Mapping[str, NDArray[Any]]
) -> dict[str, Floats]:
    """Return what does not depend on labels.

    Parameters
    ----------
    spec
        Sizes, form and priors.
    y
        ``n_points x n_columns``, on the model's scale, NaN where missing: the data that the likelihood is of.
    columns
        Their names.
    values
        By site, ``n_draws x`` the site's shape.

    Returns
    -------
    dict
        ``n_draws`` values by label: the total log likelihood ``log_lik`` (which depends on the data, so that a
        posterior that ignores these is seen: Modrák et al. 2023, doi:10.1214/23-BA1404); ``log_density``, with the
        log prior of the sites added; mean and standard deviation of the whole mixture by column, on the model's
        scale; the log density of a new point at two fixed places; of a Dirichlet process the concentration. Where
        there is more than one component, also the largest weight, the mean entropy of the points' assignments, and
        the probability that pairs of points, by their numbers from 1, belong to the same component.
    """
    values = {name: np.asarray(values[name], dtype=float) for name in spec.shapes}
    components = components_of(spec, values)
    found = {LOG_LIKELIHOOD: log_likelihood(y, components).sum(axis=-1)}
    found["log_density"] = found[LOG_LIKELIHOOD] + log_prior(spec, values)
    if spec.dp:
        found["concentration"] = values["concentration"]
    if spec.n_components > 1:
        found |= {"largest_weight": components.weights.max(axis=-1), **_of_assignments(y, components)}
    return found | _moments(components, columns) | _new_points(spec, components)


def _of_assignments(y: Floats, components: Components) -> dict[str, Floats]:
    pairs = list(_pairs(len(y)))
    n_draws = len(components.weights)
    entropy, together = np.empty(n_draws), np.empty((len(pairs), n_draws))
    step = max(1, _AT_ONCE // (y.size * components.weights.shape[-1]))
    for first in range(0, n_draws, step):
        block = slice(first, first + step)
        log_terms = log_joint(y, components[block])
        log_terms -= log_sum_exp(log_terms)[..., np.newaxis]
        chances = np.exp(log_terms)
        entropy[block] = -np.sum(chances * np.maximum(log_terms, -1e3), axis=-1).mean(axis=-1)
        for pair, (one, other) in enumerate(pairs):
            together[pair, block] = np.sum(chances[:, one] * chances[:, other], axis=-1)
    labels = (f"together[{one + 1},{other + 1}]" for one, other in pairs)
    return {"entropy": entropy, **dict(zip(labels, together, strict=True))}


def _pairs(n_points: int) -> Iterator[tuple[int, int]]:
    """Give a few pairs that share no point, as far as there are points."""
    for one in range(min(3, n_points // 2)):
        yield one, n_points - 1 - one


def _moments(components: Components, columns: Sequence[str]) -> dict[str, Floats]:
    shares = components.weights[..., np.newaxis]
    means = (shares * components.means).sum(axis=-2)
    within = np.sum(components.cholesky**2, axis=-1)
    variances = np.sum(shares * (within + (components.means - means[..., np.newaxis, :]) ** 2), axis=-2)
    found = {f"mean[{name}]": means[..., at] for at, name in enumerate(columns[:_MOST_COLUMNS])}
    return found | {f"sd[{name}]": np.sqrt(variances[..., at]) for at, name in enumerate(columns[:_MOST_COLUMNS])}


def _new_points(spec: MixtureSpec, components: Components) -> dict[str, Floats]:
    centre, width = spec.prior("means").arguments
    places = np.array([[centre + width * off] * spec.n_columns for off in _PLACES.values()])
    log_densities = log_likelihood(places, components)
    return {f"log_predictive[{name}]": log_densities[..., at] for at, name in enumerate(_PLACES)}
