"""The Pyro program of block models and its guide, against sums over all assignments and against Pyro's enumeration."""

from __future__ import annotations

from itertools import product as every

import numpy as np
import pyro
import pytest
import torch
from models.block_graphs import all_assignments, pairs_of, planted, random_pairs, spec_of
from models.test_block_likelihood import FORMS
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from scipy import stats

from bayeskit.core.errors import ConfigError
from bayeskit.inference.svi import SVIConfig, fit_svi
from bayeskit.models.blocks import program, variational_draws
from bayeskit.models.blocks._products import product, sparse_tensors
from bayeskit.models.blocks.guide import BlockGuide
from bayeskit.models.blocks.likelihood import log_likelihood
from bayeskit.models.blocks.program import graph_tensors, sbm_program
from bayeskit.models.blocks.reference import EnumeratedGuide, pair_tensors, reference_program
from bayeskit.models.blocks.simulation import draw_assignments, draw_prior_values
from bayeskit.models.blocks.variational_draws import Factors, affordable_draws, draw_factors, log_joints

HYPER = ("alpha=gamma(2, 2)", "a=lognormal(0, 0.5)", "b=exponential(1)")
ALPHA = 1e-6  # false alarms of a test
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


@pytest.fixture(autouse=True)
def _alone():
    precision = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    with pyro.get_param_store().scope():
        yield
    torch.set_default_dtype(precision)


def soft(spec, n_nodes, rng):
    return {site: rng.dirichlet(np.ones(size), n_nodes) for site, size in spec.partitions.items()}


def parameters(spec, rng):
    return {name: torch.tensor(value[0]) for name, value in draw_prior_values(spec, rng, 1).items()}


def conditioned(function, spec, values):
    """Fix shares and rates; undirected, the free rates."""
    given = dict(values)
    if not spec.directed:
        given["rates"] = given.pop("theta")[tuple(torch.triu_indices(*spec.shapes["theta"]))]
    return poutine.condition(function, data=given)


def log_density_of_sites(trace, names):
    return sum(float(trace.nodes[name]["fn"].log_prob(trace.nodes[name]["value"])) for name in names)


@every_form
@pytest.mark.parametrize("self_pairs", [False, True])
def test_certain_assignments_give_the_reference_density(form, self_pairs):
    rng = np.random.default_rng(1)
    spec = spec_of(3, **form, prior=HYPER)
    pairs = random_pairs(spec, 9, 1, self_pairs=self_pairs, missing=0.2)
    values = draw_prior_values(spec, rng, 1)
    values |= draw_assignments(spec, values, 9, rng)
    given = {name: torch.tensor(value[0]) for name, value in values.items()}
    given |= {site: torch.eye(3)[given[site].long()] for site in spec.partitions}
    trace = poutine.trace(conditioned(sbm_program, spec, given)).get_trace(graph_tensors(spec, pairs), spec)
    found = float(trace.log_prob_sum())
    assert found == pytest.approx(float(log_joints(spec, pairs, values)[0]), rel=1e-12)
    z = {site: values[site][0] for site in spec.partitions}
    assert log_density_of_sites(trace, ["x"]) == pytest.approx(
        log_likelihood(spec, pairs, z, values["theta"][0]), rel=1e-12
    )


def expectation(spec, pairs, q, values):
    """Return E_q[log p(x, z | pi, theta) - log q(z)], over all assignments."""
    theta = values["theta"].numpy()
    total, nodes = 0.0, np.arange(pairs.n_nodes)
    for z in all_assignments(spec, pairs.n_nodes):
        chance = np.prod([q[site][nodes, z[site]].prod() for site in z])
        term = log_likelihood(spec, pairs, z, theta) - np.log(chance)
        term += sum(np.log(values[f"pi{site[1:]}"].numpy()[z[site]]).sum() for site in z)
        total += chance * term
    return total


def bound(spec, pairs, q, values):
    """Return what Pyro makes of program and guide, shares and rates fixed."""
    guide = BlockGuide(spec, pairs, q)
    pyro.get_param_store().clear()
    for site in q:  # as they are, not mixed with the uniform distribution
        pyro.param(f"{site}_logits", torch.tensor(np.log(q[site])))
    hidden = poutine.block(guide, expose=list(spec.partitions))
    arguments = graph_tensors(spec, pairs), spec
    loss = Trace_ELBO().loss(conditioned(sbm_program, spec, values), hidden, *arguments)
    trace = poutine.trace(conditioned(sbm_program, spec, values)).get_trace(*arguments)
    rates = "theta" if spec.directed else "rates"
    return -loss - log_density_of_sites(trace, [rates, *(f"pi{site[1:]}" for site in q)])


