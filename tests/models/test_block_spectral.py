"""Spectral clustering against dense eigenvectors, scikit-learn and graphs whose parts are known."""

import numpy as np
import pytest
from models.block_graphs import adjusted_rand, pairs_of, planted, spec_of
from scipy.linalg import eigh, svd
from scipy.sparse.linalg import ArpackNoConvergence
from sklearn.cluster import SpectralClustering
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import spectral_embedding

from bayeskit.core.errors import ConfigError
from bayeskit.inference.spectral import SpectralConfig, fit_spectral
from bayeskit.models.blocks import _spectral_vectors
from bayeskit.models.blocks._spectral_vectors import (
    LAPLACIANS,
    bipartite,
    laplacian_embedding,
    on_sphere,
    regularised_embedding,
    regularised_singular_vectors,
    symmetrised,
)
from bayeskit.models.blocks.likelihood import totals
from bayeskit.models.blocks.spectral import BlockSpectral, StartingPartitions, k_means, spectral_positions

TOLERANCE = 1e-3  # of unit vectors: that of the eigenvalues over the gaps between them


def cliques(*sizes):
    return np.kron(np.eye(len(sizes)), np.ones((max(sizes),) * 2))[np.ix_(*[np.flatnonzero(kept(sizes))] * 2)]


def kept(sizes):
    return np.concatenate([np.arange(max(sizes)) < size for size in sizes])


def labels_of(sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


def clustered(pairs, k, laplacian="symmetric", *, shared=True, directed=True, seed=1):
    spec = spec_of(k, shared=shared, directed=directed)
    return fit_spectral(BlockSpectral(spec, pairs), SpectralConfig(laplacian=laplacian), seed=seed)


def same_space(first, second):
    """Whether columns span the same, by the cosines of the angles between."""
    first, second = (np.linalg.qr(columns)[0] for columns in (first, second))
    return svd(first.T @ second)[1].min() > 1 - TOLERANCE


@pytest.mark.parametrize("laplacian", LAPLACIANS)
def test_the_vectors_are_those_of_a_dense_laplacian(laplacian):
    pairs, _, _ = planted(400, 4, 20, 10, 1)
    graph = symmetrised(pairs)
    dense = graph.toarray()
    np.testing.assert_array_equal(dense, pairs.weights.toarray() + pairs.weights.toarray().T)
    degrees = dense.sum(axis=0)
    scale = None if laplacian == "unnormalised" else np.diag(degrees)
    expected = eigh(np.diag(degrees) - dense, scale)[1][:, :4]
    found = laplacian_embedding(graph, 4, laplacian, 3)
    if laplacian == "symmetric":
        expected = on_sphere(expected * np.sqrt(degrees)[:, None])
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
        # Rows on the sphere span another space than the vectors did: compare what no rotation changes.
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=30 * TOLERANCE)
    else:
        assert same_space(found, expected)
        assert not same_space(found, np.roll(expected, 1, axis=0))


def test_singular_vectors_are_the_dense_ones():
    pairs, _, _ = planted(300, 3, 20, 10, 2, shared=False)
    weights = pairs.weights.toarray()
    out, into = weights.sum(axis=1), weights.sum(axis=0)
    scaled = weights / np.sqrt(np.outer(out + out.mean(), into + into.mean()))
    u, s, vt = svd(scaled)
    left, right, values = regularised_singular_vectors(pairs.weights, 3, 1)
    np.testing.assert_allclose(values, s[:3], rtol=TOLERANCE)
    assert same_space(left, u[:, :3])
    assert same_space(right, vt[:3].T)
    np.testing.assert_allclose(
        (weights / np.sqrt(np.outer(out + out.mean(), into + into.mean()))) @ right, left * values
    )
    graph = bipartite(pairs)
    np.testing.assert_array_equal(graph.toarray()[:300, 300:], weights)


