"""Images as networks of ImageNet take them: squashed to a square by Pillow, and normalised."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

SIDE = 224
"""Side of the images that the networks see, in pixels."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels in 0..1."""


def imagenet_pixels(image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 s s"]:
    """Resize an image to `SIDE` x `SIDE` (bicubic, antialiased, no crop) and normalise it.

    Args:
        image: sRGB pixels in 0..255; shape (h, w, 3).

    Returns:
        Pixels in units of `DEVIATION` about `MEAN`; shape (3, `SIDE`, `SIDE`).
    """
    resized = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 255
    return torch.from_numpy((resized - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)).permute(2, 0, 1)
