"""An index over several runs: each with its verdict and its key numbers, to be searched and sorted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote

from bayeskit.core.language import mark, said, say, say_count, speaking
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import commas, day, duration, plus_minus, with_unit
from bayeskit.reporting.checks import OF_THE_MODEL, State, display_name, format_figure
from bayeskit.reporting.headline import key_values
from bayeskit.reporting.html import page
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.translated import translated
from bayeskit.reporting.verdict import describe

_TOLD = ("r_hat", "ess_bulk", "divergences", "pareto_k", "converged")
_SHORT = {"ess_bulk": mark("Bulk ESS")}
_ESS = ("ess_bulk", "ess_tail", "importance_ess", "families")


@dataclass(frozen=True)
class RunEntry:
    """A run as the index shows it.

    Parameters
    ----------
    title, subtitle
        The model's headline, and what sets this run apart from others of it.
    data
        What the data are, and their file.
    state, verdict
        Of the verdict, and its sentence; ``damaged`` where the run cannot be read, and why.
    numbers
        Key numbers by name, as texts.
    href
        The report's path from the index, as the file system has it; empty where there is none.
    adequate
        Whether the predictive checks found nothing against the model.
    started
        When, in ISO form; empty where nobody knows.
    r_hat, ess, wall
        To sort by: the worst R-hat, the smallest effective sample size, seconds of wall time.
    """

    title: str
    subtitle: str
    data: str
    state: State | Literal["damaged"]
    verdict: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    href: str = "report.html"
    adequate: bool = True
    started: str = ""
    r_hat: float | None = None
    ess: float | None = None
    wall: float | None = None

    @classmethod
    def of(cls, fit: Fit, assessment: Assessment, *, href: str, language: str = "en") -> RunEntry:
        """Build the entry of a fit whose report lies at ``href``, as seen from the index."""
        with speaking(language):
            return cls._of(*translated(fit, assessment), href)

    @classmethod
    def _of(cls, fit: Fit, assessment: Assessment, href: str) -> RunEntry:
        origin = fit.provenance
        banner = describe(fit, assessment, judge(fit)[0])
        values = {verdict.name: verdict.value for verdict in assessment.verdicts}
        return cls(
            title=origin.card.title,
            subtitle=origin.command,
            data=_data(origin.data.description, origin.data.path if origin.data.sha256 else ""),
            state=banner.state,
            verdict=banner.sentence,
            numbers=_key_numbers(fit, assessment),
            href=href,
            adequate=banner.adequate,
            **_sortable(origin.started, values, origin.timings),
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any], *, href: str) -> RunEntry:
        """Build the entry from what ``run.json`` holds, without the draws.

        A run that was saved before its verdict's sentence was kept gets a plainer one, from its checks alone.

        Raises
        ------
        KeyError, TypeError
            If the record is damaged.
        """
        data, verdicts = record["data"], record["verdicts"]
        told = record.get("told") or checked(verdicts)
        return cls(
            title=record["card"]["title"],
            subtitle=record["command"],
            data=_data(data["description"], data["path"] if data["sha256"] else ""),
            href=href,
            **told,
            **_sortable(record["started"], {v["name"]: v["value"] for v in verdicts}, record["timings"]),
        )

    def told(self) -> dict[str, Any]:
        """Return what ``run.json`` has to keep so that the entry can be built without the draws."""
        return {
            "state": self.state,
            "verdict": self.verdict,
            "numbers": dict(self.numbers),
            "adequate": self.adequate,
        }

    @property
    def url(self) -> str:
        """The path, quoted so that no character of a folder's name gets a meaning; empty where there is no report."""
        return quote(f"./{self.href}", safe="/.") if self.href else ""

    @property
    def outcome(self) -> str:
        """The state, with ``doubtful`` for a computation to be trusted of a model that is not."""
        return "doubtful" if self.state == "passed" and not self.adequate else self.state

    @property
    def when(self) -> str:
        """When it was started, to the minute."""
        return day(self.started)[:16]


