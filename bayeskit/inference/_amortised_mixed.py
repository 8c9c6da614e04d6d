"""Mixed precision: products of matrices in bfloat16, all else in single precision.

As in Micikevicius et al. (2018), arXiv:1710.03740, with the format of Kalamkar et al. (2019), arXiv:1905.12322, which
needs no scaling of the loss. Unlike under ``torch.autocast`` what a product gives is of single precision again, so that
what distributions are made of, what they draw, and their densities are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

_PRODUCTS = {
    functional.linear,
    functional.conv1d,
    functional.conv2d,
    functional.conv3d,
    functional.conv_transpose1d,
    functional.conv_transpose2d,
    functional.conv_transpose3d,
    torch.matmul,
    torch.mm,
    torch.bmm,
    torch.Tensor.matmul,
    torch.Tensor.__matmul__,
}


class MixedPrecision(TorchFunctionMode):
    """A block in which products of matrices, and their derivatives, are computed in bfloat16."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func not in _PRODUCTS:
            return func(*args, **(kwargs or {}))
        halved: tuple[tuple[Any, ...], dict[str, Any]] = tree_map(_half, (args, dict(kwargs or {})))
        return func(*halved[0], **halved[1]).float()


def _half(leaf: Any) -> Any:
    return leaf.bfloat16() if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float32 else leaf
