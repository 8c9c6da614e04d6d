"""What a calibration can be asked for, with the command and the script that repeat it."""

from __future__ import annotations

import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError
from bayeskit.inference.gibbs import GibbsConfig
from bayeskit.inference.nuts import NUTSConfig
from bayeskit.inference.stan import CONFIGS, StanConfig
from bayeskit.tasks import templates
from bayeskit.tasks.engines import AnyConfig
from bayeskit.tasks.fitting import ProgramTask, Task, command_options, defaults_of
from bayeskit.tasks.models import MODELS

MOST_SIMULATIONS = 4000
MOST_FROM_ONE_FIT = 1000
"""Of a posterior calibration: more truths from one fit would no longer be as good as independent."""
CALIBRATION_CONFIG = StanConfig(chains=2, warmup=500, draws=500)
"""How Stan runs in each simulation of a calibration unless told otherwise."""
RATINGS_CALIBRATION = GibbsConfig(chains=2, warmup=200, draws=500, thin=2)
"""How Gibbs sampling of a factorisation does, whose sweeps take longer and mix better than those of other models."""
_CONFIGS: dict[str, AnyConfig] = {
    "stan": CALIBRATION_CONFIG,
    StanConfig.method: CALIBRATION_CONFIG,
    "gibbs": GibbsConfig(chains=2, warmup=500, draws=1000, thin=5),
    "nuts": NUTSConfig(chains=2, warmup=500, draws=500),
}


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
        if self.fit.engine not in _CONFIGS:
            raise ConfigError(
                f"calibration fits by stan, gibbs or nuts, not by engine {self.fit.engine}; take one of these"
            )
        if not 1 <= self.simulations <= most:
            where = " of a posterior calibration" if self.posterior else ""
            raise ConfigError(f"simulations{where} must lie between 1 and {most:,}, got {self.simulations}")
        if isinstance(self.fit, Task):
            if self.simulator is not None:
                raise ConfigError(f"{self.fit.name} simulates itself; leave the simulator out")
            if self.posterior and self.fit.name != "weather":
                raise ConfigError(f"{self.fit.name} is calibrated from the prior only; leave --posterior out")
            for option in ("components", "source_blocks", "target_blocks"):
                if self.fit.options.get(option) == "auto":
                    flag = f"--{option.replace('_', '-')}"
                    raise ConfigError(f"a calibration needs one model for all simulations; give {flag} a number")
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
        engine = self.fit.config.method if self.fit.engine == "stan" else self.fit.engine
        defaults = {"method": StanConfig.method, **calibration_config(engine).model_dump()}
        own = {"simulator": self.simulator, "simulations": self.simulations, "posterior": self.posterior or None}
        if isinstance(self.fit, Task):
            entry = MODELS[self.fit.name]
            defaults |= {**defaults_of(entry.load), **defaults_of(entry.build)}
            sizes = ("days", "first")
            load = {"data_size" if name in sizes else name: value for name, value in self.fit.load_options.items()}
            words = ["bayeskit", "calibrate", self.fit.name, self.fit.data]
            words += [] if self.fit.engine == next(iter(entry.configs)) else ["--engine", self.fit.engine]
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


def calibration_config(engine: str) -> AnyConfig:
    """Return how an engine, or one of Stan's methods, runs in each simulation unless told otherwise.

    Raises
    ------
    ConfigError
        For an engine that nothing is calibrated with.
    """
    if engine in CONFIGS and engine not in _CONFIGS:
        return CONFIGS[engine]()
    if engine not in _CONFIGS:
        raise ConfigError(f"calibration fits by stan, gibbs or nuts, not by engine {engine}; take one of these")
    return _CONFIGS[engine]
