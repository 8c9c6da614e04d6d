"""A run's weights give back its networks, codes, reconstructions and rows; what is damaged or outside is told."""

from __future__ import annotations

import re

import numpy as np
import pytest
from models.autoencoder_problems import FORMS, images, table

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import ConditionCard
from bayeskit.models.autoencoders import conditions
from bayeskit.models.autoencoders.using import codes_of, completed, generated, rebuilt, reconstructed
from bayeskit.models.vae import cvae


def weights_of(model, seed=1):
    return {name: leaf.numpy() for name, leaf in model.training(seed).module.state_dict().items()}


def conditions_of(model, n):
    return {
        given.name: np.array(given.classes)[given.values[:n]] if given.classes else given.values[:n]
        for given in model.data.conditions
    }


@pytest.mark.parametrize("form", FORMS)
def test_weights_give_back_codes_and_reconstructions(form):
    model = FORMS[form]()
    program, given = model.training(3), conditions_of(model, 7)
    module = rebuilt(model.spec, weights_of(model, 3))
    values = model.data.values[:7]
    codes = codes_of(module, values, given, rng=np.random.default_rng(1))
    places = np.cumsum(~model.held_out) - 1  # of rows in training
    law = program.module.posterior(*(*(part[places[:7]] for part in program.train), None)[:2])
    kept = ~model.held_out[:7]
    np.testing.assert_allclose(codes.mean[kept], law.mean.detach().numpy()[kept], rtol=1e-5, atol=1e-5)
    assert codes.mean.shape == codes.sd.shape == (7, model.spec.latent)
    assert codes.elbo.shape == (7,)
    made = reconstructed(module, values, given)
    assert made.shape == values.shape
    if model.spec.quadrants:
        shown = module.given_pixels.numpy().astype(bool)
        np.testing.assert_allclose(made.reshape(7, -1)[:, shown], values.reshape(7, -1)[:, shown], rtol=1e-6)
    same = codes_of(module, values, given, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(same.elbo, codes.elbo)


@pytest.mark.parametrize("form", [form for form in FORMS if "quadrant" not in form])
def test_rows_are_drawn_around_their_means(form):
    model = FORMS[form]()
    given = {card.name: card.classes[0] if card.classes else 400.0 for card in model.spec.conditions}
    first, second = (
        generated(model.spec, weights_of(model), 300, given, rng=np.random.default_rng(2)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.drawn, second.drawn)
    assert first.drawn.shape == first.mean.shape == (300, *model.spec.shape)
    assert not first.outside.any()
    away = (first.drawn - first.mean).reshape(300, -1)
    error = away.mean(axis=0) / (away.std(axis=0) / 300**0.5)
    assert np.abs(error).max() < 5
    if model.spec.likelihood != "gaussian":
        assert ((first.drawn >= 0) & (first.drawn <= 1)).all()


def test_conditions_move_what_is_made_and_those_outside_are_marked():
    model = cvae(table(conditions=True), hidden=(8,))
    weights = weights_of(model)
    (card,) = model.spec.conditions
    asked = np.array([card.low, card.high, card.low - 1, card.high + 1])
    found = generated(model.spec, weights, 4, {"t": asked}, rng=np.random.default_rng(1))
    assert found.outside.tolist() == [False, False, True, True]
    module = rebuilt(model.spec, weights)
    told = codes_of(module, model.data.values[:4], {"t": asked}, rng=np.random.default_rng(1))
    assert told.outside.tolist() == [False, False, True, True]
    others = codes_of(module, model.data.values[:4], {"t": asked + 50}, rng=np.random.default_rng(1))
    assert not np.allclose(told.mean, others.mean)


def test_classes_are_asked_for_by_name():
    model = cvae(images(conditions=True), hidden=(8,))
    weights = weights_of(model)
    up, left = (
        generated(model.spec, weights, 3, {"way": name}, rng=np.random.default_rng(1)) for name in ("up", "left")
    )
    assert not np.allclose(up.mean, left.mean)
    each = generated(model.spec, weights, 3, {"way": ["up", "left", "up"]}, rng=np.random.default_rng(1))
    np.testing.assert_allclose(each.mean, np.stack([up.mean[0], left.mean[1], up.mean[2]]), rtol=1e-6)


def test_images_are_completed_in_several_ways_that_keep_what_is_given():
    model = cvae(images(), quadrants=2, hidden=(8,))
    module = rebuilt(model.spec, weights_of(model))
    values = model.data.values[:3]
    made = completed(module, values, n_samples=4, rng=np.random.default_rng(1))
    assert made.shape == (3, 4, *model.spec.shape)
    np.testing.assert_allclose(made[:, :, :, :3], np.repeat(values[:, None], 4, axis=1)[..., :3], rtol=1e-6)
    assert (made[..., 3:].std(axis=1) > 0).all()
    hidden = values.copy()
    hidden[..., 3:] = 0.5
    np.testing.assert_array_equal(completed(module, hidden, n_samples=4, rng=np.random.default_rng(1)), made)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "condition 't' is missing; give it (--condition t=VALUE)"),
        ({"t": 400, "p": 1}, "condition 'p' is none of this run's: t"),
        ({"t": "hot"}, "condition 't' takes a number, not 'hot'"),
        ({"t": np.inf}, "condition 't' takes finite numbers"),
    ],
)
def test_conditions_that_cannot_be_taken_are_refused(given, told):
    model = cvae(table(conditions=True), hidden=(8,))
    with pytest.raises(ConfigError, match=re.escape(told)):
        generated(model.spec, weights_of(model), 2, given, rng=np.random.default_rng(1))


