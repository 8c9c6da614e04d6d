"""An index over several runs: one line each, with its verdict and its key numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import count, duration, plus_minus, with_unit
from bayeskit.reporting.headline import key_values
from bayeskit.reporting.html import page
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.verdict import State, describe, display_name, format_figure

_TOLD = ("r_hat", "ess_bulk", "divergences", "pareto_k", "converged")


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
        Of the verdict, and its sentence.
    numbers
        Key numbers by name, as texts.
    href
        The report's path from the index, as the file system has it.
    adequate
        Whether the predictive checks found nothing against the model.
    """

    title: str
    subtitle: str
    data: str
    state: State
    verdict: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    href: str = "report.html"
    adequate: bool = True

    @classmethod
    def of(cls, fit: Fit, assessment: Assessment, *, href: str) -> RunEntry:
        """Build the entry of a fit whose report lies at ``href``, as seen from the index."""
        origin = fit.provenance
        banner = describe(fit, assessment, judge(fit)[0])
        return cls(
            title=origin.card.title,
            subtitle=origin.command,
            data=f"{origin.data.description} ({origin.data.path})" if origin.data.sha256 else origin.data.description,
            state=banner.state,
            verdict=banner.sentence,
            numbers=_key_numbers(fit, assessment),
            href=href,
            adequate=banner.adequate,
        )

    @property
    def url(self) -> str:
        """The path, quoted so that no character of a folder's name gets a meaning."""
        return quote(f"./{self.href}", safe="/.")


def render_index(runs: Sequence[RunEntry], title: str = "Runs") -> str:
    """Render an index over runs.

    Parameters
    ----------
    runs
        In the order in which they shall stand.
    title
        The page's headline.

    Returns
    -------
    str
        One HTML file without scripts.
    """
    passed = sum(run.state == "passed" for run in runs)
    failed = sum(run.state == "failed" for run in runs)
    words = [count(len(runs), "run")]
    words += [f"{passed} passed"] if passed else []
    words += [f"{failed} failed"] if failed else []
    return page(
        "index.html", plotly=False, title=f"{title} · bayeskit", heading=title, tally=", ".join(words), runs=runs
    )


def _key_numbers(fit: Fit, assessment: Assessment) -> dict[str, str]:
    numbers = dict(key_values(fit, assessment)) if fit.provenance.card.series is None else _own_numbers(fit, assessment)
    for verdict in assessment.verdicts:
        if verdict.name in _TOLD:
            numbers[display_name(verdict.name).replace("effective sample size", "ESS")] = format_figure(
                verdict.name, verdict.value
            )
    if "sampling" in fit.provenance.timings:
        numbers["Sampling"] = duration(fit.provenance.timings["sampling"])
    return numbers


def _own_numbers(fit: Fit, assessment: Assessment) -> dict[str, str]:
    numbers = {}
    for quantity in fit.provenance.card.quantities:
        for label, row in assessment.summary.iterrows():
            if str(label) == quantity.name or str(label).startswith(f"{quantity.name}["):
                numbers[str(label)] = with_unit(plus_minus(row["mean"], row["sd"]), quantity.unit)
    return numbers
