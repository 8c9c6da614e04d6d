"""The mixture as a model: its options, its scale, what it simulates, what calibration ranks, and its card."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayeskit as bk
from bayeskit.core.paths import resource
from bayeskit.core.types import Draws
from bayeskit.datasets.points import load_points, points
from bayeskit.models._gmm_data import n_distinct
from bayeskit.models.gmm import gmm, three_groups
from bayeskit.models.mixtures.likelihood import log_likelihood
from bayeskit.models.mixtures.parameters import components_of
from bayeskit.models.mixtures.simulation import draw_prior_values
from bayeskit.models.mixtures.spec import COVARIANCES, MixtureSpec, priors_of


@pytest.fixture(scope="module")
def penguins():
    return load_points(resource("data", "penguins.csv"))


@pytest.fixture(scope="module")
def galaxies():
    return load_points(resource("data", "galaxies.csv"))


def some_points(n_points=12, n_columns=2, missing=True):
    array = np.random.default_rng(8).normal(10, 3, (n_points, n_columns))
    if missing and n_columns > 1:
        array[1, 0] = array[4, 1] = np.nan
    return points(array)


def test_columns_are_standardised_and_mapped_back(penguins):
    model = gmm(penguins)
    np.testing.assert_allclose(np.nanmean(model.y, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(model.y, axis=0), 1)
    np.testing.assert_allclose(model.points, penguins.values)
    np.testing.assert_array_equal(np.isnan(model.y), np.isnan(penguins.values))


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_units_of_the_data_do_not_matter_to_the_model(covariance):
    plain = some_points()
    scaled = points(1e6 + 1e-3 * plain.values)
    one, other = gmm(plain, covariance=covariance), gmm(scaled, covariance=covariance)
    np.testing.assert_allclose(one.y, other.y, atol=1e-6)
    assert one.spec == other.spec
    values = draw_prior_values(one.spec, np.random.default_rng(1), 3)
    mine, theirs = one.in_units(values), other.in_units(values)
    np.testing.assert_allclose(1e6 + 1e-3 * mine["mean"], theirs["mean"])
    np.testing.assert_allclose(1e-3 * mine["sd"], theirs["sd"])
    for name in mine.keys() - {"mean", "sd"}:
        np.testing.assert_array_equal(mine[name], theirs[name])


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_units_are_those_of_the_components(covariance):
    """Against covariances that are transformed as matrices are."""
    model = gmm(some_points(n_columns=3), covariance=covariance, components=2)
    values = draw_prior_values(model.spec, np.random.default_rng(2), 4)
    found, components = model.in_units(values), components_of(model.spec, values)
    expected = model.spread[:, None] * components.covariances * model.spread
    sd, correlation = found["sd"], np.zeros((4, 2, 3))
    if covariance == "tied":
        sd = np.broadcast_to(sd[:, None], (4, 2, 3))
    if model.spec.correlated:
        correlation = np.broadcast_to(found["correlation"].reshape(4, -1, 3), (4, 2, 3))
    for at, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        np.testing.assert_allclose(
            correlation[..., at] * sd[..., i] * sd[..., j], expected[..., i, j], rtol=1e-9, atol=1e-12
        )
    np.testing.assert_allclose(sd**2, np.diagonal(expected, axis1=-2, axis2=-1))
    np.testing.assert_allclose(found["mean"], model.centre + model.spread * components.means)


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
def test_the_posterior_has_the_prior_s_names_and_shapes(covariance, dp):
    model = gmm(some_points(), covariance=covariance, components=2, dp=dp)
    values = draw_prior_values(model.spec, np.random.default_rng(3), 6)
    grouped = model.groups({name: value.reshape(2, 3, *value.shape[1:]) for name, value in values.items()})
    parameters, simulated = model.draw_prior(6, np.random.default_rng(3))
    for name, value in parameters.items():
        assert grouped["posterior"][name].shape == (2, 3, *value.shape[1:])
        sizes = [len(model.coords[dim]) for dim in model.dims.get(name, [])]
        assert list(value.shape[1:]) == sizes
    # Labels apart, they are the same numbers.
    weights = np.sort(grouped["posterior"]["weight"].reshape(6, 2))
    np.testing.assert_allclose(weights, np.sort(parameters["weight"]))
    assert simulated.shape == (6, 12, 2)
    np.testing.assert_array_equal(np.isnan(simulated), np.broadcast_to(np.isnan(model.y), simulated.shape))


def test_large_data_are_simulated_less_often():
    values = np.random.default_rng(1).normal(size=(100_000, 4))
    parameters, simulated = gmm(points(values)).draw_prior(500, np.random.default_rng(1))
    assert parameters["weight"].shape == (500, 3)
    assert simulated.shape == (5, 100_000, 4)


@pytest.mark.parametrize("dp", [False, True])
def test_simulation_keeps_priors_and_missing_cells(dp):
    model = gmm(some_points(), components=2, dp=dp)
    truth, simulated = model.simulate(np.random.default_rng(1))
    assert {name: value.shape for name, value in truth.items()} == dict(model.spec.shapes)
    assert simulated.spec is model.spec
    np.testing.assert_array_equal(np.isnan(simulated.y), np.isnan(model.y))
    assert not np.array_equal(simulated.y, model.y, equal_nan=True)
    np.testing.assert_array_equal(simulated.observations()["points"], simulated.centre + simulated.spread * simulated.y)
    again, same = model.simulate(np.random.default_rng(1))
    np.testing.assert_array_equal(same.y, simulated.y)
    np.testing.assert_array_equal(again["means"], truth["means"])


def relabelled(spec, values, order):
    shared = ("scales", "corr_cholesky") if spec.covariance == "tied" else ()
    return {name: value if name in shared else value[:, order] for name, value in values.items()}


@given(
    covariance=st.sampled_from(COVARIANCES),
    n_columns=st.integers(1, 3),
    order=st.integers(1, 4).flatmap(lambda k: st.permutations(range(k))),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_ranked_has_no_labels(covariance, n_columns, order, seed):
    priors = priors_of(n_columns=n_columns, covariance=covariance, dp=False)
    spec = MixtureSpec(len(order), n_columns, covariance, False, priors)
    model = replace(gmm(some_points(n_columns=n_columns), components=1), spec=spec)
    values = draw_prior_values(spec, np.random.default_rng(seed), 2)
    one = model.test_quantities(values)
    other = model.test_quantities(relabelled(spec, values, list(order)))
    assert list(one) == list(other)
    for label in one:
        np.testing.assert_allclose(one[label], other[label], rtol=1e-8, atol=1e-9, err_msg=label)


def test_labels_that_are_mixed_up_are_seen():
    """The weights' labels alone are changed: the same could be missed by the test above if it compared too little."""
    model = gmm(some_points(), components=3)
    values = draw_prior_values(model.spec, np.random.default_rng(4), 2)
    one, other = (model.test_quantities(v) for v in (values, {**values, "weights": values["weights"][:, [1, 2, 0]]}))
    differing = [label for label in one if not np.allclose(one[label], other[label], rtol=1e-8)]
    assert set(one) - set(differing) == {"largest_weight"}


