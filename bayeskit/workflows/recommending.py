"""A finished run of a factorisation put to use: what to recommend to whom, which items are alike, what pairs get."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import FactorCard, Fit
from bayeskit.models.factors.features import Seen, kinds_of
from bayeskit.models.factors.folding import NewUser
from bayeskit.models.factors.kept import Kept, KeptDraw, Row, kept_of
from bayeskit.models.factors.prediction import Person, predict_ratings, recommend_items, similar_to
from bayeskit.models.factors.spec import SIDES
from bayeskit.tasks.fitting import check_seed
from bayeskit.workflows.catalogue import Catalogue, catalogue_of, read_profile, read_ratings
from bayeskit.workflows.saving import load_run

if TYPE_CHECKING:
    import pandas as pd

    from bayeskit.workflows.catalogue import Told

Run = Fit | str | os.PathLike[str]
Integers = NDArray[np.int64]


def recommend(
    run: Run,
    user: object = None,
    *,
    profile: Mapping[str, Any] | str | None = None,
    ratings: Told | None = None,
    top: int = 10,
    rated: bool = False,
    thompson: bool = False,
    at_least: float | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the items that a user would like best, by a finished run of a factorisation.

    Parameters
    ----------
    run
        A fit, or the folder of a finished run.
    user
        Her name, as the data have it; or None of somebody new, of whom ``profile`` or ``ratings`` tell, or neither.
    profile
        What is known of somebody new, by columns of the users' table that the fit took features from; or a text such
        as ``age=24,occupation=student``. What is not told is taken as the fit takes what is missing.
    ratings
        What somebody new has rated, by names or titles of items; or a text such as ``Fargo (1996)=4,50=5``, or a table
        with columns of items and ratings, or its file. Under each kept draw her factors are what they are given these
        ratings, the items' factors, and her profile. It is an approximation, as the items' factors stay as they are.
    top
        How many items, at most.
    rated
        Whether those that she has rated may be among them. Ratings that were held out for testing do not count.
    thompson
        Whether each place is filled by the item that is best under one draw, another draw for each place: Thompson
        sampling, Chapelle and Li (2011), "An empirical evaluation of Thompson sampling", NIPS 24. It brings in items
        that might be good, and repeats itself less.
    at_least
        What a high rating is; unless given the first one three quarters up the scale, 4 of 1 to 5. It stands in the
        table's ``attrs``.
    seed
        Of Thompson sampling, and of what is drawn for somebody new.

    Returns
    -------
    pandas.DataFrame
        The best item first: ``rank``; ``item`` and, where there are titles, ``title``; ``mean``, the expected rating,
        kept within the scale; ``low`` and ``high``, a 95 % interval of the rating that she would give, which a normal
        likelihood does not keep within the scale; ``chance``, that it is a high one (of levels under a normal
        likelihood, that it is nearer to such a level than to a lower one); and ``n_ratings``, the item's number of
        training ratings. Of a point estimate no intervals and no chances.

    Raises
    ------
    ConfigError
        For a run of another model, options that do not go together, or a profile that the fit's features do not know.
    DataError
        For users or items that the run does not know, ratings off the scale, or a run whose factors are missing or
        damaged.
    """
    check_seed(seed)
    fit, kept, names = _opened(run, "recommend")
    if top < 1:
        raise ConfigError(f"top must be at least 1, got {top}")
    if thompson and kept.is_point:
        raise ConfigError("a point estimate has no draws to sample from; leave --thompson out, or take a run by gibbs")
    if user is not None and not (profile is None and ratings is None):
        raise ConfigError(
            "--profile and --ratings tell of somebody new, and --user names one whom the run knows; give either"
        )
    bar = kept.scale.at_least(at_least)
    if user is not None:
        position = names.user(user)
        person, seen = _known(position), kept.item[kept.user == position]
    else:
        person, seen = _new(fit, kept, names, profile or {}, ratings or {}, seed)
    items = np.arange(kept.n_rows("item"))
    allowed = items if rated else np.setdiff1d(items, seen)
    if not len(allowed):
        raise DataError("all items of the run are rated; give --rated to rank these")
    rng = np.random.default_rng([seed, 4]) if thompson else None
    chosen, forecast = recommend_items(kept, person, bar, allowed=allowed, top=top, rng=rng)
    found = _table(kept, names, chosen, forecast.columns())
    found.attrs["at_least"] = bar
    return found


