"""A step of a variational autoencoder, 784-400-20 with batches of 256: ours beside plain PyTorch and Pyro, in one run.

Run with ``pytest -s tests/benchmarks/test_vae.py``. All see the same batches and draw the same noise from the same
first weights, so that their losses can be held against each other; all time is of whole steps, with the batch taken
from the rows. Rounds of an epoch each are interleaved, so that other work on the machine disturbs all alike.
"""

import os
import time
from contextlib import nullcontext
from statistics import median

import numpy as np
import pyro
import pytest
import torch
from pyro import distributions as dist
from pyro.infer import SVI, JitTrace_ELBO, Trace_ELBO
from torch import nn
from torch.nn import functional

from bayeskit.inference._amortised_compiled import compiled_step
from bayeskit.inference._amortised_course import Course
from bayeskit.inference._amortised_loop import _EPOCH, Loop
from bayeskit.inference._amortised_steps import Learned, plain_step
from bayeskit.inference._amortised_writer import Writer
from bayeskit.inference._svi_context import stream
from bayeskit.inference._svi_parameters import scripted
from bayeskit.inference.amortised import AmortisedConfig

N_COLUMNS, HIDDEN, LATENT, BATCH = 784, 400, 20, 256
N_BATCHES, ROUNDS = 20, 8
THREADS, RATE, SEED = 2, 1e-3, 1
CONFIG = AmortisedConfig(epochs=1000, batch_size=BATCH, learning_rate=RATE, schedule="constant")


class Networks(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(N_COLUMNS, HIDDEN), nn.Linear(HIDDEN, N_COLUMNS)
        self.location, self.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
        self.middle = nn.Linear(LATENT, HIDDEN)

    def encode(self, x):
        hidden = functional.relu(self.first(x))
        return self.location(hidden).float(), (0.5 * self.log_variance(hidden).float()).exp()

    def decode(self, z):
        return self.last(functional.relu(self.middle(z))).float()


class Program:
    """What our engine and Pyro's train."""

    def __init__(self, rows):
        torch.manual_seed(SEED)
        self.module = Networks().to(rows.device)
        self.train, self.held_out = (rows,), (rows[:0],)

    def prepare(self, batch):
        return batch

    def model(self, x):
        with pyro.plate("rows", len(x)):
            zeros = torch.zeros(len(x), LATENT, device=x.device)
            z = pyro.sample("z", dist.Normal(zeros, torch.ones_like(zeros)).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.module.decode(z)).to_event(1), obs=x)

    def guide(self, x):
        with pyro.plate("rows", len(x)):
            pyro.sample("z", dist.Normal(*self.module.encode(x)).to_event(1))


def batches(rows):
    """The batches that our engine takes, each with torch's generator where that puts it."""
    generator = torch.default_generator if rows.device.type == "cpu" else torch.cuda.default_generators[0]
    for epoch in range(ROUNDS + 1):
        rng = stream(SEED, _EPOCH, epoch)
        order = torch.from_numpy(rng.permutation(len(rows))).to(rows.device)
        for at, seed in enumerate(rng.integers(2**63, size=N_BATCHES).tolist()):
            batch = rows.index_select(0, order[at * BATCH : (at + 1) * BATCH])
            generator.manual_seed(seed)
            yield batch


def by_hand(rows, fused):
    """What one writes without any toolkit; on a GPU with bfloat16 in products of matrices, as ours."""
    program = Program(rows)
    networks, mixed = program.module, rows.device.type == "cuda"
    optimiser = torch.optim.Adam(networks.parameters(), RATE, fused=fused)
    for x in batches(rows):
        with torch.autocast("cuda", torch.bfloat16) if mixed else nullcontext():
            mean, sd = networks.encode(x)
            logits = networks.decode(mean + sd * torch.randn_like(mean))
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        loss = (reconstruction + 0.5 * (mean**2 + sd**2 - 1 - 2 * sd.log()).sum()) / BATCH
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield loss.detach()


def of_pyro(rows, elbo):
    """Pyro's stock engine; its loss has the divergence by the draw."""
    program = Program(rows)

    def model(x):
        pyro.module(type(elbo).__name__, program.module)
        with pyro.poutine.scale(scale=1 / BATCH):
            program.model(x)

    def guide(x):
        with pyro.poutine.scale(scale=1 / BATCH):
            program.guide(x)

    svi = SVI(model, guide, pyro.optim.Adam({"lr": RATE}), elbo)
    for x in batches(rows):
        yield torch.tensor(svi.step(x))


