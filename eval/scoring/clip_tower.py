"""Image and text features of a CLIP, by open_clip: each image and each text is computed once."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.eval.scoring.images import AnyImages
from skewbench.eval.scoring.remembered import Remembered, image_key
from skewbench.eval.weights import BadWeights


class ClipTower:
    """A CLIP whose features several scorers share. Loaded at the first batch.

    Args:
        model: The model for open_clip: a name (`ViT-L-14-quickgelu`), `hf-hub:<repository>`, a folder with
            `open_clip_config.json` and weights, or a configuration file (`<name>.json`).
        weights: A checkpoint file (safetensors, or a pickle of only tensors), or a function that finds it when it is
            needed. None where the folder or the repository has them.
        device: The device for the computation. Features are float32 and come back on the CPU.
        resize: `shortest` side to the model's size and a crop, as CLIP; `longest` and black bars, as HPS; `squash` to a
            square, as CMMD.

    Raises `BadWeights` at the first batch if a file does not contain this model.
    """

    def __init__(
        self,
        model: str | Path,
        weights: str | Path | Callable[[], Path] | None = None,
        device: str | torch.device = "cpu",
        resize: Literal["shortest", "longest", "squash"] | None = None,
    ) -> None:
        self.model, self.weights, self.device, self.resize = str(model), weights, torch.device(device), resize
        self._images, self._texts = Remembered(), Remembered()

    @property
    def width(self) -> int:
        """The number of features."""
        return int(self._loaded.model.visual.output_dim)

    def images(self, images: AnyImages) -> Float[Tensor, "n d"]:
        """Compute image features, with the model's own resizing, crop and normalisation.

        Args:
            images: n images, sRGB pixels in 0..255 of shape (h, w, 3), which may differ in size.

        Returns:
            Unit features in float32 on the CPU; shape (n, d).
        """

        def compute(rows: list[int]) -> Tensor:
            pixels = torch.stack([self._loaded.transform(Image.fromarray(images[row])) for row in rows])
            return self._loaded.model.encode_image(pixels.to(self.device), normalize=True)

        if not len(images):
            return torch.zeros(0, self.width)
        return self._images.get([image_key(image) for image in images], compute)

    def texts(self, prompts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Compute text features.

        Args:
            prompts: n prompts. Text beyond the model's context (77 tokens) is cut off, as CLIP does.

        Returns:
            Unit features in float32 on the CPU; shape (n, d).
        """
        keys = [prompt.encode("utf-8", "surrogatepass") for prompt in prompts]

        def compute(rows: list[int]) -> Tensor:
            tokens = self._loaded.tokenizer([prompts[row] for row in rows])
            return self._loaded.model.encode_text(tokens.to(self.device), normalize=True)

        return self._texts.get(keys, compute) if keys else torch.zeros(0, self.width)

    @cached_property
    def _loaded(self) -> "_Loaded":
        weights = self.weights() if callable(self.weights) else self.weights
        return _load(self.model, None if weights is None else str(weights), self.device, self.resize)


class _Loaded:
    """Load a name with open_clip: the model, its image transform, its tokenizer."""

    def __init__(self, model: Any, transform: Callable[[Image.Image], Tensor], tokenizer: Any) -> None:
        self.model, self.transform, self.tokenizer = model, transform, tokenizer


def _load(model: str, weights: str | None, device: torch.device, resize: str | None) -> _Loaded:
    define_missing_operators()
    import open_clip

    name = model
    if Path(model).is_dir():
        name = f"local-dir:{model}"
    elif model.endswith(".json"):
        open_clip.add_model_config(model)
        name = Path(model).stem
    faults = (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, UnpicklingError, _safetensors_error())
    try:
        made, transform = open_clip.create_model_from_pretrained(
            name, weights, device=device, image_resize_mode=resize, weights_only=True
        )
        return _Loaded(made.eval(), transform, open_clip.get_tokenizer(name))
    except faults as error:
        where = weights or model
        raise BadWeights(f"{where} contains no weights of {Path(model).name}: {_first_line(error)}") from error


def _safetensors_error() -> type[Exception]:
    from safetensors import SafetensorError

    return SafetensorError


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
