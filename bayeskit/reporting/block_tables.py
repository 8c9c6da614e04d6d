"""The blocks and their pairs as small tables: how many nodes, whom they link to, how often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.words import NO_BREAK, commas, interval, joined, number, percent, plus_minus, significant
from bayeskit.reporting.block_numbers import (
    rate_alone,
    rate_interval,
    rate_name,
    rate_text,
    share_text,
    times_text,
    weight_text,
)
from bayeskit.reporting.block_view import CERTAIN, Blocks, Partition
from bayeskit.reporting.group_tables import Cell, GroupRow, GroupTable
from bayeskit.reporting.groups import colour_name

Integers = NDArray[np.int64]

MAX_BLOCKS = 20  # rows
MAX_SIDE = 10  # of the matrix of rates
MAX_PAIRS = 10
MAX_UNCERTAIN = 10
NAMED = 4  # members
LONGEST = 24  # letters of a name


def block_tables(blocks: Blocks) -> list[GroupTable]:
    """Return a table of the blocks, or one of the sources' and one of the targets'."""
    return [_of_partition(blocks, partition, side) for side, partition in enumerate(blocks.partitions)]


def _of_partition(blocks: Blocks, partition: Partition, side: int) -> GroupTable:
    shown = partition.holding[:MAX_BLOCKS]
    titles = {"": say("The blocks"), "_1": say("The blocks of sources"), "_2": say("The blocks of targets")}
    captions = {
        "": mark(
            "Nodes that most probably belong to each block, the block's share, whom they link to most, and members."
        ),
        "_1": mark(
            "A source block is of nodes that link to the same others. Its nodes, its share, whom they link to most."
        ),
        "_2": mark(
            "A target block is of nodes that the same others link to. Its nodes, its share, who links to them most."
        ),
    }
    rows = tuple(
        GroupRow(
            partition.name(k),
            (
                _size(partition, k),
                _share(blocks, partition, k),
                _linked(blocks, side, k),
                _members(blocks, partition, k),
            ),
            colour_name(k),
        )
        for k in shown
    )
    heading = (
        say("links from") if partition.suffix == "_2" else say("links to") if blocks.card.directed else say("tied to")
    )
    return GroupTable(
        title=titles[partition.suffix],
        caption=joined(
            [say(captions[partition.suffix]), say("Intervals hold 95 %.") if partition.sizes is not None else ""]
        ),
        first=say("block"),
        columns=(say("nodes"), say("share"), heading, say("typical members")),
        rows=rows,
        note=_left_out(partition, len(shown)),
        words=(2, 3),
    )


def _size(partition: Partition, block: int) -> Cell:
    held = f"{int(partition.held[block]):,}"
    if partition.sizes is None:
        return held, ""
    low, high = np.quantile(partition.sizes[:, block], [0.025, 0.975])
    return held, interval(number(low, 0), number(high, 0)) if low < high else ""


def _share(blocks: Blocks, partition: Partition, block: int) -> Cell:
    draws = 100 * partition.shares[:, block]
    if blocks.is_point or draws.size < 2 or not draws.std() > 0:
        return share_text(float(draws.mean()) / 100), ""
    return f"{plus_minus(float(draws.mean()), float(draws.std(ddof=1)))}{NO_BREAK}%", ""


def _linked(blocks: Blocks, side: int, block: int) -> Cell:
    """Return the block that most of a block's edges lead to, or come from, and their share."""
    other = blocks.sources if side else blocks.targets
    flow = blocks.flow[:, block] if side else blocks.flow[block]
    if not flow.sum() > 0:
        return "–", ""
    most = int(flow.argmax())
    share = share_text(float(flow[most] / flow.sum()))
    if blocks.card.shared and most == block:
        return say("itself"), say("{share} of its edges", share=share)
    return other.name(most), say("{share} of its edges", share=share)


def _members(blocks: Blocks, partition: Partition, block: int) -> Cell:
    """Return members that surely belong to a block, those with the most edges first."""
    order = ordered_members(blocks, partition, block)
    names = [_short(str(blocks.names[node])) for node in order[:NAMED]]
    return commas(names), ""


def ordered_members(blocks: Blocks, partition: Partition, block: int) -> Integers:
    """Return the nodes of a block: first those that surely belong to it, among these those with the most edges."""
    members = np.flatnonzero(partition.block == block)
    certainty = np.nan_to_num(partition.certainty[members])
    degree = np.zeros(members.size)
    if blocks.degrees is not None:
        out, into = (degrees[members] for degrees in blocks.degrees)
        degree = {"_1": out, "_2": into}.get(partition.suffix, out + into)
    return members[np.lexsort((members, -certainty, -degree, certainty <= CERTAIN))]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _left_out(partition: Partition, n_shown: int) -> str:
    told = []
    more, empty = len(partition.holding) - n_shown, partition.n_blocks - len(partition.holding)
    if more:
        told.append(say_count(more, "{n} more block is not shown.", "{n} more blocks are not shown."))
    if empty:
        told.append(
            say_count(empty, "{n} block most probably holds no node.", "{n} blocks most probably hold no node.")
        )
    return joined(told)


