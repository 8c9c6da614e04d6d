"""Blocked Gibbs sampling of Gaussian mixtures leaves the posterior as it is: by simulation from the joint distribution.

Parameters and points are drawn from the model, and the sampler starts at these parameters: whatever it does, if it
leaves the posterior of those points alone, parameters are distributed as their prior again, however many sweeps later,
and as likely as before to be found with their points: Geweke (2004), doi:10.1198/016214504000001132; with samples that
grow where need be: Gandy and Scott (2020), arXiv:2001.06465.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import special, stats
from statistical.sequential import of_law, passes, scores

from bayeskit.models.mixtures import _gibbs_matrices, _gibbs_missing, _gibbs_nearby, _gibbs_small, _gibbs_weights
from bayeskit.models.mixtures._gibbs_streams import ChainStreams
from bayeskit.models.mixtures.gibbs import MixtureGibbs
from bayeskit.models.mixtures.likelihood import log_likelihood
from bayeskit.models.mixtures.parameters import components_of
from bayeskit.models.mixtures.simulation import draw_prior_values, simulate_points
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of

ALPHA = 1e-7  # false alarms of a test
SWEEPS = 4


def mixture(covariance, *, k=2, d=2, dp=False, priors=()):
    return MixtureSpec(k, d, covariance, dp, priors_of(n_columns=d, covariance=covariance, dp=dp, overrides=priors))


def uniforms(spec, values):
    """Map draws from the prior to independent uniform numbers, by site."""
    found = {}
    if spec.dp:
        found["concentration"] = cdf(spec, "concentration", values)[:, None]
        found["sticks"] = -np.expm1(values["concentration"][:, None] * np.log1p(-values["sticks"]))
    else:
        (a,) = spec.prior("weights").arguments
        left = np.cumsum(values["weights"][:, ::-1], axis=1)[:, :0:-1]
        after = np.arange(spec.n_components - 1, 0, -1)
        found["weights"] = special.betainc(a, a * after, values["weights"][:, :-1] / left)
    for name in ("means", "scales"):
        found[name] = cdf(spec, name, values).reshape(len(values[name]), -1)
    if spec.correlated:
        found["correlations"] = np.hstack(list(partial_correlations(spec, values["corr_cholesky"])))
    return found


def partial_correlations(spec, factors):
    """Yield those of each column given the columns before, as uniform numbers: they are independent beta variables."""
    (eta,) = spec.prior("correlations").arguments
    left = np.ones_like(factors[..., 0])
    for column in range(spec.n_columns - 1):
        rows = slice(column + 1, None)
        partial_correlation = factors[..., rows, column] / np.sqrt(left[..., rows])
        left = left - factors[..., column] ** 2
        a = eta + (spec.n_columns - 2 - column) / 2
        yield special.betainc(a, a, (1 + partial_correlation.reshape(len(factors), -1)) / 2)


def cdf(spec, name, values):
    """Return a prior's distribution function at a site's values."""
    prior = spec.prior(name)
    first, second = prior.arguments
    laws = {
        "normal": lambda: stats.norm(first, second),
        "lognormal": lambda: stats.lognorm(second, scale=np.exp(first)),
        "gamma": lambda: stats.gamma(first, scale=1 / second),
        "inv_gamma": lambda: stats.invgamma(first, scale=second),
    }
    return laws[prior.family]().cdf(values[name])


def holes(y, rng, share):
    return np.where(rng.random(y.shape) < share, np.nan, y)


def p_values(spec, n, seed, *, points=6, sweeps=SWEEPS, missing=0.0, assumed=None):
    """Return p-values of whether parameters are still from the prior, and still go with their points.

    With ``assumed``, the sampler has another prior than they were drawn from.
    """
    rng = np.random.default_rng([seed, 5])
    true = draw_prior_values(spec, rng, n)
    y = holes(simulate_points(spec, true, points, rng), rng, missing)
    moved = {name: np.empty_like(array) for name, array in true.items()}
    for row in range(n):
        sampler = MixtureGibbs(assumed or spec, y[row])
        streams = ChainStreams([np.random.SeedSequence([seed, row])])
        state = sampler.state_at({name: array[row : row + 1] for name, array in true.items()}, streams)
        for _ in range(sweeps):
            state = sampler.sweep(state)
        found, _ = sampler.finish({name: array[:, None] for name, array in sampler.record(state).items()})
        for name, array in moved.items():
            array[row] = found[name][0, 0]
    assert np.mean((moved["means"] != true["means"]).any(axis=(1, 2))) > 0.99
    before, after = (by_site(spec, values) for values in (true, moved))
    score = np.hstack(list(after.values()))
    squares = (score**2).sum(axis=0)
    spread = 2 * np.minimum(stats.chi2(n).cdf(squares), stats.chi2(n).sf(squares))
    return np.concatenate([of_law(score), spread, of_sites(after), of_change(spec, y, (true, before), (moved, after))])


def by_site(spec, values):
    return {name: scores(columns) for name, columns in uniforms(spec, values).items()}


def of_sites(found):
    """Return p-values of whether each site's numbers together have mean 0 and mean square 1."""
    sums = np.array([power for score in found.values() for power in moments(score)])
    return 2 * stats.norm.sf(np.abs(sums.mean(axis=1) / sums.std(axis=1) * np.sqrt(sums.shape[1])))


def moments(score):
    return score.sum(axis=1), (score**2 - 1).sum(axis=1)


def of_change(spec, y, *two):
    """Return p-values of whether parameters and points are to each other as they were."""
    old, new = (
        np.vstack([*near(spec, y, values).T, *(power for score in found.values() for power in moments(score))])
        for values, found in two
    )
    change = new - old
    z = change.mean(axis=1) / np.maximum(change.std(axis=1), 1e-300) * np.sqrt(change.shape[1])
    return 2 * stats.norm.sf(np.abs(z))