@every_form
@pytest.mark.parametrize("self_pairs", [False, True])
def test_the_bound_is_the_expectation_over_all_assignments(form, self_pairs):
    rng = np.random.default_rng(2)
    spec = spec_of(2, **form)
    n_nodes = 5 if spec.shared else 3
    pairs = random_pairs(spec, n_nodes, 2, self_pairs=self_pairs, missing=0.15)
    for _ in range(3):
        q, values = soft(spec, n_nodes, rng), parameters(spec, rng)
        assert bound(spec, pairs, q, values) == pytest.approx(expectation(spec, pairs, q, values), abs=1e-10)


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("self_pairs", [True, False])
def test_a_bound_that_takes_both_ends_of_a_loop_for_independent_is_told_apart(monkeypatch, directed, self_pairs):
    rng = np.random.default_rng(3)
    spec = spec_of(2, shared=True, directed=directed)
    pairs = random_pairs(spec, 4, 3, self_pairs=self_pairs, density=0.7)
    q, values = soft(spec, 4, rng), parameters(spec, rng)
    right = program.expected_totals
    half = 1 if directed else 2

    def naive(graph, spec, first, second):
        loops, own = torch.diag(graph.loops), torch.diag(graph.out * graph.into)
        weights, exposures = right(graph, spec, first, second)
        if graph.self_pairs:
            weights = weights - torch.diag(first.T @ graph.loops) + first.T @ loops @ second / half
            exposures = exposures - torch.diag(first.T @ torch.diag(own))
        return weights, exposures + first.T @ own @ second / half

    monkeypatch.setattr(program, "expected_totals", naive)
    assert abs(bound(spec, pairs, q, values) - expectation(spec, pairs, q, values)) > 1e-3


REFERENCED = [form for form in FORMS if not form["shared"] and form["directed"]]


@pytest.mark.parametrize("form", REFERENCED, ids=str)
@pytest.mark.parametrize("self_pairs", [False, True])
def test_the_enumerated_reference_has_the_same_bound_and_gradients(form, self_pairs):
    rng = np.random.default_rng(4)
    spec = spec_of(3, 2, **form)
    pairs = random_pairs(spec, 6, 4, self_pairs=self_pairs, missing=0.2)
    q, values = soft(spec, 6, rng), parameters(spec, rng)
    theta = values["theta"].requires_grad_()
    found = []
    for loss, function, guide, graph in (
        (Trace_ELBO(), sbm_program, BlockGuide(spec, pairs, q), graph_tensors(spec, pairs)),
        (
            TraceEnum_ELBO(max_plate_nesting=2),
            reference_program,
            EnumeratedGuide(spec, pairs, q),
            pair_tensors(spec, pairs),
        ),
    ):
        hidden = poutine.block(guide, expose=list(q))
        value = loss.differentiable_loss(conditioned(function, spec, values), hidden, graph, spec)
        leaves = [theta, *(pyro.param(f"{site}_logits").unconstrained() for site in q)]
        found.append((value, torch.autograd.grad(value, leaves)))
    (closed, gradients), (reference, others) = found
    assert closed.item() == pytest.approx(reference.item(), rel=1e-8)
    for gradient, other in zip(gradients, others, strict=True):
        assert torch.allclose(gradient, other, rtol=1e-8, atol=1e-10)


@every_form
def test_gradients_are_finite_differences(form):
    rng = np.random.default_rng(5)
    spec = spec_of(2, **form)
    pairs = random_pairs(spec, 4, 5, self_pairs=True, missing=0.2)
    graph, values = graph_tensors(spec, pairs), parameters(spec, rng)
    logits = [torch.tensor(np.log(rows)).requires_grad_() for rows in soft(spec, 4, rng).values()]

    def log_prob(theta, *logits):
        rows = dict(zip(spec.partitions, (part.softmax(-1) for part in logits), strict=True))
        return program.BlockGraph(graph, spec, rows, theta).log_prob(graph.weights.values)

    assert torch.autograd.gradcheck(log_prob, (values["theta"].requires_grad_(), *logits))


