"""The bound is Pyro's, its gradient that of finite differences, and steps are Adam's."""

from __future__ import annotations

import pyro
import pytest
import torch
from inference.amortised_programs import ROWS, Autoencoder
from pyro import distributions as dist
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import nn

from bayeskit.core.errors import ProgramError
from bayeskit.inference import _amortised_writer
from bayeskit.inference._amortised_mixed import MixedPrecision
from bayeskit.inference._amortised_objective import Bound, Terms
from bayeskit.inference._amortised_steps import Learned, Pace, plain_step
from bayeskit.inference._amortised_writer import Writer
from bayeskit.inference._svi_parameters import scripted
from bayeskit.inference.amortised import AmortisedConfig

BATCH = (ROWS[:40].double(),)
PAIRS = {
    "normal": (dist.Normal, dist.Normal, TraceMeanField_ELBO),
    "laplace": (dist.Laplace, dist.Laplace, TraceMeanField_ELBO),
    "normal from laplace": (dist.Laplace, dist.Normal, TraceMeanField_ELBO),
    "of no known divergence": (dist.Cauchy, dist.Normal, Trace_ELBO),
}


@pytest.fixture(autouse=True)
def quietly():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pyro.validation_enabled(False), torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


def double(prior=dist.Normal, posterior=dist.Normal, **options):
    program = Autoencoder(BATCH[0], prior=prior, posterior=posterior, **options)
    program.module.double()
    return program


def of_pyro(program, elbo=TraceMeanField_ELBO, seed=5):
    """Pyro's own estimate of the negative bound, a row."""
    torch.manual_seed(seed)
    return elbo().loss(program.model, program.guide, *BATCH) / len(BATCH[0])


def written(program, **options):
    learned = Learned.of(program.module, "cpu")
    return learned, Writer(program, learned, AmortisedConfig(**options), "cpu")


def gradients(program, weight=1.0, **options):
    """Statistics and gradients of the engine, by name."""
    learned, writer = written(program, **options)
    graph = writer.gradients(BATCH)
    torch.manual_seed(5)
    statistics, *found = graph(torch.tensor(weight), *BATCH, *learned.weights.values())
    return statistics, dict(zip(learned.parameters, found, strict=True))


def differences(program, elbo):
    """Between the engine's loss and Pyro's; and between its slopes and central differences of Pyro's loss, as shares.

    Slopes are along one direction for each parameter.
    """
    statistics, found = gradients(program)
    of_loss = abs(statistics[0].item() / of_pyro(program, elbo) - 1)
    made, step, of_slopes = torch.Generator().manual_seed(1), 1e-5, 0.0
    for name, leaf in program.module.named_parameters():
        direction = torch.randn(leaf.shape, generator=made, dtype=torch.float64)
        middle, losses = leaf.data.clone(), []
        for shift in (step, -step):
            leaf.data.copy_(middle + shift * direction)
            losses.append(of_pyro(program, elbo))
        leaf.data.copy_(middle)
        slope = (found[name] * direction).sum().item()
        of_slopes = max(of_slopes, abs((losses[0] - losses[1]) / (2 * step) - slope) / (1e-3 + abs(slope)))
    return of_loss, of_slopes


@pytest.mark.parametrize(("prior", "posterior", "elbo"), PAIRS.values(), ids=PAIRS)
def test_loss_and_gradient_are_those_of_pyro_and_of_finite_differences(prior, posterior, elbo):
    of_loss, of_slopes = differences(double(prior, posterior), elbo)
    assert of_loss < 1e-12
    assert of_slopes < 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        lambda terms, weight, free_bits: -terms.reconstruction - terms.divergence.sum(),
        lambda terms, weight, free_bits: -terms.reconstruction + 0 * terms.divergence.sum(),
        lambda terms, weight, free_bits: terms.reconstruction + terms.divergence.sum(),
    ],
    ids=["divergence with the wrong sign", "divergence forgotten", "reconstruction with the wrong sign"],
)
def test_a_wrong_objective_is_found_out(monkeypatch, wrong):
    """Negative control of the test above."""
    monkeypatch.setattr(Terms, "loss", wrong)
    of_loss, of_slopes = differences(double(), TraceMeanField_ELBO)
    assert of_loss > 1e-3
    assert of_slopes > 1e-2


def test_divergences_by_code_add_up_to_those_of_pyro():
    program = double(latent=3)
    torch.manual_seed(5)
    with torch.no_grad():
        terms = Bound(program)(BATCH)
        mean, scale = program.module.location, program.module.log_scale
        hidden = program.module.encoder(BATCH[0])
        expected = 0.5 * (mean(hidden) ** 2 + (2 * scale(hidden)).exp() - 1 - 2 * scale(hidden))
    torch.testing.assert_close(terms.divergence, expected.mean(0))
    assert -terms.loss(1.0, 0.0).item() == pytest.approx(-of_pyro(program), rel=1e-12)