def test_unknown_classes_and_images_of_nothing_are_refused():
    model = cvae(images(conditions=True), hidden=(8,))
    with pytest.raises(ConfigError, match="'down' is none of its classes: left, right, up"):
        generated(model.spec, weights_of(model), 2, {"way": "down"}, rng=np.random.default_rng(1))
    model = cvae(images(), quadrants=1, hidden=(8,))
    with pytest.raises(ConfigError, match="completes images"):
        generated(model.spec, weights_of(model), 2, rng=np.random.default_rng(1))


def test_damaged_weights_and_rows_of_another_shape_are_refused():
    model = FORMS["bernoulli"]()
    weights = weights_of(model)
    name = "decoder.output.bias"
    for broken, told in (
        ({key: value for key, value in weights.items() if key != name}, f"the weights lack '{name}'"),
        (weights | {name: weights[name][:-1]}, f"the weights '{name}' have the shape 34 and not 35"),
        (weights | {name: weights[name] * np.nan}, f"the weights '{name}' hold what is no number"),
    ):
        with pytest.raises(DataError, match=re.escape(told)):
            rebuilt(model.spec, broken)
    module = rebuilt(model.spec, weights)
    for values, told in (
        (np.zeros((2, 5, 6)), "rows have the shape 5 x 6, and this run's have 5 x 7"),
        (np.full((2, 5, 7), 2.0), "rows hold values that are not from 0 to 1"),
        (np.full((2, 5, 7), np.nan), "rows hold what is no number"),
    ):
        with pytest.raises(DataError, match=told):
            reconstructed(module, values)


def test_a_class_that_is_a_number_is_known_however_it_is_written():

    card = ConditionCard("plant", classes=("1", "7", "north"))
    (codes,), outside = conditions.conditions_of((card,), {"plant": ["07", "1.0", "north", "7"]}, 4)
    assert codes.tolist() == [1, 0, 2, 1]
    assert not outside.any()
    with pytest.raises(ConfigError, match="'8' is none of its classes"):
        conditions.conditions_of((card,), {"plant": "8"}, 1)
    with pytest.raises(ConfigError, match="'south' is none of its classes"):
        conditions.conditions_of((card,), {"plant": "south"}, 1)
