"""What replications say of a model: nothing against one that is right, something against one that is not."""

import numpy as np
import pytest
from reporting.program_factories import assessed, program_fit
from scipy.stats import norm

from bayeskit.reporting import render
from bayeskit.reporting.figures_replicated import replication_figures
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.replicated import replications
from bayeskit.reporting.verdict import describe

RNG = np.random.default_rng(11)


def fit_of(y, replicated, log_likelihood=None, kind="mcmc"):
    likelihood = None if log_likelihood is None else {"y": log_likelihood}
    shape = replicated.shape[:2]
    values = {"alpha": RNG.normal(size=shape)}
    return program_fit(kind, values=values, observed={"y": y}, replicated={"y": replicated}, log_likelihood=likelihood)


def drawn(y, size=(4, 250), sd=1.0):
    return np.random.default_rng(12).normal(0, sd, (*size, y.size))


CASES = {
    "continuous": (norm(0, 1).rvs(200, random_state=1), norm(0, 1).rvs((4, 250, 200), random_state=2)),
    "counts": (np.random.default_rng(3).poisson(3, 200), np.random.default_rng(4).poisson(3, (4, 250, 200))),
    "binary": (
        np.random.default_rng(5).binomial(1, 0.4, 200),
        np.random.default_rng(6).binomial(1, 0.4, (4, 250, 200)),
    ),
}


@pytest.mark.parametrize("nature", CASES)
def test_a_model_that_is_right_is_not_doubted(nature):
    fit = fit_of(*CASES[nature])
    model_fit, _, (replicated,) = judge(fit)
    assert replicated.nature == nature
    assert model_fit.adequate
    assert "Nothing speaks against it so far" in model_fit.sentence
    names = [figure.name for figure in replication_figures([replicated])]
    assert names == ["replicated-1"] if nature == "binary" else ["replicated-1", "pit-1"]


