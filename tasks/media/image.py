"""Images, kept as PNG."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skewbench.eval.scoring.images import CorruptSample, encode, is_blank, levels
from skewbench.storage.png import MOST_PIXELS, BrokenImage, open_png
from skewbench.storage.tables.images import IMAGES
from skewbench.tasks.media.contract import MediaType
from skewbench.tasks.size import Size

PNG_BYTES_A_PIXEL = 1.4
"""Bytes per pixel of photograph-like images; rendered scenes take a fifth of it."""


class Images(MediaType):
    """Images in [0, 1] of shape (height, width, 3)."""

    noun, table, file, picture, extension = "image", IMAGES, "image", "image", "png"
    replay = "sample.save({file!r})"

    def blank(self, sample: np.ndarray) -> str | None:
        """Detect an image of one colour."""
        return "the image has only one colour" if is_blank(levels(sample)) else None

    def columns(self, sample: np.ndarray, size: Size, name: str) -> dict[str, Any]:
        """Encode as PNG, rounded as diffusers rounds."""
        return {"image": {"bytes": encode(levels(sample)), "path": f"{name}.png"}}

    def decode(self, row: Mapping[str, Any], pixels: int = MOST_PIXELS) -> Any:
        """Decode as sRGB in 0..255, (h, w, 3)."""
        try:
            return np.array(open_png(row["image"]["bytes"], pixels))
        except BrokenImage as error:
            raise CorruptSample(str(error)) from None

    def batch(self, decoded: Sequence[Any]) -> Any:
        """Stack as (n, h, w, 3)."""
        return np.stack(decoded)

    def levels(self, decoded: Any) -> np.ndarray:
        return np.asarray(decoded)

    def disk(self, size: Size) -> float:
        """Estimate by pixels."""
        return (size.width or 0) * (size.height or 0) * PNG_BYTES_A_PIXEL
