"""What there is to check of a block model besides its draws: superfluous blocks, known groups, links held out.

Agreement of two partitions: the adjusted Rand index, Hubert and Arabie (1985), doi:10.1007/BF01908075, and normalised
mutual information, Strehl and Ghosh (2002), https://jmlr.org/papers/v3/strehl02a.html; prediction of links: the area
under the ROC curve and the average precision. All by scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeskit.core.language import mark, say, say_count
from bayeskit.core.types import Assessment, Fit, Verdict

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

_REMEDY = mark("take fewer blocks (--source-blocks, --target-blocks), or let their number be chosen (auto)")


def assess_partition(fit: Fit, assessment: Assessment) -> Assessment:
    """Add to the assessment of a block model's draws what is known of partitions.

    Parameters
    ----------
    fit
        Of a block model, of any kind.
    assessment
        Of its draws.

    Returns
    -------
    Assessment
        With the advisory verdict ``blocks``: whether each block is the most probable one of some node. Metrics have
        ``n_occupied`` blocks and the mean ``certainty`` of the nodes, each with the suffix ``_1`` of sources or ``_2``
        of targets where these have partitions of their own; where groups are known ``ari`` and ``nmi``, by the nodes'
        most probable blocks, with the same suffixes; where pairs were held out ``auc``, ``average_precision``,
        ``held_out_pairs`` and ``held_out_edges``.
    """
    derived = _group(fit, "derived")
    if derived is None:
        return assessment
    metrics: dict[str, float] = dict(assessment.metrics)
    empty = 0
    for suffix in ("", "_1", "_2"):
        if f"block{suffix}" not in derived:
            continue
        block = derived[f"block{suffix}"].to_numpy()
        n_blocks = derived[f"probability{suffix}"].shape[1]
        metrics[f"n_occupied{suffix}"] = float(np.unique(block).size)
        metrics[f"certainty{suffix}"] = float(derived[f"certainty{suffix}"].mean())
        empty += n_blocks - np.unique(block).size
        metrics |= {f"{name}{suffix}": score for name, score in _agreement(fit, block)}
    return replace(
        assessment,
        verdicts=(*assessment.verdicts, _occupied(empty)),
        metrics=metrics | _link_prediction(derived),
    )


def node_table(fit: Fit) -> pd.DataFrame | None:
    """Return a row for each node of a block model, or None where the fit has none.

    Columns are ``node``; ``block``, the most probable one, its ``probability``, the ``runner_up`` (0 where no draw has
    another) and ``runner_up_probability``, of sources with the prefix ``source_`` and of targets with ``target_`` where
    these have partitions of their own; and ``label``, where groups are known.
    """
    import pandas as pd

    derived, graph = _group(fit, "derived"), _group(fit, "graph")
    if fit.provenance.card.blocks is None or derived is None or "node" not in derived:
        return None
    columns: dict[str, NDArray[Any]] = {"node": derived["node"].to_numpy()}
    for suffix, prefix in (("", ""), ("_1", "source_"), ("_2", "target_")):
        if f"block{suffix}" not in derived:
            continue
        chances = derived[f"probability{suffix}"].to_numpy()
        block, second = (derived[f"{name}{suffix}"].to_numpy() for name in ("block", "runner_up"))
        rows = np.arange(len(block))
        columns |= {
            f"{prefix}block": block,
            f"{prefix}probability": chances[rows, block - 1],
            f"{prefix}runner_up": second,
            f"{prefix}runner_up_probability": np.where(second > 0, chances[rows, second - 1], 0.0),
        }
    if graph is not None and "label" in graph:
        columns["label"] = graph["label"].to_numpy()
    return pd.DataFrame(columns)


def _occupied(empty: int) -> Verdict:
    if not empty:
        detail = say("each block is the most probable one of some node")
        return Verdict("blocks", 0, 0, "<=", True, detail, advisory=True)
    detail = say_count(
        empty,
        "{n} block is the most probable one of no node",
        "{n} blocks are the most probable ones of no node",
    )
    return Verdict("blocks", empty, 0, "<=", False, detail, say(_REMEDY), advisory=True)


def _agreement(fit: Fit, block: NDArray[Any]) -> Iterator[tuple[str, float]]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    graph = _group(fit, "graph")
    if graph is None or "label" not in graph:
        return
    labels = graph["label"].to_numpy().astype(str)
    known = labels != ""
    if known.any():
        yield "ari", float(adjusted_rand_score(labels[known], block[known]))
        yield "nmi", float(normalized_mutual_info_score(labels[known], block[known]))


def _link_prediction(derived: xr.Dataset) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    if "held_out_probability" not in derived:
        return {}
    expected = derived["held_out_probability"].to_numpy()
    edges = derived["held_out_weight"].to_numpy() > 0
    found = {"held_out_pairs": float(edges.size), "held_out_edges": float(edges.sum())}
    if 0 < edges.sum() < edges.size:
        found["auc"] = float(roc_auc_score(edges, expected))
        found["average_precision"] = float(average_precision_score(edges, expected))
    return found


def _group(fit: Fit, name: str) -> xr.Dataset | None:
    return fit.posterior[name].to_dataset() if name in fit.posterior.children else None
