"""The targets' twins in Stan and in Pyro have the density of those in plain Python, and Stan's NUTS does as it must."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bayeskit.core.paths import resource
from bayeskit.core.types import Fit, Provenance
from bayeskit.diagnostics.chains import in_order, mixing
from bayeskit.diagnostics.convergence import assess_convergence
from bayeskit.inference.stan import StanConfig, fit_stan
from bayeskit.models.targets import TARGETS
from bayeskit.posterior import to_datatree
from bayeskit.toolchain import compile_program, ensure_home

SEED = 20261120
Z_LIMIT = 5.33  # two-sided p of 1e-7, for each moment of each target
KNOWN = [name for name, target in TARGETS.items() if target.exact is not None]
WEATHER = [name for name, target in TARGETS.items() if target.exact is None]


@pytest.fixture(scope="session")
def executables(stan_home):
    """Every target's compiled program: seven programs of half a minute's work each, two at a time, once and for all."""
    programs = sorted({target.program for target in TARGETS.values()})

    def compiled(program):
        return compile_program(resource("stan", program), ensure_home(), (resource("stan"),))[0]

    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(programs, pool.map(compiled, programs), strict=True))


def random_points(name, n=40):
    """Draw points from the target, and as many from a wider distribution."""
    density = TARGETS[name].density()
    rng = np.random.default_rng(SEED)
    drawn = TARGETS[name].exact(rng, n)
    near = np.concatenate([drawn[variable].reshape(n, -1) for variable in density.shapes], axis=1)
    return np.concatenate([near, density.start(rng, n)])


def stan_log_densities(executable, target, points, folder, header=None):
    """Evaluate a Stan program's log density on the scale of its variables, by CmdStan's own method."""
    header = header or [label.replace("[", ".").replace("]", "") for label in target.density().labels]
    rows = [",".join(repr(float(number)) for number in point) for point in points]
    (folder / "points.csv").write_text("\n".join([",".join(header), *rows]) + "\n", encoding="utf-8")
    data = {name: np.asarray(value).tolist() for name, value in target.stan_data().items()}
    (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
    words = ["log_prob", "constrained_params=points.csv", "jacobian=0", "data", "file=data.json"]
    words += ["output", "file=out.csv", "sig_figs=18"]
    subprocess.run([executable, *words], cwd=folder, check=True, capture_output=True)
    lines = [line for line in (folder / "out.csv").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    place = lines[0].split(",").index("lp__")
    return np.array([float(line.split(",")[place]) for line in lines[1:]])


def pyro_log_densities(program, density, points):
    """Evaluate a Pyro program's log joint density on the scale of its variables, point by point."""
    import torch
    from pyro import poutine

    found = []
    for point in points:
        parts = np.split(point, np.cumsum([int(np.prod(shape)) for shape in density.shapes.values()])[:-1])
        values = {
            variable: torch.as_tensor(part.reshape(shape))
            for (variable, shape), part in zip(density.shapes.items(), parts, strict=True)
        }
        found.append(poutine.trace(poutine.condition(program, data=values)).get_trace().log_prob_sum().item())
    return np.array(found)


def spread(first, second):
    """Return by how much the differences between two log densities vary, in units of rounding."""
    return np.ptp(first - second) / (np.finfo(float).eps * np.abs(first).max())


ROUNDING = 1e4  # times the machine's precision of the largest log density: sums of at most some hundred terms


@pytest.mark.parametrize("name", KNOWN)
def test_stan_twin_has_the_same_density_but_for_a_constant(name, executables, tmp_path):
    target = TARGETS[name]
    points = random_points(name)
    density = target.density()
    found = stan_log_densities(executables[target.program], target, points, tmp_path)
    assert len(found) == len(points)
    assert spread(found, density(points)) < ROUNDING
    assert spread(found, density(1.0001 * points)) > ROUNDING  # negative control


@pytest.mark.parametrize("name", KNOWN)
def test_pyro_twin_has_the_same_density_constant_included(name):
    target = TARGETS[name]
    points = random_points(name, n=10)
    density = target.density()
    program, args, kwargs = target.pyro_program()
    assert args == ()
    assert kwargs == {}
    found = pyro_log_densities(program, density, points)
    np.testing.assert_allclose(found, density(points), rtol=1e-10, atol=1e-10)
    assert spread(found, density(1.0001 * points)) > ROUNDING  # negative control


