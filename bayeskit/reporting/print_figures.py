"""The report's figures for print, by matplotlib: made from what the report itself draws, so that the two agree.

Widths are those of a journal's one or two columns, 3.5 and 7.2 inches; PNG has 300 dots an inch.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bayeskit.core.language import say, speaking
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import listing
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.print_panel import draw_panel, is_dated, texts_of
from bayeskit.reporting.print_style import colour, font_families, plain, style
from bayeskit.reporting.translated import translated

Format = Literal["svg", "png"]

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.2  # inches
DOTS = 300  # an inch
A_ROW = 3  # panels
MIN_WIDE, CELL = 2, 1.3  # columns of a matrix that find room in one column, and inches of a row of one that does not
TALLEST, BESIDE = 7.5, 0.55  # inches: of pictures at most, and of what stands beside them
TALL, SQUARE = 400, 2.9  # pixels from which one or two panels are as high as they are wide, and their inches
TITLE_SIZE = 8.5  # points
LETTER = 0.53  # of the size, that a letter is wide on average
WIDE_LETTER = 1.05  # the same of Japanese
INCH = 72  # points
METADATA: Mapping[Format, dict[str, None]] = {"svg": {"Date": None}, "png": {"Software": None}}  # bytes would differ


def figures_in(sections: Any) -> Iterator[Figure]:
    """Yield every figure of a report's sections, wherever it stands, in their order."""
    if isinstance(sections, Figure):
        yield sections
    elif is_dataclass(sections) and not isinstance(sections, type):
        for field in fields(sections):
            yield from figures_in(getattr(sections, field.name))
    elif isinstance(sections, Mapping):
        for value in sections.values():
            yield from figures_in(value)
    elif isinstance(sections, list | tuple):
        for value in sections:
            yield from figures_in(value)


def print_figures(
    fit: Fit, assessment: Assessment, folder: Path, kind: Format, *, language: str = "en", warn: Callable[[str], None]
) -> list[Path]:
    """Write each figure of a fit's report to a file of its name.

    Parameters
    ----------
    fit, assessment
        As the report takes them.
    folder
        That exists.
    kind
        ``svg`` or ``png``.
    language
        One of ``core.language.languages``.
    warn
        Hears, in one line, of characters that no installed font has.

    Returns
    -------
    list of pathlib.Path
        The files, in the report's order; the same fit, fonts and versions give the same bytes.

    Raises
    ------
    TypeError
        If a figure holds something that has no printed form.
    """
    from bayeskit.reporting.sections import build

    with speaking(language):
        made = list(figures_in(build(*translated(fit, assessment))))
    return save_figures(made, folder, kind, warn=warn)


def save_figures(made: list[Figure], folder: Path, kind: Format, *, warn: Callable[[str], None]) -> list[Path]:
    """Write figures to a folder, each to ``NAME.svg`` or ``NAME.png``, but for those that have no printed form."""
    import matplotlib as mpl

    made = _for_print(made, warn)
    texts = [text for figure in made for text in _texts(figure)]
    paths = []
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the reader's own settings are
        mpl.rcParams.update(style(font_families(texts, warn)))
        for figure in made:
            path = folder / f"{figure.name}.{kind}"
            with warnings.catch_warnings():  # of missing characters, which font_families told of
                warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
                warnings.filterwarnings("ignore", r"Matplotlib currently does not support", UserWarning)
                draw_figure(figure).savefig(path, format=kind, dpi=DOTS, metadata=METADATA[kind])
            paths.append(path)
    return paths


def _for_print(made: list[Figure], warn: Callable[[str], None]) -> list[Figure]:
    """Return the figures with what stands in for panels that move; what stands for none is told."""
    kept = [figure if figure.printed is None else replace(figure, panels=figure.printed) for figure in made]
    lost = [figure.name for figure in kept if not figure.panels]
    if lost:
        names = listing(lost)
        warn(
            say(
                "figures: not drawn for print, as they are to be turned by hand: {names}; the report has them",
                names=names,
            )
        )
    return [figure for figure in kept if figure.panels]


