"""Reports of weighted draws: figures of equally weighted ones, with what the weights are worth beside the intervals."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from reporting.factories import make_fit
from reporting.program_factories import assessed, program_fit
from reporting.test_programs import banner_of
from reporting.test_report import Page
from scipy.stats import norm

from bayeskit.diagnostics.weighted import assess_weighted
from bayeskit.reporting import RunEntry, render
from bayeskit.reporting.equal_weights import MAX_DRAWS, equally_weighted, systematic
from bayeskit.reporting.model_fit import judge
from bayeskit.reporting.sections import build

Y = np.linspace(-1.5, 2.5, 40)


def weighted_fit(scale=1.5, shift=0.0, shape=(1, 4000), seed=1):
    """Importance sampling of the mean of ``Y``, whose spread is 1, under a flat prior; with replications of ``Y``."""
    rng = np.random.default_rng(seed)
    posterior = norm(Y.mean(), Y.size**-0.5)
    proposal = norm(posterior.mean() + shift, scale * posterior.std())
    draws = proposal.rvs(shape, random_state=rng)
    log_weight = posterior.logpdf(draws) - proposal.logpdf(draws)
    return program_fit(
        "weighted",
        values={"theta": draws},
        observed={"y": Y},
        replicated={"y": draws[..., None] + rng.normal(0, 1.2, (*shape, Y.size))},
        statistics={"log_weight": log_weight},
    )


def test_every_place_is_chosen_as_often_as_its_weight_says():
    weights = np.random.default_rng(1).dirichlet(np.full(50, 0.3))
    counts = np.bincount(systematic(weights, 1000, np.random.default_rng(2)), minlength=50)
    assert np.all(np.abs(counts - 1000 * weights) < 1)
    assert counts.sum() == 1000
    np.testing.assert_array_equal(systematic(np.full(7, 1 / 7), 7, np.random.default_rng(3)), np.arange(7))


def test_equally_weighted_draws_have_the_posterior_s_moments_and_the_same_places_in_every_group():
    fit = weighted_fit(2.0, 0.05, (2, 2000))
    equal, note = equally_weighted(fit)
    draws = equal.posterior["posterior"]["theta"].to_numpy()
    assert draws.shape == (1, 4000)
    error = Y.size**-0.5 / np.sqrt(1500)
    assert abs(draws.mean() - Y.mean()) < 4.5 * error
    unweighted = fit.posterior["posterior"]["theta"].to_numpy()
    assert abs(unweighted.std() - Y.size**-0.5) > 4.5 * error > abs(draws.std() - Y.size**-0.5)
    distinct = np.unique(draws).size
    assert f"chosen from 4,000 by their weights (systematic resampling, with the run's seed); {distinct:,} of" in note
    # Row by row the replications are those of the same draw.
    places = np.searchsorted(np.sort(unweighted.ravel()), draws.ravel())
    original = fit.posterior["posterior_predictive"]["y"].to_numpy().reshape(4000, -1)[np.argsort(unweighted.ravel())]
    np.testing.assert_array_equal(equal.posterior["posterior_predictive"]["y"].to_numpy()[0], original[places])
    assert equal.posterior["observed_data"]["y"].size == Y.size


def test_resampling_twice_changes_nothing_and_the_seed_decides():
    fit = weighted_fit()
    once, _ = equally_weighted(fit)
    twice, _ = equally_weighted(once)
    np.testing.assert_array_equal(once.posterior["posterior"]["theta"], twice.posterior["posterior"]["theta"])
    other, _ = equally_weighted(replace(fit, provenance=replace(fit.provenance, seed=2)))
    assert not np.array_equal(once.posterior["posterior"]["theta"], other.posterior["posterior"]["theta"])


def test_other_kinds_and_weights_that_cannot_be_used_stay_as_they_are():
    mcmc = program_fit()
    assert equally_weighted(mcmc) == (mcmc, "")
    fit = program_fit("weighted", statistics={"log_weight": np.full((1, 1000), np.nan)})
    same, note = equally_weighted(fit)
    assert same is fit
    assert "Figures show the draws without their weights" in note
    assert "holds no number" in banner_of(render(*assessed(fit)))


def test_many_draws_are_cut_to_what_can_be_drawn():
    equal, _ = equally_weighted(weighted_fit(shape=(3, 3000)))
    assert equal.posterior["posterior"].sizes["draw"] == MAX_DRAWS


@pytest.fixture(scope="module")
def html():
    return render(*assessed(weighted_fit()))


def test_the_verdict_says_what_the_weights_are_worth(html):
    banner = banner_of(html)
    assert "Trust it: the weights can be relied on (k-hat" in banner
    assert "4,000 weighted draws are worth" in banner
    assert "another mode of the posterior would not show" in banner
    assert "they mean nothing for weighted draws" in banner


def test_intervals_wear_their_effective_size_and_figures_say_what_they_show(html):
    assert "These are intervals of weighted draws, worth" in html
    assert "equally weighted draws, chosen from 4,000 by their weights" in html
    assert 'id="fig-weights"' in html
    assert "were the draws the posterior&#39;s own, all would weigh the same" in html
    assert 'id="fig-ranks"' not in html
    assert not Page(html).open


def test_a_proposal_that_is_too_narrow_is_not_to_be_used():
    banner = banner_of(render(*assessed(weighted_fit(0.4))))
    assert "Do not use these numbers: the weights have too long a tail to be relied on (k-hat" in banner
    assert "wider in its tails" in banner


def test_predictive_checks_are_of_the_weighted_posterior():
    """The proposal lies so far off that its replications without their weights would speak against the model."""
    fit = weighted_fit(9.0, 1.5)
    assert judge(fit)[0].adequate
    bare = replace(fit, provenance=replace(fit.provenance, kind="iid"))
    assert not judge(bare)[0].adequate
    assert RunEntry.of(*assessed(fit), href="report.html").adequate


def test_a_series_of_weighted_draws_makes_a_report():
    fit = make_fit(n_days=40, n_draws=100, kind="weighted")
    log_weight = np.random.default_rng(1).normal(0, 0.5, (4, 100))
    fit.posterior["sample_stats"]["log_weight"] = xr.DataArray(log_weight, dims=("chain", "draw"))
    sections = build(fit, assess_weighted(fit))
    assert sections.caution.startswith("These are intervals of weighted draws, worth")
    assert "chosen from 400 by their weights" in sections.resampled
    assert [figure.name for figure in sections.diagnostics] == ["weights"]
    assert 'id="fig-states"' in render(fit, assess_weighted(fit))
