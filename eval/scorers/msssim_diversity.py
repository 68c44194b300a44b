"""Diversity of one prompt's images: 1 - mean MS-SSIM over their unordered pairs, 0 (all alike) to 1.

MS-SSIM is of Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", 2003, in the
library pytorch-msssim, on RGB in 0..255. Images of more than 160 pixels a side get the paper's settings: five scales,
Gaussian window of 11. Smaller ones cannot hold those, and at 64 pixels the coarsest of five scales would be 4 pixels
wide, where one pair in ten is an exact 0: they get the three finest scales, weights scaled to a sum of 1, and a window
of 3. Values of the two settings do not compare.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    import numpy as np

    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

LARGE_OVER = 160
SMALL_OVER = 32
"""The library asks for more than 16 (window - 1) pixels a side."""
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SMALL_SCALES, _SMALL_WINDOW, _LARGE_WINDOW = 3, 3, 11
_PAIRS_AT_ONCE = 64


@scorer(
    name="msssim_diversity",
    version=1,
    unit="prompt",
    medium="image",
    set=SET,
    metrics=[
        Metric(
            name="msssim_diversity",
            label="MS-SSIM diversity",
            meaning="dissimilarity of a prompt's images, 0 to 1",
            better="higher",
            low=0.0,
            high=1.0,
            grows_with_n=False,
            rank=10,
        )
    ],
)
class MsSsimDiversity:
    """1 - mean pairwise MS-SSIM of a set. Blank images are left out: a black frame is not diverse."""

    def __init__(self, scorers: Scorers) -> None:
        self.device = scorers.device

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        from skewbench.eval.scoring.images import is_blank

        kept = [image for image in images if not is_blank(image)]
        return {"msssim_diversity": self._score(kept, min(images.shape[1:3]))}

    def _score(self, kept: list[np.ndarray], side: int) -> GroupScore:
        if len(kept) < 2:
            return GroupScore(None, f"{len(kept)} images that are not blank; pairs need two", n=len(kept))
        if side <= SMALL_OVER:
            return GroupScore(
                None, f"images of {side} pixels a side; MS-SSIM needs more than {SMALL_OVER}", n=len(kept)
            )
        import numpy as np
        import torch
        from pytorch_msssim import ms_ssim

        batch = torch.from_numpy(np.stack(kept)).to(self.device).permute(0, 3, 1, 2).float()
        first, second = torch.tensor(list(combinations(range(len(kept)), 2)), device=self.device).unbind(1)
        scales = len(_WEIGHTS) if side > LARGE_OVER else _SMALL_SCALES
        weights = [w / sum(_WEIGHTS[:scales]) for w in _WEIGHTS[:scales]]
        window = _LARGE_WINDOW if side > LARGE_OVER else _SMALL_WINDOW
        alike = [
            ms_ssim(batch[i], batch[j], data_range=255, size_average=False, win_size=window, weights=weights)
            for i, j in zip(first.split(_PAIRS_AT_ONCE), second.split(_PAIRS_AT_ONCE), strict=True)
        ]
        return GroupScore(float(1 - torch.cat(alike).double().mean()), n=len(kept))
