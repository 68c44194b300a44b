"""ImageReward v1.0 by its authors' package `image-reward`, in an environment of its own.

Xu et al., "ImageReward: learning and evaluating human preferences for text-to-image generation", NeurIPS 2023. The
package wants timm 0.6.13 and a transformers 4 whose BERT it extends. `image_reward` computes the same without it;
`python -m tests.conformance` compares the two.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from skewbench.eval.environments import Environment
from skewbench.eval.scoring.contract import NO_PROMPT, Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import BadWeights, path_of
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

WEIGHTS = "image-reward-v1"
ENVIRONMENT = Environment(
    "image-reward",
    pip=(
        "image-reward==1.5",
        "transformers==4.46.3",  # the newest that has all names which the package imports
        "tokenizers==0.20.3",
        "huggingface-hub==0.36.2",
        "timm==0.6.13",
        "fairscale==0.4.13",
    ),
    dependencies=False,  # it also requires what only its training needs
)
BERT = {
    "architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1, "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072,
    "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert", "num_attention_heads": 12,
    "num_hidden_layers": 12, "pad_token_id": 0, "add_type_embeddings": False, "vocab_size": 30524,
    "encoder_width": 1024, "add_cross_attention": True,
}  # fmt: skip
"""Configuration of the text encoder that the checkpoint was trained with: BERT base with cross-attention."""


class ImageRewardPackage:
    """Reward of image and prompt, by the package. An empty prompt has none.

    Args:
        weights: Folder with `ImageReward.pt` and BERT's vocabulary, or a function that finds it when it is needed.
        device: Where it computes.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._weights, self._device = weights, device

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch
        from PIL import Image

        check_batch(images, prompts)
        scores = []
        with torch.inference_mode():
            for image, prompt in zip(images, prompts, strict=True):
                empty = not prompt.strip()
                scores.append(NO_PROMPT if empty else Score(self._model.score(prompt, Image.fromarray(image))))
        return {"image_reward_package": scores}

    @cached_property
    def _model(self) -> Any:
        from skewbench.eval.cpu_torchvision import define_missing_operators
        from skewbench.eval.scoring.checkpoint import read_tensors

        define_missing_operators()
        folder = self._weights() if callable(self._weights) else self._weights
        path = folder / "ImageReward.pt"
        state = read_tensors(path)
        with _vocabulary_from(folder), TemporaryDirectory() as temporary:
            from ImageReward.ImageReward import ImageReward

            config = Path(temporary) / "med_config.json"
            config.write_text(json.dumps(BERT), encoding="utf-8")
            model = ImageReward(str(config), self._device)
        try:
            lacking = model.load_state_dict(state, strict=False).missing_keys
        except RuntimeError as error:
            raise BadWeights(f"{path} is not of ImageReward: {' '.join(str(error).split())[:300]}") from error
        if lacking := [name for name in lacking if not name.endswith("position_ids")]:
            raise BadWeights(f"{path} is not of ImageReward: it lacks {', '.join(lacking)[:300]}")
        return model.to(self._device).float().eval().requires_grad_(False)


@contextmanager
def _vocabulary_from(folder: Path) -> Iterator[None]:
    """Within the block, the package can be imported, and reads BERT's vocabulary from a folder and not from the hub."""
    for name in ("clip", "ImageReward.ReFL"):  # of its other scores and of its training; this process uses neither
        sys.modules.setdefault(name, ModuleType(name))
    from ImageReward.models.BLIP import blip

    real = blip.BertTokenizer

    def read(_name: str) -> Any:
        try:
            return real.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadWeights(f"{folder} holds no tokenizer: {' '.join(str(error).split())[:200]}") from error

    blip.BertTokenizer = SimpleNamespace(from_pretrained=read)
    try:
        yield
    finally:
        blip.BertTokenizer = real


@scorer(
    name="image_reward_package",
    version=1,
    unit="sample",
    medium="image",
    needs=[WEIGHTS],
    environment=ENVIRONMENT,
    metrics=[
        Metric(
            name="image_reward_package",
            label="ImageReward (package)",
            meaning="predicted human preference for this prompt, by the authors' package",
            better="higher",
            low=None,
            high=None,
            grows_with_n=False,
        )
    ],
)
def image_reward_package(scorers: Scorers) -> ImageRewardPackage:
    """Make the scorer with its authors' weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return ImageRewardPackage(partial(path_of, WEIGHTS), scorers.device)
