"""A report in Japanese has no English left but names, code and what engines said."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from reporting.factories import SEATTLE, make_fit
from reporting.program_factories import assessed, densities, program_fit, program_values
from reporting.test_calibration_page import simulated
from reporting.test_compare import program_run
from reporting.test_weighted_runs import weighted_fit

import bayeskit as bk
from bayeskit.core.errors import ConfigError
from bayeskit.datasets.weather import load_weather
from bayeskit.diagnostics.agreement import TargetResults, crosscheck
from bayeskit.diagnostics.calibration import assess_calibration
from bayeskit.models.weather import weather
from bayeskit.reporting import RunEntry, render, render_calibration, render_index
from bayeskit.reporting.compare import render_comparison
from bayeskit.reporting.crosscheck_page import render_crosscheck

ENGLISH = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[\s,;:]+[A-Za-z][A-Za-z'’-]*){2,}")
CITED = re.compile(r"[A-Z]\w+(, [A-Z]\w+)* and [A-Z]\w+(?= (19|20)\d\d)")
SILENT = {"code", "pre", "style"}
SAID = {"aria-label", "title", "alt", "placeholder", "label"}


class Texts(HTMLParser):
    """Everything that a reader sees or hears, piece by piece: texts, attributes, and the texts of figures."""

    def __init__(self, page):
        super().__init__()
        self.found, self.inside, self.json = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.found += [text for name, text in given.items() if text and (name in SAID or name.startswith("data-"))]
        if tag in SILENT or tag == "script":
            self.inside.append(tag)
            self.json = given.get("type") == "application/json"

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()
            self.json = False

    def handle_data(self, data):
        if self.json:
            self.found += list(strings(json.loads(data)))
        elif not self.inside:
            self.found.append(data)


def strings(value):
    """Return the texts at any depth; arrays of numbers are texts too, but not for readers."""
    if isinstance(value, str):
        yield re.sub(r"<[^>]*>|%\{[^}]*\}", "\n", value)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "bdata":
                yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def english(page):
    """Return the runs of three and more English words, but for the authors of what is cited."""
    return [match.group() for text in Texts(page).found for match in ENGLISH.finditer(CITED.sub("\n", text))]


def weather_run(model, *, healthy=True, rain=False, n_draws=120, **more):
    """Build a run with the texts that the models, the loader and the checks themselves write."""
    fit = make_fit(model=model, rain_noise=rain, n_days=90, n_draws=n_draws, healthy=healthy, **more)
    real = weather(load_weather(SEATTLE).head(90), model=model, rain="noise" if rain else "ignore")
    return assessed(replace(fit, provenance=replace(fit.provenance, card=real.card(), data=real.data.source)))


def replicated_run(**more):
    rng = np.random.default_rng(5)
    data = {"y": rng.normal(0, 1, 300), "seen": rng.integers(0, 2, 80).astype(float), "few": rng.normal(0, 9, 20)}
    copies = {name: rng.normal(0, 1, (4, 250, values.size)) for name, values in data.items()}
    copies["seen"] = rng.integers(0, 2, copies["seen"].shape).astype(float)
    return assessed(program_fit(observed=data, replicated=copies, **more))


def stuck_run():
    values = program_values("mcmc")
    values["alpha"] = np.linspace(0, 9, 4)[:, None] + values["alpha"]
    values["beta"][..., 0] = 1.0
    return assessed(program_fit(values=values, statistics={"diverging": np.ones((4, 250), dtype=bool)}))


RUNS = {
    "weather": lambda: weather_run("level", missing=slice(40, 47), boundary=True),
    "weather, trend and rain": lambda: weather_run("trend", rain=True),
    "weather, failed": lambda: weather_run("trend", healthy=False),
    "weather, one short chain": lambda: weather_run("level", n_chains=1, n_draws=15),
    "program, failed": stuck_run,
    "program, replicated": replicated_run,
    "approximation": lambda: assessed(program_fit("variational", statistics=densities())),
    "poor approximation": lambda: assessed(program_fit("variational", statistics=densities(0.3))),
    "unjudged approximation": lambda: assessed(program_fit("variational", attributes={"converged": 0})),
    "point": lambda: assessed(program_fit("point", attributes={"converged": 1})),
    "point, not reached": lambda: assessed(program_fit("point", attributes={"converged": 0})),
    "independent draws": lambda: assessed(program_fit("iid")),
    "weighted draws": lambda: assessed(weighted_fit()),
    "poor weights": lambda: assessed(weighted_fit(scale=0.3)),
}


@pytest.mark.parametrize("run", RUNS)
def test_a_japanese_report_has_no_english_sentence(run):
    page = render(*RUNS[run](), language="ja")
    assert '<html lang="ja">' in page
    assert english(page) == []


@pytest.mark.parametrize("factor", [1.0, 0.4])
def test_a_japanese_calibration_has_no_english_sentence(factor):
    origin = weather_run("level")[0].provenance
    origin = replace(origin, config={**origin.config, "simulations": 60, "posterior": False})
    calibration = assess_calibration(simulated(60, factors={"s_mu": factor}, labels=("s_mu", "s_y")))
    assert english(render_calibration(origin, calibration, language="ja")) == []


def test_a_japanese_comparison_has_no_english_sentence():
    runs = [program_run("a"), program_run("b", sd=2.5, seed=2), program_run("c", "point")]
    assert english(render_comparison(runs, command="bayeskit compare a b c", language="ja")) == []


def judged(fit):
    return fit, bk.assess(fit)


def test_a_japanese_crosscheck_has_no_english_sentence():
    models = [bk.target(name) for name in ("beta", "funnel")]
    engines = ("exact", "metropolis", "rejection", "importance", "smc")
    results = {}
    for model in models:
        expected = {engine: cell for engine, cell in model.expected.items() if engine in engines}
        fits = [engine for engine, cell in expected.items() if cell.outcome != "none"]
        made = {engine: judged(bk.fit(model, engine=engine, seed=1)) for engine in fits}
        results[model.name] = TargetResults(made, expected, title=model.card().title)
    page = render_crosscheck(crosscheck(results), command="bayeskit crosscheck beta funnel", language="ja")
    assert english(page) == []


@pytest.mark.parametrize("engine", ["metropolis", "rejection", "importance", "smc"])
@pytest.mark.parametrize("target", ["beta", "gaussian-2"])
def test_a_japanese_report_of_a_sampler_has_no_english_sentence(engine, target):
    page = render(*judged(bk.fit(bk.target(target), engine=engine, seed=1)), language="ja")
    assert english(page) == []


def test_an_english_report_would_not_pass(small_html):
    assert len(english(small_html)) > 100


def test_texts_of_attributes_and_figures_are_looked_at():
    page = '<p aria-label="one two three">ok</p><script type="application/json">{"a": ["four five six"]}</script>'
    assert english(page) == ["one two three", "four five six"]
    assert english("<pre>one two three</pre><code>one two three</code><p>事後分布 R-hat</p>") == []


def test_the_language_of_one_report_does_not_stay():
    run = RUNS["point"]()
    in_japanese = render(*run, language="ja")
    assert render(*run) == render(*run, language="en") != in_japanese


def test_numbers_are_the_same_in_both_languages(small, small_html):
    pages = (small_html, render(*small, language="ja"))
    numbers = [re.findall(r'<td data-label="[^"]*">([^<]*±[^<]*)</td>', page) for page in pages]
    assert numbers[0] == numbers[1] != []


@pytest.mark.parametrize("run", RUNS)
def test_what_was_told_in_english_is_read_in_japanese(run):
    fit, assessment = RUNS[run]()
    page = render_index([RunEntry.of(fit, assessment, href="a/report.html")], language="ja")
    assert '<html lang="ja">' in page
    assert english(page) == []


def test_an_unknown_language_is_refused(small):
    with pytest.raises(ConfigError, match="choose from en, ja"):
        render(*small, language="xx")