def rate_matrix(blocks: Blocks) -> GroupTable | None:
    """Return the rates of all pairs of blocks as a matrix; None where there are too many, or only one."""
    rows, columns = blocks.sources.holding, blocks.targets.holding
    if max(len(rows), len(columns)) > MAX_SIDE or len(rows) * len(columns) < 2:
        return None
    made = [
        GroupRow(
            blocks.sources.name(k),
            tuple(
                (rate_alone(blocks, blocks.rates[:, k, m]), rate_interval(blocks, blocks.rates[:, k, m]))
                for m in columns
            ),
            colour_name(k),
        )
        for k in rows
    ]
    how = mark("Rows link to columns: {what}.")
    if not blocks.card.directed:
        how = mark("Between the blocks of row and column: {what}.")
    caption = say(how, what=rate_name(blocks))
    intervals = say("Below it its 95 % interval.") if not blocks.is_point else ""
    return GroupTable(
        title=say("Who links to whom") if blocks.card.directed else say("Who is tied to whom"),
        caption=joined([caption, intervals]),
        first=say("from") if blocks.card.directed else say("block"),
        columns=tuple(blocks.targets.name(m) for m in columns),
        rows=tuple(made),
        matrix=True,
    )


def strongest_pairs(blocks: Blocks) -> list[tuple[int, int]]:
    """Return the pairs of blocks that hold nodes, those with the highest rates first."""
    pairs = [(k, m) for k in blocks.sources.holding for m in blocks.targets.holding if blocks.card.directed or k <= m]
    return sorted(pairs, key=lambda pair: -blocks.mean_rates[pair])


def pair_table(blocks: Blocks) -> GroupTable | None:
    """Return the pairs of blocks with the highest rates; None where there is but one."""
    pairs = strongest_pairs(blocks)
    if len(pairs) < 2:
        return None
    weight, counts = blocks.weight, blocks.totals[1]
    columns = [rate_name(blocks), say("against all pairs")]
    columns += [say("observed weight") if blocks.card.weighted else say("edges")] if weight is not None else []
    rows = []
    for k, m in pairs[:MAX_PAIRS]:
        draws = blocks.rates[:, k, m]
        cells = [
            (rate_text(blocks, draws), rate_interval(blocks, draws)),
            (times_text(float(blocks.mean_rates[k, m]) / blocks.overall if blocks.overall > 0 else np.nan), ""),
        ]
        if weight is not None:
            of = say("of {n} pairs", n=number(float(counts[k, m]), 0)) if counts is not None else ""
            cells.append((weight_text(float(weight[k, m])), of))
        rows.append(GroupRow(pair_name(blocks, k, m), tuple(cells)))
    rest = len(pairs) - len(rows)
    left = say_count(
        rest,
        "{n} more pair of blocks has a lower rate; it is in the table of all quantities, as theta.",
        "{n} more pairs of blocks have lower rates; they are in the table of all quantities, as theta.",
    )
    return GroupTable(
        title=say("The strongest links between blocks"),
        caption=say("How often, with its 95 % interval, and how many times as often as between any two nodes.")
        if not blocks.is_point
        else say("How often, and how many times as often as between any two nodes."),
        first=say("from and to") if blocks.card.directed else say("between"),
        columns=tuple(columns),
        rows=tuple(rows),
        note=left if rest else "",
    )


def pair_name(blocks: Blocks, source: int, target: int) -> str:
    """Return what the report calls a pair of blocks."""
    if blocks.card.shared and source == target:
        return say("within {block}", block=blocks.sources.name(source))
    link = mark("{a} → {b}") if blocks.card.directed else mark("{a} – {b}")
    return say(link, a=blocks.sources.name(source), b=blocks.targets.name(target))


def uncertain_table(blocks: Blocks) -> GroupTable | None:
    """Return the nodes that are least sure of their block; None where all are sure, or nobody knows."""
    if blocks.is_point:
        return None
    rows, total = [], 0
    for partition in blocks.partitions:
        unsure = np.flatnonzero(partition.certainty <= CERTAIN)
        order = unsure[np.argsort(partition.certainty[unsure], kind="stable")]
        rows += [(float(partition.certainty[node]), int(node), partition) for node in order[:MAX_UNCERTAIN]]
        total += unsure.size
    rows.sort(key=lambda row: row[0])
    if not rows:
        return None
    shown = rows[:MAX_UNCERTAIN]
    return GroupTable(
        title=say("Nodes that could belong elsewhere"),
        caption=say("The least certain: the most probable block, and the next one, with their probabilities."),
        first=say("node"),
        columns=(say("block"), say("or else")),
        rows=tuple(GroupRow(_short(str(blocks.names[node])), _candidates(one, node)) for _, node, one in shown),
        note=say("{n} of {total} are shown; all nodes are in the table below.", n=len(shown), total=f"{total:,}")
        if total > len(shown)
        else "",
        words=(0, 1),
    )


def _candidates(partition: Partition, node: int) -> tuple[Cell, ...]:
    first = (partition.name(int(partition.block[node])), _chance(float(partition.certainty[node])))
    other = int(partition.runner_up[node])
    if other < 0:
        return first, ("–", "")
    return first, (partition.name(other), _chance(float(partition.second[node])))


def _chance(probability: float) -> str:
    return percent(probability) if np.isfinite(probability) else ""


def density_text(blocks: Blocks) -> str:
    """Return the rate of all pairs together."""
    value = blocks.overall
    return share_text(value) if blocks.card.likelihood == "bernoulli" else significant(value, 3)
