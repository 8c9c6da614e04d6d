"""What the report says of sensitivity: a sentence a finding, a table, a figure, and what to weigh next."""

from dataclasses import replace

import numpy as np
import pytest
from reporting.factories import make_assessment, make_fit
from reporting.program_factories import assessed, program_fit
from reporting.test_programs import banner_of
from scipy.stats import norm

from bayeskit.reporting import render
from bayeskit.reporting.sensitivity import MAX_ROWS, sensitivity_of


def fit_with(prior=(0.0, 1.0), data=1.0, kind="mcmc", factors=1, spread=0.5, **more):
    """The posterior of a mean under a normal prior, and beside it a number that depends on nothing."""
    rng = np.random.default_rng(1)
    shape = (4, 1000) if kind == "mcmc" else (1, 4000)
    precisions = np.array([prior[1], spread]) ** -2.0
    theta = rng.normal(precisions @ [prior[0], data] / precisions.sum(), precisions.sum() ** -0.5, shape)
    aside = rng.normal(size=shape)
    density = norm(*prior).logpdf(theta)
    parts = density if factors == 1 else np.stack([density, norm(0, 5).logpdf(aside)], -1)
    return program_fit(
        kind,
        values={"theta": theta, "aside": aside, **more},
        log_prior={"lprior": parts},
        log_likelihood={"log_lik": norm(theta[..., None], spread * np.sqrt(2)).logpdf([data, data])},
        statistics={"log_weight": np.zeros(shape)} if kind == "weighted" else None,
    )


@pytest.fixture(scope="module")
def conflict():
    return fit_with(data=6.0, factors=2)


def test_a_conflict_is_told_in_plain_words_and_is_no_failed_check(conflict):
    fit, assessment = assessed(conflict)
    found = sensitivity_of(fit, assessment)
    assert "Priors and data pull to different sides for theta (prior-data conflict)" in found.findings[0]
    assert found.findings[1].startswith("Of the priors, that on lprior[1] moves theta most")
    assert [(row.label, row.diagnosis) for row in found.rows] == [
        ("theta", "prior-data conflict"),
        ("aside", "moved by neither"),
    ]
    assert [row.striking for row in found.rows] == [True, False]
    assert assessment.passed
    banner = banner_of(render(fit, assessment))
    assert "Trust it" in banner
    assert "Priors and data pull apart for theta: weigh the priors. Section 4 shows it." in banner
    assert "Sensitivity" not in banner.split("Not checked")[1]


def test_a_likelihood_that_says_nothing_is_told():
    found = sensitivity_of(*assessed(fit_with(data=0.0, spread=30.0)))
    assert "What came out for theta comes from the priors" in found.findings[0]
    assert found.rows[0].diagnosis == "strong prior or weak likelihood"
    assert found.advice == "The numbers of theta rest on the priors: weigh them."


def test_priors_that_hardly_matter_are_told_with_the_largest_number():
    found = sensitivity_of(*assessed(fit_with(prior=(0.0, 50.0))))
    assert found.advice == ""
    assert found.findings[0].startswith("The priors hardly matter: no quantity moves by more than 0.0")
    assert found.rows[0].diagnosis in ("from the data", "moved by neither")


def test_the_figure_shows_prior_and_likelihood_at_their_powers_with_k_hat(conflict):
    figure = sensitivity_of(*assessed(conflict)).figure
    assert [panel.label for panel in figure.panels] == [
        f"{name}: {what} to a power" for what in ("priors", "likelihood") for name in ("theta", "aside")
    ]
    solid, weaker, stronger = figure.panels[0].data
    peaks = [float(np.asarray(trace["x"])[np.argmax(trace["y"])]) for trace in (weaker, solid, stronger)]
    assert peaks[0] > peaks[1] > peaks[2]  # the prior lies to the left
    assert all(np.max(trace["y"]) <= 1 for trace in (solid, weaker, stronger))
    assert "k-hat of the weights (prior to 0.8:" in figure.note
    assert "as it is" in figure.panels[0].alt


def test_powers_that_the_draws_cannot_be_weighted_to_are_left_out_and_told():
    fit = fit_with()
    tree = fit.posterior.copy()
    # Near 1 the weights are even, further off one draw outweighs all others.
    tail = 9 * np.random.default_rng(2).standard_exponential((4, 1000)) ** 1.6
    tree["log_prior"].dataset = tree["log_prior"].to_dataset() - tail
    found = sensitivity_of(*assessed(replace(fit, posterior=tree)))
    assert found.figure.note.startswith("Left out is what the draws cannot be weighted to, where k-hat is above 0.7 (")
    assert len(found.figure.panels[0].data) == 2
    assert len(found.figure.panels[2].data) == 3


def test_weighted_draws_are_drawn_with_their_own_weights():
    fit = fit_with(kind="weighted", data=6.0)
    found = sensitivity_of(*assessed(fit))
    assert found.rows[0].diagnosis == "prior-data conflict"
    assert "How much do the priors matter?" in render(*assessed(fit))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("variational", "only draws of the posterior itself can be weighted; sample it (<code>--method</code> sample)"),
        ("point", "a point has no draws that could be weighted"),
        ("mcmc", "declare lprior and <code>log_lik</code> in it"),
    ],
)
def test_where_it_is_not_checked_the_verdict_says_why(kind, why):
    banner = banner_of(render(*assessed(program_fit(kind, attributes={"converged": 1}))))
    assert "Sensitivity: how much the results would change under other priors; " in banner
    assert why in banner


def test_a_series_without_densities_says_so_and_a_failed_run_is_given_no_advice(small):
    fit, assessment = small
    assert sensitivity_of(fit, assessment) == "this run kept no densities of prior and likelihood; fit again"
    failed = make_fit(n_days=40, n_draws=60, healthy=False)
    assert "weigh" not in banner_of(render(failed, make_assessment(failed, healthy=False)))


def test_of_many_quantities_the_first_rows_are_the_most_sensitive():
    rng = np.random.default_rng(3)
    fit = fit_with(data=6.0, many=rng.normal(size=(4, 1000, 40)))
    found = sensitivity_of(*assessed(fit))
    assert len(found.rows) == MAX_ROWS
    assert found.left_out == 42 - MAX_ROWS
    assert found.rows[0].label == "theta"
