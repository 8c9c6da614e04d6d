"""Where tensors live: on the GPU where there is one and it was not refused."""

from __future__ import annotations

from typing import Literal

from bayeskit.core.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("auto", "cpu", "cuda")


def resolve_device(device: str) -> str:
    """Return ``cpu`` or ``cuda``.

    Parameters
    ----------
    device
        ``auto``: the GPU where there is one; ``cpu``; or ``cuda``.

    Raises
    ------
    ConfigError
        For another name, or ``cuda`` where torch sees no GPU.
    """
    if device not in DEVICES:
        raise ConfigError(f"device '{device}' is unknown; choose from {', '.join(DEVICES)}")
    if device == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ConfigError("device 'cuda' was asked for, and torch sees no GPU; give auto or cpu")
    return "cpu"
