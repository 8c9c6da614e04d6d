"""Downloads that go on where they were cut."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from bayeskit.datasets._sources_archives import SourceError

Progress = Callable[[int, int | None], None]
"""Gets the bytes that are there, and all that there will be, if that is known."""

_LARGEST = 1 << 30  # bytes; more is not taken
_BLOCK = 1 << 16
_ATTEMPTS = 3
_TIMEOUT = 20.0  # seconds without a byte


def download(url: str, part: Path, progress: Progress) -> None:
    """Put what an address holds into a file, which may have its beginning already.

    A connection that is cut is taken up again, where the server can, a few times now and by the next call.

    Raises
    ------
    SourceError
        If there is no answer, or not all of it comes; what came is kept.
    OSError
        If it cannot be written.
    """
    for attempt in range(_ATTEMPTS):
        before = _size(part)
        try:
            _go_on(url, part, progress)
        except _CutError as cut:
            # Without progress, trying again at once is no use.
            if attempt == _ATTEMPTS - 1 or _size(part) <= before:
                kept = f"; {_size(part):,} bytes are kept for the next attempt" if _size(part) else ""
                raise SourceError(f"{cut}{kept}") from cut
        else:
            return


class _CutError(Exception):
    """The network failed; what came so far is good."""


def _go_on(url: str, part: Path, progress: Progress) -> None:
    have = _size(part)
    answer = _answer(url, have)
    if answer is None:  # nothing behind what is there
        return
    with closing(answer):
        start, whole = _extent(answer, have)
        if (whole or 0) > _LARGEST:
            raise SourceError(f"{whole:,} bytes are more than the {_LARGEST:,} that are taken")
        mode: Literal["ab", "wb"] = "ab" if start else "wb"
        with part.open(mode) as sink:
            done = start
            progress(done, whole)
            while block := _read(answer):
                sink.write(block)
                done += len(block)
                if done > _LARGEST:
                    raise SourceError(f"more than {_LARGEST:,} bytes came")
                progress(done, whole)
    if whole is not None and done < whole:
        raise _CutError(f"the connection was cut after {done:,} of {whole:,} bytes")


def _answer(url: str, have: int) -> Any:
    """Return the server's answer to a request for what lies behind the bytes that are there."""
    headers = {"User-Agent": "bayeskit", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                end = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
                return None if end and int(end[1]) == have else _answer(url, 0)
            raise SourceError(f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _CutError(f"no answer ({reason})") from error


def _read(answer: Any) -> bytes:
    try:
        block: bytes = answer.read(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(f"the connection was cut ({error})") from error
    return block


def _extent(answer: Any, have: int) -> tuple[int, int | None]:
    """Return from which byte on the answer goes, and how many there are in all; from 0 where ranges are not served."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT and found and int(found[1]) == have:
        return have, int(found[2])
    if answer.status != http.HTTPStatus.OK:
        raise SourceError(f"the server answers {answer.status} with another range than was asked for")
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
