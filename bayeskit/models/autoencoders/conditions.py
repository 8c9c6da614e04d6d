"""What conditional autoencoders are given, as networks take it: numbers standardised, of classes one input each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import ConditionCard

if TYPE_CHECKING:
    from bayeskit.datasets.examples import Examples

Floats = NDArray[np.float64]


def condition_cards(data: Examples, train: NDArray[np.bool_]) -> tuple[ConditionCard, ...]:
    """Return what is given, and how networks take it: by mean and standard deviation of the training rows.

    Raises
    ------
    DataError
        If a condition is constant among these.
    """
    found = []
    for given in data.conditions:
        values = given.values[train]
        if not np.isfinite(values).all():
            raise DataError(
                f"{data.source.path or 'examples'}: condition '{given.name}' has values that are no numbers; "
                "drop or fill such rows"
            )
        if np.ptp(values) == 0:
            raise DataError(
                f"{data.source.path or 'examples'}: condition '{given.name}' is constant in training; leave it out"
            )
        if given.classes:
            found.append(ConditionCard(given.name, classes=tuple(given.classes)))
        else:
            low, high, mean, sd = values.min(), values.max(), values.mean(), values.std()
            found.append(ConditionCard(given.name, (), float(low), float(high), float(mean), float(sd)))
    return tuple(found)


def n_inputs(cards: Sequence[ConditionCard]) -> int:
    """Return how many inputs of the networks conditions take."""
    return sum(len(card.classes) or 1 for card in cards)


def encoded(cards: Sequence[ConditionCard], values: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Return conditions as the networks take them, ``n x n_inputs``.

    Parameters
    ----------
    cards
        What is given.
    values
        In the same order: ``n`` numbers, or codes of classes, each.
    """
    parts: list[NDArray[Any]] = []
    for card, given in zip(cards, values, strict=True):
        if card.classes:
            parts.append(np.equal.outer(np.asarray(given), np.arange(len(card.classes))))
        else:
            parts.append((np.asarray(given, dtype=np.float64)[:, np.newaxis] - card.mean) / card.sd)
    return np.concatenate(parts, axis=1).astype(np.float32)


def conditions_of(
    cards: Sequence[ConditionCard], given: Mapping[str, Any], n_rows: int
) -> tuple[list[NDArray[Any]], NDArray[np.bool_]]:
    """Return conditions that were asked for, in the networks' order, and which rows lie outside the training range.

    Parameters
    ----------
    cards
        What the model is given.
    given
        By name: a number or the name of a class, or ``n_rows`` of them.
    n_rows
        How many rows.

    Returns
    -------
    list, array
        ``n_rows`` numbers or codes of classes, of each condition; and ``n_rows`` booleans.

    Raises
    ------
    ConfigError
        For a condition that the model does not know, one that is missing, or a class that it was not trained on.
    """
    names = [card.name for card in cards]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ConfigError(f"condition '{unknown[0]}' is none of this run's: {', '.join(names) or 'it has none'}")
    missing = [name for name in names if name not in given]
    if missing:
        raise ConfigError(f"condition '{missing[0]}' is missing; give it (--condition {missing[0]}=VALUE)")
    found: list[NDArray[Any]] = []
    outside = np.zeros(n_rows, dtype=bool)
    for card in cards:
        values = np.broadcast_to(np.asarray(given[card.name]), n_rows)
        if card.classes:
            found.append(_codes(card, values))
        else:
            numbers = _numbers(card, values)
            outside |= (numbers < card.low) | (numbers > card.high)
            found.append(numbers)
    return found, outside


def _codes(card: ConditionCard, values: NDArray[Any]) -> NDArray[np.int64]:
    places = {name: at for at, name in enumerate(card.classes)}
    names = [name if (name := str(value)) in places else _as_number(name) for value in values]
    strange = next((name for name in names if name not in places), None)
    if strange is not None:
        raise ConfigError(f"condition '{card.name}': '{strange}' is none of its classes: {', '.join(card.classes)}")
    return np.array([places[name] for name in names], dtype=np.int64)


def _as_number(name: str) -> str:
    """Return the name that a class of numbers has, of whatever way to write the number; other names as they are."""
    try:
        return format(float(name), ".10g")
    except ValueError:
        return name


def _numbers(card: ConditionCard, values: NDArray[Any]) -> Floats:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"condition '{card.name}' takes a number, not '{values[0]}'") from None
    if not np.isfinite(numbers).all():
        raise ConfigError(f"condition '{card.name}' takes finite numbers; leave others out")
    return numbers