def test_what_is_ranked_is_what_it_says():
    model = gmm(some_points(), components=2, dp=True)
    values = draw_prior_values(model.spec, np.random.default_rng(5), 4)
    found = model.test_quantities(values)
    components = components_of(model.spec, values)
    np.testing.assert_allclose(found["log_lik"], log_likelihood(model.y, components).sum(axis=-1))
    np.testing.assert_array_equal(found["concentration"], values["concentration"])
    np.testing.assert_allclose(found["largest_weight"], values["weights"].max(axis=-1))
    # A great many points of each draw's mixture have its moments.
    rng = np.random.default_rng(6)
    for draw in range(4):
        chosen = rng.choice(2, 200_000, p=values["weights"][draw])
        noise = rng.standard_normal((200_000, 2))
        sample = values["means"][draw, chosen] + np.einsum("nij,nj->ni", components.cholesky[draw, chosen], noise)
        for at, column in enumerate(model.data.columns):
            sd = sample[:, at].std()
            assert abs(found[f"mean[{column}]"][draw] - sample[:, at].mean()) < 5.5 * sd / np.sqrt(200_000)
            error = np.std((sample[:, at] - sample[:, at].mean()) ** 2) / np.sqrt(200_000)
            assert abs(found[f"sd[{column}]"][draw] ** 2 - sd**2) < 5.5 * error


