"""Synthetic fits of stochastic block models: graphs that were simulated, and draws around what they came from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from reporting.program_factories import ASSESS

from bayeskit.core.language import say_count
from bayeskit.core.priors import Prior
from bayeskit.core.types import Assessment, BlockCard, Fit, ModelCard, Provenance, Quantity, Source, Verdict

ENGINES = {"mcmc": "gibbs", "variational": "vb", "point": "spectral"}
GROUPS = ("sensory", "inter", "motor", "output")


@dataclass(frozen=True)
class Planted:
    """A graph and what it was drawn from: blocks from 0, rates, edges with weights."""

    z: tuple[np.ndarray, ...]
    theta: np.ndarray
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def planted(
    n_nodes: int, sizes: tuple[int, ...], *, directed: bool, poisson: bool, density: float, seed: int
) -> Planted:
    """Draw a graph with blocks of falling sizes; ``sizes`` are numbers of blocks, one where a partition is shared."""
    rng = np.random.default_rng(seed)
    z = tuple(np.sort(rng.choice(k, n_nodes, p=_falling(k))) for k in sizes)
    z = (z[0], *(rng.permutation(one) for one in z[1:]))
    theta = density * rng.gamma(0.5, 2, (sizes[0], sizes[-1])) + 0.02 * density
    theta[np.arange(min(theta.shape)), np.arange(min(theta.shape))] += 3 * density
    theta = np.minimum(theta if directed else (theta + theta.T) / 2, 0.9)
    rates = theta[z[0][:, None], z[-1]]
    matrix = rng.poisson(2 * rates) if poisson else (rng.random(rates.shape) < rates).astype(int)
    np.fill_diagonal(matrix, 0)
    source, target = np.nonzero(matrix if directed else np.triu(matrix))
    return Planted(z, theta, source, target, matrix[source, target].astype(float))


def _falling(k: int) -> np.ndarray:
    share = 0.75 ** np.arange(k)
    return share / share.sum()


def block_fit(
    kind: str = "mcmc",
    *,
    engine: str | None = None,
    n_nodes: int = 90,
    blocks: int | tuple[int, int] = 4,
    directed: bool = True,
    likelihood: str = "bernoulli",
    degree_corrected: bool = False,
    density: float = 0.12,
    labels: bool = True,
    held_out: bool = True,
    selection: bool = True,
    statistics: bool = True,
    hyper: bool = False,
    layout: bool = True,
    kept_edges: int | None = None,
    names: tuple[str, ...] | None = None,
    groups: bool = True,
    shape: tuple[int, int] | None = None,
    seed: int = 1,
) -> Fit:
    """Build the fit of a block model; two numbers of blocks make two partitions.

    ``groups=False`` leaves out everything but the posterior, as of a damaged run.
    """
    rng = np.random.default_rng(seed)
    sizes = (blocks,) if isinstance(blocks, int) else blocks
    graph = planted(n_nodes, sizes, directed=directed, poisson=likelihood == "poisson", density=density, seed=seed)
    shape = shape or {"mcmc": (4, 250), "variational": (1, 400), "point": (1, 1)}[kind]
    suffixes = ("",) if len(sizes) == 1 else ("_1", "_2")
    posterior = _posterior(graph, suffixes, shape, rng, point=kind == "point", hyper=hyper)
    node = list(names or (f"neuron {i + 1}" for i in range(n_nodes)))
    coords = {
        "source_block": np.arange(1, sizes[0] + 1),
        "target_block": np.arange(1, sizes[-1] + 1),
        "node": node,
        "pair_of_nodes": [f"{node[0]}:{node[1]}", f"{node[2]}:{node[3]}"],
        "statistic": _statistic_names(directed),
        "chain": np.arange(shape[0]),
        "draw": np.arange(shape[1]),
    }
    tree = {
        "posterior": _dataset(posterior, coords),
        "sample_stats": xr.Dataset(attrs=_attributes(kind)),
    }
    if kind == "variational":
        q = rng.normal(size=shape)
        tree["sample_stats"] = tree["sample_stats"].assign(
            log_p=(("chain", "draw"), -0.5 * q**2), log_q=(("chain", "draw"), -0.5 * (q / 1.05) ** 2)
        )
        step = np.arange(40)
        tree["history"] = xr.Dataset({"elbo": ("step", -2100 - 700 * np.exp(-step / 5)), "iteration": ("step", step)})
    if groups:
        tree["derived"] = _dataset(_derived(graph, suffixes, rng, held_out=held_out), coords)
        tree["graph"] = _dataset(_graph(graph, rng, n_nodes, labels, layout, kept_edges), coords)
        if statistics and kind != "point":
            tree |= _replications(graph, n_nodes, directed, coords, rng)
        if kind == "mcmc":
            drawn = [np.where(rng.random((*shape, n_nodes)) < 0.02, 1, z + 1) for z in graph.z]
            assigned = {f"z{s}": (("chain", "draw", "node"), one) for s, one in zip(suffixes, drawn, strict=True)}
            tree["assignments"] = _dataset(assigned, coords)
        if selection:
            tree["selection"] = _selection(sizes)
    card = _card(sizes, n_nodes, graph.source.size, directed, likelihood, degree_corrected, labels, hyper)
    return Fit(xr.DataTree.from_dict(tree), _provenance(kind, engine or ENGINES[kind], card))


def _posterior(
    graph: Planted,
    suffixes: tuple[str, ...],
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    point: bool,
    hyper: bool,
) -> dict[str, Any]:
    width = 0.0 if point else 0.06
    blocks = ("source_block", "target_block")
    theta = np.minimum(graph.theta * np.exp(width * rng.normal(size=(*shape, *graph.theta.shape))), 0.99)
    if len(suffixes) == 1 and np.array_equal(graph.theta, graph.theta.T):
        theta = (theta + np.swapaxes(theta, -1, -2)) / 2
    made: dict[str, Any] = {}
    for place, (suffix, z) in enumerate(zip(suffixes, graph.z, strict=True)):
        share = np.bincount(z, minlength=graph.theta.shape[place]) + 1.0
        share = share * np.exp(width * rng.normal(size=(*shape, share.size)))
        made[f"pi{suffix}"] = (("chain", "draw", blocks[place]), share / share.sum(-1, keepdims=True))
    made["theta"] = (("chain", "draw", *blocks), theta)
    if hyper:
        made |= {name: (("chain", "draw"), np.exp(0.3 * rng.normal(size=shape))) for name in ("alpha", "a", "b")}
    made["log_likelihood_total"] = (("chain", "draw"), -2000 + 4 * rng.normal(size=shape))
    made["log_density"] = (("chain", "draw"), -2100 + 4 * rng.normal(size=shape))
    for place, suffix in enumerate(suffixes):
        k = graph.theta.shape[place]
        occupied = np.full(shape, k) if point else k - (rng.random(shape) < 0.1)
        made[f"n_occupied{suffix}"] = (("chain", "draw"), occupied.astype(float))
        made[f"entropy{suffix}"] = (("chain", "draw"), 1.2 + 0.02 * rng.random(shape))
        together = (rng.random((*shape, 2)) < 0.5).astype(float)
        made[f"co_assignment{suffix}"] = (("chain", "draw", "pair_of_nodes"), together)
    return made


def _derived(graph: Planted, suffixes: tuple[str, ...], rng: np.random.Generator, *, held_out: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for place, (suffix, z) in enumerate(zip(suffixes, graph.z, strict=True)):
        n, k = z.size, graph.theta.shape[place]
        belongs = np.full((n, k), 0.01 / max(1, k - 1))
        belongs[np.arange(n), z] = 0.99
        unsure = rng.choice(n, max(4, n // 12), replace=False)
        belongs[unsure] = 0.5 * belongs[unsure] + 0.5 * rng.dirichlet(np.ones(k), unsure.size)
        belongs /= belongs.sum(1, keepdims=True)
        order = np.argsort(-belongs, axis=1, kind="stable")
        block = order[:, 0]
        shown = rng.permutation(n)[:60]
        shown = shown[np.argsort(block[shown], kind="stable")]
        dim = "target_block" if suffix == "_2" else "source_block"
        made |= {
            f"probability{suffix}": (("node", dim), belongs),
            f"block{suffix}": ("node", block + 1),
            f"runner_up{suffix}": ("node", order[:, 1] + 1 if k > 1 else np.zeros(n, dtype=int)),
            f"certainty{suffix}": ("node", belongs.max(1)),
            f"shown_node{suffix}": ("shown", shown),
            f"co_assignment_matrix{suffix}": (("shown", "shown_across"), belongs[shown] @ belongs[shown].T),
        }
    if held_out:
        rows, columns = rng.integers(0, graph.z[0].size, (2, 400))
        rate = graph.theta[graph.z[0][rows], graph.z[-1][columns]]
        made["held_out_probability"] = ("pair", rate)
        made["held_out_weight"] = ("pair", (rng.random(rate.size) < rate).astype(float))
    return made


def _graph(
    graph: Planted, rng: np.random.Generator, n_nodes: int, labels: bool, layout: bool, kept: int | None
) -> dict[str, Any]:
    n_edges = graph.source.size
    some = np.sort(rng.permutation(n_edges)[:kept]) if kept is not None else np.arange(n_edges)
    ring = 2 * np.pi * graph.z[0] / (graph.z[0].max() + 1)
    around = np.stack([np.cos(ring), np.sin(ring)], -1)
    made: dict[str, Any] = {
        "edge_source": ("edge", graph.source[some]),
        "edge_target": ("edge", graph.target[some]),
        "edge_weight": ("edge", graph.weight[some]),
        "n_edges": ((), n_edges),
        "out_degree": ("node", np.bincount(graph.source, graph.weight, n_nodes)),
        "in_degree": ("node", np.bincount(graph.target, graph.weight, n_nodes)),
        "spectral_position": (("node", "axis"), around + 0.3 * rng.normal(size=(n_nodes, 2))),
    }
    if layout:
        made["layout_position"] = (("node", "axis"), around + 0.45 * rng.normal(size=(n_nodes, 2)))
    if labels:
        known = np.array(GROUPS)[graph.z[0] % len(GROUPS)].astype(object)
        known[rng.random(n_nodes) < 0.1] = GROUPS[0]
        known[:2] = ""
        made["label"] = ("node", known.astype(str))
    return made


def _statistic_names(directed: bool) -> list[str]:
    degrees = ["sd of out-degrees", "sd of in-degrees", "reciprocity"] if directed else ["sd of degrees"]
    return ["total weight", *degrees, "transitivity", "nodes without edges"]


def _replications(
    graph: Planted, n_nodes: int, directed: bool, coords: dict[str, Any], rng: np.random.Generator
) -> dict[str, xr.Dataset]:
    truth = {
        "total weight": graph.weight.sum(),
        "sd of degrees": 6.1,
        "sd of out-degrees": float(np.bincount(graph.source, minlength=n_nodes).std()),
        "sd of in-degrees": 5.2,
        "reciprocity": 0.31,
        "transitivity": 0.27,
        "nodes without edges": 0.0,
    }
    seen = np.array([truth[name] for name in _statistic_names(directed)])
    drawn = seen * (1 + 0.05 * rng.normal(size=(1, 100, seen.size)))
    drawn[..., 0] = np.round(drawn[..., 0])
    return {
        "observed_data": _dataset({"graph_statistic": ("statistic", seen)}, coords),
        "posterior_predictive": _dataset(
            {"graph_statistic": (("chain", "draw", "statistic"), drawn)},
            {**coords, "chain": np.arange(1), "draw": np.arange(100)},
        ),
    }


def _selection(sizes: tuple[int, ...]) -> xr.Dataset:
    if len(sizes) == 1:
        first = second = np.arange(1, sizes[0] + 4)
    else:
        first, second = (ends.ravel() for ends in np.meshgrid(np.arange(1, 7), np.arange(1, 6), indexing="ij"))
    away = np.abs(first - sizes[0]) + np.abs(second - sizes[-1])
    columns = {
        "n_source_blocks": first,
        "n_target_blocks": second,
        "elbo": -2150 - 40.0 * away - first,
        "icl": -2160 - 42.0 * away - 2 * first,
        "description_length": 2300 + 41.0 * away + first,
        "chosen": (away == 0).astype(int),
    }
    columns["icl"][0] = np.nan
    return xr.Dataset({name: ("candidate", values) for name, values in columns.items()})


def _dataset(variables: dict[str, Any], coords: dict[str, Any]) -> xr.Dataset:
    made = xr.Dataset(variables)
    return made.assign_coords({name: values for name, values in coords.items() if name in made.dims})


def _attributes(kind: str) -> dict[str, Any]:
    return {
        "mcmc": {},
        "variational": {"converged": 1, "message": "settled", "steps": 40},
        "point": {"converged": 1, "message": "arrived"},
    }[kind]


def _card(
    sizes: tuple[int, ...],
    n_nodes: int,
    n_edges: int,
    directed: bool,
    likelihood: str,
    degree_corrected: bool,
    labels: bool,
    hyper: bool,
) -> ModelCard:
    bernoulli = likelihood == "bernoulli"
    family, arguments = ("beta", (1.0, 1.0)) if bernoulli else ("gamma", (1.0, 4.0))
    priors = [
        Prior("pi", "dirichlet", (1.0,), families=("dirichlet",)),
        Prior("theta", family, arguments, lower=0.0, families=(family,)),
    ]
    priors += [Prior(name, "gamma", (2.0, 2.0), lower=0.0) for name in ("alpha", "a", "b") if hyper]
    return ModelCard(
        name="sbm",
        title=say_count(sizes[0], "Stochastic block model with {n} block", "Stochastic block model with {n} blocks"),
        summary="",
        formulas=("z[i] ~ categorical(pi)", "x[i, j] ~ bernoulli(theta[z[i], z[j]])"),
        program="def block_program(pairs, spec):\n    ...\n",
        language="python",
        quantities=(Quantity("pi"), Quantity("theta")),
        priors=tuple(priors),
        blocks=BlockCard(
            shared=len(sizes) == 1,
            directed=directed,
            likelihood=likelihood,
            degree_corrected=degree_corrected,
            n_source_blocks=sizes[0],
            n_target_blocks=sizes[-1],
            n_nodes=n_nodes,
            n_edges=n_edges,
            weighted=not bernoulli,
            has_labels=labels,
        ),
    )


def _provenance(kind: Any, engine: str, card: ModelCard) -> Provenance:
    command = "bayeskit fit sbm data/graph.csv --source-blocks auto --labels data/nodes.csv --shared"
    return Provenance(
        model="sbm",
        engine=engine,
        kind=kind,
        config={"source_blocks": 4, "shared": True},
        seed=1,
        data=Source("data/graph.csv", "ab" * 32, "90", (), {}),
        card=card,
        versions={"bayeskit": "0.1.0"},
        hardware={"cores": "2"},
        timings={"sampling": 1.5, "wall": 2.0},
        command=f"{command} --engine {engine}",
        script="",
        started="2026-11-20T13:30:00+00:00",
    )


METRICS = {
    "nmi": 0.81,
    "ari": 0.77,
    "nmi_1": 0.81,
    "ari_1": 0.77,
    "nmi_2": 0.4,
    "ari_2": 0.31,
    "auc": 0.83,
    "average_precision": 0.55,
    "held_out_pairs": 400.0,
    "held_out_edges": 71.0,
}


def assessed(fit: Fit, *changes: Verdict) -> tuple[Fit, Assessment]:
    """Assess a fit; ``changes`` take the place of verdicts of their names, or are added."""
    found = ASSESS[fit.provenance.kind](fit)
    names = {verdict.name for verdict in changes}
    kept = [verdict for verdict in found.verdicts if verdict.name not in names]
    card = fit.provenance.card.blocks
    assert card is not None
    suffix = ("nmi", "ari") if card.shared else ("nmi_1", "ari_1", "nmi_2", "ari_2")
    held = ("auc", "average_precision", "held_out_pairs", "held_out_edges")
    wanted = {*(suffix if card.has_labels else ()), *held}
    metrics = {**found.metrics, **{name: value for name, value in METRICS.items() if name in wanted}}
    return fit, replace(found, verdicts=(*kept, *changes), metrics=metrics)


def superfluous(value: float = 1) -> Verdict:
    """Tell that blocks are empty or alike, which does not make a run fail."""
    return Verdict("blocks", value, 0, "<=", False, "", "", advisory=True)
