"""What an engine found out besides its draws: the evidence, how many proposals it took, how it moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeskit.core.language import say
from bayeskit.core.types import Fit
from bayeskit.core.words import listing, number, percent, plus_minus, significant

Rows = list[tuple[str, str]]


def engine_facts(fit: Fit) -> Rows:
    """Return names and values, none for an engine that tells nothing of the kind."""
    attributes = fit.posterior["sample_stats"].attrs if "sample_stats" in fit.posterior.children else {}
    told = {str(name): value for name, value in attributes.items()}
    return [*_evidence(told), *_rejection(told), *_chains(told), *_program(told), *_optimised(told)]


def _evidence(told: Mapping[str, Any]) -> Rows:
    """Return the logarithm of the density's integral, with its standard error."""
    rows: Rows = []
    for name in ("log_evidence", "log_normalizer"):
        if name in told and math.isfinite(told[name]):
            value, error = float(told[name]), float(told.get(f"{name}_error", math.nan))
            shown = plus_minus(value, error) if error > 0 else significant(value, 4)
            rows.append((say("log evidence (integral of the density), ± standard error"), shown))
    if "log_evidence_by_run" in told and np.size(told["log_evidence_by_run"]) > 1:
        each = [number(float(value), 2) for value in np.atleast_1d(told["log_evidence_by_run"])]
        rows.append((say("log evidence, run by run"), listing(each)))
    return rows


def _rejection(told: Mapping[str, Any]) -> Rows:
    rows: Rows = []
    if "proposals" in told and "acceptance" in told:
        share = percent(float(told["acceptance"]))
        rows.append(
            (say("proposals"), say("{n}, of which {share} accepted", n=f"{int(told['proposals']):,}", share=share))
        )
    if "expected_acceptance" in told:
        rows.append((say("expected acceptance, 1/M"), percent(float(told["expected_acceptance"]))))
    if "bound" in told:
        rows.append((say("M"), significant(float(told["bound"]), 5)))
    if "certificate" in told:
        rows.append((say("the envelope"), say(str(told["certificate"]))))
    return rows


def _chains(told: Mapping[str, Any]) -> Rows:
    rows: Rows = []
    if "kernel" in told:
        rows.append((say("kernel"), str(told["kernel"])))
    if "mean_acceptance" in told:
        rows.append((say("mean acceptance"), percent(float(told["mean_acceptance"]))))
    if "swap_acceptance" in told:
        swaps = [percent(float(value)) for value in np.atleast_1d(told["swap_acceptance"])]
        rows.append((say("accepted exchanges between neighbouring temperatures"), listing(swaps)))
    if "moves_by_temperature" in told:
        moves = np.atleast_1d(told["moves_by_temperature"])
        rows.append(
            (say("moves at each temperature"), say("{low} to {high}", low=int(moves.min()), high=int(moves.max())))
        )
    return rows


def _program(told: Mapping[str, Any]) -> Rows:
    """Return how a Pyro program was run."""
    rows: Rows = []
    if "backend" in told:
        rows.append((say("back end"), str(told["backend"])))
    if "guide" in told:
        rows.append((say("guide"), str(told["guide"])))
    if "loss" in told:
        loss = told["loss"]
        rows.append((say("loss"), loss if isinstance(loss, str) else significant(float(loss), 6)))
    if "summed_out" in told:
        rows.append((say("summed out"), str(told["summed_out"])))
    if "blocks" in told:
        rows.append((say("drawn in turn"), str(told["blocks"])))
    if "note" in told:
        rows.append((say("note"), str(told["note"])))
    return rows


def _optimised(told: Mapping[str, Any]) -> Rows:
    """Return what expectation-maximisation did on its way."""
    rows: Rows = []
    if "n_iterations" in told:
        rows.append((say("iterations of the best start"), f"{int(told['n_iterations']):,}"))
    if "restarts" in told:
        rows.append((say("starts"), f"{int(told['restarts']):,}"))
    if int(told.get("restarts_collapsed", 0)):
        rows.append((say("starts that collapsed"), f"{int(told['restarts_collapsed']):,}"))
    if int(told.get("empty", 0)):
        rows.append((say("components without points"), f"{int(told['empty']):,}"))
    return rows
