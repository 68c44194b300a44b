"""The process that a lease names, and what can be known of it without waiting."""

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
"""Bytes of a lease: a longer file was not written by a driver."""


@dataclass(frozen=True)
class Holder:
    """A driver, as its lease describes it. `time` is its own clock's, and nothing is decided by it."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")

    token: str
    host: str
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    processes: int = 0
    """The namespace that the process id belongs to: containers may share a host's name, and each counts its own."""
    boot: str = ""
    """The boot of the host's kernel: machines may share a name too, and process ids start anew after a boot."""
    started: int = 0
    """When the process started, in the kernel's ticks: a process id is given to another process later."""
    time: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    beats: int = 0
    """Number of heartbeats so far."""
    notes: tuple[str, ...] = ()
    """What the driver is waiting for, a line each."""

    @property
    def here(self) -> bool:
        """Whether the process can be seen from this one."""
        return (self.host, self.processes, self.boot) == (socket.gethostname(), _processes(), _boot())

    @property
    def state(self) -> State:
        """What can be known at once: of a process elsewhere, or one that is stopped (SIGSTOP), nothing."""
        if not self.here:
            return "unknown"
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return "dead"
        except PermissionError:  # it lives, as another user's
            pass
        status, started = _stat(self.pid)
        if status in {"Z", "X"} or (self.started and started and started != self.started):
            return "dead"  # killed and not yet reaped by its parent, or another process of the same number
        return "unknown" if status in {"T", "t"} else "alive"

    def __str__(self) -> str:
        return f"process {self.pid} on {shown(self.host)}"


def this_process(token: str, beats: int, notes: Iterable[str] = ()) -> Holder:
    """This process, as the holder of a lease."""
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
    """The holder that a lease names; None for any content that no driver wrote."""
    if len(content) > _LONGEST:
        return None
    try:
        return parse_fields(Holder, content)
    except ValueError:
        return None


def _processes() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # no Linux
        return 0


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int]:
    """State and start time of a process. Empty and 0: no Linux, or it ended in this moment."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return "", 0
