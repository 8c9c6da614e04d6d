"""The figures for print: all of them, with their texts, the same bytes every time, in any script."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from reporting.factories import make_assessment, make_fit
from reporting.program_factories import assessed, densities, program_fit, program_values

from bayeskit import runs
from bayeskit.core.errors import ConfigError
from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting import figures as f
from bayeskit.reporting import print_style
from bayeskit.reporting.print_figures import DOTS, ONE_COLUMN, TWO_COLUMNS, draw_figure, figures_in, save_figures
from bayeskit.reporting.print_panel import texts_of
from bayeskit.reporting.print_style import colour, font_families, palette, plain
from bayeskit.reporting.sections import build
from bayeskit.workflows.printing import write_figures

SVG = "{http://www.w3.org/2000/svg}"
JAPANESE = "気温の平均"


def silent(text: str) -> None:
    raise AssertionError(text)


def program() -> tuple[Fit, Assessment]:
    """Continuous data, counts, ones and zeros, a few observations, and a matrix."""
    rng = np.random.default_rng(1)
    seen = {
        "y": rng.normal(size=100),
        "n": rng.poisson(3, 200),
        "b": rng.binomial(1, 0.3, 90),
        "few": rng.normal(size=8),
    }
    drawn = {
        "y": rng.normal(size=(4, 250, 100)),
        "n": rng.poisson(3, (4, 250, 200)),
        "b": rng.binomial(1, 0.3, (4, 250, 90)),
        "few": rng.normal(size=(4, 250, 8)),
    }
    values = program_values("mcmc") | {"long": rng.normal(size=(4, 250, 90)), "one": rng.normal(size=(4, 250, 5))}
    return assessed(program_fit(values=values, observed=seen, replicated=drawn))


def weather() -> tuple[Fit, Assessment]:
    fit = make_fit(n_days=90, n_draws=60, model="trend", rain_noise=True, missing=slice(40, 47))
    return fit, make_assessment(fit)


def approximation() -> tuple[Fit, Assessment]:
    return assessed(program_fit("variational", statistics=densities()))


REPORTS = {"weather": weather, "program": program, "approximation": approximation}


def words_of(svg: Path) -> str:
    """All texts of an SVG file, without spaces, as lines may be broken anywhere."""
    return squeezed("".join("".join(text.itertext()) for text in ET.parse(svg).iter(f"{SVG}text")))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text.replace(r"\$", "$"))


@pytest.mark.parametrize("name", REPORTS)
def test_every_figure_of_a_report_is_there_with_its_texts(name: str, tmp_path: Path) -> None:
    made = list(figures_in(build(*REPORTS[name]())))
    assert len(made) > 1
    assert len({figure.name for figure in made}) == len(made)
    paths = save_figures(made, tmp_path, "svg", warn=silent)
    assert [path.name for path in paths] == [f"{figure.name}.svg" for figure in made]
    for figure, path in zip(made, paths, strict=True):
        words = words_of(path)
        assert squeezed(plain(figure.title)) in words
        for _, meaning in figure.key:
            assert squeezed(plain(meaning)) in words
        for panel in figure.panels:
            assert all(squeezed(text) in words for text in texts_of(panel))


def panel(*traces: dict[str, object], x: str = "x", y: str = "y", label: str = "", **changes: object) -> f.Panel:
    return f.Panel(traces, f.layout(x, y, **changes), "alt", label)


def figure(*panels: f.Panel, title: str = "A title", key: tuple[tuple[str, str], ...] = ()) -> f.Figure:
    return f.Figure("made", title, "caption", panels, key)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    made = figure(panel(f.line([0, 1], [1, 3], f.FIT)), panel(*f.band([0, 1], [1, 2], [2, 3], f.BAND_95)))
    pair = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        with mpl.rc_context({"font.size": 30 if place == "one" else 5}):  # the reader's own settings do not matter
            pair.append(save_figures([made], tmp_path / place, kind, warn=silent)[0].read_bytes())
            assert mpl.rcParams["font.size"] in (30, 5)
    assert pair[0] == pair[1]


@pytest.mark.parametrize(("n_panels", "width"), [(1, ONE_COLUMN), (2, TWO_COLUMNS), (7, TWO_COLUMNS)])
def test_widths_are_those_of_a_journal(tmp_path: Path, n_panels: int, width: float) -> None:
    made = figure(*[panel(f.line([0, 1], [1, 3], f.FIT)) for _ in range(n_panels)])
    (path,) = save_figures([made], tmp_path, "png", warn=silent)
    header = path.read_bytes()[16:24]
    assert int.from_bytes(header[:4], "big") == round(width * DOTS)
    assert int.from_bytes(header[4:], "big") < 9 * DOTS


def test_colours_are_those_of_the_style_sheet() -> None:
    assert palette()["fit"] == "#0072b2"
    assert colour(f.FIT) == pytest.approx((0, 0x72 / 255, 0xB2 / 255, 1))
    assert colour(f.BAND_95)[3] == pytest.approx(0.16)
    with pytest.raises(KeyError):
        colour("var(--no-such-colour)")
    axes = draw_figure(figure(panel(f.line([0, 1], [1, 3], f.FIT)))).axes[0]
    assert axes.lines[0].get_color() == colour(f.FIT)


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "pie", "x": [1], "y": [1]},
        {"type": "scatter3d", "x": [1], "y": [1]},
        {"type": "bar", "x": [1], "y": [1], "base": [1]},
        {"type": "scatter", "mode": "text", "x": [1], "y": [1]},
        {"type": "scatter", "mode": "lines", "fill": "toself", "x": [1], "y": [1]},
        {"type": "scatter", "mode": "lines", "x": ["2020-01-01"], "y": [1]},
        {"type": "heatmap", "z": [[1]], "colorscale": []},
    ],
)
def test_what_has_no_printed_form_is_not_left_out_in_silence(broken: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"printed form|not of type 'date'"):
        draw_figure(figure(panel(broken)))
    with pytest.raises(TypeError, match="printed form"):
        draw_figure(figure(panel(shapes=[{"type": "circle", "x0": 0, "x1": 1, "y0": 0, "y1": 1}])))
    with pytest.raises(TypeError, match="printed form"):
        draw_figure(figure(panel(annotations=[{"text": "a", "x": 0, "y": 0, "showarrow": True}])))


def test_awkward_data_are_drawn(tmp_path: Path) -> None:
    days = ["2020-01-01", "2020-01-02", "2020-01-03"]
    marker = {"color": f.OBSERVED, "size": 4}
    dots = {"type": "scatter", "mode": "markers", "marker": marker}
    bars = {"type": "bar", "marker": {"color": f.FIT}}
    scale = [[0, "var(--paper)"], [1, f.OBSERVED]]
    panels = [
        panel({**dots, "x": [], "y": []}),
        panel(f.line([0, 1, 2], [1.0, np.nan, 2.0], f.FIT), f.line([0, 1], [np.nan, np.nan], f.FIT)),
        panel(f.line([1, 2], [3.0, 3.0], f.FIT, 2, line={"shape": "vh"})),
        panel(f.line(days, [1.0, None, 2.0], f.FIT), xaxis={"type": "date", "range": [days[0], days[2]]}),
        panel({**bars, "x": days, "y": [1, 2, 3]}, xaxis={"type": "date"}),
        panel(f.line([1, 10, 100], [1.0, 10.0, 100.0], f.FIT), xaxis={"type": "log"}, yaxis={"type": "log"}),
        panel({**bars, "x": [2], "y": [1e-9]}, {**bars, "x": [2], "y": [3e9]}),
        panel({**dots, "x": [1e300, -1e300], "y": [1e-300, 0.0]}, label="l" * 300),
        panel({**bars, "y": [1, 2], "x": [5, 6], "orientation": "h", "xaxis": "x2"}, xaxis2=f.axis(domain=[0.8, 1])),
        panel({"type": "heatmap", "z": [[1, np.nan], [2, 3]], "colorscale": scale, "showscale": False}),
        panel(),
    ]
    hostile = "<b>%{x}</b> $a_b$ \\ & " + "w" * 10_000
    made = figure(*panels, title=f.plot_text(hostile), key=(("fit", hostile), ("observed", "$x$")))
    (path,) = save_figures([made], tmp_path, "svg", warn=silent)
    words = words_of(path)
    assert squeezed("<b>%{x}</b> $a_b$ \\ &") in words
    assert "$x$" in words


def test_bars_points_and_bands_stand_where_the_data_are() -> None:
    """What is drawn is what the report's panel holds."""
    traces = [
        {"type": "bar", "x": [1, 2, 4], "y": [3, 5, 7], "marker": {"color": f.FIT}},
        *f.band([1.0, 2.0], [0.0, 1.0], [2.0, 4.0], f.BAND_68),
        {"type": "scatter", "mode": "markers", "x": [1.5], "y": [2.5], "marker": {"color": f.FAIL}},
    ]
    shapes = [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 6, "y1": 6, "line": {"color": f.MUTED}}]
    ticks = {"tickvals": [1, 2], "ticktext": ["one", "two"]}
    axes = draw_figure(figure(panel(*traces, xaxis={"range": [0, 5], **ticks}, shapes=shapes, bargap=0.5))).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [3, 5, 7]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.5] * 3)
    assert [bar.get_x() + bar.get_width() / 2 for bar in axes.patches] == pytest.approx([1, 2, 4])
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(1.0, 0.0), (2.0, 1.0), (1.0, 2.0), (2.0, 4.0)} <= {tuple(corner) for corner in corners}
    assert [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"] == [[1.5]]
    assert axes.get_xlim() == (0, 5)
    assert list(axes.lines[-1].get_ydata()) == [6, 6]
    axes.figure.canvas.draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "two"]


