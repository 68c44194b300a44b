"""Checks the PNG files of samples: images, videos as animated PNGs, and previews of audio and video."""

from collections.abc import Callable, Mapping
from typing import Any

from skewbench.storage.png import MOST_PIXELS, BrokenImage, check_png

PNGS = ("image", "video", "spectrogram", "strip")
"""Columns of such files. Audio is checked by whoever decodes it."""
_FOR_PEOPLE = ("spectrogram", "strip")
"""Columns whose size differs from that of the samples."""


def check_files(files: Mapping[str, Any], pixels: int, check: Callable[[bytes, int], Any] = check_png) -> None:
    """Check the files of a sample.

    Args:
        files: Columns of a row; for files, their contents. Columns that contain no PNG are ignored.
        pixels: Maximum number of pixels of an image or a frame.
        check: Raises `BrokenImage` for contents that are not a PNG or have too many pixels.

    Raises:
        BrokenImage: A file is not. The message names its column, as the end of a sentence about where it is.
    """
    for name in PNGS:
        if files.get(name) is not None:
            try:
                check(files[name], MOST_PIXELS if name in _FOR_PEOPLE else pixels)
            except BrokenImage as error:
                raise BrokenImage(f"has {'an' if name == 'image' else 'a'} {name} that {error}") from None
