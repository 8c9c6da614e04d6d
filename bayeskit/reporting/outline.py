"""Which sections a report has, in which order; texts that point to one find its number here.

The page is laid out along this list: each section has a template of its name in ``templates/sections``, and the parts
that it shows are fields of ``sections.Sections``. The data stand among what was assumed: they were taken as given.
"""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.language import say
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
    headings = [("verdict", say("Verdict")), ("results", say("What came out") if simulated else say("What we learned"))]
    if predictive or fit.provenance.card.series is not None:
        headings.append(("model-fit", say("Does the model fit?")))
    headings += [
        ("computation", say("Did the computation work?")),
        ("assumptions", say("What did we assume?")),
        ("again", say("Do it again")),
    ]
    return Outline(tuple(headings))
