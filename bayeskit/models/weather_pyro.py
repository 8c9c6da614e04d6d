"""The weather models with their states integrated out, as Pyro programs over the scales alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from pyro import deterministic, factor, sample
from pyro import distributions as dist
from pyro.distributions import TorchDistribution, constraints

from bayeskit.core.errors import ConfigError
from bayeskit.core.priors import Prior
from bayeskit.models._kalman import StateSpace
from bayeskit.models.weather import WeatherModel

_FAMILIES: dict[str, Callable[..., TorchDistribution]] = {
    "normal": dist.Normal,
    "student_t": dist.StudentT,
    "cauchy": dist.Cauchy,
    "lognormal": dist.LogNormal,
    "gamma": dist.Gamma,
    "inv_gamma": dist.InverseGamma,
    "exponential": dist.Exponential,
}
"""Each takes the arguments of the family of this name in the order of ``bayeskit.core.priors.FAMILIES``."""


def weather_program(model: WeatherModel) -> Callable[[], None]:
    """Return a Pyro program, without arguments, of a weather model's scales.

    Parameters
    ----------
    model
        Of form ``marginal``.

    Returns
    -------
    callable
        Its one latent site is ``z``, the free coordinates of the Stan program of the same name: the scales ``s_mu`` and
        ``s_y`` are their absolute values, deterministic sites as is ``signal_share``. The log density over ``z`` is
        Stan's up to a constant; the first day's states and all others are integrated out, and not drawn.

    Raises
    ------
    ConfigError
        If every state is a parameter of the model.
    """
    if model.form != "marginal":
        raise ConfigError(f"the {model.form} form has no Pyro program; take --form marginal")
    state_space = state_space_of(model)
    prior = FoldedPriors((model.prior("s_mu"), *[model.prior("s_y")] * (2 if model.rain_noise else 1)))
    series = _Series(state_space)

    def program() -> None:
        z = sample("z", prior)
        scales = z.abs()
        variances = z.square()
        deterministic("s_mu", scales[0])
        deterministic("s_y", scales[1:], event_dim=1)
        deterministic("signal_share", variances[0] / (variances[0] + variances[1:]), event_dim=1)
        factor("temperature", series.log_likelihood(variances))

    return program


def state_space_of(model: WeatherModel) -> StateSpace:
    """Return the model's structure and its observations, for the filter."""
    slope = model.prior("slope_1").arguments if model.structure == "trend" else None
    return StateSpace(
        model.temperature,
        model.noise,
        _pair(model.prior("mu_1").arguments),
        None if slope is None else _pair(slope),
    )


class FoldedPriors(TorchDistribution):
    """Free numbers whose absolute values have the given priors, each sign being as likely as the other.

    Parameters
    ----------
    priors
        One a number, truncated at 0.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012  # torch's own way of declaring them
    support = constraints.real_vector

    def __init__(self, priors: tuple[Prior, ...]) -> None:
        self._priors = priors
        self._parts = [_double(prior) for prior in priors]
        # Half of the prior's density on either side; the truncation's share of mass comes from the prior itself.
        self._offset = sum(_log_share(*pair) for pair in zip(priors, self._parts, strict=True)) - len(priors) * _LOG_2
        super().__init__(torch.Size(), torch.Size((len(priors),)), validate_args=False)

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """Return the log density."""
        scales = value.abs()
        total = sum(part.log_prob(scales[..., place]) for place, part in enumerate(self._parts))
        return torch.as_tensor(total + self._offset)

    def sample(self, sample_shape: Any = ()) -> torch.Tensor:
        """Draw from the priors, with random signs; torch's generator gives the seed."""
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        shape = tuple(sample_shape)
        scales = np.stack([prior.draw(shape, rng) for prior in self._priors], axis=-1)
        return torch.as_tensor(scales * rng.choice([-1.0, 1.0], scales.shape))


_LOG_2 = math.log(2.0)


def _double(prior: Prior) -> TorchDistribution:
    arguments = (torch.tensor(argument, dtype=torch.float64) for argument in prior.arguments)
    return _FAMILIES[prior.family](*arguments, validate_args=False)


def _log_share(prior: Prior, part: TorchDistribution) -> float:
    """Return by how much the truncated prior's log density exceeds the whole family's."""
    point = prior.draw((1,), np.random.default_rng(0))
    return float(prior.log_density(point)[0] - part.log_prob(torch.as_tensor(point))[0])


def _pair(arguments: Sequence[float]) -> tuple[float, float]:
    mean, sd = arguments
    return mean, sd


class _Series:
    """A state-space model's data as tensors, which is what an operation of torch takes."""

    def __init__(self, state_space: StateSpace) -> None:
        self._data = (
            torch.tensor(state_space.y, dtype=torch.float64),
            torch.tensor(state_space.noise, dtype=torch.int64),
            torch.tensor([*state_space.mu_1, *(state_space.slope_1 or ())], dtype=torch.float64),
        )

    def log_likelihood(self, variances: torch.Tensor) -> torch.Tensor:
        """Return the log likelihood, ``...``, of variances ``... x (1 + n_kinds)``; differentiable where that is on."""
        value, with_score = _operations()
        found = with_score(variances, *self._data)[0] if torch.is_grad_enabled() else value(variances, *self._data)
        assert isinstance(found, torch.Tensor)
        return found


@lru_cache(maxsize=1)
def _operations() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Register the log likelihood with torch, without its score and with it: one operation, however many days.

    So autograd, vmap and tracers see one line rather than thousands.
    """
    value: Any = torch.library.custom_op("bayeskit::state_space", _value, mutates_args=())
    value.register_fake(lambda variances, y, noise, start: variances.new_empty(variances.shape[:-1]))
    value.register_vmap(lambda info, dims, variances, *data: (value(variances.movedim(dims[0], 0), *data), 0))
    with_score: Any = torch.library.custom_op("bayeskit::state_space_with_score", _with_score, mutates_args=())
    with_score.register_fake(
        lambda variances, y, noise, start: (variances.new_empty(variances.shape[:-1]), torch.empty_like(variances))
    )
    with_score.register_vmap(
        lambda info, dims, variances, *data: (with_score(variances.movedim(dims[0], 0), *data), (0, 0))
    )
    with_score.register_autograd(_backward, setup_context=_keep_score)
    return value, with_score


def _value(variances: torch.Tensor, y: torch.Tensor, noise: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    found = _state_space(y, noise, start).log_likelihood(variances.reshape(-1, variances.shape[-1]))
    return torch.as_tensor(found.reshape(variances.shape[:-1]))


def _with_score(
    variances: torch.Tensor, y: torch.Tensor, noise: torch.Tensor, start: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    found, score = _state_space(y, noise, start).with_score(variances.reshape(-1, variances.shape[-1]))
    return found.reshape(variances.shape[:-1]), score.reshape(variances.shape)


def _keep_score(ctx: Any, inputs: Any, output: tuple[torch.Tensor, torch.Tensor]) -> None:
    ctx.save_for_backward(output[1])


def _backward(ctx: Any, weight: torch.Tensor, _: Any) -> tuple[torch.Tensor, None, None, None]:
    (score,) = ctx.saved_tensors
    return weight[..., None] * score, None, None, None


def _state_space(y: torch.Tensor, noise: torch.Tensor, start: torch.Tensor) -> StateSpace:
    mean, sd, *slope = start.tolist()
    return StateSpace(y.numpy(), noise.numpy(), (mean, sd), _pair(slope) if slope else None)
