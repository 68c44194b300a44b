"""Reads the samples that the rating page shows."""

import threading

from skewbench.sql.images import SampleFiles
from skewbench.storage.location import LakeError
from skewbench.tasks.media import MEDIA
from skewbench.vocabulary.metrics import Medium

TYPES: dict[Medium, str] = {"image": "image/png", "audio": "audio/wav", "video": "image/png"}
"""Content types. A video is an animated PNG, which browsers repeat without sound."""


class Media:
    """The encoded samples of a run. Safe for threads.

    Args:
        lake: Folder or URL of the lake.
        run_id: The run.
        medium: Its medium.

    Raises:
        LakeError: A part is missing or broken.
    """

    def __init__(self, lake: str, run_id: str, medium: Medium) -> None:
        self.medium, self.type = medium, TYPES[medium]
        self._lake, self._run_id = lake, run_id
        self._lock = threading.Lock()
        self._files = self._opened()

    def read(self, sample_id: str) -> bytes | None:
        """Read a sample; None if the lake does not have it.

        Args:
            sample_id: Its id.

        Raises:
            LakeError: A part is missing or broken.
        """
        with self._lock:
            try:
                found = self._files.read([sample_id])
            except LakeError:  # a compaction may have replaced the parts since they were listed
                self._files = self._opened()
                found = self._files.read([sample_id])
        row = found.get(sample_id)
        content: bytes | None = row[MEDIA[self.medium].file] if row else None
        return content

    def _opened(self) -> SampleFiles:
        kind = MEDIA[self.medium]
        return SampleFiles(self._lake, self._run_id, kind.table.name, [kind.file])
