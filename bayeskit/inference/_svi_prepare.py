"""A program and a guide made ready for a variational fit: held against each other, and begun at the best of points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyro
import torch
from pyro.infer.autoguide.initialization import init_to_median, init_to_sample, init_to_uniform, init_to_value

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._guides import named_guide
from bayeskit.inference._svi_context import checking, reseed, told
from bayeskit.inference._svi_objective import Objective, Pair
from bayeskit.inference._svi_parameters import Parameters
from bayeskit.inference._svi_sites import (
    Arguments,
    Program,
    Sites,
    batched,
    check_pair,
    enumerating,
    name_of,
    sites_of,
    summed_out,
    traced,
)
from bayeskit.inference.svi import Starts, SVIConfig

_CANDIDATE = 4  # tells the streams of the points tried from all others
_TRIES = 4  # estimates of the bound that a point is judged by


@dataclass(frozen=True)
class Ready:
    """What the steps need.

    Parameters
    ----------
    pair
        Program and guide as the steps run them.
    whole
        The same with all of the data.
    objective
        The negative bound.
    parameters
        As they begin.
    loss
        Name of the estimator.
    own_parameters
        Names of the program's own ``pyro.param`` statements.
    guide_name
        The guide's, or its function's.
    is_named
        Whether the guide is one of ours.
    """

    pair: Pair
    whole: Pair
    objective: Objective
    parameters: Parameters
    loss: str
    own_parameters: set[str]
    guide_name: str
    is_named: bool


def prepared(
    program: Program,
    guide: Program | None,
    arguments: Arguments,
    config: SVIConfig,
    *,
    seed: int,
    starts: Starts | None,
) -> Ready:
    """Check everything that a fit rests on, and begin its parameters.

    Raises
    ------
    ConfigError, ProgramError
        As ``fit_svi``.
    """
    found = _matched(program, guide, arguments, config)
    whole = enumerating(program, found.hidden)
    part, portion = whole, None
    if config.batch_size is not None:
        part, portion = batched(whole, found.sites, config.batch_size, found.name)

    def begun(candidate: int) -> tuple[Pair, Objective]:
        reseed(seed, _CANDIDATE, candidate)
        pyro.get_param_store().clear()
        chosen = guide if guide is None or portion is None else portion(guide)
        if chosen is None:
            chosen = named_guide(config, part, found.hidden, _initial(config, starts, found.sites, seed, candidate))
        pair = Pair(part, chosen, arguments, found.name, found.latent, found.hidden)
        return pair, _objective(pair, found.loss, config)

    pair, objective = begun(_best(begun, config, guide is None))
    return Ready(
        pair,
        replace(pair, program=whole, guide=guide or pair.guide),
        objective,
        Parameters(),
        found.loss,
        found.own_parameters,
        guide_name=config.guide if guide is None else name_of(guide, "guide"),
        is_named=guide is None,
    )


@dataclass(frozen=True)
class _Match:
    """A program's sites, shared out: those of the guide, and those that are summed out."""

    name: str
    sites: Sites
    latent: tuple[str, ...]
    hidden: tuple[str, ...]
    loss: str
    own_parameters: set[str]


def _matched(program: Program, guide: Program | None, arguments: Arguments, config: SVIConfig) -> _Match:
    name = name_of(program)
    trace = traced(program, arguments, name, near=True)
    sites = sites_of(trace, name)
    guide_trace = None if guide is None else traced(guide, arguments, "the guide", log_prob=False)
    guided = sites.latent if guide_trace is None else guide_trace.nodes
    hidden = _hidden(sites, guided, guide is None, name)
    if guide_trace is not None:
        check_pair(sites, guide_trace, hidden, name)
    latent = tuple(site for site in sites.latent if site not in hidden)
    if not latent:
        raise ProgramError(f"{name} has no latent site but those that are summed out: there is nothing to approximate")
    own = {site for site, node in trace.nodes.items() if node["type"] == "param"}
    return _Match(name, sites, latent, hidden, _loss(config, hidden, guide_trace), own)