@pytest.fixture
def japanese() -> f.Figure:
    return figure(
        panel(f.line([0, 1], [1, 3], f.FIT), x=f"{JAPANESE} (°C)", label=JAPANESE), title=f"{JAPANESE}は上がる"
    )


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_japanese_without_a_font_gives_one_clear_line(
    japanese: f.Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(print_style, "cjk_family", lambda: None)
    told: list[str] = []
    (path,) = save_figures([japanese, japanese], tmp_path, kind, warn=told.append)[:1]
    assert len(told) == 1
    assert "fonts-noto-cjk" in told[0]
    assert path.stat().st_size > 0


def test_japanese_with_a_font_is_silent(japanese: f.Figure, tmp_path: Path) -> None:
    family = print_style.cjk_family()
    if family is None:
        pytest.skip("no font with Japanese here; on Debian: apt-get install fonts-noto-cjk")
    (path,) = save_figures([japanese], tmp_path, "svg", warn=silent)
    assert JAPANESE in words_of(path)
    assert family in path.read_text("utf-8")
    save_figures([japanese], tmp_path, "png", warn=silent)


def test_characters_that_no_font_has_are_named() -> None:
    told: list[str] = []
    font_families(["fine", "𒀀"], told.append)
    assert told == ["figures: the fonts here have no 𒀀; they are drawn as boxes"]
    assert font_families(["Grüße, β ± °C − …\u00a0x"], silent) == [print_style.BASE]


def test_a_run_keeps_its_figures_in_a_folder_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, assessment = approximation()
    run = tmp_path / "run"
    run.mkdir()
    place = write_figures(fit, assessment, run, "svg", language="en", warn=silent)
    assert place == run / "figures"
    names = {path.name for path in place.iterdir()}
    assert "weights.svg" in names
    assert {path.name for path in run.iterdir()} == {"figures"}  # nothing is left beside it
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    monkeypatch.setattr("bayeskit.reporting.print_figures.draw_figure", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_figures(fit, assessment, run, "svg", language="en", warn=silent)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_a_run_with_figures_can_be_replaced_but_not_somebody_elses_files(tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "states.svg").touch()
    with runs.new_folder(out, overwrite=True):
        pass
    assert not (out / "figures").exists()
    (out / "figures").mkdir()
    (out / "figures" / "mine.tex").touch()
    with pytest.raises(ConfigError, match=r"holds figures/mine\.tex"), runs.new_folder(out, overwrite=True):
        pass
    assert (out / "figures" / "mine.tex").exists()
