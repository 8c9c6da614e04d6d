"""What a factorisation's run holds, read from the posterior's tree; what is damaged or missing is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.types import FactorCard, Fit
from bayeskit.reporting.rating_draws import Kept, Scale
from bayeskit.reporting.rating_view import Errors, Factorisation, HeldOut, Rated, Side
from bayeskit.reporting.results import group

Floats = NDArray[np.float64]


def read_factorisation(fit: Fit) -> Factorisation | None:
    """Return what a factorisation's run holds, or None where it is none, or its names are lost."""
    card = fit.provenance.card.factors
    if card is None:
        return None
    users, items = _side(fit, "user", card.n_users), _side(fit, "item", card.n_items)
    if users is None or items is None:
        return None
    rated = _rated(fit, card)
    return Factorisation(
        card=card,
        kind=fit.provenance.kind,
        engine=fit.provenance.engine,
        users=users,
        items=items,
        rated=rated,
        tested=read_tested(fit),
        kept=_kept(fit, card, rated),
        errors=_errors(fit),
        reach=_reach(fit),
    )


def read_tested(fit: Fit) -> HeldOut | None:
    """Return the test ratings, or None where there are none, or they are damaged."""
    card, data = fit.provenance.card.factors, group(fit, "held_out")
    if card is None or data is None or not {"user", "item", "rating", "mean"} <= set(data.data_vars):
        return None
    user, item = (data[name].to_numpy().astype(np.int64).ravel() for name in ("user", "item"))
    n = user.size
    rating, mean = (_column(data, name, (n,)) for name in ("rating", "mean"))
    if not n or not _within(user, card.n_users) or not _within(item, card.n_items) or item.size != n:
        return None
    if rating is None or mean is None:
        return None
    return HeldOut(
        user=user,
        item=item,
        rating=rating,
        mean=mean,
        sd=_column(data, "sd", (n,)),
        low=_column(data, "low", (n,)),
        high=_column(data, "high", (n,)),
        pit=_column(data, "pit", (n,)),
        log_density=_column(data, "log_density", (n,), finite=False),
        chances=_column(data, "chances", (n, len(card.levels))),
    )


def _side(fit: Fit, side: str, size: int) -> Side | None:
    data = group(fit, f"{side}s")
    if data is None or f"{side}_name" not in data:
        return None
    columns = {str(name): array.to_numpy() for name, array in data.data_vars.items() if array.shape == (size,)}
    names = columns.pop(f"{side}_name", None)
    return None if names is None else Side(names.astype(str), columns)


def _rated(fit: Fit, card: FactorCard) -> Rated | None:
    data = group(fit, "ratings")
    if data is None or not {"user", "item", "value"} <= set(data.data_vars):
        return None
    user, item = (data[name].to_numpy().astype(np.int64).ravel() for name in ("user", "item"))
    value = _column(data, "value", (user.size,))
    if not user.size or value is None or item.size != user.size:
        return None
    if not _within(user, card.n_users) or not _within(item, card.n_items):
        return None
    return Rated(user, item, value)


def _kept(fit: Fit, card: FactorCard, rated: Rated | None) -> Kept | None:
    """Return the rows' draws; of a normal likelihood the ratings tell their scale."""
    data = group(fit, "factors")
    if data is None or not {"user_rows", "item_rows"} <= set(data.data_vars):
        return None
    width = card.rank if card.nonnegative else card.rank + 1
    for name, size in (("user_rows", card.n_users), ("item_rows", card.n_items)):
        if data[name].ndim != 4 or data[name].shape[2:] != (size, width) or not data[name].size:
            return None
    if card.likelihood == "ordinal":
        if "cutpoints" not in data or data["cutpoints"].shape[-1] != len(card.levels) - 1:
            return None
        return Kept(data, Scale(0.0, 1.0, card.levels), biased=not card.nonnegative)
    if rated is None:
        return None
    centre = 0.0 if card.nonnegative else rated.mean
    return Kept(data, Scale(centre, float(rated.value.std()), ()), biased=not card.nonnegative)


def _errors(fit: Fit) -> Errors:
    history, posterior = group(fit, "history"), group(fit, "posterior")
    config, found = fit.provenance.config, dict[str, Floats | None]()
    for name in ("loss", "train_rmse", "test_rmse", "test_rmse_so_far"):
        found[name] = _by_chain(history, name)
    return Errors(
        loss=found["loss"],
        train=found["train_rmse"],
        test=found["test_rmse"],
        drawn=_by_chain(posterior, "test_rmse") if fit.provenance.kind != "point" else None,
        so_far=found["test_rmse_so_far"],
        warmup=_setting(config.get("warmup"), 0),
        thin=_setting(config.get("thin"), 1),
    )


def _reach(fit: Fit) -> tuple[float, float, float] | None:
    told = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    if not {"least_prediction", "greatest_prediction", "outside"} <= told.keys():
        return None
    found = tuple(float(told[name]) for name in ("least_prediction", "greatest_prediction", "outside"))
    return (found[0], found[1], found[2]) if np.isfinite(found).all() else None


def _setting(value: Any, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


def _by_chain(data: xr.Dataset | None, name: str) -> Floats | None:
    if data is None or name not in data or data[name].ndim not in (1, 2) or data[name].dtype.kind not in "iuf":
        return None
    values: Floats = np.atleast_2d(data[name].to_numpy().astype(float))
    return values if values.shape[1] > 1 and np.isfinite(values).any() else None


def _column(data: xr.Dataset, name: str, shape: Sequence[int], *, finite: bool = True) -> Floats | None:
    if name not in data or data[name].shape != tuple(shape) or data[name].dtype.kind not in "biuf":
        return None
    values: Floats = data[name].to_numpy().astype(float)
    return values if not finite or np.isfinite(values).all() else None


def _within(places: NDArray[np.int64], size: int) -> bool:
    return bool(not places.size or 0 <= places.min() <= places.max() < size)
