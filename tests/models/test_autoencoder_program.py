"""The Pyro programs of autoencoders: their bound, its gradient, and what may look at what."""

from __future__ import annotations

import warnings

import numpy as np
import pyro
import pytest
import torch
from models.autoencoder_problems import FORMS, batch_of, doubled, images, table
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch.distributions import kl_divergence
from torch.fx.experimental.proxy_tensor import make_fx

from bayeskit.models.autoencoders.estimates import Rows, bounds, gap, log_density
from bayeskit.models.vae import cvae, vae

WRITTEN = (
    "bernoulli, laplace",
    "continuous bernoulli",
    "categorical",
    "denoising",
    "two quadrants, convolutions",
    "number",
)
ESTIMATED = ("bernoulli, laplace", "gaussian, table", "three quadrants, class")


def terms(program, batch, seed=3):
    """Return the bound's two terms, n each, by the distributions that model and guide name."""
    torch.manual_seed(seed)
    guide = poutine.trace(program.guide).get_trace(*batch)
    model = poutine.trace(poutine.replay(program.model, trace=guide)).get_trace(*batch)
    model.compute_log_prob()
    codes, prior = guide.nodes["codes"]["fn"], model.nodes["codes"]["fn"]
    return model.nodes["row"]["log_prob"], kl_divergence(codes.base_dist, prior.base_dist).sum(-1)


def loss(program, batch):
    reconstruction, kl = terms(program, batch)
    return (kl - reconstruction).sum()


@pytest.mark.parametrize("form", FORMS)
def test_gradient_of_the_bound_is_that_of_finite_differences(form):
    program = doubled(FORMS[form]())
    batch = batch_of(program)
    # Where a ReLU bends, a difference has no meaning: these networks bend smoothly.
    smooth(program.module)
    parameters = list(program.module.parameters())
    gradients = torch.autograd.grad(loss(program, batch), parameters)
    torch.manual_seed(11)
    for _ in range(3):
        way = [torch.randn_like(leaf) for leaf in parameters]
        expected = sum((gradient * step).sum() for gradient, step in zip(gradients, way, strict=True))
        assert float(difference(program, batch, parameters, way)) == pytest.approx(float(expected), rel=1e-6, abs=1e-6)
        wrong = expected - (gradients[0] * way[0]).sum()
        assert abs(float(wrong - expected)) > 1e-4 * abs(float(expected)), "a missing gradient would be seen"


def difference(program, batch, parameters, way, size=1e-5):
    """Return the loss's slope along a way, with the error of order 4 of five points."""
    found = []
    with torch.no_grad():
        for factor in (-2, -1, 1, 2):
            for leaf, step in zip(parameters, way, strict=True):
                leaf += factor * size * step
            found.append(loss(program, batch))
            for leaf, step in zip(parameters, way, strict=True):
                leaf -= factor * size * step
    return (found[0] - 8 * found[1] + 8 * found[2] - found[3]) / (12 * size)


def smooth(module):
    for part in module.modules():
        for name, child in part.named_children():
            if isinstance(child, torch.nn.ReLU):
                setattr(part, name, torch.nn.Softplus())


@pytest.mark.parametrize("form", FORMS)
def test_bound_is_pyros(form):
    program = doubled(FORMS[form]())
    batch = batch_of(program)
    reconstruction, kl = terms(program, batch)
    torch.manual_seed(3)
    theirs = TraceMeanField_ELBO().loss(program.model, program.guide, *batch)
    assert (kl - reconstruction).sum().item() == pytest.approx(theirs, rel=1e-12)


def test_bound_is_on_average_that_of_draws_alone():
    program = doubled(FORMS["bernoulli, laplace"]())
    batch = tuple(part.repeat(400, *[1] * (part.ndim - 1)) for part in batch_of(program))
    reconstruction, kl = terms(program, batch)
    draws = torch.tensor([Trace_ELBO().loss(program.model, program.guide, *batch) / len(batch[0]) for _ in range(30)])
    ours = (kl - reconstruction).mean().item()
    error = draws.std().item() / 30**0.5 + reconstruction.std().item() / len(reconstruction) ** 0.5
    assert abs(draws.mean().item() - ours) < 4.5 * error


@pytest.mark.parametrize("form", WRITTEN)
def test_programs_can_be_written_down(form):
    program = FORMS[form]().training(1)

    def bound(*batch):
        return loss(program, program.prepare(batch))

    batch = tuple(part[:4] for part in program.train)
    with pyro.validation_enabled(False), warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = make_fx(bound)(*batch)
        torch.manual_seed(3)
        ours = graph(*batch)
    assert bool(torch.isfinite(ours))


