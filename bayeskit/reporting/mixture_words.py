"""What we learned of a mixture, in sentences and in a small table: shares, places, and who stands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import joined, listing, number, percent, plus_minus, significant
from bayeskit.reporting.figures_mixture_number import Occupied, Selection, told_of
from bayeskit.reporting.groups import colour_name
from bayeskit.reporting.mixture_traces import share_text
from bayeskit.reporting.mixture_view import RARE, SURE, Mixture, name_of
from bayeskit.reporting.results import group

MAX_TOLD = 4  # components in sentences
NAMED_COLUMNS = 2
NAMED_POINTS = 5
MAX_COLUMNS = 6  # of the table


@dataclass(frozen=True)
class ComponentRow:
    """One component: its colour, its share, how many points it holds, and mean and spread by column."""

    name: str
    colour: str
    share: str
    points: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ComponentTable:
    """The components at a glance; ``note`` says what was left out."""

    columns: tuple[str, ...]
    rows: tuple[ComponentRow, ...]
    caption: str
    note: str


def mixture_headline(mixture: Mixture, occupied: Occupied | None, selection: Selection | None) -> list[str]:
    """Return what was found as sentences, the most important first."""
    told = [*_how_many(mixture, occupied, selection), _where(mixture), _how_sharply(mixture), _who_stands_out(mixture)]
    return [text for text in told if text]


def _how_many(mixture: Mixture, occupied: Occupied | None, selection: Selection | None) -> list[str]:
    told = []
    if occupied is not None:
        low, high = occupied.central
        template = mark("Most probably {n} components hold points ({share}); with 95 % probability {low} to {high} do.")
        if low == high:
            template = mark("Of {most} components {n} hold points, with {share} probability.")
        share = percent(float(occupied.shares.max()))
        told.append(say(template, n=occupied.mode, share=share, low=low, high=high, most=occupied.most))
    if selection is not None:
        told.append(told_of(selection))
    if not told:
        held = len(mixture.shown)
        template = mark("The model has {n} components; all of them hold points.")
        if held < mixture.card.n_components:
            template = mark("Of the model's {n} components {held} hold points.")
        told.append(say(template, n=mixture.card.n_components, held=held))
    return told


def _where(mixture: Mixture) -> str:
    columns = mixture.best_columns(NAMED_COLUMNS)
    told = []
    for k in mixture.shown[:MAX_TOLD]:
        places = [
            say("{column} {value}", column=mixture.columns[column], value=mean_text(mixture, k, column))
            for column in columns
        ]
        told.append(
            say(
                "{name:capital} holds {share} of the points, around {places}.",
                name=name_of(k),
                share=share_text(mixture, k),
                places=listing(places),
            )
        )
    rest = len(mixture.shown) - len(told)
    if rest:
        told.append(say_count(rest, "{n} more is in the table.", "{n} more are in the table."))
    return joined(told)


def mean_text(mixture: Mixture, component: int, column: int) -> str:
    """Return where a component lies in a column, with its standard deviation where there is one."""
    draws = mixture.draws.means[:, component, column]
    if mixture.is_point or draws.size < 2:
        return significant(float(draws.mean()), 4)
    return plus_minus(float(draws.mean()), float(draws.std(ddof=1)))


def _how_sharply(mixture: Mixture) -> str:
    if len(mixture.shown) < 2:
        return ""
    sure = mixture.certainty > SURE
    if sure.all():
        return say("Every point belongs to one component with more than 90 % probability.")
    return say(
        "{share} of the points belong to one component with more than 90 % probability; {n} cannot be assigned so "
        "surely.",
        share=percent(float(sure.mean())),
        n=f"{int((~sure).sum()):,}",
    )


def _who_stands_out(mixture: Mixture) -> str:
    if not mixture.judged.size:
        return ""
    unusual = mixture.unusual
    by_chance = RARE * mixture.judged.size
    expected = number(by_chance, 1 if by_chance < 10 else 0)
    if not unusual:
        return say("No point stands out: none lies where the model expects fewer than one in 1,000.")
    names = [str(mixture.labels[place]) for place in unusual[:NAMED_POINTS]]
    template = mark(
        "{n} points stand out (rows {points}, …): the model expects fewer than one in 1,000 there; by chance it would "
        "be {expected}."
    )
    if len(unusual) <= NAMED_POINTS:
        template = mark(
            "{n} points stand out (rows {points}): the model expects fewer than one in 1,000 there; by chance it would "
            "be {expected}."
        )
    if len(unusual) == 1:
        template = mark(
            "{n} point stands out (row {points}): the model expects fewer than one in 1,000 there; by chance it would "
            "be {expected}."
        )
    return say(template, n=f"{len(unusual):,}", points=", ".join(names), expected=expected)


def component_table(fit: Fit, mixture: Mixture) -> ComponentTable:
    """Return the components at a glance."""
    columns = mixture.best_columns(MAX_COLUMNS)
    held = np.bincount(mixture.assignment, minlength=mixture.card.n_components)
    rows = [
        ComponentRow(
            name=name_of(k),
            colour=colour_name(k),
            share=share_text(mixture, k),
            points=f"{int(held[k]):,}",
            cells=tuple((mean_text(mixture, k, column), _spread(mixture, k, column)) for column in columns),
        )
        for k in mixture.shown
    ]
    caption = say(
        "Share of the points, how many most probably belong to it, and by column its mean ± sd and its spread."
    )
    if mixture.is_point:
        caption = say(
            "Share of the points, how many most probably belong to it, and by column its mean and its spread."
        )
    return ComponentTable(
        columns=tuple(mixture.columns[column] for column in columns),
        rows=tuple(rows),
        caption=caption,
        note=joined([_left_out(mixture, len(columns)), _collapsed(fit, mixture)]),
    )


def _spread(mixture: Mixture, component: int, column: int) -> str:
    return say("spread {value}", value=significant(float(mixture.average.sds[0, component, column]), 3))


def _left_out(mixture: Mixture, n_columns: int) -> str:
    told = []
    rest = mixture.card.n_components - len(mixture.shown)
    if rest:
        shown = float(mixture.average.weights[0, mixture.shown].sum())
        told.append(
            say_count(
                rest,
                "{n} more component holds no point and {share} of the weight.",
                "{n} more components hold no point and together {share} of the weight.",
                share=percent(max(0.0, 1 - shown)),
            )
        )
    if mixture.n_columns > n_columns:
        told.append(
            say(
                "Of {total} columns those {n} are shown in which the components lie farthest apart; all of them are in "
                "the table of quantities.",
                total=mixture.n_columns,
                n=n_columns,
            )
        )
    return joined(told)


def _collapsed(fit: Fit, mixture: Mixture) -> str:
    """Name the components that sit on a single point, however often it occurs."""
    derived = group(fit, "derived")
    if derived is None or "distinct_points" not in derived:
        return ""
    distinct = derived["distinct_points"].to_numpy().ravel()
    alone = [name_of(k) for k in mixture.shown if k < distinct.size and distinct[k] == 1]
    if not alone:
        return ""
    return say("{components:capital} holds one distinct point only.", components=listing(alone))


def criteria_rows(fit: Fit, assessment: Assessment) -> list[tuple[str, str]]:
    """Return how well the mixture describes the points, for the number of its parameters: names and values."""
    if fit.provenance.card.mixture is None:
        return []
    known = {name: value for name, value in assessment.metrics.items() if np.isfinite(value)}
    rows = []
    if "n_parameters" in known:
        rows.append((say("free parameters"), number(known["n_parameters"], 0)))
    if "max_log_likelihood" in known:
        rows.append((say("largest log likelihood"), number(known["max_log_likelihood"], 1)))
    rows += [(name.upper(), number(known[name], 1)) for name in ("aic", "bic") if name in known]
    if "elpd_loo" in known:
        score = plus_minus(known["elpd_loo"], known.get("elpd_loo_se", 0.0))
        rows.append((say("log predictive density, each point left out (elpd)"), score))
    if "p_loo" in known:
        rows.append((say("effective parameters (p_loo)"), number(known["p_loo"], 1)))
    if known.get("n_bad_k"):
        told = say_count(int(known["n_bad_k"]), "{n} point", "{n} points")
        rows.append((say("k-hat too large for elpd to be relied on"), told))
    return rows
