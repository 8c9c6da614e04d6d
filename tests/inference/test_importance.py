"""Importance sampling: its numbers, its streams, and one line where it cannot work."""

import numpy as np
import pytest
from scipy import stats

from bayeskit.core.density import Density
from bayeskit.core.errors import ConfigError, InferenceError, ProgramError
from bayeskit.core.proposals import Mixture, Normal, ShiftedExponential, StudentT, Uniform
from bayeskit.inference.importance import (
    CHUNK,
    ImportanceConfig,
    evidence,
    fit_importance,
    normalised_mean,
    self_normalised_mean,
)

NORMAL = Density(lambda x: -0.5 * np.square(x).sum(axis=1), {"x": (2,)})
WIDE = StudentT(5.0, np.zeros(2), 2 * np.eye(2))


def test_the_weight_is_the_density_over_the_proposal_s_and_the_evidence_its_mean():
    drawn = fit_importance(NORMAL, ImportanceConfig(draws=500), seed=1, proposal=WIDE)
    points, log_weight = drawn.values["x"][0], drawn.sample_stats["log_weight"][0]
    exact = stats.multivariate_t(np.zeros(2), 2 * np.eye(2), df=5).logpdf(points)
    np.testing.assert_allclose(log_weight, -0.5 * np.square(points).sum(axis=1) - exact)
    weights = np.exp(log_weight)
    assert drawn.kind == "weighted"
    assert drawn.engine["log_evidence"] == pytest.approx(np.log(weights.mean()))
    assert drawn.engine["log_evidence_error"] == pytest.approx(weights.std(ddof=1) / weights.mean() / 500**0.5)


def test_both_means_are_the_textbook_s():
    rng = np.random.default_rng(2)
    values, log_weight = rng.normal(size=400), rng.normal(size=400)
    weights = np.exp(log_weight)
    mean, error = normalised_mean(values, log_weight)
    assert (mean, error) == pytest.approx(((weights * values).mean(), stats.sem(weights * values)))
    mean, error = self_normalised_mean(values, log_weight + 700)
    share = weights / weights.sum()
    assert mean == pytest.approx(share @ values)
    assert error == pytest.approx(np.sqrt(np.sum(share**2 * (values - mean) ** 2)))
    # A draw without weight does not count, whatever it is.
    assert normalised_mean(np.append(values, np.inf), np.append(log_weight, -np.inf))[0] == pytest.approx(
        (weights @ values) / 401
    )
    assert self_normalised_mean(np.append(values, np.inf), np.append(log_weight, -np.inf))[0] == pytest.approx(mean)


def test_evidence_of_weights_far_from_1_does_not_overflow():
    log_weight = np.array([-2000.0, -2001.0, -np.inf])
    assert evidence(log_weight)[0] == pytest.approx(-2000 + np.log((1 + np.exp(-1)) / 3))
    assert evidence(log_weight)[1] == pytest.approx(evidence(log_weight + 3000)[1])


def test_same_seed_same_bits_however_many_threads_and_draws():
    first = fit_importance(NORMAL, ImportanceConfig(draws=3 * CHUNK + 5, threads=1), seed=4)
    again = fit_importance(NORMAL, ImportanceConfig(draws=3 * CHUNK + 5, threads=3), seed=4)
    np.testing.assert_array_equal(first.values["x"], again.values["x"])
    np.testing.assert_array_equal(first.sample_stats["log_weight"], again.sample_stats["log_weight"])
    fewer = fit_importance(NORMAL, ImportanceConfig(draws=CHUNK + 7), seed=4)
    np.testing.assert_array_equal(first.values["x"][:, : CHUNK + 7], fewer.values["x"])
    other = fit_importance(NORMAL, ImportanceConfig(draws=CHUNK), seed=5)
    assert not np.isin(other.values["x"], first.values["x"]).any()
    assert np.unique(first.values["x"]).size == 2 * (3 * CHUNK + 5)  # chunks share no stream


def test_torch_densities_give_the_same_numbers():
    import torch

    twin = Density(lambda x: -0.5 * torch.square(x).sum(dim=1), {"x": (2,)}, arrays="torch")
    ours = fit_importance(NORMAL, ImportanceConfig(draws=200), seed=3, proposal=WIDE)
    theirs = fit_importance(twin, ImportanceConfig(draws=200), seed=3, proposal=WIDE)
    np.testing.assert_allclose(ours.sample_stats["log_weight"], theirs.sample_stats["log_weight"])


def test_a_given_proposal_is_defended_only_where_asked():
    narrow = Normal(np.zeros(2), np.eye(2) / 4)
    plain = fit_importance(NORMAL, ImportanceConfig(draws=4000), seed=1, proposal=narrow)
    safe = fit_importance(NORMAL, ImportanceConfig(draws=4000, defensive=0.2), seed=1, proposal=narrow)
    assert plain.engine["defensive"] == 0
    assert safe.engine["defensive"] == 0.2
    assert safe.sample_stats["log_weight"].max() < plain.sample_stats["log_weight"].max() - 2
    assert np.abs(safe.values["x"]).max() > 3 > np.abs(plain.values["x"]).max()


