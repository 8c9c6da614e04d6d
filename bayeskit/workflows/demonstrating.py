"""Every model on shipped data, and what this machine has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bayeskit.core.paths import resource
from bayeskit.core.provenance import hardware, versions
from bayeskit.datasets.sources import SETS
from bayeskit.tasks import MODELS, Task, default_config_of
from bayeskit.toolchain import compile_program, describe, ensure_home
from bayeskit.workflows.fitting import Notify
from bayeskit.workflows.indexing import write_index
from bayeskit.workflows.saving import fit_to_folder

_FILES = ("labels", "nodes", "unobserved")  # options of loaders that name a file


def demo(out: Path, notify: Notify) -> Path:
    """Run every demonstration in the table of models on shipped data; write an index over the reports."""
    tasks = {
        demonstration: _task(name, file, load, options)
        for name, entry in MODELS.items()
        for demonstration, (file, load, options) in entry.demo.items()
    }
    _compile_side_by_side([task for task in tasks.values() if task.engine == "stan"], notify)
    for demonstration, task in tasks.items():
        notify(f"fitting {demonstration}")
        fit_to_folder(task, out / demonstration, overwrite=True, notify=notify)
    return write_index(out)


def _task(name: str, file: str, load: Mapping[str, Any], options: Mapping[str, Any]) -> Task:
    config = default_config_of(name, next(iter(MODELS[name].configs)), options)
    assert config is not None
    files = {option: shipped(value) for option, value in load.items() if option in _FILES}
    return Task(name, file if file in SETS else shipped(file), options, {**load, **files}, config)


def diagnosis() -> dict[str, str]:
    """Return what ``bayeskit doctor`` says, by topic: versions, machine, GPU, Stan."""
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none; Pyro runs on the CPU"
    return {**versions(), **hardware(), "gpu": gpu, **describe()}


def _compile_side_by_side(tasks: Sequence[Task], notify: Notify) -> None:
    """Each compilation takes one core."""
    home = ensure_home()
    programs = {task.build().program for task in tasks}
    notify("compiling the Stan programs, unless this was done before")
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda program: compile_program(resource("stan", program), home, (resource("stan"),)), programs))


def shipped(file: str) -> str:
    """Return the path of a file in ``data`` as the user would type it, where it lies below the folder they are in."""
    path = resource("data", file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
