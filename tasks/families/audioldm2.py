"""AudioLDM 2: a UNet on latents of a spectrogram that reads T5's states and those that a GPT-2 continues them with."""

from typing import ClassVar

from skewbench.tasks.families.contract import Encoder, PromptEncoding
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_audio import TextToAudio


@register
class AudioLdm2(TextToAudio):
    """AudioLDM2Pipeline. Guidance runs the UNet once a step on rows [uncond; cond].

    Each level has transformers that read nothing but audio, which have two self-attentions a block, beside those that
    read text. Prompts of a batch must be encoded one by one: GPT-2 would continue one differently if it were padded.
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
    encoding = PromptEncoding(stacked=True, masked=True)
    encoders: ClassVar = (Encoder("tokenizer"), Encoder("tokenizer_2"))