def test_whole_numbers_in_a_box_are_drawn_as_such():
    """A binomial count and its probability, jointly: what beta-binomial gives for the count is exact."""
    k = np.arange(11)
    density = Density(
        lambda p: stats.binom(10, p[:, 1]).logpmf(p[:, 0]) + stats.beta(2, 3).logpdf(p[:, 1]),
        {"count": (), "p": ()},
        lower=np.array([0.0, 0.0]),
        upper=np.array([10.0, 1.0]),
        integer=np.array([True, False]),
    )
    drawn = fit_importance(density, ImportanceConfig(draws=40_000), seed=1)
    counts, log_weight = drawn.values["count"][0], drawn.sample_stats["log_weight"][0]
    assert counts.dtype == np.int64
    assert abs(drawn.engine["log_evidence"]) < 5 * drawn.engine["log_evidence_error"]
    for value, exact in zip(k, stats.betabinom(10, 2, 3).pmf(k), strict=True):
        mean, error = normalised_mean((counts == value).astype(float), log_weight)
        assert abs(mean - exact) < 5.5 * error


def test_progress_ends_at_the_total():
    told = []
    config = ImportanceConfig(draws=2 * CHUNK)
    fit_importance(NORMAL, config, seed=1, proposal=WIDE, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (2 * CHUNK, 2 * CHUNK)


@pytest.mark.parametrize(
    ("density", "proposal", "kind", "words"),
    [
        (NORMAL, Normal([0.0], [[1.0]]), ConfigError, r"the proposal has 1 coordinates and the density 2"),
        (
            Density(lambda x: np.where(x[:, 0] > 50, 0.0, -np.inf), {"x": (2,)}),
            Normal(np.zeros(2), np.eye(2)),
            InferenceError,
            "the density is 0 at all 300 points that the proposal drew",
        ),
        (
            Density(lambda x: np.where(x[:, 0] > 1, np.nan, 0.0), {"x": (2,)}),
            WIDE,
            ProgramError,
            r"the log density is NaN at x\[1\] = ",
        ),
        (
            Density(lambda x: np.where(x[:, 0] > 1, np.inf, 0.0), {"x": (2,)}),
            WIDE,
            ProgramError,
            r"the log density is \+inf at x\[1\] = ",
        ),
        (
            Density(lambda x: x.sum(axis=1), {"n": (2,)}, integer=np.array([True, True])),
            None,
            ConfigError,
            "whole numbers only, without finite bounds",
        ),
        (
            Density(lambda x: x.sum(axis=1), {"n": (2,)}, integer=np.array([True, True])),
            WIDE,
            ConfigError,
            "the proposal draws other than whole numbers",
        ),
        (
            Density(lambda x: np.where(np.abs(x[:, 0]) > 0.5, np.nan, 0.0), {"x": ()}, lower=-np.ones(1)),
            None,
            ProgramError,
            "^(chain .*)?the log density is NaN at x = ",
        ),
    ],
)
def test_what_cannot_work_says_so_in_one_line(density, proposal, kind, words):
    with pytest.raises(kind, match=words) as error:
        fit_importance(density, ImportanceConfig(draws=300), seed=1, proposal=proposal)
    assert "\n" not in str(error.value)


def test_a_proposal_that_contradicts_itself_is_refused():
    class Contradicting(Uniform):
        def log_density(self, points):
            many = len(points) > 64  # a first look at a few points finds nothing wrong
            return np.where((points[:, 0] > 0.5) & many, -np.inf, 0.0)

    box = Contradicting(np.zeros(2), np.ones(2))
    with pytest.raises(ProgramError, match="at points that it drew itself"):
        fit_importance(NORMAL, ImportanceConfig(draws=300), seed=1, proposal=box)


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"defensive": 1.0}, {"defensive": -0.1}, {"threads": 0}])
def test_options_have_bounds(wrong):
    with pytest.raises(ConfigError, match=f"option '{next(iter(wrong))}'"):
        ImportanceConfig(**wrong)


def test_a_mixture_stands_for_itself_as_a_proposal():
    both = Mixture([1.0, 1.0], [Normal(np.zeros(2), np.eye(2)), WIDE])
    drawn = fit_importance(NORMAL, ImportanceConfig(draws=2000), seed=1, proposal=both)
    points, log_weight = drawn.values["x"][0], drawn.sample_stats["log_weight"][0]
    np.testing.assert_allclose(log_weight, NORMAL(points) - both.log_density(points))


@pytest.mark.parametrize("proposal", [ShiftedExponential(0.0, 1.0), Uniform(np.array([-1.0]), np.array([1.0]))])
def test_a_proposal_that_leaves_a_part_of_the_density_out_is_refused(proposal):
    density = Density(lambda p: -0.5 * p[:, 0] ** 2, {"x": ()})
    with pytest.raises(InferenceError, match="does not cover the density: at x = "):
        fit_importance(density, ImportanceConfig(draws=100), seed=1, proposal=proposal)
