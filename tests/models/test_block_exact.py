"""Counting up all assignments of few nodes, against counting them up one by one."""

from __future__ import annotations

import numpy as np
import pyro
import pytest
import torch
from models.block_graphs import all_assignments, exact_posterior, random_pairs, spec_of
from models.test_block_likelihood import FORMS
from pyro import poutine
from scipy.special import logsumexp

from bayeskit.core.errors import ConfigError
from bayeskit.inference._compiled_trace import traced
from bayeskit.inference._pyro_density import pyro_density
from bayeskit.models.blocks import _states, exact
from bayeskit.models.blocks.exact import ExactBlocks
from bayeskit.models.blocks.simulation import draw_prior_values
from bayeskit.models.blocks.variational_draws import log_joints

HYPER = ("alpha=gamma(2, 2)", "a=lognormal(0, 0.5)", "b=exponential(1)")
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


def few(form, *, k=2, prior=(), self_pairs=True):
    spec = spec_of(k, **form, prior=prior)
    return spec, random_pairs(spec, 5 if spec.shared else 3, 2, self_pairs=self_pairs, missing=0.15, density=0.6)


def stacked(spec, n_nodes):
    found = list(all_assignments(spec, n_nodes))
    return {site: np.stack([each[site] for each in found]) for site in spec.partitions}


@every_form
@pytest.mark.parametrize("self_pairs", [False, True])
def test_every_assignment_has_its_posterior_probability(form, self_pairs, monkeypatch):
    monkeypatch.setattr(_states, "_AT_ONCE", 7)
    spec, pairs = few(form, prior=("pi=dirichlet(1.5)",), self_pairs=self_pairs)
    _, chances, evidence = exact_posterior(spec, pairs)
    found = ExactBlocks(spec, pairs)
    assert found.log_evidence == pytest.approx(evidence, rel=1e-12)
    np.testing.assert_allclose(found.probabilities, chances, rtol=1e-10)
    for site, expected in stacked(spec, pairs.n_nodes).items():
        assert (found.assignments(np.arange(len(chances)))[site] == expected).all()


@every_form
def test_the_program_sums_all_assignments_out(form):
    spec, pairs = few(form, prior=HYPER)
    values = draw_prior_values(spec, np.random.default_rng(3), 1)
    states = stacked(spec, pairs.n_nodes)
    n_states = len(next(iter(states.values())))
    repeated = {name: np.repeat(value, n_states, axis=0) for name, value in values.items()}
    expected = logsumexp(log_joints(spec, pairs, {**repeated, **states}))
    program, arguments, _ = ExactBlocks(spec, pairs).pyro_program()
    given = {name: torch.tensor(value[0]) for name, value in values.items()}
    if not spec.directed:
        given["rates"] = given.pop("theta")[tuple(torch.triu_indices(2, 2))]
    trace = poutine.trace(poutine.condition(program, data=given)).get_trace(*arguments)
    assert float(trace.log_prob_sum()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", [FORMS[0], FORMS[5], FORMS[6]], ids=str)
def test_the_program_can_be_written_down_for_a_compiler(form):
    spec, pairs = few(form, prior=HYPER)
    program, arguments, _ = ExactBlocks(spec, pairs).pyro_program()
    density = pyro_density(program, arguments)
    point = torch.tensor(np.random.default_rng(4).normal(size=density.n_dims) / 2)
    graph = traced(density.gradient, point)
    elsewhere = point + 0.3
    expected = density.gradient(elsewhere[None])
    found = graph(elsewhere)
    assert float(found[0]) == pytest.approx(float(expected[0]), rel=1e-12)
    np.testing.assert_allclose(found[1].numpy(), expected[1][0].numpy(), rtol=1e-9)


@every_form
def test_assignments_are_drawn_given_the_others(form):
    """As often as they are probable; powers of these probabilities are told apart."""
    spec, pairs = few(form)
    n_draws = 4000
    values = draw_prior_values(spec, np.random.default_rng(5), 1)
    repeated = {name: np.repeat(value, n_draws, axis=0) for name, value in values.items()}
    states = stacked(spec, pairs.n_nodes)
    n_states = len(next(iter(states.values())))
    logs = log_joints(spec, pairs, {**{name: np.repeat(v, n_states, axis=0) for name, v in values.items()}, **states})
    drawn = ExactBlocks(spec, pairs).conditional_assignments(repeated, np.random.default_rng(6))
    digits = np.concatenate([drawn[site] for site in spec.partitions], axis=1)
    counts = np.bincount(digits @ (2 ** np.arange(digits.shape[1])[::-1]), minlength=n_states)
    assert agree(counts, np.exp(logs - logsumexp(logs)))
    assert not agree(counts, np.exp(0.5 * logs - logsumexp(0.5 * logs)))


def agree(counts, chances, alpha=1e-6):
    from scipy import stats

    order = np.argsort(chances)
    group = np.cumsum((chances * counts.sum())[order]) // 10  # cells that expect ten draws, or so
    _, cells = np.unique(group, return_inverse=True)
    found, expected = np.bincount(cells, counts[order]), np.bincount(cells, (chances * counts.sum())[order])
    return stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > alpha


@every_form
def test_draws_have_every_site(form):
    spec, pairs = few(form)
    found = ExactBlocks(spec, pairs)
    shapes = {**spec.shapes, **dict.fromkeys(spec.partitions, (pairs.n_nodes,))}
    values = found.sample(np.random.default_rng(7), 6)
    assert {name: value.shape for name, value in values.items()} == {n: (6, *shape) for n, shape in shapes.items()}
    chains = {name: value.reshape(2, 3, *value.shape[1:]) for name, value in values.items()} | {
        "rates": np.zeros((2, 3))
    }
    completed = found.with_assignments(chains, np.random.default_rng(8))
    assert {name: v.shape for name, v in completed.items()} == {n: (2, 3, *shape) for n, shape in shapes.items()}


def test_what_cannot_be_counted_up_is_refused(monkeypatch):
    spec = spec_of(3, 2)
    with pytest.raises(ConfigError, match=r"^15 nodes in 3 and 2 blocks have about 1e12 assignments, of which 4,200,0"):
        ExactBlocks(spec, random_pairs(spec, 15, 1))
    found = ExactBlocks(spec, random_pairs(spec, 4, 1))
    monkeypatch.setattr(exact, "MOST_FOR_GRADIENTS", 1000)
    with pytest.raises(ConfigError, match="1,000 can be summed over at each step; take engine gibbs"):
        found.pyro_program()
    spec = spec_of(2, prior=HYPER)
    with pytest.raises(ConfigError, match="engine exact takes fixed concentrations, and alpha, a, b has a prior"):
        ExactBlocks(spec, random_pairs(spec, 3, 1)).sample(np.random.default_rng(1), 2)


@pytest.fixture(autouse=True)
def _alone():
    with pyro.get_param_store().scope():
        yield
