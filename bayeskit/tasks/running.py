"""A run of a user's own Pyro program on the columns of a file."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError
from bayeskit.inference.nuts import NUTSConfig
from bayeskit.models.pyro_program import PyroProgram
from bayeskit.models.references import load_program
from bayeskit.tasks import templates
from bayeskit.tasks.engines import AnyConfig, engine_of
from bayeskit.tasks.fitting import check_seed, command_options, script_of


@dataclass(frozen=True)
class PyroTask:
    """What a run of a Pyro program was asked for; the command, the script and ``run.json`` all follow from it.

    Parameters
    ----------
    program
        ``FILE.py:PROGRAM``.
    data
        Path of the file whose columns are its arguments, None where it takes none.
    config
        Which engine runs, and how.
    seed
        Of the run.

    Raises
    ------
    ConfigError
        For an engine that does not run Pyro programs, or a seed out of range.
    """

    program: str
    data: str | None = None
    config: AnyConfig = field(default_factory=NUTSConfig)
    seed: int = 1

    def __post_init__(self) -> None:
        if self.engine not in ("nuts", "svi", "metropolis", "importance", "smc"):
            raise ConfigError(
                f"engine {self.engine} does not run Pyro programs; choose from nuts, svi, metropolis, importance, smc"
            )
        check_seed(self.seed)

    @property
    def engine(self) -> str:
        """What draws."""
        return engine_of(self.config)

    @property
    def default_name(self) -> str:
        """Name of the run folder where none is given."""
        file, _, name = self.program.rpartition(":")
        data = [Path(self.data).stem] if self.data else []
        return "-".join([*dict.fromkeys([Path(file).stem, name, *data]), self.engine])

    @property
    def settings(self) -> dict[str, Any]:
        """What ``run.json`` keeps of the options."""
        return {"device": "cpu", **self.config.model_dump()}

    def build(self) -> PyroProgram:
        """Read the file and the data."""
        return load_program(self.program, self.data)

    def command(self) -> str:
        """Return the command that does this; options at their defaults are left out, but for the seed."""
        if not self.program:
            return ""
        options = command_options(
            {**self.settings, "seed": self.seed}, {"device": "cpu", **type(self.config)().model_dump()}
        )
        words = ["bayeskit", "run", self.program, *([self.data] if self.data else [])]
        return shlex.join([*words, *([] if self.engine == "nuts" else ["--engine", self.engine]), *options])

    def script(self, out: Path, *, overwrite: bool = True, strict: bool = False) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        return script_of(self, self.model_script(), "", out, overwrite=overwrite, strict=strict) if self.program else ""

    def model_script(self) -> str:
        """Return the part of a script that reads the program and its data."""
        data = f", {self.data!r}" if self.data else ""
        return templates.PYRO.format(build=f"bk.load_program({self.program!r}{data})")
