"""Amortised variational inference: networks give each row's approximate posterior, and learn it with the model.

A variational autoencoder as in Kingma and Welling (2014), arXiv:1312.6114, stated as a pair of Pyro programs. Nothing
of Pyro runs in a step: its bound and the bound's gradient are written down once as tensor operations, and the whole
step, Adam (Kingma and Ba 2015, arXiv:1412.6980) included, is compiled where that pays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.types import Draws
from bayeskit.inference._told import Progress

if TYPE_CHECKING:
    import torch

Report = Callable[[str], None]


class AmortisedConfig(Config):
    """How networks are trained.

    Parameters
    ----------
    epochs
        Passes over the rows, at most.
    batch_size
        Rows a step. They are shuffled in each epoch, and those left over at its end wait for the next. Fewer rows than
        that are one batch.
    learning_rate, schedule
        Adam's rate at first, and what becomes of it: ``cosine``, down to a hundredth over all of ``epochs``, after
        which the last weights are kept unless those of another epoch were better by more than chance; or ``constant``,
        with those of the best.
    beta
        Weight of the divergence from the prior: 1 makes the objective the evidence lower bound; Higgins et al. (2017),
        https://openreview.net/forum?id=Sy2fzU9gl.
    kl_warmup
        Epochs over which that weight rises from 0 to ``beta``, in a straight line: Bowman et al. (2016),
        arXiv:1511.06349.
    free_bits
        Divergence, in nats a code and on average over a batch, below which less of it is worth nothing: Kingma et al.
        (2016), arXiv:1606.04934, section 3 and appendix C.8.
    patience
        Training ends after so many epochs, 0 for never: without a better bound of the held-out rows, not counting
        warm-up, where the rate is constant; in a row with one that is plainly worse than the best was (by two standard
        errors and by a twentieth of the spread from row to row), where it is a cosine.
    clip
        Largest gradient that counts, number by number; None for any.
    compile
        Whether the step is compiled, which takes half a minute: ``auto``, where there may be 20,000 steps or more, and
        a compiler; ``always``; or ``never``.
    checkpoint_every
        Seconds between two writings of the state.
    device
        ``auto``: the GPU where there is one, with products of matrices in bfloat16 there.
    """

    method: ClassVar[str] = "amortised"
    epochs: int = Field(default=100, ge=1, le=1_000_000)
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    schedule: Literal["constant", "cosine"] = "cosine"
    beta: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    kl_warmup: int = Field(default=0, ge=0)
    free_bits: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    patience: int = Field(default=20, ge=0)
    clip: float | None = Field(default=None, gt=0)
    compile: Literal["auto", "always", "never"] = "auto"
    checkpoint_every: float = Field(default=30.0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"


class AmortisedProgram(Protocol):
    """What the engine asks of a model."""

    @property
    def module(self) -> torch.nn.Module:
        """All networks and parameters of both functions, of single precision; training starts from what they are."""
        ...

    @property
    def train(self) -> tuple[torch.Tensor, ...]:
        """Tensors of as many rows each, from which batches are taken."""
        ...

    @property
    def held_out(self) -> tuple[torch.Tensor, ...]:
        """Tensors of the same kind, by whose rows the training is judged; there may be no rows."""
        ...

    def prepare(self, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return what the functions are called with: here is drawn what is drawn anew in each step."""
        ...

    @property
    def model(self) -> Callable[..., Any]:
        """A Pyro function of these tensors: its only plate is over the batch, and has latent and observed sites."""
        ...

    @property
    def guide(self) -> Callable[..., Any]:
        """A Pyro function of these tensors with the same latent sites, whose draws are differentiable."""
        ...


def fit_amortised(
    program: AmortisedProgram,
    config: AmortisedConfig | None = None,
    *,
    seed: int,
    checkpoint: Path | None = None,
    identity: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    report: Report | None = None,
) -> Draws:
    """Train networks.

    Parameters
    ----------
    program
        Model, guide and rows. Its module stays as it is.
    config
        How.
    seed
        Of the shuffling and of all that steps draw: the same one gives the same weights, on the same machine and number
        of threads.
    checkpoint
        File that keeps the state every so many seconds, and on Ctrl-C; a run that finds it there goes on from it, to
        the same bits. At the end it holds the final state: it is the caller's to remove once the result is safe. None
        for no file.
    identity
        What the run is, by words that a message can use (``the model``): a run only goes on from a state of the same
        identity. Rows, first weights, options, seed and versions are in it without being given.
    progress
        Called with the numbers of steps done and of the most there may be, now and then.
    report
        Called with a few words on how far it is, at most five times a second.

    Returns
    -------
    Draws
        Of kind ``point``, without values. Group ``weights`` has parameters and buffers by name, those of the epoch with
        the best bound; group ``history`` by epoch the evidence lower bound, its two terms (nats a row, the divergence
        unweighted, both for the training and for the held-out rows), the divergence's weight and the learning rate.

    Raises
    ------
    ConfigError
        For fewer than two rows, a device that is not there, no compiler where ``compile`` is ``always``, or a
        checkpoint that is damaged or of something else.
    ProgramError
        If model or guide misbehaves, or they do not fit each other.
    InferenceError
        If the bound is no number in the middle of a run.
    """
    from bayeskit.inference._amortised_run import run

    return run(
        program,
        config or AmortisedConfig(),
        seed=seed,
        checkpoint=checkpoint,
        identity=identity or {},
        progress=progress,
        report=report,
    )