def ours(rows, compiled):
    """All of our engine's loop but for the held-out rows, which are judged once an epoch."""
    program, device = Program(rows), rows.device.type
    learned = Learned.of(program.module, device)
    writer, batch = Writer(program, learned, CONFIG, device), (rows[:BATCH],)
    graph = None if compiled else writer.gradients(batch)
    if compiled:
        step = compiled_step(writer, learned, batch)
    else:
        step = plain_step(graph if device == "cuda" else scripted(graph, writer.given(batch)), learned)
    losses = []

    def noted(batch, pace):
        losses.append(step(batch, pace))
        return losses[-1]

    loop = Loop(Course(CONFIG, N_BATCHES), learned, (rows,), BATCH, SEED)
    while True:
        for _ in loop._steps(noted):
            yield losses[-1][0]
        loop._finish(None)


CANDIDATES = {
    "plain PyTorch, Adam": lambda rows: by_hand(rows, False),
    "plain PyTorch, fused Adam": lambda rows: by_hand(rows, True),
    "Pyro SVI, Trace_ELBO": lambda rows: of_pyro(rows, Trace_ELBO()),
    "Pyro SVI, JitTrace_ELBO": lambda rows: of_pyro(rows, JitTrace_ELBO()),
    "bayeskit, not compiled": lambda rows: ours(rows, False),
    "bayeskit, compiled": lambda rows: ours(rows, True),
}
REFERENCE = "plain PyTorch, fused Adam"


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def rows(request):
    """Rows of 0 and 1 with something to learn in them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    rng = np.random.default_rng(SEED)
    logits = 2 * rng.normal(size=(N_BATCHES * BATCH, 10)) @ rng.normal(size=(10, N_COLUMNS)) - 2
    made = torch.from_numpy((rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32))
    with pyro.validation_enabled(False), pyro.get_param_store().scope(), torch.random.fork_rng():
        yield made.to(request.param)
    torch.set_num_threads(threads)


@pytest.mark.filterwarnings("ignore")  # of TorchScript, which Pyro's JIT stands on
def test_a_step(rows, tell):
    device = rows.device.type
    where = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} cores, {THREADS} threads"
    tell(f"{N_COLUMNS}-{HIDDEN}-{LATENT}, batch {BATCH}; torch {torch.__version__}, Pyro {pyro.__version__}, {where}")
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    running = {name: make(rows) for name, make in CANDIDATES.items() if device == "cpu" or "Pyro" not in name}
    seconds, losses = {name: [] for name in running}, {name: [] for name in running}
    for number in range(ROUNDS + 1):
        for name, steps in running.items():
            wait()
            began = time.perf_counter()
            found = [next(steps) for _ in range(N_BATCHES)]
            wait()
            losses[name] += [loss.item() for loss in found]
            if number:  # the first round has what is compiled and recorded
                seconds[name].append((time.perf_counter() - began) / N_BATCHES)
    assert_equal(losses, 1e-2 if device == "cuda" else 1e-4)
    reference = seconds[REFERENCE]
    for name, times in seconds.items():
        ratio = median(ours / theirs for ours, theirs in zip(times, reference, strict=True))
        tell(
            f"{name:28s} {1000 * median(times):6.2f} ms a step, {ratio:.2f} of fused Adam (median of {len(times)} "
            f"rounds, fastest {1000 * min(times):.2f} ms); loss {np.mean(losses[name][-N_BATCHES:]):.2f}"
        )
    tell(f"load {os.getloadavg()[0]:.1f}")


def assert_equal(losses, tolerance):
    """The divergence by the draw makes Pyro's losses differ, by nothing in the mean."""
    reference = np.array(losses[REFERENCE])
    for name, found in losses.items():
        if "Pyro" in name:
            differences = (np.array(found) - reference)[:N_BATCHES]  # later weights are others
            assert abs(differences.mean()) < 4 * differences.std(ddof=1) / np.sqrt(N_BATCHES) + 1e-3 * reference[0]
        else:
            np.testing.assert_allclose(found[:N_BATCHES], reference[:N_BATCHES], rtol=tolerance)
            assert np.mean(found[-N_BATCHES:]) == pytest.approx(np.mean(reference[-N_BATCHES:]), rel=1e-2)
