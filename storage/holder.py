"""The process that holds a lease, and its state as far as it is visible without waiting."""

import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from skewbench.storage.records import parse_fields, shown

State = Literal["alive", "dead", "unknown"]
_LONGEST = 64 * 2**10
"""Maximum size of a lease in bytes. A longer file was not written by a driver."""


@dataclass(frozen=True)
class Holder:
    """A driver, as its lease describes it. `time` is by its own clock, and decides nothing."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")

    token: str
    host: str
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    processes: int = 0
    """The namespace of the process id. Containers may share a host name but have separate process ids."""
    boot: str = ""
    """The boot id of the kernel. Machines may share a host name too, and process ids are reused after a boot."""
    started: int = 0
    """When the process started, in the kernel's ticks: process ids are reused."""
    time: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    beats: int = 0
    """Number of heartbeats so far."""
    notes: tuple[str, ...] = ()
    """The things that the driver is waiting for, one line each."""

    @property
    def is_visible(self) -> bool:
        """Whether its process id can be looked up from this process."""
        return (self.host, self.processes, self.boot) == (socket.gethostname(), _processes(), _boot())

    @property
    def state(self) -> State:
        """Whether the process is alive. Unknown for one on another machine, and for a stopped one (SIGSTOP)."""
        if not self.is_visible:
            return "unknown"
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return "dead"
        except PermissionError:  # it is alive, and another user's
            pass
        status, started = _stat(self.pid)
        if status in {"Z", "X"} or (self.started and started and started != self.started):
            return "dead"  # killed but not yet reaped by its parent, or another process with the same id
        return "unknown" if status in {"T", "t"} else "alive"

    def __str__(self) -> str:
        return f"process {self.pid} on {shown(self.host)}"


def this_process(token: str, beats: int, notes: Iterable[str] = ()) -> Holder:
    """Describe this process as the holder of a lease.

    Args:
        token: Identifies the lease.
        beats: Number of heartbeats so far.
        notes: What the driver is waiting for, one line each.
    """
    return Holder(
        token=token,
        host=socket.gethostname(),
        pid=os.getpid(),
        processes=_processes(),
        boot=_boot(),
        started=_stat(os.getpid())[1],
        time=time.time(),
        beats=beats,
        notes=tuple(notes),
    )


def parse_holder(content: bytes) -> Holder | None:
    """Parse a lease.

    Args:
        content: The bytes of the lease's file.

    Returns:
        The holder; None for content that no driver wrote.
    """
    if len(content) > _LONGEST:
        return None
    try:
        return parse_fields(Holder, content)
    except ValueError:
        return None


def _processes() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # not Linux
        return 0


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int]:
    """State and start time of a process. Empty and 0 if it has just ended, or this is not Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return "", 0
