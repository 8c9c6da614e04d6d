"""Point estimates beside a posterior: what would have been predicted without it, and with what is missing as 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.inference.alternating import ALSConfig, AlternatingConfig, GDConfig, fit_alternating
from bayeskit.models.bmf import BMF, bmf

_MOST_RATINGS = 2_000_000
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
        of the scale. Nothing where no ratings were held out, or there are more than two million.
    """
    data = model.data
    if not data.n_test or data.n_train > _MOST_RATINGS:
        return {}
    rank = min(_RANK, data.n_known_users, data.n_known_items)
    plain = bmf(data, rank=rank).alternating()
    rows: list[dict[str, Any]] = []
    for config in _CONFIGS:
        held = fit_alternating(plain, config, seed=seed).groups["held_out"]
        raw, rating = np.asarray(held["raw"], dtype=float), np.asarray(held["rating"], dtype=float)
        within = np.clip(raw, *data.scale)
        rows.append(
            {
                "name": config.method,
                "ridge": config.ridge,
                "missing": config.missing,
                "test_rmse": float(np.sqrt(np.mean((within - rating) ** 2))),
                "raw_rmse": float(np.sqrt(np.mean((raw - rating) ** 2))),
                "least": float(raw.min()),
                "greatest": float(raw.max()),
                "outside": float(np.mean(raw != within)),
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
