"""Reading an autoencoder's run; what is missing or does not fit together is left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.core.types import AutoencoderCard, Fit
from bayeskit.reporting.autoencoder_view import (
    IN_USE,
    Autoencoder,
    Bound,
    ByClass,
    ByNumber,
    Codes,
    Compared,
    Completion,
    Floats,
    Generated,
    Given,
    Interpolation,
    Manifold,
    Rebuilt,
    Training,
    Traversals,
)
from bayeskit.reporting.results import group

Read = TypeVar("Read")

_TERMS = ("elbo", "reconstruction", "kl")
_GIVEN = "given_"


def read_autoencoder(fit: Fit) -> Autoencoder | None:
    """Return an autoencoder's run, or None where the fit is none, or has no numbers at all."""
    card = fit.provenance.card.autoencoder
    if card is None or not fit.has_draws:
        return None
    images = len(card.shape) > 1

    def read(name: str, reader: Callable[[xr.Dataset, AutoencoderCard], Read | None]) -> Read | None:
        data = group(fit, name)
        if data is None:
            return None
        try:
            return reader(data, card)
        except (KeyError, ValueError, IndexError):  # of a damaged run
            return None

    return Autoencoder(
        card=card,
        bound=_bound(fit.posterior["posterior"].to_dataset(), card),
        training=read_training(fit),
        codes=read("codes", _codes),
        rebuilt=read("reconstructions", _rebuilt),
        manifold=read("manifold", _manifold) if images else None,
        traversals=read("traversals", _traversals),
        interpolation=read("interpolation", _interpolation) if images else None,
        generated=read("generated", _generated) if images else None,
        compared=None if images else _compared(fit, card),
        by_number=None if images else read("by_condition", _by_number),
        by_class=read("by_condition", _by_class) if images else None,
        completion=read("completion", _completion) if images else None,
        units={quantity.name: quantity.unit for quantity in fit.provenance.card.quantities},
    )


def read_codes(fit: Fit) -> Codes | None:
    """Return the codes, and nothing else of the run."""
    card, data = fit.provenance.card.autoencoder, group(fit, "codes")
    try:
        return _codes(data, card) if card is not None and data is not None else None
    except (KeyError, ValueError, IndexError):  # of a damaged run
        return None


def read_compared(fit: Fit) -> Compared | None:
    """Return generated rows of a table beside the data's, and nothing else of the run."""
    card = fit.provenance.card.autoencoder
    return _compared(fit, card) if card is not None and len(card.shape) == 1 else None


def read_bound(fit: Fit) -> Bound | None:
    """Return the bound, and nothing else of the run."""
    card = fit.provenance.card.autoencoder
    return _bound(fit.posterior["posterior"].to_dataset(), card) if card is not None and fit.has_draws else None


def _bound(posterior: xr.Dataset, card: AutoencoderCard) -> Bound:
    def value(name: str) -> Floats:
        return _floats(posterior[name]).ravel() if name in posterior else np.array([])

    single = {name: float(found[0]) if (found := value(name)).size else float("nan") for name in _TERMS}
    kl_code = value("kl_code")
    kl_code = kl_code if kl_code.size == card.latent else np.zeros(0)
    active = value("n_active")
    n_active = int(active[0]) if active.size and np.isfinite(active[0]) else int((kl_code > IN_USE).sum())
    density = value("log_density")
    return Bound(
        **single,
        log_density=float(density[0]) if density.size else float("nan"),
        kl_code=kl_code,
        n_active=n_active,
        noise_sd=value("noise_sd"),
    )


def read_training(fit: Fit) -> Training | None:
    """Return the course of training; None where nobody followed it."""
    history = group(fit, "history")
    if history is None or any(name not in history for name in _TERMS):
        return None
    told = dict(fit.posterior["sample_stats"].attrs) if "sample_stats" in fit.posterior.children else {}
    train = {name: _floats(history[name]).ravel() for name in _TERMS}
    held = {name: _floats(history[f"held_out_{name}"]).ravel() for name in _TERMS if f"held_out_{name}" in history}
    held = {name: values for name, values in held.items() if np.isfinite(values).any()}
    size = train["elbo"].size
    if not size or any(values.size != size for values in [*train.values(), *held.values()]):
        return None
    epoch = history["epoch"].to_numpy().astype(int).ravel() if "epoch" in history else np.arange(1, size + 1)
    judged = held.get("elbo", train["elbo"])
    best = np.flatnonzero(epoch == int(told.get("best_epoch", -1)))
    return Training(
        epoch=epoch,
        train=train,
        held_out=held,
        weight=_floats(history["weight"]).ravel() if "weight" in history else None,
        best=int(best[0]) if best.size else int(np.nanargmax(judged)) if np.isfinite(judged).any() else size - 1,
        converged=None if told.get("converged") is None else bool(told["converged"]),
        message=str(told.get("message") or ""),
    )


def _codes(data: xr.Dataset, card: AutoencoderCard) -> Codes | None:
    mean, sd = _finite(data["mean"]), _floats(data["sd"])
    if mean is None or mean.ndim != 2 or mean.shape[1] != card.latent or sd.shape != mean.shape:
        return None
    n = len(mean)
    held = data["held_out"].to_numpy().astype(bool) if "held_out" in data else np.zeros(n, dtype=bool)
    labels = data["label"].to_numpy().astype(str) if "label" in data else None
    names = data["row"].to_numpy().astype(str) if "row" in data else np.arange(1, n + 1).astype(str)
    elbo = _floats(data["elbo"])
    return Codes(mean, sd, elbo, held, labels, _given(data), names, max(n, int(data["n_rows"])))


