"""Features of DINOv2: the class token of ViT-L/14 after its last normalisation, 1,024 numbers.

Oquab et al., "DINOv2: learning robust visual features without supervision", TMLR 2024, in transformers. Images are
resized to 224 x 224 (bicubic, no crop), as Stein et al., "Exposing flaws of generative model evaluation metrics and
their unfair treatment of diffusion models", NeurIPS 2023, do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.features import features
from skewbench.eval.weights import BadWeights, path_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.images import AnyImages
    from skewbench.eval.scoring.instances import Scorers


class Dinov2:
    """The network, loaded at the first image.

    Args:
        weights: Folder of a transformers `Dinov2Model`, or a function that finds it when it is needed.
        device: Where it computes.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        from skewbench.eval.scoring.remembered import Remembered

        self._weights, self._device, self._memory = weights, device, Remembered()

    def images(self, images: AnyImages) -> Float[Tensor, "n d"]:
        """Compute the features of images.

        Args:
            images: n images, sRGB pixels in 0..255, of any sizes.

        Returns:
            Features in float32 on the CPU; shape (n, d).
        """
        import torch

        from skewbench.eval.scoring.imagenet_pixels import imagenet_pixels
        from skewbench.eval.scoring.remembered import image_key

        def compute(rows: list[int]) -> Tensor:
            pixels = torch.stack([imagenet_pixels(images[row]) for row in rows])
            return self._model(pixel_values=pixels.to(self._device)).last_hidden_state[:, 0]

        if not len(images):
            return torch.zeros(0, int(self._model.config.hidden_size))
        return self._memory.get([image_key(image) for image in images], compute)

    @cached_property
    def _model(self) -> Any:
        import torch

        from skewbench.eval.cpu_torchvision import define_missing_operators

        define_missing_operators()
        from safetensors import SafetensorError
        from transformers import Dinov2Model
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # its bar of a second would break the lines of a run's progress
        folder = self._weights() if callable(self._weights) else self._weights
        faults = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)
        try:
            model, loading = Dinov2Model.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
        except faults as error:
            raise BadWeights(f"{folder} holds no DINOv2: {' '.join(str(error).split())[:300]}") from error
        if lacking := sorted(loading["missing_keys"]):
            raise BadWeights(f"{folder} holds no DINOv2: {lacking[0]} is missing")
        return model.to(self._device).eval()


@features(name="dinov2", label="DINOv2", per_prompt=True, needs=["dinov2-vit-l-14"])
def dinov2(scorers: Scorers) -> Dinov2:
    """Make the network with the published weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return Dinov2(partial(path_of, "dinov2-vit-l-14"), scorers.device)