def test_the_divergence_has_a_weight_and_some_bits_are_free():
    terms = Terms(torch.tensor(-3.0), torch.tensor([0.1, 0.4, 2.0]))
    assert terms.loss(1.0, 0.0).item() == pytest.approx(3 + 2.5)
    assert terms.loss(0.5, 0.0).item() == pytest.approx(3 + 1.25)
    assert terms.loss(1.0, 0.3).item() == pytest.approx(3 + 0.3 + 0.4 + 2)
    assert terms.loss(0.5, 0.3).item() == pytest.approx(3 + 0.5 * (0.3 + 0.4 + 2))  # what is free stays so


def test_free_bits_leave_codes_alone():
    program = double()
    _, free = gradients(program, free_bits=100.0)
    _, none = gradients(program, weight=0.0)
    for name in free:
        torch.testing.assert_close(free[name], none[name])
    statistics, _ = gradients(program, beta=4.0)
    loss, judged, reconstruction, kl = statistics.tolist()
    assert (loss, judged) == pytest.approx((kl - reconstruction, 4 * kl - reconstruction))


def test_no_gradient_counts_more_than_the_clip():
    program = double()
    _, whole = gradients(program)
    _, clipped = gradients(program, clip=0.01)
    assert max(part.abs().max() for part in whole.values()) > 0.02
    for name, part in whole.items():
        torch.testing.assert_close(clipped[name], part.clamp(-0.01, 0.01))


def of_torch(program, rates):
    """Parameters after steps of Pyro's loss by torch's own Adam."""
    optimiser = torch.optim.Adam(program.module.parameters())
    for number, rate in enumerate(rates):
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad()
        torch.manual_seed(number)
        (TraceMeanField_ELBO().differentiable_loss(program.model, program.guide, *BATCH) / len(BATCH[0])).backward()
        optimiser.step()
    return {name: leaf.detach() for name, leaf in program.module.named_parameters()}


def test_mixed_precision_changes_products_of_matrices_and_nothing_else(monkeypatch):
    program, batch = Autoencoder(ROWS[:40]), (ROWS[:40],)
    learned, writer = written(program)
    torch.manual_seed(5)
    whole, *gradients = writer.gradients(batch)(torch.ones(()), *batch, *learned.weights.values())
    monkeypatch.setattr(_amortised_writer, "nullcontext", MixedPrecision)
    graph = writer.gradients(batch)
    torch.manual_seed(5)
    mixed, *rough = graph(torch.ones(()), *batch, *learned.weights.values())
    halves = {str(node.target) for node in graph.graph.nodes if "bfloat16" in str(node.meta.get("tensor_meta"))}
    assert {name.split(".")[1] for name in halves} <= {"_to_copy", "t", "addmm", "mm", "sum", "view", "detach"}
    assert {one.dtype for one in (mixed, *rough)} == {torch.float32}
    assert not torch.equal(mixed, whole)
    torch.testing.assert_close(mixed, whole, rtol=0.01, atol=0.01)
    one, other = (torch.cat([part.reshape(-1) for part in parts]) for parts in (rough, gradients))
    assert 0 < (one - other).norm() / other.norm() < 0.2  # most of a gradient cancels out between rows


RATES = [0.01, 0.01, 0.005, 0.02, 0.001, 0.01]


@pytest.mark.parametrize("run", [lambda graph, given: graph, scripted], ids=["operations", "TorchScript"])
def test_a_step_is_one_of_adam(run):
    learned, writer = written(double())
    step = plain_step(run(writer.gradients(BATCH), writer.given(BATCH)), learned)
    for number, rate in enumerate(RATES):
        torch.manual_seed(number)
        step(BATCH, Pace(rate, 1.0, number + 1))
    expected = of_torch(double(), RATES)
    for name, leaf in learned.parameters.items():
        torch.testing.assert_close(leaf, expected[name], rtol=1e-10, atol=1e-12)


def test_a_whole_step_as_it_is_compiled_is_one_of_adam():
    learned, writer = written(double())
    graph = writer.whole(torch.ones(3), BATCH)
    for number, rate in enumerate(RATES):
        size, root = rate / (1 - 0.9 ** (number + 1)), (1 - 0.999 ** (number + 1)) ** 0.5
        numbers = torch.tensor([size, root, 1.0], dtype=torch.float64)
        torch.manual_seed(number)
        graph(numbers, *BATCH, *learned.all.values())
    expected = of_torch(double(), RATES)
    for name, leaf in learned.parameters.items():
        torch.testing.assert_close(leaf, expected[name], rtol=1e-10, atol=1e-12)


