"""Point estimates beside a posterior: what would have been predicted without it, and with what is missing as 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.inference.alternating import ALSConfig, AlternatingConfig, GDConfig, fit_alternating
from bayeskit.models.bmf import BMF, bmf

_MOST_RATINGS = 2_000_000
_MOST_PAIRS = 20_000_000
_RANK, _EPOCHS, _RIDGE = 5, 100, 0.01  # as textbooks have it, where missing ratings are taken for 0
_CONFIGS: tuple[AlternatingConfig, ...] = (
    ALSConfig(),
    ALSConfig(ridge=_RIDGE, missing="zero", max_iterations=_EPOCHS),
    GDConfig(ridge=_RIDGE, missing="zero", max_iterations=_EPOCHS),
)


def baselines(model: BMF, seed: int) -> dict[str, NDArray[Any]]:
    """Fit point estimates of rank 5 to the same training ratings, and predict the same test ratings.

    Returns
    -------
    dict
        A value for each: ``name`` of the engine, ``ridge``, ``missing``, ``test_rmse`` of predictions kept within the
        scale, ``raw_rmse`` of those as they are, the ``least`` and the ``greatest`` of these, and the share ``outside``
        of the scale, of all users by all items, or, where these are too many, of the test ratings. Nothing where no
        ratings were held out, or there are more than two million.
    """
    data = model.data
    if not data.n_test or data.n_train > _MOST_RATINGS:
        return {}
    rank = min(_RANK, data.n_known_users, data.n_known_items)
    plain = bmf(data, rank=rank)
    rows: list[dict[str, Any]] = []
    for config in _CONFIGS:
        groups = fit_alternating(plain.alternating(), config, seed=seed).groups
        held = groups["held_out"]
        raw, rating = np.asarray(held["raw"], dtype=float), np.asarray(held["rating"], dtype=float)
        within = np.clip(raw, *data.scale)
        told = raw if data.n_users * data.n_items > _MOST_PAIRS else _of_all_pairs(plain, groups["factors"])
        rows.append(
            {
                "name": config.method,
                "ridge": config.ridge,
                "missing": config.missing,
                "test_rmse": float(np.sqrt(np.mean((within - rating) ** 2))),
                "raw_rmse": float(np.sqrt(np.mean((raw - rating) ** 2))),
                "least": float(told.min()),
                "greatest": float(told.max()),
                "outside": float(np.mean((told < data.scale[0]) | (told > data.scale[1]))),
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _of_all_pairs(model: BMF, factors: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return what is predicted of all users by all items, as it is."""
    user, item = (np.asarray(factors[f"{side}_rows"][0, 0], dtype=float) for side in ("user", "item"))
    eta = float(factors["mu"][0, 0]) + user[:, :1] + item[:, 0] + user[:, 1:] @ item[:, 1:].T
    return np.asarray(model.observed.in_units(eta))
