"""Variational inference on Pyro programs: against exact posteriors and evidences, Pyro's own loop, and misuse."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch
from inference.svi_programs import NOISE, WIDTH, X, Y, exact, mixture, regression
from pyro import distributions as dist
from pyro.infer.autoguide import AutoNormal
from scipy import integrate, stats

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.diagnostics.weights import importance_weights
from bayeskit.inference.svi import SVIConfig, fit_svi

DATA = (torch.tensor(X), torch.tensor(Y))
SHORT = SVIConfig(steps=20, candidates=1, draws=4, window=10)
MEDIUM = SVIConfig(window=100, candidates=2, draws=1000)
ALPHA = 1e-7  # two-sided, for each moment below


@pytest.fixture(scope="module")
def fitted():
    return fit_svi(regression, DATA, config=SVIConfig(candidates=2), seed=1)


def ratios(draws):
    return (draws.sample_stats["log_p"] - draws.sample_stats["log_q"]).ravel()


def log_evidence(draws):
    """By importance, with its standard error."""
    top = ratios(draws).max()
    raw = np.exp(ratios(draws) - top)
    return np.log(raw.mean()) + top, raw.std() / raw.mean() / np.sqrt(raw.size)


def test_guide_of_the_right_form_finds_the_exact_posterior(fitted):
    """What is left of its divergence moves a mean by sqrt(2 KL) sd at most: Pinsker's inequality for normals."""
    mean, covariance, evidence = exact()
    divergence = evidence - np.mean(ratios(fitted))
    assert -1e-3 < divergence < 0.02
    assert importance_weights(ratios(fitted)).k_hat < 0.3
    slopes, sd = fitted.values["slopes"][0], np.sqrt(np.diag(covariance))
    assert (np.abs(slopes.mean(0) - mean) < (np.sqrt(2 * 0.02) + 5.4 / np.sqrt(len(slopes))) * sd).all()
    # Weighted by importance the draws are the posterior's own, to Monte Carlo error.
    weights = importance_weights(ratios(fitted)).weights
    assert (weighted_p_values(slopes, weights, mean, np.diag(covariance)) > ALPHA).all()
    assert (weighted_p_values(slopes, weights, mean, 1.5 * np.diag(covariance))[2:] < ALPHA).all()  # negative control


def weighted_p_values(draws, weights, mean, variance):
    """Of means and variances; the weights are so nearly equal that their own error does not count."""
    n = 1 / np.sum(weights**2)
    of_mean = stats.norm.sf(np.abs(weights @ draws - mean) / np.sqrt(variance / n))
    of_variance = stats.norm.sf(np.abs(weights @ (draws - mean) ** 2 - variance) / (variance * np.sqrt(2 / n)))
    return 2 * np.concatenate([of_mean, of_variance])


def test_bound_is_the_log_evidence_less_the_divergence(fitted):
    evidence = exact()[2]
    found, error = log_evidence(fitted)
    assert found == pytest.approx(evidence, abs=5.4 * error)
    assert fitted.engine["elbo"] == pytest.approx(evidence, abs=0.05)
    independent = fit_svi(regression, DATA, config=SVIConfig(guide="normal", candidates=2), seed=1)
    # Of independent normals the best has the precisions' diagonal: KL is half the log of Hadamard's ratio.
    precision = np.linalg.inv(exact()[1])
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert gap > 0.1
    error = ratios(independent).std() / np.sqrt(ratios(independent).size)
    assert evidence - gap - 0.02 - 5.4 * error < np.mean(ratios(independent)) < evidence - gap + 5.4 * error


def narrow(x, y):
    loc = pyro.param("loc", torch.tensor([1.0, -1.0]))
    pyro.sample("slopes", dist.Normal(loc, 0.02).to_event(1))


def test_k_hat_tells_a_guide_that_is_too_narrow(fitted):
    draws = fit_svi(regression, DATA, config=MEDIUM, seed=1, guide=narrow)
    assert importance_weights(ratios(draws)).k_hat > 0.7
    assert importance_weights(ratios(fitted)).k_hat < 0.3


def test_log_densities_are_those_of_program_and_guide(fitted):
    slopes = fitted.values["slopes"][0]
    expected = stats.norm.logpdf(slopes, scale=WIDTH).sum(-1) + stats.norm.logpdf(Y, slopes @ X.T, NOISE).sum(-1)
    np.testing.assert_allclose(fitted.sample_stats["log_p"][0], expected, rtol=1e-10)
    # The guide is normal: its density is that of its moments, each of 5 known to 5.4 / sqrt(4000).
    moments = slopes.mean(0), np.cov(slopes.T)
    residual = fitted.sample_stats["log_q"][0] - stats.multivariate_normal.logpdf(slopes, *moments)
    assert np.abs(np.median(residual)) < 5 * 5.4 / np.sqrt(4000)