WRONG = {
    "too narrow": (CASES["continuous"][0] * 1.6, CASES["continuous"][1]),
    "shifted": (CASES["continuous"][0] + 0.5, CASES["continuous"][1]),
    "zeros": (CASES["counts"][0] * (np.arange(200) % 3 > 0), CASES["counts"][1]),
    "more ones": (1 - CASES["binary"][0], CASES["binary"][1]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_model_that_is_wrong_is_told(case):
    fit = fit_of(*WRONG[case])
    model_fit = judge(fit)[0]
    assert not model_fit.adequate
    banner = describe(*assessed(fit), model_fit)
    assert banner.sentence.startswith("Trust the computation, but not yet the model")
    assert "Section 3 shows it" in banner.next_step


def test_a_right_model_is_doubted_in_few_of_many_data_sets():
    """The band is for 1 in 100; of 300 sets more than 10 are doubted by chance in 1 suite of 2000."""
    rng = np.random.default_rng(13)
    doubted = sum(
        replications(fit_of(*rng.normal(size=(1, 60)), rng.normal(size=(1, 200, 60))))[0].off() for _ in range(300)
    )
    assert doubted <= 10


def test_data_that_the_posterior_has_seen_may_lie_near_its_middle():
    y = CASES["continuous"][0]
    near = y + np.random.default_rng(7).normal(0, 1, (4, 250, 200))
    (seen,) = replications(fit_of(y, near))
    assert not seen.predicts
    assert seen.coverage(0.5) > 0.9
    assert not seen.off()
    pit = replication_figures([seen])[1]
    assert "A generated quantity log_lik would let the report leave each value out." in pit.note


def test_with_a_likelihood_each_value_is_left_out_and_too_wide_is_told():
    y = CASES["continuous"][0]
    wide = drawn(y, sd=3.0)
    likelihood = np.broadcast_to(norm(0, 3).logpdf(y), (4, 250, 200)) + 0.01 * RNG.normal(size=(4, 250, 200))
    (replicated,) = replications(fit_of(y, wide, likelihood))
    assert replicated.predicts
    assert replicated.off()
    assert "Each value is predicted from all others" in replication_figures([replicated])[1].caption


def test_a_likelihood_that_cannot_leave_a_value_out_is_not_used():
    y = CASES["continuous"][0]
    likelihood = 0.01 * RNG.normal(size=(4, 250, 200))
    likelihood[..., :6] *= 1000
    fit = fit_of(y, CASES["continuous"][1], likelihood)
    (replicated,) = replications(fit)
    assert not replicated.predicts
    assert "6 observations cannot be left out by weighting" in replication_figures([replicated])[1].note


def test_few_values_are_shown_one_by_one_and_hardly_judged():
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    fit = fit_of(y, 10 * drawn(y))
    html = render(*assessed(fit))
    assert "each dot is an observation" in html
    assert 'id="fig-pit-1"' not in html
    assert judge(fit)[0].adequate


def test_replications_of_another_size_and_of_a_point_are_left_out():
    y = CASES["continuous"][0]
    assert replications(fit_of(y[:50], CASES["continuous"][1])) == []
    html = render(*assessed(fit_of(y, CASES["continuous"][1][:1, :1], kind="point")))
    assert 'id="model-fit"' not in html
    assert "replications from one point cannot tell whether the data are usual" in html


def test_missing_values_are_passed_over():
    y = CASES["continuous"][0].copy()
    y[::7] = np.nan
    (replicated,) = replications(fit_of(y, CASES["continuous"][1]))
    assert replicated.observed.size == np.isfinite(y).sum()
    assert replicated.labels[0] == "y[2]"


def test_many_observations_are_thinned_and_that_is_told():
    y = np.random.default_rng(14).normal(size=5000)
    fit = fit_of(y, np.random.default_rng(15).normal(size=(4, 300, 5000)).astype("f4"))
    figure = replication_figures(replications(fit))[0]
    assert figure.note == "Computed from 2,000 of 5,000 observations and 1,000 of 1,200 replications."


def binary_fit(judged_by, seed=21):
    """Binary data with a probability of their own each; what is predicted of them, and with a likelihood."""
    rng = np.random.default_rng(seed)
    right = rng.beta(1.5, 1.5, 300)
    y = (rng.random(300) < right).astype(int)
    predicted = judged_by(right)
    density = np.where(y == 1, np.log(predicted), np.log(1 - predicted))
    likelihood = np.broadcast_to(density, (4, 250, 300)) + 1e-3 * rng.normal(size=(4, 250, 300))
    return fit_of(y, (rng.random((4, 250, 300)) < predicted).astype(int), likelihood)


def test_binary_data_that_follow_their_probabilities_are_not_doubted():
    fit = binary_fit(lambda p: p)
    model_fit, _, (replicated,) = judge(fit)
    assert model_fit.adequate
    figure = replication_figures([replicated])[1]
    assert figure.name == "reliability-1"
    assert figure.title == "y is 1 as often as its predicted probabilities say"


def test_probabilities_that_are_too_sure_are_told_though_the_share_of_1s_is_right():
    fit = binary_fit(lambda p: np.clip(0.5 + 1.7 * (p - 0.5), 0.005, 0.995))
    model_fit, _, (replicated,) = judge(fit)
    low, high = replicated.share[1:]
    assert low <= replicated.share[0] <= high
    assert not model_fit.adequate
    assert "y is not 1 as often as its predicted probabilities say" in model_fit.sentence
    assert "they are wrong" in replication_figures([replicated])[1].note


def test_probabilities_that_have_seen_the_data_are_drawn_and_not_judged():
    rng = np.random.default_rng(22)
    y = (rng.random(300) < 0.5).astype(int)
    fit = fit_of(y, (rng.random((4, 250, 300)) < 0.2 + 0.6 * y).astype(int))
    (replicated,) = replications(fit)
    assert replicated.reliability.p_value <= 0.01
    assert not replicated.off()
    assert "it is not judged. A generated quantity log_lik" in replication_figures([replicated])[1].note
