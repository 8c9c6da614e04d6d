"""Which messages the sources have, and what a catalogue lacks; run as a script, it prints what is to be added."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

PACKAGE = Path(__file__).resolve().parents[2] / "bayeskit"
MAKERS = {"say": 0, "said": 0, "mark": 0, "say_count": 1, "count": 1}
"""Functions that make texts, and the position of the template, or of the singular, among their arguments."""
MADE_OF_NOUNS = "bayeskit/core/words.py"  # where count puts its templates together


class Message(NamedTuple):
    """A template; of a count also the plural's, of the same number."""

    singular: str
    plural: str = ""


class Found(NamedTuple):
    """Messages, each with the places that it is said at, and the places whose messages no catalogue can hold."""

    messages: dict[Message, list[str]]
    glued: list[str]


def in_python(source: str, name: str) -> Found:
    """Return the messages of a Python module."""
    found = Found({}, [])
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS):
            continue
        place = f"{name}:{node.lineno}"
        at = MAKERS[node.func.id]
        argument = node.args[at] if len(node.args) > at else ast.Constant(None)
        for singular in _literals(argument):
            if singular is None:
                found.glued.append(place)
                continue
            plural = ""
            if at:
                given = list(_literals(node.args[at + 1])) if len(node.args) > at + 1 else []
                plural = str(given[0]) if given else f"{singular}s"
            if node.func.id == "count":
                singular, plural = f"{{n}} {singular}", f"{{n}} {plural}"
            found.messages.setdefault(Message(singular, plural), []).append(place)
    return found


def _literals(node: ast.expr) -> Iterator[str | None]:
    """Return the texts that an argument may be; None where it is put together, so that none is known."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.JoinedStr | ast.BinOp):
        yield None


def in_template(source: bytes, name: str) -> Found:
    """Return the messages of a Jinja template."""
    found = Found({}, [])
    for line, function, arguments, _ in babel_extract(BytesIO(source), list(MAKERS), [], {"trim_blocks": "true"}):
        texts = [arguments] if isinstance(arguments, str) else [text for text in arguments if text is not None]
        if not texts:
            continue
        plural = texts[1] if MAKERS[function] else ""
        found.messages.setdefault(Message(texts[0], plural), []).append(f"{name}:{line}")
    return found


def in_package(package: Path = PACKAGE) -> Found:
    """Return the messages of all modules and templates."""
    whole = Found({}, [])
    for path in sorted(package.rglob("*")):
        name = str(path.relative_to(package.parent))
        if path.suffix == ".py":
            found = in_python(path.read_text(encoding="utf-8"), name)
        elif path.suffix == ".html":
            found = in_template(path.read_bytes(), name)
        else:
            continue
        for message, places in found.messages.items():
            whole.messages.setdefault(message, []).extend(places)
        whole.glued.extend(place for place in found.glued if not place.startswith(MADE_OF_NOUNS))
    return whole


def read(language: str, package: Path = PACKAGE) -> Catalog:
    """Read a catalogue."""
    with (package / "locale" / language / "LC_MESSAGES" / "bayeskit.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def held(catalogue: Catalog) -> dict[Message, tuple[str, ...]]:
    """Return a catalogue's messages with their translations, one a form of the plural."""
    made = {}
    for entry in catalogue:
        if entry.id:
            ids, texts = (value if isinstance(value, tuple) else (value,) for value in (entry.id, entry.string))
            made[Message(*ids)] = texts
    return made


def placeholders(template: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def missing(found: Found, catalogue: Catalog) -> dict[Message, list[str]]:
    """Return the messages that a catalogue lacks, with their places."""
    known = held(catalogue)
    return {message: places for message, places in found.messages.items() if message not in known}


def faults(found: Found, catalogue: Catalog) -> list[str]:
    """Return what is wrong with a catalogue, one thing a line, the entries that it lacks ready to be pasted."""
    told = [f"{place}: put together before it is said; give say a template and its values" for place in found.glued]
    lacking = missing(found, catalogue)
    if lacking:
        told.append(f"{len(lacking)} messages have no translation:\n\n{as_entries(lacking)}")
    told += [f"obsolete: {entry.id!r}" for entry in catalogue.obsolete.values()]
    told += [f"fuzzy: {entry.id!r}" for entry in catalogue if entry.id and entry.fuzzy]
    for message, texts in held(catalogue).items():
        if message not in found.messages:
            told.append(f"said nowhere: {message.singular!r}")
        if len(texts) != (catalogue.num_plurals if message.plural else 1) or not all(texts):
            told.append(f"not translated: {message.singular!r}")
        for text in texts:
            if text and placeholders(text) != placeholders(message.plural or message.singular):
                told.append(f"other names in braces: {message.singular!r} -> {text!r}")
    return told


def as_entries(messages: dict[Message, list[str]]) -> str:
    """Return messages as entries of a PO file, ready to be translated."""
    catalogue = Catalog(locale="ja")
    for message, places in messages.items():
        lines = [(path, int(line)) for path, _, line in (place.rpartition(":") for place in places)]
        catalogue.add(message if message.plural else message.singular, locations=lines[:1])
    text = BytesIO()
    write_po(text, catalogue, omit_header=True, width=0)
    return text.getvalue().decode()


if __name__ == "__main__":
    print(as_entries(missing(in_package(), read("ja"))))
