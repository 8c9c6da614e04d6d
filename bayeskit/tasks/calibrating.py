"""What a calibration can be asked for, with the command and the script that repeat it."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError
from bayeskit.inference.stan import CONFIGS, AnyConfig, StanConfig
from bayeskit.tasks import templates
from bayeskit.tasks.fitting import MODELS, ProgramTask, Task, command_options, defaults_of

MOST_SIMULATIONS = 4000
MOST_FROM_ONE_FIT = 1000
"""Of a posterior calibration: more truths from one fit would no longer be as good as independent."""
CALIBRATION_CONFIG = StanConfig(chains=2, warmup=500, draws=500)
"""How the engine runs in each simulation of a calibration unless told otherwise."""


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
        if self.fit.engine != "stan":
            raise ConfigError(f"calibration fits with Stan, not with engine {self.fit.engine}; take one of its methods")
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
            defaults |= {**defaults_of(entry.load), **defaults_of(entry.build)}
            load = {"data_size" if name == "days" else name: value for name, value in self.fit.load_options.items()}
            words = ["bayeskit", "calibrate", self.fit.name, self.fit.data]
            given = {**load, **self.fit.options, **config, **own, "seed": self.fit.seed}
        else:
            words = ["bayeskit", "calibrate", "stan", self.fit.program, *([self.fit.data] if self.fit.data else [])]
            given = {**own, **self.fit.settings, "seed": self.fit.seed}
        return shlex.join([*words, *command_options(given, defaults)])

    def script(self, out: Path) -> str:
        """Return the Python script that does exactly what the command does, commented, to start from."""
        config = "".join(f"            {name}={value!r},\n" for name, value in self.fit.config.model_dump().items())
        data = f", {self.fit.data!r}" if self.fit.data else ""
        simulator = "" if self.simulator is None else f"\n        simulator=bk.stan_program({self.simulator!r}{data}),"
        return templates.CALIBRATION.format(
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