def _hidden(sites: Sites, guided: Mapping[str, Any], is_named: bool, name: str) -> tuple[str, ...]:
    if not is_named:
        return summed_out(sites, guided, name)
    return summed_out(sites, [site for site, fn in sites.latent.items() if not fn.support.is_discrete], name)


def _loss(config: SVIConfig, hidden: tuple[str, ...], guide_trace: Any) -> str:
    marked = guide_trace is not None and any(
        node["infer"].get("enumerate") for node in guide_trace.nodes.values() if node["type"] == "sample"
    )
    if (hidden or marked) and config.loss not in (None, "trace_enum"):
        what = f"site '{hidden[0]}'" if hidden else "what the guide enumerates"
        raise ConfigError(f"loss {config.loss} cannot sum {what} out; take trace_enum")
    return config.loss or ("trace_enum" if hidden or marked else "trace")


def _initial(config: SVIConfig, starts: Starts | None, sites: Sites, seed: int, candidate: int) -> Callable[..., Any]:
    kind = config.init if config.init != "auto" else ("model" if starts is not None else "uniform")
    if kind == "prior":
        return init_to_sample
    if kind == "uniform":
        return init_to_uniform
    if starts is None:
        raise ConfigError("option 'init': nothing gives the model's own starts here; take uniform or prior")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(candidate, _CANDIDATE)))
    try:
        given = {name: np.asarray(value, dtype=float)[0] for name, value in starts(rng, 1).items()}
    except (ConfigError, ProgramError):
        raise
    except Exception as error:
        raise ProgramError(
            f"starts raised {told(error)}; it takes a generator and n, and returns n x ... by site"
        ) from error
    for name, value in given.items():
        expected = tuple(sites.latent[name].shape()) if name in sites.latent else value.shape
        if value.shape != expected:
            raise ProgramError(f"starts gave site '{name}' values of shape {value.shape}, and it has {expected}")
    values = {name: torch.tensor(value) for name, value in given.items() if name in sites.latent}
    found: Callable[..., Any] = init_to_value(values=values, fallback=init_to_median)
    return found


def _objective(pair: Pair, loss: str, config: SVIConfig) -> Objective:
    """Return the bound's estimator, after it was run with every check."""
    with checking():
        try:
            objective = Objective(pair, loss, config.particles)
            if loss == "trace_mean_field":
                _check_mean_field(objective)
            objective()
        except (ConfigError, ProgramError):
            raise
        except Exception as error:
            by_index = " (with batch_size a program takes its data by the plate's indices)" if config.batch_size else ""
            raise ProgramError(f"{pair.name} raised {told(error)} beside its guide{by_index}; correct it") from error
    return objective


def _check_mean_field(objective: Objective) -> None:
    from pyro.infer.util import check_fully_reparametrized

    for _, guide_trace in objective.traces():
        for name, site in guide_trace.nodes.items():
            if site["type"] != "sample":
                continue
            try:
                check_fully_reparametrized(site)  # type: ignore[no-untyped-call]
            except NotImplementedError:
                raise ConfigError(
                    f"loss trace_mean_field needs a guide that draws by reparameterisation, which site '{name}' does "
                    "not; take trace"
                ) from None


def _best(begun: Callable[[int], Any], config: SVIConfig, is_named: bool) -> int:
    """Return which of the points the guide begins at: that of the largest bound."""
    if not is_named or config.candidates == 1:
        return 0
    losses = []
    for candidate in range(config.candidates):
        _, objective = begun(candidate)
        with torch.no_grad():
            losses.append(_judged(objective))
    return int(np.argmin(losses)) if np.isfinite(losses).any() else 0


def _judged(objective: Objective) -> float:
    try:
        found = sum(float(objective()[0]) for _ in range(_TRIES)) / _TRIES
    except Exception:  # a point so far out that a matrix has no factor: some other one is better
        return math.inf
    return found if math.isfinite(found) else math.inf
