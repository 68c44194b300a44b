"""Remembers rows of features, so that scorers that share a network compute each image once."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

KEPT_BYTES = 256_000_000
"""Bytes of features that are kept: those of 62,500 images where a network has 1,024 features."""
BATCH = 32
"""Number of images, or texts, that are computed at once."""


def image_key(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Return the digest of an image's size and pixels.

    Args:
        image: sRGB pixels in 0..255; shape (h, w, 3).
    """
    return sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()


class Remembered:
    """Rows of features by key. The rows that were used least recently are discarded first."""

    def __init__(self) -> None:
        self._rows: OrderedDict[bytes, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    @torch.inference_mode()
    def get(self, keys: Sequence[bytes], compute: Callable[[list[int]], Float[Tensor, "b d"]]) -> Float[Tensor, "n d"]:
        """Return one row per key, and compute those that are not known.

        Args:
            keys: n keys, at least one; equal keys have equal rows.
            compute: Computes the rows of up to `BATCH` positions in `keys`.

        Returns:
            Rows in float32 on the CPU; shape (n, d).
        """
        first = {key: row for row, key in reversed(list(enumerate(keys))) if key not in self._rows}
        missing = sorted(first.values())
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            for row, feature in zip(part, compute(part).float().cpu(), strict=True):
                self._rows[keys[row]] = feature.clone()  # a view would keep its whole batch
        found = torch.stack([self._rows[key] for key in keys])
        for key in keys:
            self._rows.move_to_end(key)
        while len(self._rows) * found[0].nbytes > KEPT_BYTES:
            self._rows.popitem(last=False)
        return found
