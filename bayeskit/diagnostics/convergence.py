"""Did the Markov chains converge? R-hat, effective sample sizes, MCSE, divergences, tree depth and energy.

Rank-normalised split R-hat and bulk and tail ESS: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021),
doi:10.1214/20-BA1221. Nested R-hat: Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari and Gelman (2024),
doi:10.1214/24-BA1453; E-BFMI: Betancourt (2016), arXiv:1604.00695; both computed by ArviZ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import arviz_stats
import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Comparison, Fit, Verdict
from bayeskit.core.words import count, listing
from bayeskit.diagnostics.acceptance import acceptance_verdict
from bayeskit.diagnostics.blocks import over_cells
from bayeskit.diagnostics.chains import MIN_DRAWS, in_order, mixing
from bayeskit.diagnostics.moments import CHECKS, finite, moments

Floats = NDArray[np.float64]

R_HAT_LIMIT = 1.01
ESS_PER_CHAIN = 100
ESS_MANY_CHAINS = 400
MANY_CHAINS = 16
MCSE_LIMIT = 0.05  # of the posterior sd: what 400 independent draws give
E_BFMI_LIMIT = 0.3
ROUNDING = 1e-12  # of a quantity's size: what arithmetic makes of a constant

_JUDGED = ["mcse_mean", "ess_bulk", "ess_tail", "r_hat"]
_REMEDIES = {
    "r_hat": mark("run longer (--warmup, --draws), or change the parametrisation"),
    "ess_bulk": mark("run longer (--draws)"),
    "ess_tail": mark("run longer (--draws)"),
    "mcse": mark("run longer (--draws)"),
    "divergences": mark("tighten the priors, or change the parametrisation: parts of the posterior were not reached"),
    "tree_depth": mark("change the parametrisation: trajectories were cut short, so that sampling is slow"),
    "e_bfmi": mark("change the parametrisation: the energy moves too slowly to reach the tails"),
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
    model's card has a prior for, or where the sampler itself stood still; but chains of a block model's assignments
    that all stay at one partition, each from a start of its own, have found what there is. What holds numbers in some
    draws only has a verdict of its own.
    """
    tree = fit.posterior
    statistics = tree["sample_stats"]
    superchains = statistics.attrs.get("superchains")
    found = over_cells(tree["posterior"].to_dataset(), partial(_statistics, superchains=superchains))
    summary = found.drop(columns=CHECKS)
    chains, draws = (tree["posterior"].sizes.get(dim, 0) for dim in ("chain", "draw"))
    if summary.empty or draws < MIN_DRAWS:
        return Assessment(_too_little(draws), summary, {"chains": chains, "draws": draws})
    parameters = {prior.name for prior in fit.provenance.card.priors}
    moving = ("energy",) if fit.provenance.card.blocks is not None else ("lp", "energy")
    constant = _constant(found, statistics.to_dataset(), moving) & ~_variables(summary).isin(parameters)
    broken = found["broken"].to_numpy(dtype=bool)
    summary.loc[constant | broken, _JUDGED] = np.nan
    remedies = {**{name: say(text) for name, text in _REMEDIES.items()}, **fit.provenance.card.remedies}
    judged = summary[~(constant | broken)]
    never = found["unset"].to_numpy(dtype=bool) & constant
    verdicts = _summary_verdicts(
        summary if judged.empty else judged, chains, int((constant & ~never).sum()), int(never.sum())
    )
    verdicts += [finite(found)] if broken.any() else []
    verdicts += _sampler_verdicts(statistics.to_dataset(), statistics.attrs)
    if "acceptance_target" in statistics.attrs:
        rates = statistics["acceptance_rate"].transpose("chain", "draw").to_numpy()
        verdicts.append(acceptance_verdict(rates, float(statistics.attrs["acceptance_target"])))
    verdicts = [_with_remedy(verdict, remedies) for verdict in verdicts]
    metrics = {
        "chains": chains,
        "draws": draws,
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
    return over_cells(posterior, partial(_statistics, superchains=superchains)).drop(columns=CHECKS)


def _statistics(values: Floats, superchains: Sequence[int] | None) -> dict[str, NDArray[Any]]:
    """Return the columns of the summary, and ``CHECKS``, of a block of ``n_cells x n_chains x n_draws``."""
    ordered = in_order(values)
    columns, mixed = moments(values, ordered), mixing(values, ordered)
    columns["mcse_mean"] = columns["sd"] / np.sqrt(mixed.pop("ess_mean"))
    columns |= mixed
    if superchains is not None:
        with np.errstate(divide="ignore", invalid="ignore"):  # what never moves
            columns["r_hat"] = array_stats.rhat_nested(values, superchain_ids=list(superchains))
    return columns


def _too_little(draws: int) -> tuple[Verdict, ...]:
    """Return the verdicts where there is nothing to judge."""
    why = say("there are no draws") if draws == 0 else say("there is no quantity to judge")
    if 0 < draws < MIN_DRAWS:
        why = say("chains of {draws} are too short; at least {needed} draws are needed", draws=draws, needed=MIN_DRAWS)
    limits = {"r_hat": R_HAT_LIMIT, "ess_bulk": ESS_MANY_CHAINS, "ess_tail": ESS_MANY_CHAINS, "mcse": MCSE_LIMIT}
    return tuple(
        Verdict(name, None, limit, ">=" if name.startswith("ess") else "<=", None, why)
        for name, limit in limits.items()
    )


def _constant(found: pd.DataFrame, statistics: xr.Dataset, moving: Sequence[str]) -> NDArray[np.bool_]:
    """Return which quantities may stand still: none, where nothing moves, or one of the ``moving`` statistics."""
    still = (found["span"].isna() | (found["span"] <= ROUNDING * found["mean"].abs())).to_numpy()
    moves = [statistics[name].to_numpy() for name in moving if name in statistics]
    if still.all() or any(np.ptp(values) == 0 for values in moves):
        return np.zeros_like(still)
    return still


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
        told = say("{detail}; {quantities} left out", detail=verdicts[0].detail, quantities=listing(left))
        verdicts[0] = replace(verdicts[0], detail=told)
    return verdicts


def _unchecked_r_hat() -> Verdict:
    why = say("one chain cannot disagree with itself; run at least two")
    return Verdict("r_hat", None, R_HAT_LIMIT, "<=", None, why)


def _worst(name: str, values: pd.Series[float], limit: float, comparison: Comparison) -> Verdict:
    """Judge the worst of all parameters. A parameter that never moved has no number and fails."""
    stuck = values.index[values.isna()]
    if len(stuck):
        rest = [say("{n} more", n=len(stuck) - 1)] if len(stuck) > 1 else []
        detail = say(
            "cannot be computed for {quantities}: it never moves, or holds no number",
            quantities=listing([str(stuck[0]), *rest]),
        )
        return Verdict(name, None, limit, comparison, False, detail)
    where = int(values.argmax() if comparison == "<=" else values.argmin())
    value = float(values.iloc[where])
    passed = value <= limit if comparison == "<=" else value >= limit
    worst = say("worst: {quantity}, of {n} quantities", quantity=str(values.index[where]), n=f"{len(values):,}")
    return Verdict(name, value, limit, comparison, passed, worst)


def _sampler_verdicts(statistics: xr.Dataset, limits: Mapping[Any, Any]) -> list[Verdict]:
    verdicts = []
    if "diverging" in statistics:
        count = int(statistics["diverging"].sum())
        size = int(statistics["diverging"].size)
        of = say_count(size, "of {n} draw", "of {n} draws")
        verdicts.append(Verdict("divergences", count, 0, "<=", count == 0, of))
    if "tree_depth" in statistics and "max_treedepth" in limits:
        depth = int(limits["max_treedepth"])
        count = int((statistics["tree_depth"] >= depth).sum())
        size = int(statistics["tree_depth"].size)
        told = say("draws at the limit of {depth}, of {n}", depth=depth, n=f"{size:,}")
        verdicts.append(Verdict("tree_depth", count, 0, "<=", count == 0, told))
    if "energy" in statistics:
        # Each chain for itself: one stuck chain must not hide behind the others' mean.
        with np.errstate(divide="ignore", invalid="ignore"):
            e_bfmi = np.atleast_1d(arviz_stats.bfmi(statistics[["energy"]])["energy"].values)
        value = float(e_bfmi.min())  # NaN where the energy never moves
        number = None if np.isnan(value) else value
        passed = bool(value >= E_BFMI_LIMIT)
        told = say_count(int(e_bfmi.size), "worst of {n} chain", "worst of {n} chains")
        verdicts.append(Verdict("e_bfmi", number, E_BFMI_LIMIT, ">=", passed, told))
    return verdicts


def _with_remedy(verdict: Verdict, remedies: Mapping[str, str]) -> Verdict:
    return verdict if verdict.passed else replace(verdict, remedy=remedies.get(verdict.name, verdict.remedy))
