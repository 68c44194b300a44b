"""Describes an image: objects with attributes, and the background. Does not use the prompt."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy import ndimage

from skewbench.eval.binding.background import background_of
from skewbench.eval.binding.segment import LEAST_AREA, Region, segment
from skewbench.eval.binding.shape import ShapeMatch, match_shape
from skewbench.eval.binding.texture import texture_of
from skewbench.eval.scenes.vocabulary import SIZE, SIZES

LEAST_OVERLAP = 0.75
"""Overlap below which a silhouette matches no shape. Generated silhouettes are softer than rendered ones."""
CLEAN_OVERLAP = {"circle": 0.9, "square": 0.87, "triangle": 0.83, "star": 0.79, "cross": 0.83, "heart": 0.88}
"""Overlap that rendered silhouettes have with blur and noise; with less, a silhouette may be two objects."""
LARGE_FROM = (SIZES["small"][1] + SIZES["large"][0]) / 2
"""Least radius of a large object, in pixels."""
EDGE_GLOW = 0.5
"""Pixels by which blur and antialiasing enlarge a segmented radius."""
LEAST_CONTACT = 11
"""Objects are fused if at least this many pixels of one are within 2 pixels of the other; corners alone give fewer."""
NESTED_SHARE = 0.85
"""An object is inside another one if at least this share of its silhouette is."""

_BLOCK = ndimage.generate_binary_structure(2, 2)


@dataclass(frozen=True)
class SeenObject:
    """One object of an image. `shape` and `texture` are None where unclear; `x`, `y`, `radius` in pixels.

    `clean`: its outline is as good as a rendered one's; otherwise it is soft, or two objects in one.
    """

    colour: str
    shape: str | None
    texture: str | None
    size: str
    x: float
    y: float
    radius: float
    clean: bool


@dataclass(frozen=True)
class Seen:
    """The description of an image: objects, largest first; pairs (i, j) with i inside j; fused pairs."""

    objects: tuple[SeenObject, ...]
    inside: frozenset[tuple[int, int]]
    fused: frozenset[tuple[int, int]]
    background: str | None


def describe(image: UInt8[np.ndarray, "h w 3"]) -> Seen:
    """Describe the objects of an image.

    Args:
        image: sRGB pixels in 0..255, of any size; shape (h, w, 3).

    Returns:
        Objects, their relations and the background. Positions and sizes are in pixels of a scene (64 x 64), whatever
        the size of the image.
    """
    pixels = at_scene_size(image).astype(np.float64)
    regions = [part for region in segment(pixels) for part in _split(region)]
    regions.sort(key=lambda region: -int(region.silhouette.sum()))
    objects = tuple(_object(pixels, region) for region in regions)
    inside, fused = set(), set()
    for j, i in combinations(range(len(regions)), 2):  # i is the smaller one
        small, big = regions[i].silhouette, regions[j].silhouette
        if (small & big).sum() >= NESTED_SHARE * small.sum():
            inside.add((i, j))
        elif (ndimage.binary_dilation(regions[i].pixels, iterations=2) & regions[j].pixels).sum() >= LEAST_CONTACT:
            fused.add((j, i))
    figure = np.zeros(pixels.shape[:2], bool)
    for region in regions:
        figure |= region.silhouette
    ground = ~ndimage.binary_dilation(figure, _BLOCK, iterations=2)
    return Seen(objects, frozenset(inside), frozenset(fused), background_of(pixels, ground))


def at_scene_size(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "64 64 3"]:
    """Resize an image to the size of a rendered scene, since sizes and periods are in its pixels.

    Args:
        image: sRGB pixels in 0..255; shape (h, w, 3).

    Returns:
        The image at shape (64, 64, 3), reduced with a box filter; unchanged if it has that size.
    """
    if image.shape[:2] == (SIZE, SIZE):
        return image
    return np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BOX))


def _object(image: Float[np.ndarray, "h w 3"], region: Region) -> SeenObject:
    match = match_shape(region.silhouette)
    radius = match.radius - EDGE_GLOW
    return SeenObject(
        colour=region.colour,
        shape=match.shape if match.overlap >= LEAST_OVERLAP else None,
        texture=texture_of(image, region.pixels, region.colour),
        size="large" if radius >= LARGE_FROM else "small",
        x=match.x,
        y=match.y,
        radius=radius,
        clean=_is_clean(match),
    )


def _split(region: Region) -> list[Region]:
    """Two objects of one colour that touch, taken apart at the neck; a region that is one shape stays whole."""
    if _is_clean(match_shape(region.silhouette)):
        return [region]
    core = region.silhouette
    for _ in range(4):
        core = ndimage.binary_erosion(core)
        parts, count = ndimage.label(core)
        if count < 2:
            continue
        rows, columns = ndimage.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
        owner = parts[rows, columns]
        masks = [mask for k in range(1, count + 1) if (mask := region.silhouette & (owner == k)).sum() >= LEAST_AREA]
        if len(masks) > 1 and all(_is_clean(match_shape(mask)) for mask in masks):
            return [Region(region.colour, mask & region.pixels, mask) for mask in masks]
    return [region]


def _is_clean(match: ShapeMatch) -> bool:
    return match.sharp_overlap >= CLEAN_OVERLAP[match.shape]
