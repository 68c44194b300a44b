"""PickScore v1: predicted human choice between images of a prompt; SDXL is at about 22.

Kirstain et al., "Pick-a-Pic: an open dataset of user preferences for text-to-image generation", NeurIPS 2023: the
scaled cosine of a fine-tuned CLIP ViT-H/14, in transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import NO_PROMPT, Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import BadWeights, path_of
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

_BATCH = 32


class PickScore:
    """exp(logit scale) x cosine of image and prompt. An empty prompt has no score; a long one is cut.

    Args:
        weights: Folder of the model with its processor, or a function that finds it when it is needed.
        device: The device for the computation.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._weights, self._device = weights, device

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch

        check_batch(images, prompts)
        scores: list[Score] = []
        for start in range(0, len(prompts), _BATCH):
            part = slice(start, start + _BATCH)
            with torch.inference_mode():
                values = self._values(images[part], prompts[part]).tolist()
            pairs = zip(values, prompts[part], strict=True)
            scores += [Score(value) if prompt.strip() else NO_PROMPT for value, prompt in pairs]
        return {"pickscore": scores}

    def _values(self, images: Images, prompts: Sequence[str]) -> Tensor:
        from PIL import Image

        model, processor, tokens = self._loaded
        pixels = processor(images=[Image.fromarray(image) for image in images], return_tensors="pt")["pixel_values"]
        words = tokens(list(prompts), padding="max_length", truncation=True, max_length=77, return_tensors="pt")
        outputs = model(
            input_ids=words["input_ids"].to(self._device),
            attention_mask=words["attention_mask"].to(self._device),
            pixel_values=pixels.to(self._device),
        )  # unit features
        return model.logit_scale.exp() * (outputs.image_embeds * outputs.text_embeds).sum(dim=1)

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        import torch
        from safetensors import SafetensorError

        from skewbench.eval.cpu_torchvision import define_missing_operators

        define_missing_operators()
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

        folder = self._weights() if callable(self._weights) else self._weights
        try:
            model, loading = CLIPModel.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            # Pillow's resizing, as of the published numbers
            processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
            tokens = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
            raise BadWeights(f"{folder} contains no PickScore: {' '.join(str(error).split())[:300]}") from error
        if lacking := sorted(loading["missing_keys"]):
            raise BadWeights(f"{folder} contains no PickScore: {lacking[0]} is missing")
        return model.to(self._device).eval(), processor, tokens


@scorer(
    name="pickscore",
    version=1,
    unit="sample",
    medium="image",
    needs=["pickscore-v1"],
    metrics=[
        Metric(
            name="pickscore",
            label="PickScore",
            meaning="predicted human choice",
            better="higher",
            low=-100.0,
            high=100.0,
            grows_with_n=False,
        )
    ],
)
def pickscore(scorers: Scorers) -> PickScore:
    """Make the scorer with its authors' weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return PickScore(partial(path_of, "pickscore-v1"), scorers.device)
