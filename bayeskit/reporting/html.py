"""From sections to one self-contained HTML file: template, style, script, Plotly.js and a content security policy."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from bayeskit.core.language import say, say_count, speaking, spoken
from bayeskit.core.types import Assessment, Fit
from bayeskit.core.words import day
from bayeskit.reporting.translated import translated

# Names end where ASCII does: in Japanese no space stands around them.
_MARKED = re.compile(
    r"(?a:\b[A-Za-z]\w{0,15})\[[\w.,:-]{1,48}\]|(?a:(?<![\w/.&-])[A-Za-z]{1,15}(?:_[A-Za-z0-9]{1,8}){1,2}(?![\w/]))"
    r"|(?a:(?<![\w-])--[a-z][a-z-]{1,20})"
    r"|(?P<date>(?a:\b\d{4}-\d{2}-\d{2}\b))|`(?P<code>[^`\n]{1,500})`"
)

_FIGURES = (
    *("numbers.js", "files.js", "report.js", "densities.js", "table.js"),
    *("animation.js", "turning.js", "downloads.js"),
)


def render(fit: Fit, assessment: Assessment, *, language: str = "en") -> str:
    """Render the report of a fit.

    Parameters
    ----------
    fit
        The posterior and where it came from.
    assessment
        Its verdicts and summary.
    language
        One of ``core.language.languages``.

    Returns
    -------
    str
        One HTML file that needs no network; the same fit gives the same text.

    Raises
    ------
    ConfigError
        If there is no catalogue for the language.
    """
    with speaking(language):
        return _render(*translated(fit, assessment))


def _render(fit: Fit, assessment: Assessment) -> str:
    from bayeskit.reporting.sections import build

    origin = fit.provenance
    return page(
        "report.html",
        plotly=True,
        title=f"{origin.card.title} · bayeskit",
        origin=origin,
        card=origin.card,
        started=day(origin.started)[:10],
        program=highlight(origin.card.program, origin.card.language),
        script=highlight(origin.script, "python"),
        sections=build(fit, assessment),
    )


def page(template: str, *, plotly: bool, **context: Any) -> str:
    """Lay out a template with everything inlined and a policy that allows nothing from elsewhere.

    Scripts run only if their SHA-256 is in the policy: a script that slipped in from a data file would not run.
    """
    scripts = [plotly_source(), "\n".join(map(_text, _FIGURES))] if plotly else [_text("index.js")]
    context["language"] = spoken()
    context["style"] = _text("report.css") + _highlight_style()
    text: str = _environment().get_template(template).render(scripts=scripts, policy=_policy(scripts), **context)
    return text


def prose(text: str) -> Markup:
    """Escape a sentence, keep its dates on one line, and set its parameters, options and what is in `` ` `` as code.

    Examples
    --------
    >>> print(prose("mu[2012-01-01] & s_mu; run with --form marginal"))
    <code>mu[2012-01-01]</code> &amp; <code>s_mu</code>; run with <code>--form</code> marginal
    """

    def mark(match: re.Match[str]) -> str:
        if match.group("date"):
            return f'<span class="nb">{match.group()}</span>'
        if match.group("code"):
            return f'<code class="command">{match.group("code")}</code>'
        return f"<code>{match.group()}</code>"

    # Escaped first; what is matched then holds no character that means anything in HTML.
    return Markup(_MARKED.sub(mark, str(escape(text))))  # noqa: S704


def highlight(source: str, language: str) -> Markup:
    """Return source text as highlighted, escaped HTML."""
    from pygments import highlight as pygments_highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        lexer = get_lexer_by_name("text", stripnl=False)
    # The formatter escapes.
    return Markup(pygments_highlight(source, lexer, HtmlFormatter(nowrap=True)))  # noqa: S704


@cache
def plotly_source() -> str:
    """Return Plotly.js as the plotly package ships it, unable to end its own element."""
    from plotly.offline import get_plotlyjs

    source: str = get_plotlyjs()
    return source.replace("</script", "<\\/script")


def _policy(scripts: list[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bayeskit.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    environment.globals |= {"say": say, "say_count": say_count}
    return environment


@cache
def _text(name: str) -> str:
    return files("bayeskit.reporting").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _highlight_style() -> str:
    """Few colours, by kind of token, from the style sheet's names: readable on light and dark."""
    rules = {
        "k kd kr kc kn ow": "color: var(--accent); font-weight: 600",
        "kt nb": "color: var(--accent)",
        "c c1 cm cp ch sd": "color: var(--muted); font-style: italic",
        "s s1 s2 sa mi mf mh mb": "color: var(--code-value)",
    }
    return "\n".join(
        ", ".join(f".code .{kind}" for kind in kinds.split()) + f" {{ {style} }}" for kinds, style in rules.items()
    )
