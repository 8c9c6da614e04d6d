"""Frozen, validated configurations whose errors are one line."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bayeskit.core.errors import ConfigError


class Config(BaseModel):
    """Base of every engine's configuration: frozen, no unknown fields, errors as ``ConfigError``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"][0].lower() + first["msg"][1:]
            raise ConfigError(f"option '{where}': {what}, got {first['input']!r}") from None
