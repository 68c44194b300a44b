"""AudioLDM 2: a UNet on latents of a spectrogram that reads T5's states and those that a GPT-2 continues them with."""

from typing import TYPE_CHECKING, Any, ClassVar

from skewbench.tasks.families.contract import Encoder, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_audio import TextToAudio

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@register
class AudioLdm2(TextToAudio):
    """AudioLDM2Pipeline. Guidance runs the UNet once a step on rows [uncond; cond].

    Each level has transformers that read nothing but audio, which have two self-attentions a block, beside those that
    read text.
    """

    name = "audioldm2"
    pipelines = ("AudioLDM2Pipeline",)
    example = "cvssp/audioldm2"
    denoiser = "unet"
    branches = ("uncond", "cond")
    parts = (
        *("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "feature_extractor"),
        *("projection_model", "language_model", "vocoder", "scheduler"),
    )
    settings = ("negative_prompt",)
    encoders: ClassVar = (Encoder("tokenizer"), Encoder("tokenizer_2"))

    def generate(self, pipeline: Any, request: Request) -> "np.ndarray":
        """Encode each prompt by itself: GPT-2 would continue one differently if it were padded to a longer one."""
        import torch

        arguments = self.arguments(request)
        negative = arguments.pop("negative_prompt", None)
        with torch.no_grad():
            encoded = [_encoded(pipeline, prompt, negative, request.guidance > 1) for prompt in request.prompts]
        longest = max(one["prompt_embeds"].shape[1] for one in encoded)
        audios: np.ndarray = pipeline(
            generator=[torch.Generator().manual_seed(seed) for seed in request.noise_seeds],
            output_type="np",
            **{name: torch.cat([_padded(one[name], longest, name) for one in encoded]) for name in encoded[0]},
            **arguments,
        ).audios
        return audios


_MASKED = ("prompt_embeds", "attention_mask", "negative_prompt_embeds", "negative_attention_mask")
"""States of T5 and their masks, as long as the prompt; those of GPT-2 are of one length."""


def _encoded(pipeline: Any, prompt: str, negative: str | None, guided: bool) -> "dict[str, Tensor]":
    """A prompt as the pipeline's arguments, with those of the negative prompt where there is guidance."""
    states = pipeline.encode_prompt(prompt, pipeline.device, 1, guided, negative_prompt=negative)
    names = ("prompt_embeds", "attention_mask", "generated_prompt_embeds")
    if not guided:
        return dict(zip(names, states, strict=True))
    halves = [one.chunk(2) for one in states]
    return {name: cond for name, (_, cond) in zip(names, halves, strict=True)} | {
        f"negative_{name}": uncond for name, (uncond, _) in zip(names, halves, strict=True)
    }


def _padded(states: "Tensor", length: int, name: str) -> "Tensor":
    """States with masked zeros after them, up to a length."""
    missing = length - states.shape[1]
    if name not in _MASKED or not missing:
        return states
    import torch

    return torch.cat([states, states.new_zeros(len(states), missing, *states.shape[2:])], dim=1)
