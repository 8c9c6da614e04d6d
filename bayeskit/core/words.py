"""Numbers, dates and lists as a reader wants them: digits by their uncertainty, true minus signs, plain words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from bayeskit.core.language import Text, say, say_count

MINUS = "\N{MINUS SIGN}"
FIGURE_SPACE = "\N{FIGURE SPACE}"
PUNCTUATION_SPACE = "\N{PUNCTUATION SPACE}"
NO_BREAK = "\N{NO-BREAK SPACE}"


def decimals_for(uncertainty: float) -> int:
    """Decimals that an uncertainty deserves: two digits of it up to 0.354, else one.

    This is the Particle Data Group's rule, so that rounding never moves a number by more than a sixth of
    its uncertainty.

    Examples
    --------
    >>> decimals_for(0.0512), decimals_for(0.14), decimals_for(31.0)
    (2, 2, 0)
    """
    if not math.isfinite(uncertainty) or uncertainty <= 0:
        return 3
    exponent = math.floor(math.log10(uncertainty))
    lead = uncertainty / 10**exponent
    return max(0, -exponent + (1 if lead < 3.55 else 0))


def number(value: float, decimals: int) -> str:
    """Return a number with a true minus sign and thousands separators.

    Examples
    --------
    >>> number(-1310.26, 1)
    '−1,310.3'
    """
    if not math.isfinite(value):
        return say("not a number") if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):
        text = text[1:] if float(text.replace(",", "")) == 0 else MINUS + text[1:]
    return text


def significant(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, without an exponent where it can be read."""
    if not math.isfinite(value) or value == 0:
        return number(value, 0)
    exponent = math.floor(math.log10(abs(value)))
    if not -5 <= exponent < 9:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    return number(value, max(0, digits - 1 - exponent))


def plus_minus(mean: float, sd: float) -> str:
    """Return mean and standard deviation, both with the digits that the latter deserves.

    Examples
    --------
    >>> plus_minus(1.886452, 0.0512).replace(NO_BREAK, " ")
    '1.89 ± 0.05'
    """
    if not math.isfinite(sd) or sd <= 0:
        return significant(mean, 4)
    decimals = decimals_for(sd)
    return f"{number(mean, decimals)}{NO_BREAK}±{NO_BREAK}{number(sd, decimals)}"


def with_unit(text: str, unit: str) -> str:
    """Append a unit with a space that does not break."""
    return f"{text}{NO_BREAK}{unit}" if unit else text


def percent(share: float) -> str:
    """Return a share as percentage, with one decimal only where it is near 0 or 1.

    Examples
    --------
    >>> [percent(share).replace(NO_BREAK, " ") for share in (0.942, 0.997)]
    ['94 %', '99.7 %']
    """
    value = 100 * share
    edge = 0 < value < 1.5 or 98.5 < value < 100
    return f"{number(value, 1 if edge else 0)}{NO_BREAK}%"


def count(value: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun, e.g. ``1,461 days``; catalogues have it as ``{n} day`` and ``{n} days``."""
    return say_count(value, f"{{n}} {singular}", f"{{n}} {plural or singular + 's'}")


def listing(items: Sequence[str]) -> str:
    """Join with commas and a closing ``and``."""
    if not items:
        return ""
    *most, last = items
    if not most:
        return last
    return say("{items} and {last}", items=commas(most), last=last)


def day(moment: Any) -> str:
    """Return a date in ISO form, with the time of day only where there is one."""
    text = str(moment)[:19]
    return text[:10] if len(text) <= 10 or text[10:] in ("T00:00:00", " 00:00:00") else text.replace("T", " ")


def sentence(text: str) -> str:
    """Return text with a capital first letter and a closing full stop."""
    text = text if isinstance(text, Text) else text.strip()
    if not text:
        return ""
    return say("{text:capital}", text=text) if text[-1] in ".!?。" else say("{text:capital}.", text=text)


def inside(name: str) -> str:
    """Return a name as it stands inside a sentence: R-hat keeps its capital, an ordinary word does not."""
    return say("{name:inside}", name=name)


def commas(items: Sequence[str]) -> str:
    """Join with commas only."""
    return reduce(lambda a, b: say("{a}, {b}", a=a, b=b), items) if items else ""


def joined(sentences: Sequence[str]) -> str:
    """Return sentences one behind the other; languages differ in what stands between them."""
    told = [text for text in sentences if text]
    return reduce(lambda a, b: say("{a} {b}", a=a, b=b), told) if told else ""


def interval(low: str, high: str) -> str:
    """Return a range by its ends, e.g. ``0.9 to 1.1``."""
    return say("{low} to {high}", low=low, high=high)


def duration(seconds: float) -> str:
    """Return a time span in the unit that suits it."""
    if seconds < 0.1:
        return f"{number(1000 * seconds, 0)} ms"
    if seconds < 10:
        return f"{number(seconds, 1)} s"
    if seconds < 120:
        return f"{number(seconds, 0)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def align(texts: Iterable[str]) -> list[str]:
    """Pad with figure spaces on both sides so that the decimal points stand one below the other.

    Examples
    --------
    >>> [len(text) for text in align(["1.89", "12", "0.1"])]
    [5, 5, 5]
    """
    rows = list(texts)
    tails = [len(row.rpartition(".")[2]) if "." in row else -1 for row in rows]
    longest = max(tails, default=-1)
    padded = [row + _padding(tail, longest) for row, tail in zip(rows, tails, strict=True)]
    width = max(map(len, padded), default=0)
    return [FIGURE_SPACE * (width - len(row)) + row for row in padded]


def align_pairs(texts: Iterable[str], separator: str) -> list[str]:
    """Align the first numbers of texts such as ``1.89 ± 0.05`` at their decimal points, without gaps inside.

    Examples
    --------
    >>> [len(text) for text in align_pairs(["12.9 to 13.1", "0.90 to 1.10"], " to ")]
    [13, 13]
    """
    rows = list(texts)
    whole = [len(row.partition(separator)[0].partition(".")[0]) for row in rows]
    led = [FIGURE_SPACE * (max(whole) - size) + row for size, row in zip(whole, rows, strict=True)]
    width = max(map(len, led), default=0)
    return [row + FIGURE_SPACE * (width - len(row)) for row in led]


def _padding(tail: int, longest: int) -> str:
    if tail == longest:
        return ""
    point = PUNCTUATION_SPACE if tail < 0 else ""
    return point + FIGURE_SPACE * (longest - max(tail, 0))
