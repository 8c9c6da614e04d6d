"""A finished run put to use: what it says of new data, and data drawn from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import Fit
from bayeskit.datasets._graph_cells import text_of
from bayeskit.datasets._problems import counted, listed
from bayeskit.datasets.examples import Examples
from bayeskit.diagnostics.weighted import draw_weights
from bayeskit.models.blocks.prediction import predict_pairs
from bayeskit.models.mixtures.parameters import Components
from bayeskit.models.mixtures.prediction import components_in_units, generate_points, predict_points
from bayeskit.tasks.fitting import check_seed
from bayeskit.workflows.catalogue import read_pairs
from bayeskit.workflows.fitting import Notify
from bayeskit.workflows.generating import (
    generate_examples,
    generate_examples_to_file,
    predict_examples,
    predict_examples_to_file,
)
from bayeskit.workflows.recommending import predict_pairs_of
from bayeskit.workflows.saving import load_run
from bayeskit.workflows.tables import (
    Results,
    beside,
    check_out,
    formatted,
    texts_of,
    values_of,
    write_results,
    write_table,
)

if TYPE_CHECKING:
    import pandas as pd

    from bayeskit.workflows.tables import Data

Floats = NDArray[np.float64]

MOST_POINTS = 10_000_000
UNUSUAL = 0.99  # an anomaly score that is worth a word
_RESAMPLED = 4000  # of weighted draws
_PAIR = ("source", "target")


@dataclass(frozen=True)
class Use:
    """What a model's finished runs are good for.

    Parameters
    ----------
    columns
        The names of the columns of the data that a fit knows.
    read
        Takes a fit and new data, and returns all their columns as they are, the values that count, ``n_rows x ...``,
        and what each row is called.
    predict
        Takes a fit, these values, and a stream, and returns columns of results by name, ``n_rows`` each.
    generate
        Takes a fit, a number of rows, and a stream, and returns columns; None where runs generate no rows.
    """

    columns: Callable[[Fit], tuple[str, ...]]
    read: Callable[[Fit, Data], tuple[pd.DataFrame, NDArray[Any], NDArray[np.generic]]]
    predict: Callable[[Fit, NDArray[Any], np.random.Generator], Results]
    generate: Callable[[Fit, int, np.random.Generator], Results] | None


def predict(
    run: Fit | str | os.PathLike[str], data: pd.DataFrame | Examples | str | os.PathLike[str], *, seed: int = 1
) -> pd.DataFrame:
    """Return what a finished run says of new data.

    Parameters
    ----------
    run
        A fit, or the folder of a finished run.
    data
        A data frame, or a CSV or Parquet file; of an autoencoder of images as ``load_examples`` or ``examples`` take
        them. Columns are taken by their names, in any order; where a value is missing, the others tell what they can
        (an autoencoder refuses such rows).
    seed
        For what is estimated by simulation, the anomaly score and the bound.

    Returns
    -------
    pandas.DataFrame
        One row for each row of the data, in their order: all of its columns as they are, and behind them those of the
        results; a name that the data have already gets a ``_``. Of a mixture: ``component``, the likeliest one, from 1;
        ``certainty``, the chance that it is this one; ``p_1``, ``p_2`` and so on, the chance of each component (mean
        over the posterior), with ``p_1_low`` and ``p_1_high``, 5 % and 95 % of it (not of a point estimate);
        ``log_density``; and ``anomaly``, from 0 to 1: the chance that a new point of the same mixture has a higher
        density, so that 0.99 means that one in a hundred is as unusual. Of a block model, of the pairs of nodes that
        ``source`` and ``target`` name: ``expected_weight``, the chance of an edge or the mean count; its 95 % interval
        from ``low`` to ``high``; ``source_block`` and ``target_block``, the likeliest ones, from 1. Of a factorisation,
        of pairs of a user and an item: ``mean``, ``low``, ``high`` and ``chance``, as ``recommend`` has them (the mean
        alone of a point estimate); and ``known``, of which of the two there were training ratings, ``both``, ``user``,
        ``item`` or ``neither``: another one is taken for any of its kind. Of an autoencoder ``code_1``, ``code_1_sd``
        and so on; of a table each column with ``_reconstructed``, of images ``rmse``, in grey from 0 to 1; ``elbo``,
        nats; and of a conditional one ``outside``, whether conditions lie outside those of the training.

    Raises
    ------
    ConfigError
        If runs of this model do not predict.
    DataError
        If a column is missing or holds text or infinite values, or names of nodes that the run has not, or the run has
        no draws.
    """
    check_seed(seed)
    fit = _loaded(run)
    if fit.provenance.card.autoencoder is not None:
        return predict_examples(fit, data, seed)
    use = _use(fit, "predict new data")
    frame, values, _ = use.read(fit, data)  # type: ignore[arg-type]
    return beside(frame, use.predict(fit, values, np.random.default_rng([seed, 2])))


def generate(
    run: Fit | str | os.PathLike[str], n: int = 1000, *, seed: int = 1, conditions: Mapping[str, Any] | None = None
) -> pd.DataFrame | Examples:
    """Return new data drawn from a finished run: from its posterior predictive distribution.

    Parameters
    ----------
    run
        A fit, or the folder of a finished run.
    n
        How many rows.
    seed
        Of the stream.
    conditions
        Of a conditional autoencoder, numbers or classes by name.

    Returns
    -------
    pandas.DataFrame, Examples
        The columns of the data that the run was fitted to, and behind them, of a mixture, ``component``: which made the
        point, from 1; of a conditional autoencoder the conditions, and ``outside``, whether these lie outside those of
        the training. Of images ``Examples``: what the decoder expects of codes drawn from the prior.

    Raises
    ------
    ConfigError
        If runs of this model generate nothing, or ``n`` is out of range.
    DataError
        If the run has no draws.
    """
    import pandas as pd

    check_seed(seed)
    _check_n(n)
    fit = _loaded(run)
    if fit.provenance.card.autoencoder is not None:
        return generate_examples(fit, n, seed, conditions or {})
    use = _use(fit, "generate data")
    assert use.generate is not None
    if conditions:
        raise ConfigError(f"a run of {fit.provenance.model} is given no conditions; leave --condition out")
    made = use.generate(fit, n, np.random.default_rng([seed, 3]))
    data = pd.DataFrame({name: made[name] for name in use.columns(fit)})
    return beside(data, {name: column for name, column in made.items() if name not in data})


def predict_to_file(
    run: Path, data: str, out: Path, *, overwrite: bool = False, seed: int = 1, notify: Notify | None = None
) -> Path:
    """Write what a finished run says of new data to a CSV file. ``notify`` hears what is worth a word."""
    check_seed(seed)
    check_out(out, run, overwrite, Path(data).expanduser())
    fit = _loaded(run)
    if fit.provenance.card.autoencoder is not None:
        return predict_examples_to_file(fit, data, out, seed, notify or (lambda text: None))
    use = _use(fit, "predict new data")
    frame, values, rows = use.read(fit, Path(data).expanduser())
    results = use.predict(fit, values, np.random.default_rng([seed, 2]))
    if notify is not None:
        for line in _told(values, rows, results):
            notify(line)
    write_table(beside(frame, {name: formatted(column) for name, column in results.items()}), out)
    return out


def generate_to_file(
    run: Path,
    n: int,
    out: Path | None,
    *,
    overwrite: bool = False,
    seed: int = 1,
    conditions: Mapping[str, Any] | None = None,
    notify: Notify | None = None,
) -> Path:
    """Write data drawn from a finished run to a CSV file, or images to an .npz or .png file."""
    fit = _loaded(run)
    card = fit.provenance.card.autoencoder
    place = out or Path("generated.csv" if card is None or card.columns else "generated.npz")
    check_out(place, run, overwrite)
    if card is not None:
        _check_n(n)
        check_seed(seed)
        return generate_examples_to_file(fit, n, place, seed, conditions or {}, notify or (lambda text: None))
    made = generate(fit, n, seed=seed, conditions=conditions)
    assert not isinstance(made, Examples)
    return write_results(made, place)


def _check_n(n: int) -> None:
    if not 1 <= n <= MOST_POINTS:
        raise ConfigError(f"n must lie between 1 and {MOST_POINTS:,}, got {n}")


def _mixture_columns(fit: Fit) -> tuple[str, ...]:
    return tuple(str(name) for name in fit.posterior["posterior"]["column"].to_numpy())


def _predict_mixture(fit: Fit, values: Floats, rng: np.random.Generator) -> Results:
    found = predict_points(_components(fit, rng), values, rng=rng)
    columns: dict[str, NDArray[np.generic]] = {"component": found.component, "certainty": found.certainty}
    for k in range(found.responsibility.shape[1]):
        columns[f"p_{k + 1}"] = found.responsibility[:, k]
        if found.low is not None and found.high is not None:
            columns |= {f"p_{k + 1}_low": found.low[:, k], f"p_{k + 1}_high": found.high[:, k]}
    return {**columns, "log_density": found.log_density, "anomaly": found.anomaly}


def _generate_mixture(fit: Fit, n: int, rng: np.random.Generator) -> Results:
    points, labels = generate_points(_components(fit, rng), n, rng=rng)
    names = _mixture_columns(fit)
    own = "component" if "component" not in names else "component_"
    return {**dict(zip(names, points.T, strict=True)), own: labels}


def _components(fit: Fit, rng: np.random.Generator) -> Components:
    """Return the draws, of equal weight."""
    components = components_in_units(fit.posterior["posterior"].to_dataset())
    if fit.provenance.kind != "weighted":
        return components
    weights = draw_weights(fit)
    if isinstance(weights, str):
        raise DataError(f"the run's draws cannot be weighted ({weights}); fit again")
    return components[rng.choice(len(components.weights), _RESAMPLED, p=weights.weights)]


def _read_pairs(fit: Fit, data: Data) -> tuple[pd.DataFrame, NDArray[Any], NDArray[np.generic]]:
    """Return the positions of the nodes that the columns ``source`` and ``target`` name, ``n_rows x 2``."""
    frame, rows, place = texts_of(data)
    lacking = [name for name in _PAIR if name not in frame]
    if lacking:
        raise place.error(f"there is no column {listed(lacking)}", f"it needs {' and '.join(_PAIR)}, names of nodes")
    positions = {str(name): at for at, name in enumerate(np.asarray(fit.posterior["derived"]["node"]))}
    found = np.empty((len(frame), 2), dtype=np.int64)
    for side, column in enumerate(_PAIR):
        names = [text_of(cell) for cell in frame[column]]
        unknown = [(rows[at], name) for at, name in enumerate(names) if name not in positions]
        if unknown:
            raise place.error("no node of the run has this name", "correct it", column=column, cells=unknown)
        found[:, side] = [positions[name] for name in names]
    return frame, found, rows


def _predict_pairs(fit: Fit, values: NDArray[Any], rng: np.random.Generator) -> Results:
    return predict_pairs(fit.posterior, values[:, 0], values[:, 1])


def _read_points(fit: Fit, data: Data) -> tuple[pd.DataFrame, NDArray[Any], NDArray[np.generic]]:
    return values_of(data, _mixture_columns(fit))


USES: Mapping[str, Use] = {
    "gmm": Use(_mixture_columns, _read_points, _predict_mixture, _generate_mixture),
    "sbm": Use(lambda fit: _PAIR, _read_pairs, _predict_pairs, None),
    "bmf": Use(lambda fit: ("user", "item"), read_pairs, lambda fit, pairs, rng: predict_pairs_of(fit, pairs), None),
}
"""By the name of the model."""


def _loaded(run: Fit | str | os.PathLike[str]) -> Fit:
    return run if isinstance(run, Fit) else load_run(Path(run))[0]


def _use(fit: Fit, what: str) -> Use:
    model = fit.provenance.model
    able = [name for name, use in USES.items() if what.startswith("predict") or use.generate is not None]
    if model not in able:
        raise ConfigError(f"a run of {model} cannot {what}; runs of {', '.join([*able, 'vae', 'cvae'])} can")
    if not fit.has_draws:
        why = " ".join(str(text) for text in fit.missing) or "There are no draws."
        raise DataError(f"the run has nothing to {what} with. {why} Fit again")
    return USES[model]


def _told(values: Floats, rows: NDArray[np.generic], results: Results) -> list[str]:
    told = []
    if "known" in results:
        n_others = int(np.sum(np.asarray(results["known"]) != "both"))
        if n_others:
            what = "a user or an item that the run has no ratings of, which is taken for any"
            told.append(f"{counted(n_others, 'row')} with {what}")
        return told
    empty = np.isnan(values).all(axis=1)
    if empty.any():
        what = "none of the columns, so that only the weights tell where they belong"
        told.append(f"{counted(int(empty.sum()), 'row')} with {what}: {listed(rows[empty])}")
    if "anomaly" in results:
        scores = np.asarray(results["anomaly"], dtype=float)
        many = int((scores > UNUSUAL).sum())
        expected = (1 - UNUSUAL) * int((~np.isnan(scores)).sum())
        told.append(
            f"{counted(len(scores), 'point')}, {many:,} with an anomaly score above {UNUSUAL:g} "
            f"({expected:.3g} would be if they came from this mixture)"
        )
    return told