@pytest.mark.parametrize("name", WEATHER)
def test_weather_twins_have_the_same_density_but_for_a_constant(name, executables, tmp_path):
    """On Stan's and Pyro's scale: free numbers whose absolute values are the scales, so that there is no Jacobian."""
    import torch
    from pyro import poutine

    target = TARGETS[name]
    density = target.density()
    points = density.start(np.random.default_rng(SEED), 20)
    found = stan_log_densities(executables[target.program], target, points, tmp_path, ["z.1", "z.2"])
    assert spread(found, density(points)) < ROUNDING
    assert spread(found, density(1.0001 * points)) > ROUNDING  # negative control
    program = target.pyro_program()[0]
    traces = [poutine.trace(poutine.condition(program, data={"z": torch.as_tensor(point)})) for point in points]
    found = np.array([trace.get_trace().log_prob_sum().item() for trace in traces])
    assert spread(found, density(points)) < ROUNDING
    assert spread(found, density(1.0001 * points)) > ROUNDING  # negative control


@pytest.mark.parametrize("name", KNOWN)
def test_pyro_twin_draws_in_double_precision(name):
    import torch
    from pyro import poutine

    target = TARGETS[name]
    torch.manual_seed(1)
    trace = poutine.trace(target.pyro_program()[0]).get_trace()
    for variable, shape in target.density().shapes.items():
        value = trace.nodes[variable]["value"]
        assert value.dtype == torch.float64
        assert tuple(value.shape) == shape


def stan_fit(target, seed):
    draws = fit_stan(target, StanConfig(**target.settings["stan"]), seed=seed)
    described = Provenance(
        model=target.name, engine="stan", kind=draws.kind, config={}, seed=seed, data=target.source,
        card=target.card(draws), versions={}, hardware={}, timings={}, command="", script="", started="",
    )  # fmt: skip
    return draws, Fit(to_datatree(draws, target, seed=seed), described)


def moments_off(target, draws):
    """Return by how many Monte Carlo standard errors each of the exact moments is missed."""
    chains = next(iter(draws.values.values())).shape[:2]
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in draws.values.items()}
    off = {}
    for label, moment in target.moments.items():
        numbers = moment.of(flat).reshape(1, *chains)
        size = float(mixing(numbers, in_order(numbers))["ess_mean"][0])
        off[label] = (numbers.mean() - moment.value) / (numbers.std() / np.sqrt(size))
    return off


def check_stan_cell(name, seed):
    target = TARGETS[name]
    draws, fit = stan_fit(target, seed)
    assessment = assess_convergence(fit)
    failed = {verdict.name for verdict in assessment.verdicts if not verdict.passed}
    if target.expected["stan"].outcome == "flag":
        assert "r_hat" in failed
        return assessment
    assert not failed
    for label, off in moments_off(target, draws).items():
        assert abs(off) < Z_LIMIT, label
    return assessment


@pytest.mark.parametrize("name", KNOWN)
def test_stan_comes_out_as_the_table_says(name, executables):
    assessment = check_stan_cell(name, seed=1)  # the weather models' cells take ten times as long: among the slow ones
    if name == "mixture":
        assert assessment.metrics["max_r_hat"] > 1.4
    if name == "funnel":
        assert "e_bfmi" in {verdict.name for verdict in assessment.verdicts if not verdict.passed}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4, 5])
@pytest.mark.parametrize("name", KNOWN + WEATHER)
def test_stan_comes_out_as_the_table_says_for_other_seeds(name, seed, executables):
    check_stan_cell(name, seed)


def test_draws_of_another_distribution_are_not_taken_for_the_target(executables):
    """Negative control of the moments above: they see a mean that is off by a tenth of a standard deviation."""
    target = TARGETS["linear-regression"]
    draws, _ = stan_fit(target, 1)
    sigma2 = draws.values["sigma2"]
    draws.values["sigma2"][...] = sigma2 + 0.1 * sigma2.std()
    assert abs(moments_off(target, draws)["mean of sigma2"]) > Z_LIMIT
