"""A fit's log likelihood of each observation, and whether it can be held against another fit's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.types import Fit, Kind
from bayeskit.diagnostics.labels import SAMPLE_DIMS, cell_dims
from bayeskit.diagnostics.weighted import draw_weights
from bayeskit.diagnostics.weights import Importance, too_few

Floats = NDArray[np.float64]

_UNSUITED: dict[Kind, str] = {
    "variational": mark("its draws are those of an approximation, and a score needs draws of the posterior"),
    "point": mark("it is a point, and a score needs draws of the posterior"),
}


@dataclass(frozen=True)
class Terms:
    """A fit's pointwise log likelihood, and what identifies its observations."""

    name: str
    values: xr.DataArray
    observed: xr.DataArray | None
    data_hash: str
    sequential: bool
    known: bool
    weights: Importance | None

    @property
    def draws(self) -> Floats:
        """As ``n_draws x n_observations``."""
        values = self.values.transpose(*SAMPLE_DIMS, *cell_dims(self.values)).to_numpy()
        flat: Floats = values.reshape(values.shape[0] * values.shape[1], -1)
        return flat


def terms_of(fit: Fit) -> Terms | str:
    """Return a fit's pointwise log likelihood, or why it cannot be scored."""
    origin = fit.provenance
    if origin.kind in _UNSUITED:
        return say(_UNSUITED[origin.kind])
    weights = draw_weights(fit) if origin.kind == "weighted" else None
    if isinstance(weights, str):
        return weights
    tree = fit.posterior
    data = tree["log_likelihood"].to_dataset() if "log_likelihood" in tree.children else xr.Dataset()
    if not data.data_vars:
        return say("it has no log likelihood of each observation; a Stan program gives one as log_lik")
    if len(data.data_vars) > 1:
        return say("it has more than one log likelihood of its observations")
    name = str(next(iter(data.data_vars)))
    values = data[name].astype(float)
    if few := too_few(values.sizes["chain"] * values.sizes["draw"]):
        return few
    if values.isel(chain=0, draw=0).size < 2:
        return say("it has only one observation")
    if not bool(np.isfinite(values).all()):
        return say("not all of its log likelihoods are finite numbers")
    seen = tree["observed_data"].to_dataset() if "observed_data" in tree.children else xr.Dataset()
    kind = origin.card.log_likelihood
    observed = seen.get(name)
    return Terms(name, values, observed, origin.data.sha256, kind == "sequential", kind != "", weights)


def differs(first: Terms, other: Terms, name: str) -> str:
    """Return why two fits' terms cannot be held against each other, or an empty text."""
    if first.name != other.name:
        return say("it predicts {one}, and {run} {another}", one=other.name, run=name, another=first.name)
    if first.sequential != other.sequential:
        return say(
            "its log likelihood and that of {run} are of two kinds: each observation by itself, and each given those "
            "before it",
            run=name,
        )
    if first.values.isel(chain=0, draw=0).shape != other.values.isel(chain=0, draw=0).shape:
        return say("it has another number of observations than {run}", run=name)
    if first.observed is None or other.observed is None:
        same = bool(first.data_hash) and first.data_hash == other.data_hash
    else:
        same = first.observed.equals(other.observed)
    return "" if same else say("its observations are not those of {run}", run=name)
