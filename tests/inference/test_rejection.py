"""Rejection sampling: what it refuses and why, what it tells of itself, and that threads change nothing."""

import itertools
import math

import numpy as np
import pytest

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.core.proposals import Normal, ShiftedExponential
from bayeskit.inference import rejection
from bayeskit.inference._bounds import LISTED, PROVEN, Bound
from bayeskit.inference.rejection import RejectionConfig, fit_rejection


def unit(function, **options):
    return Density(function, {"x": ()}, lower=np.zeros(1), upper=np.ones(1), **options)


def beta(x):
    return np.log(x[..., 0]) + 4 * np.log1p(-x[..., 0])


def normalised_beta(x):
    return math.log(30) + beta(x)


def normal(x):
    return -0.5 * x[..., 0] ** 2


def fit(density, seed=1, proposal=None, progress=None, **options):
    return fit_rejection(density, RejectionConfig(**options), seed=seed, proposal=proposal, progress=progress)


def test_what_is_told_of_a_run():
    draws = fit(unit(normalised_beta), draws=5000, normalised=True)
    assert draws.kind == "iid"
    assert draws.values["x"].shape == (1, 5000)
    told = draws.engine
    assert told["method"] == "rejection"
    assert told["certified"] == 1
    assert told["certificate"] == PROVEN
    assert told["bound"] == pytest.approx(2.4576, rel=2e-7)
    assert told["bound_given"] == 0
    assert fit(unit(normalised_beta), bound=2.4576).engine["bound_given"] == 1
    assert told["expected_acceptance"] == pytest.approx(1 / 2.4576, rel=2e-7)
    assert "log_normalizer" not in told
    assert told["envelope_x"].shape == told["envelope_density"].shape == told["envelope_bound"].shape == (400,)
    assert told["envelope_bound"].max() == 1
    assert np.all(told["envelope_density"] <= told["envelope_bound"] * (1 + 1e-6))
    assert told["envelope_density"].max() == pytest.approx(1, abs=1e-4)
    for value in told.values():
        assert isinstance(value, (str, int, float)) or value.ndim == 1


def test_many_dimensions_are_pictured_by_ratios():
    target = Density(lambda x: beta(x) + beta(x[..., 1:]), {"x": (2,)}, lower=np.zeros(2), upper=np.ones(2))
    told = fit(target, draws=1000).engine
    assert told["ratio_edges"].shape == (51,)
    assert told["ratio_counts"].sum() == 20_000


def test_a_constant_of_the_density_changes_no_draw():
    first, second = fit(unit(beta)), fit(unit(lambda x: beta(x) - 5000.0))
    np.testing.assert_array_equal(first.values["x"], second.values["x"])
    assert second.engine["log_normalizer"] == pytest.approx(first.engine["log_normalizer"] - 5000)


@pytest.mark.parametrize("draws", [300, 200_000])
def test_threads_change_no_bit(draws):
    target = unit(beta)
    found = [fit(target, draws=draws, threads=threads) for threads in (1, 2, 5)]
    for one, other in itertools.pairwise(found):
        np.testing.assert_array_equal(one.values["x"], other.values["x"])
        assert one.engine["proposals"] == other.engine["proposals"]
    assert not np.array_equal(found[0].values["x"], fit(target, seed=2, draws=draws).values["x"])


def test_more_draws_begin_with_the_same_ones():
    few, many = fit(unit(beta), draws=500), fit(unit(beta), draws=60_000)
    np.testing.assert_array_equal(few.values["x"], many.values["x"][:, :500])


def test_proposals_are_counted_up_to_the_last_draw():
    """The places of the accepted ones, counted anew from all ratios."""
    target = unit(beta)
    draws = fit(target, draws=2000)
    run = rejection._Rejection(target, rejection._proposal(target, None), draws.engine["log_bound"], 1)
    chunks = [run.chunk(number) for number in range(6)]
    before = np.cumsum([0, *(run.size(number) for number in range(5))])
    places = np.concatenate([chunk.places + start for chunk, start in zip(chunks, before, strict=True)])
    assert draws.engine["proposals"] == places[1999] + 1


