"""RMS contrast: the standard deviation of brightness (Peli, "Contrast in complex images", 1990).

Of luma in 0..1, so from 0 to 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.images import Images


@scorer(
    name="contrast",
    version=1,
    unit="sample",
    medium="image",
    metrics=[
        Metric(
            name="contrast",
            label="Contrast",
            meaning="spread of luminance, 0 to 0.5",
            better="neither",
            low=0.0,
            high=0.5,
            grows_with_n=False,
        )
    ],
)
class Contrast:
    """Standard deviation of luma; 0 for a blank image."""

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        from skewbench.eval.scoring.images import luma

        check_batch(images, prompts)
        return {"contrast": [Score(float(value)) for value in luma(images).std(axis=(1, 2)) / 255]}
