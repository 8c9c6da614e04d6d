"""Information criteria of a mixture from its largest likelihood; of each the smaller is the better.

Akaike (1974), doi:10.1109/TAC.1974.1100705; Schwarz (1978), doi:10.1214/aos/1176344136; the integrated classification
likelihood of Biernacki, Celeux and Govaert (2000), doi:10.1109/34.865189, in the form of McLachlan and Peel (2000),
section 6.10.3, doi:10.1002/0471721182: the BIC and twice the entropy of the assignments, so that overlapping components
count for less than clusters do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._em_steps import Mixture
from bayeskit.models.mixtures.em import MixtureEM
from bayeskit.models.mixtures.parameters import Components

if TYPE_CHECKING:
    from bayeskit.models.gmm import GMM

Floats = NDArray[np.float64]

_TOLERANCE = 1e-8  # of the log likelihood's growth in a step, per point
_MOST_STEPS = 3000
_MOST_WORK = 3_000_000_000  # points times columns times components of all steps: some seconds


def aic(log_likelihood: float, n_parameters: int) -> float:
    """Return Akaike's information criterion.

    Examples
    --------
    >>> aic(-100.0, 5)
    210.0
    """
    return 2 * n_parameters - 2 * log_likelihood


def bic(log_likelihood: float, n_parameters: int, n_points: int) -> float:
    """Return Schwarz's information criterion.

    Examples
    --------
    >>> round(bic(-100.0, 5, 1000), 2)
    234.54
    """
    return n_parameters * math.log(n_points) - 2 * log_likelihood


def icl(log_likelihood: float, n_parameters: int, n_points: int, entropy: float) -> float:
    """Return the integrated classification likelihood's criterion.

    Parameters
    ----------
    log_likelihood, n_parameters, n_points
        As for ``bic``.
    entropy
        Of the assignments of all points together, given the parameters.

    Examples
    --------
    >>> icl(-100.0, 5, 1000, 0.0) == bic(-100.0, 5, 1000)
    True
    """
    return bic(log_likelihood, n_parameters, n_points) + 2 * entropy


def maximum_likelihood(model: GMM, start: Components) -> dict[str, NDArray[Any]]:
    """Return the number of parameters, the largest log likelihood, and AIC and BIC by it, in the data's units.

    Parameters
    ----------
    model
        With the points.
    start
        One mixture, on the model's scale, where expectation-maximisation begins: of a posterior the draw of the highest
        likelihood, so that what is found is the peak that the posterior lies around.

    Returns
    -------
    dict
        Without the likelihood and the criteria where they mean nothing, since a component has collapsed on the way, and
        where data are too large to go there. Empty of a Dirichlet process: nobody has chosen its number of components.
    """
    spec, n_points = model.spec, len(model.y)
    if spec.dp:
        return {}
    found: dict[str, NDArray[Any]] = {"n_parameters": np.array(spec.n_parameters)}
    em = MixtureEM(spec, model.y)
    mixture, log_likelihood = em.step(_mixture(em, start))
    for _ in range(min(_MOST_STEPS, _MOST_WORK // (model.y.size * spec.n_components))):
        after, now = em.step(mixture)
        arrived = now - log_likelihood < _TOLERANCE * n_points
        mixture, log_likelihood = after, now
        if arrived:
            break
    else:
        return found
    if em.collapsed(mixture).any():
        return found
    log_likelihood += log_jacobian(model.y, model.spread).sum()
    found["max_log_likelihood"] = np.array(log_likelihood)
    found["aic"] = np.array(aic(log_likelihood, spec.n_parameters))
    found["bic"] = np.array(bic(log_likelihood, spec.n_parameters, n_points))
    return found


def log_jacobian(y: Floats, spread: Floats) -> Floats:
    """Return what is added to the log density of each point, ``n_points``, to have it in the data's units.

    Parameters
    ----------
    y
        ``n_points x n_columns``, on the model's scale, NaN where missing.
    spread
        ``n_columns``, the data's unit by the model's.
    """
    added: Floats = -(~np.isnan(y) @ np.log(spread))
    return added


def _mixture(em: MixtureEM, start: Components) -> Mixture:
    """Return a mixture on the scale of EM."""
    scale = em.scaling.scale
    covariances = start.covariances / np.outer(scale, scale)
    if not em.spec.correlated:
        covariances = np.diagonal(covariances, axis1=-2, axis2=-1)
    means = (start.means - em.scaling.shift) / scale
    return Mixture(start.weights, means, covariances, np.zeros(em.spec.n_components, dtype=bool))