def test_what_comes_back(fitted):
    assert fitted.kind == "variational"
    assert fitted.values["slopes"].shape == (1, 2000, 2)
    np.testing.assert_array_equal(fitted.values["first"], fitted.values["slopes"][..., 0])
    history = fitted.groups["history"]
    assert set(history) == {"step", "elbo", "elbo_median", "learning_rate"}
    assert len({len(values) for values in history.values()}) == 1
    assert len(history["step"]) <= 2000
    assert history["step"][0] == 1
    assert fitted.engine["converged"] is True
    assert fitted.engine["steps"] < 20_000
    assert fitted.engine["recorded"] is True
    assert set(fitted.timings) == {"compile", "optimize", "sampling"}
    assert fitted.engine["pyro"] == pyro.__version__


def test_same_seed_same_bits_recorded_or_not():
    config = SVIConfig(steps=350, window=50, candidates=2, draws=250, tolerance=1e-9, patience=9)
    state = torch.random.get_rng_state()
    one = fit_svi(regression, DATA, config=config, seed=4)
    plain = fit_svi(regression, DATA, config=config.model_copy(update={"record": False}), seed=4)
    other = fit_svi(regression, DATA, config=config, seed=5)
    assert one.engine["recorded"]
    assert not plain.engine["recorded"]
    for name in ("slopes", "first"):
        np.testing.assert_array_equal(one.values[name], plain.values[name])
    np.testing.assert_array_equal(one.groups["history"]["elbo"], plain.groups["history"]["elbo"])
    np.testing.assert_array_equal(one.sample_stats["log_p"], plain.sample_stats["log_p"])
    assert not np.isin(other.values["slopes"], one.values["slopes"]).any()
    assert torch.equal(state, torch.random.get_rng_state())


def test_discrete_sites_are_summed_out():
    """The evidence by brute force over assignments: integrals over the means, with the share's integral known."""
    y = np.array([-2.5, -1.4, 2.2])
    draws = fit_svi(mixture, (torch.tensor(y),), config=MEDIUM, seed=2)
    assert draws.engine["loss"] == "trace_enum"
    assert draws.engine["summed_out"] == "z"
    assert set(draws.values) == {"share", "means"}  # what depends on z is not there
    share, means = draws.values["share"][0], draws.values["means"][0]
    likelihood = np.logaddexp(
        np.log1p(-share)[:, None] + stats.norm.logpdf(y, means[:, :1]),
        np.log(share)[:, None] + stats.norm.logpdf(y, means[:, 1:]),
    )
    prior = stats.beta.logpdf(share, 2, 2) + stats.norm.logpdf(means, [-2, 2], 0.5).sum(-1)
    np.testing.assert_allclose(draws.sample_stats["log_p"][0], prior + likelihood.sum(-1), rtol=1e-9)
    weights = importance_weights(ratios(draws))
    assert weights.k_hat < 0.5
    evidence = np.log(sum(_evidence_of(y, np.array(z)) for z in np.ndindex(2, 2, 2)))
    found, error = log_evidence(draws)
    assert found == pytest.approx(evidence, abs=5.4 * error)
    assert fit_svi(mixture, (torch.tensor(y),), config=SHORT, seed=2).engine["converged"] is False


def _evidence_of(y, z):
    """Probability of assignments and data together: Beta-binomial times a normal integral a component."""
    k = z.sum()
    found = np.exp(stats.betabinom(len(z), 2, 2).logpmf(k)) / stats.binom(len(z), 0.5).pmf(k) * 0.5 ** len(z)
    for component, centre in enumerate((-2.0, 2.0)):
        own = y[z == component]
        found *= integrate.quad(
            lambda m, own=own, centre=centre: stats.norm.pdf(m, centre, 0.5) * np.prod(stats.norm.pdf(own, m)), -8, 8
        )[0]
    return found


def own_guide(x, y):
    loc = pyro.param("loc", torch.zeros(2))
    scale = pyro.param("scale", torch.full((2,), 0.1), constraint=dist.constraints.positive)
    pyro.sample("slopes", dist.Normal(loc, scale).to_event(1))


