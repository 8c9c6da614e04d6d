"""Distributions that are known well, to check engines against each other: one family a file, and the table of all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bayeskit.models.targets._target import ENGINES, Envelope, Expected, Moment, Outcome, Target
from bayeskit.models.targets.banana import make_banana
from bayeskit.models.targets.beta_binomial import make_beta, make_beta_binomial
from bayeskit.models.targets.conjugate import make_linear_regression, make_normal
from bayeskit.models.targets.funnel import make_funnel
from bayeskit.models.targets.gaussian import make_gaussian_2, make_gaussian_50
from bayeskit.models.targets.mixture import make_mixture
from bayeskit.models.targets.tail import make_tail
from bayeskit.models.targets.weather import make_weather_level, make_weather_trend

__all__ = ["ENGINES", "TARGETS", "Envelope", "Expected", "Moment", "Outcome", "Target"]

_ALL = (
    make_beta(),
    make_mixture(),
    make_tail(),
    make_gaussian_2(),
    make_gaussian_50(),
    make_funnel(),
    make_banana(),
    make_normal(),
    make_beta_binomial(),
    make_linear_regression(),
    make_weather_level(),
    make_weather_trend(),
)
TARGETS: Mapping[str, Target] = MappingProxyType({target.name: target for target in _ALL})
"""By name."""
