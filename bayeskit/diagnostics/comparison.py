"""Which of several fits predicts the same data better, where that can be said from their draws.

Leave-one-out cross-validation by Pareto-smoothed importance sampling, and the difference of two models with its
standard error: Vehtari, Gelman and Gabry (2017), doi:10.1007/s11222-016-9696-4, by ArviZ. It takes one observation out
of the posterior by dividing by that observation's term of the likelihood, which is right only where no other term
depends on the observation. Of a series whose terms are predictive densities given the days before, all later terms
do; there the one-step-ahead log predictive densities are summed instead, as Diebold and Mariano (1995) compare
forecasts, doi:10.1080/07350015.1995.10524599, with the standard error of Newey and West (1987), doi:10.2307/1913610.
That score has seen the data once, through the parameters: leaving the future out takes refits (Bürkner, Gabry and
Vehtari 2020, doi:10.1080/00949655.2020.1783262).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import Fit
from bayeskit.diagnostics.labels import SAMPLE_DIMS, cell_dims, cell_draws, real_valued
from bayeskit.diagnostics.pointwise import Terms, differs, terms_of
from bayeskit.diagnostics.weights import k_hat_limit

Floats = NDArray[np.float64]
Basis = Literal["loo", "one-step"]

ALIKE = 4.0  # a smaller difference says little, and its standard error even less: Sivula et al., arXiv:2008.10296
FEW = 100  # observations, of which the standard error is too small: the same
SMALLEST = -700.0  # log of a weight, from the largest: one that is nothing next to it
MAX_CELLS = 1000  # of the posterior, that its relative efficiency is averaged over


@dataclass(frozen=True)
class Score:
    """How well one fit predicts: a log predictive density, summed over the observations.

    Parameters
    ----------
    elpd, se
        The sum and its standard error.
    optimism
        By how much the in-sample sum of log densities is larger than a fair one, about: the effective number of
        parameters (of ``loo`` its ``p_loo``, of ``one-step`` the posterior variance of the terms, summed).
    difference, difference_se
        From the best fit, at most 0, and the standard error of the paired differences.
    weight
        In a stacked prediction; None where it was not computed.
    unreliable
        Of how many observations the Pareto k-hat is above its limit.
    """

    elpd: float
    se: float
    optimism: float
    difference: float
    difference_se: float
    weight: float | None = None
    unreliable: int = 0


@dataclass(frozen=True)
class Scores:
    """Scores by name, the best first; fewer than two fits have none.

    Parameters
    ----------
    basis
        What was computed: ``loo``, or ``one-step`` where observations cannot be left out.
    left_out
        Why the other fits have no score.
    n_observations, k_limit
        That were predicted; the largest k-hat that can be relied on.
    supposed
        Whether nobody but the program's author says that the terms are independent given the parameters.
    """

    rows: Mapping[str, Score]
    left_out: Mapping[str, str]
    basis: Basis = "loo"
    n_observations: int = 0
    k_limit: float = 0.7
    supposed: bool = False


def compare_scores(fits: Mapping[str, Fit]) -> Scores:
    """Score the fits that predict the same observations as the first one that can be scored.

    Parameters
    ----------
    fits
        By name.

    Returns
    -------
    Scores
        Without rows where fewer than two fits can be compared; ``left_out`` then says why.
    """
    found: dict[str, Terms] = {}
    left_out: dict[str, str] = {}
    for name, fit in fits.items():
        terms = terms_of(fit)
        if isinstance(terms, str):
            left_out[name] = terms
            continue
        first = next(iter(found), None)
        reason = differs(found[first], terms, first) if first is not None else ""
        if reason:
            left_out[name] = reason
        else:
            found[name] = terms
    if len(found) < 2:
        return Scores({}, left_out)
    first_terms = next(iter(found.values()))
    draws = min(int(np.prod([fits[name].posterior["posterior"].sizes[d] for d in SAMPLE_DIMS])) for name in found)
    rows = _one_step(found) if first_terms.sequential else _loo({name: fits[name] for name in found}, found)
    return Scores(
        rows=rows,
        left_out=left_out,
        basis="one-step" if first_terms.sequential else "loo",
        n_observations=int(first_terms.values.isel(chain=0, draw=0).size),
        k_limit=k_hat_limit(draws),
        supposed=not all(terms.known for terms in found.values()),
    )


def newey_west(values: Floats) -> float:
    """Return the standard error of the sum of values in their order, robust against autocorrelation.

    Bartlett weights up to the lag 4 (n / 100)^(2/9), Newey and West (1994), doi:10.2307/2297912.

    Examples
    --------
    >>> round(newey_west(np.array([1.0, -1.0, 1.0, -1.0])), 3)
    1.155
    """
    size = values.size
    if size < 2:
        return float("nan")
    centred = values - values.mean()
    lags = min(int(4 * (size / 100) ** (2 / 9)), size - 1)
    variance = float(centred @ centred)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag])
    return float(np.sqrt(max(variance, 0.0) * size / (size - 1)))


def _loo(fits: Mapping[str, Fit], terms: Mapping[str, Terms]) -> dict[str, Score]:
    from arviz_stats import compare, loo

    found: dict[str, Any] = {}
    with warnings.catch_warnings():  # of k-hat, which stands in the score itself
        warnings.simplefilter("ignore")
        for name, item in terms.items():
            tree = xr.DataTree.from_dict({"log_likelihood": item.values.to_dataset(name=item.name)})
            left_out = without_each(item)
            reff = relative_efficiency(fits[name])
            found[name] = loo(tree, pointwise=True, var_name=item.name, reff=reff, **left_out)
            if item.weights is not None:  # ArviZ takes all draws for equal in what it subtracts from
                found[name].p = float(log_means(item).sum()) - float(found[name].elpd)
        table = compare(found)
    return {str(name): _row(row, found[str(name)]) for name, row in table.iterrows()}


def without_each(item: Terms) -> dict[str, xr.DataArray]:
    """Return what ArviZ cannot know of weighted draws: the log weights without each observation, and their k-hats."""
    from arviz_stats.base import array_stats

    if item.weights is None:
        return {}
    ratios = item.weights.log_ratios
    ratios = np.maximum(ratios, ratios.max() + SMALLEST)
    smoothed = [array_stats.psislw(terms - ratios) for terms in item.draws.T]
    values = item.values.transpose(*SAMPLE_DIMS, *cell_dims(item.values))
    log_weights = np.stack([weights for weights, _ in smoothed], axis=-1).reshape(values.shape)
    k_hats = np.array([float(k_hat) for _, k_hat in smoothed]).reshape(values.shape[2:])
    return {
        "log_weights": values.copy(data=log_weights),
        "pareto_k": values.isel(chain=0, draw=0, drop=True).copy(data=k_hats),
    }


def log_means(item: Terms) -> Floats:
    """Return the log predictive density of each observation, the mean over the posterior."""
    from scipy.special import logsumexp

    draws = item.draws
    weights = 1 / draws.shape[0] if item.weights is None else item.weights.weights[:, None]
    found: Floats = logsumexp(draws, axis=0, b=weights)
    return found


def _row(row: pd.Series[Any], data: Any) -> Score:
    weight = float(row["weight"])
    unreliable = int((~(np.asarray(data.pareto_k) <= k_hat_limit(data.n_samples))).sum())
    return Score(
        elpd=float(row["elpd"]),
        se=float(row["se"]),
        optimism=float(row["p"]),
        difference=-abs(float(row["elpd_diff"])),
        difference_se=float(row["dse"]),
        weight=weight if np.isfinite(weight) else None,
        unreliable=unreliable,
    )


def relative_efficiency(fit: Fit) -> float:
    """Return what one draw of the posterior is worth on average, as ArviZ computes it, but for what never moves."""
    import arviz_stats

    posterior = fit.posterior["posterior"].to_dataset()
    if fit.provenance.kind != "mcmc" or posterior.sizes["chain"] < 2:
        return 1.0
    posterior = real_valued(posterior)
    sizes = [array.isel(chain=0, draw=0).size for array in posterior.data_vars.values()]
    step = -(-sum(sizes) // MAX_CELLS)
    cells = np.concatenate([cell_draws(_thinned(array, step)) for array in posterior.data_vars.values()], axis=-1)
    cells = cells[..., np.isfinite(cells).all(axis=(0, 1)) & (np.ptp(cells, axis=(0, 1)) > 0)]
    if cells.shape[-1] == 0:
        return 1.0
    array = xr.DataArray(cells, dims=(*SAMPLE_DIMS, "cell"), name="cells")
    worth = arviz_stats.ess(array.to_dataset(), method="mean")["cells"].to_numpy()
    return float(np.nanmean(worth) / (cells.shape[0] * cells.shape[1]))


def _thinned(array: xr.DataArray, step: int) -> xr.DataArray:
    """Return one in so many elements, before they are read from disk."""
    dims = cell_dims(array)
    return array.isel({max(dims, key=lambda dim: array.sizes[dim]): slice(None, None, step)}) if dims else array


def _one_step(terms: Mapping[str, Terms]) -> dict[str, Score]:
    found = {name: (log_means(item), _variance(item)) for name, item in terms.items()}
    order = sorted(found, key=lambda name: -found[name][0].sum())
    best = found[order[0]][0]
    return {
        name: Score(
            elpd=float(found[name][0].sum()),
            se=newey_west(found[name][0]),
            optimism=found[name][1],
            difference=float((found[name][0] - best).sum()),
            difference_se=newey_west(found[name][0] - best) if name != order[0] else 0.0,
        )
        for name in order
    }


def _variance(item: Terms) -> float:
    """Return the posterior variance of the terms, summed."""
    draws = item.draws
    weights = np.full(draws.shape[0], 1 / draws.shape[0]) if item.weights is None else item.weights.weights
    spread = weights @ np.square(draws - weights @ draws)
    return float(np.sum(spread) / (1 - np.square(weights).sum()))
