"""What a report says of a block model, put together."""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting.block_fit import read_statistics
from bayeskit.reporting.block_reading import read_blocks
from bayeskit.reporting.block_tables import block_tables, pair_table, rate_matrix, uncertain_table
from bayeskit.reporting.block_words import block_headline
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_block_groups import groups_figure
from bayeskit.reporting.figures_block_held_out import held_out_figure, read_held_out
from bayeskit.reporting.figures_block_matrix import adjacency_figure
from bayeskit.reporting.figures_block_nodes import network_figure, spectral_figure
from bayeskit.reporting.figures_block_number import read_selection, selection_figure, selection_table
from bayeskit.reporting.figures_block_rates import rates_figure
from bayeskit.reporting.figures_block_sharing import sharing_figure
from bayeskit.reporting.figures_block_statistics import statistics_figure
from bayeskit.reporting.group_tables import GroupTable
from bayeskit.reporting.node_table import NodeTable, node_table
from bayeskit.reporting.results import Scalar, labelled, rows_of

MAX_FOLLOWED = 9  # quantities
MAX_PRIORS = 9
_RATES_SHOWN = 4  # beside their prior
_LABEL_FREE = ("log_density", "log_likelihood_total", "n_occupied", "entropy", "alpha", "a", "b", "co_assignment")


@dataclass(frozen=True)
class BlockReport:
    """Sentences, figures and tables in the order that they are read in, and the table of all nodes."""

    headline: list[str]
    results: list[Figure | GroupTable]
    nodes: NodeTable


def block_report(fit: Fit, assessment: Assessment) -> BlockReport | None:
    """Return what can be said of a block model, or None where the fit is none, or holds too little."""
    blocks = read_blocks(fit)
    if blocks is None:
        return None
    selection = read_selection(fit)
    made = [*block_tables(blocks), rates_figure(blocks), rate_matrix(blocks), pair_table(blocks)]
    made += [adjacency_figure(blocks), network_figure(blocks), spectral_figure(blocks), groups_figure(blocks)]
    made += [sharing_figure(fit, blocks)]
    made += [selection_figure(selection), selection_table(selection)] if selection is not None else []
    made.append(uncertain_table(blocks))
    return BlockReport(
        headline=block_headline(fit, blocks, selection, assessment.metrics),
        results=[item for item in made if item is not None],
        nodes=node_table(blocks),
    )


def block_predictive(fit: Fit) -> list[Figure]:
    """Return the figures that hold the model against the graph."""
    held_out = read_held_out(fit)
    made = [statistics_figure(read_statistics(fit)), held_out_figure(held_out) if held_out is not None else None]
    return [figure for figure in made if figure is not None]


def block_followed(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the quantities whose chains are shown: those without labels, whatever the blocks are called."""
    names = [f"{name}{suffix}" for name in _LABEL_FREE for suffix in ("", "_1", "_2")]
    labels = [str(label) for name in names for label in rows_of(assessment.summary, name).index]
    return labelled(fit, assessment, _moving(assessment, labels)[:MAX_FOLLOWED])


def block_priors(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the quantities that are held against their priors: what is estimated of these, and some of the rates."""
    estimated = {prior.name for prior in fit.provenance.card.priors}
    found = [str(label) for name in ("alpha", "a", "b") for label in rows_of(assessment.summary, name).index]
    if not {"a", "b"} & estimated:  # else the rates' prior is not one curve
        rates = rows_of(assessment.summary, "theta")
        if "mean" in rates:
            rates = rates.sort_values("mean", ascending=False, kind="stable")
        found += [str(label) for label in rates.index[:_RATES_SHOWN]]
    return labelled(fit, assessment, _moving(assessment, found)[:MAX_PRIORS])


def _moving(assessment: Assessment, labels: list[str]) -> list[str]:
    """Return the labels of what is not the same in every draw; nothing moves in a point."""
    if "sd" not in assessment.summary:
        return []
    sd = assessment.summary.loc[labels, "sd"].to_numpy(dtype=float)
    return [label for label, spread in zip(labels, sd, strict=True) if spread > 0]
