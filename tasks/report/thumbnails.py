"""Images of the lake as thumbnails that a page can hold."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from skewbench.storage.png import MOST_PIXELS, open_png

LARGEST = 256
"""Pixels of a thumbnail's longer side."""
SMALL = 128
"""Up to so many pixels an image is embedded as it is, and shown enlarged with its pixels visible."""


@dataclass(frozen=True)
class Thumbnail:
    """An image as a data URI. `small`: it is the image itself, not a scaled one."""

    source: str
    width: int
    height: int
    small: bool


def thumbnail(content: bytes) -> Thumbnail:
    """Make an image's thumbnail as a data URL of WebP.

    Args:
        content: The image as PNG.

    Raises:
        BrokenImage: The bytes are not a PNG.
    """
    image = open_png(content, MOST_PIXELS)
    small = max(image.size) <= SMALL
    if max(image.size) > LARGEST:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", lossless=small, quality=80, method=4)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(source, *image.size, small)
