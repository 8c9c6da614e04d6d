"""What we learned of a graph's blocks, in sentences: how many, who links to whom, how surely, and what it predicts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import commas, joined, listing, number, percent, significant
from bayeskit.reporting.block_numbers import rate_name, rate_text, share_text
from bayeskit.reporting.block_tables import pair_name, strongest_pairs
from bayeskit.reporting.block_view import CERTAIN, Blocks
from bayeskit.reporting.figures_block_number import Selection, told_of
from bayeskit.reporting.results import group

MAX_TOLD = 4  # blocks in a sentence
PROBABLE = 0.01  # of a number of blocks that is told


def block_headline(fit: Fit, blocks: Blocks, selection: Selection | None, metrics: Mapping[str, float]) -> list[str]:
    """Return what was found as sentences, the most important first."""
    told = [
        joined([_how_many(blocks), _occupied(fit, blocks), told_of(selection) if selection is not None else ""]),
        joined([_densest(blocks), _who_links_to_whom(blocks)]),
        _how_sharply(blocks),
        _known_groups(blocks, metrics),
        _prediction(metrics),
    ]
    return [text for text in told if text]


def _how_many(blocks: Blocks) -> str:
    n = f"{blocks.card.n_nodes:,}"
    first, second = (len(partition.holding) for partition in (blocks.sources, blocks.targets))
    if not blocks.card.shared:
        told = say(
            "The {n} nodes fall into {sources} by whom they link to, and into {targets} by who links to them.",
            n=n,
            sources=say_count(first, "{n} source block", "{n} source blocks"),
            targets=say_count(second, "{n} target block", "{n} target blocks"),
        )
        return joined([told, _largest(blocks)])
    if first == 1:
        return say("The {n_nodes} nodes are one block: nothing tells them apart.", n_nodes=n)
    told = say_count(
        first, "The {n_nodes} nodes fall into {n} block.", "The {n_nodes} nodes fall into {n} blocks.", n_nodes=n
    )
    return joined([told, _largest(blocks)])


def _largest(blocks: Blocks) -> str:
    some = [partition for partition in blocks.partitions if len(partition.holding) > 1]
    parts = []
    for partition in some:
        most = int(partition.held.argmax())
        share = share_text(float(partition.held[most] / blocks.card.n_nodes))
        parts.append(say("{block} ({share} of the nodes)", block=partition.name(most), share=share))
    if not parts:
        return ""
    return say_count(len(parts), "The largest is {blocks}.", "The largest are {blocks}.", blocks=listing(parts))


def _occupied(fit: Fit, blocks: Blocks) -> str:
    """Say how many blocks hold nodes, where that differs from draw to draw."""
    posterior = group(fit, "posterior")
    if posterior is None or blocks.is_point:
        return ""
    told = []
    for partition in blocks.partitions:
        name = f"n_occupied{partition.suffix}"
        draws = posterior[name].to_numpy().ravel() if name in posterior else np.array([])
        values, counts = np.unique(draws[np.isfinite(draws)].astype(int), return_counts=True)
        if values.size < 2:
            continue
        shares = counts / counts.sum()
        parts = [
            say("{n} with {share}", n=int(n), share=percent(float(share)))
            for n, share in zip(values, shares, strict=True)
            if share >= PROBABLE
        ]
        told.append(
            say(
                "Number of {blocks} that hold nodes, by probability: {parts}.",
                blocks=partition.plural,
                parts=commas(parts),
            )
        )
    return joined(told)


def _densest(blocks: Blocks) -> str:
    pairs = strongest_pairs(blocks)
    if len(pairs) < 2:
        return ""
    k, m = pairs[0]
    ratio = float(blocks.mean_rates[k, m]) / blocks.overall if blocks.overall > 0 else np.nan
    return say(
        "Densest is {pair}: {what} {rate}, {times} times that of all pairs.",
        pair=pair_name(blocks, k, m),
        what=rate_name(blocks),
        rate=rate_text(blocks, blocks.rates[:, k, m]),
        times=significant(ratio, 2),
    )


def _who_links_to_whom(blocks: Blocks) -> str:
    """Say of the largest blocks where most of their edges lead to."""
    flow, held = blocks.flow, blocks.sources.held
    some = [k for k in blocks.sources.holding if flow[k].sum() > 0]
    if len(blocks.targets.holding) < 2 or not some:
        return ""
    told = []
    for k in sorted(sorted(some, key=lambda k: -held[k])[:MAX_TOLD]):
        most = int(flow[k].argmax())
        share = share_text(float(flow[k, most] / flow[k].sum()))
        itself = blocks.card.shared and most == k
        template = mark("{block} to itself ({share})") if itself else mark("{block} to {other} ({share})")
        told.append(say(template, block=blocks.sources.name(k), other=blocks.targets.name(most), share=share))
    template = (
        mark("Where most edges lead: {parts}.") if blocks.card.directed else mark("Where most edges are: {parts}.")
    )
    return say(template, parts=listing(told))


def _how_sharply(blocks: Blocks) -> str:
    if blocks.is_point:
        return ""
    told = []
    for partition in blocks.partitions:
        if len(partition.holding) < 2 or not np.isfinite(partition.certainty).all():
            continue
        sure = partition.certainty > CERTAIN
        if sure.all():
            template = {
                "": mark("Every node belongs to its block with more than 95 % probability."),
                "_1": mark("As a source every node belongs to its block with more than 95 % probability."),
                "_2": mark("As a target every node belongs to its block with more than 95 % probability."),
            }
            told.append(say(template[partition.suffix]))
            continue
        template = {
            "": mark("{share} of the nodes belong to their block with more than 95 % probability; {n} do not."),
            "_1": mark(
                "As sources {share} of the nodes belong to their block with more than 95 % probability; {n} do not."
            ),
            "_2": mark(
                "As targets {share} of the nodes belong to their block with more than 95 % probability; {n} do not."
            ),
        }
        told.append(say(template[partition.suffix], share=percent(float(sure.mean())), n=f"{int((~sure).sum()):,}"))
    return joined(told)


def _known_groups(blocks: Blocks, metrics: Mapping[str, float]) -> str:
    told = []
    for partition in blocks.partitions:
        nmi, ari = (metrics.get(f"{name}{partition.suffix}", np.nan) for name in ("nmi", "ari"))
        if not np.isfinite([nmi, ari]).all():
            continue
        told.append(
            say("{blocks} NMI {nmi} and ARI {ari}", blocks=partition.plural, nmi=number(nmi, 2), ari=number(ari, 2))
        )
    if not told:
        return ""
    return say("Agreement with the known groups (1: the same, 0: as by chance): {found}.", found=commas(told))


def _prediction(metrics: Mapping[str, float]) -> str:
    auc, precision = metrics.get("auc", np.nan), metrics.get("average_precision", np.nan)
    pairs, edges = metrics.get("held_out_pairs", np.nan), metrics.get("held_out_edges", np.nan)
    if not np.isfinite([auc, precision, pairs, edges]).all() or not pairs:
        return ""
    return say(
        "Of {n} pairs that were held out, {edges} with an edge, it tells these from the others with AUC {auc} (0.5 by "
        "guessing) and an average precision of {precision} ({base} by guessing).",
        n=number(pairs, 0),
        edges=number(edges, 0),
        auc=number(auc, 2),
        precision=_score(precision),
        base=_score(edges / pairs),
    )


def _score(value: float) -> str:
    return number(value, 2) if value >= 0.01 or value == 0 else significant(value, 2)


def block_key_values(fit: Fit, assessment: Assessment) -> list[tuple[str, str]]:
    """Return the numbers that an index shows of a block model's run."""
    card = fit.provenance.card.blocks
    assert card is not None
    rows = [(say("blocks"), str(card.n_source_blocks))]
    if not card.shared:
        rows = [(say("source blocks"), str(card.n_source_blocks)), (say("target blocks"), str(card.n_target_blocks))]
    names = {
        "nmi": "NMI",
        "nmi_1": say("NMI, sources"),
        "nmi_2": say("NMI, targets"),
        "auc": say("AUC, held out"),
    }
    known = {name: float(assessment.metrics.get(name, np.nan)) for name in names}
    return rows + [(names[name], number(value, 2)) for name, value in known.items() if np.isfinite(value)]
