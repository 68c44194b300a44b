"""Sharpness: the variance of the Laplacian.

Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", 2000. Of luma in 0..255, with the four-neighbour
kernel. It grows with noise too, and depends on the image's size: compare within one size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from skewbench.eval.scoring.images import Images

_LAPLACIAN = (((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),)


@scorer(
    name="sharpness",
    version=1,
    unit="sample",
    medium="image",
    metrics=[
        Metric(
            name="sharpness",
            label="Sharpness",
            meaning="variance of the Laplacian; grows with detail and with noise",
            better="neither",
            low=0.0,
            high=None,
            grows_with_n=False,
        )
    ],
)
class Sharpness:
    """Variance of the Laplacian; 0 for a blank image."""

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        return {"sharpness": [Score(float(value)) for value in laplacian_variance(images)]}


def laplacian_variance(images: Images) -> Float[np.ndarray, " n"]:
    """Compute the variance of the Laplacian of each image.

    Args:
        images: Images in 0..255.
    """
    import numpy as np
    from scipy import ndimage

    from skewbench.eval.scoring.images import luma

    edges = ndimage.convolve(luma(images), np.array(_LAPLACIAN), mode="nearest")
    return edges.var(axis=(1, 2))
