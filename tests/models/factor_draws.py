"""Kept draws of factorisations of every form, made up: what any run leaves, without a run."""

import numpy as np
import xarray as xr

from bayeskit.models.factors.kept import Kept, Scale

LEVELS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
CUTPOINTS = np.array([-1.6, -0.5, 0.4, 1.5])
N_USERS, N_ITEMS = 7, 9


def scale_of(*, ordinal=False, nonnegative=False, levels=LEVELS):
    if ordinal:
        return Scale(0.0, 1.0, 1.0, 5.0, LEVELS, ordinal=True)
    return Scale(0.0 if nonnegative else 3.4, 1.1, 1.0, 5.0, levels, ordinal=False)


def draws_of(rng, *, rank=2, shape=(2, 3), ordinal=False, nonnegative=False, point=False, n_features=0, spread=0.6):
    """Return kept draws; the last user and the last item have no training ratings."""
    d = rank if nonnegative else rank + 1
    dims = ("factor_chain", "factor_draw")
    found = {"mu": (dims, np.zeros(shape) if ordinal or nonnegative else rng.normal(0, 0.1, shape))}
    for side, n in (("user", N_USERS), ("item", N_ITEMS)):
        rows = rng.normal(0, spread, (*shape, n, d))
        found[f"{side}_rows"] = ((*dims, side, "column"), np.abs(rows) if nonnegative else rows)
        if point:
            continue
        root = rng.normal(0, 0.5, (*shape, d, d)) + 1.5 * np.eye(d)
        precision = np.einsum("abij,abkj->abik", root, root)
        if nonnegative:
            precision = precision * np.eye(d)
        mean = np.zeros((*shape, d)) if nonnegative else rng.normal(0, 0.3, (*shape, d))
        found[f"{side}_mean"] = ((*dims, "column"), mean)
        found[f"{side}_precision"] = ((*dims, "column", "column_across"), precision)
        if n_features:
            coefficients = rng.normal(0, 0.5, (*shape, n_features, d))
            found[f"{side}_coefficients"] = ((*dims, f"{side}_feature", "column"), coefficients)
    if not point:
        found["tau"] = (dims, np.ones(shape) if ordinal else rng.uniform(1.2, 2.5, shape))
    if ordinal:
        found["cutpoints"] = ((*dims, "cutpoint"), CUTPOINTS + rng.normal(0, 0.05, (*shape, 4)))
    user, item = (at.ravel() for at in np.indices((N_USERS - 1, N_ITEMS - 1)))
    return Kept(
        xr.Dataset(found).astype(np.float32),
        scale_of(ordinal=ordinal, nonnegative=nonnegative),
        nonnegative,
        user,
        item,
        rng.choice(LEVELS, len(user)),
    )


def dense(kept):
    """What each draw predicts of all pairs on the model's scale, ``n_draws x n_users x n_items``, by plain loops."""
    f = {name: array.values.astype(float) for name, array in kept.factors.data_vars.items()}
    made = []
    for chain, draw in np.ndindex(f["mu"].shape):
        users, items, mu = (f[name][chain, draw] for name in ("user_rows", "item_rows", "mu"))
        if kept.nonnegative:
            made.append(mu + users @ items.T)
        else:
            made.append(mu + users[:, :1] + items[:, 0] + users[:, 1:] @ items[:, 1:].T)
    return np.array(made)


def precisions(kept):
    return kept.factors["tau"].values.astype(float).ravel()
