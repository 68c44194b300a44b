"""Samples of the lake in a form for the page: images and players."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from skewbench.eval.scoring import audio, video
from skewbench.tasks.media import MEDIA
from skewbench.tasks.report.thumbnails import LARGEST, Thumbnail, thumbnail
from skewbench.vocabulary.metrics import Medium

BUDGET: dict[Medium, int] = {"image": 240, "audio": 48, "video": 48}
"""Maximum number of samples on the page, which keeps it small for any number of cells."""


@dataclass(frozen=True)
class Shown:
    """A sample on a page.

    Args:
        picture: An image itself; for audio, the spectrogram; for a video, its animated frames.
        sound: Audio as a data URI; empty for other media.
        strip: Frames of a video side by side; None for other media.
    """

    picture: Thumbnail
    sound: str = ""
    strip: Thumbnail | None = None


def columns(medium: Medium) -> tuple[str, ...]:
    """Return the columns of a medium's table that `shown` needs.

    Args:
        medium: The medium.
    """
    kind = MEDIA[medium]
    return tuple(dict.fromkeys((kind.file, kind.picture, *kind.beside)))


def shown(medium: Medium, row: Mapping[str, Any]) -> Shown:
    """Show a sample.

    Args:
        medium: Of the sample.
        row: What `columns` names, of files the contents.

    Raises:
        BrokenImage: An image cannot be read.
        CorruptSample: The sample cannot be read.
    """
    picture = thumbnail(row[MEDIA[medium].picture])
    if medium == "audio":
        audio.decode(row["audio"])  # bytes that are not audio are not embedded
        return Shown(picture, sound=f"data:audio/wav;base64,{base64.b64encode(row['audio']).decode()}")
    if medium == "video":
        return Shown(_moving(row["video"], row["frames"], row["fps"]), strip=picture)
    return Shown(picture)


def _moving(content: bytes, count: int, fps: float) -> Thumbnail:
    """Encode a small animation of a video."""
    images = [Image.fromarray(frame) for frame in video.decode(content, count)]
    for image in images:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    duration = round(1000 / fps)
    images[0].save(
        buffer, "WEBP", save_all=True, append_images=images[1:], duration=duration, loop=0, quality=70, method=2
    )
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(source, *images[0].size, small=False)
