"""Which sections a report has, in which order; texts that point to one find its number here."""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.types import Fit


@dataclass(frozen=True)
class Outline:
    """Names and headings of the sections, the verdict first."""

    headings: tuple[tuple[str, str], ...]

    def __contains__(self, name: str) -> bool:
        return any(name == anchor for anchor, _ in self.headings)

    def number(self, name: str) -> int:
        """Return a section's number, counted from 1."""
        return 1 + [anchor for anchor, _ in self.headings].index(name)

    def heading(self, name: str) -> str:
        """Return a section's heading."""
        return dict(self.headings)[name]


def outline_of(fit: Fit, *, predictive: bool) -> Outline:
    """Return the sections of a fit's report; ``predictive``: its replications can be held against the data."""
    simulated = fit.provenance.kind == "iid"
    headings = [("verdict", "Verdict"), ("results", "What came out" if simulated else "What we learned")]
    if predictive or fit.provenance.card.series is not None:
        headings.append(("model-fit", "Does the model fit?"))
    headings += [
        ("computation", "Did the computation work?"),
        ("assumptions", "What did we assume?"),
        ("again", "Do it again"),
    ]
    return Outline(tuple(headings))
