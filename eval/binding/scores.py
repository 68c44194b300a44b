"""All metrics of the binding scorer for one image."""

import numpy as np
from jaxtyping import UInt8

from skewbench.eval.binding.describe import describe
from skewbench.eval.binding.facts import binding, facts, leak, part
from skewbench.eval.binding.match import match
from skewbench.eval.scenes.captions import CaptionMeaning
from skewbench.eval.scoring.contract import Score

PARTS = ("presence", "colour", "texture", "relation")


def score_scene(image: UInt8[np.ndarray, "h w 3"], meaning: CaptionMeaning) -> dict[str, Score]:
    """Compute all metrics of one image: `binding`, `binding_<part>` for each of `PARTS`, and `leak`.

    Args:
        image: sRGB pixels in 0..255; shape (h, w, 3).
        meaning: What the prompt says.

    Returns:
        Scores in 0..1 by metric; None with the reason if the prompt states nothing that the metric is about.
    """
    seen = describe(image)
    matching = match(meaning, seen)
    stated = facts(meaning, seen, matching)
    return {
        "binding": binding(stated, extra=len(seen.objects) - len(matching)),
        **{f"binding_{kind}": part(stated, kind) for kind in PARTS},
        "leak": leak(meaning, seen, matching),
    }
