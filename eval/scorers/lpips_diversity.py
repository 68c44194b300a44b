"""LPIPS diversity of one prompt's images: mean LPIPS over their unordered pairs. 0 (all alike) to about 0.8.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018, version 0.1 with
AlexNet, in the library lpips, at the images' own size. The heads come with the library, AlexNet does not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import GroupScore
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.scoring.feature_diversity import SET
from skewbench.eval.weights import path_of
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

SMALLEST = 32
"""Pixels a side that AlexNet's strides and pools need."""
_PAIRS_AT_ONCE = 16
_IMAGES_AT_ONCE = 16


class LpipsDiversity:
    """Mean LPIPS over the pairs of a set; features are computed once an image. Blank images are left out.

    Args:
        weights: torchvision's AlexNet checkpoint, or a function that finds it when it is needed.
        device: The device for the computation.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._weights, self._device = weights, device

    def score_group(self, images: Images, prompt: str | None) -> dict[str, GroupScore]:
        from skewbench.eval.scoring.images import is_blank

        kept = [image for image in images if not is_blank(image)]
        return {"lpips_diversity": self._score(kept, min(images.shape[1:3]))}

    def _score(self, kept: list[np.ndarray], side: int) -> GroupScore:
        if len(kept) < 2:
            return GroupScore(None, f"{len(kept)} images that are not blank; pairs need two", n=len(kept))
        if side < SMALLEST:
            return GroupScore(None, f"images of {side} pixels a side; LPIPS needs {SMALLEST}", n=len(kept))
        import numpy as np

        return GroupScore(float(self._distances(np.stack(kept)).double().mean()), n=len(kept))

    def _distances(self, images: Images) -> Tensor:
        """LPIPS of all unordered pairs of n images: (n (n - 1) / 2,)."""
        import torch

        with torch.inference_mode():
            return self._inferred(images)

    def _inferred(self, images: Images) -> Tensor:
        import torch

        model = self._model
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).to(self._device).float() / 127.5 - 1
        outputs = [model.net(model.scaling_layer(part)) for part in pixels.split(_IMAGES_AT_ONCE)]
        # unit length at each place, layer by layer
        layers = [torch.nn.functional.normalize(torch.cat(layer), eps=1e-10) for layer in zip(*outputs, strict=True)]
        first, second = torch.tensor(list(combinations(range(len(images)), 2)), device=self._device).unbind(1)
        distances = []
        for i, j in zip(first.split(_PAIRS_AT_ONCE), second.split(_PAIRS_AT_ONCE), strict=True):
            heads = zip(model.lins, layers, strict=True)
            distances.append(sum(head((layer[i] - layer[j]) ** 2).mean(dim=(1, 2, 3)) for head, layer in heads))
        return torch.cat(distances)

    @cached_property
    def _model(self) -> Any:
        from skewbench.eval.cpu_torchvision import define_missing_operators
        from skewbench.eval.scoring.checkpoint import fill, read_tensors

        define_missing_operators()
        import lpips

        path = self._weights() if callable(self._weights) else self._weights
        with warnings.catch_warnings():  # lpips calls torchvision the old way
            warnings.simplefilter("ignore")
            model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        # the library's slices keep the numbers of AlexNet's layers: slice2.3.weight is features.3.weight
        names = {f"features.{name.split('.', 1)[1]}": name for name in model.net.state_dict()}
        state = read_tensors(path)
        fill(model.net, {names[name]: tensor for name, tensor in state.items() if name in names}, path)
        return model.eval().to(self._device)


@scorer(
    name="lpips_diversity",
    version=1,
    unit="prompt",
    medium="image",
    needs=["alexnet", "lpips"],
    set=SET,
    metrics=[
        Metric(
            name="lpips_diversity",
            label="LPIPS diversity",
            meaning="dissimilarity of a prompt's images for a network",
            better="higher",
            low=0.0,
            high=None,
            grows_with_n=False,
            rank=20,
        )
    ],
)
def lpips_diversity(scorers: Scorers) -> LpipsDiversity:
    """Make the scorer with torchvision's AlexNet.

    Args:
        scorers: The scorers of the process: the device.
    """
    return LpipsDiversity(partial(path_of, "alexnet"), scorers.device)
