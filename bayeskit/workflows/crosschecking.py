"""The same posterior by several engines, compared: whether they agree, and whether those that fail say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bayeskit import runs
from bayeskit.core.errors import ConfigError
from bayeskit.core.files import write_text
from bayeskit.core.language import say
from bayeskit.core.paths import resource
from bayeskit.core.provenance import hardware, versions
from bayeskit.core.types import Assessment, Fit
from bayeskit.diagnostics import agreement
from bayeskit.diagnostics.agreement import Crosscheck, Expected, TargetResults
from bayeskit.models.bmf import BMF
from bayeskit.models.density import DensityModel
from bayeskit.models.gmm import GMM
from bayeskit.models.pyro_program import PyroProgram
from bayeskit.models.sbm import SBM
from bayeskit.models.targets import TARGETS, Target
from bayeskit.tasks import MADE_UP, AnyDensity, CrosscheckTask, model_of
from bayeskit.toolchain import compile_program, ensure_home
from bayeskit.workflows.fitting import Notify, assess, fit

FILES = ("crosscheck.json", "report.html")
_OWN_ENGINES: Mapping[type, tuple[str, ...]] = {
    DensityModel: ("metropolis", "importance", "smc"),
    PyroProgram: ("nuts", "metropolis", "importance", "smc"),
    GMM: ("gibbs", "nuts", "stan", "metropolis"),
    SBM: ("exact", "gibbs", "nuts"),
    BMF: ("gibbs", "nuts"),
}
_FEW = 8  # free parameters of a mixture, up to which a sampler that knows nothing of its form finds its way


def crosscheck(
    targets: str | AnyDensity | Sequence[str | AnyDensity] = (), *, seed: int = 1, notify: Notify | None = None
) -> Crosscheck:
    """Draw from each target with every engine that can, and compare.

    Parameters
    ----------
    targets
        Names of shipped targets, ``FILE.py:NAME``, or models from ``density``, ``pyro_program``, ``gmm`` and ``sbm``;
        all that are shipped unless given.
    seed
        Of every engine.
    notify
        Hears of the progress.

    Returns
    -------
    Crosscheck
        The matrix of targets and engines, and every comparison. ``passed`` says whether each cell came out as it must:
        agreeing, or flagged by its own checks where the engine is known to fail.

    Raises
    ------
    ConfigError
        For an unknown target.
    """
    tell = notify or (lambda _: None)
    asked = [targets] if isinstance(targets, str | AnyDensity) else list(targets)
    models = [model_of(one) if isinstance(one, str) else one for one in asked or [*TARGETS, *MADE_UP]]
    _compile([model for model in models if isinstance(model, Target)], tell)
    return agreement.crosscheck({_name(model): _results(model, seed, tell) for model in models}, seed=seed)


def crosscheck_to_folder(
    task: CrosscheckTask, out: Path, *, overwrite: bool, notify: Notify, language: str = "en"
) -> Crosscheck:
    """Do what ``bayeskit crosscheck`` does: a folder with ``crosscheck.json`` and a page."""
    from bayeskit.reporting.crosscheck_page import render_crosscheck

    with runs.new_folder(out, overwrite=overwrite, files=FILES) as partial:
        found = crosscheck(task.targets, seed=task.seed, notify=notify)
        record = {"command": task.command(), "versions": versions(), "hardware": hardware()} | found.record()
        write_text(partial / "crosscheck.json", json.dumps(record, indent=2, ensure_ascii=False))
        page = render_crosscheck(found, command=task.command(), language=language)
        write_text(partial / "report.html", page)
    return found


def _name(model: AnyDensity) -> str:
    """Return what tells a target from all others: two functions may have one name."""
    return model.name if isinstance(model, Target) else model.reference or model.name


def _results(model: AnyDensity, seed: int, tell: Callable[[str], None]) -> TargetResults:
    if isinstance(model, Target):
        expected: Mapping[str, Expected] = {
            engine: Expected(cell.outcome, cell.reason, cell.by) for engine, cell in model.expected.items()
        }
    else:
        expected = dict.fromkeys(_OWN_ENGINES[type(model)], Expected("agree"))
        if isinstance(model, GMM) and model.spec.n_parameters > _FEW:
            lost = say("it gets lost among so many parameters as this mixture has")
            expected |= {"metropolis": Expected("none", lost)}
    results: dict[str, tuple[Fit, Assessment] | str] = {}
    cells = dict(expected)
    for engine, cell in expected.items():
        if cell.outcome == "none":
            continue
        tell(f"{_name(model)}: {engine}")
        try:
            results[engine] = _result(model, engine, seed)
        except ConfigError as error:  # the engine cannot draw from such a model
            if isinstance(model, Target):
                raise
            cells[engine] = Expected("none", str(error))
    title = model.card().title if isinstance(model, Target | GMM | SBM | BMF) else model.name
    return TargetResults(results, cells, title=title)


def _result(model: AnyDensity, engine: str, seed: int) -> tuple[Fit, Assessment] | str:
    """Return a fit with its assessment, or why there is none."""
    try:
        fitted = fit(model, engine=engine, seed=seed)
        return fitted, assess(fitted)
    except ConfigError:
        raise
    except Exception as error:  # one cell must not cost all others
        told = " ".join(str(error).split())
        return told if hasattr(error, "exit_status") else f"{type(error).__name__}: {told}"


def _compile(targets: Sequence[Target], tell: Callable[[str], None]) -> None:
    """Each compilation takes one core."""
    programs = sorted({target.program for target in targets if target.expected["stan"].outcome != "none"})
    if not programs:
        return
    tell("compiling the Stan programs, unless this was done before")
    home = ensure_home()
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda program: compile_program(resource("stan", program), home, (resource("stan"),)), programs))
