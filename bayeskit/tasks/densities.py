"""A run of one of the shipped targets, or of a model that a Python file makes."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError
from bayeskit.models.bmf import BMF, few_ratings
from bayeskit.models.density import DensityModel
from bayeskit.models.gmm import GMM, three_groups
from bayeskit.models.pyro_program import PyroProgram
from bayeskit.models.references import load_model
from bayeskit.models.sbm import SBM, six_nodes
from bayeskit.models.targets import TARGETS, Target
from bayeskit.models.vae import VAE
from bayeskit.tasks import templates
from bayeskit.tasks.engines import ENGINES, AnyConfig, configured, engine_of
from bayeskit.tasks.fitting import check_seed, command_options, script_of
from bayeskit.tasks.models import MODELS, default_config_of

AnyDensity = DensityModel | PyroProgram | GMM | SBM | BMF | Target
DEFAULT_ENGINES: dict[type, str] = {
    DensityModel: "metropolis",
    PyroProgram: "nuts",
    GMM: "gibbs",
    SBM: "vb",
    BMF: "gibbs",
    VAE: "amortised",
}
"""Of all other models, Stan."""
MADE_UP: Mapping[str, Callable[[], AnyDensity]] = {"gmm": three_groups, "sbm": six_nodes, "bmf": few_ratings}
"""The cross-check's names of three groups of points, of a graph of six nodes, and of what five gave to four."""


@dataclass(frozen=True)
class DensityTask:
    """What a run of a density was asked for; the command, the script and ``run.json`` all follow from it.

    Parameters
    ----------
    target
        A key of ``TARGETS``, or ``FILE.py:NAME``; empty for a model made in a script, which no command can repeat.
    config
        Which engine runs, and how.
    seed
        Of the run.

    Raises
    ------
    ConfigError
        For a seed out of range.
    """

    target: str
    config: AnyConfig
    seed: int = 1

    def __post_init__(self) -> None:
        check_seed(self.seed)

    @classmethod
    def of(cls, target: str, engine: str | None, given: Mapping[str, Any], seed: int) -> DensityTask:
        """Return the task of a command's options, of which None was not given; the engine is the model's own then."""
        found = model_of(target)
        name = engine or DEFAULT_ENGINES.get(type(found), "stan")
        return cls(target, configured(name, given, default_config(found, name)), seed)

    @property
    def engine(self) -> str:
        """What draws."""
        return engine_of(self.config)

    @property
    def default_name(self) -> str:
        """Name of the run folder where none is given."""
        file, _, name = self.target.rpartition(":")
        return "-".join([*([Path(file).stem] if file else []), name, self.engine])

    @property
    def settings(self) -> dict[str, Any]:
        """What ``run.json`` keeps of the options."""
        return self.config.model_dump()

    def build(self) -> AnyDensity:
        """Find the target, or read the file."""
        return model_of(self.target)

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        if not self.target:
            return ""
        base = default_config(self.build(), self.engine) or type(self.config)()
        options = command_options({**self.settings, "seed": self.seed}, base.model_dump())
        return shlex.join(["bayeskit", "fit", self.target, "--engine", self.engine, *options])

    def script(self, out: Path, *, overwrite: bool = True, strict: bool = False) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        return script_of(self, self.model_script(), "", out, overwrite=overwrite, strict=strict) if self.target else ""

    def model_script(self) -> str:
        """Return the part of a script that finds the model."""
        function = "target" if self.target in TARGETS else "load_model"
        return templates.DENSITY.format(build=f"bk.{function}({self.target!r})")


def model_of(reference: str) -> AnyDensity:
    """Return a shipped target, or the model that a Python file makes.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if reference in TARGETS:
        return TARGETS[reference]
    if reference in MADE_UP:
        return MADE_UP[reference]()
    if ":" in reference:
        return load_model(reference)
    if reference in MODELS:
        raise ConfigError(f"there is no {reference} without data; fit one to a file (bayeskit fit {reference} DATA)")
    known = ", ".join([*MODELS, *TARGETS])
    raise ConfigError(f"there is no model or target '{reference}'; choose from {known}, or give FILE.py:NAME")


def default_config(model: AnyDensity, engine: str) -> AnyConfig | None:
    """Return how an engine runs on a model unless told otherwise, None for the engine's own way."""
    if isinstance(model, GMM | SBM | BMF):
        return default_config_of(model.name, engine, model.options)
    if not isinstance(model, Target) or engine not in ENGINES:
        return None
    return ENGINES[engine](**model.settings.get(engine, {}))


def targets_told() -> dict[str, str]:
    """Return the titles of the shipped targets by name."""
    made_up = {name: made() for name, made in MADE_UP.items()}
    return {name: one.card().title for name, one in {**TARGETS, **made_up}.items()}
