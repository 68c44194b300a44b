"""Images of a user's folder as pixels: several formats, and greys of 16 bits."""

from functools import cache
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skewbench.eval.scoring.images import CorruptSample

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")
_UNSCALED = ("I", "F")
"""Modes of Pillow whose range of values is not in the file, so their colours are unknown."""


@cache
def _formats() -> list[str]:
    """The formats that this build of Pillow reads; none that it hands to another program, such as EPS."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def is_image(data: bytes) -> bool:
    """Return whether bytes begin as an image of a supported format.

    Args:
        data: The bytes of a file.

    Raises:
        CorruptSample: The image has floating-point numbers or 32-bit integers, whose range of brightness is unknown.
    """
    try:
        with Image.open(BytesIO(data), formats=_formats()) as image:
            _check_mode(image)
            return True
    except CorruptSample:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def read_real(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an image as sRGB pixels. 16-bit greys are scaled: Pillow itself would clip them to white.

    Args:
        data: The bytes of a file.

    Raises:
        CorruptSample: The bytes are no readable image, or have floating-point numbers or 32-bit integers.
    """
    try:
        with Image.open(BytesIO(data), formats=_formats()) as image:
            _check_mode(image)
            if image.mode not in _DEEP:
                return np.array(image.convert("RGB"))
            grey = np.asarray(image).astype(np.float64)
            return np.repeat(np.rint(grey / 257).astype(np.uint8)[..., None], 3, axis=-1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptSample(str(error)) from error


def _check_mode(image: Image.Image) -> None:
    if image.mode in _UNSCALED:
        kind = "floating-point numbers" if image.mode == "F" else "32-bit integers"
        raise CorruptSample(f"its pixels are {kind}, which do not define white and black; save it with 8 or 16 bits")
