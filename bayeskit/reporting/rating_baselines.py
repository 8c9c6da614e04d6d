"""Point estimates of the kind that leaves everything open, beside the run: what goes wrong without a distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeskit.core.language import mark, said, say
from bayeskit.core.types import Fit
from bayeskit.core.words import NO_BREAK, number, significant
from bayeskit.reporting.group_tables import Cell, GroupRow, GroupTable
from bayeskit.reporting.rating_view import Factorisation
from bayeskit.reporting.results import group

_MISSING = {
    "zero": mark("taken as zero"),
    "mean": mark("taken as the mean"),
    "excluded": mark("excluded"),
}
_WRONG = {
    "zero": mark("Missing taken as zero predicts ratings from {least} to {greatest} on a scale of {scale}"),
    "mean": mark("Missing taken as the mean predicts ratings from {least} to {greatest} on a scale of {scale}"),
    "excluded": mark("Without a prior, ratings from {least} to {greatest} are predicted on a scale of {scale}"),
}


@dataclass(frozen=True)
class Baseline:
    """One point estimate: its name, what it makes of what is missing, and what it predicts."""

    name: str
    missing: str
    rmse: float
    least: float
    greatest: float
    outside: float


def read_baselines(fit: Fit) -> list[Baseline]:
    """Return the point estimates that a run holds for comparison."""
    data = group(fit, "baselines")
    names = ("name", "missing", "test_rmse", "least", "greatest", "outside")
    if data is None or not set(names) <= set(data.data_vars):
        return []
    columns = [data[name].to_numpy().ravel() for name in names]
    if len({column.size for column in columns}) != 1 or any(column.dtype.kind not in "iuf" for column in columns[2:]):
        return []
    return [
        Baseline(str(name), str(missing), *map(float, numbers))
        for name, missing, *numbers in zip(*columns, strict=True)
    ]


def baseline_table(found: Factorisation, baselines: list[Baseline]) -> GroupTable | None:
    """Return them as a table with the run itself last; its title says what goes wrong with the worst of them."""
    if not baselines:
        return None
    rows = [
        GroupRow(
            one.name,
            (
                (said(_MISSING.get(one.missing, one.missing)), ""),
                _number(one.rmse, 3),
                _number(one.least, 1),
                _number(one.greatest, 1),
                (_share(one.outside), ""),
            ),
        )
        for one in baselines
    ]
    if found.tested is not None:
        rows.append(_own(found))
    return GroupTable(
        title=_title(found, baselines),
        caption=say(
            "Factorisations of the usual kind: one point each, and how far its predictions reach as they come. Test "
            "errors are of predictions kept within the scale, which is kind to those that leave it."
        ),
        first=say("fit"),
        columns=(
            say("what is missing"),
            say("test error (RMSE)"),
            say("least prediction"),
            say("greatest"),
            say("outside the scale"),
        ),
        rows=tuple(rows),
        words=(0,),
    )


def _own(found: Factorisation) -> GroupRow:
    assert found.tested is not None
    cells: tuple[Cell, ...] = ((said(_MISSING["excluded"]), ""), _number(found.tested.rmse, 3), ("–", ""), ("–", ""))
    return GroupRow(say("this run"), (*cells, (say("kept within it"), "")))


def _title(found: Factorisation, baselines: list[Baseline]) -> str:
    def excess(one: Baseline) -> float:
        return float(np.nan_to_num(max(found.card.low - one.least, one.greatest - found.card.high), nan=-np.inf))

    worst = max(baselines, key=lambda one: (excess(one) > 0 and one.missing == "zero", excess(one)))
    if not excess(worst) > 0 or worst.missing not in _WRONG:
        return say("Point estimates beside this run")
    told = {"least": number(worst.least, 1), "greatest": number(worst.greatest, 1), "scale": found.scale}
    return say(_WRONG[worst.missing], **told)


def _number(value: float, decimals: int) -> Cell:
    return (number(value, decimals) if np.isfinite(value) else "–"), ""


def _share(share: float) -> str:
    if not np.isfinite(share):
        return "–"
    return f"{number(100 * share, 1) if share >= 0.001 or share == 0 else significant(100 * share, 1)}{NO_BREAK}%"
