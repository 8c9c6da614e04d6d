"""Which format a file of a graph has, and the formats that say more than a table: GraphML and GML."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from bayeskit.datasets._files import decode
from bayeskit.datasets._graph_cells import text_of, weight_of
from bayeskit.datasets._graph_edges import read_edges, refuse_blank
from bayeskit.datasets._graph_listing import Listing
from bayeskit.datasets._graph_market import BANNER, read_market
from bayeskit.datasets._graph_sheets import open_sheet
from bayeskit.datasets._problems import Place, one_line, quote

_FORMATS = {".graphml": "GraphML", ".xml": "GraphML", ".gml": "GML", ".mtx": "Matrix Market"}
_GML = re.compile(r"\s*(?:#[^\n]*\n\s*|(?:Creator|Version|Comment)\b[^\n]*\n\s*)*graph\s*\[", re.IGNORECASE)
_HELD = 4096  # first characters of a file, which tell its format


def read_listing(content: bytes, path: str, columns: str | Sequence[str] | None, place: Place) -> Listing:
    """Read a file of any format: by its extension, or else by what stands at its beginning.

    Raises
    ------
    DataError
        If it is not of that format, or not a graph.
    """
    suffixes = [suffix.lower() for suffix in PurePath(path).suffixes]
    if content.startswith(b"\x1f\x8b") and suffixes[-2:] == [".mtx", ".gz"]:
        content, suffixes = _unpacked(content, place), suffixes[:-1]
    suffix = suffixes[-1] if suffixes else ""
    kind = _FORMATS.get(suffix) or _kind(content)
    if not kind:
        return read_edges(open_sheet(content, suffix, place), columns, place)
    if columns is not None:
        raise place.error(f"a {kind} file has no columns", "leave out their names (--columns)")
    if kind == "Matrix Market":
        return read_market(content, place)
    parsed = _parsed(kind, _network, place, kind, content, place)
    return network_listing(parsed, _gml_names(parsed) if kind == "GML" else list(parsed.nodes), place)


def network_listing(network: Any, names: Sequence[Any], place: Place) -> Listing:
    """Take a networkx graph: attributes of its nodes, and ``weight`` of its edges, 1 where no edge has one.

    Raises
    ------
    DataError
        Names that are blank or of several nodes, or weights that are not numbers.
    """
    texts = [text_of(name) for name in names]
    refuse_blank(
        texts, None, [(at + 1, "") for at, text in enumerate(texts) if not text], Place(place.name, "of", "node")
    )
    refuse_twice(texts, place)
    where = {node: at for at, node in enumerate(network.nodes)}
    pairs = np.array([(where[source], where[target]) for source, target in network.edges()], dtype=np.int64)
    pairs = pairs.reshape(-1, 2)
    given = [data.get("weight") for *_, data in network.edges(data=True)]
    found = [weight_of(text_of(value)) for value in given]
    some = any(value is not None for value in given)
    for at, (number, value) in enumerate(zip(found, given, strict=True)):
        if number is None:
            source, target = (quote(texts[end]) for end in pairs[at])
            problem = f"the weight {quote(text_of(value))} from {source} to {target} is not a number"
            raise place.error(problem, "write a number such as 2, or leave it out where the pair was not observed")
    weights = np.array(found if some else [1.0] * len(found), dtype=np.float64)
    keys = dict.fromkeys(str(key) for _, data in network.nodes(data=True) for key in data)
    attributes = {key: [text_of(data.get(key)) for _, data in network.nodes(data=True)] for key in keys}
    return Listing(
        texts, pairs[:, 0], pairs[:, 1], weights, directed=bool(network.is_directed()), attributes=attributes
    )


def refuse_twice(names: Sequence[str], place: Place) -> None:
    """Refuse nodes of one name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise place.error(f"two nodes are named {quote(name)}", "give each node a name of its own")
        seen.add(name)


def _kind(content: bytes) -> str:
    if content[: len(BANNER)].lower() == BANNER:
        return "Matrix Market"
    start = content[:_HELD].decode("utf-8", "replace").lstrip("\ufeff")
    if start.lstrip().startswith("<") and "<graphml" in start:
        return "GraphML"
    return "GML" if _GML.match(start) else ""


def _unpacked(content: bytes, place: Place) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise place.error(f"cannot be unpacked ({one_line(str(error))[:120]})", "download or save it again") from error


def _parsed(kind: str, parser: Callable[..., Any], place: Place, *arguments: Any) -> Any:
    """Return what a parser of others makes of a file; whatever it raises is told in one line."""
    try:
        return parser(*arguments)
    except ValueError as error:
        if type(error).__module__.startswith("bayeskit."):
            raise
        raise _broken(kind, error, place) from error
    except Exception as error:
        raise _broken(kind, error, place) from error


def _broken(kind: str, error: Exception, place: Place) -> Exception:
    said = " ".join(str(error).split()) or type(error).__name__
    return place.error(f"not a {kind} file that can be read ({one_line(said)[:160]})", "correct it, or write it again")


def _network(kind: str, content: bytes, place: Place) -> Any:
    import networkx

    if kind == "GraphML":
        found = networkx.read_graphml(io.BytesIO(content))
    else:
        text, _ = decode(content, place)
        found = networkx.parse_gml(text.splitlines(), label="id")
    return found


def _gml_names(network: Any) -> list[Any]:
    """Return the labels of a GML file's nodes; their numbers, where not all have labels."""
    labels = [data.get("label") for _, data in network.nodes(data=True)]
    return list(network.nodes) if any(label is None for label in labels) else labels
