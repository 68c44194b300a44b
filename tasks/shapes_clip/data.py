"""Training pictures, a little disturbed, and captions with wrong ones beside them."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from eval.scenes.captions import caption
from eval.scenes.changes import changes
from eval.scenes.scene import Scene
from tasks.shapes_xl.data import as_model_input

SHIFT = 2
"""Most pixels that a picture is moved; objects keep that distance from its border."""
BLUR = (0.3, 1.0)
"""Range of the blur's deviation, in pixels, of the half of the batches that is blurred: generated pictures are soft."""
NOISE, GAIN = 0.06, 0.08
"""Most noise, as a deviation, and most change of a channel, of pictures in -1..1."""


def disturbed(pixels: UInt8[Tensor, "n h w 3"], generator: torch.Generator) -> Float[Tensor, "n 3 h w"]:
    """Pictures as the model sees them: moved, blurred, noisy, with their colours a little off."""
    images = as_model_input(pixels)
    count, _, height, width = images.shape
    padded = F.pad(images, (SHIFT,) * 4, mode="replicate")
    down, right = torch.randint(2 * SHIFT + 1, (2,), generator=generator).tolist()
    images = padded[:, :, down : down + height, right : right + width]
    if torch.rand((), generator=generator) < 0.5:
        images = _blurred(images, float(torch.empty(()).uniform_(*BLUR, generator=generator)))
    gain = 1 + GAIN * (2 * torch.rand((count, 3, 1, 1), generator=generator) - 1)
    noise = NOISE * torch.rand((count, 1, 1, 1), generator=generator)
    return ((images + 1) * gain - 1 + noise * torch.randn(images.shape, generator=generator)).clamp(-1, 1)


def _blurred(images: Float[Tensor, "n 3 h w"], deviation: float) -> Float[Tensor, "n 3 h w"]:
    line = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / (2 * deviation**2))
    kernel = (line[:, None] * line[None, :] / line.sum() ** 2).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(images, (2,) * 4, mode="replicate"), kernel, groups=3)


def told(scenes: list[Scene], wrong: int, seed: int) -> tuple[list[str], list[str]]:
    """A random true caption for each scene, and `wrong` false ones for each: kinds in equal shares, no two alike."""
    rng = np.random.default_rng(seed)
    true, false = [], []
    for scene in scenes:
        true.append(caption(scene, rng))
        false += _false(true[-1], wrong, rng)
    return true, false


def _false(text: str, count: int, rng: np.random.Generator) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for change in changes(text):
        by_kind.setdefault(change.kind, []).append(change.text)
    chosen: list[str] = []
    while len(chosen) < count:
        kinds = [kind for kind, texts in by_kind.items() if texts]
        for kind in rng.permutation(kinds)[: count - len(chosen)]:
            texts = by_kind[str(kind)]
            chosen.append(texts.pop(int(rng.integers(len(texts)))))
    return chosen
