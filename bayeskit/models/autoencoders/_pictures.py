"""What is shown of an autoencoder of images: maps of its codes, ways from one image to another, and images it makes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import laplace, norm

from bayeskit.models.autoencoders._seen import Seen
from bayeskit.models.autoencoders.estimates import Rows, decode, encode, prior_codes

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]

MOST_CLASSES = 10
GENERATED = 100
_GRID, _GRID_OF_CLASS = 20, 12
_REACH = 0.02  # of the prior's probability, beyond the map on each side
_PAIRS, _WAY = 6, 11
_COMPLETED, _SAMPLES = 12, 6


def pictures_of(seen: Seen, rng: np.random.Generator) -> dict[str, Arrays]:
    """Return ``traversals``, ``manifold``, ``interpolation``, ``generated``, ``by_condition`` and ``completion``."""
    spec = seen.model.spec
    groups = {"traversals": seen.traversals(), "interpolation": _interpolation(seen, rng)}
    if spec.latent >= 2 and not spec.quadrants:
        groups["manifold"] = _manifold(seen)
    groups["generated"] = _generated(seen, rng)
    if seen.classes is not None and not spec.quadrants:
        groups["by_condition"] = _by_class(seen, rng)
    if spec.quadrants:
        groups["completion"] = _completion(seen, rng)
    return groups


def _manifold(seen: Seen) -> Arrays:
    """Return images on a grid of quantiles of the prior in the two codes that tell most; others are 0.

    The first of the two goes across, from left to right, and the second one up. With a class as condition there is a
    map of each.
    """
    spec = seen.model.spec
    size = _GRID if seen.classes is None else _GRID_OF_CLASS
    prior: Any = norm if spec.latent_prior == "normal" else laplace
    at = prior.ppf(np.linspace(_REACH, 1 - _REACH, size))
    across, down = seen.ranked[:2]
    codes = np.zeros((size, size, spec.latent))
    codes[..., across], codes[..., down] = at[np.newaxis], at[::-1, np.newaxis]
    flat = codes.reshape(size * size, -1)
    rows = seen.like(int(seen.shown[seen.typical]), len(flat))
    told: Arrays = {"at": at, "codes": np.array([across, down])}
    if seen.classes is None:
        return told | {"decoded": decode(seen.module, flat, rows)[0].reshape(size, size, *spec.shape)}
    maps = [decode(seen.module, flat, part)[0].reshape(size, size, *spec.shape) for part in _each_class(seen, rows)]
    return told | {"decoded": np.stack(maps), "class": _shown_classes(seen)}


def _interpolation(seen: Seen, rng: np.random.Generator) -> Arrays:
    """Return images on the way between the codes of pairs of rows, all given what is given of the first of them.

    Spherically, as in Shoemake (1985), doi:10.1145/325334.325242: a straight line passes nearer to 0 than normal codes
    of many dimensions ever lie.
    """
    pairs = _pairs(seen, rng)
    start, end = (encode(seen.module, seen.rows.take(places))[0] for places in pairs.T)
    rows = seen.rows.take(np.repeat(pairs[:, 0], _WAY))
    ways = np.linspace(0.0, 1.0, _WAY)[np.newaxis, :, np.newaxis]
    found = {}
    for name, codes in (("linear", _straight(start, end, ways)), ("spherical", _around(start, end, ways))):
        made, _ = decode(seen.module, codes.reshape(len(rows), -1), rows)
        found[name] = made.reshape(len(pairs), _WAY, *made.shape[1:])
    return found


def _pairs(seen: Seen, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return pairs of rows, of different labels where there are any."""
    labels = seen.model.data.labels
    found: list[tuple[int, int]] = []
    for _ in range(20 * _PAIRS):
        first, second = (int(place) for place in rng.choice(seen.judged, 2))
        if first != second and (labels is None or labels[first] != labels[second]):
            found.append((first, second))
        if len(found) == _PAIRS:
            break
    return np.array(found or [(int(seen.judged[0]), int(seen.judged[-1]))])


def _straight(start: Floats, end: Floats, ways: Floats) -> Floats:
    return start[:, np.newaxis] * (1 - ways) + end[:, np.newaxis] * ways


def _around(start: Floats, end: Floats, ways: Floats) -> Floats:
    """Return codes on the great circle through two; a straight line where they point the same or the opposite way."""
    lengths = [np.linalg.norm(codes, axis=1, keepdims=True) for codes in (start, end)]
    cosine = (start * end).sum(axis=1, keepdims=True) / np.maximum(lengths[0] * lengths[1], 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))[:, np.newaxis]
    sine = np.sin(angle)
    straight = sine < 1e-6
    safe = np.where(straight, 1.0, sine)
    around = (np.sin((1 - ways) * angle) * start[:, np.newaxis] + np.sin(ways * angle) * end[:, np.newaxis]) / safe
    return np.where(straight, _straight(start, end, ways), around)


def _generated(seen: Seen, rng: np.random.Generator) -> Arrays:
    """Return images of codes from the prior, given what is given of rows that were held out."""
    source = np.resize(seen.judged, GENERATED)
    rows = seen.rows.take(source)
    mean, drawn = decode(seen.module, prior_codes(seen.module, rows, rng), rows, rng)
    assert drawn is not None
    return {"mean": mean, "drawn": drawn, **seen.given(source)}


def _by_class(seen: Seen, rng: np.random.Generator, number: int = 10) -> Arrays:
    """Return images of each class, all of the same codes from the prior."""
    rows = seen.like(int(seen.shown[seen.typical]), number)
    codes = prior_codes(seen.module, rows, rng)
    made = [decode(seen.module, codes, part)[0] for part in _each_class(seen, rows)]
    return {"mean": np.stack(made), "class": _shown_classes(seen)}


def _completion(seen: Seen, rng: np.random.Generator) -> Arrays:
    """Return images of which quadrants are given, completed in several ways."""
    spec = seen.model.spec
    chosen = seen.judged[:_COMPLETED]
    rows = seen.rows.take(chosen)
    original = seen.module.unscaled(rows.values.numpy())
    given = original.reshape(len(chosen), -1).copy()
    given[:, seen.module.hidden_places.numpy()] = np.nan
    repeated = rows.take(np.repeat(np.arange(len(chosen)), _SAMPLES))
    made, _ = decode(seen.module, prior_codes(seen.module, repeated, rng), repeated)
    completed = made.reshape(len(chosen), _SAMPLES, *spec.shape)
    return {"given": given.reshape(original.shape), "completed": completed, "original": original}


def _shown_classes(seen: Seen) -> NDArray[np.str_]:
    assert seen.classes is not None
    return np.array(seen.classes.classes[:MOST_CLASSES], dtype=str)


def _each_class(seen: Seen, rows: Rows) -> list[Rows]:
    assert seen.classes is not None
    number = len(_shown_classes(seen))
    return [seen.with_condition(rows, seen.classes.name, np.full(len(rows), code)) for code in range(number)]
