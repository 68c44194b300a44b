"""PickScore v1: which of two pictures of a prompt people pick; SDXL is at about 22.

Kirstain et al., "Pick-a-Pic: an open dataset of user preferences for text-to-image generation", NeurIPS 2023: the
scaled cosine of a fine-tuned CLIP ViT-H/14, in transformers.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.eval.scorers.clip import NO_PROMPT
from skewbench.eval.scorers.contract import Images, Score, check_batch
from skewbench.eval.weights import BadWeights

_BATCH = 32


class PickScore:
    """exp(logit scale) x cosine of picture and prompt. An empty prompt has no score; a long one is cut.

    Args:
        weights: Folder of the model with its processor, or a function that finds it when it is needed.
        needs: Name of the weights.
        device: Where it computes.
    """

    name = "pickscore"
    version = 1
    metrics: tuple[str, ...] = ("pickscore",)

    def __init__(
        self, weights: Path | Callable[[], Path], needs: tuple[str, ...] = (), device: str | torch.device = "cpu"
    ) -> None:
        self.needs = needs
        self._weights, self._device = weights, torch.device(device)

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        check_batch(images, prompts)
        scores: list[Score] = []
        for start in range(0, len(prompts), _BATCH):
            part = slice(start, start + _BATCH)
            values = self._values(images[part], prompts[part]).tolist()
            pairs = zip(values, prompts[part], strict=True)
            scores += [Score(value) if prompt.strip() else NO_PROMPT for value, prompt in pairs]
        return {"pickscore": scores}

    @torch.inference_mode()
    def _values(self, images: Images, prompts: Sequence[str]) -> Tensor:
        model, pictures, tokens = self._loaded
        pixels = pictures(images=[Image.fromarray(image) for image in images], return_tensors="pt")["pixel_values"]
        words = tokens(list(prompts), padding="max_length", truncation=True, max_length=77, return_tensors="pt")
        outputs = model(
            input_ids=words["input_ids"].to(self._device),
            attention_mask=words["attention_mask"].to(self._device),
            pixel_values=pixels.to(self._device),
        )  # unit features
        return model.logit_scale.exp() * (outputs.image_embeds * outputs.text_embeds).sum(dim=1)

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        from safetensors import SafetensorError

        define_missing_operators()
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

        folder = self._weights() if callable(self._weights) else self._weights
        try:
            model, told = CLIPModel.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            # Pillow's resizing, as of the published numbers
            pictures = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
            tokens = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
            raise BadWeights(f"{folder} holds no PickScore: {' '.join(str(error).split())[:300]}") from error
        if lacking := sorted(told["missing_keys"]):
            raise BadWeights(f"{folder} holds no PickScore: {lacking[0]} is missing")
        return model.to(self._device).eval(), pictures, tokens
