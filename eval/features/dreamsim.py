"""Features of DreamSim: 768 numbers whose cosine is the similarity that people see in two images.

Fu et al., "DreamSim: learning new dimensions of human visual similarity using synthetic data", NeurIPS 2023: a network
tuned on people's choices between images. This is the variant of one branch, `dino_vitb16`: DINO's ViT-B/16 with the
authors' LoRA adapter, in transformers. Their package is not used, because it runs code of a repository's main branch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.features import features
from skewbench.eval.weights import path_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.images import AnyImages
    from skewbench.eval.scoring.instances import Scorers

BACKBONE, ADAPTER = "checkpoints/dino_vitbase16_pretrain.pth", "dino_vitb16_single_lora"
"""Paths within the folder of the weights, as in the folder that the package `dreamsim` fills."""


class DreamSim:
    """The network, loaded at the first image.

    Args:
        weights: Folder with `BACKBONE` and `ADAPTER`, or a function that finds it when it is needed.
        device: Where it computes.
        sizes: Sizes of the network; None for those of ViT-B/16.
    """

    def __init__(
        self, weights: Path | Callable[[], Path], device: str = "cpu", sizes: dict[str, Any] | None = None
    ) -> None:
        from skewbench.eval.scoring.remembered import Remembered

        self._weights, self._device, self._sizes, self._memory = weights, device, sizes, Remembered()

    def images(self, images: AnyImages) -> Float[Tensor, "n d"]:
        """Compute the embeddings of images: the last block's class token, minus its mean, of norm 1.

        Args:
            images: n images, sRGB pixels in 0..255, of any sizes.

        Returns:
            Embeddings in float32 on the CPU; shape (n, d). DreamSim's distance is 1 minus their cosine.
        """
        import torch
        from torch.nn.functional import normalize

        from skewbench.eval.scoring.imagenet_pixels import imagenet_pixels
        from skewbench.eval.scoring.remembered import image_key

        def compute(rows: list[int]) -> Tensor:
            pixels = torch.stack([imagenet_pixels(images[row]) for row in rows])
            token = self._model(pixel_values=pixels.to(self._device)).last_hidden_state[:, 0]
            return normalize(token - token.mean(dim=1, keepdim=True), dim=1)

        if not len(images):
            return torch.zeros(0, int(self._model.config.hidden_size))
        return self._memory.get([image_key(image) for image in images], compute)

    @cached_property
    def _model(self) -> Any:
        from skewbench.eval.scoring.dino_lora import VIT_B_16, load

        folder = self._weights() if callable(self._weights) else self._weights
        return load(folder / BACKBONE, folder / ADAPTER, self._sizes or VIT_B_16).to(self._device)


@features(name="dreamsim", label="DreamSim", per_prompt=True, needs=["dreamsim-dino-vit-b-16"])
def dreamsim(scorers: Scorers) -> DreamSim:
    """Make the network with the published weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return DreamSim(partial(path_of, "dreamsim-dino-vit-b-16"), scorers.device)
