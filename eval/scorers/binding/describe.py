"""An image -> what is seen in it: objects with attributes, and the background. No prompt is looked at."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from eval.scenes.vocabulary import SIZES
from eval.scorers.binding.background import background_of
from eval.scorers.binding.segment import LEAST_AREA, Region, segment
from eval.scorers.binding.shape import ShapeMatch, match_shape
from eval.scorers.binding.texture import texture_of

LEAST_OVERLAP = 0.75
"""Overlap below which a silhouette is no shape; rendered ones, blurred and noisy, have 0.79 and more."""
LARGE_FROM = (SIZES["small"][1] + SIZES["large"][0]) / 2
"""Least radius of a large object, in pixels."""
EDGE_GLOW = 0.5
"""By how much blur and antialiasing enlarge a segmented radius, in pixels."""
LEAST_CONTACT = 6
"""Pixels along which two objects touch, from which they are fused; corners of whole objects may touch."""
NESTED_SHARE = 0.85
"""Share of an object's silhouette that lies in another's, from which it is inside."""

_BLOCK = ndimage.generate_binary_structure(2, 2)


@dataclass(frozen=True)
class SeenObject:
    """One object of an image. `shape` and `texture` are None where unclear; `x`, `y`, `radius` in pixels."""

    colour: str
    shape: str | None
    texture: str | None
    size: str
    x: float
    y: float
    radius: float
    overlap: float
    area: int


@dataclass(frozen=True)
class Seen:
    """What is in an image: objects, largest first; pairs (i, j) where i is inside j; pairs that are fused."""

    objects: tuple[SeenObject, ...]
    inside: frozenset[tuple[int, int]]
    fused: frozenset[tuple[int, int]]
    background: str | None


def describe(image: UInt8[np.ndarray, "64 64 3"]) -> Seen:
    """All that the scorer knows of an image."""
    pixels = image.astype(np.float64)
    regions = [part for region in segment(pixels) for part in _split(region)]
    regions.sort(key=lambda region: -int(region.silhouette.sum()))
    objects = tuple(_object(pixels, region) for region in regions)
    inside, fused = set(), set()
    for j, i in combinations(range(len(regions)), 2):  # i is the smaller one
        small, big = regions[i].silhouette, regions[j].silhouette
        if (small & big).sum() >= NESTED_SHARE * small.sum():
            inside.add((i, j))
        elif (ndimage.binary_dilation(regions[i].pixels) & regions[j].pixels).sum() >= LEAST_CONTACT:
            fused.add((j, i))
    figure = np.zeros(pixels.shape[:2], bool)
    for region in regions:
        figure |= region.silhouette
    ground = ~ndimage.binary_dilation(figure, _BLOCK, iterations=2)
    return Seen(objects, frozenset(inside), frozenset(fused), background_of(pixels, ground))


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
        overlap=match.overlap,
        area=int(region.silhouette.sum()),
    )


def _split(region: Region) -> list[Region]:
    """Two objects of one colour that touch, taken apart at the neck; a region that is one shape stays whole."""
    whole = match_shape(region.silhouette)
    if whole.overlap >= LEAST_OVERLAP:
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
        if len(masks) > 1 and all(_better(mask, whole) for mask in masks):
            return [Region(region.colour, mask & region.pixels, mask) for mask in masks]
    return [region]


def _better(mask: Bool[np.ndarray, "h w"], whole: ShapeMatch) -> bool:
    return match_shape(mask).overlap > whole.overlap
