"""How the parts of an autoencoder's run are named: dimensions and coordinates of its groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import AutoencoderCard

_HISTORY = (
    *("epoch", "elbo", "reconstruction", "kl", "held_out_elbo", "held_out_reconstruction", "held_out_kl"),
    *("weight", "learning_rate"),
)


def autoencoder_coords(spec: AutoencoderCard) -> dict[str, NDArray[Any]]:
    """Return the coordinates of the posterior's dimensions; a group may name its own."""
    found: dict[str, NDArray[Any]] = {"code": np.arange(1, spec.latent + 1)}
    if spec.columns:
        found["column"] = np.array(spec.columns, dtype=str)
    return found


def autoencoder_dims(spec: AutoencoderCard, conditions: Sequence[str]) -> dict[str, list[str]]:
    """Return the dimensions of each variable, but for chain and draw; those of other groups in full.

    Parameters
    ----------
    spec
        The model.
    conditions
        Names of what the data tell of rows besides, which an unconditional model only shows.
    """
    shape = ["column"] if spec.columns else ["height", "width", "channel"][: len(spec.shape)]
    groups: dict[str, dict[str, list[str]]] = {
        "history": {name: ["epoch"] for name in _HISTORY},
        "codes": {
            **{key: ["row", "code"] for key in ("mean", "sd")},
            **{key: ["row"] for key in ("elbo", "held_out", "label", "row")},
            "n_rows": [],
        },
        "reconstructions": {
            **{key: ["example", *shape] for key in ("original", "input", "reconstruction")},
            "label": ["example"],
        },
        "traversals": {"decoded": ["code", "step", *shape], "at": ["step"], "code": ["code"]},
        **(_of_table(shape) if spec.columns else _of_images(spec, shape)),
    }
    given = {"codes": "row", "generated": "row" if spec.columns else "example", "observed": "row", "by_condition": "at"}
    for group, dim in given.items():
        groups.setdefault(group, {}).update({f"given_{name}": [dim] for name in conditions})
    found = {f"{group}/{name}": dims for group, variables in groups.items() for name, dims in variables.items()}
    return found | {"kl_code": ["code"], "noise_sd": ["column"] if spec.columns else []}


def _of_table(shape: list[str]) -> dict[str, dict[str, list[str]]]:
    bands = ("mean", "low95", "low68", "high68", "high95")
    return {
        "generated": {"drawn": ["row", *shape]},
        "observed": {"value": ["row", *shape]},
        "by_condition": {key: ["at", *shape] for key in bands},
    }


def _of_images(spec: AutoencoderCard, shape: list[str]) -> dict[str, dict[str, list[str]]]:
    classes = ["class"] if any(card.classes for card in spec.conditions) else []
    return {
        "manifold": {
            "decoded": [*classes, "down", "across", *shape],
            "at": ["across"],
            "codes": ["axis"],
            "class": ["class"],
        },
        "interpolation": {key: ["pair", "way", *shape] for key in ("linear", "spherical")},
        "generated": {key: ["example", *shape] for key in ("mean", "drawn")},
        "by_condition": {"mean": ["class", "example", *shape], "class": ["class"]},
        "completion": {
            **{key: ["example", *shape] for key in ("given", "original")},
            "completed": ["example", "sample", *shape],
        },
    }
