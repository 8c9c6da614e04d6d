"""What sites a program has, and whether a guide has those that it must have: each misfit in one line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from pyro import poutine
from pyro.infer.autoguide.initialization import InitMessenger, init_to_uniform
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import _Subsample

from bayeskit.core.errors import ConfigError, ProgramError
from bayeskit.inference._svi_context import checking, told

Program = Callable[..., Any]
Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]


@dataclass(frozen=True)
class Sites:
    """A program's sites, as they come up in a run.

    Parameters
    ----------
    latent
        Names of the latent sites to what each is drawn from.
    data_plates
        Names of the plates around observed data to their sizes, where the program takes all of them.
    subsampled
        Whether a plate of the program draws a part of the data.
    """

    latent: Mapping[str, Any]
    data_plates: Mapping[str, int]
    subsampled: bool


class Portion(Messenger):
    """Has a plate draw some of its indices at random, anew in each run."""

    def __init__(self, plate: str, size: int) -> None:
        super().__init__()
        self._plate, self._size = plate, size

    def _pyro_sample(self, msg: Any) -> None:
        if msg["name"] == self._plate and isinstance(msg["fn"], _Subsample) and msg["value"] is None:
            msg["value"] = torch.randperm(msg["fn"].size)[: self._size]


def name_of(program: Program, otherwise: str = "the Pyro program") -> str:
    """Return what messages call a function."""
    return str(getattr(program, "__name__", otherwise))


def check_call(function: Any, arguments: Arguments, what: str) -> None:
    """Refuse what is no function, or takes other arguments.

    Raises
    ------
    ProgramError
        In one line.
    """
    if not callable(function):
        raise ProgramError(f"{function!r} is not a function; give {what} with pyro.sample statements")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not every callable tells
        return
    try:
        signature.bind(*arguments[0], **arguments[1])
    except TypeError as error:
        raise ProgramError(
            f"{name_of(function, what)}{signature} cannot be called as it was: {error}; guide and program take the "
            "same arguments"
        ) from None


def traced(
    function: Program, arguments: Arguments, name: str, *, near: bool = False, log_prob: bool = True
) -> poutine.Trace:
    """Run with every check that Pyro makes, and return the trace.

    Parameters
    ----------
    function, arguments, name
        What is run.
    near
        Whether continuous sites are near the origin of the unconstrained scale, rather than drawn: draws of a wide
        prior may be where no number comes out.
    log_prob
        Whether log densities are computed, too.

    Raises
    ------
    ProgramError
        With what it raised.
    """
    with checking(), torch.no_grad():
        try:
            with InitMessenger(_near) if near else nullcontext():  # type: ignore[no-untyped-call]
                trace = poutine.trace(function).get_trace(*arguments[0], **arguments[1])
            if log_prob:
                trace.compute_log_prob()
        except ProgramError:
            raise
        except Exception as error:
            raise ProgramError(f"{name} raised {told(error)}; correct it or its arguments") from error
    return trace


def _near(site: Any) -> Any:
    fn = site["fn"]
    return fn.sample() if fn.support.is_discrete else init_to_uniform(site, radius=1.0)


def sites_of(trace: poutine.Trace, name: str) -> Sites:
    """Sort the sites of a program's trace.

    Raises
    ------
    ProgramError
        If none is latent.
    """
    nodes = {site: node for site, node in trace.nodes.items() if node["type"] == "sample"}
    latent = {
        site: node["fn"]
        for site, node in nodes.items()
        if not node["is_observed"] and not isinstance(node["fn"], _Subsample)
    }
    if not latent:
        raise ProgramError(f"{name} has no latent pyro.sample site: there is nothing to approximate")
    parts = [node["fn"] for node in nodes.values() if isinstance(node["fn"], _Subsample)]
    frames = [
        frame
        for node in nodes.values()
        if node["is_observed"] and not (node["infer"] or {}).get("_deterministic")
        for frame in node["cond_indep_stack"]
    ]
    return Sites(
        latent,
        {frame.name: int(frame.size) for frame in frames if frame.size == (frame.full_size or frame.size)},
        any(part.subsample_size is not None and part.subsample_size < part.size for part in parts),
    )


def summed_out(sites: Sites, guided: Iterable[str], name: str) -> tuple[str, ...]:
    """Return the discrete sites that the guide leaves out.

    Raises
    ------
    ProgramError
        If one has no finite support, so that there is no sum.
    """
    kept = set(guided)
    left = [site for site, fn in sites.latent.items() if site not in kept and fn.support.is_discrete]
    for site in left:
        if not sites.latent[site].has_enumerate_support:
            raise ProgramError(
                f"{name}: site '{site}' is latent and discrete, with more values than can be summed over; observe it, "
                "sum it out of the program, or give a guide that has it"
            )
    return tuple(left)


def batched(program: Program, sites: Sites, batch_size: int, name: str) -> tuple[Program, Portion | None]:
    """Return the program with the largest plate around its data giving so many indices, and what does that.

    Raises
    ------
    ConfigError
        If there is no such plate.
    """
    if not sites.data_plates:
        raise ConfigError(
            f"option 'batch_size': {name} has no pyro.plate around observed data; write one whose indices take the "
            'data, with pyro.plate("data", n) as i: ... obs=y[i]'
        )
    plate, size = max(sites.data_plates.items(), key=lambda item: item[1])
    if size <= batch_size:
        return program, None
    portion = Portion(plate, batch_size)
    return portion(program), portion


def check_pair(sites: Sites, guide_trace: poutine.Trace, left_out: Iterable[str], name: str) -> None:
    """Refuse a guide that lacks a site, has one too many, or one of another shape.

    Raises
    ------
    ProgramError
        With the site's name.
    """
    found: dict[str, Any] = {site: node for site, node in guide_trace.nodes.items() if is_draw(node)}
    missing = [site for site in sites.latent if site not in found and site not in set(left_out)]
    if missing:
        raise ProgramError(
            f"the guide has no site '{missing[0]}', which {name} has; add pyro.sample('{missing[0]}', …)"
        )
    for site, node in found.items():
        if node["infer"].get("is_auxiliary"):
            continue
        if site not in sites.latent:
            raise ProgramError(
                f"the guide has a site '{site}', which {name} has not, or not as a latent one; leave it out, or mark "
                "it infer={'is_auxiliary': True}"
            )
        expected, shape = tuple(sites.latent[site].shape()), tuple(node["value"].shape)
        if shape != expected:
            raise ProgramError(
                f"site '{site}' has shape {shape} in the guide and {expected} in {name}; make them equal"
            )


def is_draw(node: Any) -> bool:
    """Whether a trace's node is a sample site that is neither observed nor a plate's choice of indices."""
    return node["type"] == "sample" and not node["is_observed"] and not isinstance(node["fn"], _Subsample)


def enumerating(program: Program, names: Iterable[str]) -> Program:
    """Return the program with these sites marked to be summed out."""
    chosen = frozenset(names)
    if not chosen:
        return program

    def marked(site: Any) -> Any:
        return {"enumerate": "parallel"} if site["name"] in chosen else {}

    marked_program: Program = poutine.infer_config(program, config_fn=marked)
    return marked_program
