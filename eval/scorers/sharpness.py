"""Sharpness: the variance of the Laplacian.

Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000. Of luma in 0..255, with the four-neighbour
kernel. It grows with noise too, and depends on the image's size: compare within one size.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from skewbench.eval.scorers.contract import Images, Score, check_batch
from skewbench.eval.scorers.images import luma

_LAPLACIAN = np.array([[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]])


class Sharpness:
    """Variance of the Laplacian; 0 for a blank image."""

    name = "sharpness"
    version = 1
    metrics: tuple[str, ...] = ("sharpness",)
    needs: tuple[str, ...] = ()

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        edges = ndimage.convolve(luma(images), _LAPLACIAN, mode="nearest")
        return {"sharpness": [Score(float(value)) for value in edges.var(axis=(1, 2))]}
