"""Sharpness of a video: the mean over its frames of the variance of the Laplacian, as of an image (`sharpness`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.video import Videos


@scorer(
    name="frame_sharpness",
    version=1,
    unit="sample",
    medium="video",
    metrics=[
        Metric(
            name="frame_sharpness",
            label="Sharpness of frames",
            meaning="variance of the Laplacian, mean over frames; grows with detail and with noise",
            better="neither",
            low=0.0,
            high=None,
            grows_with_n=False,
        )
    ],
)
class FrameSharpness:
    """Mean sharpness of the frames."""

    def score(self, videos: Videos, prompts: Sequence[str]) -> dict[str, list[Score]]:
        from skewbench.eval.scorers.sharpness import laplacian_variance

        check_batch(videos, prompts)
        return {"frame_sharpness": [Score(float(laplacian_variance(frames).mean())) for frames in videos.frames]}
