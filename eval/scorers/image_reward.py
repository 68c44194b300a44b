"""ImageReward v1.0: predicted human ranking of the image for its prompt, about −2 to 2; SDXL is at 0.5.

Xu et al., "ImageReward: learning and evaluating human preferences for text-to-image generation", NeurIPS 2023: a BLIP
whose text encoder looks at the image, and a small network on its first token. The authors' package wants libraries of
2022; BLIP is in transformers under the same names, so that their checkpoint is loaded into that.
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
    from torch import Tensor, nn

    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

LONGEST = 35
"""Tokens of a prompt that are read."""
_BATCH = 16


class ImageReward:
    """Reward of image and prompt. An empty prompt has none.

    Args:
        weights: Folder with `ImageReward.pt` and BERT's tokenizer, or a function that finds it when it is needed.
        device: The device for the computation.
        text: Sizes of BLIP's text encoder; None for the authors'.
        vision: Sizes of BLIP's image encoder; None for the authors'.
    """

    def __init__(
        self,
        weights: Path | Callable[[], Path],
        device: str = "cpu",
        text: dict[str, Any] | None = None,
        vision: dict[str, Any] | None = None,
    ) -> None:
        self._weights, self._device, self._sizes = weights, device, (text, vision)

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch

        check_batch(images, prompts)
        scores: list[Score] = []
        for start in range(0, len(prompts), _BATCH):
            part = slice(start, start + _BATCH)
            with torch.inference_mode():
                rewards = self._rewards(images[part], prompts[part]).tolist()
            pairs = zip(rewards, prompts[part], strict=True)
            scores += [Score(reward) if prompt.strip() else NO_PROMPT for reward, prompt in pairs]
        return {"image_reward": scores}

    def _rewards(self, images: Images, prompts: Sequence[str]) -> Tensor:
        from PIL import Image

        model, processor, tokens = self._loaded
        pixels = processor(images=[Image.fromarray(image) for image in images], return_tensors="pt")["pixel_values"]
        read = tokens(list(prompts), padding="max_length", truncation=True, max_length=LONGEST, return_tensors="pt")
        inputs = (pixels, read["input_ids"], read["attention_mask"])
        return model(*(tensor.to(self._device) for tensor in inputs)).cpu()

    @cached_property
    def _loaded(self) -> tuple[nn.Module, Any, Any]:
        from skewbench.eval.cpu_torchvision import define_missing_operators
        from skewbench.eval.scoring.blip_reward import TEXT, VISION, ImageRewardModel, renamed
        from skewbench.eval.scoring.checkpoint import fill, read_tensors

        define_missing_operators()
        from transformers import BertTokenizer, CLIPImageProcessorPil

        folder = self._weights() if callable(self._weights) else self._weights
        path = folder / "ImageReward.pt"
        text, vision = self._sizes[0] or TEXT, self._sizes[1] or VISION
        model = fill(ImageRewardModel(text, vision), renamed(read_tensors(path)), path)
        try:
            tokens = BertTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadWeights(f"{folder} contains no tokenizer: {' '.join(str(error).split())[:200]}") from error
        size = vision["image_size"]
        square = {"height": size, "width": size}
        processor = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size=square)  # CLIP's mean and deviation
        return model.to(self._device), processor, tokens


@scorer(
    name="image_reward",
    version=1,
    unit="sample",
    medium="image",
    needs=["image-reward-v1"],
    metrics=[
        Metric(
            name="image_reward",
            label="ImageReward",
            meaning="predicted human preference for this prompt",
            better="higher",
            low=None,
            high=None,
            grows_with_n=False,
            rank=20,
        )
    ],
)
def image_reward(scorers: Scorers) -> ImageReward:
    """Make the scorer with its authors' weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return ImageReward(partial(path_of, "image-reward-v1"), scorers.device)