def near(spec, y, values):
    rows = []
    for place, points in enumerate(y):
        parts = components_of(spec, {name: array[place] for name, array in values.items()})
        total = log_likelihood(points, parts).sum()
        gaps = np.nan_to_num(points[:, None] - parts.means)
        weighted = (parts.weights @ np.tanh((gaps**2).sum(axis=-1).T)).sum()
        rows.append([np.tanh(total / 50), weighted, np.tanh((gaps.prod(axis=-1) * parts.weights).sum())])
    return np.array(rows)


NARROW = ("scales=lognormal(-0.7, 0.2)", "correlations=lkj(1)")  # which inverse Wishart proposals miss
CASES = {
    "full": (mixture("full", priors=NARROW), {"points": 12}),
    "three columns": (mixture("full", d=3), {"points": 8, "missing": 0.2}),
    "tied": (mixture("tied"), {"missing": 0.4}),
    "diagonal process": (
        mixture("diagonal", k=3, dp=True, priors=("concentration=lognormal(0, 1)", "scales=inv_gamma(3, 2)")),
        {},
    ),
    "spherical": (mixture("spherical", k=3, priors=("weights=dirichlet(0.4)",)), {"missing": 0.2}),
}
MORE = {
    "one column": (mixture("full", d=1, k=3), {}),
    "one column, tied": (mixture("tied", d=1, k=3), {}),
    "many points": (mixture("full", k=3), {"points": 40}),
    "four columns": (mixture("full", k=2, d=4), {"points": 20}),
    "process": (mixture("full", k=4, dp=True), {}),
    "tied, three columns": (mixture("tied", k=3, d=3), {"missing": 0.2}),
    "tight": (mixture("full", priors=("scales=lognormal(-9, 0.3)",)), {"points": 10}),  # squares would lose digits
    "tight, diagonal": (mixture("diagonal", priors=("scales=lognormal(-9, 0.3)",)), {"points": 10, "missing": 0.2}),
}


@pytest.mark.parametrize("name", CASES)
def test_joint_distribution_stays(name):
    spec, options = CASES[name]
    assert passes(partial(p_values, spec, **options), 150, ALPHA, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CASES, *MORE])
def test_joint_distribution_stays_on_a_closer_look(name):
    spec, options = (CASES | MORE)[name]
    assert passes(partial(p_values, spec, sweeps=6, **options), 2000, ALPHA, 2)


ASSUMED = {
    "concentration of the weights": ("spherical", 2, "weights=dirichlet(2)", 250),
    "means ten per cent wider": ("spherical", 3, "means=normal(0, 2.2)", 1200),
    "scales ten per cent wider": ("spherical", 3, "scales=lognormal(-0.7, 0.88)", 1200),
    "correlations": ("full", 2, "correlations=lkj(6)", 250),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if "ten" in name else []) for name in ASSUMED]
)
def test_another_prior_is_told(name):
    covariance, k, wrong, n = ASSUMED[name]
    spec, assumed = mixture(covariance, k=k), mixture(covariance, k=k, priors=(wrong,))
    assert not passes(partial(p_values, spec, assumed=assumed, points=2), n, ALPHA, 1)


def without_noise(*arguments):
    *others, noise = arguments
    return FILLED(*others, 0 * noise)


def without_imputation(*arguments):
    residuals = FILLED(*arguments)
    residuals[..., arguments[4].missing] = 0
    return residuals


def without_jacobian(self, factor, root):
    found = COMPLETE(self, factor, root)
    return found._replace(log_ratio=found.log_ratio + self._d * found.log_scales.sum(axis=-1))


FILLED = _gibbs_missing.IncompleteRows._filled
COMPLETE = _gibbs_matrices.Matrices._complete
BROKEN = {
    "whatever is proposed is taken": (
        "full", _gibbs_matrices, "_log_ratio", lambda fresh, *_: np.full(fresh.log_ratio.shape, 1e9),
    ),
    "without the Jacobian": ("three columns", _gibbs_matrices.Matrices, "_complete", without_jacobian),
    "small moves without the prior": ("diagonal process", _gibbs_small, "_log_prior", lambda *_: 0.0),
    "draws from the prior are taken": (
        "three columns", _gibbs_small, "_log_likelihood", lambda _, scales, factors: np.zeros(len(scales)),
    ),
    "moves nearby that grow": (
        "three columns", _gibbs_nearby, "move", lambda old, new: MOVE(old, new._replace(more=new.more + 1)),
    ),
    "components in order": (
        "diagonal process", _gibbs_weights.StickWeights, "_neighbours",
        lambda self, counts, *_: np.argsort(-counts, axis=1, kind="stable"),
    ),
    "concentration without its prior": (
        "diagonal process", _gibbs_weights.StickWeights, "_log_prior", lambda self, log_value, _: 0 * log_value,
    ),
    "missing without noise": ("tied", _gibbs_missing.IncompleteRows, "_filled", without_noise),
    "missing at the mean": ("tied", _gibbs_missing.IncompleteRows, "_filled", without_imputation),
}  # fmt: skip
MOVE = _gibbs_nearby.move
SUBTLE = ("without the Jacobian", "moves nearby that grow", "missing without noise", "missing at the mean")


@pytest.mark.parametrize("name", BROKEN)
def test_broken_samplers_are_told(name, monkeypatch):
    case, where, attribute, wrong = BROKEN[name]
    # Samples are more where the first ones would leave it open.
    enough = 250 if name in SUBTLE else 100
    spec, options = CASES[case]
    monkeypatch.setattr(where, attribute, wrong)
    assert not passes(partial(p_values, spec, **options), enough, ALPHA, 1)