def _rebuilt(data: xr.Dataset, card: AutoencoderCard) -> Rebuilt | None:
    original, made = _rows(data["original"], card), _rows(data["reconstruction"], card)
    if original is None or made is None or len(original) != len(made):
        return None
    if card.n_held_out:  # they come first
        shown = slice(card.n_held_out)
        data, original, made = data.isel(example=shown), original[shown], made[shown]
    given = _rows(data["input"], card) if "input" in data else None
    names = data["label"].to_numpy().astype(str).tolist() if "label" in data else [""] * len(made)
    return Rebuilt(original, made, given, tuple(names))


def _manifold(data: xr.Dataset, card: AutoencoderCard) -> Manifold | None:
    decoded = _finite(data["decoded"])
    at = _finite(data["at"])
    if decoded is None or at is None:
        return None
    rank = decoded.ndim - len(card.shape)
    decoded = decoded[None] if rank == 2 else decoded
    if rank not in (2, 3) or decoded.shape[3:] != card.shape or at.size != decoded.shape[2]:
        return None
    classes = data["class"].to_numpy().astype(str).tolist() if rank == 3 and "class" in data else []
    across, up = data["codes"].to_numpy().astype(int).tolist()
    return Manifold(decoded, at, (across, up), tuple(classes or [""] * len(decoded)))


def _traversals(data: xr.Dataset, card: AutoencoderCard) -> Traversals | None:
    decoded, at = _finite(data["decoded"]), _finite(data["at"])
    if decoded is None or at is None or decoded.shape[2:] != card.shape or at.size != decoded.shape[1]:
        return None
    codes = tuple((data["code"].to_numpy().astype(int) - 1).tolist())
    return Traversals(decoded, at, codes) if len(codes) == len(decoded) else None


def _interpolation(data: xr.Dataset, card: AutoencoderCard) -> Interpolation | None:
    linear, spherical = _finite(data["linear"]), _finite(data["spherical"])
    if linear is None or spherical is None or linear.shape != spherical.shape or linear.shape[2:] != card.shape:
        return None
    return Interpolation(linear, spherical)


def _generated(data: xr.Dataset, card: AutoencoderCard) -> Generated | None:
    mean = _rows(data["mean"], card)
    return None if mean is None else Generated(mean, _rows(data["drawn"], card) if "drawn" in data else None)


def _compared(fit: Fit, card: AutoencoderCard) -> Compared | None:
    made, data = group(fit, "generated"), group(fit, "observed")
    if made is None or data is None or "drawn" not in made or "value" not in data:
        return None
    drawn, value = _rows(made["drawn"], card), _rows(data["value"], card)
    if drawn is None or value is None or min(len(drawn), len(value)) < 2:
        return None
    return Compared(drawn, value, _given(made), _given(data))


def _by_number(data: xr.Dataset, card: AutoencoderCard) -> ByNumber | None:
    name = next((one.name for one in card.conditions if not one.classes and f"{_GIVEN}{one.name}" in data), None)
    if name is None:
        return None
    at = _finite(data[f"{_GIVEN}{name}"])
    found = [_finite(data[part]) for part in ("mean", "low95", "low68", "high68", "high95")]
    if at is None or at.ndim != 1 or any(one is None or one.shape != (at.size, *card.shape) for one in found):
        return None
    mean, low95, low68, high68, high95 = (one for one in found if one is not None)
    return ByNumber(name, at, mean, low95, low68, high68, high95)


def _by_class(data: xr.Dataset, card: AutoencoderCard) -> ByClass | None:
    mean = _finite(data["mean"])
    if mean is None or mean.shape[2:] != card.shape or "class" not in data:
        return None
    return ByClass(tuple(data["class"].to_numpy().astype(str).tolist()), mean)


def _completion(data: xr.Dataset, card: AutoencoderCard) -> Completion | None:
    given, made, original = _floats(data["given"]), _finite(data["completed"]), _rows(data["original"], card)
    if made is None or original is None or given.shape != original.shape or made.shape[2:] != card.shape:
        return None
    return Completion(given, made, original) if len(made) == len(given) else None


def _rows(array: xr.DataArray, card: AutoencoderCard) -> Floats | None:
    """Return rows of the data's shape, None where they have another or are no numbers."""
    found = _finite(array)
    return found if found is not None and found.ndim > 1 and found.shape[1:] == card.shape and len(found) else None


def _given(data: xr.Dataset) -> Given:
    made: dict[str, NDArray[Any]] = {}
    for name in map(str, data.variables):
        if name.startswith(_GIVEN):
            values = data[name].to_numpy()
            made[name.removeprefix(_GIVEN)] = values.astype(float) if values.dtype.kind in "fiu" else values.astype(str)
    return made


def _floats(array: xr.DataArray) -> Floats:
    found: Floats = array.to_numpy().astype(float)
    return found


def _finite(array: xr.DataArray) -> Floats | None:
    found = _floats(array)
    return found if np.isfinite(found).all() and found.size else None


def code_name(code: int) -> str:
    """Return what a reader calls a code, counted from 0: ``code 1``."""
    return say("code {n}", n=code + 1)
