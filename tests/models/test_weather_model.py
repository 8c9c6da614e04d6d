from dataclasses import replace

import numpy as np
import pytest

import bayeskit as bk
from bayeskit.core.paths import resource
from bayeskit.core.types import Source
from bayeskit.models.weather import weather


@pytest.fixture(scope="module")
def seattle():
    return bk.load_weather(resource("data", "seattle-weather.csv"))


def test_priors_scale_with_the_data(seattle):
    wide = replace(
        seattle, temperature=seattle.temperature.mean() + 2 * (seattle.temperature - seattle.temperature.mean())
    )
    narrow_scale, wide_scale = (weather(data).prior("s_mu").arguments[1] for data in (seattle, wide))
    assert wide_scale == pytest.approx(2 * narrow_scale, rel=0.01)  # three digits are kept


def test_priors_of_a_steady_drift_hold_its_steps():
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-21"))
    source = Source("drift", "0" * 64, "drift")
    data = bk.WeatherData(
        dates=days, temperature=10 + 0.5 * np.arange(20), precipitation=None, station=None, source=source
    )
    assert weather(data).prior("s_mu").arguments == (0.0, 0.5)
    with pytest.raises(bk.DataError, match="drift: the temperature lies on a straight line"):
        weather(data, model="trend")


def test_one_override_may_stand_alone(seattle):
    assert str(weather(seattle, prior="s_y=gamma(2, 1)").prior("s_y")) == "gamma(2, 1)"


def test_signal_share_is_that_of_each_kind_of_day(seattle):
    model = weather(seattle, rain="noise", prior=["s_mu=normal(1, 1e-9)", "s_y=normal(1, 1e-9)"])
    values, _ = model.draw_prior(3, np.random.default_rng(1))
    np.testing.assert_allclose(values["signal_share"], np.full((3, 2), 0.5))


def test_priors_stay_as_they_are_for_simulated_data(seattle):
    model = weather(seattle, model="trend")
    _, simulated = model.simulate(np.random.default_rng(1))
    assert simulated.priors == model.priors
    assert not np.array_equal(simulated.temperature, model.temperature)


def test_simulation_keeps_missing_days_missing(seattle):
    temperature = np.where(np.arange(seattle.n_days) % 7 == 0, np.nan, seattle.temperature)
    model = weather(replace(seattle, temperature=temperature))
    _, simulated = model.simulate(np.random.default_rng(1))
    np.testing.assert_array_equal(simulated.observed, model.observed)
    assert model.stan_data()["N"] == model.observed.sum()


@pytest.mark.parametrize("structure", ["level", "trend"])
def test_prior_draws_have_the_model_s_moments(seattle, structure):
    short = replace(
        seattle,
        dates=seattle.dates[:12],
        temperature=seattle.temperature[:12],
        precipitation=seattle.precipitation[:12],
    )
    model = weather(short, model=structure, rain="noise", prior=["s_mu=lognormal(0, 0.01)", "s_y=lognormal(0, 0.01)"])
    values, temperatures = model.draw_prior(20_000, np.random.default_rng(2))
    expected = {"level": 11.0, "trend": float((np.arange(1, 11) ** 2).sum())}[structure]  # of 11 or 10 unit steps
    slope = 0.0 if structure == "level" else 11**2 * model.prior("slope_1").arguments[1] ** 2
    variance = model.prior("mu_1").arguments[1] ** 2 + expected + slope
    error = variance * np.sqrt(2 / 20_000)
    assert abs(values["mu"][:, -1].var() - variance) < 5 * error
    assert abs((temperatures - values["mu"]).var() - 1) < 5 * np.sqrt(2 / 20_000)


def test_rainy_days_get_their_own_noise(seattle):
    model = weather(seattle, rain="noise", rain_threshold=1.0)
    np.testing.assert_array_equal(model.noise == 1, seattle.precipitation > 1.0)
    assert model.stan_data()["S"] == 2
    assert weather(seattle).stan_data()["S"] == 1


@pytest.mark.parametrize("structure", ["level", "trend"])
def test_the_log_prior_is_that_of_every_prior_at_the_draws(seattle, structure):
    """Each scale's own, those of dry and of rainy days apart; the first day's level and slope stand in the states."""
    model = weather(seattle, model=structure, rain="noise")
    rng = np.random.default_rng(1)
    values = {name: rng.gamma(2, 1, (2, 5)) for name in ("s_mu",)} | {"s_y": rng.gamma(2, 1, (2, 5, 2))}
    values |= {name: rng.normal(10, 3, (2, 5, 4)) for name in ("mu", "slope", "log_lik", "y_rep")}
    found = model.groups(values | {"signal_share": values["s_y"]})["log_prior"]
    assert list(found) == [prior.name for prior in model.priors]
    for name, draws in (("s_mu", values["s_mu"]), ("s_y", values["s_y"]), ("mu_1", values["mu"][..., 0])):
        np.testing.assert_allclose(found[name], np.log(model.prior(name).density(draws)))
    if structure == "trend":
        np.testing.assert_allclose(found["slope_1"], np.log(model.prior("slope_1").density(values["slope"][..., 0])))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "levle"}, "model 'levle' is unknown; choose from level, trend"),
        ({"form": "x"}, "form 'x' is unknown"),
        ({"rain": "wet"}, "rain 'wet' is unknown"),
        ({"rain": "noise", "rain_threshold": -1.0}, "from 0 up, got -1"),
        ({"rain_threshold": float("nan")}, "from 0 up, got nan"),
        ({"prior": "s_y=lognormal(1000, 1)"}, "beyond what numbers hold"),
        ({"rain": "noise", "rain_threshold": 1e6}, "no observed day is rainy at a threshold of 1e\\+06 mm"),
    ],
)
def test_bad_options_are_named(seattle, options, said):
    with pytest.raises(bk.ConfigError, match=said):
        weather(seattle, **options)


def test_rain_noise_needs_precipitation(seattle):
    with pytest.raises(bk.ConfigError, match="needs a column 'precipitation'"):
        weather(replace(seattle, precipitation=None), rain="noise")


def test_days_of_unknown_rain_are_told(seattle):
    precipitation = np.where(np.arange(seattle.n_days) < 3, np.nan, seattle.precipitation)
    card = weather(replace(seattle, precipitation=precipitation), rain="noise").card()
    assert card.notes == ("On 3 days the precipitation is unknown; they count as dry.",)


def test_card_shows_the_whole_program(seattle):
    program = weather(seattle).card().program
    assert "#include" not in program
    assert "matrix level_filter(" in program
    assert "y ~ normal(moments[day, 1]" in program


@pytest.mark.parametrize("structure", ["level", "trend"])
def test_card_tells_of_every_scalar_and_every_prior(seattle, structure):
    model = weather(seattle, model=structure)
    card = model.card()
    scalars = set(model.outputs) - set(model.states) - {"log_lik", "y_rep"}
    assert {quantity.name for quantity in card.quantities} == scalars
    assert [prior.name for prior in card.priors][:3] == ["s_mu", "s_y", "mu_1"]
    assert ("slope_1" in [prior.name for prior in card.priors]) == (structure == "trend")