@pytest.mark.parametrize("loss", ["trace", "trace_mean_field", "trace_enum"])
def test_estimators_agree_with_pyros_own(loss):
    """The bound and its gradient at the same draw, to rounding."""
    from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO

    from bayeskit.inference._svi_context import alone
    from bayeskit.inference._svi_objective import Objective, Pair
    from bayeskit.inference._svi_parameters import Parameters, gradient

    kinds = {"trace": Trace_ELBO, "trace_mean_field": TraceMeanField_ELBO, "trace_enum": TraceEnum_ELBO}
    arguments = (DATA, {})
    with alone("cpu"):
        objective = Objective(Pair(regression, own_guide, arguments, "r", ("slopes",), ()), loss, 3)
        parameters = Parameters()
        torch.manual_seed(7)
        value, slope = gradient(objective, parameters)
        torch.manual_seed(7)
        pyros = kinds[loss](num_particles=3, max_plate_nesting=1, strict_enumeration_warning=False)
        expected = pyros.loss_and_grads(regression, own_guide, *DATA)
        grads = torch.cat([leaf.grad.reshape(-1) for leaf in parameters.leaves.values()])
    assert float(value) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(slope, grads, rtol=1e-10)


def by_score(y):
    share = pyro.param("p", torch.tensor(0.5), constraint=dist.constraints.unit_interval)
    pyro.sample("z", dist.Bernoulli(share))


def switch(y):
    z = pyro.sample("z", dist.Bernoulli(0.3))
    pyro.sample("y", dist.Normal(2 * z, 1.0), obs=y)


@pytest.mark.parametrize("loss", ["trace", "trace_enum"])
def test_guide_of_a_discrete_site_learns_by_its_score(loss):
    """P(z = 1 | y) by Bayes' rule, to the noise of the last steps and of 1000 draws."""
    y = torch.tensor(2.2, dtype=torch.float64)
    config = SVIConfig(steps=500, schedule="cosine", learning_rate=0.05, particles=4, loss=loss, draws=1000)
    draws = fit_svi(switch, (y,), config=config, seed=3, guide=by_score)
    odds = 0.3 / 0.7 * stats.norm.pdf(2.2, 2) / stats.norm.pdf(2.2, 0)
    assert draws.values["z"].mean() == pytest.approx(odds / (1 + odds), abs=0.1)
    assert abs(0.5 - odds / (1 + odds)) > 0.15  # where it began would be told
    assert abs(0.3 - odds / (1 + odds)) > 0.15  # and so would the prior


def beta(n):
    pyro.sample("x", dist.Beta(2.0, 5.0))


def test_mean_field_keeps_the_jacobian_of_bounded_sites():
    """Pyro's own estimator drops it, so that a bound far above the evidence, 0, comes out."""
    for loss in ("trace", "trace_mean_field"):
        config = SVIConfig(guide="normal", loss=loss, window=100, candidates=2, draws=1000)
        draws = fit_svi(beta, (1,), config=config, seed=1)
        assert draws.values["x"].mean() == pytest.approx(2 / 7, abs=0.03)
        assert -0.05 < draws.engine["elbo"] < 0.02
    with pyro.get_param_store().scope(), torch.random.fork_rng():
        pyro.set_rng_seed(1)
        guide = AutoNormal(beta)
        pyro.infer.SVI(beta, guide, pyro.optim.Adam({"lr": 0.02}), pyro.infer.Trace_ELBO()).step(1)
        torch.manual_seed(1)
        sampled = pyro.infer.Trace_ELBO(num_particles=200).loss(beta, guide, 1)
        torch.manual_seed(1)
        dropped = pyro.infer.TraceMeanField_ELBO(num_particles=200).loss(beta, guide, 1)
    assert dropped < sampled - 0.5  # negative control: the two would agree but for the Jacobian


def by_index(x, y):
    slopes = pyro.sample("slopes", dist.Normal(torch.zeros(2), WIDTH).to_event(1))
    with pyro.plate("rows", len(x)) as rows:
        pyro.sample("y", dist.Normal(x[rows] @ slopes, NOISE), obs=y[rows])


def by_itself(x, y):
    slopes = pyro.sample("slopes", dist.Normal(torch.zeros(2), WIDTH).to_event(1))
    with pyro.plate("rows", len(x), subsample_size=5) as rows:
        pyro.sample("y", dist.Normal(x[rows] @ slopes, NOISE), obs=y[rows])


