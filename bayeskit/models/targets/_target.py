"""What a target is: a distribution told in Stan, in Pyro and in plain Python, and what engines are to make of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from textwrap import dedent
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.density import Arrays, Density, Floats
from bayeskit.core.language import mark, say
from bayeskit.core.paths import stan_program
from bayeskit.core.priors import Prior
from bayeskit.core.proposals import Proposal
from bayeskit.core.types import Draws, ModelCard, Quantity, Source

ENGINES = ("exact", "stan", "nuts", "metropolis", "rejection", "importance", "smc")
"""``stan`` is NUTS in Stan, ``nuts`` is NUTS in Pyro, ``exact`` draws from the distribution itself."""

Outcome = Literal["agree", "flag", "none"]
Start = Mapping[str, Any] | float | None

_NO_DATA = Source(path="", sha256="", description=mark("A target: its numbers are part of it"))


@dataclass(frozen=True)
class Expected:
    """How a cell of the table must come out, and why.

    Parameters
    ----------
    outcome
        ``agree``; ``flag``: the result's own checks must fail; ``none``: the engine does not apply.
    reason
        Why it is no agreement.
    by
        Of a result that must flag itself: the checks of which one has to fail.
    """

    outcome: Outcome
    reason: str = ""
    by: tuple[str, ...] = ()


AGREE = Expected("agree")


@dataclass(frozen=True)
class Moment:
    """An expectation that is known exactly.

    Parameters
    ----------
    of
        Takes draws by name, ``n x ...``, and returns the ``n`` numbers whose mean it is.
    value
        The mean.
    formula
        Where it comes from.
    """

    of: Callable[[Arrays], Floats]
    value: float
    formula: str


@dataclass(frozen=True)
class Envelope:
    """A proposal ``q`` and a bound with ``f(x) <= exp(log_bound) q(x)`` everywhere, for rejection sampling.

    Parameters
    ----------
    proposal
        What is drawn from.
    log_bound
        Logarithm of M for the target's log density as it stands, its constant included.
    touches
        A point, ``n_dims``, where the two are equal: no smaller bound will do.
    """

    proposal: Proposal
    log_bound: float
    touches: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A distribution with twins in Stan, Pyro and plain Python, for engines to be checked against each other.

    Parameters
    ----------
    name, title, summary, formulas
        What the command and the report call it, and what they say of it.
    meanings
        Every variable by name, with what it means; all twins use these names.
    make_density
        Makes the Python twin: a batched log density on the scale of the variables, in plain NumPy.
    program
        The Stan twin's file in the folder ``stan``; its variables have no constant in common with the others.
    make_stan_data
        Makes its data block.
    make_pyro_program
        Makes the Pyro twin, a program without arguments, of double precision.
    log_normalizer
        Logarithm of the integral of the Python twin's density: 0 where it is normalised, the log evidence of a
        posterior; None where nobody knows it.
    exact
        Takes a random generator and ``n``, and draws from the distribution directly, ``n x ...`` by name; None where
        nobody can.
    moments
        Expectations known exactly, by a label.
    make_proposal, make_envelope
        Make what importance sampling and sequential Monte Carlo start from, and rejection's proposal with its bound.
    expected, settings
        Of each engine in ``ENGINES``: how it must come out, and the options of its config with which it does.
    starts, metric
        Where one of Stan's chains starts, and its mass matrix, as ``StanModel`` has them.
    make_source, make_priors
        Make the file that data came from, and the priors that the report names.
    """

    name: str
    title: str
    summary: str
    formulas: tuple[str, ...]
    meanings: Mapping[str, str]
    make_density: Callable[[], Density]
    program: str
    make_stan_data: Callable[[], Mapping[str, Any]]
    make_pyro_program: Callable[[], Callable[[], object]]
    log_normalizer: float | None = None
    exact: Callable[[np.random.Generator, int], Arrays] | None = None
    moments: Mapping[str, Moment] = field(default_factory=dict)
    make_proposal: Callable[[], Proposal] | None = None
    make_envelope: Callable[[], Envelope] | None = None
    expected: Mapping[str, Expected] = field(default_factory=lambda: expectations())
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: configurations())
    starts: Callable[[np.random.Generator], Start] = lambda rng: None
    metric: Literal["diag_e", "dense_e"] = "diag_e"
    make_source: Callable[[], Source] = lambda: _NO_DATA
    make_priors: Callable[[], tuple[Prior, ...]] = lambda: ()

    @property
    def is_normalised(self) -> bool:
        """Whether the Python twin's density integrates to 1."""
        return self.log_normalizer == 0.0

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The variables and what they mean."""
        return tuple(Quantity(name, meaning=say(meaning)) for name, meaning in self.meanings.items())

    def density(self) -> Density:
        """Return the Python twin, as the engines take it."""
        return self.make_density()

    def pyro_program(self) -> tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]:
        """Return the Pyro twin and what it is called with: nothing."""
        return self.make_pyro_program(), (), {}

    def proposal(self) -> Proposal | None:
        """Return what importance sampling and sequential Monte Carlo start from, None for their own choice."""
        return None if self.make_proposal is None else self.make_proposal()

    def envelope(self) -> Envelope | None:
        """Return rejection's proposal and its bound, None where there is none to be had."""
        return None if self.make_envelope is None else self.make_envelope()

    def stan_data(self) -> Mapping[str, Any]:
        """Return the Stan twin's data block."""
        return self.make_stan_data()

    def stan_inits(self, rng: np.random.Generator) -> Start:
        """Return where one of Stan's chains starts."""
        return self.starts(rng)

    @property
    def source(self) -> Source:
        """The file that data came from, if any."""
        return self.make_source()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the variables."""
        return tuple(self.meanings)

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """None: indices count from 1."""
        return {}

    @property
    def dims(self) -> dict[str, list[str]]:
        """None: dimensions have no names."""
        return {}

    def groups(self, values: Arrays) -> dict[str, Arrays]:
        """All of the variables' draws are the posterior's, in the shapes of the Python twin."""
        shapes = self.density().shapes
        return {
            "posterior": {name: values[name].reshape(*values[name].shape[:2], *shapes[name]) for name in self.outputs}
        }

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the description for the report, with the twin that made the draws.

        Parameters
        ----------
        draws
            What came of it: those of Stan name ``stan`` among what the engine says of itself, those of Pyro ``pyro``.
        """
        engine = {} if draws is None else draws.engine
        program = stan_program(self.program) if "stan" in engine else self._python("pyro" in engine)
        return ModelCard(
            name=self.name,
            title=say(self.title),
            summary=say(self.summary),
            formulas=self.formulas,
            program=program,
            language="stan" if "stan" in engine else "python",
            quantities=self.quantities,
            priors=self.make_priors(),
            without_data=not self.make_priors(),
        )

    def _python(self, pyro: bool) -> str:
        made = self.make_pyro_program if pyro else self.make_density
        try:
            return dedent(inspect.getsource(made.func if isinstance(made, partial) else made))
        except OSError:  # no sources beside the compiled modules
            return ""


def expectations(**others: Expected) -> dict[str, Expected]:
    """Return how each engine must come out: all agree, but for ``others``."""
    return {engine: others.get(engine, AGREE) for engine in ENGINES}


def configurations(**others: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each engine's options: those that do for an easy target in one dimension, changed by ``others``."""
    usual: dict[str, dict[str, Any]] = {
        "exact": {"draws": 10_000},
        "stan": {"chains": 4, "warmup": 1000, "draws": 2500},
        # Compiling takes longer than drawing from such a target.
        "nuts": {"chains": 4, "warmup": 500, "draws": 1000, "adapt_delta": 0.9, "backend": "pyro"},
        "metropolis": {"chains": 64, "warmup": 1000, "draws": 1000, "thin": 4},
        "rejection": {"draws": 4000},
        "importance": {"draws": 10_000},
        "smc": {"particles": 2000, "runs": 4},
    }
    return {engine: {**options, **others.get(engine, {})} for engine, options in usual.items()}
