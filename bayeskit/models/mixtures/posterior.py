"""What is made of a mixture's draws: parameters in the data's units and a common order, and what needs no labels."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures.criteria import log_jacobian, maximum_likelihood
from bayeskit.models.mixtures.likelihood import log_prior, log_prior_terms
from bayeskit.models.mixtures.membership import Membership, co_assignment, distinct_points, membership, together
from bayeskit.models.mixtures.parameters import Components, components_of
from bayeskit.models.mixtures.relabelling import common_labels, permuted
from bayeskit.models.mixtures.simulation import simulate_points

if TYPE_CHECKING:
    from bayeskit.models.gmm import GMM
    from bayeskit.models.mixtures.spec import MixtureSpec

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Groups = dict[str, dict[str, NDArray[Any]]]

N_PAIRS = 12  # of points, whose co-assignment is followed draw by draw
MOST_SHOWN = 200  # points in the co-assignment matrix
_MOST_WORK = 20_000_000_000  # draws times points times components times columns of one pass: minutes
_MOST_MATRICES = 500  # draws that the co-assignment matrix is the mean of
_MOST_REPLICATIONS = 500
_FEWEST_REPLICATIONS = 50  # of those that there are
_MOST_CELLS = 10_000_000  # of all replications
_NEARBY = 2000  # points among which a pair's second one is looked for


def mixture_groups(model: GMM, values: Mapping[str, NDArray[Any]]) -> Groups:
    """Sort an engine's draws into the posterior's groups.

    Parameters
    ----------
    model
        With the points that were fitted.
    values
        ``n_chains x n_draws x ...`` by site, on the model's scale, labels as they came.

    Returns
    -------
    dict
        ``posterior``: parameters relabelled and in the data's units, and what does not depend on labels;
        ``log_likelihood`` of each point, in the data's units; ``log_prior``, by prior; ``posterior_predictive``:
        replications of the points; ``derived``, which has neither chains nor draws; ``selection``, where the number of
        components was chosen.

    Notes
    -----
    Labels are common to all draws, so that summaries mean something (``relabelling``). What predicts does not depend
    on them: sums over all points, co-assignments, the entropy. Of a Dirichlet process ``log_density`` does: its prior
    orders the components.

    What needs all points in all draws is left out where these are too many for minutes of work, the log likelihood of
    each point and its replications where they would not fit into memory.
    """
    spec = model.spec
    shape = values["means"].shape[:2]
    flat = {name: np.asarray(values[name]).reshape(-1, *size) for name, size in spec.shapes.items()}
    prior = log_prior(spec, flat)
    labels = common_labels(model.y, components_of(spec, flat), prior)
    ordered = _relabelled(spec, flat, labels)
    components = components_of(spec, {name: value for name, value in ordered.items() if name != "sticks"})
    step = max(1, -(-len(prior) * model.y.size * spec.n_components // _MOST_WORK))
    found = membership(model.y, components[::step])
    posterior = model.in_units(ordered)
    posterior["co_assignment"] = together(model.y, components, pairs_of_points(model.y))
    groups: Groups = {"posterior": posterior, "log_prior": log_prior_terms(spec, flat)}
    if step == 1:
        jacobian = log_jacobian(model.y, model.spread)
        posterior["log_likelihood_total"] = found.log_likelihood + jacobian.sum()
        posterior["log_density"] = posterior["log_likelihood_total"] + prior
        posterior |= {"n_occupied": found.n_occupied, "entropy": found.entropy}
        if found.pointwise is not None:
            groups["log_likelihood"] = {"points": found.pointwise + jacobian}
    groups = {
        group: {name: value.reshape(*shape, *value.shape[1:]) for name, value in variables.items()}
        for group, variables in groups.items()
    }
    copies = _replicated(model, ordered, shape)
    if copies is not None:
        groups["posterior_predictive"] = {"points": copies}
    best = components[::step][int(np.argmax(found.log_likelihood))]
    groups["derived"] = _derived(model, components, found) | maximum_likelihood(model, best)
    if model.selection:
        groups["selection"] = {name: np.asarray(column) for name, column in model.selection.items()}
    return groups


def mixture_coords(model: GMM) -> dict[str, NDArray[Any]]:
    """Return the coordinates of the posterior's dimensions; a point is called by its row in the file."""
    columns = model.data.columns
    pairs = pairs_of_points(model.y)
    rows = np.asarray(model.data.rows)
    if rows.size != len(model.y):
        rows = np.arange(1, len(model.y) + 1)
    return {
        "component": np.arange(1, model.spec.n_components + 1),
        "column": np.array(columns),
        "pair": np.array([f"{first}:{second}" for first, second in combinations(columns, 2)], dtype=str),
        "point": rows,
        "pair_of_points": np.array([f"{first}:{second}" for first, second in rows[pairs]], dtype=str),
    }


