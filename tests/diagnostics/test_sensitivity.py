"""Power-scaling: held against ArviZ, against posteriors that are known exactly, and against refits by quadrature."""

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from diagnostics.factories import fit_of
from scipy.stats import norm

from bayeskit.diagnostics.sensitivity import FAR, LIMIT, distance, joint_log_likelihood, power_scaling

Z_LIMIT = 4.5


class Normal:
    """The mean of normal data with known spread, under a normal prior: every power of either is normal again."""

    def __init__(self, prior=(0.0, 1.0), data=(1.0, 0.5), n_observed=5):
        self.prior, self.data, self.n_observed = prior, data, n_observed
        spread = data[1] * np.sqrt(n_observed)
        deviations = np.linspace(-1, 1, n_observed)
        self.y, self.sd = data[0] + spread * deviations, spread

    def posterior(self, prior_power=1.0, likelihood_power=1.0):
        precisions = np.array([prior_power / self.prior[1] ** 2, likelihood_power / self.data[1] ** 2])
        return norm(precisions @ [self.prior[0], self.data[0]] / precisions.sum(), precisions.sum() ** -0.5)

    def fit(self, kind="mcmc", shape=(4, 1000), seed=1, scale=1.0, **changes):
        rng = np.random.default_rng(seed)
        target = self.posterior()
        draws = target.mean() + scale * target.std() * rng.standard_normal(shape)
        statistics = {}
        if kind == "weighted":
            proposal = norm(target.mean(), scale * target.std())
            statistics["log_weight"] = target.logpdf(draws) - proposal.logpdf(draws)
        groups = {
            "log_prior": {"theta": norm(*self.prior).logpdf(draws)},
            "log_likelihood": {"y": norm(draws[..., None], self.sd).logpdf(self.y)},
        }
        return fit_of(kind, {"theta": draws}, statistics, groups=groups | changes), {"theta": draws}


def exact_sensitivity(model, component, draws):
    """The distance per doubling over the draws' range, from distribution functions that are known."""
    grid = np.linspace(draws.min(), draws.max(), 5_001)
    mass = np.diff(grid, prepend=grid[0])
    slopes = []
    for power in (0.99, 1.01):
        scaled = model.posterior(**{f"{component}_power": power})
        sides = []
        for sign in (1, -1):
            p, q = (d.cdf(grid) if sign > 0 else d.sf(grid) for d in (model.posterior(), scaled))
            middle = (p + q) / 2
            both = mass @ (p * np.log2(p / middle) + q * np.log2(q / middle))
            sides.append(np.sqrt(both / (mass @ (p + q))))
        slopes.append(max(sides) / abs(np.log2(power)))
    return np.mean(slopes)


@pytest.mark.parametrize("component", ["prior", "likelihood"])
def test_sensitivity_is_that_of_the_exact_posteriors(component):
    model, errors = Normal((0.0, 1.0), (2.0, 0.5)), []
    for seed in range(12):
        fit, quantities = model.fit(seed=seed)
        found = power_scaling(fit, quantities).table.loc["theta", component]
        errors.append(found / exact_sensitivity(model, component, quantities["theta"]) - 1)
    assert abs(np.mean(errors)) < Z_LIMIT * np.std(errors, ddof=1) / np.sqrt(len(errors))
    # Negative control: another model's posteriors.
    other = Normal((0.0, 1.2), (2.0, 0.5))
    wrong = [
        power_scaling(*model.fit(seed=seed)).table.loc["theta", component]
        / exact_sensitivity(other, component, model.fit(seed=seed)[1]["theta"])
        - 1
        for seed in range(12)
    ]
    assert abs(np.mean(wrong)) > Z_LIMIT * np.std(wrong, ddof=1) / np.sqrt(len(wrong))


@pytest.mark.parametrize(("kind", "scale"), [("mcmc", 1.0), ("iid", 1.0), ("weighted", 1.3)])
def test_the_draws_are_weighted_to_the_posterior_under_the_power(kind, scale):
    model = Normal((0.0, 1.0), (1.0, 0.7))
    fit, quantities = model.fit(kind, scale=scale)
    scaled = power_scaling(fit, quantities).scaled
    draws = quantities["theta"].ravel()
    for component in ("prior", "likelihood"):
        for power in FAR:
            found = scaled[component, power]
            mean = found.weights @ draws
            error = np.sqrt(np.square(found.weights) @ np.square(draws - mean))
            assert abs(mean - model.posterior(**{f"{component}_power": power}).mean()) < Z_LIMIT * error
            assert abs(mean - model.posterior().mean()) > Z_LIMIT * error / 2  # negative control: the power matters
            assert found.reliable


