"""The style sheet's colours can be read: contrast of at least 4.5 to 1 for text, in light, dark and print."""

import re
from importlib.resources import files

import pytest

CSS = files("bayeskit.reporting").joinpath("templates", "report.css").read_text(encoding="utf-8")
SCHEMES = {"light": 0, "dark": 1, "print": 2}
TEXT = ("ink", "muted", "accent", "fit", "pass", "fail", "code-value")


def colours(scheme: str) -> dict[str, str]:
    block = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[SCHEMES[scheme]]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", TEXT)
def test_text_can_be_read(scheme: str, name: str) -> None:
    palette = colours(scheme)
    for ground in ("paper", "surface"):
        assert contrast(palette[name], palette[ground]) >= 4.5, (name, ground)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_edges_of_controls_can_be_seen(scheme: str) -> None:
    """3 to 1, as WCAG 2.1 has it for what is no text (1.4.11)."""
    palette = colours(scheme)
    assert contrast(palette["edge"], palette["paper"]) >= 3


@pytest.mark.parametrize("scheme", ["dark", "print"])
def test_each_scheme_names_every_colour(scheme: str) -> None:
    light = set(re.findall(r"--([\w-]+):", re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[0]))
    other = set(re.findall(r"--([\w-]+):", re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[SCHEMES[scheme]]))
    assert light - other == {"font", "mono"}
