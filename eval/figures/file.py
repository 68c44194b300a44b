"""A chart as the bytes of a file, in the theme's light colours."""

from typing import Any, Literal

import vl_convert

from skewbench.eval.figures.theme import config

FORMATS = ("png", "svg")
WIDTH = 640
"""Pixels of a chart that would be as wide as its container."""


def draw(spec: dict[str, Any], format: Literal["png", "svg"] = "png", width: int = WIDTH, scale: float = 1.5) -> bytes:
    """Draw a chart on white.

    Args:
        spec: Of Vega-Lite, as `chart.to_dict()` gives it; a configuration of its own is left out.
        format: Of the file.
        width: Pixels of a chart that would be as wide as its container.
        scale: Pixels of the image a pixel of the chart, for `png`.

    Returns:
        The file's content.
    """
    whole = {**spec, "config": {**config(), "background": "white", "padding": 12}}
    if whole.get("width") == "container":
        whole["width"] = width
    if format == "svg":
        return bytes(vl_convert.vegalite_to_svg(whole).encode())
    return bytes(vl_convert.vegalite_to_png(whole, scale=scale))
