"""One image file, as Pillow reads it: grey or colour, opaque, upright."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.errors import DataError
from bayeskit.datasets._problems import Place, one_line

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = tuple[int, int]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm"})
"""What the names of image files end with."""
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
_CLEAR = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_SHORT = frozenset({"I;16", "I;16B", "I;16L"})
_TOP = 65_535
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class ImageFile:
    """What was read of a file.

    Parameters
    ----------
    values
        ``height x width``, or ``height x width x 3``; 8 bits, or of grey also 16.
    saved_grey
        Whether the file could hold no colour; grey pixels may also be saved as red, green and blue.
    was_clear
        Whether any pixel was transparent, and laid on white.
    was_resized
        Whether it had another size.
    """

    values: NDArray[Any]
    saved_grey: bool
    was_clear: bool
    was_resized: bool


def is_image(head: bytes) -> bool:
    """Whether a file's first bytes are those of an image."""
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def read_image(content: bytes, name: str, place: Place, size: Pixels | None) -> ImageFile:
    """Read an image, brought to a height and width if these are given.

    Raises
    ------
    DataError
        If it cannot be read, holds several images, is very large, or has more bits than are taken.
    """
    from PIL import Image, UnidentifiedImageError

    if content.startswith(_SIGNATURES[0]) and content[24:25] == b"\x10" and content[25:26] != b"\0":
        raise place.error(f"{name} has 16 bits a colour", "save it with 8; only grey is taken with 16")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                return _read(image, name, place, size)
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise place.error(f"{name} has more pixels than are taken", "shrink it, or leave it out") from error
    except _BROKEN as error:
        reason = "no image that is known" if isinstance(error, UnidentifiedImageError) else one_line(str(error))
        raise place.error(f"{name} cannot be read ({reason[:120]})", "save it again, or leave it out") from error


def _read(image: Image, name: str, place: Place, size: Pixels | None) -> ImageFile:
    from PIL import Image as Images
    from PIL import ImageOps

    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1:
        raise place.error(f"{name} holds {n_frames} images", "save each in a file of its own")
    image.load()
    plain, was_clear = _opaque(ImageOps.exif_transpose(image))
    if plain.mode == "I":
        values = np.asarray(plain)
        if values.min() < 0 or values.max() > _TOP:
            raise place.error(f"{name} has 32 bits a pixel", "save it with 8 or 16")
        plain = Images.fromarray(values.astype(np.uint16))
    was_resized = size is not None and size != (plain.height, plain.width)
    if size is not None and was_resized:
        plain = plain.resize((size[1], size[0]), Images.Resampling.BILINEAR)
    values = np.asarray(plain)
    saved_grey = values.ndim == 2
    if not saved_grey and (values == values[..., :1]).all():
        values = values[..., 0]
    return ImageFile(values.copy(), saved_grey, was_clear, was_resized)


def _opaque(image: Image) -> tuple[Image, bool]:
    """Return an image of mode L, RGB, I;16 or I, and whether anything in it was transparent."""
    from PIL import Image as Images

    if image.mode == "F":
        raise ValueError("its pixels are fractions")
    if image.mode in _SHORT or image.mode == "I":
        return image, False
    if image.mode in _CLEAR or "transparency" in image.info:
        grey = image.mode in ("LA", "La", "L", "1")
        layered = image.convert("RGBA")
        low, _ = layered.getchannel("A").getextrema()
        on_white = Images.alpha_composite(Images.new("RGBA", layered.size, "white"), layered)
        return on_white.convert("L" if grey else "RGB"), low != 255
    return image.convert("L" if image.mode in ("1", "L") else "RGB"), False
