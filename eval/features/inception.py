"""Features of the Inception of 2015-12-05, on which FID and KID are published, in torch-fidelity's conversion."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.features import features
from skewbench.eval.weights import BadWeights, path_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.images import AnyImages
    from skewbench.eval.scoring.instances import Scorers

WIDTH = 2048


class Inception:
    """The network, loaded at the first image.

    Args:
        weights: torch-fidelity's conversion, or a function that finds it when it is needed.
        device: Where it computes.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        from skewbench.eval.scoring.remembered import Remembered

        self._weights, self._device, self._memory = weights, device, Remembered()

    def images(self, images: AnyImages) -> Float[Tensor, "n d"]:
        """Compute Inception features; the network first resizes each image to 299 x 299 itself.

        Args:
            images: n images, sRGB pixels in 0..255, of any sizes.

        Returns:
            Features in float32 on the CPU; shape (n, WIDTH).
        """
        import numpy as np
        import torch

        from skewbench.eval.scoring.remembered import image_key

        def compute(rows: list[int]) -> Tensor:
            found = []
            for _, alike in groupby((images[row] for row in rows), key=lambda image: image.shape):
                pixels = torch.from_numpy(np.stack(list(alike))).permute(0, 3, 1, 2)
                found.append(self._network(pixels.to(self._device))[0])
            return torch.cat(found)

        if not len(images):
            return torch.zeros(0, WIDTH)
        return self._memory.get([image_key(image) for image in images], compute)

    @cached_property
    def _network(self) -> Any:
        import torch

        from skewbench.eval.cpu_torchvision import define_missing_operators
        from skewbench.eval.scoring.checkpoint import read_tensors

        define_missing_operators()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = self._weights() if callable(self._weights) else self._weights
        safe = BytesIO()  # torch-fidelity would unpickle whatever the file holds: it gets the tensors alone
        torch.save(read_tensors(path), safe)
        safe.seek(0)
        try:
            network = FeatureExtractorInceptionV3("inception", [str(WIDTH)], feature_extractor_weights_path=safe)
        except RuntimeError as error:
            raise BadWeights(f"{path} is not of Inception: {' '.join(str(error).split())[:300]}") from error
        return network.to(self._device).eval()


@features(name="inception", label="Inception", per_prompt=False, needs=["inception-2015-12-05", "torch_fidelity"])
def inception(scorers: Scorers) -> Inception:
    """Make the network with the published weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return Inception(partial(path_of, "inception-2015-12-05"), scorers.device)