def draw_figure(figure: Figure) -> Any:
    """Return a ``matplotlib.figure.Figure`` with the title, the key and all panels; it belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    n_panels = len(figure.panels)
    series = any(panel.behaviour.get("series") or is_dated(panel) for panel in figure.panels)
    columns = min(n_panels, A_ROW)
    rows = math.ceil(n_panels / columns)
    matrix = max(int(panel.behaviour.get("matrix", 0)) for panel in figure.panels)
    width = TWO_COLUMNS if n_panels > 1 or series or matrix > MIN_WIDE else ONE_COLUMN
    title = _wrapped(figure.title, width)
    title_height = (title.count("\n") + 1) * 1.3 * TITLE_SIZE / INCH
    key_rows = _key_rows(figure, width)
    key_height = len(key_rows) * 0.15 + (0.05 if key_rows else 0)
    panel_height = _panel_height(figure, n_panels, series=series) if matrix <= MIN_WIDE else CELL * matrix
    if pictures := [float(panel.behaviour["ratio"]) for panel in figure.panels if "ratio" in panel.behaviour]:
        panel_height = min(TALLEST, max(pictures) * (width / columns - BESIDE) + BESIDE)
    top = 0.06 + title_height + key_height
    height = top + rows * panel_height + 0.04
    canvas = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(canvas)
    engine: Any = canvas.get_layout_engine()
    engine.set(rect=(0, 0, 1, 1 - top / height))
    canvas.text(0.06 / width, 1 - 0.05 / height, title, ha="left", va="top", fontsize=TITLE_SIZE, fontweight="bold")
    _draw_key(canvas, key_rows, width, height, 0.05 + title_height)
    grid = canvas.add_gridspec(rows, columns)
    for place, panel in enumerate(figure.panels):
        axes = draw_panel(
            canvas, grid[place // columns, place % columns], panel, whole=bool(panel.behaviour.get("series"))
        )
        if panel.label:
            label = _wrapped(panel.label, width / columns - 0.3, size=7)
            axes.set_title(label, loc="left", fontsize=7, fontweight="bold", pad=3)
    return canvas


def _texts(figure: Figure) -> list[str]:
    found = [plain(figure.title), *(plain(meaning) for _, meaning in figure.key)]
    return found + [text for panel in figure.panels for text in texts_of(panel)]


def _panel_height(figure: Figure, n_panels: int, *, series: bool) -> float:
    tallest = max(panel.height for panel in figure.panels)
    square = any(panel.behaviour.get("square") for panel in figure.panels)
    if n_panels <= MIN_WIDE and (square or n_panels == MIN_WIDE) and tallest >= TALL:
        return SQUARE
    if n_panels > 1:
        return 1.15 + 0.55 * min(1.0, (tallest - 180) / 80) if tallest > 180 else max(0.9, tallest / 160)
    if series:
        return min(3.0, max(1.9, tallest / 150))
    return min(2.5, max(1.9, tallest / 130))


def _width(text: str, size: float) -> float:
    """Return about how wide a text is, in inches."""
    return sum(WIDE_LETTER if ord(letter) > 0x2E80 else LETTER for letter in text) * size / INCH


def _wrapped(text: str, width: float, size: float = TITLE_SIZE) -> str:
    """Return a text in lines that fit; one word that does not is broken."""
    lines = [""]
    for word in plain(text).replace("\n", " ").split(" "):
        rest = word
        while rest:
            take = rest
            while _width(take, size * 1.08) > width - 0.15 and len(take) > 1:
                take = take[: max(1, int(len(take) * 0.9))]
            rest = rest[len(take) :]
            joined = f"{lines[-1]} {take}".strip()
            if _width(joined, size * 1.08) <= width - 0.15 or not lines[-1]:
                lines[-1] = joined
            else:
                lines.append(take)
    if len(lines) > 4:
        lines = [*lines[:3], f"{lines[3]} …"]
    return "\n".join(lines)


def _key_rows(figure: Figure, width: float) -> list[list[tuple[str, str, float]]]:
    """Return the key's colours and meanings, each with its place in inches from the left, in rows that fit."""
    rows: list[list[tuple[str, str, float]]] = []
    place = width
    for name, meaning in figure.key:
        text = _wrapped(meaning, width - 0.4, 6.5).partition("\n")[0]
        needed = _width(text, 6.5) + 0.34
        if place + needed > width:
            rows.append([])
            place = 0.06
        rows[-1].append((name, text, place))
        place += needed
    return rows


def _draw_key(canvas: Any, rows: list[list[tuple[str, str, float]]], width: float, height: float, top: float) -> None:
    from matplotlib.patches import Rectangle

    for number, row in enumerate(rows):
        middle = height - top - 0.15 * number - 0.1
        for name, text, place in row:
            patch = Rectangle((place / width, (middle - 0.035) / height), 0.1 / width, 0.07 / height, linewidth=0)
            patch.set(facecolor=colour(f"var(--{name})"), transform=canvas.transFigure)
            canvas.add_artist(patch)
            muted = colour("var(--muted)")
            canvas.text((place + 0.14) / width, middle / height, text, va="center_baseline", fontsize=6.5, color=muted)
