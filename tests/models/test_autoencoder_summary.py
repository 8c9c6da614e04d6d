"""What a run keeps of an autoencoder: groups with the dimensions that they are named by, and numbers that agree."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from models.autoencoder_problems import FORMS, images, table
from models.test_autoencoder_using import weights_of

from bayeskit.core.types import Draws
from bayeskit.models.autoencoders._pictures import _around
from bayeskit.models.autoencoders.estimates import Rows, bounds, log_density
from bayeskit.models.autoencoders.summary import summarise
from bayeskit.models.vae import cvae, vae
from bayeskit.posterior import to_datatree

OF_IMAGES = {"codes", "reconstructions", "traversals", "interpolation", "generated"}
OF_TABLES = {"codes", "reconstructions", "traversals", "generated", "observed"}


def tree_of(model, seed=1):
    found = summarise(model, weights_of(model), seed=seed)
    return to_datatree(Draws("point", found.values, groups=found.groups), model, seed=1)


@pytest.mark.parametrize(
    ("form", "groups"),
    [
        ("bernoulli, convolutions", OF_IMAGES | {"manifold"}),
        ("categorical", OF_IMAGES | {"manifold"}),
        ("colour", OF_IMAGES | {"manifold"}),
        ("class", OF_IMAGES | {"manifold", "by_condition"}),
        ("three quadrants, class", OF_IMAGES | {"completion"}),
        ("gaussian, table", OF_TABLES),
        ("number", OF_TABLES | {"by_condition"}),
    ],
)
def test_every_part_has_a_name_and_a_finite_value(form, groups):
    model = FORMS[form]()
    tree = tree_of(model)
    assert set(tree.children) - {"posterior", "sample_stats"} == groups
    for name in (*groups, "posterior"):
        for variable in tree[name].data_vars.values():
            assert not any("_dim_" in str(dim) for dim in variable.dims), (name, variable.name)
            if variable.dtype.kind == "f" and variable.name != "given":
                assert np.isfinite(variable.to_numpy()).all(), (name, variable.name)
    shape = ("column",) if model.spec.columns else ("height", "width", "channel")[: len(model.spec.shape)]
    assert tree["generated"]["drawn"].dims[1:] == shape
    assert tree["traversals"]["decoded"].dims == ("code", "step", *shape)
    codes = tree["codes"]
    assert codes["mean"].shape == (len(model.data.values), model.spec.latent)
    assert (codes["held_out"].to_numpy() == model.held_out).all()
    assert codes["row"].to_numpy().tolist() == [str(row) for row in model.data.rows]


def test_same_seed_same_numbers():
    model = FORMS["number"]()
    first, second, other = (tree_of(model, seed) for seed in (1, 1, 2))
    assert first.equals(second)
    assert not first["generated"].to_dataset().equals(other["generated"].to_dataset())


def test_bound_is_that_of_held_out_rows_and_below_the_density():
    model = FORMS["gaussian, table"]()
    program = model.training(1)
    found = summarise(model, weights_of(model), seed=1).values
    rows = Rows(program.held_out[0])
    exact = bounds(program.module, rows, np.random.default_rng(9), draws=4000)
    density = log_density(program.module, rows, np.random.default_rng(9), draws=4000).mean()
    value = {name: float(array.squeeze()) for name, array in found.items() if array.size == 1}
    assert value["kl"] == pytest.approx(exact.kl.sum(axis=1).mean(), rel=1e-5)
    assert value["elbo"] == pytest.approx(value["reconstruction"] - value["kl"])
    assert value["elbo"] == pytest.approx(exact.elbo.mean(), abs=0.3)
    assert value["elbo"] < value["log_density"] == pytest.approx(density, abs=0.3)
    np.testing.assert_allclose(found["kl_code"].sum(), value["kl"])
    np.testing.assert_allclose(found["noise_sd"][0, 0], program.module.scale.numpy() * 1.001, rtol=1e-5)


def test_without_rows_held_out_training_rows_are_judged():
    model = vae(table(), hidden=(8,), hold_out=0)
    tree = tree_of(model)
    assert len(tree["observed"]["value"]) == len(model.data.values)
    assert not tree["codes"]["held_out"].any()


def test_codes_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr("bayeskit.models.autoencoders.summary.MOST_CODES", 5)
    codes = tree_of(vae(table(), hidden=(8,)))["codes"]
    assert codes["row"].to_numpy().tolist() == ["1", "11", "21", "30", "40"]
    assert int(codes["n_rows"]) == 40


def test_rows_with_noise_stand_beside_those_without():
    tree = tree_of(FORMS["denoising"]())["reconstructions"]
    noise = (tree["input"] - tree["original"]).to_numpy()
    assert noise.std() == pytest.approx(0.3, rel=0.1)
    assert "input" not in tree_of(FORMS["bernoulli"]())["reconstructions"]


def test_dynamically_binarised_rows_are_looked_at_as_0_and_1():
    tree = tree_of(vae(images(binarise="dynamic"), hidden=(8,)))["reconstructions"]
    assert set(np.unique(tree["original"])) == {0.0, 1.0}


def test_bands_are_in_order_and_about_the_noise_wide():
    tree = tree_of(FORMS["number"]())["by_condition"]
    parts = [tree[name].to_numpy() for name in ("low95", "low68", "mean", "high68", "high95")]
    assert all((low < high).all() for low, high in itertools.pairwise(parts))
    (card,) = FORMS["number"]().spec.conditions
    at = tree["given_t"].to_numpy()
    assert (at[0], at[-1], len(at)) == (card.low, card.high, 61)


def test_map_goes_from_left_to_right_and_upwards():
    """With a decoder that shows its two codes, quantiles stand where the docstring has them."""
    model = vae(table(), hidden=(), latent=2)
    images_of_codes = vae(images(), hidden=(), latent=2, likelihood="gaussian")
    weights = weights_of(images_of_codes)
    weights["decoder.output.weight"][:] = 0
    weights["decoder.output.bias"][:] = 0
    weights["decoder.output.weight"][0, 0] = weights["decoder.output.weight"][1, 1] = 1
    found = summarise(images_of_codes, weights, seed=1).groups["manifold"]
    scale, centre = weights["scale"][0], weights["centre"][0]
    shown = (found["decoded"].reshape(20, 20, -1)[..., :2] - centre) / scale
    first, second = found["codes"]
    np.testing.assert_allclose(shown[..., first], np.broadcast_to(found["at"], (20, 20)), atol=1e-5)
    np.testing.assert_allclose(shown[..., second], np.broadcast_to(found["at"][::-1, None], (20, 20)), atol=1e-5)
    assert model.spec.encoder == ()


def test_a_typical_row_is_traversed_code_by_code():
    model = FORMS["number"]()
    tree = tree_of(model)["traversals"]
    decoded, at = tree["decoded"].to_numpy(), tree["at"].to_numpy()
    assert (at[0], at[6], at[-1]) == (-3, 0, 3)
    assert (np.ptp(decoded, axis=1) > 0).all()
    assert sorted(tree["code"].to_numpy()) == [1, 2]


def test_great_circles_keep_the_length_and_the_ends():
    rng = np.random.default_rng(1)
    start, end = rng.standard_normal((2, 5, 30))
    end *= np.linalg.norm(start, axis=1, keepdims=True) / np.linalg.norm(end, axis=1, keepdims=True)
    way = _around(start, end, np.linspace(0, 1, 7)[None, :, None])
    np.testing.assert_allclose(np.linalg.norm(way, axis=2), np.linalg.norm(start, axis=1)[:, None] * np.ones(7))
    np.testing.assert_allclose(way[:, 0], start)
    np.testing.assert_allclose(way[:, -1], end)
    same = _around(start, start, np.linspace(0, 1, 7)[None, :, None])
    np.testing.assert_allclose(same, np.repeat(start[:, None], 7, axis=1))


def test_conditions_of_an_unconditional_model_are_shown_and_not_given():
    data = replace(table(conditions=True))
    tree = tree_of(vae(data, hidden=(8,)))
    assert tree["codes"]["given_t"].dims == ("row",)
    assert "given_t" not in tree["generated"]
    generated = tree_of(cvae(data, hidden=(8,)))["generated"]
    assert generated["given_t"].dims == ("row",)
    assert len(generated["given_t"]) == 1000