@pytest.mark.parametrize("n_nodes", [150, 600])
def test_the_symmetric_partition_is_scikit_learn_s(n_nodes):
    pairs, z, _ = planted(n_nodes, 4, 25, 20, 3)
    theirs = SpectralClustering(4, affinity="precomputed", assign_labels="kmeans", random_state=0).fit_predict(
        symmetrised(pairs).toarray()
    )
    found = clustered(pairs, 4).values["z"][0, 0]
    assert adjusted_rand(found, theirs) == pytest.approx(1)
    assert adjusted_rand(found, z) == pytest.approx(1)
    assert adjusted_rand(found, np.random.default_rng(0).permutation(theirs)) < 0.1
    their_vectors = spectral_embedding(symmetrised(pairs), n_components=4, drop_first=False, random_state=0)
    assert same_space(laplacian_embedding(symmetrised(pairs), 4, "random-walk", 1), their_vectors)


@pytest.mark.parametrize("laplacian", LAPLACIANS)
@pytest.mark.parametrize("size", [12, 80])
def test_parts_that_hang_together_are_found_and_nodes_without_edges_stay_apart(laplacian, size):
    sizes = (size, size + 20, size + 10)
    pairs = pairs_of(cliques(*sizes, *[1] * 5))
    blocks = clustered(pairs, 3, laplacian).values["z"][0, 0]
    assert adjusted_rand(blocks[:-5], labels_of(sizes)) == 1
    np.testing.assert_array_equal(blocks[-5:], blocks[size])  # in the largest


@pytest.mark.parametrize("laplacian", LAPLACIANS)
def test_of_two_partitions_each_has_its_own(laplacian):
    rng = np.random.default_rng(4)
    z_1, z_2 = rng.integers(2, size=200), rng.integers(3, size=200)
    rates = np.array([[0.6, 0.1, 0.4], [0.1, 0.6, 0.4]])
    pairs = pairs_of(rng.random((200, 200)) < rates[z_1[:, None], z_2])
    spec = spec_of(2, 3)
    values = fit_spectral(BlockSpectral(spec, pairs), SpectralConfig(laplacian=laplacian), seed=1).values
    assert adjusted_rand(values["z_1"][0, 0], z_1) > 0.9
    assert adjusted_rand(values["z_2"][0, 0], z_2) > 0.9
    assert values["theta"].shape == (1, 1, 2, 3)


def test_the_point_has_posterior_means_given_its_partition():
    pairs, _, _ = planted(200, 3, 15, 10, 5)
    spec = spec_of(3, shared=True)
    draws = clustered(pairs, 3)
    assert draws.kind == "point"
    assert draws.engine["converged"] is True
    assert draws.engine["message"] == "k-means found 3 clusters"
    z = draws.values["z"][0, 0]
    weights, exposures = totals(spec, pairs, {"z": z})
    np.testing.assert_allclose(draws.values["theta"][0, 0], (1 + weights) / (2 + exposures))
    np.testing.assert_allclose(draws.values["pi"][0, 0], (1 + np.bincount(z)) / 203)


@pytest.mark.parametrize(
    "matrix",
    [np.zeros((5, 5)), np.zeros((300, 300)), np.ones((5, 5)), np.ones((300, 300)), np.ones((1, 1)), np.eye(2)[::-1]],
    ids=["none", "none of many", "all", "all of many", "one node", "two nodes"],
)
@pytest.mark.parametrize("shared", [True, False])
def test_any_graph_and_any_number_of_blocks_come_out(matrix, shared):
    pairs = pairs_of(matrix)
    for k in (1, 2, 7):
        for laplacian in LAPLACIANS:
            for site, blocks in clustered(pairs, k, laplacian, shared=shared).values.items():
                if site.startswith("z"):
                    assert blocks.shape == (1, 1, len(matrix))
                    assert blocks.min() >= 0
                    assert blocks.max() < k
        starts = StartingPartitions(spec_of(k, shared=shared), pairs)
        for number in range(6):
            assert all(blocks.max() < k for blocks in starts.partition(number, 1).values())
    assert np.isfinite(spectral_positions(pairs)).all()


