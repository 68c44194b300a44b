"""Remembers which parts of a folder's lake were checked, so that not every command opens thousands of files.

A part counts as checked while its file has not changed by size, inode and time of change. That time is the kernel's: a
program that writes a file cannot set it. The memory is a file of the user's cache, one a lake.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256

from skewbench.storage import user_cache
from skewbench.storage.location import Folder, Location
from skewbench.storage.records import Part
from skewbench.storage.tables import VERSION

FEWEST = 100
"""Parts from which on a lake is remembered. Fewer are checked in a tenth of a second."""


class CheckedParts:
    """The parts of a lake that were checked before.

    Args:
        place: The lake. Of a bucket nothing is remembered.
    """

    def __init__(self, place: Location) -> None:
        self._folder = place if isinstance(place, Folder) else None
        self._states: dict[str, str | None] = {}
        self._known: dict[str, str | None] = {}
        self._name = f"checked/{sha256(place.lake.encode()).hexdigest()[:32]}.json"

    def unchecked(self, parts: Iterable[Part]) -> list[Part]:
        """Return the parts that have to be checked, in their order.

        Args:
            parts: Parts of the lake.
        """
        parts = list(parts)
        self._states = {}
        if self._folder is None or len(parts) < FEWEST:
            return parts
        self._known = self._read()
        self._states = {part.path: self._state(part) for part in parts}
        return [part for part in parts if self._known.get(part.path, "") != self._states[part.path]]

    def remember(self) -> None:
        """Note that the parts which `unchecked` was given are whole, in the state that they had then."""
        if self._states:
            states = self._known | self._states
            user_cache.write(self._name, json.dumps({path: state for path, state in states.items() if state}))

    def _read(self) -> dict[str, str | None]:
        with suppress(ValueError):
            found = json.loads(user_cache.read(self._name) or "{}")
            if isinstance(found, dict):
                return found
        return {}

    def _state(self, part: Part) -> str | None:
        """The inputs of a part's check; None if the part has no file."""
        assert self._folder is not None  # noqa: S101  (of a folder alone)
        try:
            found = os.stat(self._folder.address(part.path))
        except OSError:
            return None
        return f"{found.st_size} {found.st_ino} {found.st_ctime_ns} {part.rows} {VERSION}"
