"""The comparison in plain words: which run to prefer, whether to believe it, and what the score is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayeskit.core.language import say, say_count
from bayeskit.core.words import joined, listing, plus_minus
from bayeskit.diagnostics.comparison import ALIKE, FEW, Score, Scores
from bayeskit.reporting.checks import State
from bayeskit.reporting.outline import Outline


@dataclass(frozen=True)
class Opinion:
    """One run's own verdict, as its report has it; ``rough``: an approximation that is not close."""

    name: str
    href: str
    command: str
    state: State
    sentence: str
    adequate: bool
    point: bool
    rough: bool = False


def decided(scores: Scores) -> bool:
    """Whether the best run predicts better than the next by more than chance explains, and it can be relied on."""
    best, second = list(scores.rows.values())[:2]
    apart = -second.difference
    if scores.basis == "one-step":  # these scores are in-sample: what the best one owes to its parameters is no merit
        apart -= max(0.0, best.optimism - second.optimism)
    # Of few observations the standard error can be half of what it should be.
    errors = 2 if scores.n_observations >= FEW else 4
    clear = apart > ALIKE and apart > errors * second.difference_se
    return clear and not any(score.unreliable for score in scores.rows.values())


def scored(scores: Scores) -> str:
    """Say in one sentence which run predicts better."""
    if not scores.rows:
        if len(scores.left_out) > 1:  # section 4 lists them
            return say("Which of them predicts better was not computed.")
        ((run, reason),) = scores.left_out.items()
        return say("Which of them predicts better was not computed ({run}: {reason}).", run=run, reason=reason)
    (best, _), (next_name, second) = list(scores.rows.items())[:2]
    difference = _difference(scores, second)
    values = {"better": best, "worse": next_name, "difference": difference}
    if decided(scores) and len(scores.rows) > 2:
        told = say("{better} predicts best; the next is {worse}: {difference}.", **values)
    elif decided(scores):
        told = say("{worse} predicts worse than {better}: {difference}.", **values)
    elif -second.difference <= ALIKE and scores.n_observations >= FEW:
        told = say("{better} and {worse} predict alike: {difference}.", **values)
    elif any(score.unreliable for score in scores.rows.values()):
        told = say("Which of {better} and {worse} predicts better cannot be relied on: {difference}.", **values)
    else:
        told = say("The data do not say which of {better} and {worse} predicts better: {difference}.", **values)
    return told


def _difference(scores: Scores, second: Score) -> str:
    size = plus_minus(second.difference, second.difference_se)
    observations = f"{scores.n_observations:,}"
    if scores.basis == "loo":
        return say("difference in elpd {size} (leave-one-out, {n} observations)", size=size, n=observations)
    return say("difference in log predictive density {size} (a day ahead, {n} days)", size=size, n=observations)


def checked(opinions: Sequence[Opinion]) -> str:
    """Say whether the runs passed their own checks."""
    failed = [opinion.name for opinion in opinions if opinion.state == "failed"]
    if failed:
        return say_count(
            len(failed),
            "But {runs} failed its checks: do not rely on what is said of it.",
            "But {runs} failed their checks: do not rely on what is said of them.",
            runs=listing(failed),
        )
    open_ones = [opinion.name for opinion in opinions if opinion.state == "unchecked"]
    points = [opinion.name for opinion in opinions if opinion.point]
    doubtful = [opinion.name for opinion in opinions if opinion.state == "passed" and not opinion.adequate]
    rough = [opinion.name for opinion in opinions if opinion.rough]
    doubtful = [name for name in doubtful if name not in (*points, *rough)]
    told = []
    if open_ones:
        told.append(say("What was checked passed, but not all could be checked in {runs}.", runs=listing(open_ones)))
    elif len(opinions) == 2:
        told.append(say("Both runs passed their checks."))
    else:
        told.append(say("All {n} runs passed their checks.", n=len(opinions)))
    if doubtful:
        told.append(
            say_count(
                len(doubtful),
                "Its predictive checks speak against the model of {runs}.",
                "Their predictive checks speak against the models of {runs}.",
                runs=listing(doubtful),
            )
        )
    if rough:
        told.append(
            say_count(
                len(rough),
                "{runs} is an approximation whose intervals may be too narrow.",
                "{runs} are approximations whose intervals may be too narrow.",
                runs=listing(rough),
            )
        )
    if points:
        told.append(
            say_count(
                len(points),
                "{runs} is a point: how far it may be off nobody knows.",
                "{runs} are points: how far they may be off nobody knows.",
                runs=listing(points),
            )
        )
    return joined(told)


