"""What there is to check of a mixture besides its draws: collapsed components, and how well it predicts.

A component that shrinks onto one point has a likelihood without bound: Day (1969), doi:10.1093/biomet/56.3.463. A prior
on the scales keeps it finite, and an estimate that rests on such a component means nothing all the same.

Leave-one-out cross-validation by Pareto-smoothed importance sampling: Vehtari, Gelman and Gabry (2017),
doi:10.1007/s11222-016-9696-4, by ArviZ.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit, Verdict
from bayeskit.core.words import listing, percent
from bayeskit.diagnostics.comparison import log_means, relative_efficiency, without_each
from bayeskit.diagnostics.pointwise import terms_of
from bayeskit.diagnostics.weights import k_hat_limit

Floats = NDArray[np.float64]

HOLDS = 1.0  # points, as expected: less is an empty component
_FEWEST = 2  # distinct points: one has no spread
_MOST_CELLS = 100  # points whose likelihoods' effective sample sizes are averaged
_REMEDY = mark(
    "take fewer components (--components), let them share a covariance (--covariance tied), or keep their scales "
    "from 0 by a prior (--prior)"
)


@dataclass(frozen=True)
class LeaveOneOut:
    """The expected log predictive density of points, each left out in turn.

    Parameters
    ----------
    elpd, se
        The sum over the points, and its standard error; NaN where it cannot be computed.
    pointwise
        ``n_points``.
    n_bad_k
        Of how many points the Pareto k-hat is too large for the score to be relied on.
    simulation_error
        Standard error of ``elpd`` as an estimate from these chains, by what each of them says alone: large where
        chains are in different modes.
    """

    elpd: float
    se: float
    pointwise: Floats
    n_bad_k: int
    simulation_error: float = 0.0


def leave_one_out(terms: Floats) -> LeaveOneOut:
    """Score draws of Markov chains by the points that they were given.

    Parameters
    ----------
    terms
        ``n_chains x n_draws x n_points``, the log likelihood of each point.

    Notes
    -----
    What a chain says alone is its widely applicable information criterion, Watanabe (2010),
    https://jmlr.org/papers/v11/watanabe10a.html, which needs no smoothing and is near enough for an error.
    """
    import arviz_stats

    values = xr.DataArray(terms, dims=("chain", "draw", "point"), name="points")
    some = values[..., :: -(-terms.shape[-1] // _MOST_CELLS)]
    likelihood = some.copy(data=np.exp(some.to_numpy() - some.to_numpy().max(axis=(0, 1))))
    worth = arviz_stats.ess(likelihood.to_dataset(), method="mean")["points"].to_numpy()
    efficiency = float(np.nanmean(worth) / (terms.shape[0] * terms.shape[1]))
    return replace(_left_out(values, "points", efficiency), simulation_error=_between_chains(terms))


def assess_mixture(fit: Fit, assessment: Assessment) -> Assessment:
    """Add to the assessment of a mixture's draws what is known of mixtures.

    Parameters
    ----------
    fit
        Of a mixture, of any kind.
    assessment
        Of its draws.

    Returns
    -------
    Assessment
        With the verdict ``components`` (no component that holds any points has collapsed; of a point estimate the
        optimiser's own ``collapsed`` tells that), and the metrics ``elpd_loo``, ``elpd_loo_se``, ``p_loo`` and
        ``n_bad_k`` (of how many points the Pareto k-hat is too large), ``n_parameters``, ``max_log_likelihood``,
        ``aic`` and ``bic``, and ``n_occupied``, the commonest number of components with any point: those that there
        are.
    """
    tree = fit.posterior
    derived = tree["derived"].to_dataset() if "derived" in tree.children else xr.Dataset()
    metrics = dict(assessment.metrics)
    for name in ("n_parameters", "max_log_likelihood", "aic", "bic"):
        if name in derived:
            metrics[name] = float(derived[name])
    if "n_occupied" in tree["posterior"]:
        numbers, counts = np.unique(tree["posterior"]["n_occupied"].to_numpy(), return_counts=True)
        metrics["n_occupied"] = float(numbers[np.argmax(counts)])
    metrics |= _cross_validation(fit)
    verdicts = assessment.verdicts
    if fit.provenance.kind != "point" and {"distinct_points", "responsibility"} <= set(derived):
        verdicts = (*verdicts, _components(fit, derived))
    return replace(assessment, verdicts=verdicts, metrics=metrics)


def _between_chains(terms: Floats) -> float:
    """Return the standard error of the mean of the chains' own scores."""
    if len(terms) < 2:
        return 0.0
    largest = terms.max(axis=1, keepdims=True)
    predictive = np.log(np.exp(terms - largest).mean(axis=1)) + largest[:, 0]
    scores = (predictive - terms.var(axis=1, ddof=1)).sum(axis=-1)
    return float(scores.std(ddof=1) / np.sqrt(len(scores)))


def _components(fit: Fit, derived: xr.Dataset) -> Verdict:
    """Judge the component that holds the fewest distinct points, of those that hold any."""
    held = derived["responsibility"].sum("point").to_numpy()
    distinct = derived["distinct_points"].to_numpy()
    needed = _needed(fit)
    full = np.flatnonzero(held >= HOLDS)
    smallest = int(distinct[full].min()) if full.size else 0
    few = full[distinct[full] < needed]
    if few.size == 0:
        detail = say_count(
            smallest,
            "the least that a component rests on is {n} distinct point",
            "the least that a component rests on are {n} distinct points",
        )
        return Verdict("components", smallest, needed, ">=", True, detail)
    told = [
        say_count(
            int(distinct[place]),
            "component {component} rests on {n} distinct point, and has {share} of the weight",
            "component {component} rests on {n} distinct points, and has {share} of the weight",
            component=place + 1,
            share=percent(float(held[place] / held.sum())),
        )
        for place in few
    ]
    remedies = {"components": say(_REMEDY), **fit.provenance.card.remedies}
    return Verdict("components", smallest, needed, ">=", False, listing(told), remedies["components"])


def _needed(fit: Fit) -> int:
    """Return how many distinct points a component needs: for a covariance of its own, more than there are columns."""
    card = fit.provenance.card.mixture
    return len(card.columns) + 1 if card is not None and card.covariance == "full" else _FEWEST


def _cross_validation(fit: Fit) -> dict[str, float]:
    """Return the leave-one-out score, or nothing where there are no draws of a posterior to compute it from."""
    terms = terms_of(fit)
    if isinstance(terms, str):
        return {}
    found = _left_out(terms.values, terms.name, relative_efficiency(fit), **without_each(terms))
    metrics = {"n_bad_k": float(found.n_bad_k)}
    if not np.isfinite(found.elpd):  # one draw outweighs all others where some point is left out
        return metrics
    in_sample = float(log_means(terms).sum())
    return {"elpd_loo": found.elpd, "elpd_loo_se": found.se, "p_loo": in_sample - found.elpd, **metrics}


def _left_out(values: xr.DataArray, name: str, efficiency: float, **weights: xr.DataArray) -> LeaveOneOut:
    from arviz_stats import loo

    tree = xr.DataTree.from_dict({"log_likelihood": values.to_dataset(name=name)})
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # of k-hats, which are counted below
        warnings.simplefilter("ignore")
        found = loo(tree, pointwise=True, var_name=name, reff=efficiency, **weights)
    pointwise = np.asarray(found.elpd_i, dtype=float).ravel()
    reliable = (np.asarray(found.pareto_k).ravel() <= k_hat_limit(found.n_samples)) & np.isfinite(pointwise)
    return LeaveOneOut(float(found.elpd), float(found.se), pointwise, int((~reliable).sum()))