def test_assignments_that_are_certain_and_such_as_are_not():
    model = gmm(points([[-9.0], [-8.5], [8.5], [9.0]]), components=2, standardise=False)
    values = {
        "weights": np.array([[0.5, 0.5], [0.5, 0.5]]),
        "means": np.array([[[-9.0], [9.0]], [[1.0], [1.0]]]),
        "scales": np.ones((2, 2, 1)),
    }
    found = model.test_quantities(values)
    np.testing.assert_allclose(found["entropy"], [0, np.log(2)], atol=1e-12)
    np.testing.assert_allclose(found["together[1,4]"], [0, 0.5], atol=1e-12)
    np.testing.assert_allclose(found["together[2,3]"], [0, 0.5], atol=1e-12)


def test_one_component_has_no_assignments_to_rank():
    labels = gmm(some_points(), components=1).test_quantities(
        draw_prior_values(MixtureSpec(1, 2, "full", False, three_groups().spec.priors), np.random.default_rng(1), 2)
    )
    assert list(labels) == [
        "log_lik",
        "log_density",
        "mean[x1]",
        "mean[x2]",
        "sd[x1]",
        "sd[x2]",
        "log_predictive[centre]",
        "log_predictive[edge]",
    ]


def test_priors_are_of_standardised_columns_or_in_the_data_s_own_units(galaxies):
    assert str(gmm(galaxies).spec.prior("means")) == "normal(0, 2)"
    own = gmm(galaxies, standardise=False)
    centre, spread = galaxies.values.mean(), galaxies.values.std()
    mean, width = own.spec.prior("means").arguments
    assert mean == pytest.approx(centre, rel=0.005)
    assert width == pytest.approx(2 * spread, rel=0.005)
    assert own.spec.prior("scales").arguments[0] == pytest.approx(np.log(spread) - 0.7, abs=0.005)
    assert own.spec.prior("means").unit == "unit of the column"
    np.testing.assert_array_equal(own.y, galaxies.values)


def test_overrides():
    data = some_points()
    model = gmm(data, prior=["scales=inv_gamma(3, 1)", "correlations=lkj(5)"])
    assert str(model.spec.prior("scales")) == "inv_gamma(3, 1)"
    assert str(gmm(data, prior="weights=dirichlet(0.5)").spec.prior("weights")) == "dirichlet(0.5)"
    assert str(gmm(data, dp=True, prior="concentration=gamma(1, 1)").spec.prior("concentration")) == "gamma(1, 1)"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"components": 0}, "components must be at least 1, got 0"),
        ({"components": -2}, "components must be at least 1, got -2"),
        ({"components": 2.0}, "components must be a whole number from 1 up, got 2.0"),
        ({"components": True}, "components must be a whole number"),
        ({"components": "auto"}, "components must be a whole number from 1 up, got 'auto'"),
        ({"components": 4}, "components is 4, but there are only 3 distinct points; take at most 3"),
        ({"components": 1, "dp": True}, "a Dirichlet process of at most 1 component is none; give at least 2"),
        ({"components": 4, "dp": True}, "components is 4, but there are only 3 distinct points; take at most 3"),
        ({"covariance": "ful"}, "covariance 'ful' is unknown; choose from full, tied, diagonal, spherical"),
        ({"prior": "weight=dirichlet(1)"}, "the model has no parameter 'weight'; did you mean weights?"),
        ({"prior": "scales=normal(0, 1)"}, "prior on scales: no distribution 'normal' here"),
        ({"prior": "concentration=gamma(1, 1)"}, "the model has no parameter 'concentration'"),
        ({"prior": "correlations=lkj(1)", "covariance": "diagonal"}, "the model has no parameter 'correlations'"),
        ({"prior": "correlations=lkj(-1)"}, "prior on correlations: lkj's shape must be a positive number"),
        ({"prior": "weights=dirichlet(1, 2)"}, "dirichlet takes 1 arguments"),
    ],
)
def test_bad_options_are_named(options, said):
    few = points([[1.0, np.nan], [1.0, np.nan], [2.0, 1.0], [2.0, 1.0], [2.0, 3.0]])
    with pytest.raises(bk.ConfigError) as caught:
        gmm(few, **options)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_dirichlet_process_is_truncated_at_the_number_of_distinct_points(galaxies):
    assert gmm(galaxies, dp=True).spec.n_components == 10
    assert gmm(points([1.0, 1.0, 2.0, 5.0]), dp=True).spec.n_components == 3
    assert n_distinct(np.repeat([[1.0], [2.0], [3.0]], 7000, axis=0), 3) == 3


