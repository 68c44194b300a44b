"""What most families share: a diffusers pipeline that returns images."""

from skewbench.tasks.families.contract import Config
from skewbench.tasks.families.pipeline import PipelineFamily
from skewbench.tasks.size import Size


class TextToImage(PipelineFamily):
    """A family whose pipeline returns images. Their size is chosen by width and height."""

    output = "images"

    def native_size(self, config: Config) -> Size:
        """Return the size of the denoiser's latents times the autoencoder's factor."""
        pixels = config(self.denoiser)["sample_size"] * 2 ** (len(config("vae")["block_out_channels"]) - 1)
        return Size(pixels, pixels)
