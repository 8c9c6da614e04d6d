"""What intervals, and numbers with derivatives, have in common with arrays, so that NumPy's functions take them.

How NumPy hands its functions over: NEP 13 and NEP 18, https://numpy.org/neps/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray


class Unknown(TypeError):  # noqa: N818
    """Something that intervals do not know; the message names it."""


@dataclass(frozen=True, eq=False)
class Trilean:
    """A comparison of intervals, elementwise: where it certainly holds, and where it may."""

    certain: NDArray[np.bool_]
    possible: NDArray[np.bool_]

    def __and__(self, other: Any) -> Trilean:
        also = _trilean(other)
        return Trilean(self.certain & also.certain, self.possible & also.possible)

    def __or__(self, other: Any) -> Trilean:
        also = _trilean(other)
        return Trilean(self.certain | also.certain, self.possible | also.possible)

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Trilean:
        return Trilean(~self.possible, ~self.certain)

    def __getitem__(self, key: Any) -> Trilean:
        return Trilean(self.certain[key], self.possible[key])

    def __bool__(self) -> bool:
        raise Unknown("a branch on a comparison")

    def all(self, axis: Any = None) -> Trilean:
        """Return whether all hold."""
        return Trilean(np.asarray(self.certain.all(axis)), np.asarray(self.possible.all(axis)))

    def any(self, axis: Any = None) -> Trilean:
        """Return whether any holds."""
        return Trilean(np.asarray(self.certain.any(axis)), np.asarray(self.possible.any(axis)))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "__call__" and ufunc in (np.logical_and, np.bitwise_and):
            return _trilean(inputs[0]) & inputs[1]
        if method == "__call__" and ufunc in (np.logical_or, np.bitwise_or):
            return _trilean(inputs[0]) | inputs[1]
        if method == "__call__" and ufunc in (np.logical_not, np.invert):
            return ~self
        raise Unknown(f"np.{ufunc.__name__} of a comparison")

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        if function in (np.all, np.any):
            return getattr(self, function.__name__)(*inputs[1:], **options)
        if function is np.where and len(inputs) == 3:
            given, chosen, other = inputs
            if hasattr(chosen, "chosen_by"):
                return chosen.chosen_by(given, other)
            if hasattr(other, "chosen_by"):
                return other.chosen_by(~given, chosen)
            from bayeskit.inference._intervals import interval

            return interval(chosen).chosen_by(given, other)
        raise Unknown(f"np.{function.__name__}")


class ArrayLike(NDArrayOperatorsMixin):
    """What intervals and numbers with derivatives have in common with arrays."""

    shape: tuple[int, ...]
    __hash__ = None  # type: ignore[assignment]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError

    def sum(self, axis: int | None = None) -> Any:
        """Return sums over an axis, or over all."""
        raise NotImplementedError

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Unknown("a conversion to a plain array")

    def __float__(self) -> float:
        raise Unknown("a conversion to a plain number")

    def __bool__(self) -> bool:
        raise Unknown("a branch on a value")

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        if function is np.sum and set(options) <= {"axis"}:
            return self.sum(*inputs[1:], **options)
        if function is np.einsum and not options:
            return _einsum(*inputs)
        if function is np.dot:
            return np.matmul(*inputs)
        if function is np.where and len(inputs) == 3:
            return Trilean(np.asarray(inputs[0]), np.asarray(inputs[0])).__array_function__(np.where, types, inputs, {})
        raise Unknown(f"np.{function.__name__}")


def matmul(first: Any, second: Any) -> Any:
    """Return the product of a stack of vectors or a matrix with a matrix or vector, as sums of products."""
    if second.ndim == 1:
        return (first * second).sum(-1)
    if second.ndim == 2:
        return (first[..., :, None] * second).sum(-2)
    raise Unknown("np.matmul of stacks of matrices")


def _einsum(subscripts: Any, *operands: Any) -> Any:
    if not isinstance(subscripts, str) or "." in subscripts or "->" not in subscripts:
        raise Unknown("np.einsum without plain subscripts")
    given, result = subscripts.replace(" ", "").split("->")
    letters = [*result, *sorted(set(given) - set(result) - {","})]
    product: Any = 1.0
    for names, operand in zip(given.split(","), operands, strict=True):
        if len(set(names)) < len(names) or list(names) != sorted(names, key=letters.index):
            operand = _reordered(names, operand, letters)
        product = product * operand[tuple(slice(None) if name in names else None for name in letters)]
    for _ in range(len(letters) - len(result)):
        product = product.sum(-1)
    return product


def _reordered(names: str, operand: Any, letters: list[str]) -> Any:
    if len(set(names)) < len(names) or len(names) != 2:
        raise Unknown("np.einsum with such subscripts")
    return operand.T


def _trilean(value: Any) -> Trilean:
    return value if isinstance(value, Trilean) else Trilean(np.asarray(value, bool), np.asarray(value, bool))
