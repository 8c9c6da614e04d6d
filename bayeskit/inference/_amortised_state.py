"""The form of a training's checkpoint: tensors as safetensors, all else as JSON in the header; nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bayeskit.inference._checkpoints import Coding

_KEY = "bayeskit"


def _packed(whole: Mapping[str, Any]) -> bytes:
    from safetensors.torch import save

    state = whole["state"]
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items() if _is_tensor(value)}
    plain = {name: value for name, value in state.items() if not _is_tensor(value)}
    return bytes(save(tensors, metadata={_KEY: json.dumps({**whole, "state": plain, "order": list(state)})}))


def _unpacked(path: Path) -> Any:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if _KEY not in metadata:
            return None
        whole = json.loads(metadata[_KEY])
        plain = whole["state"]
        # A copy lies where torch likes its numbers to lie, which products of matrices depend on.
        state = {name: plain[name] if name in plain else file.get_tensor(name).clone() for name in whole["order"]}
    return {**whole, "state": state}


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


SAFETENSORS = Coding(_packed, _unpacked)
"""A flat dictionary of tensors and of values that JSON has."""
