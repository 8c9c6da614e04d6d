"""A Gaussian mixture as it is asked for: with a number of components, or with how to choose one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from bayeskit.core.errors import ConfigError
from bayeskit.models import gmm as models

if TYPE_CHECKING:
    from bayeskit.datasets.points import Points
    from bayeskit.models.gmm import GMM
    from bayeskit.models.mixtures.spec import Covariance

Criterion = Literal["loo", "bic", "aic", "icl"]
CRITERIA = ("loo", "bic", "aic", "icl")


def gmm(
    data: Points,
    *,
    components: int | Literal["auto"] = "auto",
    criterion: Criterion = "loo",
    covariance: Covariance = "full",
    dp: bool = False,
    standardise: bool = True,
    prior: str | Sequence[str] = (),
    notify: Callable[[str], None] | None = None,
) -> GMM:
    """Make a Gaussian mixture of points.

    Parameters
    ----------
    data
        From ``load_points``.
    components
        How many; ``auto`` chooses from 1 to 8 by fitting each. With ``dp`` the most there may be.
    criterion
        What ``auto`` chooses by: ``loo``, the expected log predictive density of a blocked Gibbs fit, by leave-one-out
        cross-validation; or, of maximum likelihood, ``bic``, ``aic`` or ``icl``.
    covariance
        ``full``: each component has its own; ``tied``: all share one; ``diagonal``: no correlations; ``spherical``: one
        scale a component.
    dp
        Whether the weights are those of a Dirichlet process, truncated at ``components``.
    standardise
        Whether the model sees each column with mean 0 and standard deviation 1; results are in the data's units.
    prior
        Overrides, such as ``scales=lognormal(-1, 0.5)``, on the model's scale.
    notify
        Hears of the progress of the choice.

    Returns
    -------
    GMM
        Ready for ``fit``.

    Raises
    ------
    ConfigError
        For options that make no sense.
    DataError
        If the points cannot be modelled: too few distinct ones, a constant column, collinear columns.
    """
    if criterion not in CRITERIA:
        raise ConfigError(f"criterion '{criterion}' is unknown; choose from {', '.join(CRITERIA)}")
    own: dict[str, Any] = {"covariance": covariance, "dp": dp, "standardise": standardise, "prior": prior}
    if components != "auto":
        made = models.gmm(data, components=components, **own)
        return replace(made, options={**made.options, "components": components})
    if dp:
        raise ConfigError("a Dirichlet process has no number of components to choose; give the most there may be")
    from bayeskit.tasks.selecting import choose_components

    chosen, selection = choose_components(data, own, criterion=criterion, notify=notify)
    made = models.gmm(data, components=chosen, **own)
    return replace(made, selection=selection, options={**made.options, "components": "auto", "criterion": criterion})
