"""State-space models of daily temperature: local level and local linear trend, noise by rain as an option.

The programs are ``stan/weather_*.stan``; the state-space form is Durbin and Koopman (2012), Time Series Analysis by
State Space Methods, chapters 2 and 3, doi:10.1093/acprof:oso/9780199641178.001.0001.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.paths import stan_program
from bayeskit.core.priors import Prior, override
from bayeskit.core.types import ModelCard, Quantity, Series
from bayeskit.datasets.weather import WeatherData

Structure = Literal["level", "trend"]
Form = Literal["marginal", "latent"]
Rain = Literal["ignore", "noise"]
Floats = NDArray[np.float64]

_UNIT = "°C"
_ROUNDING = 1e-9


@dataclass(frozen=True)
class WeatherModel:
    """A state-space model of daily temperature with its data and its priors; build it with ``weather``.

    Parameters
    ----------
    data
        The days as they were read.
    temperature
        ``n_days``, degrees Celsius, NaN where missing: the data's own, or simulated ones.
    structure
        ``level``: the level is a random walk; ``trend``: its daily change is one.
    form
        ``marginal``: a Kalman filter integrates the states out; ``latent``: every state is a parameter.
    noise
        ``n_days``, each day's kind of observation noise, 0 or 1; all 0 unless it differs on rainy days.
    rain_threshold
        A day is rainy above this many mm.
    priors
        On ``s_mu``, ``s_y``, ``mu_1`` and, for a trend, ``slope_1``.
    options
        What ``weather`` was called with.
    """

    data: WeatherData
    temperature: Floats
    structure: Structure
    form: Form
    noise: NDArray[np.int64]
    rain_threshold: float
    priors: tuple[Prior, ...]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The command's word for this family."""
        return "weather"

    @property
    def observed(self) -> NDArray[np.bool_]:
        """``n_days``, whether the temperature is known."""
        return ~np.isnan(self.temperature)

    @property
    def rain_noise(self) -> bool:
        """Whether rainy days have an observation noise of their own."""
        return bool(self.noise.any())

    @property
    def program(self) -> str:
        """File name of the Stan program."""
        return f"weather_{self.structure}{'_latent' if self.form == 'latent' else ''}.stan"

    def prior(self, name: str) -> Prior:
        """Return the prior on one parameter."""
        return next(prior for prior in self.priors if prior.name == name)

    def stan_data(self) -> dict[str, Any]:
        """Return the Stan program's data block."""
        scales = [self.prior("s_mu"), self.prior("s_y")]
        data: dict[str, Any] = {
            "T": self.temperature.size,
            "N": int(self.observed.sum()),
            "day": np.flatnonzero(self.observed) + 1,
            "y": self.temperature[self.observed],
            "S": 2 if self.rain_noise else 1,
            "noise": self.noise + 1,
            "family": [prior.number for prior in scales],
            "args": [[*prior.arguments, 0.0, 0.0][:3] for prior in scales],
            "mu_1": list(self.prior("mu_1").arguments),
        }
        if self.structure == "trend":
            data["slope_1"] = list(self.prior("slope_1").arguments)
        return data

    @property
    def metric(self) -> Literal["diag_e", "dense_e"]:
        """Dense for the two or three scales of the marginal form, which go together; diagonal for all the states."""
        return "dense_e" if self.form == "marginal" else "diag_e"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The Stan program's quantities to keep."""
        slope = ("slope",) if self.structure == "trend" else ()
        return ("s_mu", "s_y", "signal_share", "mu", *slope, "log_lik", "y_rep")

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the hidden states."""
        return ("mu", "slope")

    def groups(self, values: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
        """Sort an engine's draws (``n_chains x n_draws x ...``) into the posterior's groups."""
        posterior = {name: values[name] for name in self.outputs if name not in ("log_lik", "y_rep")}
        if not self.rain_noise:
            posterior |= {name: posterior[name][..., 0] for name in ("s_y", "signal_share")}
        return {
            "posterior": posterior,
            "log_likelihood": {"temperature": values["log_lik"]},
            "posterior_predictive": {"temperature": values["y_rep"]},
        }

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """Coordinates of the posterior's dimensions."""
        dates = self.data.dates.astype("datetime64[s]")  # nanoseconds end in 1678 and 2262
        return {"date": dates, "observed_date": dates[self.observed]} | (
            {"weather": np.array(["dry", "rainy"])} if self.rain_noise else {}
        )

    @property
    def dims(self) -> dict[str, list[str]]:
        """Dimensions of each variable, but for chain and draw."""
        dims = {"mu": ["date"], "slope": ["date"], "temperature": ["observed_date"]}
        dims |= {"precipitation": ["date"], "rainy": ["date"]}
        return dims | ({"s_y": ["weather"], "signal_share": ["weather"]} if self.rain_noise else {})

    def stan_inits(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return one chain's starting point: scales drawn from the prior and, in the latent form, states near the data.

        States drawn from the prior would start thousands of degrees away.
        """
        values, _ = self.draw_prior(1, rng)
        s_mu, s_y = values["s_mu"][0], np.atleast_1d(values["s_y"][0])
        if self.form == "marginal":
            return {"z": np.append(s_mu, s_y)}
        days = np.arange(self.temperature.size)
        known = np.interp(days, days[self.observed], self.temperature[self.observed])
        return {"s_mu": s_mu, "s_y": s_y, "mu": known + s_y[self.noise] * rng.standard_normal(days.size)}

    def observations(self) -> dict[str, NDArray[Any]]:
        """Return the observed data, without missing days."""
        return {"temperature": self.temperature[self.observed]}

    def constants(self) -> dict[str, NDArray[Any]]:
        """Return what is known of each day besides its temperature."""
        precipitation = self.data.precipitation
        if precipitation is None:
            return {}
        return {"precipitation": precipitation, "rainy": precipitation > self.rain_threshold}

    def draw_prior(self, n_draws: int, rng: np.random.Generator) -> tuple[dict[str, Floats], Floats]:
        """Simulate from the prior.

        Returns
        -------
        dict, array
            Parameters and states by the posterior's names, each ``n_draws x ...``; and temperatures of the observed
            days, ``n_draws x n_observed``, degrees Celsius.
        """
        n_days = self.temperature.size
        s_mu = self.prior("s_mu").draw(n_draws, rng)
        s_y = self.prior("s_y").draw((n_draws, 2 if self.rain_noise else 1), rng)
        mu_1 = self.prior("mu_1").draw(n_draws, rng)
        steps = s_mu[:, None] * rng.standard_normal((n_draws, n_days - 1))
        values: dict[str, Floats] = {"s_mu": s_mu, "s_y": s_y if self.rain_noise else s_y[:, 0]}
        share = s_mu[:, None] ** 2 / (s_mu[:, None] ** 2 + s_y**2)
        values["signal_share"] = share if self.rain_noise else share[:, 0]
        if self.structure == "trend":
            slope_1 = self.prior("slope_1").draw(n_draws, rng)
            values["slope"] = np.cumsum(np.column_stack([slope_1, steps]), axis=1)
            steps = values["slope"][:, :-1]
        values["mu"] = np.cumsum(np.column_stack([mu_1, steps]), axis=1)
        noise = rng.standard_normal((n_draws, n_days)) * s_y[:, self.noise]
        return values, (values["mu"] + noise)[:, self.observed]

    def simulate(self, rng: np.random.Generator) -> tuple[dict[str, Floats], WeatherModel]:
        """Draw true parameters and data: what recovery tests and simulation-based calibration start from.

        Priors stay as they are, however the simulated data look.
        """
        values, temperatures = self.draw_prior(1, rng)
        simulated = np.full_like(self.temperature, np.nan)
        simulated[self.observed] = temperatures[0]
        return {name: value[0] for name, value in values.items()}, replace(self, temperature=simulated)

    def card(self) -> ModelCard:
        """Return the model's description for the report."""
        trend = self.structure == "trend"
        noise = "s_y[weather[t]]" if self.rain_noise else "s_y"
        law = ("mu[t] ~ normal(2 mu[t-1] - mu[t-2], s_mu)",) if trend else ("mu[t] ~ normal(mu[t-1], s_mu)",)
        moves = "daily change of the level drifts" if trend else "level drifts from day to day"
        by_rain = " Rainy days have an observation noise of their own." if self.rain_noise else ""
        return ModelCard(
            name=self.name,
            title=f"{'Local linear trend' if trend else 'Local level'} of daily temperature",
            summary=f"Each day's temperature is a hidden level plus noise; the {moves}.{by_rain}",
            formulas=(*law, f"y[t] ~ normal(mu[t], {noise})"),
            program=stan_program(self.program),
            language="stan",
            quantities=(
                Quantity("s_mu", _UNIT, _MEANING_S_MU[self.structure]),
                Quantity("s_y", _UNIT, "how far a day's temperature scatters around its level (standard deviation)"),
                Quantity(
                    "signal_share",
                    "",
                    "share of s_mu² in s_mu² + s_y²: 1 means that all is signal, 0 that all is noise",
                ),
            ),
            priors=self.priors,
            series=Series(
                observed="temperature",
                state="mu",
                slope="slope" if trend else None,
                flag="rainy" if self.data.precipitation is not None else None,
                label="Temperature",
                unit=_UNIT,
            ),
            remedies=_REMEDIES_LATENT if self.form == "latent" else {},
            boundary=("s_mu", "s_y"),
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self.structure == "trend":
            notes.append(
                "A slope that drifts freely has no season and no climate to return to: simulated from its prior alone, "
                "or forecast months ahead, the level leaves every plausible range. Only the days themselves hold it."
            )
        precipitation = self.data.precipitation
        if self.rain_noise and precipitation is not None and np.isnan(precipitation).any():
            unknown = int(np.isnan(precipitation).sum())
            notes.append(f"On {unknown} days the precipitation is unknown; they count as dry.")
        return tuple(notes)


_MEANING_S_MU = {
    "level": "how far the level moves from one day to the next (standard deviation)",
    "trend": "how far the level's daily change itself moves from one day to the next (standard deviation)",
}
_ON_S_MU = {"level": "scale of the level's daily steps", "trend": "scale of the slope's daily steps"}
_REMEDIES_LATENT = dict.fromkeys(
    ("r_hat", "ess_bulk", "ess_tail", "mcse", "tree_depth", "e_bfmi", "divergences"),
    "the latent form of this model mixes badly; run it with --form marginal",
)


def weather(
    data: WeatherData,
    *,
    model: Structure = "level",
    form: Form = "marginal",
    rain: Rain = "ignore",
    rain_threshold: float = 0.0,
    prior: str | Sequence[str] = (),
) -> WeatherModel:
    """Build a state-space model of daily temperature.

    Parameters
    ----------
    data
        From ``load_weather``.
    model
        ``level`` or ``trend``.
    form
        ``marginal`` (states integrated out: use this) or ``latent`` (every state a parameter; does not converge on
        years of days, and is here to show it).
    rain
        ``noise``: the observation noise differs between rainy and dry days.
    rain_threshold
        A day is rainy when its precipitation exceeds this many mm.
    prior
        Overrides, each ``name=distribution(arguments)`` in degrees Celsius.

    Raises
    ------
    ConfigError
        For an unknown option or a prior that makes no sense; for ``rain="noise"`` without both rainy and dry days.
    DataError
        For a trend in temperatures that lie on a straight line.

    Notes
    -----
    Default scales come from the data: in the local level model the root mean square of the differences between
    neighbouring days bounds both noise scales from above, so half-normal priors of that scale are weakly informative;
    in the trend model the steps of the slope are smaller still. The scales are rounded to three digits, kept in
    ``run.json``, and constants from then on.
    """
    overrides = [prior] if isinstance(prior, str) else list(prior)
    for option, value, kind in (("model", model, Structure), ("form", form, Form), ("rain", rain, Rain)):
        if value not in get_args(kind):
            raise ConfigError(f"{option} '{value}' is unknown; choose from {', '.join(get_args(kind))}")
    if model == "trend":
        _refuse_a_line(data)
    return WeatherModel(
        data=data,
        temperature=data.temperature,
        structure=model,
        form=form,
        noise=_noise_kinds(data, rain, rain_threshold),
        rain_threshold=rain_threshold,
        priors=override(_default_priors(data, model), tuple(overrides)),
        options={"model": model, "form": form, "rain": rain, "rain_threshold": rain_threshold, "prior": overrides},
    )


def _refuse_a_line(data: WeatherData) -> None:
    """On a straight line the trend model's likelihood grows without bound as both scales go to 0."""
    days = np.flatnonzero(data.observed)
    temperature = data.temperature[days]
    off = temperature - np.polynomial.Polynomial.fit(days, temperature, 1)(days)
    if np.abs(off).max() < _ROUNDING * np.abs(temperature).max():
        raise DataError(
            f"{data.source.path}: the temperature lies on a straight line, which a trend fits without any noise; "
            "take --model level, or check the column"
        )


def _noise_kinds(data: WeatherData, rain: Rain, threshold: float) -> NDArray[np.int64]:
    if not 0 <= threshold < np.inf:
        raise ConfigError(f"rain threshold must be a finite number of mm from 0 up, got {threshold:g}")
    kinds = np.zeros(data.temperature.size, dtype=np.int64)
    if rain == "ignore":
        return kinds
    if data.precipitation is None:
        raise ConfigError(f"{data.source.path}: --rain noise needs a column 'precipitation' in mm; there is none")
    kinds[data.precipitation > threshold] = 1
    rainy = int(kinds[~np.isnan(data.temperature)].sum())
    if not 0 < rainy < int((~np.isnan(data.temperature)).sum()):
        which = "rainy" if rainy == 0 else "dry"
        raise ConfigError(
            f"{data.source.path}: no observed day is {which} at a threshold of {threshold:g} mm; "
            "set --rain-threshold, or leave --rain noise out"
        )
    return kinds


def _default_priors(data: WeatherData, structure: Structure) -> tuple[Prior, ...]:
    observed = data.temperature[~np.isnan(data.temperature)]
    steps = np.diff(data.temperature)
    steps = steps[~np.isnan(steps)]
    # The root mean square, not the standard deviation: a steady drift must count. Without neighbouring days that
    # differ, the whole spread still bounds the noise.
    root_mean_square = float(np.sqrt(np.mean(steps**2))) if steps.size else 0.0
    step = _three_digits(root_mean_square or float(np.std(observed)))
    spread = _three_digits(2 * float(np.std(observed)))
    centre = _three_digits(float(np.mean(observed)))
    scales = (
        Prior("s_mu", "normal", (0.0, step), lower=0.0, unit=_UNIT, meaning=_ON_S_MU[structure]),
        Prior("s_y", "normal", (0.0, step), lower=0.0, unit=_UNIT, meaning="scale of the observation noise"),
        Prior("mu_1", "normal", (centre, spread), unit=_UNIT, meaning="level on the first day", families=("normal",)),
    )
    if structure == "level":
        return scales
    first = Prior("slope_1", "normal", (0.0, step), unit=f"{_UNIT} a day", meaning="first slope", families=("normal",))
    return (*scales, first)


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")
