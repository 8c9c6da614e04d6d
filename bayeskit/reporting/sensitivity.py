"""What the report says of sensitivity to priors and likelihood: a sentence a finding, a table, what to weigh next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayeskit.core.language import say, say_count
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import align, commas, listing, number
from bayeskit.diagnostics.sensitivity import LIMIT, Diagnosis, Sensitivity, power_scaling
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_sensitivity import sensitivity_figure
from bayeskit.reporting.overview import pick, still
from bayeskit.reporting.results import Scalar, labelled, scalars

MAX_QUANTITIES = 60  # of a program of any size
MAX_ROWS = 20
NAMED = 3  # quantities in a sentence
_OF_MIXTURE = ("weight", "mean", "sd", "correlation", "concentration")
_OF_BLOCKS = ("pi", "pi_1", "pi_2", "theta", "alpha", "a", "b")


@dataclass(frozen=True)
class SensitivityRow:
    """A quantity, the two numbers and what they say together."""

    label: str
    prior: str
    likelihood: str
    diagnosis: str
    striking: bool


@dataclass(frozen=True)
class SensitivityReport:
    """The findings.

    ``advice`` is for the verdict's next step where something is to be weighed, else empty; ``scaled`` says what the
    powers were taken of.
    """

    findings: list[str]
    rows: list[SensitivityRow]
    left_out: int
    figure: Figure | None
    scaled: str
    advice: str


def sensitivity_of(fit: Fit, assessment: Assessment) -> SensitivityReport | str:
    """Return what was found, or in words why it could not be looked at."""
    quantities = _quantities(fit, assessment)
    found = power_scaling(fit, {scalar.label: scalar.draws for scalar in quantities})
    if isinstance(found, str):
        return found
    ordered = found.table.sort_values("prior", ascending=False, na_position="first", kind="stable")
    return SensitivityReport(
        findings=_findings(found),
        rows=_rows(found, [str(label) for label in ordered.index[:MAX_ROWS]]),
        left_out=max(0, len(ordered) - MAX_ROWS),
        figure=sensitivity_figure(found, quantities),
        scaled=_scaled(fit),
        advice=_advice(found),
    )


def _quantities(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the model's scalars: states are left out, of which a likelihood without them says nothing."""
    if fit.provenance.card.series is not None:
        return scalars(fit, assessment)
    if fit.provenance.kind == "point":
        return []
    labels = [label for shown in pick(fit) for label in shown.labels]
    if fit.provenance.card.mixture is not None:  # what is made of its parameters and the data has no prior of its own
        labels = [label for label in labels if label.partition("[")[0] in _OF_MIXTURE]
    if fit.provenance.card.blocks is not None:
        labels = [label for label in labels if label.partition("[")[0] in _OF_BLOCKS]
    moving = [str(label) for label, row in assessment.summary.loc[labels].iterrows() if not still(row)]
    return labelled(fit, assessment, moving[:MAX_QUANTITIES])


def _findings(found: Sensitivity) -> list[str]:
    told = []
    if conflict := found.labels("conflict"):
        told.append(
            say(
                "Priors and data pull to different sides for {quantities} (prior-data conflict): the numbers depend on "
                "how much each of the two counts. That is fine where the priors hold what was known beforehand; else "
                "look at them again.",
                quantities=_named(conflict),
            )
        )
    if weak := found.labels("weak"):
        told.append(
            say(
                "What came out for {quantities} comes from the priors rather than from the data (strong prior or weak "
                "likelihood): other priors, other numbers.",
                quantities=_named(weak),
            )
        )
    if striking := [*conflict, *weak]:
        told += _main_prior(found, striking)
    known = found.table["prior"].dropna()
    if not striking and known.size:
        told.append(
            say(
                "The priors hardly matter: no quantity moves by more than {value} of 1 per doubling of their power "
                "(limit {limit}; the most: {quantity}).",
                value=number(float(known.max()), 3),
                limit=f"{LIMIT:g}",
                quantity=str(known.idxmax()),
            )
        )
    unknown = found.table.isna().any(axis=1).sum()
    if unknown:
        told.append(
            say_count(
                int(unknown),
                "Of {n} quantity it cannot be told: the draws cannot be weighted even to a power close to 1.",
                "Of {n} quantities it cannot be told: the draws cannot be weighted even to a power close to 1.",
            )
        )
    return told


def _main_prior(found: Sensitivity, labels: Sequence[str]) -> list[str]:
    """Say which prior it is, where there are several."""
    if found.factors.empty or not found.factors.T[labels[0]].notna().any():
        return []
    row = found.factors.T[labels[0]]
    prior, value = str(row.idxmax()), number(float(row.max()), 3)
    text = say(
        "Of the priors, that on {prior} moves {quantity} most ({value}).", prior=prior, quantity=labels[0], value=value
    )
    return [text]


def _named(labels: Sequence[str]) -> str:
    if len(labels) <= NAMED:
        return listing(labels)
    return say("{items} and {n} more", items=commas(labels[: NAMED - 1]), n=len(labels) - NAMED + 1)


def _rows(found: Sensitivity, labels: Sequence[str]) -> list[SensitivityRow]:
    columns = {name: align(_cell(found.table[name][label]) for label in labels) for name in ("prior", "likelihood")}
    return [
        SensitivityRow(label, prior, likelihood, _word(found, label), found.diagnosis(label) != "none")
        for label, prior, likelihood in zip(labels, columns["prior"], columns["likelihood"], strict=True)
    ]


def _cell(value: float) -> str:
    return "–" if np.isnan(value) else number(value, 3)


def _word(found: Sensitivity, label: str) -> str:
    if found.table.loc[label].isna().any():
        return say("cannot be told")
    diagnosis = found.diagnosis(label)
    if diagnosis == "none" and float(found.table["likelihood"][label]) < LIMIT:
        return say("moved by neither")
    words: dict[Diagnosis, str] = {
        "conflict": say("prior-data conflict"),
        "weak": say("strong prior or weak likelihood"),
        "none": say("from the data"),
    }
    return words[diagnosis]


def _scaled(fit: Fit) -> str:
    names = [str(name) for name in fit.posterior["log_prior"].data_vars]
    if fit.provenance.card.series is None:
        return say(
            "Raised to a power are {prior} and the sum of the log likelihood, as the program has them.",
            prior=listing(names),
        )
    return say(
        "Raised to a power are the priors on {priors}, all together, and the likelihood, out of which the states are "
        "integrated: of these it says nothing.",
        priors=listing(names),
    )


def _advice(found: Sensitivity) -> str:
    if conflict := found.labels("conflict"):
        return say("Priors and data pull apart for {quantities}: weigh the priors.", quantities=_named(conflict))
    if weak := found.labels("weak"):
        return say("The numbers of {quantities} rest on the priors: weigh them.", quantities=_named(weak))
    return ""
