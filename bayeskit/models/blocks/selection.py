"""How many blocks? A search proposes partitions with fewer and with more, and a criterion chooses among them.

By the integrated complete likelihood, log p(x, z) with shares and rates integrated out, Biernacki, Celeux and Govaert
(2000), doi:10.1109/34.865189, exact here: Côme and Latouche (2015), doi:10.1177/1471082X15577017; by the description
length, Peixoto (2017), doi:10.1103/PhysRevE.95.012317; or by the evidence lower bound of variational Bayes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.blocks.criteria import Objective, description_length, integrated_likelihood
from bayeskit.models.blocks.pairs import Pairs
from bayeskit.models.blocks.search import Found, Partition, search_partition
from bayeskit.models.blocks.spec import HYPERPARAMETERS, BlockSpec
from bayeskit.models.blocks.vb import fit_blocks_vb

Table = dict[str, NDArray[Any]]

_BELOW, _ABOVE = 8, 3  # numbers of blocks next to the best in the table
_FEW, _LARGE = 2, 500_000  # of graphs with more edges than the second, so many on either side


@dataclass(frozen=True, eq=False)
class Chosen:
    """Numbers of blocks, and how they were chosen.

    Parameters
    ----------
    n_source_blocks, n_target_blocks
        K and L; equal where one partition is shared.
    table
        By column, a row for each candidate: ``n_source_blocks``, ``n_target_blocks``, ``elbo``, ``icl``,
        ``description_length`` in nats, ``chosen_by_elbo``, ``chosen_by_icl`` and ``chosen_by_dl``, 1 where this
        criterion by itself would choose, and ``chosen``.
    assignments
        The partition of the chosen candidate, by site, ``n`` blocks from 0 each.
    """

    n_source_blocks: int
    n_target_blocks: int
    table: Table
    assignments: Mapping[str, NDArray[np.int64]]


def choose_blocks(
    spec: BlockSpec,
    pairs: Pairs,
    *,
    source_blocks: int | None = None,
    target_blocks: int | None = None,
    criterion: str = "icl",
    seed: int = 1,
    notify: Callable[[str], None] | None = None,
) -> Chosen:
    """Choose numbers of blocks.

    Parameters
    ----------
    spec, pairs
        Model and graph; the model's own numbers do not count.
    source_blocks, target_blocks
        Numbers that are given; None: to be chosen.
    criterion
        ``icl``, ``dl`` or ``elbo``.
    seed
        Of the search.
    notify
        Hears of each candidate.

    Notes
    -----
    Concentrations that are estimated are taken where they start.
    """
    fixed = replace(spec, priors=tuple(prior for prior in spec.priors if prior.name not in HYPERPARAMETERS))
    objective: Objective = "dl" if criterion == "dl" else "icl"
    found = search_partition(
        fixed, pairs, objective=objective, n_source_blocks=source_blocks, n_target_blocks=target_blocks, seed=seed
    )
    candidates = _candidates(found, pairs)
    rows = []
    for candidate in candidates:
        rows.append(_row(fixed, pairs, candidate))
        if notify is not None:
            notify(_told(spec, rows[-1]))
    table: Table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    table |= {name: table[name].astype(np.int64) for name in ("n_source_blocks", "n_target_blocks")}
    best = {
        "elbo": int(np.argmax(table["elbo"])),
        "icl": int(np.argmax(table["icl"])),
        "dl": int(np.argmin(table["description_length"])),
    }
    places = np.arange(len(rows))
    table |= {f"chosen_by_{name}": (places == place).astype(np.int64) for name, place in best.items()}
    table["chosen"] = table[f"chosen_by_{criterion}"].copy()
    chosen = candidates[best[criterion]]
    return Chosen(chosen.n_source_blocks, chosen.n_target_blocks, table, chosen.assignments)


def _candidates(found: Found, pairs: Pairs) -> list[Partition]:
    """Return the partitions next to the best: with other numbers of blocks on one side."""
    below, above = (_BELOW, _ABOVE) if pairs.weights.nnz <= _LARGE else (_FEW, _FEW)

    def near(one: Partition) -> bool:
        steps = (one.n_source_blocks - found.n_source_blocks, one.n_target_blocks - found.n_target_blocks)
        moved = {step for step in steps if step}
        return len(moved) <= 1 and (0 in steps or len(set(steps)) == 1) and all(-below <= s <= above for s in steps)

    return [one for one in found.path if near(one)]


def _row(spec: BlockSpec, pairs: Pairs, candidate: Partition) -> dict[str, float]:
    sized = spec.with_blocks(candidate.n_source_blocks, candidate.n_target_blocks)
    return {
        "n_source_blocks": candidate.n_source_blocks,
        "n_target_blocks": candidate.n_target_blocks,
        "elbo": fit_blocks_vb(sized, pairs, [candidate.assignments]).elbo,
        "icl": integrated_likelihood(sized, pairs, candidate.assignments),
        "description_length": description_length(pairs, candidate.assignments, degree_corrected=spec.degree_corrected),
    }


def _told(spec: BlockSpec, row: Mapping[str, float]) -> str:
    sizes = [row["n_source_blocks"]] if spec.shared else [row["n_source_blocks"], row["n_target_blocks"]]
    blocks = " x ".join(f"{size:.0f}" for size in sizes)
    return f"{blocks} blocks: ICL {row['icl']:.1f}, description length {row['description_length']:.1f}"
