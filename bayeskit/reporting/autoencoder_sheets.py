"""Many images as one picture: a sheet of tiles, grey or in colour, that a figure holds as PNG in few bytes.

What is not a number is seen through, so that gaps and hidden parts have the page's own colour.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import say
from bayeskit.reporting import figures as f

Floats = NDArray[np.float64]

GAP = 0.1  # between tiles, of their height
BREAK = 0.45  # between blocks of rows
MOST = 1_500_000  # numbers of a picture: more would make a page slow to load
_COLOUR_TYPES = {2: 4, 4: 6}  # PNG's: grey, or red, green and blue, each with how much is seen through
_BESIDE, _BELOW, _BARE = 62, 48, 12  # pixels of a panel for what axes say, and where they say nothing
_WIDE = 860  # pixels of a panel that has a row of its own
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Sheet:
    """A picture: its source, its pixels, and where the middles of its rows and columns of tiles are, in pixels.

    Each of its pixels stands for ``shrunk`` by ``shrunk`` ones of the images.
    """

    source: str
    height: int
    width: int
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    shrunk: int = 1

    @property
    def note(self) -> str:
        """Say that the images are larger than they are drawn, where they are."""
        return say("Drawn smaller, a pixel for {n} by {n} of them.", n=self.shrunk) if self.shrunk > 1 else ""


def sheet_of(blocks: Sequence[Floats], most: int = MOST) -> Sheet:
    """Lay images out in rows and columns.

    Parameters
    ----------
    blocks
        Each ``n_rows x n_columns x height x width (x 3)``, from 0, black, to 1; they stand one below the other, a
        little apart. All have as many columns.
    most
        Numbers that a picture may hold; what is larger is drawn smaller.
    """
    shrunk = max(1, math.ceil(math.sqrt(sum(block.size for block in blocks) / most)))
    blocks = [_smaller(block, shrunk) for block in blocks]
    tall, wide = blocks[0].shape[2:4]
    gap = max(1, round(GAP * tall))
    apart = max(gap + 1, round(BREAK * tall))
    parts: list[Floats] = []
    rows: list[float] = []
    top = 0
    for place, block in enumerate(blocks):
        for line, images in enumerate(block):
            if parts:
                space = apart if line == 0 and place else gap
                parts.append(np.full((space, *parts[0].shape[1:]), np.nan))
                top += space
            parts.append(_side_by_side(images, gap))
            rows.append(top + (tall - 1) / 2)
            top += tall
    pixels = np.concatenate(parts)
    columns = tuple(place * (wide + gap) + (wide - 1) / 2 for place in range(blocks[0].shape[1]))
    return Sheet(png(pixels), pixels.shape[0], pixels.shape[1], tuple(rows), columns, shrunk)


def png(pixels: Floats) -> str:
    """Return pixels, ``height x width (x 3)`` from 0 to 1, as the URI of a PNG; the same pixels give the same text."""
    image = pixels[..., None] if pixels.ndim == 2 else pixels
    seen = np.isfinite(image).all(-1, keepdims=True)
    whole = np.concatenate([np.where(seen, image, 0.0), seen], axis=-1)
    levels = np.rint(255 * np.clip(whole, 0, 1)).astype(np.uint8)
    height, width, channels = levels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    lines = np.concatenate([np.zeros((height, 1), dtype=np.uint8), levels.reshape(height, -1)], axis=1)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    data = _SIGNATURE + b"".join(map(_chunk, *zip(*parts, strict=True)))
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


def picture(sheet: Sheet, alt: str, *, label: str = "", most: int = 620, **changes: Any) -> f.Panel:
    """Return a panel of a sheet; ``changes`` are merged into its layout, ``most`` is its height in pixels at most."""
    bare = {"showgrid": False, "ticks": "", "showticklabels": False, "constrain": "domain", "showline": False}
    layout = f.layout(
        xaxis={**bare, "range": [-0.5, sheet.width - 0.5]},
        yaxis={**bare, "range": [sheet.height - 0.5, -0.5], "scaleanchor": "x", "scaleratio": 1},
        margin={"l": 8, "r": 4, "t": 4, "b": 8},
    )
    told = [bool(changes.get(name)) for name in ("yaxis", "xaxis")]
    beside, below = _BESIDE if told[0] else _BARE, _BELOW if told[1] else _BARE
    ratio = sheet.height / sheet.width
    return f.Panel(
        [{"type": "image", "source": sheet.source, "hoverinfo": "skip"}],
        f.merge(layout, changes),
        alt,
        label=label,
        height=min(most, round((_WIDE - beside) * ratio) + below),
        behaviour={"ratio": ratio, "beside": beside, "below": below},
    )


def ticks(places: Sequence[float], texts: Sequence[str], title: str = "") -> dict[str, Any]:
    """Return an axis that says what rows or columns of tiles are."""
    told = [f.plot_text(text) for text in texts]
    return {"showticklabels": True, "tickvals": list(places), "ticktext": told, "title": {"text": f.plot_text(title)}}


def _smaller(images: Floats, times: int) -> Floats:
    """Return images of which each pixel is the mean of so many by so many; what is left over at the edges is cut."""
    if times == 1 or min(images.shape[2:4]) < times:
        return images
    rows, columns, tall, wide, *channels = images.shape
    tall, wide = tall // times, wide // times
    cut = images[:, :, : tall * times, : wide * times]
    made: Floats = cut.reshape(rows, columns, tall, times, wide, times, *channels).mean((3, 5))
    return made


def _side_by_side(images: Floats, gap: int) -> Floats:
    space = np.full((images.shape[1], gap, *images.shape[3:]), np.nan)
    pieces = [piece for image in images for piece in (space, image)]
    made: Floats = np.concatenate(pieces[1:], axis=1)
    return made


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
