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

from bayeskit.core.errors import ConfigError
from bayeskit.core.priors import Prior, override
from bayeskit.core.types import ModelCard
from bayeskit.datasets.weather import WeatherData
from bayeskit.models._weather_calibration import extend, test_quantities
from bayeskit.models._weather_card import weather_card
from bayeskit.models._weather_data import noise_kinds, refuse_a_line
from bayeskit.models._weather_priors import default_priors

Structure = Literal["level", "trend"]
Form = Literal["marginal", "latent"]
Rain = Literal["ignore", "noise"]
Floats = NDArray[np.float64]


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
            "log_prior": self._log_prior(posterior),
            "posterior_predictive": {"temperature": values["y_rep"]},
        }

    def _log_prior(self, posterior: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
        """Return the log density of each prior at the draws, truncation included.

        Raised to a power, all of them together, it makes the posterior under these priors raised to that power, for
        scales and states alike: the first day's level and slope are among the states, and the draws are of all of them
        jointly, in either form of the model. The law by which states follow each other is no prior in this sense.

        The likelihood beside it has the states integrated out, the first day's with their priors, in the latent form
        as well. Its power makes a posterior of the scales, since their draws are the same in both forms; of states it
        says nothing.
        """
        return {prior.name: prior.log_density(_at(prior.name, posterior)) for prior in self.priors}

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

    def continued(
        self, values: Mapping[str, NDArray[Any]], n_days: int, rng: np.random.Generator
    ) -> tuple[dict[str, Floats], WeatherModel]:
        """Draw the days that follow from one posterior draw: what calibration given the data at hand starts from.

        Parameters
        ----------
        values
            One draw of scales and states, by the posterior's names.
        n_days
            How many days are added; all of them are observed.
        rng
            The stream of this simulation.

        Returns
        -------
        dict, WeatherModel
            The draw, its states lengthened; and the model of the days at hand and those that follow. Priors stay as
            they are.
        """
        return extend(self, values, n_days, rng)

    def test_quantities(self, values: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
        """Return what calibration ranks, ``n_draws`` values by label, of draws given as ``n_draws x ...`` by name."""
        return test_quantities(self, values)

    def card(self) -> ModelCard:
        """Return the model's description for the report."""
        return weather_card(self)


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
        refuse_a_line(data)
    return WeatherModel(
        data=data,
        temperature=data.temperature,
        structure=model,
        form=form,
        noise=noise_kinds(data, rain, rain_threshold),
        rain_threshold=rain_threshold,
        priors=override(default_priors(data, model), tuple(overrides)),
        options={"model": model, "form": form, "rain": rain, "rain_threshold": rain_threshold, "prior": overrides},
    )


def _at(name: str, posterior: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the draws of what a prior is on: a scale, or by the name ``mu_1`` a state's first day."""
    return posterior[name] if name in posterior else posterior[name.removesuffix("_1")][..., 0]
