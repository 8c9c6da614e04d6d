"""Nothing that comes from a file or a user can become markup or script."""

import json
import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markupsafe import escape
from reporting.factories import make_assessment, make_fit

from bayeskit.reporting import RunEntry, render, render_index
from bayeskit.reporting.figures import plot_text, safe_json
from bayeskit.reporting.html import prose

MARK = "qqq"
HOSTILE = st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "&",
            '"',
            "'",
            "</script>",
            "<script>",
            "<!--",
            "%{x}",
            "$",
            "\u2028",
            "東京",
            "\u202e",
            "e\u0301",
            "{{",
            " ",
        ]
    ),
    min_size=1,
    max_size=6,
).map(lambda parts: f"{MARK}{''.join(parts)}<{MARK}>")


def raw_tags(html: str) -> list[str]:
    return re.findall(rf"<[^>\s]*{MARK}", html)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE)
@example(f"</script><script>alert('{MARK}')</script><{MARK}>")
def test_the_report_escapes_every_text(text: str) -> None:
    keys = (
        "title",
        "summary",
        "formula",
        "program",
        "meaning",
        "label",
        "path",
        "description",
        "note",
        "command",
        "script",
    )
    fit = make_fit(n_days=40, n_draws=40, words=dict.fromkeys(keys, text))
    html = render(fit, make_assessment(fit))
    assert MARK in html
    assert not raw_tags(html)
    assert html.count("<script>") == 2
    assert html.count("</script>") == 2 + html.count('<script type="application/json">')


@given(HOSTILE)
def test_the_index_escapes_every_text(text: str) -> None:
    html = render_index([RunEntry(text, text, text, "passed", text, {text: text}, text)], title=text)
    assert MARK in html
    assert not raw_tags(html)
    assert html.count("<script") == 1


@given(HOSTILE)
def test_json_cannot_end_its_element_and_keeps_its_value(text: str) -> None:
    encoded = safe_json({"name": [text]})
    assert not set("<>&\u2028\u2029") & set(encoded)
    assert json.loads(encoded)["name"] == [text]


@given(HOSTILE)
def test_plotly_gets_neither_tags_nor_templates(text: str) -> None:
    shown = plot_text(text)
    assert not set("<>%$") & set(shown)


@given(st.one_of(HOSTILE, st.text()))
def test_prose_marks_up_but_never_lets_markup_through(text: str) -> None:
    marked = str(prose(text))
    assert re.sub(r'</?code>|<span class="nb">|</span>', "", marked) == str(escape(text))
