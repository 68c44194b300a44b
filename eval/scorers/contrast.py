"""RMS contrast: the standard deviation of brightness (Peli, "Contrast in complex images", 1990).

Of luma in 0..1, so from 0 to 0.5.
"""

from collections.abc import Sequence

from skewbench.eval.scorers.contract import Images, Score, check_batch
from skewbench.eval.scorers.images import luma


class Contrast:
    """Standard deviation of luma; 0 for a blank image."""

    name = "contrast"
    version = 1
    metrics: tuple[str, ...] = ("contrast",)
    needs: tuple[str, ...] = ()

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        return {"contrast": [Score(float(value)) for value in luma(images).std(axis=(1, 2)) / 255]}
