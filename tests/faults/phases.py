"""Accidents in a given phase of a run, as its lake shows it: SIGTERM, and a disk that fills up."""

import mmap
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.disturbances import Moment, SmallDisk
from tests.faults.processes import Command

_Reached = Callable[[Path, int], bool]
"""Whether a lake has reached a phase, given the number of its shards."""


def _some(pattern: str) -> _Reached:
    return lambda lake, _: any(lake.glob(pattern))


def _is_generated(lake: Path, shards: int) -> bool:
    return len(list(lake.glob("_receipts/*/*.json"))) >= shards


PHASES: dict[str, _Reached] = {
    "starting": lambda _lake, _shards: True,
    "claiming": _some("_runs/*.json"),
    "generating": _some("samples/*/*.parquet"),
    "committing": _is_generated,
    "scoring": _some("scores/*/*.parquet"),
    "analysing": _some("group_scores/*/*.parquet"),
    "reporting": _some("analysis/*/*.parquet"),
}
TERMINATE = {f"terminate while {phase}": phase for phase in PHASES}
_FULL = ("starting", "claiming", "committing", "analysing", "reporting")
FILL = {f"fill disk while {phase}": phase for phase in _FULL}
_LEFT = {"starting": 2 * mmap.PAGESIZE}
"""Bytes that stay free: enough for the lease, too few for the first manifest."""


def terminate(command: Command, lake: Path, phase: str, shards: int, moment: Moment) -> str:
    """SIGTERM of `skewbench run`, in a phase and up to half a second later."""
    if not _reaches(command, lake, phase, shards):
        return "came too late"
    time.sleep(moment.later / 4)
    if not command.running:
        return "came too late"
    command.terminate()
    return phase


class FullDisk:
    """A lake on a disk of its own that is filled up in a phase, and emptied again. Needs the right to mount."""

    possible = SmallDisk.possible

    def __init__(self, lake: Path, used: int) -> None:
        self._filler = lake / "_temporary" / "filler"
        self._size = 2 * used + 2**22
        self.disk = SmallDisk(lake, self._size)

    def fill(self, command: Command, lake: Path, phase: str, shards: int) -> str:
        """Leave no block free until the command ends."""
        if not _reaches(command, lake, phase, shards):
            return "came too late"
        self._filler.parent.mkdir(exist_ok=True)
        while command.running:  # what the run deletes is filled too
            free = shutil.disk_usage(lake).free - _LEFT.get(phase, 0)
            if free > 0:
                with self._filler.open("ab") as file:
                    subprocess.run(["head", "-c", str(free), "/dev/zero"], stdout=file, stderr=subprocess.DEVNULL)
            time.sleep(0.05)
        return phase

    def empty(self) -> None:
        """There is room again."""
        self._filler.unlink(missing_ok=True)


def _reaches(command: Command, lake: Path, phase: str, shards: int) -> bool:
    while not PHASES[phase](lake, shards):
        if not command.running:
            return False
        time.sleep(0.01)
    return command.running
