"""Whether other priors, or a likelihood that counts for more or less, would have led to another posterior.

Each of the two is raised to a power near 1, and the draws are weighted accordingly: Kallioinen, Paananen, Bürkner and
Vehtari (2024), doi:10.1007/s11222-023-10366-5. How far each quantity's distribution moves is measured by the
cumulative Jensen-Shannon distance per doubling of the power; the paper's limit is 0.05. The numbers are those of
ArviZ's ``psense``, which knows no weighted draws, and holds the likelihood of all observations at once.

A power of the joint likelihood and one of the joint prior leave each a posterior of the parameters that the two are
functions of. Of hidden states that were integrated out of the likelihood they say nothing: there the power would have
to stand inside the integral.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import Fit, Kind
from bayeskit.diagnostics.labels import SAMPLE_DIMS, cell_dims, cell_draws, cell_labels
from bayeskit.diagnostics.weights import Importance, importance_weights

Floats = NDArray[np.float64]
Component = Literal["prior", "likelihood"]
Diagnosis = Literal["conflict", "weak", "none"]

LIMIT = 0.05
NEAR = (0.99, 1.01)  # powers between which sensitivity is measured
FAR = (0.8, 1.25)  # powers that can be looked at
COMPONENTS: tuple[Component, ...] = ("prior", "likelihood")
KINDS: tuple[Kind, ...] = ("mcmc", "iid", "weighted")
MAX_FACTORS = 20  # elements of the log prior that are also raised one by one
_BLOCK = 4_000_000  # values of the log likelihood held at once


@dataclass(frozen=True)
class Sensitivity:
    """How much quantities move when the prior, or the likelihood, is raised to a power.

    Parameters
    ----------
    table
        One row a quantity: ``prior`` and ``likelihood``, the distances per doubling of the power; NaN where the draws
        cannot be weighted to it.
    factors
        One row a quantity, one column a factor of the prior: the distance when that factor alone is raised. Empty where
        the log prior is one number.
    base
        The draws' weights as they are, with sum 1.
    scaled
        The same by component and power, at the powers in ``FAR``.
    """

    table: pd.DataFrame
    factors: pd.DataFrame
    base: Floats
    scaled: Mapping[tuple[Component, float], Importance]

    def diagnosis(self, label: str) -> Diagnosis:
        """Return what the two numbers together say of a quantity, as the paper's table has it.

        ``conflict``: both move it, so that prior and data pull to different sides; ``weak``: the prior alone moves it.
        """
        prior, likelihood = (float(self.table[name][label]) for name in COMPONENTS)
        if prior >= LIMIT and likelihood >= LIMIT:
            return "conflict"
        return "weak" if prior > LIMIT > likelihood else "none"

    def labels(self, diagnosis: Diagnosis) -> list[str]:
        """Return the quantities of one diagnosis, the most sensitive to the prior first."""
        ordered = self.table["prior"].sort_values(ascending=False, kind="stable").index
        return [str(label) for label in ordered if self.diagnosis(str(label)) == diagnosis]


def power_scaling(fit: Fit, quantities: Mapping[str, Floats]) -> Sensitivity | str:
    """Return the sensitivity of quantities to prior and likelihood, or in words why it cannot be had.

    Parameters
    ----------
    fit
        With groups ``log_prior`` and ``log_likelihood``; both are summed over all that they hold.
    quantities
        Draws by label, ``n_chains x n_draws``, as they stand in the posterior; those that never move, or hold what is
        no number, are left out.
    """
    moving = {
        label: draws.ravel() for label, draws in quantities.items() if np.isfinite(draws).all() and np.ptp(draws) > 0
    }
    if why_not := _obstacle(fit, moving):
        return why_not
    base = _base(fit)
    if isinstance(base, str):
        return base
    factors = dict(_factors(fit.posterior["log_prior"].to_dataset()))
    joint: dict[Component, Floats] = {
        "prior": np.sum(list(factors.values()), axis=0),
        "likelihood": joint_log_likelihood(fit.posterior["log_likelihood"].to_dataset()),
    }
    near = {}
    for name, density in joint.items():
        if wrong := int(np.sum(~np.isfinite(density))):
            return _no_numbers(name, wrong, density.size)
        found = _near(base, density)
        if isinstance(found, str):
            return found
        near[name] = found
    far = {(name, power): _scaled(base, joint[name], power) for name in COMPONENTS for power in FAR}
    alone = {name: _near(base, density) for name, density in factors.items()} if 1 < len(factors) <= MAX_FACTORS else {}
    size = joint["prior"].size
    start = np.full(size, 1 / size) if base is None else base.weights
    return Sensitivity(
        table=_table(moving, start, near),
        factors=_table(moving, start, alone),
        base=start,
        scaled={key: found for key, found in far.items() if isinstance(found, Importance)},
    )


def joint_log_likelihood(pointwise: xr.Dataset) -> Floats:
    """Return the sum over all observations, ``n_chains x n_draws``, holding only a block of draws at a time."""
    sizes = pointwise.sizes
    total = np.zeros((sizes["chain"], sizes["draw"]))
    for array in pointwise.data_vars.values():
        step = max(1, _BLOCK * array.sizes["draw"] // max(1, array.size))
        for start in range(0, array.sizes["draw"], step):
            block = array.isel(draw=slice(start, start + step)).transpose(*SAMPLE_DIMS, ...).to_numpy()
            with np.errstate(invalid="ignore"):
                total[:, start : start + step] += block.reshape(*block.shape[:2], -1).sum(-1, dtype=float)
    return total


def distance(values: Floats, base: Floats, weights: Floats) -> float:
    """Return the cumulative Jensen-Shannon distance between two weightings of the same draws, from 0 to 1.

    Parameters
    ----------
    values
        ``n_draws``.
    base, weights
        Both ``n_draws``, with sum 1.

    Notes
    -----
    The larger one of the distances between the distributions of the values and of their negatives, so that the sign
    of a quantity does not matter. Nguyen and Vreeken (2015), doi:10.1007/978-3-319-23525-7_11, as a metric.
    """
    order = np.argsort(values)
    gaps, p, q = np.diff(values[order]), np.cumsum(base[order])[:-1], np.cumsum(weights[order])[:-1]
    return max(_one_sided(gaps, p, q), _one_sided(gaps, 1 - p, 1 - q))


def _one_sided(gaps: Floats, p: Floats, q: Floats) -> float:
    p, q = np.clip(p, 0, 1), np.clip(q, 0, 1)  # sums of weights pass 1 by rounding
    middle = (p + q) / 2
    shift = 0.5 / np.log(2) * np.dot(gaps, q - p)
    from_p = np.dot(gaps, _times_log2(p, middle)) + shift
    from_q = np.dot(gaps, _times_log2(q, middle)) - shift
    bound = np.dot(gaps, p + q)
    return float(np.sqrt((max(0.0, from_p) + max(0.0, from_q)) / bound)) if bound > 0 else 0.0


def _times_log2(a: Floats, b: Floats) -> Floats:
    ratio = np.divide(a, b, out=np.ones_like(a), where=(a > 0) & (b > 0))
    values: Floats = a * np.log2(ratio)
    return values


def _obstacle(fit: Fit, moving: Mapping[str, Floats]) -> str:
    children = fit.posterior.children
    kind = fit.provenance.kind
    if kind == "point":
        return say("a point has no draws that could be weighted")
    blocks = fit.provenance.card.blocks is not None
    if kind not in KINDS:
        if blocks:
            return say("only draws of the posterior itself can be weighted; sample it (--engine gibbs)")
        if fit.provenance.engine == "svi":
            return say("only draws of the posterior itself can be weighted; sample it (--engine nuts)")
        return say("only draws of the posterior itself can be weighted; sample it (--method sample)")
    missing = [name for name in ("log_prior", "log_likelihood") if name not in children or not children[name].data_vars]
    if missing and fit.provenance.card.language == "stan" and fit.provenance.card.series is None:
        return say(
            "the program must give its log prior density as lprior and its log likelihood as log_lik; declare {names} "
            "in it",
            names={"log_prior": "lprior", "log_likelihood": "log_lik"}[missing[0]]
            if len(missing) == 1
            else say("{items} and {last}", items="lprior", last="log_lik"),
        )
    if missing and blocks:
        return say("draws of a block model come without densities of prior and likelihood")
    if missing:
        return say("this run kept no densities of prior and likelihood; fit again")
    return "" if moving else say("nothing moves that could be looked at")


def _base(fit: Fit) -> Importance | str | None:
    """Return the weights that the draws have by themselves; None where all weigh the same."""
    if fit.provenance.kind != "weighted":
        return None
    log_weight = fit.posterior["sample_stats"]["log_weight"].transpose(*SAMPLE_DIMS)
    return importance_weights(log_weight.to_numpy().astype(float).ravel())


def _factors(prior: xr.Dataset) -> Iterator[tuple[str, Floats]]:
    """Give each element of the log prior, ``n_chains x n_draws``; of very many, each variable's sum."""
    n_elements = sum(array.isel(chain=0, draw=0).size for array in prior.data_vars.values())
    for array in prior.data_vars.values():
        draws = cell_draws(array).astype(float)
        if n_elements > MAX_FACTORS and cell_dims(array):
            yield str(array.name), draws.sum(-1)
        else:
            yield from zip(cell_labels(array), np.moveaxis(draws, -1, 0), strict=True)


