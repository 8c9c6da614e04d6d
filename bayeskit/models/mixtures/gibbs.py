"""Blocked Gibbs sampling of a Gaussian mixture, for the engine in ``inference.gibbs``.

A sweep draws in turn, all chains at once, in NumPy and on the CPU:

1. *weights* given the assignments: Dirichlet(a + n[1], ..., a + n[K]); of a Dirichlet process the sticks and their
   concentration, ``_gibbs_weights``; truncated stick-breaking by blocks: Ishwaran and James (2001),
   doi:10.1198/016214501750332758.
2. *covariances* given assignments and means, by a Metropolis step that needs no tuning (below).
3. *means* given assignments and covariances: normal, Diebolt and Robert (1994),
   doi:10.1111/j.2517-6161.1994.tb01985.x.
4. *assignments*, all at once, given the parameters, with missing coordinates integrated out; then what is missing.

Labels are left as they are: nothing is ordered, and what depends on labels is relabelled after sampling.

Notes
-----
**Covariances.** Standard deviations ``s`` have lognormal or inverse gamma priors and correlations ``R`` an LKJ one,
which are not conjugate. With ``S`` the scatter of ``n`` points about the mean, and the Jacobian
``2^d prod s[i]^d`` of ``(s, R)`` to the covariance ``V``, the conditional density of ``V`` is proportional to

    |V|^(-n/2) exp(-tr(S V^-1) / 2) * prod_i p(s[i]) s[i]^-d * |R|^(eta - 1),     |R| = |V| / prod_i s[i]^2.

Proposals are independent of the present ``V``: from the inverse Wishart distribution with ``n + v`` degrees of freedom
and the matrix ``S + P``, whose density has the same first two factors. So they are accepted by the ratio of

    w(V) = prod_i p(s[i]) s[i]^(-d - 2 (eta - 1)) * |V|^(eta - 1 + (v + d + 1) / 2) * exp(tr(P V^-1) / 2)

at the proposal to that at the present value. ``w`` is nearly constant where the likelihood has its mass if ``P`` gives
its logarithm the slope 0 at an estimate ``E`` of ``V`` made of ``S``. With ``g[i]`` the slope of
``log p(s[i]) - (d + 2 (eta - 1)) log s[i]`` by ``log s[i]`` at ``E``, that is

    P = E diag(g[i] / E[i, i]) E + (2 (eta - 1) + v + d + 1) E;

``v = d + 2 eta - 1`` makes second derivatives by correlations vanish, too, for typical ``g``, and the matrix positive
definite. Both depend on the points and means only, never on the present ``V``, so that the step is exact. Of single
variances the proposal is inverse gamma, with degrees of freedom that match slope and curvature. On components of
hundreds of points nearly everything is accepted. Where columns are many for the points, steps of a part of the way
follow, ``_gibbs_nearby``; on components of few points, draws from the prior and random walks, ``_gibbs_small``.
Independence proposals: Tierney (1994), doi:10.1214/aos/1176325750.

Draws from an inverse Wishart come of a Bartlett factor: with ``L`` the Cholesky factor of the matrix, and ``A`` upper
triangular with ``A A'`` Wishart, ``L A'^-1`` is the Cholesky factor of ``V``: Smith and Hocking (1972),
doi:10.2307/2346290.

**Bounds.** Scales below 1e-8 of a column's standard deviation, and correlation matrices whose Cholesky factor has a
diagonal element below 1e-6, are refused: on points that agree in all digits, or lie on a line, the posterior has
its mass where no number can tell it from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeskit.models.mixtures._gibbs_matrices import Matrices
from bayeskit.models.mixtures._gibbs_missing import IncompleteRows
from bayeskit.models.mixtures._gibbs_moments import Covariance, Form, Moments
from bayeskit.models.mixtures._gibbs_rows import CompleteRows
from bayeskit.models.mixtures._gibbs_scales import scale_prior
from bayeskit.models.mixtures._gibbs_small import NEVER
from bayeskit.models.mixtures._gibbs_streams import ChainStreams
from bayeskit.models.mixtures._gibbs_variances import Variances
from bayeskit.models.mixtures._gibbs_weights import DirichletWeights, StickWeights, Weights, WeightsBlock
from bayeskit.models.mixtures.likelihood import log_prior
from bayeskit.models.mixtures.spec import MixtureSpec
from bayeskit.models.mixtures.starts import start_values

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_SMALLEST_SCALE = 1e-8  # of a column's standard deviation
_LARGEST_STICK = float(1 - np.finfo(float).epsneg)


class State(NamedTuple):
    """Where the chains stand: parameters, and the moments of the points by their present assignments."""

    streams: ChainStreams
    weights: Weights
    means: Floats
    covariance: Covariance
    moments: Moments
    log_likelihood: Floats
    acceptance: Floats


class MixtureGibbs:
    """Sweeps over a Gaussian mixture's parameters and assignments.

    Parameters
    ----------
    spec
        Sizes, form and priors.
    y
        ``n_points x n_columns``, on the model's scale, NaN where missing.
    """

    def __init__(self, spec: MixtureSpec, y: Floats) -> None:
        self.spec, self._y = spec, np.asarray(y, dtype=float)
        observed = ~np.isnan(self._y)
        counts = np.maximum(observed.sum(axis=0), 1)
        # About their means, coordinates keep their digits when they are squared.
        self._centre = np.where(observed, self._y, 0.0).sum(axis=0) / counts
        y = self._y - self._centre
        spread = np.sqrt(np.where(observed, y**2, 0.0).sum(axis=0) / counts)
        self._form = _form(spec, self._centre, np.log(_SMALLEST_SCALE * np.where(spread > 0, spread, 1.0)))
        self._weights: WeightsBlock = (
            StickWeights(spec.n_components, spec.prior("concentration"))
            if spec.dp
            else DirichletWeights(spec.prior("weights").arguments[0])
        )
        complete = observed.all(axis=1)
        self._complete = CompleteRows(y[complete], self._form, spec.n_components)
        self._incomplete = IncompleteRows(y[~complete], self._form, spec.n_components)

    @property
    def blocks(self) -> tuple[str, ...]:
        """What is drawn in turn."""
        missing = ("missing coordinates",) if len(self._incomplete) else ()
        weights = ("concentration", "sticks") if self.spec.dp else ("weights",)
        return (*weights, "covariances", "means", "assignments", *missing)

    def start(self, seeds: Sequence[np.random.SeedSequence]) -> State:
        """Return the state of as many chains as there are seeds, each from a start of its own."""
        streams = ChainStreams(seeds)
        starts = [start_values(self.spec, self._y, rng, 1) for rng in streams.of("start")]
        values = {name: np.concatenate([start[name] for start in starts]) for name in self.spec.shapes}
        state = self.state_at(values, streams)
        # The first proposals are taken whatever: steps that do not depend on where they begin stay too long in a tail.
        never = np.full_like(state.covariance.log_ratio, NEVER)
        return self.sweep(state._replace(covariance=state.covariance._replace(log_ratio=never)))

    def state_at(self, values: Arrays, streams: ChainStreams) -> State:
        """Return the state at values of the sites, ``n_chains x ...``, with assignments drawn."""
        weights = self._weights.weights(
            np.log(np.maximum(values["weights"], np.finfo(float).tiny)),
            values["sticks"] if self.spec.dp else None,
            values["concentration"] if self.spec.dp else None,
        )
        covariance = self._form.covariance(values["scales"], values.get("corr_cholesky"))
        return self._assigned(streams, weights, values["means"] - self._centre, covariance, np.ones(len(streams)))

    def sweep(self, state: State) -> State:
        """Draw weights, covariances, means and assignments once."""
        streams, covariance, moments, means = state.streams, state.covariance, state.moments, state.means
        weights, order = self._weights.arrange(state.weights, moments.counts, streams)
        if order is not None:
            covariance, means, moments = self._rearranged(covariance, means, moments, order)
        proposal = self._form.propose(moments)
        shapes = self._weights.gamma_shapes(weights, moments.counts)
        gammas = streams.gammas(np.concatenate([shapes, proposal.gamma_shapes], axis=1))
        n = shapes.shape[1]
        weights = self._weights.update(weights, shapes, gammas[:, :n], streams)
        covariance, acceptance = self._form.update(covariance, moments, proposal, gammas[:, n:], streams)
        # Sums are about the present means, as are the scatters that the covariances were drawn with.
        means = self._form.draw_means(covariance, moments, means, streams)
        return self._assigned(streams, weights, means, covariance, acceptance)

    def record(self, state: State) -> dict[str, Floats]:
        """Return what is kept of a state."""
        recorded = {
            "log_weights": state.weights.log_weights,
            "means": state.means,
            "factor": state.covariance.factor,
            "log_scales": state.covariance.log_scales,
            "log_likelihood": state.log_likelihood,
            "acceptance": state.acceptance,
        }
        if state.weights.log_sticks is not None and state.weights.concentration is not None:
            recorded |= {"log_sticks": state.weights.log_sticks, "concentration": state.weights.concentration}
        return recorded

    def finish(self, recorded: Arrays) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return the sites' values and statistics of all draws.

        Statistics are ``lp``, the log joint density of points and sites with assignments and missing coordinates
        integrated out, and ``covariance_acceptance``, the mean probability with which proposed covariances were
        accepted.
        """
        values = {
            "weights": np.exp(recorded["log_weights"]),
            "means": recorded["means"] + self._centre,
            **self._form.sites(recorded["factor"], recorded["log_scales"]),
        }
        if self.spec.dp:
            values["concentration"] = recorded["concentration"]
            values["sticks"] = np.minimum(np.exp(recorded["log_sticks"]), _LARGEST_STICK)
        values = {name: values[name] for name in self.spec.shapes}
        lp = recorded["log_likelihood"] + log_prior(self.spec, values)
        return values, {"lp": lp, "covariance_acceptance": recorded["acceptance"]}

    def _assigned(
        self, streams: ChainStreams, weights: Weights, means: Floats, covariance: Covariance, acceptance: Floats
    ) -> State:
        moments, log_likelihood = self._complete.assign(weights.log_weights, means, covariance, streams)
        if len(self._incomplete):
            more, of_incomplete = self._incomplete.assign(weights.log_weights, means, covariance, streams)
            moments, log_likelihood = moments.plus(more), log_likelihood + of_incomplete
        return State(streams, weights, means, covariance, moments, log_likelihood, acceptance)

    def _rearranged(
        self, covariance: Covariance, means: Floats, moments: Moments, order: NDArray[np.int64]
    ) -> tuple[Covariance, Floats, Moments]:
        covariance, scatters = self._form.permuted(covariance, moments, order)
        counts = np.take_along_axis(moments.counts, order, axis=1)
        sums = np.take_along_axis(moments.sums, order[..., None], axis=1)
        return covariance, np.take_along_axis(means, order[..., None], axis=1), Moments(counts, sums, scatters)


def _form(spec: MixtureSpec, centre: Floats, floors: Floats) -> Form:
    mean, sd = spec.prior("means").arguments
    scales = scale_prior(spec.prior("scales"))
    means = (mean - centre, sd)
    sizes = (spec.n_components, spec.n_columns)
    tied = spec.covariance == "tied"
    if spec.correlated:
        (shape,) = spec.prior("correlations").arguments
        return Matrices(*sizes, tied=tied, scales=scales, correlation=shape, means=means, floors=floors)
    spherical = spec.covariance == "spherical"
    return Variances(*sizes, spherical=spherical, tied=tied, scales=scales, means=means, floors=floors)
