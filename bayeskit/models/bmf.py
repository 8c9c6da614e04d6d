"""Bayesian matrix factorisation of ratings: what each user would give to each item, and how sure that is.

Salakhutdinov and Mnih (2008), doi:10.1145/1390156.1390267. The parts are in ``bayeskit.models.factors``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.priors import Prior
from bayeskit.core.types import Draws, ModelCard, Source
from bayeskit.datasets.ratings import Ratings, ratings
from bayeskit.models.factors.card import factor_card
from bayeskit.models.factors.features import build_features, kinds_of
from bayeskit.models.factors.observed import Observed
from bayeskit.models.factors.posterior import factor_coords, factor_dims, factor_groups
from bayeskit.models.factors.spec import FactorSpec, Family, Likelihood, priors_of

if TYPE_CHECKING:
    from bayeskit.models.factors.alternating import FactorPoint
    from bayeskit.models.factors.gibbs import FactorGibbs
    from bayeskit.models.factors.guide import FactorGuide

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

MOST_RANK = 512
_MOST_LEVELS = 100
_KEPT = 100  # draws of the rows, of all chains together
_MOST_KEPT = 200_000_000  # numbers in them


@dataclass(frozen=True, eq=False)
class BMF:
    """A matrix factorisation with its ratings and its priors; build it with ``bmf``.

    Parameters
    ----------
    data
        The ratings as they were read.
    spec
        Rank, form and priors.
    observed
        The ratings that are fitted and tested: the data's own, or simulated ones.
    options
        What ``bmf`` was called with.
    notes
        What a reader has to know of the features.
    reference, sha256
        ``FILE.py:NAME`` and that file's hash, where it was made there; empty otherwise.
    """

    data: Ratings
    spec: FactorSpec
    observed: Observed
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    reference: str = ""
    sha256: str = ""

    @property
    def name(self) -> str:
        """The command's word for this family."""
        return "bmf"

    @property
    def source(self) -> Source:
        """The file that the ratings came from."""
        return self.data.source

    @property
    def priors(self) -> tuple[Prior, ...]:
        """Priors of the parameters."""
        return self.spec.priors

    def card(self, draws: Draws | None = None) -> ModelCard:
        """Return the model's description for the report."""
        return factor_card(self, draws)

    @property
    def coords(self) -> dict[str, NDArray[Any]]:
        """Coordinates of the posterior's dimensions."""
        return factor_coords(self)

    @property
    def dims(self) -> dict[str, list[str]]:
        """Dimensions of each variable, but for chain and draw."""
        return factor_dims(self)

    def groups(self, values: Arrays) -> dict[str, dict[str, NDArray[Any]]]:
        """Sort what an engine drew into the posterior's groups."""
        return factor_groups(self, values)

    def simulate(self, rng: np.random.Generator) -> tuple[dict[str, NDArray[Any]], BMF]:
        """Draw a truth and ratings of the same pairs: what recovery tests and simulation-based calibration start from.

        Returns
        -------
        dict, BMF
            The truth as engines record it: quantities that no rotation of the factors changes; and a model of the
            ratings, on the same scale and with the same priors.
        """
        from bayeskit.models.factors.simulation import draw_parameters, parameters_of, simulate_values
        from bayeskit.models.factors.sites import recorded

        sites = draw_parameters(self.spec, self.observed, rng)
        values = simulate_values(self.spec, self.observed, sites, rng)
        nothing = np.empty(0, dtype=np.int64)
        simulated = replace(self.observed, values=values, test_user=nothing, test_item=nothing, test_values=np.empty(0))
        return recorded(self.spec, simulated, parameters_of(self.spec, sites)), replace(self, observed=simulated)

    def test_quantities(self, values: Arrays) -> dict[str, Floats]:
        """Return what calibration ranks, ``n_draws`` values by label, of draws given as ``n_draws x ...``."""
        found = {}
        for name, array in values.items():
            flat = np.asarray(array, dtype=float).reshape(len(array), -1)
            if flat.shape[1] == 1 and np.ndim(array) == 1:
                found[name] = flat[:, 0]
            else:
                found |= {f"{name}[{at + 1}]": flat[:, at] for at in range(min(flat.shape[1], 4))}
        return found

    def gibbs(self, device: str = "cpu", *, n_draws: int = 1000) -> FactorGibbs:
        """Return the conditionals of blocked Gibbs sampling; of so many draws few are kept of the rows."""
        from bayeskit.models.factors.gibbs import FactorGibbs

        numbers = (self.observed.n_users + self.observed.n_items) * self.spec.width
        most = max(4, min(_KEPT, _MOST_KEPT // numbers))
        return FactorGibbs(self.spec, self.observed, device, keep_every=max(1, -(-n_draws // most)))

    def alternating(self, device: str = "cpu") -> FactorPoint:
        """Return the updates of point estimates."""
        from bayeskit.models.factors.alternating import FactorPoint

        return FactorPoint(self.spec, self.observed, device)

    def pyro_program(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return the Pyro program, and what it is called with."""
        from bayeskit.models.factors.program import program_of

        return program_of(self.spec, self.observed)

    def guide(self) -> FactorGuide:
        """Return the guide of variational inference."""
        from bayeskit.models.factors.guide import FactorGuide

        return FactorGuide(self.spec, self.observed)


def bmf(
    data: Ratings,
    *,
    rank: int = 10,
    likelihood: Likelihood = "normal",
    features: str | Sequence[str] = "none",
    prior_family: Family | None = None,
    nonnegative: bool = False,
    prior: str | Sequence[str] = (),
) -> BMF:
    """Build a Bayesian matrix factorisation of ratings.

    Parameters
    ----------
    data
        From ``load_ratings`` or ``ratings``.
    rank
        Number of factors.
    likelihood
        ``normal``; or ``ordinal``, of ratings as levels with cutpoints between them, an ordinal probit.
    features
        What moves the prior means of users' and items' factors, separated by commas: ``users`` and ``items``, the
        columns of their tables; ``time``, when they rated or were rated; ``implicit``, what they rated, or who rated
        them; ``all`` or ``none``. Made of training ratings only.
    prior_family
        ``wishart``: means, variances and correlations of biases and factors are unknown; ``ard``, automatic relevance:
        each factor has a precision, so that those that do not matter vanish. Unless given ``wishart``, or ``ard`` where
        factors are not negative.
    nonnegative
        Whether factors are not negative, and there are no biases: parts that add up.
    prior
        Overrides, each ``name=distribution(arguments)``, of ``mu``, ``tau``, ``cutpoints``, ``factors``, ``alpha`` and
        ``lambda``, as the model has them.

    Raises
    ------
    ConfigError
        For options that do not go together, a prior that makes no sense, or a rank above the data's size.
    DataError
        For ratings without levels, where the likelihood is ordinal.
    """
    overrides = [prior] if isinstance(prior, str) else list(prior)
    kinds = kinds_of(features)
    family: Family = prior_family or ("ard" if nonnegative else "wishart")
    priors = priors_of(likelihood, family, nonnegative=nonnegative, features=bool(kinds), overrides=overrides)
    _check(data, rank, likelihood, nonnegative=nonnegative)
    built = build_features(data, kinds)
    observed = _observed(data, likelihood, nonnegative=nonnegative)
    observed = replace(observed, user_features=built.user, item_features=built.item)
    both = {"user": built.user, "item": built.item}
    spec = FactorSpec(
        rank=rank,
        likelihood=likelihood,
        family=family,
        nonnegative=nonnegative,
        n_levels=len(data.levels) if likelihood == "ordinal" else 0,
        n_features={side: 0 if found is None else found.n_features for side, found in both.items()},
        n_groups={side: 0 if found is None else len(found.names) for side, found in both.items()},
        priors=priors,
    )
    options = {
        "rank": rank,
        "likelihood": likelihood,
        "features": ",".join(kinds) or "none",
        "prior_family": prior_family,
        "nonnegative": nonnegative,
        "prior": overrides,
    }
    return BMF(data, spec, observed, options, built.notes)


@cache
def few_ratings() -> BMF:
    """Return a factorisation, of rank 1, of made-up ratings that five users gave to four items."""
    table = np.array([[5, 4, 1, 0], [4, 0, 2, 1], [1, 2, 5, 4], [0, 1, 4, 5], [3, 3, 0, 3]])
    user, item = np.nonzero(table)
    return bmf(ratings(user, item, table[user, item], scale="1:5", split="none"), rank=1)


def _check(data: Ratings, rank: int, likelihood: str, *, nonnegative: bool) -> None:
    most = min(data.n_known_users, data.n_known_items, MOST_RANK)
    if not 1 <= rank <= most:
        raise ConfigError(
            f"rank {rank} is out of range: {data.n_known_users:,} users by {data.n_known_items:,} items tell at most "
            f"{most:,} factors apart; give --rank from 1 to {most:,}"
        )
    if likelihood == "ordinal" and not 2 <= len(data.levels) <= _MOST_LEVELS:
        raise DataError(
            f"{data.source.path or 'ratings'}: an ordinal likelihood needs a scale of 2 to {_MOST_LEVELS} levels, and "
            f"there are {len(data.levels) or 'none'}; give --likelihood normal, or the scale (--scale 1:5)"
        )
    if nonnegative and data.scale[0] < 0:
        raise DataError(
            f"{data.source.path or 'ratings'}: ratings below 0 are no sum of factors that are not negative; leave "
            "--nonnegative out"
        )


def _observed(data: Ratings, likelihood: str, *, nonnegative: bool) -> Observed:
    train = ~data.test
    given = data.values[train]
    centre, spread = 0.0, 1.0
    if likelihood == "ordinal":
        values = np.searchsorted(data.levels, given).astype(float)
    else:
        centre, spread = 0.0 if nonnegative else float(given.mean()), float(given.std())
        values = (given - centre) / spread
    return Observed(
        user=data.user[train],
        item=data.item[train],
        values=values,
        n_users=data.n_users,
        n_items=data.n_items,
        test_user=data.user[data.test],
        test_item=data.item[data.test],
        test_values=data.values[data.test],
        centre=centre,
        spread=spread,
        scale=data.scale,
        levels=data.levels,
    )