def test_the_card_tells_of_the_data(penguins):
    values = penguins.values.copy()
    values[3, 1:3] = np.nan
    model = gmm(replace(penguins, values=values), components=4)
    card = model.card()
    assert card.title == "Mixture of 4 normal distributions"
    assert card.mixture.columns == penguins.columns
    assert (card.mixture.n_components, card.mixture.covariance, card.mixture.dp) == (4, "full", False)
    assert "are: bill_length_mm 43.92 and 5.452, bill_depth_mm" in card.notes[0]
    assert card.notes[1] == "2 coordinates of 1 point are missing; the likelihood integrates them out exactly."
    assert "def gmm_program(" in card.program
    assert card.language == "python"
    assert card.priors == model.spec.priors


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
@pytest.mark.parametrize("n_columns", [1, 2])
def test_the_card_names_what_the_posterior_has(covariance, dp, n_columns):
    model = gmm(some_points(n_columns=n_columns), covariance=covariance, components=2, dp=dp)
    values = draw_prior_values(model.spec, np.random.default_rng(3), 4)
    grouped = model.groups({name: value[None] for name, value in values.items()})
    card = model.card()
    assert {quantity.name for quantity in card.quantities} == set(grouped["posterior"])
    assert all(quantity.meaning for quantity in card.quantities)
    assert ("concentration" in card.formulas[-1]) == dp
    likelihood = next(formula for formula in card.formulas if formula.startswith("y[i"))
    assert ("[z[i], j]" in likelihood) == (n_columns == 2 and covariance in ("diagonal", "spherical"))


def test_of_stan_s_draws_the_stan_program_is_shown():
    model = three_groups()
    card = model.card(Draws("mcmc", {}, engine={"stan": "2.35.0"}))
    assert card.language == "stan"
    assert "parameters {" in card.program


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
def test_what_the_engines_ask_for(covariance, dp):
    model = gmm(some_points(30), covariance=covariance, components=2, dp=dp)
    starts = model.starts(np.random.default_rng(1), 3)
    assert {name: value.shape for name, value in starts.items()} == {
        name: (3, *shape) for name, shape in model.spec.shapes.items()
    }
    found = model.test_quantities(starts)
    assert all(np.isfinite(value).all() for value in found.values())
    program, (y, spec), kwargs = model.pyro_program()
    assert program.__name__ == "gmm_program"
    np.testing.assert_array_equal(y.numpy(), model.y)
    assert (spec, kwargs) == (model.spec, {})
    assert model.em().spec is model.spec
    assert model.gibbs().spec is model.spec
    assert model.stan_data()["K"] == 2
    assert set(model.stan_inits(np.random.default_rng(1))) <= {"shares", "sticks", *model.spec.shapes}


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("dp", [False, True])
def test_stan_s_shapes_are_taken(covariance, dp):
    """Of a single scale, matrix or concentration Stan's arrays have one entry."""
    model = gmm(some_points(), covariance=covariance, components=2, dp=dp)
    values = {n: v[None] for n, v in draw_prior_values(model.spec, np.random.default_rng(1), 5).items()}
    stan = dict(values)
    if covariance == "tied":
        stan |= {"scales": values["scales"][:, :, None], "corr_cholesky": values["corr_cholesky"][:, :, None]}
    if covariance == "spherical":
        stan["scales"] = values["scales"][..., None]
    if dp:
        stan["concentration"] = values["concentration"][..., None]
    found = model.groups(stan)
    for group, variables in model.groups(values).items():
        for name, value in variables.items():
            np.testing.assert_array_equal(found[group][name], value)
    one, other = (model.test_quantities({n: v[0] for n, v in given.items()}) for given in (values, stan))
    for label, value in one.items():
        np.testing.assert_array_equal(other[label], value)


def test_the_cross_check_s_points_are_always_the_same():
    model = three_groups()
    np.random.seed(42)  # noqa: NPY002
    first = np.random.multivariate_normal((0, 0), ((1, 0.3), (0.3, 1)), 300)  # noqa: NPY002
    np.testing.assert_allclose(model.points[:300], first)
    assert model.points.shape == (1000, 2)
