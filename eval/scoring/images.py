"""Encodes and decodes images, and detects blank ones."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

Images = UInt8[np.ndarray, "n h w 3"]
"""Decoded sRGB images of one size."""
AnyImages = Images | Sequence[UInt8[np.ndarray, "h w 3"]]
"""Decoded sRGB images, which may differ in size."""

BLANK_DEVIATION = 2.0
"""Standard deviation over the pixels, in units of 0..255, under which a channel is constant."""

LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601."""


class CorruptSample(ValueError):
    """Bytes that are no readable image, audio or video."""


def decode(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an encoded image.

    Args:
        data: Content of a PNG, JPEG, ... file.

    Returns:
        sRGB pixels in 0..255; shape (h, w, 3).

    Raises:
        CorruptSample: The bytes are not a readable image.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptSample(f"{len(data)} bytes are not a readable image: {error}") from error


def levels(pixels: Float[np.ndarray, "*n h w 3"]) -> UInt8[np.ndarray, "*n h w 3"]:
    """Round values in [0, 1] to levels in 0..255, as diffusers rounds; NaN becomes 0.

    Args:
        pixels: Images of any leading shape.
    """
    return (np.nan_to_num(pixels) * 255).round().astype(np.uint8)


def encode(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encode an image as PNG.

    Args:
        image: Levels in 0..255.
    """
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def is_blank(image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Return whether an image has one colour all over, as a black frame has.

    Args:
        image: sRGB pixels in 0..255; shape (h, w, 3).

    Returns:
        Whether each channel's standard deviation is below `BLANK_DEVIATION`.
    """
    return bool((image.std(axis=(0, 1)) < BLANK_DEVIATION).all())


def luma(images: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n h w"]:
    """Compute the luma (ITU-R BT.601).

    Args:
        images: sRGB pixels in 0..255; shape (n, h, w, 3).

    Returns:
        Luma in 0..255; shape (n, h, w).
    """
    return images @ LUMA
