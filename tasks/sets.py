"""Sets of samples that are compared with a reference, by medium."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skewbench.eval.scoring import audio, images, real_audio, real_images
from skewbench.vocabulary.metrics import Medium


@dataclass(frozen=True)
class SetMedium:
    """A medium whose cells are compared as sets.

    Args:
        noun: Its samples, for messages.
        file: A user's file of it, for messages.
        recognise: Whether a user's file is one of it. Raises `CorruptSample` for a file that cannot be used.
        read: Decodes a user's file for scorers of sets. Raises `CorruptSample`.
        decode: Decodes a stored file likewise. Raises `CorruptSample`.
        is_empty: Whether there is nothing in a sample; it is left out.
    """

    noun: str
    file: str
    recognise: Callable[[bytes], bool]
    read: Callable[[bytes], Any]
    decode: Callable[[bytes], Any]
    is_empty: Callable[[Any], bool]


SETS: dict[Medium, SetMedium] = {
    "image": SetMedium("images", "image", real_images.is_image, real_images.read_real, images.decode, images.is_blank),
    "audio": SetMedium(
        "waveforms",
        "audio file",
        real_audio.is_audio,
        real_audio.read_real,
        audio.decode,
        lambda clip: audio.is_silent(clip[0]),
    ),
}
"""Media that some scorer compares as sets; no scorer compares sets of videos."""
