"""Stable Diffusion 3 and 3.5: joint attention on latents, flow matching, guidance as rows of one batch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage

_OPTIONAL = ("text_encoder_3", "tokenizer_3")


@register
class Sd3(TextToImage):
    """StableDiffusion3Pipeline, also without its third text encoder (T5).

    Guidance runs the transformer once a step on rows [uncond; cond]. Image tokens come first, then text. The
    self-attentions are numbered by depth; those of image tokens alone (3.5 medium's second ones) count too.
    """

    name = "sd3"
    pipelines = ("StableDiffusion3Pipeline",)
    example = "stabilityai/stable-diffusion-3.5-medium"
    denoiser = "transformer"
    branches = ("uncond", "cond")
    joint = True
    parts = ("transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
    settings = ("negative_prompt", "clip_skip", "lora")
    encoding = PromptEncoding()
    encoders: ClassVar = (Encoder("tokenizer"), Encoder("tokenizer_2"), Encoder("tokenizer_3", 256))

    def loading_of(self, folder: Path) -> Mapping[str, Any]:
        """Name the parts that the model goes without: diffusers does not take that from model_index.json."""
        try:
            index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        except OSError:
            return self.loading
        return {name: None for name in _OPTIONAL if index.get(name, [None])[0] is None}