def similar_items(run: Run, item: object, *, top: int = 10) -> pd.DataFrame:
    """Return the items that are liked by the same users as a given one, by a finished run of a factorisation.

    Parameters
    ----------
    run
        A fit, or the folder of a finished run.
    item
        Its name as the data have it, or its title, with or without the year.
    top
        How many, at most.

    Returns
    -------
    pandas.DataFrame
        The most similar item first: ``rank``; ``item`` and, where there are titles, ``title``; ``similarity``, the
        correlation over users of what is predicted of the two items, apart from how generous users are: its mean over
        the draws, and its 95 % interval from ``low`` to ``high`` (not of a point estimate); and ``n_ratings``, the
        item's number of training ratings. Items with few ratings are similar to none, as far as is known.

    Raises
    ------
    ConfigError
        For a run of another model.
    DataError
        For an item that the run does not know, or a run whose factors are missing or damaged.
    """
    _, kept, names = _opened(run, "tell which items are alike")
    if top < 1:
        raise ConfigError(f"top must be at least 1, got {top}")
    own = names.item(item)
    found = similar_to(kept, own)
    order = np.argsort(-found.mean, kind="stable")
    chosen = order[order != own][:top]
    columns = {"similarity": found.mean, "low": found.low, "high": found.high}
    return _table(kept, names, chosen, {name: one[chosen] for name, one in columns.items() if one is not None})


def legend(found: pd.DataFrame) -> str:
    """Return what the columns of a table of recommended, or of similar, items say, in a line."""
    if "similarity" in found:
        said = "similarity: correlation, over users, of what is predicted of both items"
        return f"{said}; low to high: where it lies with a chance of 95 %" if "low" in found else said
    if "chance" not in found:
        return "mean: expected rating; a point estimate does not say how sure it is"
    bar = found.attrs["at_least"]
    return (
        "mean: expected rating; low to high: where the rating lies with a chance of 95 %; "
        f"chance: of a rating of at least {bar:g}"
    )


def predict_pairs_of(fit: Fit, pairs: Integers) -> dict[str, NDArray[Any]]:
    """Return what is said of pairs, ``n_pairs x 2`` positions of users and items, -1 of unknown ones, by column."""
    kept = _kept(fit)
    forecast = predict_ratings(kept, pairs[:, 0], pairs[:, 1], kept.scale.at_least(None))
    user, item = ((pairs[:, at] >= 0) & (pairs[:, at] < kept.n_known(side)) for at, side in enumerate(SIDES))
    known = np.array(["neither", "user", "item", "both"])[user + 2 * item]
    return {**forecast.columns(), "known": known}


def _opened(run: Run, what: str) -> tuple[Fit, Kept, Catalogue]:
    fit = run if isinstance(run, Fit) else load_run(Path(run))[0]
    if fit.provenance.model != "bmf":
        raise ConfigError(f"a run of {fit.provenance.model} cannot {what}; runs of bmf can")
    return fit, _kept(fit), catalogue_of(fit)


def _kept(fit: Fit) -> Kept:
    if not fit.has_draws or "factors" not in fit.posterior:
        why = " ".join(str(text) for text in fit.missing) or "There are no factors."
        raise DataError(f"the run has nothing to predict with. {why} Fit again")
    return kept_of(fit.posterior, _card(fit))


def _card(fit: Fit) -> FactorCard:
    card = fit.provenance.card.factors
    assert card is not None
    return card


def _known(position: int) -> Person:
    def person(draw: KeptDraw) -> Row:
        return Row(draw.rows("user")[position])

    return person


def _new(
    fit: Fit, kept: Kept, names: Catalogue, profile: Mapping[str, Any] | str, ratings: Told, seed: int
) -> tuple[NewUser, Integers]:
    """Return somebody new, and what she has rated."""
    if kept.is_point:
        raise ConfigError("a point estimate does not say who else there might be; give --user, or take a run by gibbs")
    item, values = read_ratings(fit, ratings, names)
    features = _features(fit, kept).new_user(read_profile(profile), item)
    return NewUser(item, values, features if len(features) else None, np.random.default_rng([seed, 5])), item


def _features(fit: Fit, kept: Kept) -> Seen:
    """Return what the fit made its users' features of."""
    import pandas as pd

    users, ratings = (fit.posterior[name].to_dataset() for name in ("users", "ratings"))
    columns = {str(name): users[name].values for name in users.data_vars if name != "user_name"}
    return Seen(
        kinds_of(str(fit.provenance.config["features"])),
        pd.DataFrame(columns) if columns else None,
        ratings["time"].values if "time" in ratings else None,
        kept.n_known("item"),
    )


def _table(
    kept: Kept, names: Catalogue, chosen: Integers, columns: Mapping[str, Sequence[Any] | NDArray[Any]]
) -> pd.DataFrame:
    import pandas as pd

    counts = np.bincount(kept.item, minlength=kept.n_rows("item"))
    titles = {"title": [names.titles[at] for at in chosen]} if names.titles else {}
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(chosen) + 1),
            "item": [names.items[at] for at in chosen],
            **titles,
            **columns,
            "n_ratings": counts[chosen],
        }
    )