def mixture_dims(model: GMM) -> dict[str, list[str]]:
    """Return the dimensions of each variable, but for chain and draw.

    Where a name stands in several groups, ``group/name`` tells what it has in that one.
    """
    tied = model.spec.covariance == "tied"
    frames = {"iteration": ["frame"], "weights": ["frame", "component"], "means": ["frame", "component", "column"]}
    frames["covariances"] = ["frame", "component", "column", "column_across"]
    return {
        "weight": ["component"],
        "mean": ["component", "column"],
        "sd": ["column"] if tied else ["component", "column"],
        "correlation": ["pair"] if tied else ["component", "pair"],
        "co_assignment": ["pair_of_points"],
        "points": ["point", "column"],
        "centre": ["column"],
        "spread": ["column"],
        "responsibility": ["point", "component"],
        "assignment": ["point"],
        "certainty": ["point"],
        "distinct_points": ["component"],
        "shown_point": ["shown"],
        "co_assignment_matrix": ["shown", "shown_across"],
        "history/log_likelihood": ["iteration"],
        **{f"history/frame_{name}": dims for name, dims in frames.items()},
        "history/elbo": ["step"],
        "history/step": ["step"],
        **{f"selection/{name}": ["candidate"] for name in model.selection},
    }


def pairs_of_points(y: Floats) -> Integers:
    """Return some pairs of points, ``n_pairs x 2``: the same for the same points, from near ones to far ones."""
    n_points = len(y)
    rng = np.random.default_rng(3)
    firsts = rng.permutation(n_points)[: min(N_PAIRS, n_points * (n_points - 1) // 2)]
    others = np.sort(rng.permutation(n_points)[:_NEARBY])
    pairs = []
    for first, rank in zip(firsts, np.linspace(0.02, 0.6, firsts.size), strict=True):
        candidates = others[others != first]
        distances = np.nansum((y[candidates] - y[first]) ** 2, axis=-1)
        order = np.argsort(distances, kind="stable")
        pairs.append((first, candidates[order[int(rank * (candidates.size - 1))]]))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _relabelled(
    spec: MixtureSpec, flat: Mapping[str, NDArray[Any]], labels: NDArray[np.intp]
) -> dict[str, NDArray[Any]]:
    shared = ("concentration", "sticks", *(("scales", "corr_cholesky") if spec.covariance == "tied" else ()))
    return {name: value if name in shared else permuted(value, labels) for name, value in flat.items()}


def _replicated(model: GMM, ordered: Mapping[str, NDArray[Any]], shape: tuple[int, int]) -> Floats | None:
    """Return replications of the points by evenly spaced draws, in the data's units, missing where the points are.

    None where too few of them would fit into memory.
    """
    n_chains, n_draws = shape
    most = min(_MOST_REPLICATIONS, _MOST_CELLS // model.y.size) // n_chains
    if most * n_chains < min(_FEWEST_REPLICATIONS, n_chains * n_draws):
        return None
    kept = np.arange(0, n_draws, -(-n_draws // most)) + n_draws * np.arange(n_chains)[:, np.newaxis]
    mixtures = {name: value[kept] for name, value in ordered.items()}
    found = simulate_points(model.spec, mixtures, len(model.y), np.random.default_rng(5))
    found *= model.spread
    found += model.centre
    found[..., np.isnan(model.y)] = np.nan
    return found


def _derived(model: GMM, components: Components, found: Membership) -> dict[str, NDArray[Any]]:
    """Return what is the same for all draws, or their mean."""
    certainty = found.responsibility.max(axis=-1)
    assignment = found.responsibility.argmax(axis=-1)
    shown = np.random.default_rng(4).permutation(len(model.y))[:MOST_SHOWN]
    shown = shown[np.lexsort((shown, -certainty[shown], assignment[shown]))]
    step = -(-len(components.weights) // _MOST_MATRICES)
    return {
        "centre": model.centre,
        "spread": model.spread,
        "responsibility": found.responsibility,
        "assignment": assignment + 1,
        "certainty": certainty,
        "shown_point": shown,
        "co_assignment_matrix": co_assignment(model.y[shown], components[::step]),
        "distinct_points": distinct_points(model.y, found.responsibility),
    }