def test_iterations_that_do_not_arrive_leave_what_they_came_to(monkeypatch):
    pairs, _, _ = planted(300, 2, 10, 4, 6)
    graph = symmetrised(pairs)

    def stops(*arguments, **options):
        raise ArpackNoConvergence("stopped", np.array([2.0]), np.ones((300, 1)))

    monkeypatch.setattr("scipy.sparse.linalg.eigsh", stops)
    vectors, values = regularised_embedding(graph, 3, 1, either_sign=True)
    np.testing.assert_array_equal(values, [2, 0, 0])
    np.testing.assert_array_equal(vectors, np.eye(3)[0] * np.ones((300, 1)))


def test_starts_differ_repeat_by_seed_and_find_what_is_planted():
    pairs, z, _ = planted(400, 4, 20, 15, 7)
    starts = StartingPartitions(spec_of(4, shared=True), pairs)
    scores = [adjusted_rand(starts.partition(number, 5)["z"], z) for number in range(5)]
    assert min(scores[:4]) > 0.95
    assert abs(scores[4]) < 0.05  # at random
    again = StartingPartitions(spec_of(4, shared=True), pairs)
    for number in range(5):
        np.testing.assert_array_equal(starts.partition(number, 5)["z"], again.partition(number, 5)["z"])
    assert (starts.partition(4, 5)["z"] != starts.partition(4, 6)["z"]).any()


def test_a_start_by_both_roles_finds_a_circle_that_the_symmetrised_graph_hides():
    rng = np.random.default_rng(8)
    z = rng.permutation(np.arange(150) % 3)
    rates = np.array([[0.05, 0.4, 0.05], [0.05, 0.05, 0.4], [0.4, 0.05, 0.05]])
    pairs = pairs_of(rng.random((150, 150)) < rates[z[:, None], z])
    starts = StartingPartitions(spec_of(3, shared=True), pairs)
    assert adjusted_rand(starts.partition(2, 1)["z"], z) > 0.95
    assert adjusted_rand(clustered(pairs, 3).values["z"][0, 0], z) < 0.5


def test_positions_tell_two_groups_apart():
    pairs, z, _ = planted(300, 2, 20, 15, 9)
    places = spectral_positions(pairs)
    assert places.shape == (300, 2)
    side = places[:, 0] > 0
    assert adjusted_rand(side.astype(int), z) > 0.9


def test_k_means_keeps_to_its_seed_and_takes_few_rows():
    rows = np.random.default_rng(10).normal(size=(100, 2))
    np.testing.assert_array_equal(k_means(rows, 5, 1, 3), k_means(rows, 5, 1, 3))
    np.testing.assert_array_equal(k_means(rows[:3], 5, 1, 3), [0, 1, 2])
    same = k_means(np.zeros((50, 2)), 4, 1, 3)  # which would warn, and so fail: ConvergenceWarning
    assert issubclass(ConvergenceWarning, Warning)
    np.testing.assert_array_equal(same, 0)


def test_concentrations_with_priors_are_not_for_it():
    spec = spec_of(2, prior=("a=gamma(2, 2)",))
    with pytest.raises(ConfigError, match="a has a prior; take engine gibbs or svi"):
        BlockSpectral(spec, pairs_of(np.ones((3, 3))))


def test_the_dense_and_the_iterated_vectors_agree(monkeypatch):
    pairs, _, _ = planted(190, 3, 20, 10, 11)
    graph = symmetrised(pairs)
    dense, _ = regularised_embedding(graph, 3, 1, either_sign=True)
    monkeypatch.setattr(_spectral_vectors, "_DENSE", 10)
    iterated, _ = regularised_embedding(graph, 3, 1, either_sign=True)
    np.testing.assert_allclose(dense, iterated, atol=TOLERANCE)
