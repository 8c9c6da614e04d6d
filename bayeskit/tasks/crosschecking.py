"""What a cross-check was asked for, with the command that repeats it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from bayeskit.tasks.fitting import check_seed


@dataclass(frozen=True)
class CrosscheckTask:
    """Which targets the engines are checked on.

    Parameters
    ----------
    targets
        Names of shipped targets or ``FILE.py:NAME``; none for all that are shipped.
    seed
        Of every engine.

    Raises
    ------
    ConfigError
        For a seed out of range.
    """

    targets: tuple[str, ...] = ()
    seed: int = 1

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def command(self) -> str:
        """Return the command that does this."""
        return shlex.join(["bayeskit", "crosscheck", *self.targets, "--seed", str(self.seed)])
