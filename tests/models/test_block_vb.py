"""Coordinate ascent of block models against a dense reference, sums over all assignments, and exact posteriors."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.block_ascent import DenseAscent
from models.block_graphs import (
    adjusted_rand,
    exact_posterior,
    pairs_of,
    planted,
    random_pairs,
    spec_of,
)
from scipy.special import softmax
from scipy.stats import norm

from bayeskit.core.errors import ConfigError
from bayeskit.inference.vb import VBConfig, fit_vb
from bayeskit.models.blocks.likelihood import log_marginal, totals
from bayeskit.models.blocks.vb import BlockVB, fit_blocks_vb

FORMS = [
    {"directed": directed, "shared": shared, "likelihood": likelihood, "degree_corrected": corrected}
    for directed, shared in ((True, False), (True, True), (False, True))
    for likelihood, corrected in (("bernoulli", False), ("poisson", False), ("poisson", True))
]
FAILURE = 1e-6  # chance that a test of random numbers fails where nothing is wrong


def some_factors(spec, n_nodes, seed):
    rng = np.random.default_rng(seed)
    return {site: rng.dirichlet(np.full(size, 0.7), n_nodes) for site, size in spec.partitions.items()}


def ascent(model, q, n_steps):
    state, bounds = model.at(q), []
    for _ in range(n_steps):
        state, bound = model.step(state)
        bounds.append(bound)
    return state, np.array(bounds)


def rounding(bounds):
    return 1e-12 * (1 + np.abs(bounds).max())


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("self_pairs", [False, True])
def test_steps_are_the_dense_reference_s(form, self_pairs):
    spec = spec_of(3, **({} if form["shared"] else {"targets": 2}), **form, prior=("pi=dirichlet(0.7)",))
    pairs = random_pairs(spec, 8, 1, self_pairs=self_pairs, missing=0.2)
    model, reference = BlockVB(spec, pairs), DenseAscent(spec, pairs)
    q = some_factors(spec, 8, 2)
    state = model.at(q)
    for inverse_temperature in (1.0, 0.6, 1.0):
        state, _ = model.step(state, inverse_temperature)
        q = reference.step(q, inverse_temperature)
        for site in spec.partitions:
            np.testing.assert_allclose(state.q[site], q[site], rtol=1e-9, atol=1e-12)
    assert model.bound(state) == pytest.approx(model.bound(model.at(q)), abs=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("self_pairs", [False, True])
def test_the_bound_is_its_definition_and_below_the_evidence(form, self_pairs):
    spec = spec_of(2, **form, prior=("pi=dirichlet(1.5)",))
    pairs = random_pairs(spec, 4 if spec.shared else 3, 3, self_pairs=self_pairs, missing=0.2)
    model, evidence = BlockVB(spec, pairs), exact_posterior(spec, pairs)[2]
    q = some_factors(spec, pairs.n_nodes, 4)
    assert model.bound(model.at(q)) == pytest.approx(DenseAscent(spec, pairs).bound(q), abs=1e-9)
    state, bounds = ascent(model, q, 300)
    assert bounds[-1] < evidence
    assert bounds[-1] == pytest.approx(model.bound(model.at(state.q)), abs=1e-9)


@given(st.sampled_from(FORMS), st.integers(1, 5), st.integers(6, 40), st.integers(0, 999))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_bound_never_falls(form, k, n_nodes, seed):
    spec = spec_of(k, **form)
    pairs = random_pairs(spec, n_nodes, seed, self_pairs=seed % 2 == 0, missing=0.1)
    state, bounds = ascent(BlockVB(spec, pairs), some_factors(spec, n_nodes, seed), 30)
    assert np.diff(bounds).min() > -rounding(bounds)
    for rows in state.q.values():
        assert (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-12)


def test_it_would_fall_if_all_nodes_of_a_shared_partition_moved_at_once():
    spec = spec_of(2, directed=False, likelihood="poisson")
    weights = np.kron(np.eye(2), np.ones((6, 6)))
    weights = np.pad(weights, (0, 2))
    weights[12, 13] = weights[13, 12] = 10  # each goes where the other is
    pairs = pairs_of(weights, directed=False)
    model, reference = BlockVB(spec, pairs), DenseAscent(spec, pairs)
    q = {"z": np.vstack([np.eye(2)[np.repeat([0, 1], 6)], [[0.6, 0.4], [0.4, 0.6]]])}
    before = model.bound(model.at(q))
    assert model.bound(model.at(reference.step(q, at_once=True))) < before - 1
    assert model.bound(model.at(reference.step(q))) > before + 1


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_where_it_ends_the_bound_has_no_slope(form):
    spec = spec_of(2, **form)
    pairs = random_pairs(spec, 12, 5, missing=0.1)
    model = BlockVB(spec, pairs)
    begun = model.at(some_factors(spec, 12, 6))
    ended, _ = ascent(model, begun.q, 3000)

    def slope(q):
        steepest = 0.0
        for site, i, k in product(q, range(12), range(2)):
            logits = np.log(q[site] + 1e-300)
            moved = []
            for sign in (1, -1):
                there = logits.copy()
                there[i, k] += sign * 1e-4
                moved.append(model.bound(model.at({**q, site: softmax(there, axis=1)})))
            steepest = max(steepest, abs(moved[0] - moved[1]) / 2e-4)
        return steepest

    assert slope(ended.q) < 1e-5  # of the differences: 1e-8 by their step, 1e-8 by rounding
    assert slope(begun.q) > 1e-2


@pytest.mark.parametrize("form", FORMS[::4], ids=str)
def test_draws_have_the_densities_that_they_say(form):
    spec = spec_of(2, **form)
    pairs = random_pairs(spec, 10, 7, missing=0.1)
    model = BlockVB(spec, pairs)
    state = model.at(some_factors(spec, 10, 8))
    values, log_p, log_q = model.draw(state, 50, np.random.default_rng(9))
    assert {name: value.shape[1:] for name, value in values.items()} == {
        **dict.fromkeys(spec.partitions, (10,)),
        **spec.shapes,
    }
    for draw in range(50):
        assignments = {site: values[site][draw] for site in spec.partitions}
        assert log_p[draw] == pytest.approx(log_marginal(spec, pairs, assignments), abs=1e-9)
        expected = sum(np.log(state.q[site][np.arange(10), z]).sum() for site, z in assignments.items())
        assert log_q[draw] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("form", FORMS[::4], ids=str)
def test_shares_and_rates_are_drawn_given_the_assignments(form):
    spec = spec_of(2, **form, prior=("pi=dirichlet(1.5)",))
    pairs = random_pairs(spec, 8, 11)
    model, n = BlockVB(spec, pairs), 4000
    z = {site: np.arange(8) % size for site, size in spec.partitions.items()}
    values, _, _ = model.draw(model.start_at(z), n, np.random.default_rng(12))
    weights, exposures = totals(spec, pairs, z)
    a, b = spec.rate_arguments
    both = a + b if spec.likelihood == "bernoulli" else b
    checks = [(values["theta"], (a + weights) / (both + exposures))]
    checks += [(values[f"pi{site[1:]}"], np.full(2, 0.5)) for site in z]
    limit = norm.isf(FAILURE / 20)
    for drawn, mean in checks:
        error = drawn.std(axis=0) / np.sqrt(n)
        assert (np.abs(drawn.mean(axis=0) - mean) < limit * error).all()
    if not spec.directed:
        np.testing.assert_array_equal(values["theta"], np.swapaxes(values["theta"], 1, 2))
    # The means without the data are others.
    assert (np.abs(values["theta"].mean(axis=0) - a / both) > limit * values["theta"].std(axis=0) / np.sqrt(n)).any()


def test_weighted_by_their_ratios_draws_are_of_the_exact_posterior():
    spec = spec_of(2, shared=True)
    pairs = random_pairs(spec, 6, 13)
    found, chances, _ = exact_posterior(spec, pairs)
    model, n = BlockVB(spec, pairs), 20_000
    wide = model.at({"z": np.full((6, 2), 0.5)})  # of all modes, whichever labels they have
    values, log_p, log_q = model.draw(wide, n, np.random.default_rng(14))
    weights = np.exp(log_p - log_q - (log_p - log_q).max())
    weights /= weights.sum()
    limit = norm.isf(FAILURE / 30)
    strayed = 0
    for i, j in product(range(6), range(6)):
        if i < j:
            exact = sum(chance for z, chance in zip(found, chances, strict=True) if z["z"][i] == z["z"][j])
            together = values["z"][:, i] == values["z"][:, j]
            error = np.sqrt(np.sum((weights * (together - weights @ together)) ** 2))
            assert abs(weights @ together - exact) < limit * error
            strayed += abs(together.mean() - exact) > limit * together.std() / np.sqrt(n)
    assert strayed  # without weights they are of something else


@pytest.mark.parametrize(("shared", "directed"), [(True, True), (True, False), (False, True)])
def test_planted_blocks_are_found(shared, directed):
    pairs, z_1, z_2 = planted(1000, 8, 20, 8 if directed else 12, 1, shared=shared, directed=directed)
    spec = spec_of(8, shared=shared, directed=directed)
    draws = fit_vb(BlockVB(spec, pairs), VBConfig(draws=200), seed=2)
    assert draws.engine["converged"]
    assert draws.engine["largest_decrease"] <= 1e-13 * abs(draws.engine["elbo"])
    model = BlockVB(spec, pairs)
    truth = model.start_at(dict(zip(spec.partitions, (z_1, z_2), strict=False)))
    knows = ascent(model, truth.q, 100)[0]
    for site, planted_blocks in zip(spec.partitions, (z_1, z_2), strict=False):
        found = (draws.values[site][0][..., None] == np.arange(8)).mean(axis=0).argmax(axis=-1)
        score = adjusted_rand(found, planted_blocks)
        assert score >= (0.98 if shared else adjusted_rand(knows.q[site].argmax(axis=1), planted_blocks) - 0.01)


@pytest.mark.parametrize("shared", [True, False])
def test_a_move_merges_two_blocks_and_splits_one(shared):
    spec = spec_of(4, shared=shared)
    pairs = random_pairs(spec, 30, 20)
    model = BlockVB(spec, pairs)
    assert model.moves == 40
    rng, z = np.random.default_rng(21), {site: np.arange(30) % 4 for site in spec.partitions}
    for _ in range(50):
        moved = model.propose(model.start_at(z), rng).q
        changed = [site for site in z if (moved[site].argmax(axis=1) != z[site]).any()]
        assert len(changed) <= 1
        for site in z:
            np.testing.assert_array_equal(moved[site].sum(axis=1), 1)
        if changed:
            after = moved[changed[0]].argmax(axis=1)
            kept = [k for k in range(4) if (after[z[changed[0]] == k] == k).all()]
            assert len(kept) >= 1
            assert len(np.unique(after)) >= 3
    assert BlockVB(spec_of(1, shared=True), pairs).moves == 0


def test_moves_lead_out_of_a_maximum_with_two_blocks_in_one():
    pairs, z, _ = planted(200, 4, 20, 15, 22)
    spec = spec_of(4, shared=True)
    stuck = {"z": np.where(z == 1, 0, np.where((z == 3) & (np.arange(200) % 2 == 0), 1, z))}
    bounds = [
        fit_vb(BlockVB(spec, pairs, stuck), VBConfig(restarts=1, annealing=0, moves=moves, draws=4), seed=1).engine[
            "elbo"
        ]
        for moves in (0, 20)
    ]
    best = fit_blocks_vb(spec, pairs, [{"z": z}]).elbo
    assert bounds[1] == pytest.approx(best, abs=0.1)
    assert bounds[0] < best - 10


@pytest.mark.parametrize(
    "rates",
    [
        [[0.05, 0.4, 0.05], [0.05, 0.05, 0.4], [0.4, 0.05, 0.05]],  # a circle, which the symmetrised graph hides
        [[0.02, 0.3, 0.3], [0.3, 0.02, 0.3], [0.3, 0.3, 0.02]],  # no edges within
    ],
    ids=["circle", "parts"],
)
def test_blocks_need_not_be_communities(rates):
    rng = np.random.default_rng(15)
    z = rng.permutation(np.arange(120) % 3)
    pairs = pairs_of(rng.random((120, 120)) < np.array(rates)[z[:, None], z])
    draws = fit_vb(BlockVB(spec_of(3, shared=True), pairs), VBConfig(draws=4), seed=1)
    assert adjusted_rand(draws.values["z"][0, 0].astype(int), z) > 0.99


def test_of_a_graph_without_blocks_the_bound_says_one():
    rng = np.random.default_rng(16)
    pairs = pairs_of(rng.random((300, 300)) < 0.05)
    bounds = [
        fit_vb(BlockVB(spec_of(k, shared=True), pairs), VBConfig(draws=4), seed=1).engine["elbo"] for k in (1, 2, 3)
    ]
    assert bounds[0] == max(bounds)
    parted, _, _ = planted(300, 2, 15, 8, 17)
    assert (
        fit_blocks_vb(spec_of(1, shared=True), parted, [{"z": np.zeros(300, dtype=int)}]).elbo
        < fit_vb(BlockVB(spec_of(2, shared=True), parted), VBConfig(draws=4), seed=1).engine["elbo"]
    )


def test_a_given_start_comes_first_and_the_best_is_taken():
    pairs, z, _ = planted(200, 3, 15, 10, 18)
    spec = spec_of(3, shared=True)
    good, bad = {"z": z}, {"z": np.zeros(200, dtype=int)}
    found = fit_blocks_vb(spec, pairs, [bad, good], tolerance=1e-9)
    assert found.converged
    assert found.elbo == fit_blocks_vb(spec, pairs, [good], tolerance=1e-9).elbo
    assert found.elbo > fit_blocks_vb(spec, pairs, [bad], tolerance=1e-9).elbo
    assert adjusted_rand(found.partition["z"], z) == 1
    assert found.elbo == pytest.approx(BlockVB(spec, pairs).bound(BlockVB(spec, pairs).at(found.q)), abs=1e-8)
    engine = fit_vb(BlockVB(spec, pairs, good), VBConfig(restarts=1, annealing=0, moves=0, draws=4), seed=1).engine
    assert engine["elbo"] == pytest.approx(found.elbo, abs=1e-4)
    assert not fit_blocks_vb(spec, pairs, [bad], max_iterations=1).converged


def test_of_a_large_graph_there_are_fewer_draws(monkeypatch):
    monkeypatch.setattr("bayeskit.models.blocks.variational_draws._MOST_WORK", 1)
    pairs, _, _ = planted(100, 2, 10, 8, 19)
    draws = fit_vb(BlockVB(spec_of(2, shared=True), pairs), seed=1)
    assert draws.values["z"].shape == (1, 100, 100)
    assert "100 draws instead of 1000" in draws.engine["note"]


def test_concentrations_with_priors_are_not_for_it():
    spec = spec_of(2, prior=("alpha=gamma(2, 2)",))
    with pytest.raises(ConfigError, match="alpha has a prior; take engine gibbs or svi"):
        BlockVB(spec, random_pairs(spec, 5, 1))
