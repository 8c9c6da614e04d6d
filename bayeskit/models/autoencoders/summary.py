"""What a run keeps of a trained autoencoder: its numbers, and the groups of the posterior's tree that figures show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from bayeskit.models.autoencoders._figures import figures_of
from bayeskit.models.autoencoders._pictures import pictures_of
from bayeskit.models.autoencoders._seen import Seen, given_of
from bayeskit.models.autoencoders.conditions import encoded
from bayeskit.models.autoencoders.estimates import Rows, bounds, decode, encode, gap
from bayeskit.models.autoencoders.module import Autoencoder
from bayeskit.models.autoencoders.using import rebuilt

if TYPE_CHECKING:
    from bayeskit.models.vae import VAE

Floats = NDArray[np.float64]
Groups = dict[str, dict[str, NDArray[Any]]]

MOST_CODES = 20_000
MOST_EXAMPLES = 24
MOST_ROWS = 5_000
ACTIVE = 0.01  # variance of a code's mean: Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519, section 5.2
_MOST_WEIGHED = 1_000
_MOST_CONVOLVED = 250
_DRAWS, _FEWEST, _MOST = 8_000, 4, 32  # that estimate the bound: of all rows together, and of one


@dataclass(frozen=True, eq=False)
class Summary:
    """What is known of a trained autoencoder.

    Parameters
    ----------
    values
        Its numbers by name, ``1 x 1 x ...``, as an engine hands draws over.
    groups
        Of the posterior's tree, by name; dimensions are those of ``autoencoder_dims``.
    """

    values: dict[str, NDArray[Any]]
    groups: Groups


def summarise(model: VAE, weights: Mapping[str, Any], *, seed: int) -> Summary:
    """Return what a run keeps.

    Parameters
    ----------
    model
        With its rows.
    weights
        What training gave: arrays by the names of parameters and buffers.
    seed
        Of everything that is drawn.

    Raises
    ------
    DataError
        If weights are missing, or are of another model.
    """
    module = rebuilt(model.spec, weights)
    streams = iter(np.random.default_rng(child) for child in np.random.SeedSequence([seed, 2]).spawn(6))
    rows = _all_rows(model, module, next(streams))
    judged = np.flatnonzero(model.held_out) if model.held_out.any() else np.arange(len(rows))
    n_draws = min(_MOST, max(_FEWEST, -(-_DRAWS // len(judged))))
    found = bounds(module, rows.take(judged), next(streams), n_draws)
    density = found.elbo.mean() + _gap(module, rows.take(judged), next(streams))
    shown = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_CODES)).round().astype(np.int64))
    mean, sd = encode(module, rows.take(shown))
    values = {
        "elbo": found.elbo.mean(),
        "reconstruction": found.reconstruction.mean(),
        "kl": found.kl.sum(axis=1).mean(),
        "log_density": density,
        "kl_code": found.kl.mean(axis=0),
        "n_active": np.sum(mean.var(axis=0) > ACTIVE),
        **_noise(module),
    }
    groups: Groups = {"codes": _codes(model, module, rows, shown, (mean, sd), next(streams))}
    order = np.concatenate([np.flatnonzero(model.held_out), np.flatnonzero(~model.held_out)])
    groups["reconstructions"] = _reconstructions(model, module, rows, order, next(streams))
    ranked = np.argsort(-found.kl.mean(axis=0), kind="stable")
    seen = Seen(model, module, rows, judged, shown, mean, ranked)
    groups |= figures_of(seen, next(streams)) if model.spec.columns else pictures_of(seen, next(streams))
    arrays = {name: np.asarray(value, dtype=np.float64)[np.newaxis, np.newaxis] for name, value in values.items()}
    return Summary(arrays, groups)


def _all_rows(model: VAE, module: Autoencoder, rng: np.random.Generator) -> Rows:
    """Return all rows as networks take them; where each step drew 0 or 1 anew, of one such draw."""
    data, cards = model.data, model.spec.conditions
    values = module.scaled(data.values)
    if data.binarise == "dynamic":
        values = (rng.random(values.shape) < values).astype(np.float32)
    given = {condition.name: condition.values for condition in data.conditions}
    inputs = torch.from_numpy(encoded(cards, [given[card.name] for card in cards])) if cards else None
    return Rows(torch.from_numpy(values), inputs)


def _gap(module: Autoencoder, rows: Rows, rng: np.random.Generator) -> float:
    """Return by how much the log density lies above the bound, of a part of the rows: it varies less than either."""
    most = _MOST_CONVOLVED if module.card.architecture == "conv" else _MOST_WEIGHED
    part = rows.take(np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(np.int64)))
    return float(gap(module, part, rng).mean())


def _noise(module: Autoencoder) -> dict[str, Floats]:
    """Return standard deviations in the data's units: of each column, or one of all pixels."""
    sd = module.noise_sd()
    if sd is None:
        return {}
    found = (sd.detach().double() * module.scale.double()).numpy()
    return {"noise_sd": found if module.card.columns else found[0]}


def _codes(
    model: VAE,
    module: Autoencoder,
    rows: Rows,
    shown: NDArray[np.int64],
    codes: tuple[Floats, Floats],
    rng: np.random.Generator,
) -> dict[str, NDArray[Any]]:
    data = model.data
    found: dict[str, NDArray[Any]] = {
        "mean": codes[0],
        "sd": codes[1],
        "elbo": bounds(module, rows.take(shown), rng).elbo,
        "held_out": model.held_out[shown],
        "row": np.asarray(data.rows)[shown].astype(str),
        "n_rows": np.asarray(len(rows)),
    }
    if data.labels is not None:
        found["label"] = np.asarray(data.labels)[shown].astype(str)
    return found | given_of(model.data, shown)


def _reconstructions(
    model: VAE, module: Autoencoder, rows: Rows, order: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Return rows beside what the decoder makes of their mean codes; of a denoising model of noisy rows' codes."""
    spec = model.spec
    chosen = order[: MOST_ROWS if spec.columns else MOST_EXAMPLES]
    part = rows.take(chosen)
    seen, noisy = part, {}
    if spec.noise:
        sd = spec.noise / (float(module.scale) if spec.likelihood == "gaussian" and not spec.columns else 1.0)
        noise = torch.from_numpy(rng.normal(0.0, sd, part.values.shape).astype(np.float32))
        seen = Rows(part.values + noise, part.given)
        noisy = {} if spec.columns else {"input": module.unscaled(seen.values.numpy())}
    made, _ = decode(module, encode(module, seen)[0], part)
    found = {"original": module.unscaled(part.values.numpy()), "reconstruction": made, **noisy}
    if model.data.labels is not None:
        found["label"] = np.asarray(model.data.labels)[chosen].astype(str)
    return found
