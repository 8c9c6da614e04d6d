"""What a run can be asked for: the table of models, and a task with the command and the script that repeat it."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError
from bayeskit.datasets.weather import load_weather
from bayeskit.inference.stan import StanConfig
from bayeskit.models.weather import weather


@dataclass(frozen=True)
class ModelEntry:
    """One row of the table of models.

    Parameters
    ----------
    load, build
        Functions of the public API: one reads the file, the other makes a model of the data.
    engines
        What can fit it, the default first.
    demo
        Data file in ``data/`` and options, one row a demonstration.
    """

    load: Callable[..., Any]
    build: Callable[..., Any]
    engines: tuple[str, ...]
    demo: tuple[tuple[str, Mapping[str, Any]], ...]


MODELS = {
    "weather": ModelEntry(
        load=load_weather,
        build=weather,
        engines=("stan",),
        demo=(
            ("seattle-weather.csv", {"model": "level"}),
            ("seattle-weather.csv", {"model": "trend", "rain": "noise"}),
        ),
    )
}


@dataclass(frozen=True)
class Task:
    """What a run was asked for; the command, the script and ``run.json`` all follow from it.

    Parameters
    ----------
    name
        A key of ``MODELS``.
    data
        Path of the file.
    options, load_options
        The model's and the loader's own options.
    engine, config, seed, device
        What draws, how, and on what.

    Raises
    ------
    ConfigError
        For an engine that cannot fit the model or run on the device, or a seed out of range.
    """

    name: str
    data: str
    options: Mapping[str, Any]
    load_options: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "stan"
    config: StanConfig = field(default_factory=StanConfig)
    seed: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        engines = MODELS[self.name].engines
        if self.engine not in engines:
            raise ConfigError(f"engine '{self.engine}' cannot fit {self.name}; choose from {', '.join(engines)}")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must lie between 0 and {2**32 - 1}, got {self.seed}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"device '{self.device}' is unknown; choose from auto, cpu, cuda")
        if self.device == "cuda" and self.engine == "stan":
            raise ConfigError("engine stan runs on the CPU; leave --device out, or give --device cpu")

    def build(self) -> Any:
        """Read the file and make the model."""
        entry = MODELS[self.name]
        return entry.build(entry.load(self.data, **self.load_options), **self.options)

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        entry = MODELS[self.name]
        defaults = {**_defaults(entry.load), **_defaults(entry.build), **StanConfig().model_dump()}
        given = {**self.options, **self.load_options, **self.config.model_dump()}
        words = ["bayeskit", "fit", self.name, self.data]
        words += [] if self.engine == entry.engines[0] else ["--engine", self.engine]
        for option, value in {**given, "seed": self.seed}.items():
            if value in (None, [], ()) or (option in defaults and defaults[option] == value):
                continue
            for single in value if isinstance(value, list | tuple) else [value]:
                words += [f"--{option.replace('_', '-')}", str(single)]
        return shlex.join(words)

    def script(self, out: Path, *, overwrite: bool = True, strict: bool = False) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        entry = MODELS[self.name]
        load = "".join(f", {name}={value!r}" for name, value in self.load_options.items() if value is not None)
        options = "".join(f"    {name}={value!r},\n" for name, value in self.options.items())
        config = "".join(f"        {name}={value!r},\n" for name, value in self.config.model_dump().items())
        flags = f"--out {shlex.quote(str(out))}{' --overwrite' if overwrite else ''}{' --strict' if strict else ''}"
        return _SCRIPT.format(
            command=f"{self.command()} {flags}",
            load=f"bk.{entry.load.__name__}({self.data!r}{load})",
            build=f"bk.{entry.build.__name__}(\n    data,\n{options})",
            engine=self.engine,
            config=f"bk.{type(self.config).__name__}(\n{config}    )",
            seed=self.seed,
            out=str(out),
            overwrite=overwrite,
            strict=_STRICT if strict else "",
        )


_SCRIPT = """# The same as: {command}

import bayeskit as bk

# Read and check the file; print(data) shows what was found.
data = {load}

# The model: its structure and its priors; print(model.priors) shows the scales that were computed from the data.
model = {build}

# Draw from the posterior; fit.posterior is an xarray DataTree, ready for ArviZ.
fit = bk.fit(
    model,
    engine={engine!r},
    config={config},
    seed={seed},
)

# Is it to be believed? Each check has a number, a limit and a remedy.
assessment = bk.assess(fit)
print(assessment)

# Keep everything: run.json, posterior.nc, summary.csv and report.html. To overwrite replaces an earlier run there.
bk.save_run(fit, assessment, {out!r}, overwrite={overwrite})
{strict}"""

_STRICT = """
# Tell the shell where a check failed.
raise SystemExit(0 if assessment.passed else 3)
"""


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
