"""Stored bytes <-> frames, and whether there is anything in them."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from skewbench.eval.scoring.images import CorruptSample, is_blank
from skewbench.storage.png import MOST_PIXELS, BrokenImage, open_frames

STRIP = 6
"""Frames of a strip."""
STRIP_HEIGHT = 160
"""Pixels of a strip at most."""

Frames = UInt8[np.ndarray, "f h w 3"]


@dataclass(frozen=True)
class Videos:
    """Videos of one size.

    Args:
        frames: (n, f, h, w, 3), sRGB in 0..255.
        fps: Frames a second.
    """

    frames: UInt8[np.ndarray, "n f h w 3"]
    fps: float

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: slice) -> "Videos":
        """Select some of the videos."""
        return Videos(self.frames[rows], self.fps)


def encode(frames: Frames, fps: float) -> bytes:
    """Encode frames as animated PNG, without loss. Browsers play it in an <img>, and FFmpeg reads it.

    Args:
        frames: The frames, in 0..255.
        fps: Frames per second.
    """
    first, *rest = (Image.fromarray(frame) for frame in frames)
    buffer = BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=rest, duration=1000 / fps, loop=0)
    return buffer.getvalue()


def decode(content: bytes, count: int, pixels: int = MOST_PIXELS) -> Frames:
    """Decode animated PNG.

    Args:
        content: The file. A frame that is equal to the one before it is stored as a longer duration of that one.
        count: Frames of the video.
        pixels: Maximum number of pixels of a frame.

    Raises:
        CorruptSample: The bytes are not such a file.
    """
    try:
        found = [(np.array(frame), duration) for frame, duration in open_frames(content, count, pixels)]
    except BrokenImage as error:
        raise CorruptSample(str(error)) from error
    whole = sum(duration for _, duration in found)
    repeats = [round(duration * count / whole) if whole else count for _, duration in found]
    if sum(repeats) != count:
        raise CorruptSample(f"has {sum(repeats)} frames; {count} were stored")
    return np.repeat(np.stack([frame for frame, _ in found]), repeats, axis=0)


def is_blank_video(frames: Frames) -> bool:
    """Return whether each frame has only one colour.

    Args:
        frames: The frames, in 0..255.
    """
    return all(is_blank(frame) for frame in frames)


def strip(frames: Frames) -> bytes:
    """Draw a video as PNG: up to `STRIP` of its frames side by side, including the first and the last.

    Args:
        frames: The frames, in 0..255.
    """
    chosen = frames[np.linspace(0, len(frames) - 1, min(STRIP, len(frames))).round().astype(int)]
    picture = Image.fromarray(np.concatenate(list(chosen), axis=1))
    if picture.height > STRIP_HEIGHT:
        width = round(picture.width * STRIP_HEIGHT / picture.height)
        picture = picture.resize((width, STRIP_HEIGHT), Image.Resampling.BOX)
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
