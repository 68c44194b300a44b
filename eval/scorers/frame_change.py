"""Change between frames of a video: the mean absolute difference of luma between consecutive frames.

In levels of 0..255 a frame; 0 for a still video. Cuts and flicker raise it as motion does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.video import Videos


@scorer(
    name="frame_change",
    version=1,
    unit="sample",
    medium="video",
    metrics=[
        Metric(
            name="frame_change",
            label="Change between frames",
            meaning="mean difference of consecutive frames; grows with motion, cuts and flicker",
            better="neither",
            low=0.0,
            high=255.0,
            grows_with_n=False,
        )
    ],
)
class FrameChange:
    """Mean absolute difference of consecutive frames. A single frame has none."""

    def score(self, videos: Videos, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import numpy as np

        from skewbench.eval.scoring.images import luma

        check_batch(videos, prompts)
        return {
            "frame_change": [
                Score(float(np.abs(np.diff(luma(frames), axis=0)).mean()))
                if len(frames) > 1
                else Score(None, "the video has one frame")
                for frames in videos.frames
            ]
        }