@pytest.mark.parametrize(("program", "size"), [(by_index, 5), (by_itself, None)])
def test_batches_find_the_posterior_of_all_data(program, size):
    config = SVIConfig(steps=2000, schedule="cosine", learning_rate=0.03, batch_size=size, candidates=2, draws=500)
    draws = fit_svi(program, DATA, config=config, seed=1)
    mean, covariance, _ = exact()
    slopes = draws.values["slopes"][0]
    sd = np.sqrt(np.diag(covariance))
    assert (np.abs(slopes.mean(0) - mean) < 0.35 * sd).all()  # of noisy gradients
    assert (np.abs(slopes.std(0) / sd - 1) < 0.3).all()
    # Densities are of all data, and the draws nearly those of the posterior.
    expected = stats.norm.logpdf(slopes, scale=WIDTH).sum(-1) + stats.norm.logpdf(Y, slopes @ X.T, NOISE).sum(-1)
    np.testing.assert_allclose(draws.sample_stats["log_p"][0], expected, rtol=1e-10)
    assert importance_weights(ratios(draws)).k_hat < 0.7


def local(y):
    mu = pyro.sample("mu", dist.Normal(0.0, 2.0))
    with pyro.plate("points", len(y)) as some:
        z = pyro.sample("z", dist.Normal(mu, 1.0))
        pyro.sample("y", dist.Normal(z, 1.0), obs=y[some])


def local_guide(y):
    pyro.sample("mu", dist.Normal(pyro.param("m", torch.tensor(0.0)), 0.3))
    loc = pyro.param("loc", torch.zeros(len(y)))
    with pyro.plate("points", len(y)) as some:
        pyro.sample("z", dist.Normal(loc[some], 0.7))


@pytest.mark.parametrize("guide", [None, local_guide])
def test_batches_with_latent_sites_of_each_point(guide):
    """Each point's site is pulled half of the way to the mean."""
    y = np.linspace(-3, 5, 20)
    config = SVIConfig(guide="normal", batch_size=5, steps=1500, schedule="cosine", learning_rate=0.05, draws=400)
    draws = fit_svi(local, (torch.tensor(y),), config=config, seed=1, guide=guide)
    assert draws.values["z"].shape == (1, 400, 20)
    np.testing.assert_allclose(draws.values["z"][0].mean(0), (y + y.mean()) / 2, atol=0.4)
    z, mu = draws.values["z"][0], draws.values["mu"][0]
    expected = stats.norm.logpdf(mu, 0, 2) + (stats.norm.logpdf(z, mu[:, None]) + stats.norm.logpdf(y, z)).sum(-1)
    np.testing.assert_allclose(draws.sample_stats["log_p"][0], expected, rtol=1e-9)


def test_batches_of_a_program_that_takes_no_indices_are_refused():
    with pytest.raises(ProgramError, match="batch_size a program takes its data by the plate's indices"):
        fit_svi(regression, DATA, config=SVIConfig(batch_size=5), seed=1)
    with pytest.raises(ConfigError, match=r"'batch_size': beta has no pyro.plate around observed data"):
        fit_svi(beta, (1,), config=SVIConfig(batch_size=5), seed=1)


def test_point_guide_finds_the_mode():
    draws = fit_svi(regression, DATA, config=MEDIUM.model_copy(update={"guide": "delta"}), seed=1)
    assert draws.kind == "point"
    assert draws.values["slopes"].shape == (1, 1, 2)
    np.testing.assert_allclose(draws.values["slopes"][0, 0], exact()[0], atol=2e-3)
    assert draws.sample_stats["lp"].shape == (1, 1)


def half_point(x, y):
    loc = pyro.param("loc", torch.zeros(2))
    pyro.sample("slopes", dist.Delta(loc, event_dim=1))


def partly(x, y):
    half_point(x, y)
    pyro.sample("spread", dist.LogNormal(pyro.param("m", torch.tensor(-0.7)), 0.1))


def two_sites(x, y):
    slopes = pyro.sample("slopes", dist.Normal(torch.zeros(2), WIDTH).to_event(1))
    spread = pyro.sample("spread", dist.HalfNormal(1.0))
    with pyro.plate("rows", len(x)):
        pyro.sample("y", dist.Normal(x @ slopes, spread), obs=y)


def test_guides_that_are_points_have_no_k_hat():
    assert fit_svi(regression, DATA, config=SHORT, seed=1, guide=half_point).kind == "point"
    draws = fit_svi(two_sites, DATA, config=SHORT, seed=1, guide=partly)
    assert draws.kind == "variational"
    assert not draws.sample_stats
    assert "'slopes' does not vary" in draws.engine["note"]


