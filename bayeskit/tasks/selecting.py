"""How many components? Every number is fitted; what predicts or explains the points best is taken.

By maximum likelihood: AIC, BIC and ICL (``models.mixtures.criteria``). Of the posterior: the expected log predictive
density of points left out in turn, by Pareto-smoothed importance sampling, Vehtari, Gelman and Gabry (2017),
doi:10.1007/s11222-016-9696-4. Of numbers that predict alike the smallest is taken. The best predicts better than
another only where the difference is more than 4, below which it says little (Sivula, Magnusson, Matamoros and Vehtari
2020, arXiv:2008.10296), and more than 2 of its standard errors. What short chains leave open counts as error, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError
from bayeskit.inference.em import EMConfig, fit_em
from bayeskit.inference.gibbs import GibbsConfig, fit_gibbs
from bayeskit.models import gmm as models
from bayeskit.models.mixtures.criteria import aic, bic, icl, log_jacobian
from bayeskit.models.mixtures.likelihood import log_likelihood
from bayeskit.models.mixtures.membership import membership
from bayeskit.models.mixtures.parameters import components_of

if TYPE_CHECKING:
    from bayeskit.datasets.points import Points
    from bayeskit.diagnostics.mixtures import LeaveOneOut
    from bayeskit.models.gmm import GMM

Floats = NDArray[np.float64]
Table = dict[str, NDArray[Any]]

MOST_COMPONENTS = 8
BY_LIKELIHOOD = ("aic", "bic", "icl")
CRITERIA = (*BY_LIKELIHOOD, "loo")
_EM = EMConfig(restarts=10, device="cpu")
_GIBBS = GibbsConfig(chains=4, warmup=500, draws=250)
_MOST_TERMS = 20_000_000  # draws times points of a pointwise log likelihood
_FEWEST_DRAWS = 100


def choose_components(
    data: Points,
    options: Mapping[str, Any],
    *,
    criterion: str = "loo",
    most: int = MOST_COMPONENTS,
    seed: int = 1,
    notify: Callable[[str], None] | None = None,
) -> tuple[int, Table]:
    """Fit mixtures with 1, 2 and more components, and choose one.

    Parameters
    ----------
    data
        The points.
    options
        All that ``models.gmm.gmm`` takes besides the number of components.
    criterion
        ``loo``: leave-one-out of a short run of blocked Gibbs sampling; ``aic``, ``bic`` or ``icl``: of maximum
        likelihood, for which nothing is drawn.
    most
        The largest number that is tried; there are never more than distinct points.
    seed
        Of all fits.
    notify
        Hears of each.

    Returns
    -------
    int, dict
        The number, and the columns of a table with a row for each: ``n_components``, ``n_parameters``,
        ``max_log_likelihood``, ``aic``, ``bic``, ``icl`` (NaN where a component collapsed, so that its likelihood means
        nothing); with ``loo`` also ``elpd_loo``, ``elpd_loo_se``, ``elpd_loo_difference`` from the best, at most 0,
        ``elpd_loo_difference_se``, ``elpd_loo_simulation_error`` and ``n_bad_k``; ``chosen_by_aic`` and so on, 1 where
        this criterion by itself would choose; and ``chosen``.

    Raises
    ------
    ConfigError
        For an unknown criterion, or ``loo`` of too many points.
    """
    if criterion not in CRITERIA:
        raise ConfigError(f"criterion '{criterion}' is unknown; choose from {', '.join(CRITERIA)}")
    if most < 1:
        raise ConfigError(f"the most components to try must be at least 1, got {most}")
    if criterion == "loo" and data.n_points * _FEWEST_DRAWS > _MOST_TERMS:
        raise ConfigError(
            f"{data.n_points:,} points are too many to leave out one by one; choose by --criterion bic, or give "
            "--components a number"
        )
    most = min(most, len(np.unique(np.nan_to_num(data.values, nan=np.inf), axis=0)))
    rows: list[dict[str, float]] = []
    scores: list[LeaveOneOut] = []
    for n_components in range(1, most + 1):
        model = models.gmm(data, components=n_components, **options)
        rows.append(_by_likelihood(model, seed))
        if criterion == "loo":
            scores.append(_left_out(model, seed))
        if notify is not None:
            notify(_told(rows[-1], scores[-1] if scores else None))
    table: Table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    if scores:
        table |= _differences(scores)
    chosen = {name: _best(table[name]) for name in BY_LIKELIHOOD}
    if scores:
        chosen["loo"] = _smallest_that_predicts_alike(table)
    places = np.arange(len(rows))
    table |= {f"chosen_by_{name}": (places == place).astype(np.int64) for name, place in chosen.items()}
    table["chosen"] = table[f"chosen_by_{criterion}"].copy()
    table["n_components"], table["n_parameters"] = (table[n].astype(np.int64) for n in ("n_components", "n_parameters"))
    return int(table["n_components"][chosen[criterion]]), table


def _by_likelihood(model: GMM, seed: int) -> dict[str, float]:
    """Return a row of the table by maximum likelihood, in the data's units."""
    draws = fit_em(model.em("cpu"), _EM, seed=seed)
    components = components_of(model.spec, {name: value[0] for name, value in draws.values.items()})
    found = membership(model.y, components)
    log_lik = float(found.log_likelihood[0] + log_jacobian(model.y, model.spread).sum())
    count, n_points = model.spec.n_parameters, len(model.y)
    row = {"n_components": model.spec.n_components, "n_parameters": count, "max_log_likelihood": log_lik}
    criteria = {
        "aic": aic(log_lik, count),
        "bic": bic(log_lik, count, n_points),
        "icl": icl(log_lik, count, n_points, n_points * float(found.entropy[0])),
    }
    return row | (dict.fromkeys(criteria, np.nan) if draws.engine["collapsed"] else criteria)


