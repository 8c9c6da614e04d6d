"""What we learned of ratings, in sentences: how well they are predicted, what is liked, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import NO_BREAK, commas, joined, number, percent, plus_minus
from bayeskit.reporting.rating_summary import Summary
from bayeskit.reporting.rating_view import Factorisation
from bayeskit.reporting.results import group

NAMED = 3  # items in a sentence


def rating_headline(found: Factorisation, summary: Summary | None) -> list[str]:
    """Return what was found as sentences, the most important first."""
    told = [joined([_how_well(found), _against(found)]), _how_surely(found), _off(found), _liked(found, summary)]
    return [text for text in told if text]


def _how_well(found: Factorisation) -> str:
    tested = found.tested
    if tested is None:
        return say(
            "{n} ratings of {items} items by {users} users were fitted. None was held out, so that nothing here says "
            "how well others are predicted.",
            n=f"{found.card.n_ratings:,}",
            items=f"{found.card.n_items:,}",
            users=f"{found.card.n_users:,}",
        )
    return say(
        "Ratings that the fit had not seen are predicted to within {rmse} on a scale of {scale} (root mean square "
        "error of {n}; half of them to within {median}).",
        rmse=number(tested.rmse, found.decimals + 1),
        scale=found.scale,
        n=f"{tested.rating.size:,}",
        median=found.rating(float(np.median(np.abs(tested.mean - tested.rating)))),
    )


def _against(found: Factorisation) -> str:
    """Say how much less that is than what users' and items' means leave."""
    if found.tested is None or found.rated is None or found.means_alone is None:
        return ""
    rating = found.tested.rating
    mean = float(np.sqrt(np.mean((found.rated.mean - rating) ** 2)))
    alone = float(np.sqrt(np.mean((found.means_alone - rating) ** 2)))
    digits = found.decimals + 1
    told = {
        "mean": number(mean, digits),
        "alone": number(alone, digits),
        "share": percent(abs(1 - found.tested.rmse / alone)),
    }
    if found.tested.rmse < alone:
        return say(
            "The mean of all ratings would err by {mean}, the means of users and items by {alone}: what users and "
            "items make together takes {share} off that.",
            **told,
        )
    return say(
        "That is no better than without factors: the mean of all ratings would err by {mean}, the means of users and "
        "items by {alone}.",
        **told,
    )


def _how_surely(found: Factorisation) -> str:
    tested = found.tested
    if tested is None or tested.coverage is None or tested.sd is None:
        return ""
    held = number(100 * tested.coverage, 1 if tested.rating.size >= 1000 else 0)
    if found.card.likelihood == "ordinal":
        return say(
            "Its 95{space}% intervals, which are made of whole levels, hold {share}{space}% of these ratings.",
            space=NO_BREAK,
            share=held,
        )
    return say(
        "Its 95{space}% intervals hold {share}{space}% of these ratings; they reach about {reach} to either side.",
        space=NO_BREAK,
        share=held,
        reach=found.rating(1.96 * float(np.median(tested.sd))),
    )


def _off(found: Factorisation) -> str:
    """Say of a point whose predictions leave the scale how far."""
    if found.reach is None or not found.reach[2] > 0:
        return ""
    least, greatest, outside = found.reach
    return say(
        "As they come its predictions run from {least} to {greatest} on a scale of {scale}: {share} lie outside, and "
        "are cut off.",
        least=found.rating(least),
        greatest=found.rating(greatest),
        scale=found.scale,
        share=percent(outside),
    )


def _liked(found: Factorisation, summary: Summary | None) -> str:
    if summary is None:
        return ""
    best = np.argsort(-summary.items.mean, kind="stable")[:NAMED]
    parts = []
    for item in best.tolist():
        mean, sd = float(summary.items.mean[item]), float(summary.items.sd[item])
        value = plus_minus(mean, sd) if sd > 0 else found.rating(mean)
        parts.append(say("{item} ({value})", item=found.items.title(item), value=value))
    return say("Best liked, were all users to rate them: {items}.", items=commas(parts))


def rating_key_values(fit: Fit, assessment: Assessment) -> list[tuple[str, str]]:
    """Return the numbers that an index shows of a factorisation's run."""
    card = fit.provenance.card.factors
    assert card is not None
    rows = [(say("factors"), str(card.rank))]
    return rows + [(name, number(value, digits)) for name, value, digits in _scores(assessment.metrics)]


def _scores(metrics: Mapping[str, float]) -> list[tuple[str, float, int]]:
    names = {
        "test_rmse": (say("test RMSE"), 4),
        "test_mae": (say("test MAE"), 4),
        "coverage_95": (say("coverage of 95 % intervals"), 3),
    }
    known = {name: float(metrics.get(name, np.nan)) for name in names}
    return [(names[name][0], value, names[name][1]) for name, value in known.items() if np.isfinite(value)]


def rating_advice(fit: Fit) -> str:
    """Return what to do next with a factorisation that can be relied on."""
    origin = fit.provenance
    card = origin.card.factors
    assert card is not None
    told = [
        say("Ask it for recommendations: `bayeskit recommend {run} --user {user}`.", run="RUN", user=_some_user(fit))
    ]
    if origin.kind == "point":
        told.append(say("For intervals, sample the posterior (`--engine {engine}`).", engine="gibbs"))
        return joined(told)
    if not (card.user_features or card.item_features or card.nonnegative):
        told.append(say("What is known of users and items may tell more where ratings are few (--features all)."))
    return joined(told)


def _some_user(fit: Fit) -> str:
    """Return a user that the command can be tried with."""
    data = group(fit, "users")
    names = data["user_name"].to_numpy().astype(str) if data is not None and "user_name" in data else np.empty(0)
    return str(names[0]) if names.size and re.fullmatch(r"[\w.-]{1,40}", str(names[0])) else "USER"