def test_a_sparse_product_is_the_dense_one():
    rng = np.random.default_rng(6)
    matrix = rng.poisson(0.4, (7, 7)) * rng.normal(size=(7, 7))
    matrix[2] = matrix[:, 3] = 0
    rows, columns = np.nonzero(matrix)
    held = sparse_tensors(rows, columns, matrix[rows, columns], 7)
    dense = torch.tensor(rng.normal(size=(7, 3))).requires_grad_()
    assert np.allclose(product(held, dense).detach().numpy(), matrix @ dense.detach().numpy())
    assert torch.autograd.gradcheck(lambda given: product(held, given), (dense,))
    none = sparse_tensors(rows[:0], columns[:0], matrix[rows, columns][:0], 7)
    assert (product(none, dense) == 0).all()


def test_matrices_drawn_have_a_one_in_each_row():
    shares = torch.tensor([[0.2, 0.8]]).log().expand(5000, -1)
    drawn = program.Memberships(shares).sample()
    assert (drawn.sum(-1) == 1).all()
    assert stats.binomtest(int(drawn[:, 1].sum()), 5000, 0.8).pvalue > ALPHA
    assert stats.binomtest(int(drawn[:, 0].sum()), 5000, 0.8).pvalue < ALPHA


@every_form
def test_draws_of_factors_have_their_laws_and_densities(form):
    rng = np.random.default_rng(7)
    spec = spec_of(2, **form, prior=HYPER)
    pairs = random_pairs(spec, 3, 7, density=0.8)
    a, b = rng.uniform(0.5, 2.5, (2, 2, 2))
    q = soft(spec, 3, rng)
    estimated = {"alpha": (0.1, 0.4), "a": (-0.2, 0.3), "b": (0.3, 0.2)}
    factors = Factors(q, {site: rng.uniform(0.5, 2, 2) for site in q}, (a, b), estimated)
    values, log_p, log_q = draw_factors(spec, pairs, factors, 2000, rng)
    laws = {name: (values[name], stats.lognorm(sd, scale=np.exp(mean))) for name, (mean, sd) in estimated.items()}
    for site, shares in factors.shares.items():
        laws[site] = values[f"pi{site[1:]}"][:, 0], stats.beta(*shares)
    for k, m in every(range(2), repeat=2):
        if spec.directed or k <= m:
            rate = (
                stats.beta(a[k, m], b[k, m])
                if spec.likelihood == "bernoulli"
                else stats.gamma(a[k, m], scale=1 / b[k, m])
            )
            laws[f"{k}{m}"] = values["theta"][:, k, m], rate
    expected = sum(law.logpdf(drawn) for drawn, law in laws.values())
    for site, rows in q.items():
        assert values[site].dtype == np.int16
        expected += sum(np.log(rows[node, values[site][:, node]]) for node in range(3))
        for node in range(3):
            assert stats.binomtest(int(values[site][:, node].sum()), 2000, rows[node, 1]).pvalue > ALPHA
    assert log_q == pytest.approx(expected, rel=1e-10)
    assert log_p == pytest.approx(log_joints(spec, pairs, values), rel=1e-12)
    for drawn, law in laws.values():
        assert stats.kstest(law.cdf(drawn), "uniform").pvalue > ALPHA
        assert stats.kstest(law.cdf(1.3 * drawn), "uniform").pvalue < ALPHA


def test_large_graphs_have_fewer_draws(monkeypatch):
    spec = spec_of(2)
    pairs = random_pairs(spec, 10, 1)
    assert affordable_draws(spec, pairs, 2000) == 2000
    monkeypatch.setattr(variational_draws, "_MOST_WORK", 300 * (pairs.weights.nnz + 40))
    assert affordable_draws(spec, pairs, 2000) == 300
    monkeypatch.setattr(variational_draws, "_MOST_WORK", 1)
    assert affordable_draws(spec, pairs, 20) == 20
    guide = BlockGuide(spec, pairs, {site: np.zeros(10, dtype=int) for site in spec.partitions})
    draws = fit_svi(sbm_program, (graph_tensors(spec, pairs), spec), config=SVIConfig(steps=2), seed=1, guide=guide)
    assert draws.values["z_1"].shape == (1, 100, 10)
    assert "100 draws instead of 2000, for the size of the data" in draws.engine["note"]


