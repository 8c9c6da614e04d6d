"""Rows held out tell how far an autoencoder is to be trusted; what is wrong with one is found."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from diagnostics.factories import fit_of

from bayeskit.core.types import Assessment, AutoencoderCard
from bayeskit.diagnostics.autoencoders import assess_autoencoder, distance_limit, distances

N = 2000
COLUMNS = ("s1", "s2")


def card(*, conditional=False, n_held_out=400, columns=COLUMNS):
    shape = (2,) if columns else (2, 1)
    return AutoencoderCard(
        *(conditional, shape, columns, 3, "mlp", (8,), (8,), "gaussian", False, 0, "normal", (), 0, 0.0),
        *(N - n_held_out, n_held_out, ()),
    )


def assessed(told=None, *, better=0.0, gap=0.1, n_active=2.0, shift=0.0, scale=1.0, blur=0.1, kl=2.0):
    """Of rows that are standard normal; ``better`` is what training rows have of a bound more than others."""
    rng = np.random.default_rng(2)
    told = told or card()
    held_out = np.arange(N) < told.n_held_out
    rows = rng.standard_normal((N, 2))
    groups = {
        "codes": {
            "elbo": ("row", rng.standard_normal(N) + better * ~held_out),
            "held_out": ("row", held_out),
        },
        "reconstructions": {
            "original": (("example", "column"), 7 * rows),
            "reconstruction": (("example", "column"), 7 * (rows + blur * rng.standard_normal(rows.shape))),
        },
        "generated": {"drawn": (("row", "column"), shift + scale * rng.standard_normal(rows.shape))},
        "observed": {"value": (("row", "column"), rows)},
    }
    if not told.columns:
        groups["reconstructions"] = {
            name: (("example", "height", "width"), values[:, :, None] / 7)
            for name, (_, values) in groups["reconstructions"].items()
        }
    scalars = {"elbo": -10.0, "log_density": -10.0 + gap, "kl": kl, "n_active": n_active}
    fit = fit_of("point", {name: np.full((1, 1), value) for name, value in scalars.items()})
    for name, group in groups.items():
        fit.posterior[name] = xr.DataTree(xr.Dataset(group))
    provenance = fit.provenance
    fit = replace(fit, provenance=replace(provenance, card=replace(provenance.card, autoencoder=told)))
    return assess_autoencoder(fit, Assessment((), None, {"quantities": 4.0}))


def outcomes(assessment):
    return {verdict.name: verdict.passed for verdict in assessment.verdicts}


def test_what_is_right_passes():
    found = assessed()
    assert outcomes(found) == {"overfitting": True, "bound_gap": True, "codes_in_use": True, "generated": True}
    assert all(verdict.advisory for verdict in found.verdicts)
    assert found.metrics["quantities"] == 4.0
    assert found.metrics["held_out_elbo"] == -10.0
    assert found.metrics["held_out_log_density"] == pytest.approx(-9.9)
    assert found.metrics["active_codes"] == 2.0


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"better": 0.5}, "overfitting"),
        ({"gap": 0.6}, "bound_gap"),
        ({"n_active": 0.0}, "codes_in_use"),
        ({"shift": 0.5}, "generated"),
        ({"scale": 0.6}, "generated"),
    ],
)
def test_what_is_wrong_is_found(wrong, name):
    found = assessed(**wrong)
    assert {verdict for verdict, passed in outcomes(found).items() if not passed} == {name}
    assert next(verdict for verdict in found.verdicts if verdict.name == name).remedy


def test_errors_are_in_standard_deviations_of_a_table_and_in_grey_of_images():
    assert assessed().metrics["reconstruction_rmse"] == pytest.approx(0.1, rel=0.05)
    assert assessed(card(columns=())).metrics["reconstruction_rmse"] == pytest.approx(0.1, rel=0.05)


def test_conditions_may_tell_all_there_is_and_codes_that_tell_nothing_lose_nothing():
    found = assessed(card(conditional=True), n_active=0.0, kl=0.01)
    assert outcomes(found) == {"overfitting": True, "generated": True}


def test_without_rows_held_out_nothing_is_said_of_them():
    found = assessed(card(n_held_out=0))
    assert "held_out_elbo" not in found.metrics
    assert "overfitting" not in outcomes(found)


def test_samples_of_one_distribution_are_as_near_as_they_may_be():
    rng = np.random.default_rng(3)
    same = [distances(rng.standard_normal((500, 1)), rng.standard_normal((300, 1)))[0] for _ in range(200)]
    assert np.mean(np.array(same) > distance_limit(500, 300)) < 0.01
    others = [distances(0.5 + rng.standard_normal((500, 1)), rng.standard_normal((300, 1)))[0] for _ in range(50)]
    assert np.mean(np.array(others) > distance_limit(500, 300)) > 0.5
