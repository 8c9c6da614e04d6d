"""What the report says of a block model: its formulas, its quantities, and what a reader has to know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import BlockCard, Draws, ModelCard, Quantity
from bayeskit.core.words import count, joined, percent

if TYPE_CHECKING:
    from bayeskit.models.sbm import SBM

_FORMS = {
    "shared": mark("Each node belongs to one block, and how often one is linked to another depends on their blocks."),
    "two": mark(
        "Each node belongs to one block by whom it links to, and to another by who links to it; how often one is "
        "linked to another depends on these."
    ),
}
_QUANTITIES = {
    "pi": mark("share of the nodes that belong to the block"),
    "pi_1": mark("share of the sources that belong to the block"),
    "pi_2": mark("share of the targets that belong to the block"),
    "n_occupied": mark("number of blocks that hold a node"),
    "n_occupied_1": mark("number of blocks that hold a source"),
    "n_occupied_2": mark("number of blocks that hold a target"),
    "entropy": mark("entropy of the blocks' sizes"),
    "entropy_1": mark("entropy of the sizes of the sources' blocks"),
    "entropy_2": mark("entropy of the sizes of the targets' blocks"),
    "co_assignment": mark("whether two nodes belong to the same block"),
    "co_assignment_1": mark("whether two sources belong to the same block"),
    "co_assignment_2": mark("whether two targets belong to the same block"),
    "alpha": mark("concentration of the shares: less means blocks of more different sizes"),
    "a": mark("first argument of the prior on theta"),
    "b": mark("second argument of the prior on theta"),
    "log_likelihood_total": mark("log density of the graph, given blocks and rates"),
    "log_density": mark("log density of graph and blocks together, shares and rates integrated out"),
}
_RATES = {
    "bernoulli": mark("chance of an edge from a node of one block to a node of another"),
    "poisson": mark("expected weight from a node of one block to a node of another"),
    "corrected": mark("expected weight between two nodes of average degrees, by their blocks"),
}
_MIXING = mark(
    "chains lie in different modes, or go back and forth between them too rarely: run them longer (--warmup, --thin), "
    "or take another number of blocks (--source-blocks)"
)
_APPROXIMATE = mark(
    "the blocks of many nodes are uncertain together, which no product of single nodes' chances can say: sample "
    "instead (--engine gibbs)"
)
_REMEDIES = {
    "r_hat": _MIXING,
    "ess_bulk": _MIXING,
    "ess_tail": _MIXING,
    "mcse": _MIXING,
    "pareto_k": _APPROXIMATE,
    "importance_ess": _APPROXIMATE,
}


def block_card(model: SBM, draws: Draws | None = None) -> ModelCard:
    """Return the model's description for the report."""
    spec = model.spec
    return ModelCard(
        name=model.name,
        title=_title(model),
        summary=_summary(model),
        formulas=_formulas(model),
        program=pyro_text(),
        language="python",
        quantities=_quantities(model),
        priors=tuple(prior for prior in spec.priors if prior.name != "pi" or _has_shares(model)),
        remedies={name: say(text) for name, text in _REMEDIES.items()},
        notes=_notes(model),
        blocks=BlockCard(
            shared=spec.shared,
            directed=spec.directed,
            likelihood=spec.likelihood,
            degree_corrected=spec.degree_corrected,
            n_source_blocks=spec.n_source_blocks,
            n_target_blocks=spec.n_target_blocks,
            n_nodes=model.pairs.n_nodes,
            n_edges=model.data.n_edges,
            weighted=spec.likelihood == "poisson" and model.data.weighted,
            has_labels=model.data.labels is not None,
        ),
    )


def _has_shares(model: SBM) -> bool:
    """Return whether shares are unknown: one block's is 1."""
    return max(model.spec.partitions.values()) > 1


def pyro_text() -> str:
    """Return the text of the Pyro program."""
    return Path(__file__).with_name("program.py").read_text(encoding="utf-8")


