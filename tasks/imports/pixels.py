"""Decodes images from elsewhere to the 8-bit RGB of a lake. Refuses images that the conversion would change."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from skewbench.eval.scoring.images import CorruptSample
from skewbench.storage.png import MOST_PIXELS
from skewbench.storage.records import shown

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Endings of files that are taken for images."""
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


@dataclass(frozen=True)
class Decoded:
    """An image from elsewhere.

    Args:
        pixels: sRGB in 0..255; shape (h, w, 3).
        text: The text chunks of a PNG, by key.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    text: Mapping[str, str] = field(default_factory=dict)


def decode_foreign(content: bytes) -> Decoded:
    """Decode a PNG, JPEG, WebP, TIFF or BMP. Turns it as its EXIF orientation says; applies no colour profile.

    Args:
        content: The file's bytes.

    Raises:
        CorruptSample: It is no such image, or it is animated, transparent, too large, or not 8-bit RGB or grey. The
            message is the end of a sentence about the image.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            _check(image)
            text = {str(key): str(value) for key, value in getattr(image, "text", {}).items()}
            turned = ImageOps.exif_transpose(image)
            if turned.has_transparency_data and _is_transparent(turned):
                raise CorruptSample("has transparent pixels; save it without an alpha channel")
            return Decoded(np.array(turned.convert("RGB")), text)
    except CorruptSample:
        raise
    except Image.UnidentifiedImageError:
        raise CorruptSample("is not an image (PNG, JPEG, WebP, TIFF or BMP)") from None
    except Exception as error:  # decoders raise many kinds on broken bytes
        raise CorruptSample(f"is a damaged image ({shown(' '.join(str(error).split()))})") from error


def _check(image: "Image.Image") -> None:
    if image.width * image.height > MOST_PIXELS:
        raise CorruptSample(f"has {image.width} x {image.height} pixels, more than {MOST_PIXELS}")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise CorruptSample(f"has {frames} frames")
    if image.mode.startswith("I"):  # Pillow would clip it to white
        raise CorruptSample("has 16-bit grey pixels; convert it to 8 bits")
    if image.mode not in _MODES:
        raise CorruptSample(f"has pixels of mode {image.mode}; convert it to 8-bit RGB")


def _is_transparent(image: "Image.Image") -> bool:
    return bool(np.array(image.convert("RGBA"))[..., 3].min() < 255)
