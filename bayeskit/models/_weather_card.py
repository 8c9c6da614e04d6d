"""What the report says of a weather model: its formulas, its quantities, and what a reader has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayeskit.core.language import mark, say
from bayeskit.core.paths import stan_program
from bayeskit.core.types import ModelCard, Quantity, Series
from bayeskit.core.words import count, joined

if TYPE_CHECKING:
    from bayeskit.models.weather import WeatherModel

_UNIT = "°C"

_MEANING_S_MU = {
    "level": mark("how far the level moves from one day to the next (standard deviation)"),
    "trend": mark("how far the level's daily change itself moves from one day to the next (standard deviation)"),
}
_LEVEL = (
    mark("Local level of daily temperature"),
    mark("Each day's temperature is a hidden level plus noise; the level drifts from day to day."),
)
_TREND = (
    mark("Local linear trend of daily temperature"),
    mark("Each day's temperature is a hidden level plus noise; the daily change of the level drifts."),
)
_REMEDIES_LATENT = dict.fromkeys(
    ("r_hat", "ess_bulk", "ess_tail", "mcse", "tree_depth", "e_bfmi", "divergences"),
    mark("the latent form of this model mixes badly; run it with --form marginal"),
)


def weather_card(model: WeatherModel) -> ModelCard:
    """Return the model's description for the report."""
    trend = model.structure == "trend"
    noise = "s_y[weather[t]]" if model.rain_noise else "s_y"
    law = ("mu[t] ~ normal(2 mu[t-1] - mu[t-2], s_mu)",) if trend else ("mu[t] ~ normal(mu[t-1], s_mu)",)
    title, summary = _TREND if trend else _LEVEL
    by_rain = [say("Rainy days have an observation noise of their own.")] if model.rain_noise else []
    return ModelCard(
        name=model.name,
        title=say(title),
        summary=joined([say(summary), *by_rain]),
        formulas=(*law, f"y[t] ~ normal(mu[t], {noise})"),
        program=stan_program(model.program),
        language="stan",
        quantities=(
            Quantity("s_mu", _UNIT, say(_MEANING_S_MU[model.structure])),
            Quantity("s_y", _UNIT, say("how far a day's temperature scatters around its level (standard deviation)")),
            Quantity(
                "signal_share",
                "",
                say("share of s_mu² in s_mu² + s_y²: 1 means that all is signal, 0 that all is noise"),
            ),
        ),
        priors=model.priors,
        series=Series(
            observed=mark("temperature"),
            state="mu",
            slope="slope" if trend else None,
            flag=mark("rainy") if model.data.precipitation is not None else None,
            label=say("Temperature"),
            unit=_UNIT,
        ),
        remedies={name: say(text) for name, text in _REMEDIES_LATENT.items()} if model.form == "latent" else {},
        boundary=("s_mu", "s_y"),
        notes=_notes(model),
        log_likelihood="sequential",
    )


def _notes(model: WeatherModel) -> tuple[str, ...]:
    notes = []
    if model.structure == "trend":
        notes.append(
            say(
                "A slope that drifts freely has no season and no climate to return to: simulated from its prior "
                "alone, or forecast months ahead, the level leaves every plausible range. Only the days themselves "
                "hold it."
            )
        )
    precipitation = model.data.precipitation
    if model.rain_noise and precipitation is not None and np.isnan(precipitation).any():
        unknown = int(np.isnan(precipitation).sum())
        notes.append(say("On {days} the precipitation is unknown; they count as dry.", days=count(unknown, "day")))
    return tuple(notes)
