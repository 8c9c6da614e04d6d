"""What is kept in JSON: provenance and verdicts as plain values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bayeskit.core.language import Text, to_record
from bayeskit.core.priors import Prior
from bayeskit.core.types import (
    AutoencoderCard,
    BlockCard,
    ConditionCard,
    FactorCard,
    MixtureCard,
    ModelCard,
    Provenance,
    Quantity,
    Series,
    Source,
)

_PLAIN = (
    "model",
    "engine",
    "kind",
    "config",
    "seed",
    "versions",
    "hardware",
    "timings",
    "command",
    "script",
    "started",
)


def provenance_record(origin: Provenance) -> dict[str, Any]:
    """Return where a result came from, as values for ``plain``."""
    card = asdict(origin.card)
    priors = card.pop("priors")
    record = {name: getattr(origin, name) for name in _PLAIN}
    record |= {"priors": {prior.name: str(prior) for prior in origin.card.priors}}
    return record | {"data": asdict(origin.data), "card": card | {"priors": priors}}


def provenance_of(record: Mapping[str, Any]) -> Provenance:
    """Return the provenance that a record holds.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the record is damaged.
    """
    fields = {name: record[name] for name in _PLAIN}
    return Provenance(**fields, data=_source(record["data"]), card=_card(record["card"]))


def plain(value: Any) -> Any:
    """JSON has no NaN and knows only plain types; texts keep what they were made from."""
    if isinstance(value, Text):
        return plain(to_record(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _source(record: Mapping[str, Any]) -> Source:
    return Source(**{**record, "notes": tuple(record["notes"])})


def _card(record: Mapping[str, Any]) -> ModelCard:
    priors = (
        Prior(**{**prior, "arguments": tuple(prior["arguments"]), "families": tuple(prior["families"])})
        for prior in record["priors"]
    )
    return ModelCard(
        **{
            **record,
            "formulas": tuple(record["formulas"]),
            "quantities": tuple(Quantity(**quantity) for quantity in record["quantities"]),
            "priors": tuple(priors),
            "series": Series(**record["series"]) if record["series"] else None,
            "mixture": _mixture(record.get("mixture")),
            "blocks": BlockCard(**record["blocks"]) if record.get("blocks") else None,
            "factors": _factors(record.get("factors")),
            "autoencoder": _autoencoder(record.get("autoencoder")),
            "boundary": tuple(record["boundary"]),
            "notes": tuple(record["notes"]),
        }
    )


def _factors(record: Mapping[str, Any] | None) -> FactorCard | None:
    if not record:
        return None
    listed = ("levels", "user_features", "item_features")
    return FactorCard(**{**record, **{name: tuple(record[name]) for name in listed}})


def _autoencoder(record: Mapping[str, Any] | None) -> AutoencoderCard | None:
    if not record:
        return None
    listed = ("shape", "columns", "encoder", "decoder", "labels")
    conditions = (ConditionCard(**{**given, "classes": tuple(given["classes"])}) for given in record["conditions"])
    lists = {name: tuple(record[name]) for name in listed}
    return AutoencoderCard(**{**record, **lists, "conditions": tuple(conditions)})


def _mixture(record: Mapping[str, Any] | None) -> MixtureCard | None:
    return MixtureCard(**{**record, "columns": tuple(record["columns"])}) if record else None
