"""The pass over the points as tensor operations, for a GPU; the same sums as ``_em_passes`` makes in NumPy.

On a CPU, NumPy's calls cost less, which is what counts with few points, and with many its products take as long.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from bayeskit.models.mixtures._em_rows import Floats, Rows, Scaling

_BLOCK = 1 << 25  # numbers: a quarter of a gigabyte

_on_device: WeakKeyDictionary[Rows, Any] = WeakKeyDictionary()


def weighted_sums(
    rows: Rows, scaling: Scaling, coefficients: Floats, *, dense: bool, device: str
) -> tuple[Floats, float]:
    """Return what ``_em_passes.weighted_sums`` returns."""
    import torch

    with torch.inference_mode():
        values, on_device = _moved(rows, scaling, device), torch.as_tensor(coefficients, device=device)
        sums = torch.zeros_like(on_device)
        total = torch.zeros((), dtype=torch.float64, device=device)
        block = max(64, _BLOCK // coefficients.shape[2])
        for first in range(0, len(rows.values), block):
            last = min(first + block, len(rows.values))
            features = _features(values[:, first:last], dense=dense)
            segments = list(rows.segments(first, last))
            parts = [on_device[pattern] @ features[:, begin:end] for pattern, begin, end in segments]
            log_joint = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
            log_likelihood = log_joint.logsumexp(dim=0)
            total += log_likelihood.sum()
            responsibilities = log_joint.sub_(log_likelihood).exp_()
            for pattern, begin, end in segments:
                sums[pattern].addmm_(responsibilities[:, begin:end], features[:, begin:end].T)
        return sums.cpu().numpy(), float(total)


def _features(coordinates: Any, *, dense: bool) -> Any:
    """Return the features in the order of ``_em_rows.make_features``."""
    import torch

    one = torch.ones_like(coordinates[:1])
    if not dense:
        return torch.cat([one, coordinates, coordinates**2])
    rows, columns = torch.triu_indices(len(coordinates), len(coordinates), device=coordinates.device)
    return torch.cat([one, coordinates, coordinates[rows] * coordinates[columns]])


def _moved(rows: Rows, scaling: Scaling, device: str) -> Any:
    """Return scaled coordinates on the device, ``n_columns x n_points``, 0 where missing; moved once."""
    import torch

    if rows not in _on_device:
        values = torch.tensor(rows.values, dtype=torch.float64, device=device)
        shift, scale = (torch.tensor(array, device=device) for array in (scaling.shift, scaling.scale))
        _on_device[rows] = ((values - shift) / scale).nan_to_num_(nan=0.0).T.contiguous()
    return _on_device[rows]
