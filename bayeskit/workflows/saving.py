"""From files to a run folder, and back: the fit, its assessment and its report, whole or not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bayeskit import runs
from bayeskit.core.errors import ReportError
from bayeskit.core.files import write_text
from bayeskit.core.types import Assessment, Fit
from bayeskit.datasets._problems import counted
from bayeskit.diagnostics.partitions import node_table
from bayeskit.models.bmf import BMF
from bayeskit.models.gmm import GMM
from bayeskit.models.sbm import SBM
from bayeskit.models.vae import VAE
from bayeskit.models.weather import WeatherModel
from bayeskit.tasks import Task
from bayeskit.workflows.drawing import Progress
from bayeskit.workflows.fitting import AnyTask, Notify, assess, fit
from bayeskit.workflows.indexing import told
from bayeskit.workflows.printing import Format, warn, write_figures


def report(fit: Fit, assessment: Assessment, path: str | Path, *, language: str = "en") -> Path:
    """Write the report, one self-contained HTML file, to ``path``, in a language that there is a catalogue for."""
    from bayeskit.reporting import render

    path = Path(path).expanduser()
    write_text(path, render(fit, assessment, language=language))
    return path


def save_run(
    fit: Fit, assessment: Assessment, out: str | Path, *, overwrite: bool = False, figures: Format | None = None
) -> Path:
    """Write the whole run folder: ``run.json``, ``posterior.nc``, ``summary.csv`` and ``report.html``.

    ``figures``, ``svg`` or ``png``, adds the report's figures for print, in the folder ``figures``.

    Raises
    ------
    ConfigError
        If the folder exists and ``overwrite`` is not given, or cannot be written.
    ReportError
        If the report cannot be made; the numbers are written all the same.
    """
    out = Path(out).expanduser()
    with runs.new_folder(out, overwrite=overwrite) as partial:
        problem = _write(fit, assessment, partial, figures=figures)
    _tell(problem, out)
    return out


def load_run(folder: str | Path) -> tuple[Fit, Assessment]:
    """Read a finished run folder back: its fit and its assessment."""
    return runs.load(Path(folder).expanduser(), assess)


def report_again(folder: Path, *, language: str = "en", figures: Format | None = None, notify: Notify = warn) -> Path:
    """Make ``report.html`` of a finished run anew, and its figures for print where they are asked for."""
    fit, assessment = runs.load(folder, assess)
    made = report(fit, assessment, folder / "report.html", language=language)
    if figures is not None:
        write_figures(fit, assessment, folder, figures, language=language, warn=notify)
    return made


def fit_to_folder(
    task: AnyTask,
    out: Path,
    *,
    overwrite: bool,
    notify: Notify,
    language: str = "en",
    figures: Format | None = None,
    progress: Progress | None = None,
    resumed: bool = False,
) -> Assessment:
    """Do what ``bayeskit fit`` and ``stan run`` do: from files to a run folder. ``notify`` hears of each step.

    The report is in ``language``, and so are its ``figures`` for print; all else, ``run.json`` too, is in English.
    A training keeps its state in the partial folder; ``resumed`` goes on from there.
    """
    model = task.build()
    if isinstance(model, WeatherModel | GMM | SBM | BMF | VAE):  # a program may still refuse its data, in one line
        notify(model.data.source.description)
        for note in model.data.source.notes:
            notify(note)
    if isinstance(model, GMM) and model.selection:
        notify(f"{model.spec.n_components} components, chosen by {model.options['criterion']}")
    if isinstance(model, SBM) and model.selection:
        sizes = list(model.spec.partitions.values())
        told = counted(sizes[0], "block") if len(sizes) == 1 else f"{sizes[0]} x {sizes[1]} blocks"
        notify(f"{told}, chosen by {model.options['criterion']}")
    with runs.new_folder(out, overwrite=overwrite, resumed=resumed) as partial, _telling(partial, out, notify):
        checkpoint = None
        if isinstance(task, Task) and isinstance(model, VAE):
            checkpoint = partial / runs.CHECKPOINT
            how = {"overwrite": overwrite, "language": language, "figures": figures}
            write_text(partial / runs.TASK, json.dumps({"task": task.record(), "folder": str(Path.cwd()), **how}))
        with runs.scratch(partial) as chains:
            fitted = fit(
                model, config=task.config, seed=task.seed, output_dir=chains, checkpoint=checkpoint, progress=progress
            )
        notify("assessing the draws and writing the report")
        assessment = assess(fitted)
        problem = _write(fitted, assessment, partial, language, figures, notify)
    _tell(problem, out)
    return assessment


@contextmanager
def _telling(partial: Path, out: Path, notify: Notify) -> Iterator[None]:
    """Say how to go on with a run that is stopped within the block, where it can be gone on with."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if (partial / runs.CHECKPOINT).exists():
            notify(f"stopped; 'bayeskit resume {out}' goes on from here")
        raise


def _write(
    fit: Fit,
    assessment: Assessment,
    folder: Path,
    language: str = "en",
    figures: Format | None = None,
    notify: Notify = warn,
) -> Exception | None:
    """Write the numbers, then the report and its figures; what goes wrong with the latter must not lose the former."""
    runs.save(fit, assessment, folder, told(fit, assessment), node_table(fit))
    try:
        report(fit, assessment, folder / "report.html", language=language)
        if figures is not None:
            write_figures(fit, assessment, folder, figures, language=language, warn=notify)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as problem:
        return problem
    return None


def _tell(problem: Exception | None, out: Path) -> None:
    if problem is not None:
        raise ReportError(
            f"the numbers are in {out}, the report could not be made ({problem}); 'bayeskit report {out}' tries again"
        ) from problem
