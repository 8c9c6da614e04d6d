"""A stochastic block model as it is asked for: with numbers of blocks, or with how to choose them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from bayeskit.core.errors import ConfigError
from bayeskit.models import sbm as models

if TYPE_CHECKING:
    from bayeskit.datasets.graphs import Graph
    from bayeskit.models.blocks.spec import Likelihood
    from bayeskit.models.sbm import SBM

Criterion = Literal["icl", "dl", "elbo"]
CRITERIA = ("icl", "dl", "elbo")
Blocks = int | Literal["auto"]


def sbm(
    data: Graph,
    *,
    source_blocks: Blocks = "auto",
    target_blocks: Blocks | None = None,
    shared: bool = False,
    criterion: Criterion | None = None,
    likelihood: Likelihood | None = None,
    degree_corrected: bool = False,
    hold_out: float = 0.0,
    prior: str | Sequence[str] = (),
    notify: Callable[[str], None] | None = None,
) -> SBM:
    """Make a stochastic block model of a graph.

    Parameters
    ----------
    data
        From ``load_graph``.
    source_blocks, target_blocks
        How many blocks of sources and of targets; ``auto`` chooses, each by itself or both together. Of targets also
        unless given; where one partition is shared the sources' number is that of all.
    shared
        Whether a node has one block, as a source and as a target; always so where edges have no direction.
    criterion
        What ``auto`` chooses by: ``icl``, the integrated complete likelihood, unless given; ``dl``, the description
        length; ``elbo``, the evidence lower bound of variational Bayes.
    likelihood
        ``bernoulli``, of edges that are there or not; ``poisson``, of weights as counts. Bernoulli unless given or
        corrected for degrees.
    degree_corrected
        Whether nodes of a block may differ in their expected degrees (Poisson).
    hold_out
        Share of the pairs of nodes to hold out, for the prediction of links to be judged.
    prior
        Overrides, such as ``theta=beta(0.5, 5)``; ``alpha``, ``a`` and ``b`` are estimated where they have a prior.
    notify
        Hears of the progress of the choice.

    Returns
    -------
    SBM
        Ready for ``fit``.

    Raises
    ------
    ConfigError
        For options that do not go together, or more blocks than nodes.
    DataError
        For weights that the likelihood cannot take.
    """
    if criterion not in (None, *CRITERIA):
        raise ConfigError(f"criterion '{criterion}' is unknown; choose from {', '.join(CRITERIA)}")
    own: dict[str, Any] = {
        "shared": shared,
        "likelihood": likelihood,
        "degree_corrected": degree_corrected,
        "hold_out": hold_out,
        "prior": prior,
    }
    _, one_partition = models.form_of(data, likelihood, shared=shared, degree_corrected=degree_corrected)
    if one_partition and target_blocks in ("auto", None):
        target_blocks = source_blocks
    sources, targets = _number("--source-blocks", source_blocks), _number("--target-blocks", target_blocks)
    if sources is not None and targets is not None:
        if criterion is not None:
            raise ConfigError("--criterion is what auto chooses by, and all numbers of blocks are given; leave it out")
        return models.sbm(data, source_blocks=sources, target_blocks=targets, **own)
    if one_partition and (sources is None) != (targets is None):
        raise ConfigError("one partition is shared: leave --target-blocks out")
    models.check_blocks(data, 1 if sources is None else sources, 1 if targets is None else targets, shared=False)
    from bayeskit.models.blocks.selection import choose_blocks

    made = models.sbm(data, source_blocks=sources or 1, target_blocks=targets or 1, **own)
    criterion = criterion or "icl"
    chosen = choose_blocks(
        made.spec, made.pairs, source_blocks=sources, target_blocks=targets, criterion=criterion, notify=notify
    )
    asked = {
        "source_blocks": sources or "auto",
        "target_blocks": None if one_partition or target_blocks is None else targets or "auto",
    }
    return replace(
        made,
        spec=made.spec.with_blocks(chosen.n_source_blocks, chosen.n_target_blocks),
        selection=chosen.table,
        starts_at=chosen.assignments,
        options={**made.options, **asked, "criterion": criterion},
    )


def _number(option: str, blocks: Blocks | None) -> int | None:
    """Return a number of blocks; None where it is to be chosen."""
    if blocks in (None, "auto"):
        return None
    if isinstance(blocks, Integral) and not isinstance(blocks, bool):  # NumPy's, too
        return int(blocks)
    raise ConfigError(f"{option} must be a whole number or auto, got {blocks!r}")
