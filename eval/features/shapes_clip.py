"""Features of the bundled CLIP, which knows rendered scenes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skewbench.eval.scoring.features import features

if TYPE_CHECKING:
    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.instances import Scorers


@features(name="shapes_clip", label="shapes-clip", per_prompt=True)
def shapes_clip(scorers: Scorers) -> ClipTower:
    """Return the bundled CLIP.

    Args:
        scorers: The scorers of the process, which share it.
    """
    return scorers.tower("shapes-clip")