def test_progress_is_told():
    seen = []
    fit(unit(beta), draws=100_000, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (100_000, 100_000)
    assert len(seen) < 100


@pytest.mark.parametrize("threads", [1, 3])
def test_an_envelope_below_the_density_is_told_with_the_place(monkeypatch, threads):
    """A bound that the search does not see through: here it is never searched for."""
    monkeypatch.setattr(rejection, "find_bound", lambda *_: Bound(math.log(2.4), math.log(2.4), False, ""))
    with pytest.raises(
        InferenceError, match=r"f\(x\) / \(M q\(x\)\) = 1\.0[12]\d* at x = 0\.[12]\d*, and draws would be b"
    ):
        fit(unit(normalised_beta), threads=threads)


def test_an_envelope_that_is_short_by_little_is_told_in_the_end(monkeypatch):
    monkeypatch.setattr(rejection, "find_bound", lambda *_: Bound(math.log(2.4576 - 1e-5), 0.0, False, ""))
    with pytest.raises(InferenceError, match="draws would be biased"):
        fit(unit(normalised_beta), draws=20_000)


@pytest.mark.parametrize(
    ("value", "message"),
    [(0.0, "greater than 0"), (-1.0, "greater than 0"), (math.nan, "finite|greater"), (math.inf, "finite")],
)
def test_bounds_that_are_none(value, message):
    with pytest.raises(ConfigError, match=f"option 'bound'.*({message})"):
        RejectionConfig(bound=value)


def test_bounds_below_1_cannot_hold_where_the_density_is_normalised():
    with pytest.raises(ConfigError, match=r"bound 0\.9 is below 1, but no density that integrates to 1"):
        fit(unit(normalised_beta), bound=0.9, normalised=True)
    assert fit(unit(beta), bound=0.9).engine["certified"] == 1


def test_the_bound_of_a_neighbour_is_refused():
    with pytest.raises(InferenceError, match=r"= 1\.2 at x = 0\.2\d*, .* take bound >= 2\.4576"):
        fit(unit(normalised_beta), bound=2.048)


def test_a_wrong_normalisation_shows():
    with pytest.raises(InferenceError, match=r"said to be normalised, so that 0\.7\d+ of the proposals are accepted"):
        fit(unit(lambda x: normalised_beta(x) - 0.6), normalised=True)


def test_a_proposal_is_needed_on_an_endless_support():
    with pytest.raises(ConfigError, match=r"x has no finite bounds.*proposal=.*adaptive=True"):
        fit(Density(normal, {"x": ()}))
    with pytest.raises(ConfigError, match="the proposal has 2 dimensions, the density 1"):
        fit(Density(normal, {"x": ()}), proposal=Normal([0.0, 0.0], np.eye(2)))
    with pytest.raises(ConfigError, match="makes its own envelope"):
        fit(unit(beta), adaptive=True, bound=2.0)


def test_acceptance_that_is_too_low_is_told_before_hours_pass():
    target = Density(lambda x: -0.5 * 100 * np.square(x).sum(-1), {"x": (8,)}, lower=-np.ones(8), upper=np.ones(8))
    with pytest.raises(InferenceError, match=r"proposals were accepted: 4,000 draws would take .*e\+\d+ proposals and"):
        fit(target, max_proposals=10**7)


def test_a_proposal_that_never_comes_near():
    target = Density(lambda x: -0.5 * 1e6 * np.square(x).sum(-1), {"x": (12,)}, lower=-np.ones(12), upper=np.ones(12))
    with pytest.raises(InferenceError, match="none would ever be accepted; take a proposal that is closer"):
        fit(target)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_in_the_middle_of_a_run(bad):
    calls = itertools.count()

    def fails(x):
        found = -x[..., 0]
        if isinstance(found, np.ndarray) and len(found) > 4000 and next(calls) > 2:
            found[17] = bad
        return found

    with pytest.raises(ProgramError, match=r"the log density is (NaN|\+inf) at x = 0\."):
        fit(unit(fails), draws=200_000)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_density_that_raises_in_the_middle_of_a_run(threads):
    def fails(x):
        if isinstance(x, np.ndarray) and len(x) > 4000 and x[:, 0].max() > 0.99995:
            raise RuntimeError("out of\nluck")
        return -x[..., 0]

    with pytest.raises(ProgramError, match=r"raised RuntimeError \(out of luck\)"):
        fit(unit(fails), draws=200_000, threads=threads)


def test_a_density_that_is_0_everywhere():
    with pytest.raises(InferenceError, match="the density is 0 at each of the 2048 points"):
        fit(unit(lambda x: x[..., 0] * 0 - np.inf))


def test_proposals_outside_of_the_support_are_rejected():
    target = Density(normal, {"x": ()}, lower=np.array([2.0]))
    draws = fit(target, proposal=ShiftedExponential(1.0, 2.0), draws=1000)
    assert draws.values["x"].min() >= 2
    assert draws.engine["certified"] == 1


def test_whole_numbers():
    target = Density(lambda x: x[..., 0] * math.log(0.5), {"k": ()}, lower=np.zeros(1), upper=np.full(1, 20.0))
    target = Density(target.log_density, {"k": ()}, lower=target.lower, upper=target.upper, integer=np.array([True]))
    draws = fit(target, draws=1000)
    assert draws.values["k"].dtype == np.int64
    assert draws.engine["certificate"] == LISTED
    with pytest.raises(ConfigError, match="draws fractions where the density takes whole numbers"):
        fit(target, proposal=ShiftedExponential(0.0, 0.3), bound=10.0)


def test_tensors_draw_as_arrays_do():
    import torch

    def log_density(x):
        return torch.log(x[..., 0]) + 4 * torch.log1p(-x[..., 0])

    draws = fit(unit(log_density, arrays="torch"), draws=500)
    assert draws.engine["certified"] == 0
    assert draws.engine["obstacle"] == "torch"
    assert 0.2 < draws.values["x"].mean() < 0.37
