"""What bayeskit says, in the reader's language.

Every text is made by ``say`` from an English template and its values, and remembers both: ``said`` makes it anew in the
language that ``speaking`` sets, so that a verdict that was written to ``run.json`` in English is read in Japanese.
Catalogues are gettext's, ``bayeskit/locale/LANGUAGE/LC_MESSAGES/bayeskit.po``.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError

_LOCALE = Path(__file__).resolve().parent.parent / "locale"
_language: ContextVar[str] = ContextVar("language", default="en")


class Text(str):
    """A text that remembers its template (of a count also the plural's and the number) and its values."""

    template: str
    values: Mapping[str, Any]
    plural: str | None
    number: int | None

    def __new__(  # noqa: D102
        cls, text: str, template: str, values: Mapping[str, Any], plural: str | None = None, number: int | None = None
    ) -> Text:
        made = super().__new__(cls, text)
        made.template, made.values, made.plural, made.number = template, values, plural, number
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.template, self.values, self.plural, self.number


def say(template: str, /, **values: Any) -> str:
    """Return a text in the reader's language.

    Parameters
    ----------
    template
        In English; values stand in braces, as for ``str.format``. Without values braces mean nothing.
    values
        Texts among them are translated with it.
    """
    return _made(template, values)


def say_count(number: int, singular: str, plural: str, /, **values: Any) -> str:
    """Return a text whose template depends on a number, which stands in it as ``{n}`` with thousands separators."""
    return _made(singular, {"n": f"{number:,}", **values}, plural, number)


def said(text: str) -> str:
    """Return a text made earlier in the language that is spoken now; one without a template by what it says."""
    if isinstance(text, Text):
        values = {name: said(value) if isinstance(value, str) else value for name, value in text.values.items()}
        return _made(text.template, values, text.plural, text.number)
    return catalogue(_language.get()).gettext(text) if text else text


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak another language within the block.

    Raises
    ------
    ConfigError
        If there is no catalogue for it.
    """
    if language not in languages():
        raise ConfigError(f"there is no catalogue for the language '{language}'; choose from {', '.join(languages())}")
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def spoken() -> str:
    """Return the language that is spoken now, as HTML names it."""
    return _language.get()


def languages() -> tuple[str, ...]:
    """Return what can be spoken: English, and the languages with a catalogue."""
    found = sorted(path.parent.parent.name for path in _LOCALE.glob("*/LC_MESSAGES/bayeskit.po"))
    return ("en", *found)


def to_record(text: Text) -> dict[str, Any]:
    """Return a text as it is kept in JSON."""
    record: dict[str, Any] = {"say": text.template, "with": dict(text.values)}
    return record if text.plural is None else record | {"plural": text.plural, "number": text.number}


def from_record(value: Any) -> Any:
    """Return what was read from JSON with its texts, at any depth, as texts again."""
    if isinstance(value, list):
        return [from_record(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() <= {"say", "with", "plural", "number"} and {"say", "with"} <= value.keys():
        return _made(value["say"], from_record(value["with"]), value.get("plural"), value.get("number"))
    return {key: from_record(item) for key, item in value.items()}


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return a language's translations; English has none."""
    if language == "en":
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (_LOCALE / language / "LC_MESSAGES" / "bayeskit.po").open("rb") as file:
        messages = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _made(template: str, values: Mapping[str, Any], plural: str | None = None, number: int | None = None) -> Text:
    known = catalogue(_language.get())
    if plural is None:
        pattern = known.gettext(template)
    else:
        assert number is not None
        pattern = known.ngettext(template, plural, number)
    return Text(pattern.format(**values) if values else pattern, template, values, plural, number)
