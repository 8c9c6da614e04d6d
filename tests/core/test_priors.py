import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bayeskit.core.errors import ConfigError
from bayeskit.core.priors import REAL, UNIVARIATE, Prior, override

ARGUMENTS = {
    "normal": (0.5, 2.0),
    "student_t": (4.0, 0.5, 2.0),
    "cauchy": (0.5, 2.0),
    "lognormal": (0.5, 0.7),
    "gamma": (2.0, 1.5),
    "inv_gamma": (3.0, 2.0),
    "exponential": (0.7,),
    "beta": (2.0, 3.0),
}


@pytest.mark.parametrize("family", UNIVARIATE)
def test_truncated_density_integrates_to_one(family):
    prior = Prior("s", family, ARGUMENTS[family], lower=0.0, families=UNIVARIATE)
    total, _ = integrate.quad(lambda x: float(prior.density(np.array(x))), 0, np.inf)
    assert total == pytest.approx(1, abs=1e-6)
    assert prior.density(np.array([-0.1]))[0] == 0


@pytest.mark.parametrize("family", REAL)
def test_log_density_is_that_of_the_density_and_reaches_where_it_underflows(family):
    prior = Prior("s", family, ARGUMENTS[family], lower=0.1)
    x = np.array([[0.1, 0.4], [1.0, 5.0]])
    np.testing.assert_allclose(prior.log_density(x), np.log(prior.density(x)))
    assert prior.log_density(np.array([0.05]))[0] == -np.inf
    far = Prior("m", "normal", (0.0, 1.0)).log_density(np.array([60.0]))
    assert far[0] == pytest.approx(-1800 - np.log(2 * np.pi) / 2)


@pytest.mark.parametrize("family", UNIVARIATE)
def test_draws_follow_the_density(family):
    prior = Prior("s", family, ARGUMENTS[family], lower=0.0, families=UNIVARIATE)
    draws = prior.draw(5000, np.random.default_rng(1))
    grid = np.r_[0.0, np.geomspace(1e-6, 1e6, 200_000)]
    below = integrate.cumulative_trapezoid(prior.density(grid), grid, initial=0)

    def p_value(values):
        return stats.kstest(values, lambda x: np.interp(x, grid, below)).pvalue

    assert p_value(draws) > 1e-4
    assert p_value(1.2 * draws) < 1e-4  # negative control


def test_families_stand_in_the_order_of_the_stan_function():
    from bayeskit.core.paths import resource

    text = resource("stan", "state_space.stanfunctions").read_text()
    for number, family in enumerate(REAL, start=1):
        after = text.split(f"family == {number})")[1]
        assert after.split("return ")[1].startswith(f"{family}_lpdf")


DEFAULTS = (
    Prior("s_mu", "normal", (0.0, 1.0), lower=0.0),
    Prior("mu_1", "normal", (0.0, 1.0), families=("normal",)),
)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_override_reads_back_what_a_prior_prints(shape, rate):
    prior = Prior("s_mu", "gamma", (float(f"{shape:.6g}"), float(f"{rate:.6g}")), lower=0.0)
    changed = override(DEFAULTS, (f"s_mu = {prior}",))
    assert changed == (prior, DEFAULTS[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s_mu", "not of the form"),
        ("s_mv=normal(0, 1)", "did you mean s_mu?"),
        ("s_mu=norml(0, 1)", "did you mean normal?"),
        ("s_mu=normal(0)", "takes 2 arguments (mean, sd), got 1"),
        ("s_mu=normal(0, -1)", "sd must be a positive number, got -1"),
        ("s_mu=normal(0, x)", "must be numbers"),
        ("s_mu=normal(nan, 1)", "must be a finite number"),
        ("s_mu=normal(-1000, 1)", "leaves no room above 0"),
        ("mu_1=gamma(1, 1)", "no distribution 'gamma' here; choose from normal"),
    ],
)
def test_bad_priors_are_named(text, said):
    with pytest.raises(ConfigError, match="prior") as error:
        override(DEFAULTS, (text,))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_prior_given_twice_is_an_error():
    with pytest.raises(ConfigError, match="given twice"):
        override(DEFAULTS, ("s_mu=normal(0, 1)", "s_mu=normal(0, 2)"))


@pytest.mark.parametrize("family", ["dirichlet", "lkj"])
def test_families_of_several_numbers_stand_only_where_they_are_allowed(family):
    assert not Prior("weights", family, (2.0,), families=(family,)).univariate
    with pytest.raises(ConfigError, match=f"no distribution '{family}' here"):
        Prior("s_y", family, (2.0,))
    with pytest.raises(ConfigError, match="must be a positive number"):
        Prior("weights", family, (0.0,), families=(family,))