def checked(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return state, sentence and numbers as they follow from recorded verdicts alone."""
    made = [verdict for verdict in verdicts if verdict["passed"] is not None]
    failed = [verdict for verdict in made if not verdict["passed"] and not verdict.get("advisory")]
    noted = [verdict for verdict in made if not verdict["passed"] and verdict.get("advisory")]
    shown = [verdict for verdict in made if verdict["name"] in _TOLD]
    numbers = {_name(verdict["name"]): format_figure(verdict["name"], verdict["value"]) for verdict in shown}
    if failed:
        names = commas([display_name(verdict["name"]) for verdict in failed])
        return {"state": "failed", "verdict": say("What failed: {names}.", names=names), "numbers": numbers}
    if not made:
        return {"state": "unchecked", "verdict": say("Nothing was checked.")}
    if any(verdict["name"] not in OF_THE_MODEL for verdict in noted):
        told = say("An approximation, not the posterior: its intervals may be too narrow.")
        return {"state": "passed", "verdict": told, "numbers": numbers, "adequate": False}
    told = say_count(len(made), "The check passed.", "All {n} checks passed.")
    return {"state": "passed", "verdict": told, "numbers": numbers}


def _name(check: str) -> str:
    return said(_SHORT[check]) if check in _SHORT else display_name(check)


def render_index(runs: Sequence[RunEntry], title: str = mark("Runs"), *, language: str = "en") -> str:
    """Render an index over runs.

    Parameters
    ----------
    runs
        Newest first in the page, those of an unknown time last.
    title
        The page's headline.
    language
        Of the page; what the entries say is said anew in it.

    Returns
    -------
    str
        One HTML file that needs no network, and reads without its script too.

    Raises
    ------
    ConfigError
        If there is no catalogue for the language.
    """
    with speaking(language):
        heading = said(title)
        return page(
            "index.html",
            plotly=False,
            title=f"{heading} · bayeskit",
            heading=heading,
            tally=_tally(runs),
            runs=[_resaid(run) for run in sorted(runs, key=lambda run: run.started, reverse=True)],
        )


def _tally(runs: Sequence[RunEntry]) -> str:
    counts = {state: f"{number:,}" for state, number in Counter(run.state for run in runs).items()}
    told = [say_count(len(runs), "{n} run", "{n} runs")]
    told += [say("{n} passed", n=counts["passed"])] if "passed" in counts else []
    told += [say("{n} failed", n=counts["failed"])] if "failed" in counts else []
    told += [say("{n} not checked", n=counts["unchecked"])] if "unchecked" in counts else []
    told += [say("{n} cannot be read", n=counts["damaged"])] if "damaged" in counts else []
    return commas(told)


def _resaid(run: RunEntry) -> RunEntry:
    return replace(
        run,
        title=said(run.title),
        data=said(run.data),
        verdict=said(run.verdict),
        numbers={said(name): said(value) for name, value in run.numbers.items()},
    )


def _data(description: str, path: str) -> str:
    return say("{description} ({path})", description=description, path=path) if path else description


def _sortable(started: str, values: Mapping[str, float | None], timings: Mapping[str, float]) -> dict[str, Any]:
    sizes = [size for name in _ESS if (size := values.get(name)) is not None]
    return {
        "started": started,
        "r_hat": values.get("r_hat"),
        "ess": min(sizes, default=None),
        "wall": timings.get("wall"),
    }


def _key_numbers(fit: Fit, assessment: Assessment) -> dict[str, str]:
    numbers = dict(key_values(fit, assessment)) if fit.provenance.card.series is None else _own_numbers(fit, assessment)
    for verdict in assessment.verdicts:
        if verdict.name in _TOLD:
            numbers[_name(verdict.name)] = format_figure(verdict.name, verdict.value)
    if "sampling" in fit.provenance.timings:
        numbers[say("Sampling")] = duration(fit.provenance.timings["sampling"])
    return numbers


def _own_numbers(fit: Fit, assessment: Assessment) -> dict[str, str]:
    numbers = {}
    for quantity in fit.provenance.card.quantities:
        for label, row in assessment.summary.iterrows():
            if str(label) == quantity.name or str(label).startswith(f"{quantity.name}["):
                numbers[str(label)] = with_unit(plus_minus(row["mean"], row["sd"]), quantity.unit)
    return numbers
