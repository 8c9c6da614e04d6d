"""Of binary data: how often 1s came where they were predicted with a given probability."""

from __future__ import annotations

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.words import interval, joined, percent
from bayeskit.diagnostics.reliability import Reliability
from bayeskit.reporting import figures as f
from bayeskit.reporting.replicated import Replicated

BINS = 40
FOOT = 0.14  # of the height, for how often each probability was predicted


def reliability_figure(replicated: Replicated, found: Reliability, place: int) -> f.Figure:
    """Draw the observed share of 1s over their predicted probability, with bands for probabilities that are right."""
    name = replicated.name
    title = say("Predicted probabilities of {name}, and how often it was 1", name=name)
    if replicated.predicts:
        title = say("{name} is 1 as often as its predicted probabilities say", name=name)
        if replicated.misjudges:
            title = say("{name} is not 1 as often as its predicted probabilities say", name=name)
    how = [
        say(
            "How to read: the line is how often 1s came where they were predicted with the probability below. Were the "
            "predictions right, it would lie near the diagonal: in the dark band with 68\u00a0%, in the light one with "
            "95\u00a0% probability, at each place. Flatter than the diagonal: predictions too sure; steeper: too "
            "timid. Grey sticks show which probabilities were predicted."
        )
    ]
    if replicated.predicts:
        how.append(say("Each value is predicted from all others, by importance weighting."))
    return f.Figure(
        name=f"reliability-{place}",
        title=title,
        caption=joined(how),
        panels=(_panel(found, name),),
        key=(("observed", say("observed share of 1s")), ("fit", say("predictions that are right"))),
        note=_note(replicated, found),
    )


def _panel(found: Reliability, name: str) -> f.Panel:
    x = found.probability
    low95, low68, high68, high95 = found.ends
    diagonal = np.array([0.0, 1.0])
    traces = [
        *f.band(x, low95, high95, f.BAND_95),
        *f.band(x, low68, high68, f.BAND_68),
        f.line(diagonal, diagonal, f.FIT, 1.2, line={"dash": "dash"}),
        _sticks(found),
        f.line(
            x,
            found.share,
            f.OBSERVED,
            2.2,
            line={"shape": "hv"},
            hoverinfo="all",
            hovertemplate=say("predicted {probability}, observed {share}", probability="%{x:.0%}", share="%{y:.0%}")
            + "<extra></extra>",
        ),
    ]
    layout = f.layout(
        say("predicted probability"),
        say("share of 1s"),
        xaxis={"range": [0, 1]},
        yaxis={"range": [-FOOT - 0.02, 1.02], "tickvals": [0, 0.25, 0.5, 0.75, 1]},
    )
    alt = say(
        "Observed share of 1s of {name} over their predicted probability: predictions run from {probabilities}, "
        "observed shares from {shares}.",
        name=name,
        probabilities=interval(percent(float(x[0])), percent(float(x[-1]))),
        shares=interval(percent(float(found.share[0])), percent(float(found.share[-1]))),
    )
    return f.Panel(traces, layout, alt, height=340)


def _sticks(found: Reliability) -> dict[str, object]:
    counts, edges = np.histogram(found.probability, bins=BINS, range=(0, 1), weights=found.cases)
    kept = counts > 0
    centres = ((edges[:-1] + edges[1:]) / 2)[kept]
    heights = counts[kept] / counts.max() * (FOOT - 0.03)
    gap = np.full(centres.size, np.nan)
    ends = np.stack([np.full(centres.size, -FOOT), heights - FOOT, gap], axis=-1)
    return f.line(np.repeat(centres, 3), ends.ravel(), f.PRIOR, 4, connectgaps=False)


def _note(replicated: Replicated, found: Reliability) -> str:
    if not replicated.predicts:
        told = [
            say(
                "The probabilities come from draws that have seen the values, so that the line may be steeper than the "
                "diagonal even where the model is right: it is not judged."
            )
        ]
        if replicated.could_predict and replicated.log_likelihood is None:
            told.append(say("A generated quantity log_lik would let the report leave each value out."))
        return joined(told)
    return say(
        "In {share} of simulated data with right probabilities the line is as far off or farther ({limit} or less "
        "would say that they are wrong).",
        share=percent(found.p_value),
        limit=percent(0.01),
    )
