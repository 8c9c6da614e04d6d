"""Log likelihood of the weather models with their states integrated out, at many scales at once, and its gradient.

Filter: Durbin and Koopman (2012), Time Series Analysis by State Space Methods, 2nd ed., chapter 4,
doi:10.1093/acprof:oso/9780199641178.001.0001. Gradient: the score by one backward pass over the smoothed disturbances,
Koopman and Shephard (1992), doi:10.1093/biomet/79.4.823: with ``r[t]``, ``N[t]`` the smoothing vector and its variance,
``u[t] = v[t]/f[t] - k[t]' r[t]`` and ``d[t] = 1/f[t] + k[t]' N[t] k[t]``, the derivative with respect to the
observation noise's variance is the sum of ``(u[t]^2 - d[t]) / 2`` over its days, and with respect to the state's, of
``(r[t]^2 - N[t]) / 2`` in the state that the noise enters.

The same lines run on Python's floats, which are fastest for one point, on NumPy's arrays and on tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FLOATS_UP_TO = 8  # points: above, arrays are faster
_NUMBERS_AT_ONCE = 2**20  # points times days, of which up to ten arrays are kept
_LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class StateSpace:
    """A local level, or a local linear trend, and what was observed of it.

    Parameters
    ----------
    y
        ``n_days``, NaN where not observed.
    noise
        ``n_days``, each day's kind of observation noise, from 0.
    mu_1
        Mean and standard deviation of the first day's level.
    slope_1
        The same of the first day's slope; None for a local level.
    """

    y: Floats
    noise: NDArray[np.int64]
    mu_1: tuple[float, float]
    slope_1: tuple[float, float] | None = None

    def log_likelihood(self, variances: Any) -> Any:
        """Return the log density of the observations.

        Parameters
        ----------
        variances
            ``n_points x (1 + n_kinds)``, array or tensor: of the state's noise, then of each kind of observation noise.

        Returns
        -------
        array or tensor
            ``n_points``; minus infinity where rounding leaves an observation no variance.
        """
        return self._by_parts(variances, with_score=False)[0]

    def with_score(self, variances: Any) -> tuple[Any, Any]:
        """Return log likelihoods and their derivatives with respect to the variances, of the variances' shape."""
        return self._by_parts(variances, with_score=True)

    def _by_parts(self, variances: Any, *, with_score: bool) -> tuple[Any, Any]:
        if not isinstance(variances, np.ndarray):
            return self._on_tensors(variances, with_score)
        log_likelihood, score = np.empty(len(variances)), np.zeros(variances.shape)
        step = min(2048, max(_NUMBERS_AT_ONCE // self.y.size, 64))
        for first in range(0, len(variances), step):
            part = slice(first, first + step)
            run = self._on_floats if len(variances[part]) <= _FLOATS_UP_TO else self._on_arrays
            with np.errstate(all="ignore"):
                run(variances[part], log_likelihood[part], score[part] if with_score else None)
        return log_likelihood, score

    def _on_floats(self, variances: Floats, log_likelihood: Floats, score: Floats | None) -> None:
        for place, row in enumerate(variances.tolist()):
            try:
                passed = self._forward(row)
                slopes = None if score is None else self._backward(passed, row)
            except ZeroDivisionError:
                log_likelihood[place] = -np.inf
                continue
            total = _log_density(np.array(passed.surprises)[:, None], np.array(passed.variances)[:, None])
            log_likelihood[place] = _or_minus_infinity(total, variances[place : place + 1])[0]
            if score is not None:
                score[place] = slopes

    def _on_arrays(self, variances: Floats, log_likelihood: Floats, score: Floats | None) -> None:
        columns = list(np.ascontiguousarray(variances.T))
        passed = self._forward(columns)
        total = _log_density(np.stack(passed.surprises), np.stack(passed.variances))
        log_likelihood[:] = _or_minus_infinity(total, variances)
        if score is not None:
            for place, slope in enumerate(self._backward(passed, columns)):
                score[:, place] = slope

    def _on_tensors(self, variances: Any, with_score: bool) -> tuple[Any, Any]:
        import torch

        if variances.device.type != "cpu":
            return self._in_torch(variances, with_score=with_score)
        found = self._by_parts(variances.detach().numpy(), with_score=with_score)
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])

    def _in_torch(self, variances: Any, *, with_score: bool) -> tuple[Any, Any]:
        import torch

        columns = list(variances.T.contiguous())
        passed = self._forward(columns)
        f = torch.stack(passed.variances)
        total = -0.5 * (torch.log(f) + torch.stack(passed.surprises) ** 2 / f + _LOG_2_PI).sum(0)
        score = torch.stack(self._backward(passed, columns), -1) if with_score else torch.zeros_like(variances)
        return torch.where(total.isnan() & variances.isfinite().all(-1), -torch.inf, total), score

    def _forward(self, variances: Sequence[Any]) -> _Passed:
        return _level_forward(self, variances) if self.slope_1 is None else _trend_forward(self, variances)

    def _backward(self, passed: _Passed, variances: Sequence[Any]) -> list[Any]:
        backward = _level_backward if self.slope_1 is None else _trend_backward
        return backward(passed, variances, self.y.size)


