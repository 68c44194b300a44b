"""One driver a run: a lease in the lake, kept alive by a heartbeat."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from skewbench.storage.place import LakeError
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import RunError

HEARTBEAT = 5.0
"""Seconds between two heartbeats."""
STALE = 60.0
"""Seconds without a heartbeat after which a driver on another machine counts as dead."""


class Lease:
    """`with Lease(store, run_id):` is the run's only driver, or raises `RunError` that names the other one."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id, self._path = store, run_id, _path(run_id)
        self._token = uuid.uuid4().hex
        self._held = b""
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._when_lost: Callable[[], None] = lambda: None
        self._notes: Callable[[], Sequence[str]] = tuple

    def __enter__(self) -> "Lease":
        self._held = self._content()
        if not self._store.put_new(self._path, self._held) and not self._take_over():
            raise RunError(f"run {self._run_id} has just been taken over by another process; try again later")
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lease")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._store.read(self._path) == self._held:
                self._store.delete(self._path)
        except (LakeError, OSError):  # a lease that stays behind is stale in a minute
            return

    def when_lost(self, stop: Callable[[], None]) -> None:
        """`stop` is called where another driver took over, since this one slept too long; at once if it has already."""
        self._when_lost = stop
        if self._lost.is_set():
            stop()

    def note(self, notes: Callable[[], Sequence[str]]) -> None:
        """Each heartbeat from now on carries these lines, for `driver_notes`: what the driver waits for."""
        self._notes = notes

    def check(self) -> None:
        """Raises `RunError` where another driver took over: nothing of the run may be written any more."""
        if self._lost.is_set():
            raise RunError(f"run {self._run_id} has been taken over by another process, since this one did not answer")

    def _take_over(self) -> bool:
        """Take the lease of a dead driver; of several that try one gets it. Raises `RunError` where it lives."""
        try:
            left = self._store.read(self._path)
        except FileNotFoundError:  # just given back
            return self._store.put_new(self._path, self._held)
        holder = _parse(left)
        if holder and _alive(holder):
            raise _driven(self._run_id, holder)
        return self._store.swap(self._path, left, self._held)

    def _content(self) -> bytes:
        here = {"host": socket.gethostname(), "processes": _processes(), "pid": os.getpid()}
        return json.dumps({"token": self._token, **here, "time": time.time(), "notes": [*self._notes()]}).encode()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            beat = self._content()
            try:
                kept = self._store.swap(self._path, self._held, beat)
            except (LakeError, OSError):  # away, or full: what others have done meanwhile the next beat finds
                continue
            if not kept:
                self._lost.set()
                self._when_lost()
                return
            self._held = beat


def is_driven(store: Store, run_id: str) -> bool:
    """Whether a driver that lives holds the run's lease."""
    return _driver(store, run_id) is not None


def driver_notes(store: Store, run_id: str) -> list[str]:
    """Read what the run's driver says that it waits for; nothing where none drives it."""
    notes = (_driver(store, run_id) or {}).get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []


def check_free(store: Store, run_id: str) -> None:
    """Raises `RunError` where another driver is at the run: to be asked before anything slow is started."""
    if holder := _driver(store, run_id):
        raise _driven(run_id, holder)


def _path(run_id: str) -> str:
    return f"_leases/{run_id}.json"


def _driver(store: Store, run_id: str) -> dict[str, Any] | None:
    try:
        holder = _parse(store.read(_path(run_id)))
    except FileNotFoundError:
        return None
    return holder if holder and _alive(holder) else None


def _driven(run_id: str, holder: dict[str, Any]) -> RunError:
    ago = time.time() - holder["time"]
    return RunError(
        f"run {run_id} is being driven by process {holder['pid']} on {holder['host']} "
        f"(last heartbeat {ago:.0f} s ago); wait for it, or stop it{_free_after(holder)}"
    )


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        return dict(json.loads(content))
    except ValueError:
        return None


def _processes() -> int:
    """Which processes the numbers are of: containers may share a host's name, and each counts its own."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # no Linux
        return 0


def _here(holder: dict[str, Any]) -> bool:
    """Whether the holder's process can be seen from this one."""
    return (holder["host"], holder.get("processes")) == (socket.gethostname(), _processes())


def _free_after(holder: dict[str, Any]) -> str:
    """For a holder that cannot be seen from here: it may have died, and when the run can then be taken over."""
    if _here(holder):
        return ""
    left = max(holder["time"] + STALE - time.time(), 0)
    return f"; if it is dead, the same command takes over in {left:.0f} s ({STALE:.0f} s after the last heartbeat)"


def _alive(holder: dict[str, Any]) -> bool:
    """On this machine: whether the process lives. On another: whether its heartbeat is young."""
    if time.time() - holder["time"] > STALE:
        return False
    if not _here(holder):
        return True
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(holder["pid"])


def _is_zombie(pid: int) -> bool:
    """Killed, and its parent has not asked yet: in a container that may be never."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:  # no Linux, or gone in this moment
        return False
