"""Scene -> pixels: antialiased by drawing at four times the size and averaging."""

from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

from skewbench.eval.scenes.scene import Object, Scene
from skewbench.eval.scenes.vocabulary import COLOURS, NAMELESS_COLOURS, SHADE, SIZE, TEXTURE_PERIOD

OVERSAMPLING = 4
_GREYS = {"white": 244, "grey": 128, "black": 20}
_PAINTS = {**COLOURS, **NAMELESS_COLOURS}
_CHECK = (150, 196)
_CHECK_SIDE = 8


def render(scene: Scene) -> Image.Image:
    """Render a scene. Deterministic.

    Args:
        scene: Objects, whose colour and texture may also be nameless ones, and a background.

    Returns:
        RGB image of 64 x 64 pixels.
    """
    canvas = _background(scene.background)
    for thing in scene.objects:
        mask = shape_mask(thing.shape, thing.x, thing.y, thing.radius)
        red, green, blue = _PAINTS[thing.colour]
        canvas.paste((red, green, blue), mask=mask)
        dark = (round(red * SHADE), round(green * SHADE), round(blue * SHADE))
        canvas.paste(dark, mask=_texture(thing, mask))
    return canvas.reduce(OVERSAMPLING)


def shape_mask(shape: str, x: float, y: float, radius: float) -> Image.Image:
    """Draw the mask of a shape on the oversampled canvas.

    Args:
        shape: A key of the outlines: `SHAPES` or `NAMELESS_SHAPES`.
        x: Centre, in pixels of the scene from the left.
        y: Centre, in pixels of the scene from the top.
        radius: Radius in pixels of the scene.

    Returns:
        Image of mode "L" with 0 or 255, of 256 x 256 pixels (64 times `OVERSAMPLING`).
    """
    mask = Image.new("L", (SIZE * OVERSAMPLING,) * 2)
    points = [((x + radius * u) * OVERSAMPLING, (y + radius * v) * OVERSAMPLING) for u, v in _OUTLINES[shape]]
    ImageDraw.Draw(mask).polygon(points, fill=255)
    return mask


def _background(name: str) -> Image.Image:
    side = SIZE * OVERSAMPLING
    if name == "checkered":
        step = np.arange(side) // (_CHECK_SIDE * OVERSAMPLING)
        grey = np.where((step[:, None] + step[None, :]) % 2, *_CHECK).astype(np.uint8)
    else:
        grey = np.full((side, side), _GREYS[name], np.uint8)
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=2))


def _texture(thing: Object, mask: Image.Image) -> Image.Image:
    """The dark part of an object: nothing, diagonal stripes, or dots on a square lattice, anchored at its centre."""
    if thing.texture == "solid":
        return Image.new("L", mask.size)
    grid = (np.arange(SIZE * OVERSAMPLING) + 0.5) / OVERSAMPLING
    dx, dy = (grid - thing.x)[None, :], (grid - thing.y)[:, None]
    if thing.texture == "striped":
        dark = ((dx + dy) / 2**0.5 / TEXTURE_PERIOD + 0.25) % 1.0 < 0.5
    elif thing.texture == "w":  # level bars
        dark = (dx * 0 + dy / TEXTURE_PERIOD + 0.25) % 1.0 < 0.5
    elif thing.texture == "x":  # rings
        dark = (np.hypot(dx, dy) / TEXTURE_PERIOD + 0.5) % 1.0 < 0.5
    else:
        u, v = ((d / TEXTURE_PERIOD + 0.5) % 1.0 - 0.5 for d in (dx, dy))
        dark = u**2 + v**2 < (1.9 / TEXTURE_PERIOD) ** 2
    return Image.fromarray(np.where(dark, np.asarray(mask), 0).astype(np.uint8))


def _ring(corners: int, *radii: float) -> list[tuple[float, float]]:
    """Corners at equal angles from the top, at radii taken in turn."""
    angles = (2 * pi * i / corners for i in range(corners))
    return [(radii[i % len(radii)] * sin(a), -radii[i % len(radii)] * cos(a)) for i, a in enumerate(angles)]


def _heart() -> list[tuple[float, float]]:
    angles = (2 * pi * i / 60 for i in range(60))
    curve = ((16 * sin(a) ** 3, 13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a)) for a in angles)
    return [(u / 16.5, -(v + 2.5) / 16.5) for u, v in curve]


_ARM = 0.34
_CROSS = [
    (-_ARM, -1.0), (_ARM, -1.0), (_ARM, -_ARM), (1.0, -_ARM), (1.0, _ARM), (_ARM, _ARM),
    (_ARM, 1.0), (-_ARM, 1.0), (-_ARM, _ARM), (-1.0, _ARM), (-1.0, -_ARM), (-_ARM, -_ARM),
]  # fmt: skip
_OUTLINES: dict[str, list[tuple[float, float]]] = {
    "circle": _ring(72, 0.95),
    "square": [(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)],
    "triangle": [(u, v + 0.22) for u, v in _ring(3, 1.14)],
    "star": [(u, v + 0.06) for u, v in _ring(10, 1.12, 0.48)],
    "cross": _CROSS,
    "heart": _heart(),
    "s": _ring(4, 1.1),  # a diamond
    "t": _ring(6, 1.0),  # a hexagon
    "u": [(-0.95, -0.75), (0.0, -0.2), (0.95, -0.75), (0.95, 0.75), (0.0, 0.2), (-0.95, 0.75)],  # a bow
    "v": [(-0.8, -0.95), (-0.1, -0.95), (-0.1, 0.25), (0.8, 0.25), (0.8, 0.95), (-0.8, 0.95)],  # an L
}
"""Outlines at radius 1, y down."""
