"""What a Pyro program says of its data: the observed values, their replications, and their log likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger

from bayeskit.inference._svi_draws import whole_data

Arrays = dict[str, NDArray[Any]]

MOST_RUNS = 1000  # of the program
MOST_CELLS = 20_000_000  # of all replications


def predictive_groups(
    program: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    values: Mapping[str, NDArray[Any]],
    *,
    seed: int,
    learned: Mapping[str, NDArray[Any]] | None = None,
    most_runs: int = MOST_RUNS,
) -> dict[str, Arrays]:
    """Run a program at draws of its latent sites.

    Parameters
    ----------
    program, args, kwargs
        The Pyro program, and what it is called with.
    values
        Draws by site, ``n_chains x n_draws x ...``.
    seed
        Of the replications.
    learned
        Parameters (``pyro.param``) by name, where the fit learned any; else they stay at what they are in Pyro's
        store, or at their first value.
    most_runs
        Draws are thinned evenly to so many at most, and to fewer where replications would not fit into memory.

    Returns
    -------
    dict
        ``observed_data``; ``posterior_predictive``, with discrete latent sites drawn anew; and, where there are none
        of these, ``log_likelihood`` of each observation. What is masked is NaN in all of them. All of them at the same
        draws, and of all the data, were they seen in part only. Empty where the program observes nothing.
    """
    drawn = {name: torch.as_tensor(np.asarray(value)) for name, value in values.items()}
    with _alone(seed, learned or {}):
        found: Any = poutine.trace(program).get_trace(*args, **kwargs)
    observed = {name: site for name, site in found.nodes.items() if _is_observed(site)}
    if not observed:
        return {}
    hidden = [
        name
        for name, site in found.nodes.items()
        if site["type"] == "sample" and not site["is_observed"] and not _is_plate(site) and name not in drawn
    ]
    n_chains, n_draws = next(iter(drawn.values())).shape[:2]
    cells = sum(site["value"].numel() for site in observed.values())
    n_kept = max(1, min(n_draws, most_runs // n_chains, MOST_CELLS // (n_chains * cells)))
    kept = np.linspace(0, n_draws - 1, n_kept).round().astype(int)
    replications: dict[str, list[Any]] = {name: [] for name in observed}
    terms: dict[str, list[Any]] = {name: [] for name in observed}
    with _alone(seed, learned or {}):
        for chain in range(n_chains):
            for draw in kept:
                point = {name: value[chain, draw] for name, value in drawn.items()}
                for name, value in _replicated(program, args, kwargs, point, observed).items():
                    replications[name].append(value)
                if not hidden:
                    for name, term in _terms(program, args, kwargs, point, observed).items():
                        terms[name].append(term)
    groups: dict[str, Arrays] = {
        "observed_data": {name: site["value"].detach().cpu().numpy() for name, site in observed.items()},
        "posterior_predictive": _stacked(replications, n_chains),
    }
    if not hidden:
        groups["log_likelihood"] = _stacked(terms, n_chains)
    return {
        name: _without_masked(group, observed, whole_events=name == "log_likelihood") for name, group in groups.items()
    }


def _stacked(runs: Mapping[str, list[Any]], n_chains: int) -> Arrays:
    return {name: np.stack(each).reshape(n_chains, -1, *each[0].shape) for name, each in runs.items()}


def _without_masked(group: Arrays, observed: Mapping[str, Any], *, whole_events: bool) -> Arrays:
    """Return values with NaN where the program masks an observation: it is as good as missing."""
    found = dict(group)
    for name, site in observed.items():
        mask = site["mask"] if torch.is_tensor(site["mask"]) else getattr(site["fn"], "_mask", None)
        if name in found and torch.is_tensor(mask) and not bool(mask.all()):
            kept = mask.detach().cpu().numpy().astype(bool)
            if not whole_events:
                kept = kept.reshape(kept.shape + (1,) * len(site["fn"].event_shape))
            found[name] = np.where(kept, found[name], np.nan)
    return found


def _replicated(
    program: Callable[..., Any], args: Any, kwargs: Any, point: Any, observed: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Draw the observed sites anew, as the program would."""
    # Innermost: a condition makes latent sites observed, too.
    conditioned = poutine.condition(_Anew()(program), data=point)
    trace: Any = poutine.trace(conditioned).get_trace(*args, **kwargs)
    return {name: trace.nodes[name]["value"].detach().cpu().numpy() for name in observed}


def _terms(
    program: Callable[..., Any], args: Any, kwargs: Any, point: Any, observed: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    trace: Any = poutine.trace(poutine.condition(program, data=point)).get_trace(*args, **kwargs)
    found = {}
    for name in observed:
        site = trace.nodes[name]
        term = site["fn"].log_prob(site["value"], *site["args"], **site["kwargs"])
        found[name] = scale_and_mask(term, 1.0, site["mask"]).detach().cpu().numpy()  # type: ignore[no-untyped-call]
    return found


def _is_observed(site: Mapping[str, Any]) -> bool:
    """Whether a site holds data; Pyro calls deterministic sites and factors observed, too."""
    if site["type"] != "sample" or not site["is_observed"] or _is_plate(site):
        return False
    deterministic = (site["infer"] or {}).get("_deterministic", False)
    return not deterministic and torch.is_tensor(site["value"]) and site["value"].numel() > 0


def _is_plate(site: Mapping[str, Any]) -> bool:
    return type(site["fn"]).__name__ == "_Subsample"


class _Anew(Messenger):
    """Has data drawn; not what Pyro calls observed besides, which has no law but its value."""

    def _pyro_sample(self, msg: Any) -> None:
        if _is_observed(msg):
            msg["is_observed"], msg["value"], msg["done"] = False, None, False


class _Learned(Messenger):
    """Gives parameters the values that were learned, and those of modules their own back afterwards."""

    def __init__(self, values: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        self._values = {name: torch.as_tensor(np.asarray(value)) for name, value in values.items()}
        self._before: list[tuple[torch.nn.Parameter, torch.Tensor]] = []

    def _pyro_param(self, msg: Any) -> None:
        value = self._values.get(msg["name"].replace("$$$", "."))
        if value is None:
            return
        own = msg["args"][1] if len(msg["args"]) > 1 else None
        if isinstance(own, torch.nn.Parameter) and own.shape == value.shape:  # the module itself uses this one
            self._before.append((own, own.data))
            own.data = value
        msg["value"], msg["done"] = value, True

    def restore(self) -> None:
        for parameter, data in reversed(self._before):
            parameter.data = data


@contextmanager
def _alone(seed: int, learned: Mapping[str, NDArray[Any]]) -> Iterator[None]:
    """Seed torch, on one thread, without gradients and checks, in double precision; all is as it was afterwards.

    Plates take all of their data meanwhile.
    """
    precision, threads = torch.get_default_dtype(), torch.get_num_threads()
    store, own = pyro.get_param_store(), _Learned(learned)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.no_grad(),
            pyro.validation_enabled(False),
            store.scope(store.get_state()),
            whole_data(),
            own,
        ):
            torch.manual_seed(seed)
            yield
    finally:
        own.restore()
        torch.set_default_dtype(precision)
        torch.set_num_threads(threads)
