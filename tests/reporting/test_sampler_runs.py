"""Reports of the samplers' runs: each engine's own figures, facts, checks and words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayeskit as bk
from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting.figures_samplers import running_mean_figure
from bayeskit.reporting.results import labelled
from bayeskit.reporting.sections import build

CONFIGS = {
    "metropolis": bk.MetropolisConfig(warmup=300, draws=200),
    "rejection": bk.RejectionConfig(draws=3000),
    "importance": bk.ImportanceConfig(draws=3000),
    "smc": bk.SMCConfig(particles=1000),
    "exact": None,
}
FIGURES = {
    "metropolis": {"running-means", "acceptance", "traces", "autocorrelation"},
    "rejection": {"envelope", "running-means"},
    "importance": {"weights"},
    "smc": {"tempering"},
    "exact": {"running-means"},
}
SENTENCES = {
    "metropolis": "Trust it: 64 chains agree",
    "rejection": "independent and of the density itself, below an envelope that held",
    "importance": "Trust it: the weights can be relied on",
    "smc": "particles come from",
    "exact": "Enough draws",
}


@pytest.fixture(scope="module", params=CONFIGS)
def run(request) -> tuple[str, Fit, Assessment]:
    fit = bk.fit(bk.target("beta"), engine=request.param, config=CONFIGS[request.param], seed=3)
    return request.param, fit, bk.assess(fit)


def test_each_engine_shows_its_own_figures(run):
    engine, fit, assessment = run
    drawn = {figure.name for figure in build(fit, assessment).diagnostics}
    own = {"envelope", "tempering", "acceptance", "weights", "running-means"}
    assert drawn >= FIGURES[engine]
    assert drawn & own <= FIGURES[engine]


def test_the_verdict_is_the_engine_s_own(run):
    engine, fit, assessment = run
    banner = build(fit, assessment).banner
    assert assessment.passed
    assert SENTENCES[engine] in banner.sentence
    told = " ".join([*banner.unchecked, banner.next_step])
    if engine != "exact":
        assert "y_rep" not in told
        assert "calibrate" not in told


def test_the_evidence_is_told_with_its_error(run):
    engine, fit, assessment = run
    facts = dict(build(fit, assessment).found_out)
    if engine in ("importance", "smc"):
        attributes = fit.posterior["sample_stats"].attrs
        assert abs(attributes["log_evidence"]) < 5 * attributes["log_evidence_error"]
        assert any("log evidence" in name for name in facts)
    if engine == "rejection":
        assert facts["expected acceptance, 1/M"].startswith("41")
        assert float(facts["M"]) == pytest.approx(2.4576, abs=1e-3)
    assert len(set(facts)) == len(facts)


def test_an_envelope_that_nobody_has_proven_is_not_passed():
    plateau = bk.density(lambda p: -np.abs(np.vectorize(float)(p[:, 0])), lower=-1.0, upper=1.0)
    fit = bk.fit(plateau, config=bk.RejectionConfig(draws=500), seed=1)
    assessment = bk.assess(fit)
    envelope = next(verdict for verdict in assessment.verdicts if verdict.name == "envelope")
    assert envelope.passed is None
    assert not assessment.passed
    assert "--bound" in envelope.remedy


def test_running_means_leave_their_band_where_draws_depend_on_each_other():
    """The band is that of independent draws: an honest figure shows a slow chain outside."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((4, 2000))
    slow = np.zeros_like(noise)
    for step in range(1, noise.shape[1]):
        slow[:, step] = 0.99 * slow[:, step - 1] + noise[:, step]

    def outside(draws):
        fit = bk.fit(bk.target("beta"), engine="exact", seed=1)
        scalar = labelled(fit, bk.assess(fit), ["theta"])[0]
        figure = running_mean_figure([replace(scalar, draws=draws)], 4)
        low, high, *curves = figure.panels[0].data
        late = slice(len(low["y"]) // 2, -20)
        return np.mean([(c["y"][late] < low["y"][late]) | (c["y"][late] > high["y"][late]) for c in curves])

    assert outside(noise) < 0.3
    assert outside(slow) > 0.6


def test_of_many_chains_some_are_drawn():
    fit = bk.fit(bk.target("beta"), config=CONFIGS["metropolis"], seed=1)
    assessment = bk.assess(fit)
    traces = next(figure for figure in build(fit, assessment).diagnostics if figure.name == "traces")
    assert len(traces.panels[0].data) == 8
    assert "Drawn: 8 of 64 chains." in traces.note
