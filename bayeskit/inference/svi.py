"""Stochastic variational inference on any Pyro program: a guide, fitted to the posterior by stochastic gradients.

The guide q is moved until the evidence lower bound, E_q[log p(x, data) - log q(x)], is as large as it gets: Hoffman,
Blei, Wang and Paisley (2013), https://jmlr.org/papers/v14/hoffman13a.html; with guides on the unconstrained scale and
reparameterised gradients as in Kucukelbir, Tran, Ranganath, Gelman and Blei (2017),
https://jmlr.org/papers/v18/16-107.html. Sites, guides and estimators are Pyro's (Bingham et al. 2019,
https://jmlr.org/papers/v20/18-403.html); each step runs as recorded tensor operations where they can be recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bayeskit.core.config import Config
from bayeskit.core.types import Draws

Starts = Callable[[np.random.Generator, int], Mapping[str, NDArray[Any]]]
Progress = Callable[[int, int], None]


class SVIConfig(Config):
    """How stochastic variational inference runs.

    Parameters
    ----------
    guide
        Form of the approximation, on the unconstrained scale: ``normal``, independent normals; ``multivariate_normal``,
        one normal with all correlations; ``low_rank``, one with some (``rank``); ``iaf``, a normal that an
        autoregressive network bends; or ``delta``, the point of highest posterior density on the program's own scale.
    loss
        Estimator of the bound: ``trace``; ``trace_mean_field``, which takes divergences of site by site exactly where
        they are known, for guides whose sites are independent; ``trace_enum``, which sums discrete sites out. Unless
        given the last where there is something to sum out, else the first.
    steps
        At most so many.
    learning_rate, schedule
        Adam's rate in the first steps, and what becomes of it. ``plateau``: a tenth each time the bound has settled,
        twice; then the run ends. ``constant``: ends where the bound has settled. ``cosine`` and ``exponential``: down
        to a hundredth over all of ``steps``, to the end; whether the bound had settled counts while the rate was above
        a tenth.
    clip
        Largest gradient that counts, number by number; None for any.
    window, tolerance, patience
        The bound has settled where the medians of the last ``window`` steps and of those before differ by at most a
        share of ``tolerance``, or by no more than twice the standard error of their difference, ``patience`` times in a
        row.
    particles
        Draws of the guide that a step's estimate is the mean of.
    batch_size
        A step sees so many of the data, drawn anew: the largest ``pyro.plate`` around observed data gives so many
        indices, and the program must take its data by them, ``with pyro.plate("data", n) as i: ... obs=y[i]``. None
        for all of the data, or what the program's own ``subsample_size`` says.
    init, candidates
        Where a guide of ours begins: the best of so many points, by the bound there. ``model``: the given ``starts``;
        ``uniform``: on (-2, 2) on the unconstrained scale; ``prior``: draws from it; ``auto``: the first of these that
        can be had. A guide of the user's own begins where its parameters say.
    init_scale, rank
        Standard deviations that a guide of ours begins with, and the rank of ``low_rank``; unless given about the root
        of the number of coordinates.
    draws
        From the guide in the end.
    checkpoint, checkpoint_every
        File that keeps the state every so many seconds, and on Ctrl-C; a run that finds it there goes on from it, to
        the same bits, and removes it at the end. None for no file. What a program keeps outside its parameters is
        not in it.
    record
        Whether steps may run as recorded tensor operations: the same to the bit, and several times faster.
    device
        ``auto``: the GPU where there is one.
    """

    method: ClassVar[str] = "svi"
    guide: Literal["normal", "multivariate_normal", "low_rank", "iaf", "delta"] = "multivariate_normal"
    loss: Literal["trace", "trace_mean_field", "trace_enum"] | None = None
    steps: int = Field(default=20_000, ge=1, le=100_000_000)
    learning_rate: float = Field(default=0.02, gt=0, le=10)
    schedule: Literal["plateau", "constant", "cosine", "exponential"] = "plateau"
    clip: float | None = Field(default=None, gt=0)
    window: int = Field(default=250, ge=10)
    tolerance: float = Field(default=1e-4, gt=0, lt=1)
    patience: int = Field(default=2, ge=1)
    particles: int = Field(default=1, ge=1, le=10_000)
    batch_size: int | None = Field(default=None, ge=1)
    init: Literal["auto", "model", "uniform", "prior"] = "auto"
    candidates: int = Field(default=10, ge=1, le=1000)
    init_scale: float = Field(default=0.1, gt=0)
    rank: int | None = Field(default=None, ge=1)
    draws: int = Field(default=2000, ge=1)
    checkpoint: str | None = None
    checkpoint_every: float = Field(default=30.0, ge=0)
    record: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"


@runtime_checkable
class DrawingGuide(Protocol):
    """A guide that makes its draws itself, since a site of it stands for something else than a draw."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as a Pyro function."""
        ...

    def draws(
        self, learned: Mapping[str, NDArray[Any]], n: int, rng: np.random.Generator
    ) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.float64], NDArray[np.float64]]:
        """Return ``n`` draws by site, or fewer, and the log densities of program and guide there, given parameters."""
        ...


def fit_svi(
    program: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    config: SVIConfig | None = None,
    seed: int,
    guide: Callable[..., Any] | None = None,
    starts: Starts | None = None,
    progress: Progress | None = None,
) -> Draws:
    """Approximate the posterior of a Pyro program by a guide.

    Parameters
    ----------
    program
        A function with ``pyro.sample`` statements; its ``pyro.param`` statements are learned with the guide.
    args, kwargs
        What it is called with; tensors of single precision are made double.
    config
        How it runs.
    seed
        The same one gives the same draws, on the same machine and number of threads.
    guide
        A Pyro function of the same arguments with a site for each latent one of the program (discrete ones may be left
        out: they are summed out), and ``pyro.param`` statements; None for ``config.guide``. One that is a
        ``DrawingGuide`` makes the draws in the end itself.
    starts
        Gives ``n`` points by site, ``n x ...``, for the guide to begin at.
    progress
        Called with the numbers of steps done and of the most there may be, now and then.

    Returns
    -------
    Draws
        Of kind ``variational``: independent draws from the guide by site, and the program's deterministic sites, but
        for those that depend on sites summed out. ``log_p`` and ``log_q`` are the densities of program and guide at
        these draws, on the scale of the sites, with all of the data; there are none where a density is not known. Of
        kind ``point`` where the guide is one, with the program's log density there as ``lp``. Group ``history`` has
        the bound by step (thinned), its running median and the learning rate; group ``derived`` what the program's own
        ``pyro.param`` statements came to.

    Raises
    ------
    ConfigError
        For options that do not fit the program, a device that is not there, or a checkpoint of something else.
    ProgramError
        If program or guide misbehaves, or they do not fit each other.
    InferenceError
        If the bound or its gradient is no number in the middle of a run.

    Notes
    -----
    Steps are recorded where the program does the same each time, but for its random numbers: it is called a few times
    and its tensor operations run from then on, held against the program itself now and then. They run on one thread
    unless the arguments hold 200,000 numbers or more: several threads cost more than little work. Pyro's parameter
    store, the weights of modules and torch's generators are as they were afterwards.
    """
    from bayeskit.inference._svi_context import few_threads
    from bayeskit.inference._svi_run import run

    given: dict[str, Any] = {"guide": guide, "starts": starts, "progress": progress}
    with few_threads((args, dict(kwargs or {}))):
        return run(program, args, kwargs or {}, config=config or SVIConfig(), seed=seed, **given)
