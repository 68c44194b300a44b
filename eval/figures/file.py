"""Renders a chart as an image file, in the theme's light colours."""

from typing import Any, Literal

import vl_convert

from skewbench.eval.figures.theme import config

FORMATS = ("png", "svg")
WIDTH = 640
"""Default width in pixels of a chart that otherwise fills its container."""


def draw(spec: dict[str, Any], format: Literal["png", "svg"] = "png", width: int = WIDTH, scale: float = 1.5) -> bytes:
    """Render a chart on white.

    Args:
        spec: Vega-Lite specification, as `chart.to_dict()` returns it; its own configuration is ignored.
        format: Format of the file.
        width: Width in pixels of a chart that otherwise fills its container.
        scale: Pixels of the image per pixel of the chart, for `png`.

    Returns:
        The content of the file.
    """
    whole = {**spec, "config": {**config(), "background": "white", "padding": 12}}
    if whole.get("width") == "container":
        whole["width"] = width
    if format == "svg":
        return bytes(vl_convert.vegalite_to_svg(whole).encode())
    return bytes(vl_convert.vegalite_to_png(whole, scale=scale))