def _left_out(model: GMM, seed: int) -> LeaveOneOut:
    from bayeskit.diagnostics.mixtures import leave_one_out

    draws = fit_gibbs(model.gibbs(), _GIBBS, seed=seed)
    step = max(1, -(-_GIBBS.chains * _GIBBS.draws * len(model.y) // _MOST_TERMS))
    values = {name: value[:, ::step] for name, value in draws.values.items()}
    terms = log_likelihood(model.y, components_of(model.spec, values))
    return leave_one_out(terms + log_jacobian(model.y, model.spread))


def _differences(scores: list[LeaveOneOut]) -> Table:
    """Return the columns that leave-one-out fills."""
    totals = np.array([score.elpd for score in scores])
    best = scores[_best(-totals)].pointwise
    differences = np.array([score.pointwise - best for score in scores])
    return {
        "elpd_loo": totals,
        "elpd_loo_se": np.array([score.se for score in scores]),
        "elpd_loo_difference": differences.sum(axis=-1),
        "elpd_loo_difference_se": np.sqrt(best.size) * differences.std(axis=-1, ddof=1),
        "elpd_loo_simulation_error": np.array([score.simulation_error for score in scores]),
        "n_bad_k": np.array([score.n_bad_k for score in scores]),
    }


def _smallest_that_predicts_alike(table: Table) -> int:
    from bayeskit.diagnostics.comparison import ALIKE

    of_best = table["elpd_loo_simulation_error"][_best(-table["elpd_loo"])]
    variances = table["elpd_loo_difference_se"] ** 2 + table["elpd_loo_simulation_error"] ** 2 + of_best**2
    enough = np.maximum(2 * np.sqrt(variances), ALIKE)
    alike = -table["elpd_loo_difference"] <= enough
    return int(np.flatnonzero(alike)[0]) if alike.any() else 0


def _best(values: Floats) -> int:
    """Return the place of the smallest number; the first where there is none."""
    return int(np.nanargmin(values)) if np.isfinite(values).any() else 0


def _told(row: Mapping[str, float], score: LeaveOneOut | None) -> str:
    by = f"BIC {row['bic']:.1f}" if np.isfinite(row["bic"]) else "a component collapsed"
    loo = "" if score is None else f", leave-one-out {score.elpd:.1f}"
    return f"{row['n_components']:.0f} components: {by}{loo}"
