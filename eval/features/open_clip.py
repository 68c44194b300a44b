"""Features of OpenCLIP's ViT-H/14, trained on LAION-2B: a CLIP that is larger than OpenAI's, and of other data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.features import features

if TYPE_CHECKING:
    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.instances import Scorers


@features(name="open_clip", label="OpenCLIP", per_prompt=True, needs=["clip-vit-h-14"])
def open_clip(scorers: Scorers) -> ClipTower:
    """Return OpenCLIP's ViT-H/14.

    Args:
        scorers: The scorers of the process, which share it.
    """
    return scorers.tower("clip-vit-h-14")
