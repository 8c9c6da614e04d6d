"""How far an autoencoder is to be trusted: does it hold for rows it never saw, are its bound and its codes of use.

The gap between the bound and the log density, estimated by importance weights: Burda, Grosse and Salakhutdinov (2016),
arXiv:1509.00519; what it is made of: Cremer, Li and Duvenaud (2018), arXiv:1801.03558. Codes that tell nothing:
Bowman et al. (2016), doi:10.18653/v1/K16-1002.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from bayeskit.core.language import mark, say
from bayeskit.core.types import Assessment, AutoencoderCard, Fit, Verdict
from bayeskit.core.words import number

Floats = NDArray[np.float64]

SMALL = 0.2  # of a standard deviation from row to row: Cohen's small effect, doi:10.4324/9780203771587
LOOSE = 0.25  # of what the codes tell
WITHIN = 0.05  # of a distribution function, besides what so many rows let one see
_KOLMOGOROV = 1.628  # 99 % of its distribution
_FEWEST = 50  # rows that a comparison needs
_OVERFITS = mark("stop earlier (--patience), take smaller networks (--hidden), or noise on the input (--denoise)")
_IS_LOOSE = mark(
    "the networks' codes are cruder than what the data tell of them: take a larger encoder (--hidden), or read the "
    "log density in place of the bound"
)
_NOT_USED = mark("let codes tell something for nothing at first (--kl-warmup), or always (--free-bits)")
_UNLIKE = mark("take larger networks (--hidden), more codes (--latent), or a smaller weight of the divergence (--beta)")


def assess_autoencoder(fit: Fit, assessment: Assessment) -> Assessment:
    """Add to the assessment of an autoencoder what the rows tell that it did not see.

    Parameters
    ----------
    fit
        Of a variational autoencoder.
    assessment
        Of its training.

    Returns
    -------
    Assessment
        Metrics have ``held_out_elbo`` and ``held_out_log_density``, nats a row; ``reconstruction_rmse`` of rows held
        out, in grey levels from 0 to 1, or in standard deviations of a table's columns; ``active_codes``. The advisory
        verdicts are ``overfitting``: by how much the bound of training rows is better than that of rows held out, in
        standard deviations from row to row; ``bound_gap``: how much of the divergence between codes and prior the bound
        loses; ``codes_in_use``, of an unconditional one: the number of codes that tell anything; and ``generated``, of
        a table: the largest distance between the distribution functions of a column, generated and observed.
    """
    card = fit.provenance.card.autoencoder
    tree = fit.posterior
    if card is None or "codes" not in tree.children:
        return assessment
    posterior = tree["posterior"].to_dataset()
    value = {name: float(posterior[name].mean()) for name in ("elbo", "log_density", "kl", "n_active")}
    metrics = {"active_codes": value["n_active"]}
    if card.n_held_out:
        metrics |= {"held_out_elbo": value["elbo"], "held_out_log_density": value["log_density"]}
    if "reconstructions" in tree.children:
        metrics["reconstruction_rmse"] = _rmse(tree["reconstructions"].to_dataset(), card)
    made = [_overfitting(tree["codes"].to_dataset()), _bound_gap(value), _codes_in_use(card, value["n_active"])]
    if {"generated", "observed"} <= set(tree.children) and card.columns:
        made.append(_generated(tree["generated"].to_dataset(), tree["observed"].to_dataset(), card.columns))
    verdicts = (*assessment.verdicts, *(verdict for verdict in made if verdict is not None))
    return replace(assessment, verdicts=verdicts, metrics={**assessment.metrics, **metrics})


def distances(generated: Floats, observed: Floats) -> Floats:
    """Return by column how far the distribution functions of two samples, ``n x n_columns``, are apart at most."""
    pairs = zip(generated.T, observed.T, strict=True)
    return np.array([ks_2samp(made, seen).statistic for made, seen in pairs])


def distance_limit(n_generated: int, n_observed: int) -> float:
    """Return how far apart they may be."""
    return round(WITHIN + _KOLMOGOROV * math.sqrt(1 / n_generated + 1 / n_observed), 4)


def _rmse(shown: xr.Dataset, card: AutoencoderCard) -> float:
    judged = shown.isel(example=slice(card.n_held_out or None))  # rows that were held out come first
    original = judged["original"].to_numpy().astype(float)
    error = judged["reconstruction"].to_numpy() - original
    if card.columns:
        spread = shown["original"].to_numpy().astype(float).std(axis=0)
        error = error / np.where(spread > 0, spread, 1.0)
    return float(np.sqrt(np.nanmean(error**2)))


def _overfitting(codes: xr.Dataset) -> Verdict | None:
    bound, held_out = codes["elbo"].to_numpy().astype(float), codes["held_out"].to_numpy().astype(bool)
    if held_out.sum() < _FEWEST or (~held_out).sum() < _FEWEST:
        return None
    difference = float(bound[~held_out].mean() - bound[held_out].mean())
    spread = float(bound[held_out].std())
    # What so few rows let one see is no overfitting.
    limit = round(SMALL + 2 * math.sqrt(1 / held_out.sum() + 1 / (~held_out).sum()), 3)
    found = difference / spread
    detail = say(
        "rows of the training have a bound that is {difference} nats better than that of rows held out; from row to "
        "row it differs by {spread}",
        difference=number(difference, 2),
        spread=number(spread, 2),
    )
    remedy = "" if found <= limit else say(_OVERFITS)
    return Verdict("overfitting", found, limit, "<=", found <= limit, detail, remedy, advisory=True)


def _bound_gap(value: dict[str, float]) -> Verdict | None:
    gap = value["log_density"] - value["elbo"]
    if not math.isfinite(gap) or value["kl"] < 0.1:  # codes that tell nothing lose nothing
        return None
    found = gap / value["kl"]
    detail = say(
        "the bound lies {gap} nats a row below the log density; the codes tell {kl}",
        gap=number(gap, 2),
        kl=number(value["kl"], 2),
    )
    return Verdict(
        "bound_gap", found, LOOSE, "<=", found <= LOOSE, detail, "" if found <= LOOSE else say(_IS_LOOSE), advisory=True
    )


def _codes_in_use(card: AutoencoderCard, active: float) -> Verdict | None:
    if card.conditional:  # conditions may tell all there is
        return None
    detail = say("{n} of {all} codes tell something of a row", n=f"{active:.0f}", all=card.latent)
    return Verdict(
        "codes_in_use", active, 1, ">=", active >= 1, detail, "" if active >= 1 else say(_NOT_USED), advisory=True
    )


def _generated(generated: xr.Dataset, observed: xr.Dataset, columns: tuple[str, ...]) -> Verdict | None:
    made, seen = (group[name].to_numpy().astype(float) for group, name in ((generated, "drawn"), (observed, "value")))
    if min(len(made), len(seen)) < _FEWEST:
        return None
    found, limit = distances(made, seen), distance_limit(len(made), len(seen))
    worst = int(np.argmax(found))
    detail = say("generated rows against observed ones: furthest apart in {column}", column=columns[worst])
    passed = bool(found[worst] <= limit)
    remedy = "" if passed else say(_UNLIKE)
    return Verdict("generated", float(found[worst]), limit, "<=", passed, detail, remedy, advisory=True)
