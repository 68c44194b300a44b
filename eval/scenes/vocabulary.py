"""The words of the scenes: the attributes of an object and their appearance.

Object colours are saturated and backgrounds are achromatic, so that chroma alone separates figure from ground, in a
rendered scene and in a generated one.
"""

SIZE = 64
"""Side of a scene in pixels."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 35, 40),
    "orange": (245, 135, 15),
    "yellow": (240, 215, 30),
    "green": (45, 165, 55),
    "cyan": (40, 200, 210),
    "blue": (40, 75, 215),
    "purple": (130, 45, 190),
    "pink": (250, 115, 190),
}
"""sRGB of each object colour."""

NAMELESS_COLOURS: dict[str, tuple[int, int, int]] = {
    "j": (150, 220, 40),
    "k": (20, 140, 130),
    "l": (85, 140, 240),
    "m": (85, 50, 210),
    "n": (215, 40, 160),
    "p": (135, 80, 40),
    "q": (240, 120, 120),
    "r": (140, 140, 30),
}
NAMELESS_SHAPES = ("s", "t", "u", "v")
NAMELESS_TEXTURES = ("w", "x")
"""Further attributes, named by letters since captions have no words for them: training data of `shapes-clip`."""

SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
TEXTURES = ("solid", "striped", "dotted")
SIZES: dict[str, tuple[float, float]] = {"small": (8.5, 10.0), "large": (13.0, 15.0)}
"""Range of the radius of each size, in pixels."""

CONTAINER_RADIUS = (21.0, 23.0)
"""Radius of an object that contains another one, in pixels; its size word is `large`."""

CONTAINERS = ("circle", "square")
RELATIONS = ("left of", "right of", "above", "below", "inside")
BACKGROUNDS = ("white", "grey", "black", "checkered")

SHADE = 0.35
"""Factor that darkens the object's colour in stripes and dots. The hue stays, so an object remains one region."""

TEXTURE_PERIOD = 6.0
"""Distance between stripes and between dots, in pixels."""
