"""How a run's model and engine can be calibrated: the command, from the one that made the run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bayeskit.core.language import say
from bayeskit.core.types import Provenance

_OF_ONE_FIT = ("--days", "--chains", "--warmup", "--draws", "--seed")  # a calibration has its own
_CHOSEN = ("--components", "--criterion", "--source-blocks", "--target-blocks")  # once, for all simulations
_OF_THE_DATA = ("--labels", "--hold-out")
_OF_RATINGS = (
    "--rank",
    "--split",
    "--hold-out",
    "--first",
    "--device",
)  # small ones are simulated, and all of them fitted
_ENGINES = ("stan", "gibbs", "nuts")


def calibration_hint(origin: Provenance) -> str:
    """Return what a calibration would tell, as a run's report lists it, with the command where there is one."""
    words = _words(origin.command) if origin.engine in _ENGINES else []
    if words[:2] == ["bayeskit", "fit"] and origin.card.mixture is not None:
        chosen = ["--components", str(origin.card.mixture.n_components)]
        words = [*words[:4], *chosen, *_kept(words[4:], _CHOSEN)]
    blocks = origin.card.blocks
    if words[:2] == ["bayeskit", "fit"] and blocks is not None:
        chosen = ["--source-blocks", str(blocks.n_source_blocks)]
        chosen += [] if blocks.shared else ["--target-blocks", str(blocks.n_target_blocks)]
        words = [*words[:4], *chosen, *_kept(words[4:], (*_CHOSEN, *_OF_THE_DATA))]
    if words[:2] == ["bayeskit", "fit"] and origin.card.factors is not None:
        words = [*words[:4], *_kept(words[4:], _OF_RATINGS)]
    if words[:2] == ["bayeskit", "fit"] and (
        origin.engine == "stan" or any((origin.card.mixture, blocks, origin.card.factors))
    ):
        return say(
            "Calibration: whether this model and engine recover known parameters from simulated data; `{command}` "
            "finds out",
            command=shlex.join(["bayeskit", "calibrate", *_kept(words[2:])]),
        )
    if words[:3] == ["bayeskit", "stan", "run"]:
        own = _kept(words[3:])
        files = [word for word in own[:2] if not word.startswith("--")]
        command = ["bayeskit", "calibrate", "stan", *files, "--simulator", "SIMULATOR.stan", *own[len(files) :]]
        return say(
            "Calibration: whether this model and engine recover known parameters from simulated data; write a program "
            "that draws the parameters and then the data in its generated quantities, and `{command}` finds out",
            command=shlex.join(command),
        )
    return say("Calibration: whether this model and engine recover known parameters from simulated data")


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation that does not end
        return []


def _kept(words: Sequence[str], without: Sequence[str] = _OF_ONE_FIT) -> list[str]:
    """Leave out the options that are of one fit, with their values."""
    return [
        word for before, word in zip(["", *words], words, strict=False) if word not in without and before not in without
    ]