@pytest.mark.parametrize(
    ("form", "loss"),
    [
        (FORMS[4], "trace_mean_field"),
        pytest.param(FORMS[0], "trace", marks=pytest.mark.slow),
        pytest.param(FORMS[7], "trace", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_fit_is_recorded_and_its_draws_have_the_bound(form, loss):
    spec = spec_of(2, **form, prior=HYPER)
    pairs, z_1, z_2 = planted(60, 2, 12, 6, 1, shared=spec.shared, directed=spec.directed)
    starts = dict(zip(spec.partitions, (z_1, z_2), strict=False))
    config = SVIConfig(steps=800, loss=loss, learning_rate=0.05, window=100, draws=1000, schedule="exponential")
    draws = fit_svi(
        sbm_program, (graph_tensors(spec, pairs), spec), config=config, seed=1, guide=BlockGuide(spec, pairs, starts)
    )
    assert draws.kind == "variational"
    assert draws.engine["recorded"]
    assert draws.engine["guide"] == "mean_field"
    shapes = {**spec.shapes, **dict.fromkeys(spec.partitions, (60,))}
    assert {name: value.shape[2:] for name, value in draws.values.items()} == shapes
    for site, truth in starts.items():
        assert np.mean(draws.values[site][0] == truth) > 0.95
    each = (draws.sample_stats["log_p"] - draws.sample_stats["log_q"])[0]
    error = each.std() / np.sqrt(each.size) + np.std(draws.groups["history"]["elbo"][-100:]) / 10
    assert abs(each.mean() - draws.engine["elbo"]) < 5 * error


def test_a_fit_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path):
    spec = spec_of(2, shared=True)
    pairs, z, _ = planted(40, 2, 8, 6, 1)
    arguments = graph_tensors(spec, pairs), spec
    guide = BlockGuide(spec, pairs, {"z": z})
    config = SVIConfig(steps=90, draws=20, checkpoint=str(tmp_path / "state"), checkpoint_every=0.0, record=False)

    def stop(done, total):
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_svi(sbm_program, arguments, config=config, seed=3, guide=guide, progress=stop)
    others = spec_of(2, shared=True, prior=("pi=dirichlet(2)",))
    with pytest.raises(ConfigError, match="of another run: the data differs"):
        fit_svi(sbm_program, (arguments[0], others), config=config, seed=3, guide=guide)
    # What it begins at is in the state: another start makes no difference.
    gone_on = fit_svi(sbm_program, arguments, config=config, seed=3, guide=BlockGuide(spec, pairs, {"z": 0 * z}))
    whole = fit_svi(sbm_program, arguments, config=config.model_copy(update={"checkpoint": None}), seed=3, guide=guide)
    for name, value in whole.values.items():
        assert (value == gone_on.values[name]).all(), name


def test_the_reference_fits_too():
    spec = spec_of(2)
    pairs, z_1, z_2 = planted(30, 2, 8, 6, 1, shared=False)
    config = SVIConfig(steps=20, draws=50)
    guide = EnumeratedGuide(spec, pairs, {"z_1": z_1, "z_2": z_2})
    draws = fit_svi(reference_program, (pair_tensors(spec, pairs), spec), config=config, seed=1, guide=guide)
    assert draws.engine["loss"] == "trace_enum"
    assert draws.values["z_1"].shape == (1, 50, 30)
    assert "log_q" in draws.sample_stats


@pytest.mark.parametrize("shared", [True, False])
def test_no_edge_and_one_block_are_fitted(shared):
    config = SVIConfig(steps=20, draws=10)
    for k, density in every((1, 2), (0.0, 1.0)):
        spec = spec_of(k, shared=shared)
        pairs = pairs_of(np.full((4, 4), density))
        starts = {site: np.zeros(4, dtype=int) for site in spec.partitions}
        arguments = graph_tensors(spec, pairs), spec
        draws = fit_svi(sbm_program, arguments, config=config, seed=1, guide=BlockGuide(spec, pairs, starts))
        assert np.isfinite(draws.sample_stats["log_q"]).all()


def test_misuse_is_told_in_one_line():
    spec = spec_of(2)
    pairs = random_pairs(spec, 4, 1)
    with pytest.raises(ConfigError, match="start of 'z_2' must be 4 blocks from 0 to 1, or probabilities"):
        BlockGuide(spec, pairs, {"z_1": np.zeros(4), "z_2": np.array([0, 1, 2, 0])})
    with pytest.raises(ConfigError, match="loss trace_enum takes two partitions"):
        pair_tensors(spec_of(2, shared=True), pairs)
    with pytest.raises(ConfigError, match="of 100,000,000 at most; leave --loss out"):
        pair_tensors(spec_of(2501), pairs)
