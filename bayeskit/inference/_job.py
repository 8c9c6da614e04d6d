"""What every method of Stan's needs, and what it brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.types import Kind

Floats = NDArray[np.float64]

SIGNIFICANT_DIGITS = 9  # a float32's worth: far below any Monte Carlo error, and half the file of 17

INTEGER_DIGITS = 10  # Stan's integers go up to 2147483647


@dataclass(frozen=True)
class Job:
    """A compiled program with its data, and where its processes write.

    Parameters
    ----------
    executable, folder
        The program, and an empty folder.
    data
        Path of a JSON file; None for a program without a data block.
    seed
        Stan's own.
    absent
        What to say of data that the program declares and that are not given, by name.
    digits
        How many significant digits Stan writes.
    """

    executable: Path
    folder: Path
    data: Path | None
    seed: int
    absent: Mapping[str, str] = field(default_factory=dict)
    digits: int = SIGNIFICANT_DIGITS


@dataclass(frozen=True)
class Outcome:
    """What a method brought.

    Parameters
    ----------
    kind
        Of the draws.
    columns, draws
        The CSV file's header, and ``n_chains x n_draws x n_columns``.
    statistics
        ArviZ's names to ``n_chains x n_draws``; for an approximation ``log_p`` and ``log_q``, ``1 x n_raw_draws``.
    timings
        Seconds by phase.
    engine
        What the method says of itself.
    """

    kind: Kind
    columns: list[str]
    draws: Floats
    statistics: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)


def write_json(path: Path, values: Mapping[str, Any]) -> Path:
    """Write data or start values as Stan reads them."""
    import cmdstanpy

    cmdstanpy.write_stan_json(str(path), values)
    return path
