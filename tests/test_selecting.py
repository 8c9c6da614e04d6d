"""The number of components, chosen by every criterion."""

from __future__ import annotations

import numpy as np
import pytest
from models.mixture_draws import clusters

from bayeskit.core.errors import ConfigError
from bayeskit.datasets.points import points
from bayeskit.diagnostics.mixtures import LeaveOneOut
from bayeskit.tasks import selecting
from bayeskit.tasks.selecting import CRITERIA, choose_components

OPTIONS = {"covariance": "full", "dp": False, "standardise": True, "prior": ()}


def test_three_clusters_are_found_by_every_criterion():
    told = []
    found, table = choose_components(points(clusters(120), ["a", "b"]), OPTIONS, most=4, notify=told.append)
    assert found == 3
    np.testing.assert_array_equal(table["n_components"], [1, 2, 3, 4])
    np.testing.assert_array_equal(table["n_parameters"], [5, 11, 17, 23])
    np.testing.assert_array_equal(table["chosen"], [0, 0, 1, 0])
    for criterion in ("bic", "icl", "loo"):
        np.testing.assert_array_equal(table[f"chosen_by_{criterion}"], [0, 0, 1, 0], err_msg=criterion)
    assert table["elpd_loo_difference"].max() == 0
    assert (table["max_log_likelihood"][:3] > table["elpd_loo"][:3]).all()
    assert (np.diff(table["max_log_likelihood"]) > 0).all()
    assert all(column.shape == (4,) for column in table.values())
    assert len(told) == 4
    assert told[2].startswith("3 components: BIC")


def test_one_cluster_is_one():
    """The control: without clusters none are found."""
    normal = np.random.default_rng(1).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 100)
    for criterion in ("bic", "loo"):
        found, table = choose_components(points(normal, ["a", "b"]), OPTIONS, criterion=criterion, most=2)
        assert found == 1
        assert ("elpd_loo" in table) == (criterion == "loo")


def test_units_do_not_change_what_is_chosen_or_by_how_much():
    made = clusters(100)
    _, first = choose_components(points(made, ["a", "b"]), OPTIONS, criterion="bic", most=4)
    _, second = choose_components(points(made * [1000, 0.01], ["a", "b"]), OPTIONS, criterion="bic", most=4)
    np.testing.assert_allclose(np.diff(second["bic"]), np.diff(first["bic"]), atol=0.05)
    np.testing.assert_array_equal(first["chosen"], second["chosen"])


def test_there_are_no_more_components_than_distinct_points():
    few = np.repeat([[0.0, 0.0], [1.0, 3.0], [5.0, 1.0]], 10, axis=0)
    options = {**OPTIONS, "covariance": "spherical"}
    _, table = choose_components(points(few, ["a", "b"]), options, criterion="bic")
    np.testing.assert_array_equal(table["n_components"], [1, 2, 3])
    assert np.isnan(table["bic"][2])  # each component sits on equal points
    assert np.isfinite(table["max_log_likelihood"]).all()


def test_of_numbers_that_predict_alike_the_smallest_is_taken():
    rng = np.random.default_rng(2)
    best = rng.normal(-2, 1, 100)
    scores = [
        LeaveOneOut(pointwise.sum(), 1.0, pointwise, 0)
        for pointwise in (best - 1, best - 0.01 + rng.normal(0, 0.2, 100), best)
    ]
    table = selecting._differences(scores)
    np.testing.assert_allclose(table["elpd_loo_difference_se"][2], 0)
    np.testing.assert_allclose(
        table["elpd_loo_difference_se"][1], np.sqrt(100) * np.std(scores[1].pointwise - best, ddof=1)
    )
    smallest = selecting._smallest_that_predicts_alike
    assert smallest(table) == 1
    far = {**table, "elpd_loo_difference": np.array([-100.0, -50.0, 0.0])}
    assert smallest(far) == 2
    unsure = {**far, "elpd_loo_simulation_error": np.array([0.0, 20.0, 20.0])}  # of the chains, on either side
    assert smallest(unsure) == 1
    errors = np.array([0.0, 15.0, 0.0])
    assert smallest({**far, "elpd_loo_difference_se": errors}) == 2
    assert smallest({**far, "elpd_loo_difference_se": 2 * errors}) == 1
    near = {**table, "elpd_loo_difference": np.array([-3.9, -3.8, 0.0]), "elpd_loo_difference_se": np.zeros(3)}
    assert smallest(near) == 0


def test_bad_options_are_told():
    made = points(clusters(30), ["a", "b"])
    with pytest.raises(ConfigError, match=f"choose from {', '.join(CRITERIA)}"):
        choose_components(made, OPTIONS, criterion="dic")
    with pytest.raises(ConfigError, match="at least 1"):
        choose_components(made, OPTIONS, most=0)


def test_too_many_points_are_not_left_out_one_by_one(monkeypatch):
    monkeypatch.setattr(selecting, "_MOST_TERMS", 2000)
    with pytest.raises(ConfigError, match="--criterion bic"):
        choose_components(points(clusters(30), ["a", "b"]), OPTIONS)


@pytest.mark.slow
def test_a_thousand_points_have_three_clusters_by_all_criteria():
    _, table = choose_components(points(clusters(), ["a", "b"]), OPTIONS)
    for criterion in ("bic", "icl", "loo"):
        assert table["n_components"][np.argmax(table[f"chosen_by_{criterion}"])] == 3
    assert table["max_log_likelihood"][2] >= -3936.65
