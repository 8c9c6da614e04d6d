"""What a run can be asked for: the table of models, and a task with the command and the script that repeat it."""

from __future__ import annotations

import inspect
import shlex
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError
from bayeskit.datasets.weather import load_weather
from bayeskit.inference.stan import CONFIGS, AnyConfig, StanConfig
from bayeskit.models.program import StanProgram, stan_program
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


MOST_SIMULATIONS = 4000
MOST_FROM_ONE_FIT = 1000
"""Of a posterior calibration: more truths from one fit would no longer be as good as independent."""
CALIBRATION_CONFIG = StanConfig(chains=2, warmup=500, draws=500)
"""How the engine runs in each simulation of a calibration unless told otherwise."""

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
        For an engine that cannot fit the model or run on the device, another config, or a seed out of range.
    """

    name: str
    data: str
    options: Mapping[str, Any]
    load_options: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "stan"
    config: AnyConfig = field(default_factory=StanConfig)
    seed: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        engines = MODELS[self.name].engines
        if self.engine not in engines:
            raise ConfigError(f"engine '{self.engine}' cannot fit {self.name}; choose from {', '.join(engines)}")
        if not isinstance(self.config, StanConfig):
            raise ConfigError(f"{self.name} is fitted by NUTS; give a StanConfig, not a {type(self.config).__name__}")
        _check_seed(self.seed)
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"device '{self.device}' is unknown; choose from auto, cpu, cuda")
        if self.device == "cuda" and self.engine == "stan":
            raise ConfigError("engine stan runs on the CPU; leave --device out, or give --device cpu")

    @property
    def settings(self) -> dict[str, Any]:
        """What ``run.json`` keeps of the options."""
        return {**self.load_options, **self.options, **self.config.model_dump(), "device": "cpu"}

    def build(self) -> Any:
        """Read the file and make the model."""
        entry = MODELS[self.name]
        return entry.build(entry.load(self.data, **self.load_options), **self.options)

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        entry = MODELS[self.name]
        defaults = {**_defaults(entry.load), **_defaults(entry.build), **StanConfig().model_dump()}
        given = {**self.options, **self.load_options, **self.config.model_dump()}
        engine = [] if self.engine == entry.engines[0] else ["--engine", self.engine]
        words = ["bayeskit", "fit", self.name, self.data, *engine]
        return shlex.join([*words, *_options({**given, "seed": self.seed}, defaults)])

    def script(self, out: Path, *, overwrite: bool = True, strict: bool = False) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        engine = f"    engine={self.engine!r},\n"
        return _script(self, self.model_script(), engine, out, overwrite=overwrite, strict=strict)

    def model_script(self) -> str:
        """Return the part of a script that reads the data and builds the model."""
        entry = MODELS[self.name]
        load = "".join(f", {name}={value!r}" for name, value in self.load_options.items() if value is not None)
        options = "".join(f"    {name}={value!r},\n" for name, value in self.options.items())
        return _DATA_AND_MODEL.format(
            load=f"bk.{entry.load.__name__}({self.data!r}{load})",
            build=f"bk.{entry.build.__name__}(\n    data,\n{options})",
        )


@dataclass(frozen=True)
class ProgramTask:
    """What a run of a Stan program was asked for; the command, the script and ``run.json`` all follow from it.

    Parameters
    ----------
    program
        Path of the Stan file.
    data
        Path of the JSON file, None where the program takes no data.
    init
        As ``stan_program`` takes it.
    config
        Which of Stan's methods runs, and how.
    seed
        Stan's own.

    Raises
    ------
    ConfigError
        For a seed out of range.
    """

    program: str
    data: str | None = None
    init: str | float | None = None
    config: AnyConfig = field(default_factory=StanConfig)
    seed: int = 1

    def __post_init__(self) -> None:
        _check_seed(self.seed)

    @property
    def engine(self) -> str:
        """The only one that runs Stan programs."""
        return "stan"

    @property
    def default_name(self) -> str:
        """Name of the run folder where none is given."""
        stems = [Path(path).stem for path in (self.program, self.data) if path]
        method = [] if self.config.method == StanConfig.method else [self.config.method]
        return "-".join([*dict.fromkeys(stems), *method])

    @property
    def settings(self) -> dict[str, Any]:
        """What ``run.json`` keeps of the options."""
        init = {} if self.init is None else {"init": self.init}
        return {"method": self.config.method, **init, **self.config.model_dump()}

    def build(self) -> StanProgram:
        """Read the files."""
        return stan_program(self.program, self.data, init=self.init)

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        defaults = {"method": StanConfig.method, **type(self.config)().model_dump()}
        words = ["bayeskit", "stan", "run", self.program, *([] if self.data is None else [self.data])]
        return shlex.join([*words, *_options({**self.settings, "seed": self.seed}, defaults)])

    def script(self, out: Path, *, overwrite: bool = True, strict: bool = False) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        return _script(self, self.model_script(), "", out, overwrite=overwrite, strict=strict)

    def model_script(self) -> str:
        """Return the part of a script that reads the program and its data."""
        arguments = [repr(self.program), *([] if self.data is None else [repr(self.data)])]
        arguments += [] if self.init is None else [f"init={self.init!r}"]
        return _PROGRAM.format(build=f"bk.stan_program({', '.join(arguments)})")


@dataclass(frozen=True)
class CalibrationTask:
    """What a calibration was asked for.

    Parameters
    ----------
    fit
        How one fit is made; its data give the days and the scales of the priors, or the constants of a program.
    simulations
        How many data sets are simulated and fitted.
    posterior
        Whether the truths are drawn from the posterior given the data, rather than from the prior.
    simulator
        Path of the Stan program that draws truths and data for another one.

    Raises
    ------
    ConfigError
        For a number of simulations out of range, or a simulator where there must be none, or none where there must be.
    """

    fit: Task | ProgramTask
    simulations: int = 200
    posterior: bool = False
    simulator: str | None = None

    def __post_init__(self) -> None:
        most = MOST_FROM_ONE_FIT if self.posterior else MOST_SIMULATIONS
        if not 1 <= self.simulations <= most:
            where = " of a posterior calibration" if self.posterior else ""
            raise ConfigError(f"simulations{where} must lie between 1 and {most:,}, got {self.simulations}")
        if isinstance(self.fit, Task):
            if self.simulator is not None:
                raise ConfigError(f"{self.fit.name} simulates itself; leave the simulator out")
            return
        if self.simulator is None:
            raise ConfigError(
                "a Stan program cannot be simulated from; give a simulator (--simulator), a program that draws the "
                "parameters and the data in its generated quantities"
            )
        if self.posterior:
            raise ConfigError("a Stan program is calibrated from the prior only; leave --posterior out")
        if self.fit.config.method == "optimize":
            raise ConfigError("optimize gives a point, which cannot be calibrated; take another method")

    @property
    def settings(self) -> dict[str, Any]:
        """What the record keeps of the options."""
        own = {"posterior": self.posterior} if self.simulator is None else {"simulator": self.simulator}
        return {**self.fit.settings, **own, "simulations": self.simulations}

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        config = self.fit.config.model_dump()
        defaults = {"method": StanConfig.method, **calibration_config(self.fit.config.method).model_dump()}
        own = {"simulator": self.simulator, "simulations": self.simulations, "posterior": self.posterior or None}
        if isinstance(self.fit, Task):
            entry = MODELS[self.fit.name]
            defaults |= {**_defaults(entry.load), **_defaults(entry.build)}
            load = {"data_size" if name == "days" else name: value for name, value in self.fit.load_options.items()}
            words = ["bayeskit", "calibrate", self.fit.name, self.fit.data]
            given = {**load, **self.fit.options, **config, **own, "seed": self.fit.seed}
        else:
            words = ["bayeskit", "calibrate", "stan", self.fit.program, *([self.fit.data] if self.fit.data else [])]
            given = {**own, **self.fit.settings, "seed": self.fit.seed}
        return shlex.join([*words, *_options(given, defaults)])

    def script(self, out: Path) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        config = "".join(f"            {name}={value!r},\n" for name, value in self.fit.config.model_dump().items())
        data = f", {self.fit.data!r}" if self.fit.data else ""
        simulator = "" if self.simulator is None else f"\n        simulator=bk.stan_program({self.simulator!r}{data}),"
        return _CALIBRATION.format(
            command=f"{self.command()} --out {shlex.quote(str(out))}",
            model=textwrap.indent(self.fit.model_script(), "    "),
            simulator=simulator,
            simulations=self.simulations,
            config=f"bk.{type(self.fit.config).__name__}(\n{config}        )",
            seed=self.fit.seed,
            posterior=self.posterior,
            out=str(out),
        )


def calibration_config(method: str) -> AnyConfig:
    """Return how an engine runs in each simulation of a calibration unless told otherwise."""
    return CALIBRATION_CONFIG if method == StanConfig.method else CONFIGS[method]()


def _script(task: Task | ProgramTask, model: str, engine: str, out: Path, *, overwrite: bool, strict: bool) -> str:
    config = "".join(f"        {name}={value!r},\n" for name, value in task.config.model_dump().items())
    flags = f"--out {shlex.quote(str(out))}{' --overwrite' if overwrite else ''}{' --strict' if strict else ''}"
    return _SCRIPT.format(
        command=f"{task.command()} {flags}",
        model=model,
        engine=engine,
        config=f"bk.{type(task.config).__name__}(\n{config}    )",
        seed=task.seed,
        out=str(out),
        overwrite=overwrite,
        strict=_STRICT if strict else "",
    )


_DATA_AND_MODEL = """# Read and check the file; print(data) shows what was found.
data = {load}

