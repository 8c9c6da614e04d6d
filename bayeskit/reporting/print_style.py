"""What a printed figure looks like: the report's colours by their names, and fonts that hold its characters."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from bayeskit.core.language import say
from bayeskit.core.words import listing

POINTS = 0.62  # of a printed figure for a pixel of the report's
BASE = "DejaVu Sans"  # comes with matplotlib, so that figures are the same everywhere

# Families that hold Japanese, those of free systems first, and how their files are called.
CJK_FAMILIES = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Source Han Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "VL PGothic",
    "TakaoPGothic",
    "Hiragino Sans",
    "Hiragino Kaku Gothic ProN",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
)
_CJK_FILES = re.compile(
    r"NotoSans(CJK|JP)|SourceHanSans|ipa(ex)?g|VL-PGothic|TakaoPGothic|Hiragino|YuGoth|meiryo|msgothic", re.IGNORECASE
)
_CJK = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]")
_VARIABLE = re.compile(r"--([\w-]+):\s*([^;]+);")
_NAMED = re.compile(r"var\(--([\w-]+)\)")
_FADED = re.compile(r"(var\(--[\w-]+\)) / ([\d.]+)")
_RGBA = re.compile(r"rgba?\(([^)]*)\)")
_TAG = re.compile(r"</?(?:b|i|sup|sub|span)\b[^>]*>")
_TOLD = 5

Colour = tuple[float, float, float, float]


@cache
def palette() -> Mapping[str, str]:
    """Return the style sheet's colours on white paper, by name."""
    sheet = files("bayeskit.reporting").joinpath("templates", "report.css").read_text(encoding="utf-8")
    root = sheet[sheet.index(":root") :]
    return dict(_VARIABLE.findall(root[: root.index("}")]))


def colour(value: str) -> Colour:
    """Return a colour that a figure names, as red, green, blue and opacity from 0 to 1.

    Raises
    ------
    KeyError
        If the style sheet has no colour of the name.

    Examples
    --------
    >>> colour("rgba(0,0,0,0)"), colour("#ff0000")
    ((0.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 1.0))
    """
    from matplotlib.colors import to_rgba

    named = _NAMED.fullmatch(value)
    if named:
        return colour(palette()[named[1]].strip())
    through = _FADED.fullmatch(value)
    if through:
        return (*colour(through[1])[:3], float(through[2]))
    parts = _RGBA.fullmatch(value)
    if parts is None:
        return to_rgba(value)
    red, green, blue, *opacity = (float(part) for part in parts[1].split(","))
    return red / 255, green / 255, blue / 255, opacity[0] if opacity else 1.0


def plain(text: Any) -> str:
    r"""Return a text of a figure without Plotly's markup, and such that matplotlib takes it literally.

    Examples
    --------
    >>> plain("a &lt;b&gt; &#37;<br>$")
    'a <b> %\n\\$'
    """
    lines = _TAG.sub("", str(text)).replace("<br>", "\n")
    return html.unescape(lines).replace("$", r"\$")


def style(families: Iterable[str]) -> dict[str, Any]:
    """Return matplotlib's settings.

    Text stays text in SVG, as journals ask for and as readers search, edit and translate it; the base font is wider
    than those that a reader without it falls back to, so that nothing overflows. PNG shows the same everywhere.
    """
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "bayeskit",
        "font.family": [*families, "sans-serif"],
        "font.size": 7.5,
        "axes.linewidth": 0.5,
        "axes.unicode_minus": True,
        "axes.edgecolor": colour("var(--rule)"),
        "axes.labelcolor": colour("var(--ink)"),
        "axes.labelsize": 7.5,
        "axes.labelpad": 3,
        "axes.formatter.useoffset": False,
        "axes.formatter.limits": (-4, 5),
        "axes.axisbelow": True,
        "text.color": colour("var(--ink)"),
        "xtick.color": colour("var(--rule)"),
        "ytick.color": colour("var(--rule)"),
        "xtick.labelcolor": colour("var(--muted)"),
        "ytick.labelcolor": colour("var(--muted)"),
        "xtick.labelsize": 6.5,
        "ytick.labelsize": 6.5,
        "xtick.major.size": 2.2,
        "ytick.major.size": 2.2,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "lines.solid_capstyle": "butt",
        "path.simplify": True,
        "figure.constrained_layout.h_pad": 0.06,
        "figure.constrained_layout.w_pad": 0.05,
    }


def font_families(texts: Iterable[str], warn: Callable[[str], None]) -> list[str]:
    """Return font families for these texts; what none of them can show is told once, in one line."""
    characters = {character for text in texts for character in text if character.isprintable()}
    families = [BASE]
    missing = characters - _covered(BASE)
    if any(_CJK.match(character) for character in missing):
        found = cjk_family()
        if found is not None:
            families.append(found)
            missing -= _covered(found)
    if any(_CJK.match(character) for character in missing):
        warn(
            say(
                "figures: no font for Japanese is installed, so that its characters are drawn as boxes; install one "
                "(on Debian: apt-get install fonts-noto-cjk) and make the figures again"
            )
        )
    elif missing:
        shown = listing(sorted(missing)[:_TOLD])
        warn(say("figures: the fonts here have no {characters}; they are drawn as boxes", characters=shown))
    return families


def cjk_family() -> str | None:
    """Return an installed font family with Japanese, or None."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    installed = {font.name for font in manager.ttflist}
    found = next((family for family in CJK_FAMILIES if family in installed), None)
    if found is not None:
        return found
    # The list of fonts is cached, so that one installed since is not in it.
    for path in sorted(font_manager.findSystemFonts()):
        if _CJK_FILES.search(path):
            try:
                manager.addfont(path)
            except (RuntimeError, OSError):  # a format that FreeType does not read
                continue
    installed = {font.name for font in manager.ttflist}
    return next((family for family in CJK_FAMILIES if family in installed), None)


@cache
def _covered(family: str) -> frozenset[str]:
    from matplotlib import font_manager

    path = font_manager.findfont(font_manager.FontProperties(family=family), fallback_to_default=False)
    return frozenset(map(chr, font_manager.get_font(path).get_charmap()))