def test_numbers_are_those_of_arviz():
    rng = np.random.default_rng(3)
    fit, _ = Normal().fit()
    chains = fit.posterior["posterior"]["theta"].to_numpy() + 0.3 * np.cumsum(rng.normal(size=(4, 1000)), axis=1) / 30
    posterior = {"theta": chains, "phi": np.exp(chains) + rng.normal(size=chains.shape)}
    groups = {
        "log_prior": {"theta": norm(0, 1).logpdf(chains), "phi": norm(1, 3).logpdf(posterior["phi"])},
        "log_likelihood": {
            "y": norm(chains[..., None], 2).logpdf([1.0, 2.0, 3.0]),
            "z": norm(posterior["phi"], 2).logpdf(4.0),
        },
    }
    fit = fit_of("mcmc", posterior, groups=groups)
    ours = power_scaling(fit, posterior)
    for component in ("prior", "likelihood"):
        theirs = arviz_stats.psense(fit.posterior, group=component)
        for label in posterior:
            assert ours.table.loc[label, component] == pytest.approx(float(theirs[label]), rel=1e-6)
    alone = arviz_stats.psense(fit.posterior, group="prior", group_var_names=["phi"])
    assert ours.factors.loc["theta", "phi"] == pytest.approx(float(alone["theta"]), rel=1e-6)
    assert list(ours.factors.columns) == ["theta", "phi"]


CASES = {
    "conflict": (Normal((0.0, 1.0), (6.0, 0.7)), "conflict"),
    "weak likelihood": (Normal((0.0, 1.0), (0.0, 30.0)), "weak"),
    "strong data": (Normal((0.0, 100.0), (1.0, 0.5)), "none"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_of_the_paper_s_table_is_told(case):
    model, diagnosis = CASES[case]
    found = power_scaling(*model.fit())
    assert found.diagnosis("theta") == diagnosis
    assert found.labels(diagnosis) == ["theta"]
    assert (found.table.loc["theta", "prior"] >= LIMIT) == (diagnosis != "none")


def test_a_flat_prior_moves_nothing():
    fit, quantities = Normal().fit(log_prior={"lprior": np.zeros((4, 1000))})
    found = power_scaling(fit, quantities)
    assert found.table.loc["theta", "prior"] == 0
    assert found.table.loc["theta", "likelihood"] > LIMIT
    assert found.factors.empty


def test_where_draws_cannot_be_weighted_there_is_no_number():
    """A log prior with a tail so long that a hundredth of it outweighs the draws."""
    tail = 300 * np.random.default_rng(5).standard_exponential((4, 1000)) ** 2
    fit, quantities = Normal().fit(log_prior={"lprior": -tail})
    found = power_scaling(fit, quantities)
    assert np.isnan(found.table.loc["theta", "prior"])
    assert found.diagnosis("theta") == "none"
    assert not found.scaled["prior", 0.8].reliable


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "point", "shape": (1, 1)}, "a point has no draws"),
        ({"kind": "variational"}, "only draws of the posterior itself"),
        ({"log_prior": {}}, "declare lprior in it"),
        ({"log_prior": {}, "log_likelihood": {}}, "declare lprior and log_lik in it"),
        ({"shape": (1, 50)}, "50 draws are too few"),
        ({"log_prior": {"lprior": np.full((4, 1000), np.nan)}}, "the log prior is no finite number in 4,000 of 4,000"),
        ({"log_likelihood": {"y": np.full((4, 1000, 2), np.inf)}}, "the log likelihood is no finite number in 4,000"),
    ],
)
def test_what_cannot_be_checked_says_why(change, why):
    assert why in power_scaling(*Normal().fit(**change))


def test_what_never_moves_or_is_no_number_is_left_out():
    fit, quantities = Normal().fit()
    found = power_scaling(fit, quantities | {"fixed": np.ones((4, 1000)), "broken": np.full((4, 1000), np.nan)})
    assert list(found.table.index) == ["theta"]
    assert power_scaling(fit, {"fixed": np.ones((4, 1000))}) == "nothing moves that could be looked at"


def test_the_joint_likelihood_is_summed_block_by_block(monkeypatch):
    monkeypatch.setattr("bayeskit.diagnostics.sensitivity._BLOCK", 7)
    values = np.random.default_rng(1).normal(size=(2, 30, 3, 4))
    pointwise = xr.Dataset({"y": (("chain", "draw", "a", "b"), values), "z": (("draw", "chain"), values[..., 0, 0].T)})
    np.testing.assert_allclose(joint_log_likelihood(pointwise), values.sum((2, 3)) + values[..., 0, 0])


def test_the_distance_is_a_metric_of_weightings():
    rng = np.random.default_rng(2)
    values = rng.normal(size=500)
    weights = rng.dirichlet(np.ones(500), 3)
    one, two, three = (distance(values, weights[i], weights[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
    assert 0 < three <= one + two <= 2
    assert distance(values, weights[1], weights[0]) == pytest.approx(one)
    assert distance(-values, weights[0], weights[1]) == pytest.approx(one)
    assert distance(3 * values + 7, weights[0], weights[1]) == pytest.approx(one)
    assert distance(values, weights[0], weights[0]) == 0
