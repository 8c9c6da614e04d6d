"""Did the Markov chains converge? R-hat, effective sample sizes, MCSE, divergences, tree depth and energy.

Rank-normalised split R-hat and bulk and tail ESS: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021),
doi:10.1214/20-BA1221. Nested R-hat: Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari and Gelman (2024),
doi:10.1214/24-BA1453. E-BFMI: Betancourt (2016), arXiv:1604.00695. All computed by ArviZ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import Assessment, Comparison, Fit, Verdict
from bayeskit.core.words import count, listing
from bayeskit.diagnostics.labels import frame, real_valued
from bayeskit.diagnostics.moments import finite, moments, not_numbers, span

R_HAT_LIMIT = 1.01
ESS_PER_CHAIN = 100
ESS_MANY_CHAINS = 400
MANY_CHAINS = 16
MCSE_LIMIT = 0.05  # of the posterior sd: what 400 independent draws give
E_BFMI_LIMIT = 0.3
ROUNDING = 1e-12  # of a quantity's size: what arithmetic makes of a constant

_JUDGED = ["mcse_mean", "ess_bulk", "ess_tail", "r_hat"]
_REMEDIES = {
    "r_hat": "run longer (--warmup, --draws), or change the parametrisation",
    "ess_bulk": "run longer (--draws)",
    "ess_tail": "run longer (--draws)",
    "mcse": "run longer (--draws)",
    "divergences": "tighten the priors, or change the parametrisation: parts of the posterior were not reached",
    "tree_depth": "change the parametrisation: trajectories were cut short, so that sampling is slow",
    "e_bfmi": "change the parametrisation: the energy moves too slowly to reach the tails",
}


def assess_convergence(fit: Fit) -> Assessment:
    """Assess the draws of Markov chains.

    Parameters
    ----------
    fit
        Of kind ``mcmc``.

    Returns
    -------
    Assessment
        One verdict a check, each on the worst case over all parameters and states; ``summary`` has a row for each
        of these. A check that cannot be made (one chain has no R-hat, say) has ``passed=None``.

    Notes
    -----
    What has the same value in every draw of every chain (the 1s and 0s of a Cholesky factor, say), or never holds a
    number, has nothing to converge: it is left out and counted. It fails all the same if it is a parameter that the
    model's card has a prior for, or where the sampler itself stood still. What holds numbers in some draws only has a
    verdict of its own.
    """
    tree = fit.posterior
    statistics = tree["sample_stats"]
    superchains = statistics.attrs.get("superchains")
    posterior = real_valued(tree["posterior"].to_dataset())
    summary = summarise(posterior, superchains)
    parameters = {prior.name for prior in fit.provenance.card.priors}
    constant = _constant(posterior, summary["mean"], statistics.to_dataset()) & ~_variables(summary).isin(parameters)
    broken = _broken(posterior)
    summary.loc[constant | broken, _JUDGED] = np.nan
    chains = tree["posterior"].sizes["chain"]
    remedies = {**_REMEDIES, **fit.provenance.card.remedies}
    judged = summary[~(constant | broken)]
    never = summary["mean"].isna().to_numpy() & constant
    verdicts = _summary_verdicts(
        summary if judged.empty else judged, chains, int((constant & ~never).sum()), int(never.sum())
    )
    verdicts += [finite(posterior)] if broken.any() else []
    verdicts += _sampler_verdicts(statistics.to_dataset(), statistics.attrs)
    verdicts = [_with_remedy(verdict, remedies) for verdict in verdicts]
    metrics = {
        "chains": chains,
        "draws": tree["posterior"].sizes["draw"],
        "min_ess_bulk": float(summary["ess_bulk"].min()),
        "min_ess_tail": float(summary["ess_tail"].min()),
        "max_r_hat": float(summary["r_hat"].max()),
    }
    return Assessment(verdicts=tuple(verdicts), summary=summary, metrics=metrics)


def summarise(posterior: xr.Dataset, superchains: list[int] | None = None) -> pd.DataFrame:
    """Return one row a scalar: mean, sd, quantiles, MCSE, ESS and R-hat, unrounded.

    Parameters
    ----------
    posterior
        Variables with dimensions ``chain`` and ``draw``.
    superchains
        For more than 16 chains, each chain's starting point: R-hat is the nested one then.
    """
    columns = moments(posterior)
    with np.errstate(divide="ignore", invalid="ignore"):  # a parameter that never moves: NaN, judged below
        columns["mcse_mean"] = arviz_stats.mcse(posterior, method="mean")
        columns["ess_bulk"] = arviz_stats.ess(posterior, method="bulk")
        columns["ess_tail"] = arviz_stats.ess(posterior, method="tail")
        columns["r_hat"] = (
            arviz_stats.rhat_nested(posterior, superchain_ids=list(superchains))
            if superchains is not None
            else arviz_stats.rhat(posterior)
        )
    return frame(columns)


def _constant(posterior: xr.Dataset, mean: pd.Series[float], statistics: xr.Dataset) -> NDArray[np.bool_]:
    """Return which rows of the summary may stand still: none, where nothing moves."""
    spans = frame({"span": span(posterior)})["span"]
    still = (spans.isna() | (spans <= ROUNDING * mean.abs())).to_numpy()
    moves = [statistics[name].to_numpy() for name in ("lp", "energy") if name in statistics]
    if still.all() or any(np.ptp(values) == 0 for values in moves):
        return np.zeros_like(still)
    return still


def _broken(posterior: xr.Dataset) -> NDArray[np.bool_]:
    """Return which rows of the summary hold a number in some draws only; that is no question of convergence."""
    found: NDArray[np.bool_] = frame({"broken": not_numbers(posterior)})["broken"].to_numpy().astype(bool)
    return found


def _variables(summary: pd.DataFrame) -> pd.Index[str]:
    return pd.Index([str(label).partition("[")[0] for label in summary.index])


def _summary_verdicts(summary: pd.DataFrame, chains: int, constant: int, never: int) -> list[Verdict]:
    ess_needed = ESS_PER_CHAIN * chains if chains <= MANY_CHAINS else ESS_MANY_CHAINS
    mcse = summary["mcse_mean"] / summary["sd"]
    verdicts = [
        _worst("r_hat", summary["r_hat"], R_HAT_LIMIT, "<=") if chains > 1 else _unchecked_r_hat(),
        _worst("ess_bulk", summary["ess_bulk"], ess_needed, ">="),
        _worst("ess_tail", summary["ess_tail"], ess_needed, ">="),
        _worst("mcse", mcse, MCSE_LIMIT, "<="),
    ]
    left = [count(constant, "constant one", "constant ones")] if constant else []
    left += [count(never, "that never holds a number", "that never hold a number")] if never else []
    if left:
        verdicts[0] = replace(verdicts[0], detail=f"{verdicts[0].detail}; {listing(left)} left out")
    return verdicts


def _unchecked_r_hat() -> Verdict:
    return Verdict("r_hat", None, R_HAT_LIMIT, "<=", None, "one chain cannot disagree with itself; run at least two")


def _worst(name: str, values: pd.Series[float], limit: float, comparison: Comparison) -> Verdict:
    """Judge the worst of all parameters. A parameter that never moved has no number and fails."""
    stuck = values.index[values.isna()]
    if len(stuck):
        detail = f"{stuck[0]} and {len(stuck) - 1} more" if len(stuck) > 1 else str(stuck[0])
        return Verdict(
            name, None, limit, comparison, False, f"cannot be computed for {detail}: it never moves, or holds no number"
        )
    where = int(values.argmax() if comparison == "<=" else values.argmin())
    value = float(values.iloc[where])
    passed = value <= limit if comparison == "<=" else value >= limit
    return Verdict(
        name, value, limit, comparison, passed, f"worst: {values.index[where]}, of {len(values):,} quantities"
    )


def _sampler_verdicts(statistics: xr.Dataset, limits: Mapping[Any, Any]) -> list[Verdict]:
    verdicts = []
    if "diverging" in statistics:
        count = int(statistics["diverging"].sum())
        of = f"of {statistics['diverging'].size:,} draws"
        verdicts.append(Verdict("divergences", count, 0, "<=", count == 0, of))
    if "tree_depth" in statistics and "max_treedepth" in limits:
        depth = int(limits["max_treedepth"])
        count = int((statistics["tree_depth"] >= depth).sum())
        verdicts.append(
            Verdict(
                "tree_depth",
                count,
                0,
                "<=",
                count == 0,
                f"draws at the limit of {depth}, of {statistics['tree_depth'].size:,}",
            )
        )
    if "energy" in statistics:
        # Each chain for itself: one stuck chain must not hide behind the others' mean.
        with np.errstate(divide="ignore", invalid="ignore"):
            e_bfmi = np.atleast_1d(arviz_stats.bfmi(statistics[["energy"]])["energy"].values)
        value = float(e_bfmi.min())  # NaN where the energy never moves
        number = None if np.isnan(value) else value
        passed = bool(value >= E_BFMI_LIMIT)
        verdicts.append(Verdict("e_bfmi", number, E_BFMI_LIMIT, ">=", passed, f"worst of {e_bfmi.size} chains"))
    return verdicts


def _with_remedy(verdict: Verdict, remedies: Mapping[str, str]) -> Verdict:
    return verdict if verdict.passed else replace(verdict, remedy=remedies.get(verdict.name, verdict.remedy))