def test_buffers_learn_in_training_and_stay_in_judging():
    program = Autoencoder(ROWS[:40], between=(nn.BatchNorm1d(16), nn.Dropout(0.5)))
    learned, writer = written(program)
    batch = (ROWS[:40],)
    step = plain_step(writer.gradients(batch), learned)
    judged = writer.judged(batch)
    before = {name: buffer.clone() for name, buffer in learned.buffers.items()}
    torch.manual_seed(1)
    one = judged(*batch, *learned.weights.values())
    torch.manual_seed(1)
    again = judged(*batch, *learned.weights.values())
    torch.testing.assert_close(one, again)
    assert all(torch.equal(buffer, learned.buffers[name]) for name, buffer in before.items())
    step(batch, Pace(0.01, 1.0, 1))
    assert learned.buffers["encoder.1.num_batches_tracked"] == 1
    assert not torch.equal(before["encoder.1.running_mean"], learned.buffers["encoder.1.running_mean"])
    assert program.module.encoder[1].num_batches_tracked == 0
    assert all(part.training for part in program.module.modules())


class Noisy(Autoencoder):
    """Draws its rows anew in each step."""

    def prepare(self, batch):
        return (torch.bernoulli(batch[0]),)


def test_what_is_drawn_anew_in_each_step_is_another_in_each():
    program, batch = Noisy(ROWS[:40]), (torch.full((40, 12), 0.5),)
    last = program.module.decoder[2]
    last.weight.data.zero_()  # codes, which are drawn as well, have no part in what is reconstructed
    last.bias.data.copy_(torch.linspace(-2, 2, 12))
    learned, writer = written(program)
    graph = writer.judged(batch)

    def reconstruction(seed):
        torch.manual_seed(seed)
        return graph(*batch, *learned.weights.values())[0].item()

    assert reconstruction(1) == reconstruction(1) != reconstruction(2)


class Other(Autoencoder):
    """With another guide or model."""

    def __init__(self, guide=None, model=None):
        super().__init__(ROWS[:40])
        self._other_guide, self._other_model = guide, model

    def guide(self, x):
        return super().guide(x) if self._other_guide is None else self._other_guide(self, x)

    def model(self, x):
        return super().model(x) if self._other_model is None else self._other_model(self, x)


def discrete(self, x):
    with pyro.plate("rows", len(x)):
        pyro.sample("z", dist.Bernoulli(logits=self.module.location(self.module.encoder(x))).to_event(1))


def without_plate(self, x):
    pyro.sample("z", dist.Normal(self.module.location(self.module.encoder(x)).mean(0), 1.0).to_event(1))


def under_another_name(self, x):
    with pyro.plate("rows", len(x)):
        pyro.sample("code", dist.Normal(self.module.location(self.module.encoder(x)), 1.0).to_event(1))


def unobserved(self, x):
    with pyro.plate("rows", len(x)):
        pyro.sample("z", dist.Normal(torch.zeros(len(x), 2), 1.0).to_event(1))


def outside_the_support(self, x):
    with pyro.plate("rows", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 2), 1.0).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=self.module.decoder(z)).to_event(1), obs=x + 0.5)


def looking(self, x):
    with pyro.plate("rows", len(x)):
        location = self.module.location(self.module.encoder(x))
        pyro.sample("z", dist.Normal(location, 2.0 if location.sum() > 0 else 1.0).to_event(1))


def without_networks(self, x):
    with pyro.plate("rows", len(x)):
        pyro.sample("z", dist.Normal(torch.zeros(len(x), 2), 1.0).to_event(1))


def fixed(self, x):
    with pyro.plate("rows", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(len(x), 2), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z.mean(-1, keepdim=True).expand(-1, 12), 1.0).to_event(1), obs=x)


@pytest.mark.parametrize(
    ("functions", "what"),
    [
        ({"guide": discrete}, "site 'z' has no reparameterised draws"),
        ({"guide": without_plate}, "site 'z' is not in a plate over the rows"),
        ({"guide": under_another_name}, "latent sites 'z' and the guide 'code'"),
        ({"model": unobserved}, "no observed site"),
        ({"model": outside_the_support}, "fail on 40 rows: ValueError .*support"),
        ({"guide": looking}, "cannot be written down as tensor operations"),
        ({"guide": without_networks, "model": fixed}, "depends on no parameter"),
    ],
)
def test_programs_that_do_not_work_are_refused(functions, what):
    _, writer = written(Other(**functions))

    def write():
        writer.check((ROWS[:40],))
        writer.gradients((ROWS[:40],))

    with pytest.raises(ProgramError, match=what) as caught:
        write()
    assert "\n" not in str(caught.value)
