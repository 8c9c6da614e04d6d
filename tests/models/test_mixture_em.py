"""EM's updates of a Gaussian mixture, held against the readable likelihood, expectations point by point, and peers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeskit.core.errors import DataError
from bayeskit.inference.em import EMConfig, fit_em
from bayeskit.models.mixtures import _em_passes, _em_rows, _em_torch
from bayeskit.models.mixtures import em as em_module
from bayeskit.models.mixtures._em_steps import FLOOR, coefficients_of, maximise
from bayeskit.models.mixtures.em import MixtureEM
from bayeskit.models.mixtures.likelihood import log_joint, log_likelihood
from bayeskit.models.mixtures.parameters import components_of
from bayeskit.models.mixtures.spec import MixtureSpec, priors_of

FORMS = ("full", "tied", "diagonal", "spherical")
ROUNDING = 1e-11  # of the mean log likelihood


def spec_of(k, d, form="full", dp=False):
    return MixtureSpec(k, d, form, dp, priors_of(n_columns=d, covariance=form, dp=dp))


def issue_points():
    state = np.random.RandomState(42)  # the data are given by the legacy generator
    parts = [((0, 0), [[1, 0.3], [0.3, 1]], 300), ((3, 3), [[1, -0.2], [-0.2, 1.5]], 400)]
    parts.append(((-3, 3), [[1.5, 0.4], [0.4, 1]], 300))
    return np.concatenate([state.multivariate_normal(*part) for part in parts])


def standardised(y):
    return (y - np.nanmean(y, axis=0)) / np.nanstd(y, axis=0)


def blobs(rng, n, d, k, missing=0.0):
    points = (
        rng.standard_normal((n, d)) @ rng.normal(size=(d, d)) + 3 * rng.normal(size=(k, d))[rng.integers(k, size=n)]
    )
    holes = rng.random((n, d)) < missing
    holes[np.arange(n), rng.integers(d, size=n)] = False  # something is observed of each
    return np.where(holes, np.nan, points)


def climb(model, n_steps, seed=0):
    mixture, path = model.start(np.random.default_rng(seed)), []
    for _ in range(n_steps):
        mixture, value = model.step(mixture)
        path.append(value)
    return mixture, np.array(path)


def reference(model, mixture, y):
    return log_likelihood(y, components_of(model.spec, model.values(mixture))).sum()


def test_the_given_data_reach_the_known_maximum():
    points = issue_points()
    centre, spread = points.mean(axis=0), points.std(axis=0)
    model = MixtureEM(spec_of(3, 2), (points - centre) / spread)
    draws = fit_em(model, seed=1)
    means = centre + spread * draws.values["means"][0, 0]
    order = np.argsort(means[:, 0])
    np.testing.assert_allclose(means[order], [(-3.084, 3.073), (0.089, 0.046), (3.059, 3.157)], atol=1e-2)
    np.testing.assert_allclose(draws.values["weights"][0, 0][order], [0.300, 0.310, 0.389], atol=1e-3)
    assert draws.engine["log_likelihood"] - len(points) * np.log(spread).sum() >= -3936.65
    assert draws.engine["converged"]
    assert draws.engine["largest_decrease"] <= ROUNDING
    assert draws.engine["collapsed"] == 0
    assert {name: value.shape for name, value in draws.values.items()} == {
        name: (1, 1, *shape) for name, shape in model.spec.shapes.items()
    }
    assert draws.groups["history"]["frame_covariances"].shape[1:] == (3, 2, 2)


@pytest.mark.parametrize("form", FORMS)
def test_the_likelihood_is_scikit_learn_s(form):
    mixture = pytest.importorskip("sklearn.mixture")
    y = standardised(issue_points())
    theirs = mixture.GaussianMixture(
        3, covariance_type={"diagonal": "diag"}.get(form, form), tol=1e-10, max_iter=2000, random_state=0, reg_covar=0
    ).fit(y)
    ours = fit_em(MixtureEM(spec_of(3, 2, form), y), EMConfig(tolerance=1e-10), seed=1)
    assert ours.engine["log_likelihood"] == pytest.approx(theirs.score(y) * len(y), abs=1e-4)


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from(FORMS), st.sampled_from([0.0, 0.3]), st.integers(0, 99))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_each_step_s_log_likelihood_is_the_reference_s_and_never_falls(k, d, form, missing, seed):
    y = blobs(np.random.default_rng(seed), 60, d, k, missing) * 10 ** np.arange(d) + 1e3
    model = MixtureEM(spec_of(k, d, form), y)
    mixture, path = climb(model, 12, seed)
    assert (np.diff(path) > -ROUNDING * len(y)).all()
    assert model.log_likelihood(mixture) == pytest.approx(reference(model, mixture, y), rel=1e-9)


def test_a_maximisation_with_a_wrong_divisor_is_seen_to_fall(monkeypatch):
    y = blobs(np.random.default_rng(3), 60, 2, 2)
    model = MixtureEM(spec_of(2, 2), y)
    highest, path = climb(model, 200)
    assert (np.diff(path) > -ROUNDING * len(y)).all()

    def wrong(moments, form, before=None):
        found = maximise(moments, form, before)
        return replace(found, covariances=found.covariances * (60 / 55))

    monkeypatch.setattr(em_module, "maximise", wrong)
    after, before = model.step(highest)
    assert model.log_likelihood(after) < before - ROUNDING * len(y) * 1e6


@pytest.mark.parametrize("form", FORMS)
def test_moments_are_expectations_point_by_point(form):
    y = blobs(np.random.default_rng(5), 40, 3, 2, 0.4)
    model = MixtureEM(spec_of(2, 3, form), y)
    mixture, _ = climb(model, 2)
    frame = model.frame(mixture)
    joint = log_joint(y, components_of(model.spec, model.values(mixture)))
    shares = np.exp(joint - joint.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    counts, sums, products = np.zeros(2), np.zeros((2, 3)), np.zeros((2, 3, 3))
    for point, share in zip(y, shares, strict=True):
        seen, unseen = np.flatnonzero(~np.isnan(point)), np.flatnonzero(np.isnan(point))
        for k, (mean, covariance) in enumerate(zip(frame["means"], frame["covariances"], strict=True)):
            whole, left = point.copy(), np.zeros((3, 3))
            slope = covariance[np.ix_(unseen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
            whole[unseen] = mean[unseen] + slope @ (point[seen] - mean[seen])
            left[np.ix_(unseen, unseen)] = covariance[np.ix_(unseen, unseen)] - slope @ covariance[np.ix_(seen, unseen)]
            counts[k] += share[k]
            sums[k] += share[k] * whole
            products[k] += share[k] * (np.outer(whole, whole) + left)
    after = model.step(mixture)[0]
    means = sums / counts[:, None]
    covariances = products / counts[:, None, None] - means[:, :, None] * means[:, None]
    if form == "tied":
        covariances[:] = np.tensordot(counts, covariances, 1) / counts.sum()
    if form in ("diagonal", "spherical"):
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        variances = variances if form == "diagonal" else np.repeat(variances.mean(axis=1, keepdims=True), 3, axis=1)
        covariances = variances[..., None] * np.eye(3)
    found = model.frame(after)
    np.testing.assert_allclose(found["weights"], counts / 40, rtol=1e-10)
    np.testing.assert_allclose(found["means"], means, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["covariances"], covariances, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_the_result_is_a_maximum_with_coordinates_missing(form):
    y = standardised(issue_points())
    y[np.random.default_rng(1).random(1000) < 0.3, 0] = np.nan
    model = MixtureEM(spec_of(3, 2, form), y)
    draws = fit_em(model, EMConfig(restarts=2, tolerance=1e-13), seed=1)
    here = {name: value[0, 0] for name, value in draws.values.items()}
    for name in ("means", "scales"):
        for place in np.ndindex(here[name].shape):
            moved = []
            for step in (-1e-3, 1e-3):
                other = here[name].copy()
                other[place] += step
                moved.append(log_likelihood(y, components_of(model.spec, here | {name: other})).sum())
            # The curvature is some n / sd^2: half of it times 1e-6 is the fall on either side, the slope adds nothing.
            assert max(moved) < draws.engine["log_likelihood"]
            assert abs(moved[1] - moved[0]) < 0.1 * (draws.engine["log_likelihood"] - max(moved))


@given(st.integers(1, 3), st.sampled_from(FORMS), st.integers(0, 99))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_pieces_threads_and_tensors_make_the_same_sums(d, form, seed):
    rng = np.random.default_rng(seed)
    y = blobs(rng, 500, d, 3, 0.3)
    whole = MixtureEM(spec_of(3, d, form), y)
    mixture, _ = climb(whole, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_em_rows, "_AT_ONCE", 100)
        patch.setattr(_em_rows, "_PARAMETERS", 1)
        patch.setattr(_em_passes, "_BLOCK", 100)
        pieces = MixtureEM(spec_of(3, d, form), y)
        assert all(rows.features is None for rows in pieces._kept)
        assert len(pieces._kept) == 2**d - 1
        expected, value = whole.step(mixture)
        found, other = pieces.step(mixture)
        assert other == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(found.means, expected.means, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.covariances, expected.covariances, rtol=1e-9, atol=1e-12)
        patch.setattr(_em_passes, "_cores", lambda: 1)
        alone, same = pieces.step(mixture)
        assert same == other
        np.testing.assert_array_equal(alone.covariances, found.covariances)
    assert_tensors_agree(whole, mixture, "cpu")


def assert_tensors_agree(model, mixture, device):
    for rows in model._kept:
        coefficients, _ = coefficients_of(mixture, rows.observed)
        how = {"dense": model.spec.correlated}
        sums, value = _em_passes.weighted_sums(rows, model.scaling, coefficients, **how)
        others, same = _em_torch.weighted_sums(rows, model.scaling, coefficients, **how, device=device)
        assert same == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(others, sums, rtol=1e-9, atol=1e-9)


@pytest.mark.gpu
@pytest.mark.parametrize("form", FORMS)
def test_the_gpu_gives_the_same_fit(form):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    y = standardised(issue_points())
    y[np.random.default_rng(1).random(1000) < 0.3, 0] = np.nan
    model = MixtureEM(spec_of(3, 2, form), y, "cuda")
    assert_tensors_agree(model, climb(model, 1)[0], "cuda")
    here, there = (fit_em(MixtureEM(model.spec, y, device), EMConfig(restarts=2), seed=1) for device in ("cpu", "cuda"))
    assert there.engine["log_likelihood"] == pytest.approx(here.engine["log_likelihood"], rel=1e-9)
    np.testing.assert_allclose(there.values["means"], here.values["means"], atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_units_do_not_matter(form):
    y = standardised(issue_points())
    factor = np.array([1e4, 1e-3]) if form != "spherical" else np.array([1e4, 1e4])
    here = fit_em(MixtureEM(spec_of(3, 2, form), y), EMConfig(restarts=2), seed=1)
    there = fit_em(MixtureEM(spec_of(3, 2, form), y * factor + 1e5), EMConfig(restarts=2), seed=1)
    np.testing.assert_allclose(there.values["means"], here.values["means"] * factor + 1e5, rtol=1e-6)
    jacobian = len(y) * np.log(factor).sum()
    assert there.engine["log_likelihood"] + jacobian == pytest.approx(here.engine["log_likelihood"], abs=1e-6)


def galaxies():
    return np.loadtxt(Path(__file__).parents[2] / "data" / "galaxies.csv", skiprows=1)[:, np.newaxis]


HARD = {
    "too many components": (spec_of(40, 1), standardised(galaxies())),
    "components for pairs": (spec_of(15, 1), standardised(galaxies())),
    "duplicated points": (spec_of(3, 2), np.repeat(np.random.default_rng(1).normal(size=(5, 2)), 20, axis=0)),
    "more components than distinct points": (spec_of(4, 2), np.repeat([[0.0, 1.0], [2.0, 3.0]], 10, axis=0)),
    "one distinct point": (spec_of(2, 2, "diagonal"), np.ones((10, 2))),
    "one point": (spec_of(2, 2), np.array([[1.0, np.nan]]), "column 2 has no number"),
    "a constant column": (spec_of(2, 2), np.stack([np.arange(30.0), np.full(30, 7.0)], axis=1)),
    "collinear columns": (spec_of(2, 3, "tied"), np.random.default_rng(2).normal(size=(50, 1)) * [1.0, 2.0, -1.0]),
    "many columns": (spec_of(4, 20), blobs(np.random.default_rng(3), 50, 20, 2, 0.2)),
    "one cluster far away": (
        spec_of(2, 2),
        np.concatenate([np.random.default_rng(4).normal(size=(99, 2)), [[1e6, 1e6]]]),
    ),
}


@pytest.mark.parametrize("case", HARD)
def test_hard_cases_give_numbers_and_tell_what_collapsed(case):
    spec, y, *refused = HARD[case]
    if refused:
        with pytest.raises(DataError, match=refused[0]):
            MixtureEM(spec, y)
        return
    model = MixtureEM(spec, y)
    draws = fit_em(model, EMConfig(restarts=4, max_iterations=60), seed=1)
    assert all(np.isfinite(value).all() for value in draws.values.values())
    assert np.isfinite(draws.engine["log_likelihood"])
    assert draws.engine["largest_decrease"] <= 1e-9
    assert draws.engine["collapsed"] > 0
    assert len(draws.engine["collapsed_points"]) == draws.engine["collapsed"]
    frames = draws.groups["history"]
    smallest = np.linalg.eigvalsh(frames["frame_covariances"] / np.outer(model.scaling.scale, model.scaling.scale))
    assert smallest.min() >= FLOOR * (1 - 1e-6)


def test_of_galaxies_few_components_keep_their_width():
    draws = fit_em(MixtureEM(spec_of(3, 1), standardised(galaxies())), seed=1)
    assert draws.engine["collapsed"] == 0
    assert draws.values["scales"].min() > 0.05


@pytest.mark.parametrize("form", FORMS)
def test_clusters_apart_and_overlapping_are_not_said_to_collapse(form):
    rng = np.random.default_rng(1)
    for apart in (0.5, 50.0):
        y = standardised(np.concatenate([rng.normal(size=(150, 2)), apart + rng.normal(size=(150, 2))]))
        draws = fit_em(MixtureEM(spec_of(2, 2, form), y), EMConfig(restarts=4), seed=1)
        assert draws.engine["collapsed"] == 0
        assert draws.engine["converged"]


def test_a_dirichlet_process_is_fitted_with_free_weights():
    y = standardised(issue_points())
    plain, process = (fit_em(MixtureEM(spec_of(3, 2, dp=dp), y), EMConfig(restarts=2), seed=1) for dp in (False, True))
    assert process.engine["log_likelihood"] == plain.engine["log_likelihood"]
    np.testing.assert_allclose(process.values["weights"], plain.values["weights"], rtol=1e-12)
    assert process.values["sticks"].shape == (1, 1, 2)


def test_infinite_numbers_are_refused():
    with pytest.raises(DataError, match="infinite"):
        MixtureEM(spec_of(2, 2), np.array([[1.0, np.inf], [0.0, 1.0]]))


def test_a_file_on_disk_gives_the_same_as_memory(tmp_path, monkeypatch):
    y = blobs(np.random.default_rng(1), 4000, 2, 2, 0.1)
    file = np.memmap(tmp_path / "points", dtype=float, mode="w+", shape=y.shape)
    file[:] = y
    monkeypatch.setattr(_em_rows, "_IN_FLIGHT", 1000)
    memory, disk = MixtureEM(spec_of(2, 2), y), MixtureEM(spec_of(2, 2), file)
    assert disk._kept is None
    first, second = (climb(model, 5)[1] for model in (memory, disk))
    np.testing.assert_allclose(second, first, rtol=1e-11)


def test_batches_take_each_point_once():
    y = np.arange(1003.0)[:, np.newaxis]
    model = MixtureEM(spec_of(1, 1), y)
    found = list(model.batches(100, np.random.default_rng(0)))
    np.testing.assert_array_equal(np.sort(np.concatenate(found), axis=0), y)
    assert max(len(batch) for batch in found) <= 100
    assert len(found) <= 12


@pytest.mark.parametrize("form", FORMS)
def test_batches_come_near_the_maximum_of_data_in_order(form):
    rng = np.random.default_rng(7)  # first all of one cluster, then all of the next
    y = standardised(np.concatenate([rng.normal(at, sd, (4000, 2)) for at, sd in ((-2, 1), (0, 0.5), (3, 1))]))
    model = MixtureEM(spec_of(3, 2, form), y)
    exact = fit_em(model, EMConfig(restarts=2), seed=1)
    batches = fit_em(model, EMConfig(restarts=2, batch_size=600, max_iterations=40), seed=1)
    # Shares of 1e-2 and less: the estimate is one of 60,000 points and more, where half the number of parameters is
    # what the likelihood loses of each 12,000.
    loss = exact.engine["log_likelihood"] - batches.engine["log_likelihood"]
    assert 0 < loss + 1e-4 < 5 * 0.5 * model.spec.n_parameters
    assert batches.engine["converged"]
