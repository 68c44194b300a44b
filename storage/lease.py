"""One driver a run: a lease in the lake, kept alive by a heartbeat.

Clocks of two machines are never compared. A driver elsewhere is alive if its lease changes, as it does with each
heartbeat. A lease that does not change for `STALE` seconds of this machine's own clock may be taken over. A lease
says who should write; `skewbench.storage.manifest` makes sure that a late driver cannot.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict
from types import TracebackType

from skewbench.storage.holder import Holder, parse_holder, this_process
from skewbench.storage.place import LakeError
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import RunError

logger = logging.getLogger(__name__)

HEARTBEAT = 5.0
"""Seconds between two heartbeats."""
STALE = 60.0
"""Seconds for which a lease is watched without a change before its driver counts as dead."""
WATCH = 1.0
"""Seconds between two looks at a lease that is watched."""


class Lease:
    """`with Lease(store, run_id):` is the run's only driver, or raises `RunError` that names the other one.

    A driver that cannot be seen from here is watched for at most `STALE` seconds. `notify` is called with a
    line about the wait.
    """

    def __init__(self, store: Store, run_id: str, notify: Callable[[str], None] = logger.warning) -> None:
        self.run_id = run_id
        self._store, self._path, self._notify = store, _path(run_id), notify
        self._token, self._beats = uuid.uuid4().hex, 0
        self._held = b""
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._when_lost: Callable[[], None] = lambda: None
        self._notes: Callable[[], Sequence[str]] = tuple

    def __enter__(self) -> "Lease":
        self._held = self._content()
        if not self._store.put_new(self._path, self._held) and not self._take_over():
            raise RunError(f"run {self.run_id} has just been taken over by another process; try again later")
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lease")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if not self._store.remove(self._path, self._held):
                self._lost.set()
        except (LakeError, OSError):  # the lease stays behind, and names a process that has ended
            return
        if self._lost.is_set() and isinstance(error, Exception):  # whatever it was: files went, workers were stopped
            raise taken_over(self.run_id) from error

    def when_lost(self, stop: Callable[[], None]) -> None:
        """`stop` is called when another driver takes over; at once if it already has."""
        self._when_lost = stop
        if self._lost.is_set():
            stop()

    def note(self, notes: Callable[[], Sequence[str]]) -> None:
        """Each heartbeat from now on carries these lines, for `driver_notes`: what the driver waits for."""
        self._notes = notes

    def check(self) -> None:
        """Raises `RunError` if a heartbeat has found that another driver took over."""
        if self._lost.is_set():
            raise taken_over(self.run_id)

    def confirm(self) -> None:
        """Read the lease, and raise `RunError` unless it is this driver's."""
        self._own()

    def _take_over(self) -> bool:
        """Take the lease of a dead driver; of several that try one gets it. Raises `RunError` if it is alive."""
        try:
            left = self._store.read(self._path)
        except FileNotFoundError:  # just given back
            return self._store.put_new(self._path, self._held)
        holder = parse_holder(left)
        if holder is None:
            self._notify(f"the lease of run {self.run_id} ({self._path}) was not written by a driver; it is replaced")
        elif holder.state == "alive":
            raise _driven(self.run_id, holder)
        elif holder.state == "unknown" and not self._is_silent(left, holder):
            return self._store.put_new(self._path, self._held)
        return self._store.swap(self._path, left, self._held)

    def _is_silent(self, left: bytes, holder: Holder) -> bool:
        """Whether a lease stays as it is for `STALE` seconds; False if it is given back. Raises `RunError` at a change.

        The last look comes after the time is over, so that a watcher that was itself paused sees what it missed.
        """
        self._notify(f"{_held_by(self.run_id, holder)}; watching its heartbeat for up to {STALE:.0f} s")
        began = time.monotonic()
        while True:
            over = time.monotonic() - began >= STALE
            try:
                if self._store.read(self._path) != left:
                    raise _driven(self.run_id, holder)
            except FileNotFoundError:
                return False
            if over:
                return True
            time.sleep(WATCH)

    def _content(self) -> bytes:
        return json.dumps(asdict(this_process(self._token, self._beats, self._notes()))).encode()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            self._beats += 1
            beat = self._content()
            try:
                if self._store.swap(self._path, self._held, beat):
                    self._held = beat
                    continue
                self._held = self._own()
            except (LakeError, OSError):  # away, or full: what others have done meanwhile the next beat finds
                continue
            except RunError:
                self._lost.set()
                self._when_lost()
                return

    def _own(self) -> bytes:
        """The lease as it is. Raises `RunError` unless it is this driver's."""
        try:
            content = self._store.read(self._path)
        except FileNotFoundError:
            raise taken_over(self.run_id) from None
        holder = parse_holder(content)
        if holder is None or holder.token != self._token:
            raise taken_over(self.run_id)
        return content


def taken_over(run_id: str) -> RunError:
    """What a late driver reports."""
    return RunError(
        f"run {run_id} has been taken over by another driver, since this one did not answer; "
        "this one writes nothing more"
    )


def find_driver(store: Store, run_id: str) -> Holder | None:
    """Who holds the run's lease, unless that process is known to be dead. Does not wait, so it may have died."""
    try:
        holder = parse_holder(store.read(_path(run_id)))
    except FileNotFoundError:
        return None
    return holder if holder and holder.state != "dead" else None


def driver_notes(store: Store, run_id: str) -> list[str]:
    """Read what the run's driver is waiting for; nothing where no driver holds the lease."""
    holder = find_driver(store, run_id)
    return list(holder.notes) if holder else []


def check_free(store: Store, run_id: str) -> str | None:
    """Ask, before anything slow is started, whether another driver has the run. Does not wait.

    Returns:
        None, or a line that says who holds the lease where that process cannot be seen from here.

    Raises:
        RunError: a driver on this machine is alive.
    """
    holder = find_driver(store, run_id)
    if holder is None:
        return None
    if holder.state == "alive":
        raise _driven(run_id, holder)
    return f"{_held_by(run_id, holder)}; the run starts when its heartbeat has not changed for {STALE:.0f} s"


def _path(run_id: str) -> str:
    return f"_leases/{run_id}.json"


def _driven(run_id: str, holder: Holder) -> RunError:
    return RunError(f"run {run_id} is being driven by {holder}; wait for it, or stop it")


def _held_by(run_id: str, holder: Holder) -> str:
    ahead = holder.time - time.time()
    clock = f" (its clock is {ahead:,.0f} s ahead of this one's)" if ahead > STALE else ""
    why = "which is stopped" if holder.here else "which cannot be seen from here"
    return f"run {run_id} is held by {holder}, {why}{clock}"
