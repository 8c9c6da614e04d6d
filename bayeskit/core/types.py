"""The few types that travel between the rooms: Draws, Verdict, ModelCard, Provenance, Fit and Assessment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from bayeskit.core import show
from bayeskit.core.priors import Prior

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

Kind = Literal["mcmc", "iid", "weighted", "variational", "point"]
Comparison = Literal["<=", ">="]


@dataclass(frozen=True)
class Draws:
    """What an engine hands over.

    Parameters
    ----------
    kind
        How the draws came about; every diagnostic dispatches on it.
    values
        Name of a quantity to its draws, ``n_chains x n_draws x ...``.
    sample_stats
        Name of a sampler statistic (ArviZ's names) to its values, ``n_chains x n_draws``. For ``variational`` draws
        ``log_p`` and ``log_q``: the log densities of the model and of the approximation, on the scale on which the
        approximation was made and each up to a constant, at the approximation's own draws (which need not be those in
        ``values``, where these were resampled). For ``weighted`` draws ``log_weight``: the logarithm of each draw's
        weight, up to a constant.
    timings
        Seconds by phase, at least ``compile``; those of several chains are summed.
    engine
        What the engine says of itself: versions, limits such as ``max_treedepth``; where something was optimised, also
        ``converged`` and ``message``.
    declared
        Where the engine knows it: every quantity of the program by name, in the program's order, to its kind
        (``parameter``, ``transformed parameter`` or ``generated quantity``); those without any elements too.
    groups
        What else came of it, by the names of groups in the posterior's tree: ``history``, values by iteration of an
        optimisation; or, where the engine itself runs the program, ``observed_data``, ``posterior_predictive`` and
        ``log_likelihood``.
    """

    kind: Kind
    values: Mapping[str, Array]
    sample_stats: Mapping[str, Array] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """One check: its number, its threshold, and what to do where it fails.

    ``passed`` is None where the check could not be made; ``comparison`` says on which side of the threshold
    the number has to lie. An ``advisory`` check tells what a result is worth, and does not make a run fail: a
    variational fit is an approximation even where it came out as it should.
    """

    name: str
    value: float | None
    threshold: float
    comparison: Comparison
    passed: bool | None
    detail: str = ""
    remedy: str = ""
    advisory: bool = False


@dataclass(frozen=True)
class Quantity:
    """How the report names a posterior variable: unit, a sentence, digits follow from its uncertainty."""

    name: str
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Series:
    """Tells the report that the model fits a series of days: which variables to draw, with unit."""

    observed: str
    state: str
    slope: str | None
    flag: str | None
    label: str
    unit: str


@dataclass(frozen=True)
class MixtureCard:
    """Tells the report that the model is a mixture of normal distributions of points.

    Parameters
    ----------
    columns
        The points' coordinates, as the data call them.
    n_components
        Number of components; for a Dirichlet process the level of its truncation.
    covariance
        ``full``, ``tied``, ``diagonal`` or ``spherical``.
    dp
        Whether it is a Dirichlet process.
    """

    columns: tuple[str, ...]
    n_components: int
    covariance: str
    dp: bool


@dataclass(frozen=True)
class BlockCard:
    """Tells the report that the model is a stochastic block model of a graph.

    Parameters
    ----------
    shared
        Whether each node has one block, as a source and as a target.
    directed
        Whether edges have a direction.
    likelihood
        ``bernoulli`` or ``poisson``.
    degree_corrected
        Whether nodes of a block may differ in their expected degrees.
    n_source_blocks, n_target_blocks
        Numbers of blocks; equal where one partition is shared.
    n_nodes, n_edges
        Size of the graph.
    weighted
        Whether edges have weights that the model takes.
    has_labels
        Whether the data tell groups that the blocks can be held against.
    """

    shared: bool
    directed: bool
    likelihood: str
    degree_corrected: bool
    n_source_blocks: int
    n_target_blocks: int
    n_nodes: int
    n_edges: int
    weighted: bool
    has_labels: bool


@dataclass(frozen=True)
class FactorCard:
    """Tells the report that the model is a factorisation of ratings.

    Parameters
    ----------
    rank
        Number of factors.
    likelihood
        ``normal`` or ``ordinal``.
    family
        Of the factors' prior: ``wishart``, or ``ard``, automatic relevance.
    nonnegative
        Whether factors are not negative.
    n_users, n_items
        With those of test ratings only.
    n_ratings, n_test
        Numbers of ratings for training and for testing.
    low, high
        Ends of the scale.
    levels
        Its steps, ascending; empty where ratings are continuous.
    user_features, item_features
        Names of the groups of features.
    """

    rank: int
    likelihood: str
    family: str
    nonnegative: bool
    n_users: int
    n_items: int
    n_ratings: int
    n_test: int
    low: float
    high: float
    levels: tuple[float, ...]
    user_features: tuple[str, ...]
    item_features: tuple[str, ...]


@dataclass(frozen=True)
class ConditionCard:
    """Tells what a conditional autoencoder is given, and how networks take it.

    Parameters
    ----------
    name
        As the data call it.
    classes
        Of a class, in the order of the networks' inputs; empty of a number.
    low, high
        Least and greatest number in training; 0 of a class.
    mean, sd
        Of the numbers in training, by which networks take them; 0 and 1 of a class.
    """

    name: str
    classes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    sd: float = 1.0


@dataclass(frozen=True)
class AutoencoderCard:
    """Tells that the model is a variational autoencoder: all that its networks are built from.

    Parameters
    ----------
    conditional
        Whether it learns a distribution given something: conditions, or quadrants of the image.
    shape
        Of a row: ``(n_columns,)``, ``(height, width)`` or ``(height, width, channels)``.
    columns
        Of a table; empty of images.
    latent
        Number of codes of a row.
    architecture
        ``mlp`` or ``conv``.
    encoder, decoder
        Sizes of the hidden layers, or numbers of channels; empty of a linear one.
    likelihood
        ``bernoulli``, ``continuous-bernoulli``, ``gaussian`` or ``categorical``.
    shared_noise
        Of a gaussian one: whether all columns have the same standard deviation.
    levels
        Of a categorical one: the number of grey levels; else 0.
    latent_prior
        ``normal`` or ``laplace``.
    conditions
        What is given.
    quadrants
        How many quadrants of an image are given, to complete the others; 0 for no completion.
    noise
        Denoising: standard deviation of what is added to the encoder's input, in standard deviations of a column or on
        the scale of grey from 0 to 1; 0 for none.
    n_rows, n_held_out
        In training, and held out to judge it.
    labels
        Known groups of the rows, in order; empty where there are none.
    binarise
        How grey became 0 or 1: ``static``, ``dynamic``, or ``none``.
    """

    conditional: bool
    shape: tuple[int, ...]
    columns: tuple[str, ...]
    latent: int
    architecture: str
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    likelihood: str
    shared_noise: bool
    levels: int
    latent_prior: str
    conditions: tuple[ConditionCard, ...]
    quadrants: int
    noise: float
    n_rows: int
    n_held_out: int
    labels: tuple[str, ...]
    binarise: str = "none"


@dataclass(frozen=True)
class ModelCard:
    """What the report says about a model; plain data, so that it can be kept in ``run.json``.

    Parameters
    ----------
    name, title
        The command's word for the model, and the headline.
    summary
        One or two sentences in plain words.
    formulas
        The model's statements, one a line, e.g. ``mu[t] ~ normal(mu[t-1], s_mu)``.
    program, language
        The program's whole text, and its language for highlighting (``stan`` or ``python``).
    quantities
        The scalar parameters and what they mean, in the order of the tables.
    priors
        All of them.
    remedies
        Model-specific advice by the name of the verdict that fails.
    boundary
        Scale parameters that may pile up at 0: a fact for the reader, not a failure.
    notes
        What the reader has to know of how the model took the data.
    log_likelihood
        What the pointwise log likelihood is: of each observation given the parameters (``independent``), or given
        those before it, too (``sequential``), so that none can be left out by itself; empty where nobody knows.
    without_data
        Whether it is a density as it stands: there are no data that it could be held against, and no priors.
    mixture
        Where it is a mixture of normal distributions.
    blocks
        Where it is a stochastic block model.
    factors
        Where it is a factorisation of ratings.
    autoencoder
        Where it is a variational autoencoder.
    """

    name: str
    title: str
    summary: str
    formulas: tuple[str, ...]
    program: str
    language: str
    quantities: tuple[Quantity, ...]
    priors: tuple[Prior, ...]
    series: Series | None = None
    remedies: Mapping[str, str] = field(default_factory=dict)
    boundary: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    log_likelihood: Literal["independent", "sequential", ""] = ""
    without_data: bool = False
    mixture: MixtureCard | None = None
    blocks: BlockCard | None = None
    factors: FactorCard | None = None
    autoencoder: AutoencoderCard | None = None


@dataclass(frozen=True)
class Source:
    """The file the data came from, as read.

    ``variables`` gives the names of what it holds, each with its type and size as the report shows them.
    """

    path: str
    sha256: str
    description: str
    notes: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """Everything that is needed to do it again; the contents of ``run.json`` but for metrics and verdicts."""

    model: str
    engine: str
    kind: Kind
    config: Mapping[str, Any]
    seed: int
    data: Source
    card: ModelCard
    versions: Mapping[str, str]
    hardware: Mapping[str, str]
    timings: Mapping[str, float]
    command: str
    script: str
    started: str


@dataclass(frozen=True)
class Fit:
    """A posterior as a DataTree, and where it came from.

    ``missing`` says in sentences what a damaged run folder did not give back, and why.
    """

    posterior: xr.DataTree
    provenance: Provenance
    missing: tuple[str, ...] = ()

    @property
    def has_draws(self) -> bool:
        """Whether there is any draw of any variable."""
        return any(array.size for array in self.posterior["posterior"].data_vars.values())

    def __repr__(self) -> str:
        return show.fit_text(self)

    def _repr_html_(self) -> str:
        return show.fit_html(self)


@dataclass(frozen=True)
class Assessment:
    """The verdicts on a fit, and the table of all its parameters that they rest on.

    ``summary`` has one row a scalar: mean, sd, quantiles, MCSE, bulk and tail ESS, R-hat.
    """

    verdicts: tuple[Verdict, ...]
    summary: pd.DataFrame
    metrics: Mapping[str, float]

    @property
    def passed(self) -> bool:
        """Whether every check was made and passed, but for those that only tell what the result is worth."""
        return bool(self.verdicts) and all(verdict.passed or verdict.advisory for verdict in self.verdicts)

    def __repr__(self) -> str:
        return show.assessment_text(self)

    def _repr_html_(self) -> str:
        return show.assessment_html(self)


class StanModel(Protocol):
    """What the Stan engine asks of a model."""

    @property
    def program(self) -> str:
        """File name of its program in the top-level folder ``stan``, or the absolute path of a program elsewhere."""
        ...

    def stan_data(self) -> Mapping[str, Any]:
        """Return the program's data block."""
        ...

    def stan_inits(self, rng: np.random.Generator) -> Mapping[str, Any] | float | None:
        """Return where one chain starts.

        Initial values, overdispersed; or the half-width of the interval around 0 in which Stan draws them on the
        unconstrained scale; or None for Stan's own, 2.
        """
        ...

    @property
    def metric(self) -> Literal["diag_e", "dense_e"]:
        """Which inverse mass matrix NUTS adapts: a dense one pays where the parameters are few."""
        ...

    @property
    def outputs(self) -> Sequence[str] | None:
        """Names of the program's quantities to keep; None for all."""
        ...
