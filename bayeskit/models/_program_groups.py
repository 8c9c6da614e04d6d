"""What a Stan program's variables are, by Stan's conventions: parameters, log likelihoods, replications of the data."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from bayeskit.models._json import numeric

LOG_LIKELIHOOD = "log_lik"
LOG_PRIOR = "lprior"
REPLICATED = ("_rep", "_pred", "_sim", "_tilde")
"""Endings of replications of the data, the likeliest first."""

TAKEN = ("chain", "draw", "quantile")  # names of dimensions; xarray would drop a variable without a word
_AHEAD = ("_new", "_test", "_future")  # data for forecasts, which then are what y_pred holds


def into_groups(given: Mapping[str, Any], values: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
    """Sort draws and data into ArviZ's groups, as ``StanProgram.groups`` says.

    Parameters
    ----------
    given
        The data block, as JSON has it.
    values
        ``n_chains x n_draws x ...`` by name.
    """
    data = numeric(given)
    replicated = _replications(data, {name: value.shape[2:] for name, value in values.items()}, given)
    pointwise = values.get(LOG_LIKELIHOOD)
    prior = values.get(LOG_PRIOR)
    aside = {LOG_LIKELIHOOD, LOG_PRIOR, *replicated.values()}
    posterior = {n: v for n, v in values.items() if n not in aside}
    if not posterior:  # nothing else to look at
        posterior, replicated, pointwise, prior = dict(values), {}, None, None
    grouped = {
        "posterior": posterior,
        "posterior_predictive": {name: values[copy] for name, copy in replicated.items()},
        "observed_data": {name: data[name] for name in replicated},
        # Of what the program does not declare, a name that is none, or one of its quantities, has no place there.
        "constant_data": {
            name: value
            for name, value in data.items()
            if name not in replicated and name not in values and re.fullmatch(r"[^\W\d_]\w*", name)
        },
    }
    if pointwise is not None:
        of = [name for name in replicated if data[name].shape == pointwise.shape[2:]]
        grouped["log_likelihood"] = {of[0] if len(of) == 1 else LOG_LIKELIHOOD: pointwise}
    if prior is not None:
        grouped["log_prior"] = {LOG_PRIOR: prior}
    return {
        group: {free(name, variables): value for name, value in variables.items()}
        for group, variables in grouped.items()
        if variables
    }


def free(name: str, names: Container[str]) -> str:
    """Return a name that no dimension has, and none of the others."""
    if name not in TAKEN:
        return name
    name += "_"
    while name in names:
        name += "_"
    return name


def _replications(
    data: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]], given: Iterable[str]
) -> dict[str, str]:
    """Return the variables of the data that are replicated, each with its replication."""
    forecasts = any(name.endswith(_AHEAD) for name in given)
    endings = [
        ending
        for ending in REPLICATED
        if not any(name.endswith(ending) for name in given) and (ending == REPLICATED[0] or not forecasts)
    ]
    found: dict[str, str] = {}
    for ending in endings:
        for name, value in data.items():
            if name not in found and value.size > 1 and shapes.get(name + ending) == value.shape:
                found[name] = name + ending
    return found
