"""Options of examples, and which data they are for."""

from __future__ import annotations

from typing import Any, Literal, get_args

from bayeskit.core.errors import ConfigError
from bayeskit.datasets._problems import Place, one_line, quote

Binarise = Literal["none", "static", "dynamic"]
"""Whether pixels are drawn black or white, and when."""


def check_binarise(binarise: str) -> None:
    """Refuse what is no way of drawing pixels.

    Raises
    ------
    ConfigError
        With those that there are.
    """
    if binarise not in get_args(Binarise):
        raise ConfigError(f"binarise is {quote(binarise)}; choose from {', '.join(get_args(Binarise))}")


def refuse(place: Place, kind: str, **options: Any) -> None:
    """Refuse options that are not for a kind of data; None is not asked for.

    Raises
    ------
    ConfigError
        With the first of them.
    """
    for name, value in options.items():
        if value is not None:
            raise ConfigError(f"{one_line(place.name)}: {name} is not for {kind}; leave it out (--{name})")
