"""Features of OpenAI's CLIP ViT-L/14, by open_clip, with the preprocessing of CLIPScore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.features import features

if TYPE_CHECKING:
    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.instances import Scorers


@features(name="clip", label="CLIP", per_prompt=True, needs=["clip-vit-l-14"])
def clip(scorers: Scorers) -> ClipTower:
    """Return the CLIP of CLIPScore.

    Args:
        scorers: The scorers of the process, which share it.
    """
    return scorers.tower("clip-vit-l-14")
