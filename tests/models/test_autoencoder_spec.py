"""What is chosen unless it is asked for, and what is refused, in one line that names it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from models.autoencoder_problems import FORMS, N_ROWS, images, table

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.core.types import Draws
from bayeskit.models.vae import cvae, vae


def test_tables_are_gaussian_with_a_standard_deviation_each():
    spec = vae(table()).spec
    assert (spec.likelihood, spec.encoder, spec.decoder, spec.latent) == ("gaussian", (64, 64), (64, 64), 2)
    assert (spec.columns, spec.shape, spec.shared_noise, spec.conditional) == (tuple("abcd"), (4,), False, False)
    assert (spec.n_rows, spec.n_held_out) == (N_ROWS - 4, 4)


def test_images_are_bernoulli_and_the_decoder_is_the_encoder_reversed():
    spec = vae(images(), hidden=(9, 5)).spec
    assert (spec.likelihood, spec.encoder, spec.decoder) == ("bernoulli", (9, 5), (5, 9))
    assert vae(images()).spec.encoder == (400,)
    assert vae(images(), architecture="conv").spec.encoder == (32, 64)
    assert vae(images(), likelihood="gaussian").spec.shared_noise
    assert vae(images(), likelihood="categorical").spec.levels == 256
    assert vae(images(), hidden=7).spec.encoder == (7,)


def test_conditions_are_taken_by_training_rows():
    model = cvae(table(conditions=True))
    (card,) = model.spec.conditions
    values = model.data.conditions[0].values[~model.held_out]
    assert (card.name, card.classes) == ("t", ())
    assert (card.low, card.high, card.mean, card.sd) == pytest.approx(
        (values.min(), values.max(), values.mean(), values.std())
    )
    assert cvae(images(conditions=True)).spec.conditions[0].classes == ("left", "right", "up")
    assert vae(table(conditions=True)).spec.conditions == ()


def test_split_is_the_datas_own_or_the_same_for_every_seed():
    assert (vae(table()).held_out == vae(table()).held_out).all()
    own = np.arange(N_ROWS) >= 30
    data = replace(table(), held_out=own)
    assert (vae(data, hold_out=0.5).held_out == own).all()
    assert not vae(table(), hold_out=0).held_out.any()


@pytest.mark.parametrize("form", FORMS)
def test_card_says_what_the_model_is(form):
    model = FORMS[form]()
    card = model.card()
    assert card.autoencoder == model.spec
    assert card.name == model.name == ("cvae" if model.spec.conditional else "vae")
    assert "def model(" in card.program
    assert card.formulas[0].startswith("z[k] ~ ")
    assert ("noise_sd" in [quantity.name for quantity in card.quantities]) == (model.spec.likelihood == "gaussian")
    values = {"elbo": np.zeros((1, 1))}
    assert [one.name for one in model.card(Draws("point", values)).quantities] == ["elbo"]


def test_card_says_that_grey_is_taken_for_a_chance():
    assert any("Grey is taken" in note for note in vae(images()).card().notes)
    assert not any("Grey is taken" in note for note in vae(images(binarise="static")).card().notes)
    assert any("anew" in note for note in vae(images(binarise="dynamic")).card().notes)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: vae(table(), architecture="rnn"), "architecture 'rnn' is unknown; choose from mlp, conv"),
        (lambda: vae(table(), likelihood="poisson"), "likelihood 'poisson' is unknown"),
        (lambda: vae(table(), latent_prior="cauchy"), "latent_prior 'cauchy' is unknown"),
        (lambda: vae(table(), latent=0), "latent 0 must be a whole number from 1"),
        (lambda: vae(table(), latent=1.5), "latent 1.5 must be"),
        (lambda: vae(table(), hidden=(3, 0)), "hidden sizes 3, 0 must be whole numbers from 1"),
        (lambda: vae(table(), denoise=-1), "denoise -1 must be"),
        (lambda: vae(table(), hold_out=1), "hold_out 1 must be a share"),
        (lambda: vae(table(), architecture="conv"), "convolutions are of images"),
        (lambda: vae(images(), architecture="conv", hidden=()), "0 convolutions are not from 1"),
        (lambda: vae(table(), likelihood="categorical"), "a categorical likelihood is of grey levels"),
        (lambda: vae(images(binarise="dynamic"), likelihood="categorical"), "a categorical likelihood is of grey"),
        (lambda: vae(images(), shared_noise=True), "noise is of a gaussian likelihood, not of a bernoulli one"),
        (lambda: vae(images(), likelihood="gaussian", shared_noise=False), "all pixels of an image share one"),
        (lambda: cvae(table()), "cvae needs what is given; name it (--condition)"),
        (lambda: cvae(images(), quadrants=4), "quadrants 4 must be 1, 2 or 3"),
        (lambda: cvae(table(conditions=True), quadrants=1), "quadrants are of images"),
    ],
)
def test_options_that_make_no_sense_are_refused(build, told):
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        build()
    assert "\n" not in str(caught.value)


def spoilt(data, row, place, value):
    values = data.values.copy()
    values.reshape(len(values), -1)[row, place] = value
    return replace(data, values=values)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: vae(spoilt(table(), 3, 1, np.nan)), "column 'b', row 4: nan is no number"),
        (lambda: vae(spoilt(images(), 3, 9, 1.5)), "image 4, pixel 2, 3: 1.5 is not from 0 to 1, as grey is"),
        (lambda: vae(table(), likelihood="bernoulli"), "a bernoulli likelihood takes values"),
        (lambda: vae(spoilt(images(), 3, 9, 0.1), likelihood="categorical"), "is none of 256 grey levels"),
        (
            lambda: vae(replace(table(), values=table().values[:2]), hold_out=0.4),
            "too few rows to train on, 1; give at least 2",
        ),
        (lambda: vae(spoilt(table(), slice(None), 2, 4.0)), "column 'c' is constant in training; leave it out"),
        (lambda: vae(spoilt(images(), slice(None), slice(None), 0.5)), "all images to train on are the same"),
        (
            lambda: vae(images(binarise="static"), likelihood="continuous-bernoulli"),
            "all values are 0 or 1, where a continuous density has no bound",
        ),
        (lambda: cvae(same_condition()), "condition 't' is constant in training; leave it out"),
    ],
)
def test_values_that_the_likelihood_cannot_have_made_are_named(build, told):
    with pytest.raises(DataError, match=re.escape(told)) as caught:
        build()
    assert "\n" not in str(caught.value)


def same_condition():
    data = table(conditions=True)
    (given,) = data.conditions
    return replace(data, conditions=(replace(given, values=np.full(N_ROWS, 300.0)),))
