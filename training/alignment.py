"""Representation alignment: a block's image tokens learn to predict what `shapes-clip` sees at their place.

Yu et al., "Representation alignment for generation: training diffusion transformers is easier than you think", ICLR
2025, arXiv 2410.06940. The second stage of the image tower of `shapes-clip` has 8 x 8 cells, one per image token.
"""

import json

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from open_clip import CLIP
from safetensors.torch import load_file
from torch import Tensor, nn

from skewbench.eval.shapes_clip import WEIGHTS
from skewbench.training.shapes_clip.architecture import WIDTH, clip
from skewbench.training.shapes_xl.data import as_model_input

SHARE = 0.5
"""Weight of the alignment beside the loss of the model."""
_CELLS = 8 * WIDTH


def load_shapes_clip() -> CLIP:
    """Load the bundled `shapes-clip` in float32."""
    settings = json.loads((WEIGHTS / "open_clip_config.json").read_bytes())["model_cfg"]
    model = clip(settings["text_cfg"]["vocab_size"])
    tensors = load_file(WEIGHTS / "open_clip_model.safetensors")
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval().requires_grad_(False)


class Alignment(nn.Module):
    """Projects the image tokens of a block, and compares them with a frozen image tower by their cosine.

    Args:
        block: The block whose output is aligned: a map of 8 x 8 cells, or the (text, image) tokens of a joint block.
        width: Its channels.
    """

    def __init__(self, block: nn.Module, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, _CELLS))
        tower = load_shapes_clip().visual
        self._stages = [tower.stem, tower.layer1, tower.layer2]  # a list: frozen, and not in the checkpoint
        self._tokens: Tensor | None = None
        block.register_forward_hook(self._keep)

    def _keep(self, _block: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, Tensor]) -> None:
        if isinstance(output, Tensor):
            self._tokens = output.flatten(2).transpose(1, 2)  # a UNet's map: (n, channels, 8, 8)
        else:
            self._tokens = output[1]  # a joint block's (text, image)

    def forward(self, pixels: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, ""]:
        """Compute 1 minus the mean cosine for the batch that the model just processed.

        Args:
            pixels: The clean images of the batch.

        Raises:
            RuntimeError: The model has not run.
        """
        if self._tokens is None:
            raise RuntimeError("the alignment is of the batch that the model processed; run the model first")
        with torch.no_grad():
            seen = as_model_input(pixels).to(self._tokens)
            for stage in self._stages:
                seen = stage(seen)
        cells = seen.flatten(2).transpose(1, 2)
        return 1 - F.cosine_similarity(self.project(self._tokens), cells, dim=-1).mean()
