"""What bayeskit says, in the reader's language.

Every text is made by ``say`` from an English template and its values, and remembers both: ``said`` makes it anew in the
language that ``speaking`` sets, so that a verdict that was written to ``run.json`` in English is read in Japanese.
Catalogues are gettext's, ``bayeskit/locale/LANGUAGE/LC_MESSAGES/bayeskit.po``.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from bayeskit.core.errors import ConfigError

_LOCALE = Path(__file__).resolve().parent.parent / "locale"
_PLACE = re.compile(r"\{([a-z]\w*)(?::(capital|inside))?\}")
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
        In English; values stand in it as ``{name}``, as ``{name:capital}`` with a capital first letter, or as
        ``{name:inside}`` as in the middle of a sentence, where an ordinary word loses its capital and ``R-hat`` does
        not. Without values braces mean nothing.
    values
        Texts among them are translated with it. Braces in them mean nothing.
    """
    return _made(template, values)


def mark(template: str) -> str:
    """Return a template as it is: tables hold it so, for catalogues to find it, until ``say`` makes a text of it."""
    return template


def say_count(number: int, singular: str, plural: str, /, **values: Any) -> str:
    """Return a text whose template depends on a number, which stands in it as ``{n}`` with thousands separators."""
    return _made(singular, {"n": f"{number:,}", **values}, plural, number)


def said(text: str) -> str:
    """Return a text made earlier in the language that is spoken now; one without a template by what it says."""
    if isinstance(text, Text):
        # Values without a template are names and numbers: a quantity called "mean" keeps its name.
        values = {name: said(value) if isinstance(value, Text) else value for name, value in text.values.items()}
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
    token = _language.set(known(language))
    try:
        yield
    finally:
        _language.reset(token)


def known(language: str) -> str:
    """Return the language, if it can be spoken.

    Raises
    ------
    ConfigError
        If there is no catalogue for it.
    """
    if language not in languages():
        raise ConfigError(f"there is no catalogue for the language '{language}'; choose from {', '.join(languages())}")
    return language


def spoken() -> str:
    """Return the language that is spoken now, as HTML names it."""
    return _language.get()


def languages() -> tuple[str, ...]:
    """Return what can be spoken: English, and the languages with a catalogue."""
    found = sorted(path.parent.parent.name for path in _LOCALE.glob("*/LC_MESSAGES/bayeskit.po"))
    return ("en", *found)


def to_record(text: Text) -> dict[str, Any]:
    """Return a text as it is kept in JSON."""
    record: dict[str, Any] = {"text": str(text), "say": text.template, "with": dict(text.values)}
    return record if text.plural is None else record | {"plural": text.plural, "number": text.number}


def from_record(value: Any) -> Any:
    """Return what was read from JSON with its texts, at any depth, as texts again."""
    if isinstance(value, list):
        return [from_record(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() <= {"text", "say", "with", "plural", "number"} and {"say", "with"} <= value.keys():
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
    translations = catalogue(_language.get())
    if plural is None:
        pattern = translations.gettext(template) if template else ""  # of nothing, gettext gives the catalogue's header
    else:
        assert number is not None
        pattern = translations.ngettext(template, plural, number)
    return Text(_filled(pattern, values) if values else pattern, template, values, plural, number)


def _filled(pattern: str, values: Mapping[str, Any]) -> str:
    """Put values in their places: no more than that, as templates are also read from files."""

    def put(match: re.Match[str]) -> str:
        text, how = str(values[match[1]]), match[2]
        if how == "capital":
            return text[:1].upper() + text[1:]
        return text[:1].lower() + text[1:] if how == "inside" and text[1:2].islower() else text

    return _PLACE.sub(put, pattern)