# The model: its structure and its priors; print(model.priors) shows the scales that were computed from the data.
model = {build}
"""

_PROGRAM = """# Read the program, with what it includes, and check its data; it is compiled when it is first fitted.
model = {build}
"""

_SCRIPT = """# The same as: {command}

import bayeskit as bk

{model}
# Draw from the posterior; fit.posterior is an xarray DataTree, ready for ArviZ.
fit = bk.fit(
    model,
{engine}    config={config},
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


_CALIBRATION = """# The same as: {command}

import bayeskit as bk


def main() -> None:
{model}
    # Simulate a truth and data, fit, and see where the truth lies among the draws; one that was stopped goes on.
    calibration = bk.calibrate(
        model,{simulator}
        simulations={simulations},
        config={config},
        seed={seed},
        posterior={posterior},
        out={out!r},
    )
    print(calibration)


# The simulations run in processes of their own, which read this file again.
if __name__ == "__main__":
    main()
"""


def _options(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Return options as the command line has them, without those at their defaults."""
    words = []
    for option, value in given.items():
        if value in (None, [], ()) or (option in defaults and defaults[option] == value):
            continue
        name = f"--{option.replace('_', '-')}"
        if value is True:
            words.append(name)
            continue
        for single in value if isinstance(value, list | tuple) else [value]:
            words += [name, str(single)]
    return words


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed must lie between 0 and {2**32 - 1}, got {seed}")


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
