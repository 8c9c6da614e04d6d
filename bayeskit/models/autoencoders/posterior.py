"""How the parts of an autoencoder's run are named: dimensions and coordinates of its groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import AutoencoderCard


def autoencoder_coords(spec: AutoencoderCard) -> dict[str, NDArray[Any]]:
    """Return the coordinates of the posterior's dimensions; groups that show a few codes or classes name their own."""
    found: dict[str, NDArray[Any]] = {"code": np.arange(1, spec.latent + 1)}
    if spec.columns:
        found["column"] = np.array(spec.columns, dtype=str)
    return found


def autoencoder_dims(spec: AutoencoderCard) -> dict[str, list[str]]:
    """Return the dimensions of each variable, but for chain and draw; those of other groups in full."""
    noise = [] if spec.shared_noise or not spec.columns else ["column"]
    return {"kl_code": ["code"], "noise_sd": noise}
