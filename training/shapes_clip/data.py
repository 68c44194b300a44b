"""Training data: slightly disturbed images, and true captions with false ones."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from skewbench.eval.scenes.captions import caption, parse_caption
from skewbench.eval.scenes.changes import changes
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import Object, Scene, is_held_out, sample_scene
from skewbench.eval.scenes.vocabulary import NAMELESS_COLOURS, NAMELESS_SHAPES, NAMELESS_TEXTURES
from skewbench.training.shapes_xl.data import SHARES, Pool, as_model_input

_NAMELESS = {"colour": tuple(NAMELESS_COLOURS), "shape": NAMELESS_SHAPES, "texture": NAMELESS_TEXTURES}
_LETTERS = frozenset(word for words in _NAMELESS.values() for word in words)
NAMELESS_SCENES, NAMELESS_OBJECTS = 0.5, 0.7
"""Share of scenes that may have objects with a nameless attribute, and share of such objects in them."""
SHIFT = 2
"""Greatest shift of an image in pixels; objects keep this distance from its border."""
BLUR = (0.3, 1.0)
"""Range of sigma in pixels of the blur that half of the batches get, since generated images are soft."""
NOISE, GAIN = 0.06, 0.08
"""Greatest standard deviation of noise and greatest change of a channel, for images in -1..1."""


def draw_scenes(size: int, seed: int) -> Pool:
    """Sample scenes as `sample_scenes` does and render them.

    Args:
        size: Number of scenes.
        seed: Seed of the scenes.
    """
    scenes = sample_scenes(size, seed)
    return Pool(scenes, torch.from_numpy(np.stack([np.asarray(render(scene)) for scene in scenes])))


def sample_scenes(size: int, seed: int) -> list[Scene]:
    """Sample scenes of the train split; in some, an object has one attribute that has no word.

    With named attributes alone, the towers learned the 115 combinations of the split by heart instead of pairs of
    attributes, and failed on the 29 held out. An object without a name for its colour shows shape and texture alone.

    Args:
        size: Number of scenes.
        seed: Seed of the scenes.
    """
    rng = np.random.default_rng(seed)
    scenes = [sample_scene(rng, int(count)) for count in rng.choice([1, 2, 3], size=size, p=SHARES)]
    return [_with_nameless(scene, rng) if rng.random() < NAMELESS_SCENES else scene for scene in scenes]


def _with_nameless(scene: Scene, rng: np.random.Generator) -> Scene:
    def changed(thing: Object) -> Object:
        if rng.random() >= NAMELESS_OBJECTS:
            return thing
        attribute = str(rng.choice(list(_NAMELESS)))
        named = {name: getattr(thing, name) for name in _NAMELESS}
        drawn = {**named, attribute: str(rng.choice(_NAMELESS[attribute]))}
        return Object(**drawn, size=thing.size, x=thing.x, y=thing.y, radius=thing.radius)

    return replace(scene, objects=tuple(changed(thing) for thing in scene.objects))


def is_named(text: str) -> bool:
    """Return whether a caption has words for all attributes that it states.

    Args:
        text: A caption.
    """
    return not _LETTERS & set(text.replace(",", " ").split())


def disturbed(pixels: UInt8[Tensor, "n h w 3"], generator: torch.Generator) -> Float[Tensor, "n 3 h w"]:
    """Turn images into input of the model, randomly moved, blurred, noisy and slightly off in colour.

    Args:
        pixels: sRGB images in 0..255; shape (n, h, w, 3).
        generator: CPU random generator.

    Returns:
        Images in -1..1; shape (n, 3, h, w).
    """
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


def true_and_false_captions(scenes: list[Scene], wrong: int, seed: int) -> tuple[list[str], list[str]]:
    """Write a true caption and several false ones for each scene.

    No caption has a combination of the test split: seen in false captions only, it would be learned as a mark of them.

    Args:
        scenes: n scenes.
        wrong: Number of false captions per scene.
        seed: Seed of the captions.

    Returns:
        n true captions, and n * wrong false ones, scene by scene. The false captions of a scene all differ, and their
        kinds have equal shares.
    """
    rng = np.random.default_rng(seed)
    true, false = [], []
    for scene in scenes:
        true.append(caption(scene, rng))
        false += _false(true[-1], wrong, rng)
    return true, false


def _held_out(text: str) -> bool:
    meaning = parse_caption(text)
    return meaning is not None and any(
        thing.colour and thing.texture and is_held_out(thing.colour, thing.shape, thing.texture)
        for thing in meaning.objects
    )


def _false(text: str, count: int, rng: np.random.Generator) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for change in changes(text):
        if _held_out(change.text) or (change.kind == "swap" and not is_named(text)):
            continue
        by_kind.setdefault(change.kind, []).append(change.text)
    chosen: list[str] = []
    while len(chosen) < count:
        kinds = [kind for kind, texts in by_kind.items() if texts]
        for kind in rng.permutation(kinds)[: count - len(chosen)]:
            texts = by_kind[str(kind)]
            chosen.append(texts.pop(int(rng.integers(len(texts)))))
    return chosen
