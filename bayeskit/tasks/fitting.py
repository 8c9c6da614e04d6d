"""What a run can be asked for: a task, with the command and the script that repeat it."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bayeskit.core.errors import ConfigError
from bayeskit.inference.stan import StanConfig
from bayeskit.models.program import StanProgram, stan_program
from bayeskit.tasks import templates
from bayeskit.tasks.engines import ENGINES, AnyConfig, engine_of
from bayeskit.tasks.models import MODELS, default_config_of

_VERSION = 1  # of a task's record


class Scripted(Protocol):
    """What a script is made from."""

    @property
    def config(self) -> AnyConfig:
        """Which engine runs, and how."""
        ...

    @property
    def seed(self) -> int:
        """Of the run."""
        ...

    def command(self) -> str:
        """Return the command that the script repeats."""
        ...


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
    config, seed
        What draws, and how.

    Raises
    ------
    ConfigError
        For an engine that cannot fit the model, another config, or a seed out of range.
    """

    name: str
    data: str
    options: Mapping[str, Any]
    load_options: Mapping[str, Any] = field(default_factory=dict)
    config: AnyConfig = field(default_factory=StanConfig)
    seed: int = 1

    def __post_init__(self) -> None:
        engines = MODELS[self.name].configs
        if self.engine not in engines:
            raise ConfigError(f"engine '{self.engine}' cannot fit {self.name}; choose from {', '.join(engines)}")
        if self.engine == "stan" and not isinstance(self.config, StanConfig):
            raise ConfigError(f"Stan fits {self.name} by NUTS; give a StanConfig, not a {type(self.config).__name__}")
        check_seed(self.seed)

    @property
    def engine(self) -> str:
        """What draws."""
        return engine_of(self.config)

    @property
    def default_name(self) -> str:
        """Name of the run folder where none is given."""
        told = [str(self.options["model"])] if "model" in self.options else []
        engine = [] if self.engine == next(iter(MODELS[self.name].configs)) else [self.engine]
        dp = ["dp"] if self.options.get("dp") else []
        return "-".join([self.name, *told, Path(self.data).stem, *dp, *engine])

    @property
    def settings(self) -> dict[str, Any]:
        """What ``run.json`` keeps of the options."""
        return {**self.load_options, **self.options, "device": "cpu", **self.config.model_dump()}

    def record(self) -> dict[str, Any]:
        """Return the task as values for JSON, from which ``of_record`` makes it anew."""
        plain = {"name": self.name, "data": self.data, "seed": self.seed, "engine": self.engine}
        options = {"options": dict(self.options), "load_options": dict(self.load_options)}
        return {"version": _VERSION, **plain, **options, "config": self.config.model_dump()}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Task:
        """Return the task that a record is of.

        Raises
        ------
        ConfigError
            If the record is damaged, or of another version.
        """
        try:
            if record["version"] != _VERSION:
                raise ConfigError(f"it is of version {record['version']}, this bayeskit knows {_VERSION}")
            config = ENGINES[record["engine"]](**record["config"])
            options, load = dict(record["options"]), dict(record["load_options"])
            return cls(str(record["name"]), str(record["data"]), options, load, config, int(record["seed"]))
        except (KeyError, TypeError) as error:
            raise ConfigError(f"it is damaged ({error!r})") from None

    def build(self) -> Any:
        """Read the file and make the model."""
        entry = MODELS[self.name]
        return entry.build(entry.load(self.data, **self.load_options), **self.options)

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        entry = MODELS[self.name]
        own = (default_config_of(self.name, self.engine, self.options) or self.config).model_dump()
        defaults = {**defaults_of(entry.load), **defaults_of(entry.build), **own}
        given = {**self.options, **self.load_options, **self.config.model_dump()}
        engine = [] if self.engine == next(iter(entry.configs)) else ["--engine", self.engine]
        words = ["bayeskit", "fit", self.name, self.data, *engine]
        return shlex.join([*words, *command_options({**given, "seed": self.seed}, defaults)])

    def script(self, out: Path, *, overwrite: bool = True, strict: bool = False) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        engine = f"    engine={self.engine!r},\n"
        return script_of(self, self.model_script(), engine, out, overwrite=overwrite, strict=strict)

    def model_script(self) -> str:
        """Return the part of a script that reads the data and builds the model."""
        entry = MODELS[self.name]
        load = "".join(f", {name}={value!r}" for name, value in self.load_options.items() if value is not None)
        options = "".join(f"    {name}={value!r},\n" for name, value in self.options.items())
        return templates.DATA_AND_MODEL.format(
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
        Which of Stan's methods runs, or which other engine, and how.
    seed
        Of the run.

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
        check_seed(self.seed)

    @property
    def engine(self) -> str:
        """What draws."""
        return engine_of(self.config)

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
        method = {"method": self.config.method} if self.engine == "stan" else {}
        return {**method, **init, **self.config.model_dump()}

    def build(self) -> StanProgram:
        """Read the files."""
        return stan_program(self.program, self.data, init=self.init)

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        defaults = {"method": StanConfig.method, **type(self.config)().model_dump()}
        engine = [] if self.engine == "stan" else ["--engine", self.engine]
        words = ["bayeskit", "stan", "run", self.program, *([] if self.data is None else [self.data]), *engine]
        return shlex.join([*words, *command_options({**self.settings, "seed": self.seed}, defaults)])

    def script(self, out: Path, *, overwrite: bool = True, strict: bool = False) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        return script_of(self, self.model_script(), "", out, overwrite=overwrite, strict=strict)

    def model_script(self) -> str:
        """Return the part of a script that reads the program and its data."""
        arguments = [repr(self.program), *([] if self.data is None else [repr(self.data)])]
        arguments += [] if self.init is None else [f"init={self.init!r}"]
        return templates.PROGRAM.format(build=f"bk.stan_program({', '.join(arguments)})")


def script_of(task: Scripted, model: str, engine: str, out: Path, *, overwrite: bool, strict: bool) -> str:
    """Return the whole script around the part that makes the model."""
    config = "".join(f"        {name}={value!r},\n" for name, value in task.config.model_dump().items())
    flags = f"--out {shlex.quote(str(out))}{' --overwrite' if overwrite else ''}{' --strict' if strict else ''}"
    return templates.SCRIPT.format(
        command=f"{task.command()} {flags}",
        model=model,
        engine=engine,
        config=f"bk.{type(task.config).__name__}(\n{config}    )",
        seed=task.seed,
        out=str(out),
        overwrite=overwrite,
        strict=templates.STRICT if strict else "",
    )


def command_options(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Return options as the command line has them, without those at their defaults."""
    words = []
    for option, value in given.items():
        unlike = defaults.get(option) is not None or option not in defaults
        if value is None or (value in ([], ()) and unlike) or (option in defaults and defaults[option] == value):
            continue
        name = f"--{option.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(name if value else f"--no-{option.replace('_', '-')}")
            continue
        if isinstance(value, list | tuple) and all(isinstance(part, int) for part in value):
            words += [name, ",".join(map(str, value)) or "none"]
            continue
        for single in value if isinstance(value, list | tuple) else [value]:
            words += [name, str(single)]
    return words


def check_seed(seed: int) -> None:
    """Refuse a seed out of range."""
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed must lie between 0 and {2**32 - 1}, got {seed}")


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the default values of a function's options, by name."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
