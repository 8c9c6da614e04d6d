"""Whether a likelihood can have made the values: each that it cannot is named, with where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import DataError

if TYPE_CHECKING:
    from bayeskit.datasets.examples import Examples

_OF_0_TO_1 = ("bernoulli", "continuous-bernoulli")
_NEAR = 1e-4  # of a grey level, which single precision does not hold exactly
_FEW = 3


def check_support(data: Examples, likelihood: str, train: NDArray[np.bool_]) -> None:
    """Refuse values that the likelihood has no density for, or could pile an unbounded density on.

    Parameters
    ----------
    data
        The rows.
    likelihood
        One of ``LIKELIHOODS``.
    train
        ``n_rows``: which are trained on; columns must vary among them.

    Raises
    ------
    DataError
        In one line: where it stands, the value, and the remedy.
    """
    values = data.values.reshape(len(data.values), -1)
    _refuse(data, ~np.isfinite(values), "is no number", "drop or fill such rows")
    if data.is_images or likelihood in _OF_0_TO_1:
        outside = (values < 0) | (values > 1)
        remedy = "scale grey to 0 to 1" if data.is_images else "scale the column, or take --likelihood gaussian"
        what = "grey is" if data.is_images else f"a {likelihood} likelihood takes values"
        _refuse(data, outside, f"is not from 0 to 1, as {what}", remedy)
    if likelihood == "categorical":
        between = np.abs(values * (data.levels - 1) - np.round(values * (data.levels - 1))) > _NEAR * data.levels
        _refuse(data, between, f"is none of {data.levels} grey levels", "take --likelihood bernoulli")
    _check_variation(data, likelihood, values[train])


def _refuse(data: Examples, wrong: NDArray[np.bool_], what: str, remedy: str) -> None:
    if not wrong.any():
        return
    row, place = (int(found[0]) for found in np.nonzero(wrong))
    value = data.values.reshape(len(data.values), -1)[row, place]
    if data.is_images:
        where = f"image {data.rows[row]}, pixel {', '.join(str(at + 1) for at in np.unravel_index(place, data.shape))}"
    else:
        where = f"column '{data.columns[place]}', row {data.rows[row]}"
    more = f" (and {int(wrong.sum()) - 1:,} more)" if wrong.sum() > 1 else ""
    raise DataError(f"{data.source.path or 'examples'}: {where}: {value:.10g} {what}{more}; {remedy}")


def _check_variation(data: Examples, likelihood: str, values: NDArray[np.float32]) -> None:
    """Refuse a constant column, images that are all alike, and a continuous density of values that are all 0 or 1."""
    where = data.source.path or "examples"
    constant = np.flatnonzero(np.ptp(values, axis=0) == 0)
    if data.is_images and len(constant) == values.shape[1]:
        raise DataError(f"{where}: all images to train on are the same; give others")
    if not data.is_images and len(constant):
        names = ", ".join(f"'{data.columns[at]}'" for at in constant[:_FEW])
        more = f" and {len(constant) - _FEW:,} more" if len(constant) > _FEW else ""
        raise DataError(f"{where}: column {names}{more} is constant in training; leave it out")
    if likelihood == "continuous-bernoulli" and (data.binarise != "none" or bool(np.isin(values, (0, 1)).all())):
        raise DataError(
            f"{where}: all values are 0 or 1, where a continuous density has no bound; take --likelihood bernoulli"
        )
