"""The size of a sample, in the terms of its medium."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Size:
    """The size of every sample of a run. Values that a medium does not have are None.

    Args:
        width: Of an image or a frame, in pixels.
        height: Of an image or a frame, in pixels.
        frames: Of a video.
        duration: Of audio, in seconds.
        fps: Frames a second at which a video is played; the model decides it.
        sampling_rate: Of audio, in Hz; the model decides it.
    """

    width: int | None = None
    height: int | None = None
    frames: int | None = None
    duration: float | None = None
    fps: float | None = None
    sampling_rate: int | None = None

    @property
    def known(self) -> dict[str, int | float]:
        """The values that the medium has, by name."""
        return {name: value for name in SIZES if (value := getattr(self, name)) is not None}

    @property
    def chosen(self) -> dict[str, int | float]:
        """The values that an experiment can choose. They determine the noise, and so which samples are paired."""
        return {name: value for name, value in self.known.items() if name in CHOSEN}

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Size":
        """Read the size of a row of `samples`.

        Args:
            row: Values by column.
        """
        return cls(**{name: row.get(name) for name in SIZES})


SIZES = tuple(field.name for field in fields(Size))
"""Names of all values, which are columns of `samples` too."""
CHOSEN = ("width", "height", "frames", "duration")
"""Names of the fields of an experiment's `generation`."""