def _title(model: SBM) -> str:
    spec = model.spec
    if spec.shared:
        return say_count(
            spec.n_source_blocks, "Stochastic block model with {n} block", "Stochastic block model with {n} blocks"
        )
    return say(
        "Stochastic block model with {sources} and {targets}",
        sources=count(spec.n_source_blocks, "block of sources", "blocks of sources"),
        targets=count(spec.n_target_blocks, "block of targets", "blocks of targets"),
    )


def _summary(model: SBM) -> str:
    corrected = ""
    if model.spec.degree_corrected:
        corrected = say("Nodes of one block may differ in how many edges they have.")
    return joined([say(_FORMS["shared" if model.spec.shared else "two"]), corrected])


def _formulas(model: SBM) -> tuple[str, ...]:
    spec = model.spec
    sources, targets = ("z", "z") if spec.shared else ("z_1", "z_2")
    shares = [f"{site}[i] ~ categorical(pi{site[1:]})" for site in spec.partitions]
    rate = f"theta[{sources}[i], {targets}[j]]"
    if spec.likelihood == "bernoulli":
        edges = f"x[i, j] ~ bernoulli({rate})"
    elif spec.degree_corrected:
        edges = f"x[i, j] ~ poisson(out[i] in[j] {rate})"
    else:
        edges = f"x[i, j] ~ poisson({rate})"
    symmetric = [] if spec.directed else ["theta[k, l] = theta[l, k]"]
    given = dict.fromkeys(spec.hyperparameters)
    a, b = (name if name in given else f"{value:g}" for name, value in zip("ab", spec.rate_arguments, strict=True))
    estimated = []
    if "alpha" in given:
        estimated.append("pi ~ dirichlet(alpha)")
    if {"a", "b"} & set(given):
        estimated.append(f"theta[k, l] ~ {spec.prior('theta').family}({a}, {b})")
    return (*shares, edges, *symmetric, *estimated)


def _quantities(model: SBM) -> tuple[Quantity, ...]:
    spec = model.spec
    suffixes = [site[1:] for site in spec.partitions]
    names = [f"pi{suffix}" for suffix in suffixes]
    rates = _RATES["corrected" if spec.degree_corrected else spec.likelihood]
    free = [f"{name}{suffix}" for name in ("n_occupied", "entropy", "co_assignment") for suffix in suffixes]
    others = [*spec.hyperparameters, "log_likelihood_total", "log_density", *free]
    return (
        *(Quantity(name, meaning=say(_QUANTITIES[name])) for name in names),
        Quantity("theta", meaning=say(rates)),
        *(Quantity(name, meaning=say(_QUANTITIES[name])) for name in others),
    )


def _notes(model: SBM) -> tuple[str, ...]:
    spec, data, notes = model.spec, model.data, []
    if spec.likelihood == "bernoulli" and data.weighted:
        notes.append(
            say(
                "Weights are left aside: an edge is there where its weight is positive. Counts are modelled by "
                "--likelihood poisson."
            )
        )
    if spec.degree_corrected:
        notes.append(
            say(
                "out[i] and in[j] are the observed degrees in units of their mean, and taken as known: blocks are of "
                "nodes that link alike, whether much or little."
            )
        )
    if not model.pairs.self_pairs:
        notes.append(say("Whether a node links to itself is not modelled."))
    n_missing = int(data.unobserved.nnz // (1 if data.directed else 2))
    if n_missing:
        notes.append(
            say("{pairs} are unobserved, and say nothing for or against an edge.", pairs=count(n_missing, "pair"))
        )
    if model.held_out is not None:
        notes.append(
            say(
                "{pairs}, drawn at random, were held out ({share} of all), {edges} with an edge: the fit did not see "
                "them.",
                pairs=count(model.held_out.rows.size, "pair"),
                share=percent(model.hold_out),
                edges=f"{int(np.sum(model.held_out.weights > 0)):,}",
            )
        )
    if model.is_complete:
        notes.append(say("Every pair that is observed has an edge: nothing tells the nodes apart."))
    if _has_shares(model):
        notes.append(
            say(
                "The posterior is the same however the blocks are numbered: the draws' labels are matched to each "
                "other after sampling, and blocks numbered by their size, largest first."
            )
        )
    return tuple(notes)
