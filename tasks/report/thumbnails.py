"""Pictures of the lake as thumbnails that a page can hold."""

import base64
import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

LARGEST = 256
"""Pixels of a thumbnail's longer side."""
SMALL = 128
"""Up to so many pixels a picture is embedded as it is, and shown enlarged with its pixels visible."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture as a data URI. `small`: it is the picture itself, not a scaled one."""

    source: str
    width: int
    height: int
    small: bool


def thumbnail(content: bytes) -> Thumbnail | None:
    """A picture's thumbnail; None where the bytes are no picture."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError):
        return None
    small = max(picture.size) <= SMALL
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", lossless=small, quality=80, method=4)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(source, *picture.size, small)
