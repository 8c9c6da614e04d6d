"""A new user: what each kept draw says of her row, given what is known of her and what she has rated.

Given the items' rows and the level and the noise of ratings, her row is conditionally normal, as any user's is in a
sweep of Gibbs sampling: Salakhutdinov and Mnih (2008), doi:10.1145/1390156.1390267. Of levels it is so given hidden
ratings, which a few steps draw: Albert and Chib (1993), doi:10.1080/01621459.1993.10476321. Rows that are not negative
are drawn by a few passes over their columns. It is an approximation: her ratings say something of the items, too, and
that is left out, as one user more would hardly move them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from bayeskit.models.factors.kept import KeptDraw, Row

Floats = NDArray[np.float64]

_STEPS = 20
_LEAST = 2.0**-53  # between 0 and which no random number lies


@dataclass(frozen=True, eq=False)
class NewUser:
    """Somebody whom the fit did not see; called with a draw it says what this makes of her row.

    Parameters
    ----------
    item
        ``n_ratings``, what she has rated, from 0.
    values
        ``n_ratings``, in the data's units.
    features
        F, as the fit has them of its users; None where it has none.
    rng
        The same stream and draws in the same order give the same rows.
    """

    item: NDArray[np.int64]
    values: Floats
    features: Floats | None
    rng: np.random.Generator

    def __call__(self, draw: KeptDraw) -> Row:
        """Return her row under a draw."""
        kept, items, precision = draw.kept, draw.rows("item")[self.item], draw.array("user_precision")
        partners = kept.partners(items)
        if kept.nonnegative:
            return self._positive(partners, self.values / kept.scale.spread, np.diag(precision), draw.tau)
        prior = draw.population("user", self.features)
        if not len(self.item):
            return prior
        own = draw.level + items[:, 0]
        if kept.scale.ordinal:
            return self._of_levels(draw, partners, own, prior.mean, precision)
        values = (self.values - kept.scale.centre) / kept.scale.spread
        return _given(partners, values - own, prior.mean, precision, draw.tau)

    def _of_levels(self, draw: KeptDraw, partners: Floats, own: Floats, mean: Floats, precision: Floats) -> Row:
        bounds = np.concatenate([[-np.inf], draw.array("cutpoints"), [np.inf]])
        level, row = np.searchsorted(draw.kept.scale.levels, self.values), mean
        for _ in range(_STEPS):
            eta = own + partners @ row
            hidden = eta + _between(bounds[level] - eta, bounds[level + 1] - eta, self.rng)
            found = _given(partners, hidden - own, mean, precision, 1.0)
            row = found.draw(self.rng.standard_normal(len(mean)))
        return found

    def _positive(self, partners: Floats, values: Floats, alpha: Floats, tau: float) -> Row:
        sd = 1 / np.sqrt(tau * np.sum(partners**2, axis=0) + alpha)
        row = 1 / np.sqrt(alpha)
        for _ in range(_STEPS):
            for column in range(len(row)):
                left = values - partners @ row + partners[:, column] * row[column]
                at = tau * (partners[:, column] @ left) * sd[column]  # the mean, in standard deviations
                row[column] = sd[column] * max(at + float(_between(-at, np.inf, self.rng)), 0.0)
        return Row(row)


def _given(partners: Floats, left: Floats, mean: Floats, precision: Floats, tau: float) -> Row:
    """Return a row given what is left of ratings without what is not hers, and their precision."""
    covariance = np.asarray(np.linalg.inv(precision + tau * partners.T @ partners), dtype=np.float64)
    return Row(covariance @ (precision @ mean + tau * partners.T @ left), covariance)


def _between(low: Floats | float, high: Floats | float, rng: np.random.Generator) -> Floats:
    """Draw standard normal numbers between two ends each, by inversion in the lower tail, to all digits."""
    low, high = np.asarray(low), np.asarray(high)
    above = low > 0
    near, far = np.where(above, -high, low), np.where(above, -low, high)
    share = rng.uniform(_LEAST, 1 - _LEAST, low.shape)
    log_mass = np.logaddexp(log_ndtr(near) + np.log1p(-share), log_ndtr(far) + np.log(share))
    return np.asarray(np.where(above, -1.0, 1.0) * ndtri_exp(log_mass), dtype=np.float64)