@dataclass(frozen=True, eq=False)
class _Passed:
    """What the filter saw on each observed day: surprise, its variance, and the gain of each state."""

    days: list[tuple[int, int]]
    surprises: list[Any]
    variances: list[Any]
    gains: list[tuple[Any, ...]]


def _level_forward(model: StateSpace, variances: Sequence[Any]) -> _Passed:
    q, *h = variances
    a, p = model.mu_1[0] + 0.0 * q, model.mu_1[1] ** 2  # as long as the variances from the start
    passed = _Passed([], [], [], [])
    for day, (y, kind) in enumerate(zip(model.y.tolist(), model.noise.tolist(), strict=True)):
        if y == y:
            f = p + h[kind]
            surprise = y - a
            gain = p / f
            a = a + gain * surprise
            p = gain * h[kind]
            passed.days.append((day, kind))
            passed.surprises.append(surprise)
            passed.variances.append(f)
            passed.gains.append((gain,))
        p = p + q
    return passed


def _trend_forward(model: StateSpace, variances: Sequence[Any]) -> _Passed:
    assert model.slope_1 is not None
    q, *h = variances
    a, b = model.mu_1[0] + 0.0 * q, model.slope_1[0]
    p11, p12, p22 = model.mu_1[1] ** 2, 0.0, model.slope_1[1] ** 2
    passed = _Passed([], [], [], [])
    for day, (y, kind) in enumerate(zip(model.y.tolist(), model.noise.tolist(), strict=True)):
        if y == y:
            f = p11 + h[kind]
            surprise = y - a
            gain1, gain2 = p11 / f, p12 / f
            a = a + gain1 * surprise
            b = b + gain2 * surprise
            passed.days.append((day, kind))
            passed.surprises.append(surprise)
            passed.variances.append(f)
            # Of the next day's state, to which the trend has carried this one.
            passed.gains.append((gain1 + gain2, gain2))
            p22 = p22 - gain2 * p12
            p11, p12 = gain1 * h[kind], gain2 * h[kind]
        a = a + b
        p12_next = p12 + p22
        p11 = p11 + p12 + p12_next
        p12, p22 = p12_next, p22 + q
    return passed


def _level_backward(passed: _Passed, variances: Sequence[Any], n_days: int) -> list[Any]:
    slopes = [0.0 * variance for variance in variances]
    r: Any = 0.0
    n: Any = 0.0
    place = len(passed.days) - 1
    for day in range(n_days - 1, -1, -1):
        slopes[0] = slopes[0] + 0.5 * (r * r - n)
        if place < 0 or passed.days[place][0] != day:
            continue
        kind, (gain,) = passed.days[place][1], passed.gains[place]
        precision = 1.0 / passed.variances[place]
        u = passed.surprises[place] * precision - gain * r
        d = precision + gain * gain * n
        slopes[1 + kind] = slopes[1 + kind] + 0.5 * (u * u - d)
        r = u + r
        n = precision + (1.0 - gain) * (1.0 - gain) * n
        place -= 1
    return slopes


def _trend_backward(passed: _Passed, variances: Sequence[Any], n_days: int) -> list[Any]:
    slopes = [0.0 * variance for variance in variances]
    r1: Any = 0.0
    r2: Any = 0.0
    n11: Any = 0.0
    n12: Any = 0.0
    n22: Any = 0.0
    place = len(passed.days) - 1
    for day in range(n_days - 1, -1, -1):
        slopes[0] = slopes[0] + 0.5 * (r2 * r2 - n22)
        m12, m22 = n11 + n12, n12 + n22
        if place < 0 or passed.days[place][0] != day:
            r2 = r1 + r2
            n12, n22 = m12, m12 + m22
            continue
        kind, (gain1, gain2) = passed.days[place][1], passed.gains[place]
        precision = 1.0 / passed.variances[place]
        kept = 1.0 - gain1
        u = passed.surprises[place] * precision - gain1 * r1 - gain2 * r2
        m11, m21 = gain1 * n11 + gain2 * n12, gain1 * n12 + gain2 * n22
        slopes[1 + kind] = slopes[1 + kind] + 0.5 * (u * u - precision - gain1 * m11 - gain2 * m21)
        r1, r2 = u + r1, r1 + r2
        n11 = precision + kept * (n11 - m11) - gain2 * (n12 - m21)
        n12 = kept * m12 - gain2 * m22
        n22 = m12 + m22
        place -= 1
    return slopes


def _log_density(surprises: Floats, variances: Floats) -> Floats:
    """Return the sums over days, ``n_points``, taken in the days' order whatever the number of points."""
    terms = np.log(variances) + surprises * surprises / variances
    total: Floats = -0.5 * (np.cumsum(terms, axis=0)[-1] if terms.shape[1] == 1 else terms.sum(axis=0))
    return total - 0.5 * len(terms) * _LOG_2_PI


def _or_minus_infinity(log_density: Floats, variances: Floats) -> Floats:
    """Replace what came of a day without variance, 0/0; NaN among the variances stays NaN."""
    return np.where(np.isnan(log_density) & np.isfinite(variances).all(axis=1), -np.inf, log_density)
