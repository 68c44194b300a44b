"""Features of OpenAI's CLIP ViT-L/14 at 336 pixels, of images that are squashed to a square, as CMMD takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.features import features

if TYPE_CHECKING:
    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.instances import Scorers


@features(name="clip_336", label="CLIP at 336 pixels", per_prompt=False, needs=["clip-vit-l-14-336"])
def clip_336(scorers: Scorers) -> ClipTower:
    """Return the CLIP of CMMD.

    Args:
        scorers: The scorers of the process, which share it.
    """
    return scorers.tower("clip-vit-l-14-336")
