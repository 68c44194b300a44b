"""Stable Diffusion 3 and 3.5: joint attention on latents, flow matching, guidance as rows of one batch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage

if TYPE_CHECKING:
    import torch

_OPTIONAL = ("text_encoder_3", "tokenizer_3")
_T5_TOKENS = "0 if pipeline.text_encoder_3 is None and pipeline.tokenizer.model_max_length < 77 else 256"
"""In place of a missing T5 the pipeline appends 256 zero tokens, which SD3 has seen in training. A model whose CLIP
tokenizers read less than SD3's 77 tokens (`shapes-mmdit`) was trained on a sequence of its own, without them."""


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

    def called(self, pipeline: Any, request: Request, noise: "list[torch.Generator]", **more: Any) -> Any:
        """Call the pipeline with as many tokens of T5 as the model was trained on."""
        small = pipeline.text_encoder_3 is None and pipeline.tokenizer.model_max_length < 77
        return super().called(pipeline, request, noise, max_sequence_length=0 if small else 256, **more)

    def replay_call(self, request: Request) -> str:
        """Write the pipeline's call, with the same number of tokens."""
        start, end = super().replay_call(request).rsplit("\n", 1)
        return f"{start}\n        max_sequence_length={_T5_TOKENS},\n{end}"
