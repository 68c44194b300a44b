"""The declaration of a medium."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from skewbench.storage.png import MOST_PIXELS
from skewbench.storage.table import Table
from skewbench.tasks.size import Size


class MediaType(ABC):
    """A medium, such as audio. An instance has no state."""

    noun: ClassVar[str]
    """One sample of it, for messages."""
    table: ClassVar[Table]
    """The table of its samples."""
    file: ClassVar[str]
    """The column of encoded samples."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Further columns that are needed to decode a sample."""
    picture: ClassVar[str]
    """The column with a visible form of a sample, as PNG."""
    extension: ClassVar[str]
    """The extension of a sample's file."""
    at_once: ClassVar[int] = 64
    """Samples that are decoded and scored together."""
    replay: ClassVar[str]
    """Lines of a replay script that save `sample` as `{file}`, with the fields of `Size` in braces."""

    def judge(self, sample: np.ndarray) -> tuple[str, str | None]:
        """Return the status of a generated sample and, unless it is `ok`, the reason.

        Args:
            sample: As its family generates it.
        """
        if not np.isfinite(sample).all():
            return "nonfinite", f"{np.count_nonzero(~np.isfinite(sample))} values of the {self.noun} are not finite"
        if reason := self.blank(sample):
            return "blank", reason
        return "ok", None

    @abstractmethod
    def blank(self, sample: np.ndarray) -> str | None:
        """Return why a finite sample is empty (one colour, silence); None if it is not.

        Args:
            sample: The sample, as its family generates it.
        """

    @abstractmethod
    def columns(self, sample: np.ndarray, size: Size, name: str) -> dict[str, Any]:
        """Encode a sample as the columns of the medium's table beside the ids. NaN is encoded as 0.

        Args:
            sample: The sample, as its family generates it.
            size: Size of the sample.
            name: Name of its file, without the extension.
        """

    @abstractmethod
    def decode(self, row: Mapping[str, Any], pixels: int = MOST_PIXELS) -> Any:
        """Decode a sample.

        Args:
            row: The columns `file` and `beside`.
            pixels: Maximum number of pixels of an image or a frame.

        Raises:
            CorruptSample: The file cannot be read, or is larger. The message is the end of a sentence about the sample.
        """

    @abstractmethod
    def batch(self, decoded: Sequence[Any]) -> Any:
        """Join decoded samples of one size into the type that scorers of the medium take.

        Args:
            decoded: Results of `decode`.
        """

    @abstractmethod
    def levels(self, decoded: Any) -> np.ndarray:
        """Return the values of a decoded sample on a scale of 255, by which two samples are compared.

        Args:
            decoded: Result of `decode`.
        """

    @abstractmethod
    def disk(self, size: Size) -> float:
        """Estimate the bytes of a sample in the lake.

        Args:
            size: Size of the sample.
        """

    def content(self, row: Mapping[str, Any]) -> bytes | None:
        """Return the encoded sample of a row; None if it has none.

        Args:
            row: Columns of the medium's table, among them `file`.
        """
        found = row.get(self.file)
        return found["bytes"] if found else None
