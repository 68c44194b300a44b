"""The base of most families: a diffusers pipeline that returns images."""

from skewbench.tasks.families.contract import Config
from skewbench.tasks.families.pipeline import PipelineFamily
from skewbench.tasks.size import Size
from skewbench.vocabulary.errors import InputError


def sample_size(config: Config, part: str, factor: int = 1) -> Size:
    """Read the size of images from that of a denoiser's samples; one number in its configuration stands for both sides.

    Args:
        config: Reads the configuration of a part.
        part: The denoiser.
        factor: Pixels per side of a latent.

    Raises:
        InputError: The configuration has no `sample_size`, or another value than a number or [height, width].
    """
    found = config(part).get("sample_size")
    pair = found if isinstance(found, list) and len(found) == 2 else [found, found]
    if not all(type(one) is int and one > 0 for one in pair):
        given = "no sample_size" if found is None else f"sample_size {found!r}, not a number or [height, width]"
        raise InputError(f"{part}/config.json has {given}; set generation.width and generation.height")
    height, width = map(int, pair)
    return Size(width * factor, height * factor)


class TextToImage(PipelineFamily):
    """A family whose pipeline returns images. Their size is chosen by width and height."""

    output = "images"

    def native_size(self, config: Config) -> Size:
        """Return the size of the denoiser's latents times the autoencoder's factor."""
        return sample_size(config, self.denoiser, 2 ** (len(config("vae").get("block_out_channels", [64])) - 1))
