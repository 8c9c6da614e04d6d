"""What a comparison of engines says: differences, pairs, cells of the matrix, and the whole of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.records import plain
from bayeskit.core.types import Assessment, Fit, Kind, Verdict

Floats = NDArray[np.float64]

Answer = Literal["agree", "disagree", "unanswered"]
Outcome = Literal["agree", "flag", "none"]
Status = Literal["agrees", "disagrees", "flagged", "unanswered", "does not apply", "failed"]
Statistic = Literal["mean", "variance", "q5", "q25", "q50", "q75", "q95", "distribution", "joint"]
Scale = Literal["draws", "normal scores"]

QUANTILES: Mapping[Statistic, float] = {"q5": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
N_RECORDED = 20  # differences of a pair that are kept in JSON, those with the smallest p-values


class Expectation(Protocol):
    """How an engine must come out: it agrees, its own checks flag it (one of ``by``), or does not apply; and why."""

    @property
    def outcome(self) -> Outcome: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def by(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class Expected:
    """A plain ``Expectation``."""

    outcome: Outcome
    reason: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """One test of one quantity in two results.

    Parameters
    ----------
    quantity
        Label of the scalar; empty of the joint test of all.
    statistic
        What was compared.
    first, second
        Its value in either; of ``distribution`` and ``joint`` the distance and what it may be (NaN where nobody knows).
    z
        Difference in units of its standard error; of the two distances what a normal test of that p-value would have.
    p_value, adjusted
        Of this test alone, and after Holm's correction for all tests that were made with it.
    scale
        Whether the moments are those of the draws, or of normal scores of their ranks, where moments cannot be trusted.
    """

    quantity: str
    statistic: Statistic
    first: float
    second: float
    z: float
    p_value: float
    adjusted: float
    scale: Scale = "draws"


@dataclass(frozen=True)
class Curve:
    """Distribution functions of one quantity in two results.

    ``band`` is how far they may be apart, all tests taken together.
    """

    quantity: str
    places: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    band: float


@dataclass(frozen=True)
class PairAgreement:
    """Whether two results are of the same posterior.

    Parameters
    ----------
    first, second
        Names of the two.
    answer
        ``unanswered`` where one's own checks failed, or nothing could be compared; ``reason`` says which.
    differences
        All tests.
    n_quantities
        That were compared; ``left_out`` names those that were not, with the reason.
    detectable
        Difference of means, in standard deviations of the quantity compared worst, that would be seen with a
        probability of 80 %; NaN where nothing was compared.
    joint
        Why there is no joint test, or empty.
    curve
        Of the quantity that differs most.
    """

    first: str
    second: str
    answer: Answer
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    n_quantities: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)
    detectable: float = float("nan")
    joint: str = ""
    curve: Curve | None = None
    target: str = ""

    @property
    def worst(self) -> Difference | None:
        """The difference with the smallest p-value; of several that are 0, the one with the largest z."""
        if not self.differences:
            return None
        return min(self.differences, key=lambda one: (one.p_value, -abs(one.z)))

    def record(self) -> dict[str, Any]:
        """Return it as plain values for JSON, of its differences the worst ones."""
        kept = sorted(self.differences, key=lambda one: (one.p_value, -abs(one.z)))[:N_RECORDED]
        shallow = {name: getattr(self, name) for name in self.__dataclass_fields__}
        shallow |= {"differences": [asdict(one) for one in kept], "n_tests": len(self.differences)}
        shallow |= {"left_out": dict(self.left_out), "curve": None if self.curve is None else asdict(self.curve)}
        found: dict[str, Any] = plain(shallow)
        return found


@dataclass(frozen=True)
class TargetResults:
    """What engines made of one posterior.

    Parameters
    ----------
    results
        By engine: a fit with its assessment, or in words why the engine gave none.
    expected
        By engine; an engine without must agree. Those with ``none`` need no result.
    reference
        Engine that all others are compared with; where it is none of ``results``, all are compared with all.
    title
        For the reader.
    """

    results: Mapping[str, tuple[Fit, Assessment] | str]
    expected: Mapping[str, Expectation]
    reference: str = "exact"
    title: str = ""


@dataclass(frozen=True)
class EngineCell:
    """What came out for one target and engine.

    Parameters
    ----------
    status, detail
        What, and why in a sentence's inner part.
    expected, reason
        What must come out, and why.
    as_expected
        Whether it did.
    verdicts
        The result's own checks.
    seconds, effective
        Time that it took but for compiling, and how many independent draws would tell the location of the quantity
        that is known worst as well; NaN where there is no result.
    kind
        Of its draws; None where there is no result.
    command
        That made it.
    """

    target: str
    engine: str
    status: Status
    detail: str
    expected: Outcome
    reason: str
    as_expected: bool
    verdicts: tuple[Verdict, ...] = ()
    seconds: float = float("nan")
    effective: float = float("nan")
    kind: Kind | None = None
    command: str = ""

    def record(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        shallow = {name: getattr(self, name) for name in self.__dataclass_fields__}
        found: dict[str, Any] = plain(shallow | {"verdicts": [asdict(verdict) for verdict in self.verdicts]})
        return found


@dataclass(frozen=True, repr=False)
class Crosscheck:
    """The matrix of targets and engines.

    Parameters
    ----------
    cells, pairs
        By target in the order given, engine by engine and pair by pair.
    engines
        In the order in which they came.
    alpha, n_tests
        Probability that equal results give any alarm at all, and over how many tests it is shared.
    titles
        Of the targets, by name.
    """

    cells: tuple[EngineCell, ...]
    pairs: tuple[PairAgreement, ...]
    engines: tuple[str, ...]
    alpha: float
    n_tests: int
    seed: int
    titles: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether there is any cell, and every one came out as it must."""
        return bool(self.cells) and all(cell.as_expected for cell in self.cells)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(self.titles)

    def __repr__(self) -> str:
        """One line a target, and one a cell that came out otherwise than it must."""
        width = max((len(target) for target in self.targets), default=0)
        lines = []
        for target in self.targets:
            own = [cell for cell in self.cells if cell.target == target]
            wrong = [cell for cell in own if not cell.as_expected]
            lines.append(
                f"  {'FAILED' if wrong else 'passed'}  {target:<{width}}  {len(own) - len(wrong)} of {len(own)}"
            )
            lines += [
                f"          {cell.engine} {cell.status}, must be '{cell.expected}': {cell.detail}" for cell in wrong
            ]
        return "\n".join(lines)

    def cell(self, target: str, engine: str) -> EngineCell | None:
        """Return one cell, None where the engine knows nothing of the target."""
        return next((cell for cell in self.cells if (cell.target, cell.engine) == (target, engine)), None)

    def record(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "alpha": self.alpha,
            "n_tests": self.n_tests,
            "seed": self.seed,
            "passed": self.passed,
            "engines": list(self.engines),
            "titles": plain(self.titles),
            "cells": [cell.record() for cell in self.cells],
            "pairs": [pair.record() for pair in self.pairs],
        }
