"""Stan's inference methods, on whichever CmdStan the toolchain finds or builds.

No-U-turn sampler: Hoffman and Gelman (2014), https://jmlr.org/papers/v15/hoffman14a.html, with Stan's multinomial
sampling and windowed adaptation (Betancourt 2017, arXiv:1701.02434).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bayeskit.core.errors import ConfigError, DataError, ProgramError
from bayeskit.core.paths import resource
from bayeskit.core.types import Draws, StanModel
from bayeskit.inference._approximations import approximate
from bayeskit.inference._columns import by_variable
from bayeskit.inference._configs import (
    CONFIGS,
    AnyConfig,
    LaplaceConfig,
    OptimizeConfig,
    PathfinderConfig,
    StanConfig,
    VariationalConfig,
)
from bayeskit.inference._job import INTEGER_DIGITS, SIGNIFICANT_DIGITS, Job, write_json
from bayeskit.inference._sampling import sample
from bayeskit.inference._words import missing_data
from bayeskit.toolchain import Variables, compile_program, ensure_home, read_variables

__all__ = [
    "CONFIGS",
    "AnyConfig",
    "LaplaceConfig",
    "OptimizeConfig",
    "PathfinderConfig",
    "StanConfig",
    "VariationalConfig",
    "fit_stan",
]


def fit_stan(model: StanModel, config: AnyConfig, *, seed: int, output_dir: Path | None = None) -> Draws:
    """Draw from a Stan program's posterior, approximate it, or find its mode.

    Parameters
    ----------
    model
        Names its program, gives its data and says which quantities to keep.
    config
        Which method runs, and how.
    seed
        Stan's own seed, from 0 to 2**32 - 1; up to 16, chain ``i`` does not depend on how many chains there are.
    output_dir
        Where Stan writes its files while it runs; the system's temporary folder unless given.

    Returns
    -------
    Draws
        Of kind ``mcmc`` from ``StanConfig``; ``point``, one chain with one draw, from ``OptimizeConfig``;
        ``variational``, one chain, from the others. A program without parameters gives ``iid`` draws: nothing is
        sampled, each draw only runs its generated quantities anew, with the next numbers of one random stream a
        chain (Stan's ``fixed_param``), so that the draws are independent and from the very distribution that the
        program simulates.

    Raises
    ------
    ConfigError
        If there is no such program, or the method needs parameters and it has none.
    DataError
        If the data or the start values do not fit the program's declarations.
    InferenceError
        If Stan stops without a result for another reason; the message has Stan's last words.
    OSError
        If the disk is full.
    ProgramError
        If the program has an error, fails while it runs, or has no finite density where it would start.
    ToolchainError
        If Stan cannot be built or the program does not compile.

    Notes
    -----
    Above 16 chains, where the model gives the start values, these start in groups of 4 from common points, as nested
    R-hat needs them (Margossian et al. 2024, doi:10.1214/24-BA1453).
    """
    program, include_paths = _locate(model)
    home = ensure_home()
    variables = read_variables(program, home, include_paths)
    data = model.stan_data()
    absent = missing_data(variables.data, data)
    _check(program, variables, config, absent)
    _check_start(model, variables)
    executable, compile_seconds = compile_program(program, home, include_paths)
    with tempfile.TemporaryDirectory(prefix="bayeskit-", dir=output_dir) as place:
        folder = Path(place)
        integers = {name for block in variables.blocks.values() for name, found in block.items() if found.type == "int"}
        given = write_json(folder / "data.json", data) if data else None
        job = Job(executable, folder, given, seed, absent, INTEGER_DIGITS if integers else SIGNIFICANT_DIGITS)
        outcome = sample(job, config, model) if isinstance(config, StanConfig) else approximate(job, config, model)
    values = by_variable(outcome.columns, outcome.draws, integers)
    return Draws(
        kind=outcome.kind,
        values=values if model.outputs is None else {name: values[name] for name in model.outputs},
        sample_stats=outcome.statistics,
        timings={"compile": compile_seconds, **outcome.timings},
        engine={
            "stan": home.version,
            "stan_origin": home.origin,
            "method": config.method,
            **outcome.engine,
        },
        declared={name: kind for kind, block in variables.blocks.items() for name in block},
    )


def _locate(model: StanModel) -> tuple[Path, tuple[Path, ...]]:
    program = Path(model.program)
    return (program, ()) if program.is_absolute() else (resource("stan", model.program), (resource("stan"),))


def _check_start(model: StanModel, variables: Variables) -> None:
    """Refuse start values of which Stan would take none without a word."""
    start = model.stan_inits(np.random.default_rng(0))
    known = {name for block in (variables.data, *variables.blocks.values()) for name in block}
    for name in start if isinstance(start, Mapping) else ():
        if name not in known:
            raise DataError(f"start value '{name}': the program has no such parameter; correct --init")


def _check(program: Path, variables: Variables, config: AnyConfig, absent: Mapping[str, str]) -> None:
    """Refuse before anything is compiled what Stan would refuse after it."""
    for name, told in absent.items():
        if variables.data[name].dimensions == 0:
            raise DataError(told)
    if not any(variables.blocks.values()):
        raise ProgramError(f"{program.name} has neither parameters nor generated quantities: there is nothing to draw")
    if not variables.parameters and not isinstance(config, StanConfig):
        raise ConfigError(
            f"{program.name} has no parameters, which method {config.method} needs; leave the method out, and its "
            "generated quantities are simulated"
        )
