"""What a Bayesian matrix factorisation is: rank, likelihood, priors, and the sites of its parameters.

With n users, m items, rank K, and d = 1 + K (d = K where it is non-negative), a row of a user is her bias and her
factors:

    mu                scalar    level of all ratings         ~ Normal; of the normal likelihood only
    tau               scalar    precision of a rating        ~ Gamma; of the normal likelihood only
    cutpoints         L - 1     between the L levels         ~ Normal each, ascending; of the ordinal likelihood only
    user_rows         n x d     (b_u, U_u)                   ~ Normal(user_mean + x_u user_coefficients, Lambda^-1)
    item_rows         m x d     (b_i, V_i)                   likewise
    user_mean         d         ~ Normal(0, Lambda^-1)       hierarchical only
    user_precision    d x d     Lambda ~ Wishart             hierarchical only
    alpha             K         precision of each factor, of users and items alike    ~ Gamma; automatic relevance only
    user_alpha        scalar    precision of the biases      ~ Gamma; automatic relevance only
    user_coefficients F x d     ~ Normal(0, (lambda Lambda)^-1); where users have features
    user_lambda       G         of each group of features    ~ Gamma; where users have features

    eta[u, i] = mu + b_u + b_i + <U_u, V_i>
    r[u, i] ~ Normal(eta[u, i], 1 / tau)   or   P(r[u, i] <= level l) = Phi(cutpoints[l] - eta[u, i])

and all of ``user_*`` once more as ``item_*``. Ratings of the normal likelihood are in units of their standard
deviation, from their mean (from 0 where it is non-negative). Salakhutdinov and Mnih (2008),
doi:10.1145/1390156.1390267, with Normal-Wishart priors; features as in Macau, Simm et al. (2017),
doi:10.1109/MLSP.2017.8168143; ordinal as Albert and Chib (1993), doi:10.1080/01621459.1993.10476321; automatic
relevance as in Tan and Févotte (2013), doi:10.1109/TPAMI.2012.240, whose rows are not negative where this is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bayeskit.core.errors import ConfigError
from bayeskit.core.language import mark
from bayeskit.core.priors import Prior, override

Likelihood = Literal["normal", "ordinal"]
Family = Literal["wishart", "ard"]
LIKELIHOODS: tuple[Likelihood, ...] = get_args(Likelihood)
FAMILIES: tuple[Family, ...] = get_args(Family)
SIDES = ("user", "item")

_UNIT = mark("sd of the ratings")
_LEVEL = Prior("mu", "normal", (0.0, 1.0), unit=_UNIT, meaning=mark("level of all ratings"), families=("normal",))
_PRECISION = Prior(
    "tau", "gamma", (2.0, 1.0), lower=0.0, meaning=mark("precision of a rating, 1 / sigma^2"), families=("gamma",)
)
_CUTPOINTS = Prior(
    "cutpoints",
    "normal",
    (0.0, 2.0),
    meaning=mark("where one level ends and the next begins, ascending"),
    families=("normal",),
)
_WISHART = Prior(
    "factors",
    "wishart",
    (4.0, 0.4),
    meaning=mark("how much users, and items, differ in their biases and factors"),
    families=("wishart",),
)
_RELEVANCE = Prior(
    "alpha",
    "gamma",
    (2.0, 0.32),
    lower=0.0,
    meaning=mark("precision of biases, and of each factor: a large one switches it off"),
    families=("gamma",),
)
_FEATURES = Prior(
    "lambda",
    "gamma",
    (1.0, 0.1),
    lower=0.0,
    meaning=mark("how little a group of features matters"),
    families=("gamma",),
)


@dataclass(frozen=True)
class FactorSpec:
    """A matrix factorisation without its ratings.

    Parameters
    ----------
    rank
        K.
    likelihood
        ``normal``, or ``ordinal``, of levels.
    family
        Of the rows' prior: ``wishart``, all precisions and correlations unknown; ``ard``, a precision for each factor.
    nonnegative
        Whether rows are factors alone, and none negative.
    n_levels
        L; 0 where the likelihood is normal.
    n_features, n_groups
        F and G by side; 0 where there are none.
    priors
        By ``priors_of``.
    """

    rank: int
    likelihood: Likelihood
    family: Family
    nonnegative: bool
    n_levels: int
    n_features: Mapping[str, int]
    n_groups: Mapping[str, int]
    priors: tuple[Prior, ...]

    @property
    def width(self) -> int:
        """Numbers in a row, d."""
        return self.rank if self.nonnegative else self.rank + 1

    @property
    def has_level(self) -> bool:
        """Whether there is a ``mu``."""
        return self.likelihood == "normal" and not self.nonnegative

    def prior(self, name: str) -> Prior:
        """Return the prior on one kind of parameter."""
        return next(prior for prior in self.priors if prior.name == name)

    def shapes(self, n_users: int, n_items: int) -> Mapping[str, tuple[int, ...]]:
        """Return every site to its shape."""
        d, shapes = self.width, dict[str, tuple[int, ...]]()
        if self.has_level:
            shapes["mu"] = ()
        shapes |= {"tau": ()} if self.likelihood == "normal" else {"cutpoints": (self.n_levels - 1,)}
        if self.family == "ard":
            shapes["alpha"] = (self.rank,)
        for side, n in zip(SIDES, (n_users, n_items), strict=True):
            if self.family == "wishart":
                shapes |= {f"{side}_mean": (d,), f"{side}_precision": (d, d)}
            elif not self.nonnegative:
                shapes[f"{side}_alpha"] = ()
            if self.n_features[side]:
                shapes[f"{side}_coefficients"] = (self.n_features[side], d)
                shapes[f"{side}_lambda"] = (self.n_groups[side],)
            shapes[f"{side}_rows"] = (n, d)
        return shapes


def priors_of(
    likelihood: Likelihood,
    family: Family,
    *,
    nonnegative: bool,
    features: bool,
    overrides: Sequence[str] = (),
) -> tuple[Prior, ...]:
    """Return the priors, the user's own in their places.

    Raises
    ------
    ConfigError
        For options that are none or do not go together, a text of another form, an unknown name, or a distribution
        that the parameter cannot have.
    """
    if likelihood not in LIKELIHOODS:
        raise ConfigError(f"likelihood '{likelihood}' is unknown; choose from {', '.join(LIKELIHOODS)}")
    if family not in FAMILIES:
        raise ConfigError(f"prior family '{family}' is unknown; choose from {', '.join(FAMILIES)}")
    if nonnegative and family != "ard":
        raise ConfigError(
            "factors that are not negative have the prior family ard; give --prior-family ard, or leave it out"
        )
    if nonnegative and features:
        raise ConfigError(
            "features move the means of factors, which may not be negative; leave --features or --nonnegative out"
        )
    chosen = [_LEVEL] if likelihood == "normal" and not nonnegative else []
    chosen += [_PRECISION] if likelihood == "normal" else [_CUTPOINTS]
    chosen += [_WISHART] if family == "wishart" else [_RELEVANCE]
    chosen += [_FEATURES] if features else []
    return override(tuple(chosen), tuple(overrides))
