"""AudioLDM: a UNet on latents of a spectrogram; text enters as a class embedding, guidance as rows of one batch."""

from typing import ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_audio import TextToAudio


@register
class AudioLdm(TextToAudio):
    """AudioLDMPipeline.

    Guidance runs the UNet once a step on rows [uncond; cond]. No attention reads text, so that both attentions of a
    transformer block (`attn1`, `attn2`) are self-attentions; they are numbered down, mid, up.
    """

    name = "audioldm"
    pipelines = ("AudioLDMPipeline",)
    example = "cvssp/audioldm-m-full"
    denoiser = "unet"
    branches = ("uncond", "cond")
    token_embeddings = False
    parts = ("unet", "vae", "text_encoder", "tokenizer", "vocoder", "scheduler")
    settings = ("negative_prompt",)
    encoding = PromptEncoding("_encode_prompt", stacked=True)
    encoders: ClassVar = (Encoder("tokenizer"),)
