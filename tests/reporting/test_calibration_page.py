"""The page of a calibration: its verdict in words, its figures, and what it says of simulations that gave nothing."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from reporting.factories import make_fit

from bayeskit.diagnostics.calibration import Simulation, assess_calibration, rank_quantities
from bayeskit.reporting import render_calibration

LABELS = ("s_mu", "s_y", "mu[2012-01-01]", "log_lik")
HOSTILE = ("<script>alert(1)</script>", "\"quoted\" 'names'", "n" * 10_000, "\u202eright to left", "%{x} ${y}")
CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def origin():
    found = make_fit(n_days=30, n_draws=20, n_chains=2).provenance
    return replace(found, config={**found.config, "simulations": 100, "posterior": False})


def simulated(n, *, factors=None, labels=LABELS, **changes):
    """Exact posteriors of a normal mean, but for those whose standard deviation is off by a factor."""
    simulations = []
    for index in range(n):
        rng = np.random.default_rng([21, index])
        truth, draws = {}, {}
        for label in labels:
            truth[label] = rng.normal(3, 1)
            mean = 3 + 0.8 * (truth[label] + 0.5 * rng.standard_normal() - 3)
            draws[label] = rng.normal(mean, 0.2**0.5 * (factors or {}).get(label, 1), (2, 40))
        simulations.append(Simulation(index, 2.0, rank_quantities(truth, draws, rng, kind="iid"), **changes))
    return simulations


def lost(n, problem="the engine stopped"):
    return [Simulation(index, 0.5, {}, problem=problem) for index in range(n)]


def text_of(html, selector):
    found = re.search(selector, html, re.DOTALL)
    assert found, selector
    return unescape(re.sub("<[^>]+>", "", found[1])).replace("\N{NO-BREAK SPACE}", " ")


def sentence_of(html):
    return text_of(html, r'<p class="sentence">(.*?)</p>')


def panels(html):
    return len(re.findall(r'class="plot"', html))


@pytest.fixture(scope="module")
def good_html(origin):
    return render_calibration(origin, assess_calibration(simulated(100)))


def test_a_calibrated_model_is_trusted_as_far_as_the_simulations_tell(good_html):
    told = sentence_of(good_html)
    assert told.startswith("Calibrated as far as 100 simulations can tell")
    assert re.search(r"too narrow by a factor of 1\.\d\d would have been found with a probability of 80 %", told)
    assert '<div class="banner passed">' in good_html
    assert "What failed" not in good_html
    assert panels(good_html) == 4 + 4 + 2 + 3 + 3  # curves, histograms, coverage; recovery without the likelihood
    assert "100 data sets were simulated. Each time true values were drawn from the priors" in good_html


def test_without_the_likelihood_it_is_said_what_no_rank_can_tell(origin, good_html):
    told = "Whether the data are used at all"
    assert told not in good_html
    assert told in render_calibration(origin, assess_calibration(simulated(100, labels=("mu",))))


def test_a_wrong_one_is_named_first_with_a_remedy(origin):
    html = render_calibration(origin, assess_calibration(simulated(150, factors={"s_y": 0.5})))
    told = sentence_of(html)
    assert told.startswith("Do not trust this model and engine together: the posterior of s_y is too narrow")
    assert "the same noise" in told
    assert '<div class="banner failed">' in html
    assert html.index("What failed") < html.index('id="calibrated"')
    assert "Not what chance allows: the ranks of <code>s_y</code>" in html
    assert "The posterior of <code>s_y</code> is too narrow." in html


def test_posterior_calibration_says_where_the_truths_come_from(origin):
    posterior = replace(origin, config={**origin.config, "posterior": True})
    html = render_calibration(posterior, assess_calibration(simulated(2)))
    assert "drawn from the posterior given the data at hand" in html


@pytest.mark.parametrize(
    ("simulations", "state", "told", "why"),
    [
        ([], "unchecked", "Nothing was simulated", "no simulation gave a result"),
        (simulated(1), "unchecked", "Too few simulations to tell: 1 simulation can find no error", "--simulations"),
        (simulated(12), "unchecked", "Too few simulations to tell: 12 simulations find", "--simulations"),
        (lost(30), "failed", "Nothing can be told of this model", "30 simulations: 0, 1, 2, …"),
        (
            [*simulated(90), *(replace(one, index=90 + one.index) for one in lost(10))],
            "failed",
            "Do not trust this model and engine together: 10 % of the simulations gave no result",
            "the engine stopped",
        ),
        (
            simulated(60, max_r_hat=1.5),
            "failed",
            "in 100 % of the simulations the chains disagree",
            "run each simulation",
        ),
    ],
    ids=["none", "one", "few", "all failed", "some failed", "unmixed"],
)
def test_whatever_there_is_makes_a_page(origin, simulations, state, told, why):
    calibration = assess_calibration(simulations)
    html = render_calibration(origin, calibration)
    assert f'<div class="banner {state}">' in html
    assert told in sentence_of(html)
    assert why.lower() in text_of(html, r"<main>(.*)</main>").lower()
    assert (panels(html) > 0) is bool(calibration.quantities)
    assert "bayeskit fit weather" in html  # the command


def test_constant_quantities_and_one_draw_make_a_page(origin):
    rng = np.random.default_rng(22)
    still = [Simulation(index, 0.1, rank_quantities({"k": 1.0}, {"k": np.ones((1, 1))}, rng)) for index in range(60)]
    html = render_calibration(origin, assess_calibration(still))
    assert sentence_of(html).startswith("Calibrated as far as 60 simulations can tell")
    assert "Each time 1 draw was ranked with the true value." in html
    assert "fig-recovery" in html
    assert "fig-sensitivity" not in html  # the true values never vary, so that nothing can contract them
    assert "not a number" not in text_of(html, r"<main>(.*)</main>")


def test_many_quantities_are_drawn_in_part_and_said_so(origin):
    labels = tuple(f"theta[{i}]" for i in range(1, 31))
    html = render_calibration(origin, assess_calibration(simulated(40, labels=labels)))
    assert "The 12 of 30 quantities with the smallest p-values are drawn." in html
    assert all(f"<code>{label}</code></th>" in html for label in labels)


def test_hostile_names_do_no_harm(origin):
    simulations = [*simulated(40, labels=HOSTILE), *(replace(one, index=40) for one in lost(1, problem=HOSTILE[0]))]
    html = render_calibration(origin, assess_calibration(simulations))
    body = re.sub(r"<script>.*?</script>\s*</body>", "", html, flags=re.DOTALL)
    assert "<script>alert" not in body
    assert "&lt;script&gt;alert(1)" in body
    assert "%{x} ${y}" not in re.sub(r"<(p|code|li|td|div|bdi)[^>]*>[^<]*", "", body)


def test_the_same_calibration_gives_the_same_page(origin, good_html):
    assert render_calibration(origin, assess_calibration(simulated(100)[::-1])) == good_html


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; on Debian: apt-get install chromium")
@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_it_opens_quietly_and_fits(origin, tmp_path: Path, width, scheme):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = tmp_path / "report.html"
    labels = (*LABELS, *HOSTILE)
    path.write_text(render_calibration(origin, assess_calibration(simulated(60, labels=labels))), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        troubles = []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-figures=ready]", state="attached", timeout=60_000)
        assert troubles == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert page.locator(".plot .main-svg").count() >= page.locator(".plot").count() > 20
        browser.close()
