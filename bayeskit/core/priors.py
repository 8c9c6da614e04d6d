"""Univariate priors by name: parsing ``normal(0, 2.5)``, densities and draws, truncated at a lower bound.

The names and the order of arguments are Stan's, https://mc-stan.org/docs/functions-reference/.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bayeskit.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Family:
    """One family of distributions: its arguments, which of them must be positive, its scipy counterpart."""

    arguments: tuple[str, ...]
    positive: frozenset[str]
    frozen: Callable[..., Any] | None
    """Takes ``scipy.stats`` and the arguments, gives the frozen distribution; None where it is of several numbers."""


FAMILIES: dict[str, Family] = {
    "normal": Family(("mean", "sd"), frozenset({"sd"}), lambda stats, m, s: stats.norm(m, s)),
    "student_t": Family(
        ("df", "location", "scale"), frozenset({"df", "scale"}), lambda stats, v, m, s: stats.t(v, m, s)
    ),
    "cauchy": Family(("location", "scale"), frozenset({"scale"}), lambda stats, m, s: stats.cauchy(m, s)),
    "lognormal": Family(
        ("log_mean", "log_sd"), frozenset({"log_sd"}), lambda stats, m, s: stats.lognorm(s, scale=math.exp(m))
    ),
    "gamma": Family(("shape", "rate"), frozenset({"shape", "rate"}), lambda stats, a, b: stats.gamma(a, scale=1 / b)),
    "inv_gamma": Family(
        ("shape", "scale"), frozenset({"shape", "scale"}), lambda stats, a, b: stats.invgamma(a, scale=b)
    ),
    "exponential": Family(("rate",), frozenset({"rate"}), lambda stats, b: stats.expon(scale=1 / b)),
    "beta": Family(("a", "b"), frozenset({"a", "b"}), lambda stats, a, b: stats.beta(a, b)),
    "dirichlet": Family(("concentration",), frozenset({"concentration"}), None),
    "lkj": Family(("shape",), frozenset({"shape"}), None),
    "wishart": Family(("excess", "scale"), frozenset({"excess", "scale"}), None),
}
"""In the order of their numbers in ``stan/state_space.stanfunctions``, from 1, up to the exponential."""

UNIVARIATE = tuple(name for name, family in FAMILIES.items() if family.frozen is not None)
REAL = tuple(name for name in UNIVARIATE if name != "beta")
"""Those of unbounded range, above ``lower``."""


@dataclass(frozen=True)
class Prior:
    """A prior as the reader sees it, e.g. ``normal(0, 2.5)``, and what it is on.

    A ``dirichlet`` has one concentration for all components, an ``lkj`` one shape, and a ``wishart`` of precisions in d
    dimensions d + 1 + ``excess`` degrees of freedom, so that the covariance's mean is ``scale`` squared times the
    identity: of these there is no univariate density, and nothing here draws from them.

    Parameters
    ----------
    name, unit, meaning
        Of the parameter; the meaning is a phrase for the report.
    family, arguments
        A key of ``FAMILIES`` and its arguments, in ``unit``.
    lower
        Where the parameter's range begins; the prior is truncated there.
    families
        The families that the model can take here.

    Raises
    ------
    ConfigError
        If the family is unknown or not allowed here, or an argument is out of its range.
    """

    name: str
    family: str
    arguments: tuple[float, ...]
    lower: float | None = None
    unit: str = ""
    meaning: str = ""
    families: tuple[str, ...] = REAL

    def __post_init__(self) -> None:
        if self.family not in self.families:
            near = get_close_matches(self.family, self.families, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(self.families)}"
            raise ConfigError(f"prior on {self.name}: no distribution '{self.family}' here; {hint}")
        family = FAMILIES[self.family]
        if len(self.arguments) != len(family.arguments):
            raise ConfigError(
                f"prior on {self.name}: {self.family} takes {len(family.arguments)} arguments "
                f"({', '.join(family.arguments)}), got {len(self.arguments)}"
            )
        for label, value in zip(family.arguments, self.arguments, strict=True):
            if not abs(value) < float("inf") or (label in family.positive and value <= 0):
                kind = "a positive number" if label in family.positive else "a finite number"
                raise ConfigError(f"prior on {self.name}: {self.family}'s {label} must be {kind}, got {value:g}")
        if self.lower is not None and not self._mass_above_lower() > 1e-6:
            raise ConfigError(
                f"prior on {self.name}: {self} leaves no room above {self.lower:g}, where it must lie; move it up"
            )

    def __str__(self) -> str:
        return f"{self.family}({', '.join(format(value, '.6g') for value in self.arguments)})"

    @property
    def univariate(self) -> bool:
        """Whether it is on single numbers, so that there is a density to draw."""
        return self.family in UNIVARIATE

    @property
    def number(self) -> int:
        """The family's number in the Stan programs, from 1."""
        return list(FAMILIES).index(self.family) + 1

    def density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density at ``x``, of its shape, the truncation included."""
        import numpy as np

        inside = x >= (-np.inf if self.lower is None else self.lower)
        density: NDArray[np.float64] = np.where(inside, self._distribution().pdf(x) / self._mass_above_lower(), 0.0)
        return density

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log density at ``x``, of its shape, the truncation included; minus infinity below it."""
        import numpy as np

        inside = x >= (-np.inf if self.lower is None else self.lower)
        density = self._distribution().logpdf(x) - math.log(self._mass_above_lower())
        log_density: NDArray[np.float64] = np.where(inside, density, -np.inf)
        return log_density

    def draw(self, size: int | tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent draws of shape ``size``, by inversion of the truncated distribution function."""
        draws: NDArray[np.float64] = self._distribution().isf(rng.uniform(0, self._mass_above_lower(), size))
        return draws

    def _distribution(self) -> Any:
        from scipy import stats

        frozen = FAMILIES[self.family].frozen
        assert frozen is not None
        return frozen(stats, *self.arguments)

    def _mass_above_lower(self) -> float:
        try:
            return 1.0 if self.lower is None else float(self._distribution().sf(self.lower))
        except OverflowError:
            raise ConfigError(f"prior on {self.name}: {self} is beyond what numbers hold; make it smaller") from None


def override(defaults: tuple[Prior, ...], texts: tuple[str, ...]) -> tuple[Prior, ...]:
    """Replace default priors by those given as ``name=distribution(arguments)``.

    Raises
    ------
    ConfigError
        If a text has another form, names no parameter, or names one twice.

    Examples
    --------
    >>> scale = Prior("s_y", "normal", (0.0, 1.0), lower=0.0)
    >>> print(override((scale,), ("s_y=gamma(2, 0.5)",))[0])
    gamma(2, 0.5)
    """
    by_name = {prior.name: prior for prior in defaults}
    seen = set()
    for text in texts:
        match = re.fullmatch(r"\s*(\w+)\s*[=~]\s*(\w+)\s*\(([^()]*)\)\s*", text)
        if not match:
            raise ConfigError(f"prior '{text}' is not of the form name=distribution(...), e.g. s_y=normal(0, 2)")
        name, family, inside = match.groups()
        if name not in by_name:
            near = get_close_matches(name, by_name, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(by_name)}"
            raise ConfigError(f"prior '{text}': the model has no parameter '{name}'; {hint}")
        if name in seen:
            raise ConfigError(f"prior '{text}': {name} is given twice; keep one")
        seen.add(name)
        try:
            arguments = tuple(float(part) for part in inside.split(","))
        except ValueError:
            raise ConfigError(f"prior '{text}': the arguments must be numbers, got '{inside}'") from None
        by_name[name] = replace(by_name[name], family=family, arguments=arguments)
    return tuple(by_name.values())
