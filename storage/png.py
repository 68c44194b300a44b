"""Opens the PNG images of a lake, up to a number of pixels. A lake is untrusted input."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from skewbench.storage.records import shown

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

MOST_PIXELS = 2**26
"""Maximum number of pixels, independent of the size in the run's manifest."""
MOST_MOVING = 2**30
"""Maximum number of pixels of all frames of a video."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">8sI4sII")  # signature; length and name of the first chunk; width, height


class BrokenImage(ValueError):
    """Bytes that are not an image of a lake. The message is the end of a sentence about the image."""


def check_png(content: bytes, most: int) -> None:
    """Check that bytes are a PNG of an allowed size with whole chunks. Decodes no pixels.

    Args:
        content: The bytes.
        most: Maximum number of pixels.

    Raises:
        BrokenImage: They are not.
    """
    with _opening(content, most) as image:
        _guarded(image.verify)


def is_png(content: bytes, most: int) -> bool:
    """Return whether bytes pass `check_png`.

    Args:
        content: The bytes of a file.
        most: Largest number of pixels that is accepted.
    """
    try:
        check_png(content, most)
    except BrokenImage:
        return False
    return True


def open_png(content: bytes, most: int) -> "Image.Image":
    """Decode a PNG.

    Args:
        content: The bytes.
        most: Maximum number of pixels.

    Returns:
        The image, as RGB.

    Raises:
        BrokenImage: The bytes are not a PNG, are damaged, or have more pixels.
    """
    with _opening(content, most) as image:
        return _guarded(lambda: image.convert("RGB"))


def open_frames(content: bytes, count: int, most: int) -> "list[tuple[Image.Image, float]]":
    """Decode an animated PNG.

    Args:
        content: The bytes.
        count: Maximum number of frames.
        most: Maximum number of pixels of a frame.

    Returns:
        The frames, as RGB, with the milliseconds that each is shown.

    Raises:
        BrokenImage: The bytes are not a PNG, are damaged, or have more frames or pixels.
    """
    from PIL import ImageSequence

    with _opening(content, min(most, MOST_MOVING // max(count, 1))) as file:
        found = getattr(file, "n_frames", 1)
        if found > count:
            raise BrokenImage(f"has {found} frames, more than {count}")
        return _guarded(
            lambda: [
                (frame.convert("RGB"), float(frame.info.get("duration") or 0)) for frame in ImageSequence.Iterator(file)
            ]
        )


def _opening(content: bytes, most: int) -> "Image.Image":
    """The image, not decoded. Pillow bounds what text chunks may unpack to."""
    from PIL import Image

    if len(content) < _HEAD.size:
        raise BrokenImage("is not a PNG")
    signature, _, name, width, height = _HEAD.unpack_from(content)
    if signature != _SIGNATURE or name != b"IHDR":
        raise BrokenImage("is not a PNG")
    if width * height > min(most, MOST_PIXELS):
        raise BrokenImage(f"has {width} x {height} pixels, more than the run's images have")
    return _guarded(lambda: Image.open(io.BytesIO(content), formats=("PNG",)))


def _guarded(step: Callable[[], T]) -> T:
    """Return Pillow's result. Raises `BrokenImage` for every error that Pillow raises on unreadable bytes."""
    try:
        return step()
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, AssertionError, struct.error, zlib.error) as error:
        raise BrokenImage(f"is a damaged PNG ({shown(str(error))})") from error
