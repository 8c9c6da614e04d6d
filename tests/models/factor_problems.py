"""Matrix factorisations of every form, of a few users and items, with and without what they are drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayeskit.models.factors.observed import Features, Observed
from bayeskit.models.factors.simulation import (
    draw_parameters,
    parameters_of,
    simulate_test_values,
    simulate_values,
)
from bayeskit.models.factors.spec import SIDES, FactorSpec, priors_of

FORMS = {
    f"{likelihood}, {name}": {"likelihood": likelihood, **form}
    for likelihood in ("normal", "ordinal")
    for name, form in {
        "wishart": {},
        "wishart with features": {"features": True},
        "ard": {"family": "ard"},
        "ard with features": {"family": "ard", "features": True},
        "not negative": {"family": "ard", "nonnegative": True},
    }.items()
}
LEVELS = np.array([1.0, 2.0, 4.0])


def features_of(n_rows, n_features, rng, scale=1.0):
    """Features of two groups, the first of which has one more where their number is odd."""
    columns = tuple(f"column {place}" for place in range(n_features))
    matrix = scale * rng.standard_normal((n_rows, n_features))
    groups = np.sort(np.arange(n_features) % 2)
    return Features(matrix, groups, ("first", "second"), columns)


def problem(
    likelihood="normal",
    family="wishart",
    *,
    nonnegative=False,
    features=False,
    rank=2,
    n_users=4,
    n_items=3,
    missing=(5,),
    n_test=2,
    priors=(),
    seed=1,
):
    """Return a model and pairs of nearly all users and items, with no ratings yet (all 0).

    The last user is in test ratings only. Users have fewer features than there are of them, items more.
    """
    rng = np.random.default_rng([seed, 99])
    user, item = (places.ravel() for places in np.meshgrid(np.arange(n_users - 1), np.arange(n_items), indexing="ij"))
    user, item = (np.delete(places, list(missing)) for places in (user, item))
    both = (features_of(n_users, 3, rng), features_of(n_items, n_items + 2, rng)) if features else (None, None)
    ordinal = likelihood == "ordinal"
    data = Observed(
        user=user,
        item=item,
        values=np.zeros(len(user)),
        n_users=n_users,
        n_items=n_items,
        test_user=n_users - 1 - np.arange(n_test) % 2,
        test_item=np.arange(n_test) % n_items,
        test_values=np.full(n_test, LEVELS[0]),
        centre=0.0 if ordinal or nonnegative else 3.0,
        spread=1.0 if ordinal else 0.5,
        scale=(1.0, 4.0),
        levels=LEVELS if ordinal else np.empty(0),
        user_features=both[0],
        item_features=both[1],
    )
    spec = FactorSpec(
        rank=rank,
        likelihood=likelihood,
        family=family,
        nonnegative=nonnegative,
        n_levels=len(LEVELS) if ordinal else 0,
        n_features={side: data.features(side).n_features if features else 0 for side in SIDES},
        n_groups=dict.fromkeys(SIDES, 2 if features else 0),
        priors=priors_of(likelihood, family, nonnegative=nonnegative, features=features, overrides=priors),
    )
    return spec, data


def simulated(spec, data, seed):
    """Return a truth by site, and the same pairs with ratings."""
    rng = np.random.default_rng([seed, 98])
    sites = draw_parameters(spec, data, rng)
    values = simulate_values(spec, data, sites, rng)
    return sites, replace(data, values=values, test_values=simulate_test_values(spec, data, sites, rng))


def put(chain, spec, sites):
    """Have a chain go on from given parameters."""
    given = parameters_of(spec, sites)
    chain.rows = {side: rows.float() for side, rows in given.rows.items()}
    chain.populations = dict(given.populations)
    chain.level, chain.tau, chain.cutpoints, chain.alpha = given.level, given.tau, given.cutpoints, given.alpha


def sites_of(spec, chain):
    """Return where a chain is, by site."""
    sites = {"mu": chain.level} if spec.has_level else {}
    sites |= {"tau": chain.tau} if spec.likelihood == "normal" else {"cutpoints": chain.cutpoints}
    sites |= {"alpha": chain.alpha} if spec.family == "ard" else {}
    for side in SIDES:
        population = chain.populations[side]
        sites[f"{side}_rows"] = chain.rows[side].double().numpy()
        if spec.family == "wishart":
            sites |= {f"{side}_mean": population.mean, f"{side}_precision": population.precision}
        elif not spec.nonnegative:
            sites[f"{side}_alpha"] = population.precision[0, 0]
        if population.coefficients is not None:
            sites |= {
                f"{side}_coefficients": population.coefficients.numpy(),
                f"{side}_lambda": population.relevance,
            }
    return sites