def _scaled(base: Importance | None, density: Floats, power: float) -> Importance | str:
    """Return the draws' weights where a component with this log density is raised to a power."""
    change = (power - 1) * (density - density.max()).ravel()
    if base is not None:
        return importance_weights(base.log_ratios + change)
    return importance_weights(change, _efficiency(density) if np.ptp(density) > 0 else 1.0)


def _efficiency(density: Floats) -> float:
    """Return the relative effective sample size in the tails; ArviZ takes all chains for one."""
    return float(array_stats.ess(density.reshape(1, -1), method="tail", prob=0.05, relative=True))


def _near(base: Importance | None, density: Floats) -> tuple[Importance, Importance] | str:
    lower, upper = (_scaled(base, density, power) for power in NEAR)
    if isinstance(lower, str) or isinstance(upper, str):
        return lower if isinstance(lower, str) else str(upper)
    return lower, upper


def _no_numbers(name: Component, wrong: int, size: int) -> str:
    if name == "prior":
        return say("the log prior is no finite number in {wrong} of {n} draws", wrong=f"{wrong:,}", n=f"{size:,}")
    return say("the log likelihood is no finite number in {wrong} of {n} draws", wrong=f"{wrong:,}", n=f"{size:,}")


def _table(
    moving: Mapping[str, Floats],
    start: Floats,
    near: Mapping[Any, tuple[Importance, Importance] | str],
) -> pd.DataFrame:
    columns = {name: [_slope(values, start, found) for values in moving.values()] for name, found in near.items()}
    return pd.DataFrame(columns, index=pd.Index(list(moving), dtype=object), dtype=float)


def _slope(values: Floats, start: Floats, found: tuple[Importance, Importance] | str) -> float:
    """Return the distance per doubling of the power, the mean of both sides."""
    if isinstance(found, str) or not all(side.reliable for side in found):
        return float("nan")
    lower, upper = (distance(values, start, side.weights) for side in found)
    return float((upper / np.log2(NEAR[1]) - lower / np.log2(NEAR[0])) / 2)