@pytest.mark.parametrize("form", [name for name in FORMS if "quadrant" in name])
def test_hidden_pixels_say_nothing_of_themselves(form):
    program = doubled(FORMS[form]())
    module, (row, _, *given) = program.module, batch_of(program)
    other = row.clone()
    other[:, module.hidden_places] = torch.rand_like(other[:, module.hidden_places])
    codes = torch.zeros(len(row), module.card.latent, dtype=row.dtype)

    def told(rows):
        context = module.context(rows, *given or [None])
        return module.prior(rows, context).mean, module.likelihood(codes, context).mean

    for ours, theirs in zip(told(row), told(other), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    guide = [module.posterior(rows, *given or [None]).mean for rows in (row, other)]
    assert not torch.allclose(*guide)
    assert module.likelihood(codes, module.context(row, *given or [None])).event_shape == module.target(row).shape[1:]


def test_noise_is_on_what_the_encoder_sees_only():
    program = vae(images(), hidden=(8,), denoise=0.3).training(1)
    torch.manual_seed(1)
    row, seen = program.prepare((program.train[0],))
    torch.testing.assert_close(row, program.train[0])
    assert float((seen - row).std()) == pytest.approx(0.3, rel=0.1)
    plain, same = vae(images(), hidden=(8,)).training(1).prepare((program.train[0],))
    assert plain is same


def test_noise_on_a_gaussian_image_is_on_the_scale_of_grey():
    program = vae(images(), hidden=(8,), denoise=0.3, likelihood="gaussian").training(1)
    torch.manual_seed(1)
    row, seen = program.prepare((program.train[0],))
    assert float((seen - row).std() * program.module.scale) == pytest.approx(0.3, rel=0.1)


def test_dynamic_binarisation_draws_anew_with_the_chance_that_grey_is():
    program = vae(images(binarise="dynamic"), hidden=(8,)).training(1)
    torch.manual_seed(1)
    drawn = torch.stack([program.prepare(program.train)[0] for _ in range(400)])
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    grey = program.train[0]
    error = (drawn.mean(0) - grey) / (grey * (1 - grey) / 400).sqrt().clamp(min=1e-3)
    assert float(error.abs().max()) < 5


def test_tables_are_standardised_by_training_rows_alone():
    model = vae(table(), hidden=(8,))
    program = model.training(1)
    torch.testing.assert_close(program.train[0].mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(program.train[0].std(0, correction=0), torch.ones(4), atol=1e-5, rtol=0)
    assert len(program.held_out[0]) == model.held_out.sum() == 4
    back = program.module.unscaled(program.held_out[0].numpy())
    np.testing.assert_allclose(back, model.data.values[model.held_out], rtol=1e-5, atol=1e-5)


def test_same_seed_same_weights_and_torchs_own_stream_untouched():
    model = cvae(table(conditions=True), hidden=(8,))
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    first, second, other = (model.training(seed).module.state_dict() for seed in (1, 1, 2))
    torch.testing.assert_close(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("form", ESTIMATED)
def test_estimates_are_those_of_the_program(form):
    """The bound row by row is the program's; the log density by importance weights lies above it."""
    model = FORMS[form]()
    program = model.training(1)
    rows = Rows(*(part[:5] for part in program.train))
    found = bounds(program.module, rows, np.random.default_rng(1), draws=400)
    args = [rows.values, rows.values, *([rows.given] if rows.given is not None else [])]
    with torch.no_grad():
        many = [terms(program, args, seed) for seed in range(60)]
    reconstruction = torch.stack([part for part, _ in many])
    error = (
        (torch.tensor(found.reconstruction) - reconstruction.mean(0)) / reconstruction.std(0).clamp(min=1e-3) * 50**0.5
    )
    assert float(error.abs().max()) < 4.5
    np.testing.assert_allclose(found.kl.sum(1), many[0][1].numpy(), rtol=1e-4, atol=1e-5)
    density = log_density(program.module, rows, np.random.default_rng(2), draws=400)
    assert (density > found.elbo - 4.5 * reconstruction.std(0).numpy() / 20).all()
    above = gap(program.module, rows, np.random.default_rng(2), draws=400)
    assert (above >= 0).all()
    np.testing.assert_allclose(density - above, found.elbo, atol=0.3)