@pytest.mark.parametrize("guide", ["low_rank", pytest.param("iaf", marks=pytest.mark.slow)])
def test_other_guides_come_close(guide):
    config = SVIConfig(guide=guide, candidates=2, rank=2 if guide == "low_rank" else None)
    draws = fit_svi(regression, DATA, config=config, seed=1)
    assert importance_weights(ratios(draws)).k_hat < 0.7
    assert np.mean(ratios(draws)) == pytest.approx(exact()[2], abs=0.05)


def learns(x, y):
    slopes = pyro.sample("slopes", dist.Normal(torch.zeros(2), WIDTH).to_event(1))
    noise = pyro.param("noise", torch.tensor(1.0), constraint=dist.constraints.positive)
    with pyro.plate("rows", len(x)):
        pyro.sample("y", dist.Normal(x @ slopes, noise), obs=y)


def test_the_programs_own_parameters_are_learned_and_the_store_is_left_alone():
    pyro.get_param_store()["noise"] = torch.tensor(3.0)
    try:
        draws = fit_svi(learns, DATA, config=MEDIUM, seed=1)
        assert float(pyro.get_param_store()["noise"].detach()) == 3.0
        assert set(pyro.get_param_store()) == {"noise"}
    finally:
        pyro.clear_param_store()
    # Maximum likelihood of the noise under the exact marginal likelihood.
    grid = np.linspace(0.3, 0.9, 601)
    evidence = [stats.multivariate_normal.logpdf(Y, cov=s**2 * np.eye(20) + WIDTH**2 * X @ X.T) for s in grid]
    assert float(draws.groups["derived"]["noise"]) == pytest.approx(grid[int(np.argmax(evidence))], abs=0.02)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 2)


NET = Net()


def amortised(x, y):
    pyro.module("net", NET)
    loc, log_scale = NET.layer(torch.ones(1))
    pyro.sample("slopes", dist.Normal(loc, log_scale.exp()).expand([2]).to_event(1))


def test_single_precision_modules_are_made_double_and_get_their_weights_back():
    before = NET.layer.weight.detach().clone()
    one, other = (fit_svi(regression, DATA, config=SHORT, seed=1, guide=amortised) for _ in range(2))
    np.testing.assert_array_equal(one.values["slopes"], other.values["slopes"])
    assert one.values["slopes"].dtype == np.float64
    assert NET.layer.weight.dtype == torch.float32
    assert torch.equal(before, NET.layer.weight)


def test_starts_are_where_the_guide_begins():
    def starts(rng, n):
        return {"slopes": rng.normal([5.0, -5.0], 0.001, (n, 2)), "something else": np.zeros(n)}

    config = SVIConfig(steps=1, learning_rate=1e-9, init_scale=1e-6, draws=4)
    draws = fit_svi(regression, DATA, config=config, seed=1, starts=starts)
    np.testing.assert_allclose(draws.values["slopes"][0], [[5.0, -5.0]] * 4, atol=0.02)
    drawn = fit_svi(regression, DATA, config=config.model_copy(update={"init": "prior"}), seed=1)
    assert np.abs(drawn.values["slopes"][0] - [5.0, -5.0]).max() > 0.5


def test_the_best_of_several_points_is_taken():
    """Of ten draws from the prior, the one of the largest bound, rather than the first."""
    base = SVIConfig(steps=1, learning_rate=1e-9, init_scale=1e-3, draws=4, init="prior")
    bounds = [
        fit_svi(regression, DATA, config=base.model_copy(update={"candidates": n}), seed=6).engine["elbo"]
        for n in (1, 10)
    ]
    assert bounds[1] > bounds[0] + 10


def test_progress_counts_to_the_end():
    told = []
    fit_svi(regression, DATA, config=SHORT, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (20, 20)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    "option",
    [
        {"steps": 0},
        {"learning_rate": 0.0},
        {"guide": "mystery"},
        {"loss": "renyi"},
        {"tolerance": 1.0},
        {"schedule": "steep"},
        {"batch_size": 0},
    ],
)
def test_config_has_bounds(option):
    with pytest.raises(ConfigError, match=f"option '{next(iter(option))}'"):
        SVIConfig(**option)


@pytest.mark.gpu
def test_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device is at hand")
    draws = fit_svi(regression, DATA, config=MEDIUM.model_copy(update={"device": "cuda"}), seed=1)
    assert importance_weights(ratios(draws)).k_hat < 0.3
    assert np.mean(ratios(draws)) == pytest.approx(exact()[2], abs=1e-3)
