"""DeepFloyd IF, stage I: a UNet on pixels with text among the keys of its self-attention, guidance as rows."""

from typing import Any, ClassVar

from skewbench.tasks.families.contract import Config, Encoder, PromptEncoding, Request
from skewbench.tasks.families.registry import register
from skewbench.tasks.families.text_to_image import TextToImage, sample_size
from skewbench.tasks.size import Size


@register
class DeepFloydIf(TextToImage):
    """IFPipeline. No autoencoder: images are of the UNet's own size, 64 x 64 pixels.

    Guidance runs the UNet once a step on rows [uncond; cond]. The UNet also predicts a variance.
    """

    name = "deepfloyd-if"
    pipelines = ("IFPipeline",)
    example = "DeepFloyd/IF-I-M-v1.0"
    denoiser = "unet"
    branches = ("uncond", "cond")
    joint = True
    parts = ("unet", "text_encoder", "tokenizer", "scheduler")
    settings = ("negative_prompt", "lora")
    encoding = PromptEncoding()
    encoders: ClassVar = (Encoder("tokenizer", 77, lower=True),)
    loading: ClassVar = {"safety_checker": None, "feature_extractor": None, "watermarker": None}

    def native_size(self, config: Config) -> Size:
        """Return the size of the UNet's samples."""
        return sample_size(config, "unet")

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments, without cleaning of captions."""
        return {**super().arguments(request), "clean_caption": False}
