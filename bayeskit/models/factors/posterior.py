"""What a run of a matrix factorisation keeps, and how its parts are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.factors.quantities import followed_pairs
from bayeskit.models.factors.spec import SIDES

if TYPE_CHECKING:
    import pandas as pd

    from bayeskit.models.bmf import BMF

Arrays = Mapping[str, NDArray[Any]]


def factor_groups(model: BMF, values: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
    """Sort what an engine drew into the posterior's groups.

    Parameters
    ----------
    model
        With the ratings that were fitted.
    values
        Quantities that no rotation changes, ``n_chains x n_draws x ...``.

    Returns
    -------
    dict
        ``posterior``: the quantities; ``ratings``: those that were fitted, ``user`` and ``item`` by their numbers from
        0, ``value`` and ``time``; ``users`` and ``items``: the columns of their tables, as texts. An engine adds
        ``factors``, ``held_out`` and ``history``.
    """
    data, train = model.data, ~model.data.test
    ratings: dict[str, NDArray[Any]] = {
        "user": data.user[train].astype(np.int32),
        "item": data.item[train].astype(np.int32),
        "value": data.values[train].astype(np.float32),
    }
    if data.times is not None:
        ratings["time"] = data.times[train]
    groups: dict[str, dict[str, NDArray[Any]]] = {"posterior": dict(values), "ratings": ratings}
    for side, names, table in (("user", data.users, data.user_table), ("item", data.items, data.item_table)):
        groups[f"{side}s"] = {f"{side}_name": np.asarray(names), **_columns(table, side)}
    return groups


def factor_coords(model: BMF) -> dict[str, NDArray[Any]]:
    """Return the coordinates of the posterior's dimensions."""
    data, spec = model.observed, model.spec
    pairs = zip(*followed_pairs(data), strict=True)
    found: dict[str, NDArray[Any]] = {
        "pair": np.array([f"{model.data.users[user]}:{model.data.items[item]}" for user, item in pairs], dtype=str),
        "factor": np.arange(1, spec.rank + 1),
        "column": np.array([*(() if spec.nonnegative else ("bias",)), *map(str, range(1, spec.rank + 1))]),
        "level": np.asarray(data.levels, dtype=float),
        "cutpoint": np.arange(1, max(spec.n_levels, 1)),
    }
    for side in SIDES:
        features = data.features(side)
        if features is not None:
            found |= {f"{side}_group": np.array(features.names), f"{side}_feature": np.array(features.columns)}
    return found


def factor_dims(model: BMF) -> dict[str, list[str]]:
    """Return the dimensions of each variable, but for chain and draw; those of other groups in full."""
    found = {"rating": ["pair"], "factor_sd": ["factor"], "cutpoints": ["cutpoint"]}
    kept = ["factor_chain", "factor_draw"]
    found |= {f"factors/{name}": kept for name in ("mu", "tau")} | {"factors/cutpoints": [*kept, "cutpoint"]}
    for side in SIDES:
        found |= {
            f"{side}_lambda": [f"{side}_group"],
            f"factors/{side}_rows": [*kept, side, "column"],
            f"factors/{side}_mean": [*kept, "column"],
            f"factors/{side}_precision": [*kept, "column", "column_across"],
            f"factors/{side}_coefficients": [*kept, f"{side}_feature", "column"],
            f"{side}s/{side}_name": [side],
        }
        table = model.data.user_table if side == "user" else model.data.item_table
        found |= {f"{side}s/{name}": [side] for name in _columns(table, side)}
    tested = ("user", "item", "rating", "mean", "raw", "sd", "low", "high", "pit", "log_density")
    found |= {f"held_out/{name}": ["test_rating"] for name in tested}
    of_baselines = ("name", "ridge", "missing", "test_rmse", "raw_rmse", "least", "greatest", "outside")
    found |= {f"baselines/{name}": ["baseline"] for name in of_baselines}
    found |= {f"ratings/{name}": ["training_rating"] for name in ("user", "item", "value", "time")}
    return found | {"held_out/chances": ["test_rating", "level"]}


def _columns(table: pd.DataFrame | None, side: str) -> dict[str, NDArray[Any]]:
    """Return a table's columns: numbers as they are, all else as texts, empty where missing."""
    found: dict[str, NDArray[Any]] = {}
    if table is None:
        return found
    for name in map(str, table.columns):
        column = table[name]
        own = name if name not in (side, f"{side}_name") else f"{name}_"
        if column.dtype.kind in "iuf":
            found[own] = column.to_numpy()
        else:
            found[own] = np.array(
                ["" if value != value or value is None else str(value) for value in column], dtype=str
            )
    return found
