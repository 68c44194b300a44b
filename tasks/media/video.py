"""Video, kept as animated PNG with a strip of frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skewbench.eval.scoring.images import levels
from skewbench.eval.scoring.video import Videos, decode, encode, is_blank_video, strip
from skewbench.storage.png import MOST_PIXELS
from skewbench.storage.tables.video import VIDEO
from skewbench.tasks.media.contract import MediaType
from skewbench.tasks.media.image import PNG_BYTES_A_PIXEL
from skewbench.tasks.size import Size


class Video(MediaType):
    """Videos in [0, 1] of shape (frames, height, width, 3)."""

    noun, table, file, picture, extension = "video", VIDEO, "video", "strip", "png"
    beside = ("frames", "fps")
    at_once = 4
    replay = """\
from PIL import Image
first, *rest = (Image.fromarray((frame * 255).round().astype("uint8")) for frame in sample)
first.save({file!r}, save_all=True, append_images=rest, duration=1000 / {fps}, loop=0)"""

    def blank(self, sample: np.ndarray) -> str | None:
        """Detect a video whose frames have one colour each."""
        return "each frame of the video has only one colour" if is_blank_video(levels(sample)) else None

    def columns(self, sample: np.ndarray, size: Size, name: str) -> dict[str, Any]:
        """Encode as animated PNG, rounded as diffusers rounds."""
        frames, fps = levels(sample), size.fps or 1.0
        return {
            "video": {"bytes": encode(frames, fps), "path": f"{name}.png"},
            "frames": len(frames),
            "fps": fps,
            "strip": {"bytes": strip(frames), "path": f"{name}-strip.png"},
        }

    def decode(self, row: Mapping[str, Any], pixels: int = MOST_PIXELS) -> Any:
        """Decode as sRGB in 0..255, (f, h, w, 3), with the frames a second."""
        return decode(row["video"]["bytes"], row["frames"], pixels), row["fps"]

    def batch(self, decoded: Sequence[Any]) -> Any:
        """Join as `Videos`."""
        return Videos(np.stack([frames for frames, _ in decoded]), decoded[0][1])

    def levels(self, decoded: Any) -> np.ndarray:
        """Return the pixels of all frames."""
        return np.asarray(decoded[0])

    def disk(self, size: Size) -> float:
        """Estimate by the pixels of all frames."""
        return (size.width or 0) * (size.height or 0) * (size.frames or 0) * PNG_BYTES_A_PIXEL
