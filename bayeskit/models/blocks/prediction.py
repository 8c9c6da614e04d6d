"""What a block model's draws say of pairs of nodes that are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_AT_ONCE = 10_000_000  # draws times pairs
_INTERVAL = (0.025, 0.975)


def predict_pairs(posterior: xr.DataTree, sources: Integers, targets: Integers) -> dict[str, NDArray[Any]]:
    """Return what is expected of the links from some nodes to others.

    Parameters
    ----------
    posterior
        Of a block model: ``theta`` by draw, the nodes' ``assignments``, and the ``graph`` with their exposures.
    sources, targets
        ``n_pairs`` each, positions of the nodes.

    Returns
    -------
    dict
        ``n_pairs`` each: ``expected_weight``, the posterior mean of the chance of an edge, or of a count; its 95 %
        interval from ``low`` to ``high``; ``source_block`` and ``target_block``, the nodes' most probable blocks.
    """
    assigned, derived, graph = (posterior[name] for name in ("assignments", "derived", "graph"))
    shared = "z" in assigned
    first, second = (np.asarray(assigned[name].values) for name in (("z", "z") if shared else ("z_1", "z_2")))
    theta = np.asarray(posterior["posterior"]["theta"].values)[:, :: int(assigned["every"])]
    theta = theta.reshape(-1, *theta.shape[2:])
    first, second = (z.reshape(len(theta), -1).astype(np.int64) - 1 for z in (first, second))
    found = np.empty((3, len(sources)))
    step = max(1, _AT_ONCE // len(theta))
    draws = np.arange(len(theta))[:, None]
    for at in range(0, len(sources), step):
        here = slice(at, at + step)
        rates = theta[draws, first[:, sources[here]], second[:, targets[here]]]
        found[0, here] = rates.mean(axis=0)
        found[1:, here] = np.quantile(rates, _INTERVAL, axis=0)
    found *= np.asarray(graph["out_exposure"].values)[sources] * np.asarray(graph["in_exposure"].values)[targets]
    blocks = [np.asarray(derived[name].values) for name in (("block", "block") if shared else ("block_1", "block_2"))]
    return {
        "expected_weight": found[0],
        "low": found[1],
        "high": found[2],
        "source_block": blocks[0][sources],
        "target_block": blocks[1][targets],
    }