def next_step(opinions: Sequence[Opinion], scores: Scores, outline: Outline) -> str:
    """Say what to do with the comparison."""
    failed = [opinion.name for opinion in opinions if opinion.state == "failed"]
    where = {"scores": outline.number("scores"), "posteriors": outline.number("posteriors")}
    if failed:
        return say(
            "Mend {runs} first: section {section} shows what failed, and each run's own report what to do about it.",
            runs=listing(failed),
            section=outline.number("computation"),
        )
    if not scores.rows:
        return say(
            "Hold the posteriors against each other (section {posteriors}); section {scores} says why there is no "
            "score.",
            **where,
        )
    if decided(scores):
        best = next(iter(scores.rows))
        return say(
            "Prefer {best} where predictions matter, and see whether it changes what you would conclude (section "
            "{posteriors}). That it predicts better does not say that it is right.",
            best=best,
            posteriors=where["posteriors"],
        )
    return say(
        "See whether the runs lead to different conclusions (section {posteriors}); where they do not, take the "
        "simpler model.",
        posteriors=where["posteriors"],
    )


def score_notes(scores: Scores) -> list[str]:
    """Return what the score is, and what it is worth, a paragraph each."""
    if not scores.rows:
        return []
    if scores.basis == "one-step":
        return [
            say(
                "Leave-one-out was not used. Each term of these models' log likelihood is the density of a day given "
                "the days before it, so that leaving a day out would change the terms of all later days, which "
                "importance weights do not know of."
            ),
            say(
                "Instead the score is the sum of one-step-ahead log predictive densities: each day is predicted from "
                "the days before it, but with parameters fitted to all days. It therefore flatters a model, by about "
                "its number of parameters; the column of the optimism estimates by how much. Leaving the "
                "future out would take refits."
            ),
            say(
                "The difference's standard error takes into account that neighbouring days are alike (Newey and West "
                "1987, doi:10.2307/1913610; as in Diebold and Mariano 1995, doi:10.1080/07350015.1995.10524599)."
            ),
        ]
    notes = [
        say(
            "The score is the expected log predictive density of an observation that the posterior has not seen, "
            "summed over all: leave-one-out cross-validation by Pareto-smoothed importance sampling (Vehtari, Gelman "
            "and Gabry 2017, doi:10.1007/s11222-016-9696-4), computed by ArviZ."
        )
    ]
    if scores.supposed:
        notes.append(
            say(
                "It supposes that the terms of log_lik are independent given the parameters, and that they are "
                "densities of the same data on the same scale. Only the programs' authors know; of a time series it is "
                "often wrong."
            )
        )
    bad = {name: score.unreliable for name, score in scores.rows.items() if score.unreliable}
    for name, unreliable in bad.items():
        notes.append(
            say_count(
                unreliable,
                "In {run} the k-hat of {n} observation is above {limit}: leaving it out changes the "
                "posterior too much, and its score is likely too good. Leave it out by a refit, or take a more robust "
                "model.",
                "In {run} the k-hat of {n} observations is above {limit}: leaving one of them out changes the "
                "posterior too much, and their scores are likely too good. Leave them out by refits, or take a more "
                "robust model.",
                run=name,
                limit=f"{scores.k_limit:.2g}",
            )
        )
    if scores.n_observations < FEW:
        notes.append(
            say(
                "Of fewer than {few} observations the standard error of a difference is too small more often than not "
                "(Sivula, Magnusson, Matamoros and Vehtari 2020, arXiv:2008.10296).",
                few=FEW,
            )
        )
    return notes
