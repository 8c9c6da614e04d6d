"""Every node in one table that the reader's browser searches, sorts and saves: its block, how surely, and what else.

The script ``table.js`` reads what is made here, as it does the table of all quantities.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_view import Blocks, Partition
from bayeskit.reporting.packing import packed, packed_column

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_ROWS = 200_000  # more would make the page too large; those that are least certain stay
_DIGITS = 4  # of a probability


@dataclass(frozen=True, eq=False)
class NodeTable:
    """The table as the page holds it.

    Parameters
    ----------
    blocks
        The run.
    order
        Which nodes, in the table's order: by block, the certain ones first.
    """

    blocks: Blocks
    order: Integers

    @property
    def total(self) -> int:
        """How many nodes there are, of which the table may hold fewer."""
        return self.blocks.card.n_nodes

    @property
    def cut(self) -> bool:
        """Whether the page holds fewer nodes than there are."""
        return self.order.size < self.total

    @cached_property
    def spec(self) -> str:
        """JSON that is safe inside a ``<script>`` element."""
        names = [str(self.blocks.names[node]) for node in self.order]
        first = self.blocks.sources
        changes = np.flatnonzero(np.diff(first.block[self.order], prepend=-1))
        lengths = np.diff(np.append(changes, self.order.size))
        return f.safe_json(
            {
                "file": "nodes.csv",
                "rows": self.order.size,
                "labels": packed(json.dumps(names, ensure_ascii=False).encode()),
                "columns": self._columns(),
                "variables": [
                    {"name": first.name(int(first.block[self.order[start]])), "rows": int(n), "unit": "", "meaning": ""}
                    for start, n in zip(changes, lengths, strict=True)
                ],
                "byLabel": True,
                "drawn": None,
                "texts": {
                    "quantity": say("node"),
                    "first": "node",
                    "shown": say("{shown} of {total} shown"),
                    "all": say("all {total} shown"),
                    "none": say("no node has this in its name"),
                    "elsewhere": say("The probabilities of all blocks are in posterior.nc, beside this file."),
                    "constant": "",
                },
            }
        )

    def _columns(self) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        for partition in self.blocks.partitions:
            made += self._of_partition(partition)
        if self.blocks.labels is not None:
            names, place = np.unique(self.blocks.labels, return_inverse=True)
            made.append(
                self._column("group", say("known group"), "text", place)
                | {"names": [str(name) or "–" for name in names]}
            )
        if self.blocks.degrees is not None:
            out, into = self.blocks.degrees
            if self.blocks.card.directed:
                made.append(self._column("out_degree", say("out"), _how(out), out))
                made.append(self._column("in_degree", say("in"), _how(into), into))
            else:
                made.append(self._column("degree", say("edges"), _how(out), out))
        return made

    def _of_partition(self, partition: Partition) -> list[dict[str, Any]]:
        suffix, alone = partition.suffix, len(self.blocks.partitions) == 1
        block = say("block") if alone else partition.singular
        made = [self._column(f"block{suffix}", block, "count", partition.block + 1)]
        if self.blocks.is_point:
            return made
        other = np.where(partition.runner_up >= 0, partition.runner_up + 1, np.nan)
        return [
            *made,
            self._column(f"probability{suffix}", say("probability"), "ratio", partition.certainty),
            self._column(f"runner_up{suffix}", say("or else"), "count", other),
            self._column(f"runner_up_probability{suffix}", say("probability"), "ratio", partition.second),
        ]

    def _column(self, name: str, heading: str, how: str, values: NDArray[Any]) -> dict[str, Any]:
        numbers = np.round(values[self.order].astype(float), _DIGITS)
        packed_values = packed_column(numbers, np.zeros(numbers.size))
        return {"name": name, "heading": heading, "format": how, "worst": "", **packed_values}


def _how(values: Floats) -> str:
    return "count" if np.array_equal(values, np.round(values)) else "estimate"


def node_table(blocks: Blocks) -> NodeTable:
    """Return the table of all nodes, or of as many as the page has room for."""
    first = blocks.sources
    certainty = np.min([np.nan_to_num(partition.certainty) for partition in blocks.partitions], axis=0)
    kept = np.argsort(certainty, kind="stable")[:MAX_ROWS]
    order = kept[np.lexsort((kept, -certainty[kept], first.block[kept]))]
    return NodeTable(blocks, order)
