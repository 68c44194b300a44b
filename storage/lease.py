"""Ensures that a run has one driver, by a lease in the lake that a heartbeat keeps alive.

Clocks of two machines are never compared. A driver on another machine is alive if its lease changes, as it does with
each heartbeat. A lease that does not change for `STALE` seconds by this machine's own clock may be taken over. The
lease says who should write; `skewbench.storage.manifest` ensures that a late driver cannot.
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
from skewbench.storage.location import LakeError
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import RunError

logger = logging.getLogger(__name__)

HEARTBEAT = 5.0
"""Seconds between two heartbeats."""
STALE = 60.0
"""Seconds without a change after which the driver of a watched lease counts as dead."""
WATCH = 1.0
"""Seconds between two reads of a watched lease."""


class Lease:
    """The right to drive a run: `with Lease(store, run_id):`.

    A driver whose process cannot be looked up from here is watched for at most `STALE` seconds.

    Args:
        store: The lake.
        run_id: The run.
        notify: Called with a line about each wait.

    Raises:
        RunError: On entering, if another driver holds the lease; the message names it. On leaving with an error, if
            another driver took the run over meanwhile.
    """

    def __init__(self, store: Store, run_id: str, notify: Callable[[str], None] = logger.warning) -> None:
        self.run_id = run_id
        self.store, self._path, self._notify = store, _path(run_id), notify
        self._token, self._beats = uuid.uuid4().hex, 0
        self._held = b""
        self._stop = threading.Event()
        self._is_taken_over = threading.Event()
        self._stop_work: Callable[[], None] = lambda: None
        self._notes: Callable[[], Sequence[str]] = tuple

    def __enter__(self) -> "Lease":
        self._held = self._content()
        if not self.store.put_new(self._path, self._held) and not self._take_over():
            raise RunError(f"run {self.run_id} was taken over by another process; try again later")
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lease")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if not self.store.remove(self._path, self._held):
                self._is_taken_over.set()
        except (LakeError, OSError):  # the lease stays, and names a process that has ended
            return
        if self._is_taken_over.is_set() and isinstance(error, Exception):  # caused by the takeover
            raise taken_over_error(self.run_id) from error

    def on_taken_over(self, stop: Callable[[], None]) -> None:
        """Register what to do when another driver takes over.

        Args:
            stop: Called then; at once if it has happened already.
        """
        self._stop_work = stop
        if self._is_taken_over.is_set():
            stop()

    def note(self, notes: Callable[[], Sequence[str]]) -> None:
        """Add lines to each heartbeat from now on, which `driver_notes` reads.

        Args:
            notes: Returns the things that the driver is waiting for.
        """
        self._notes = notes

    def check(self) -> None:
        """Raise `RunError` if a heartbeat has found that another driver took over."""
        if self._is_taken_over.is_set():
            raise taken_over_error(self.run_id)

    def confirm(self) -> None:
        """Read the lease. Raise `RunError` unless it is this driver's."""
        self._own_lease()

    def _take_over(self) -> bool:
        """Take the lease of a dead driver. Of several drivers that try, one succeeds.

        Raises:
            RunError: The driver is alive.
        """
        try:
            found = self.store.read(self._path)
        except FileNotFoundError:  # it has just been released
            return self.store.put_new(self._path, self._held)
        holder = parse_holder(found)
        if holder is None:
            self._notify(f"the lease of run {self.run_id} ({self._path}) was not written by a driver; it is replaced")
        elif holder.state == "alive":
            raise _driven_error(self.run_id, holder)
        elif holder.state == "unknown" and not self._is_silent(found, holder):
            return self.store.put_new(self._path, self._held)
        return self.store.swap(self._path, found, self._held)

    def _is_silent(self, found: bytes, holder: Holder) -> bool:
        """Whether a lease stays unchanged for `STALE` seconds; False if it is released. Raises `RunError` at a change.

        The last read is after the end of this time, so a watcher that was itself paused sees the changes.
        """
        self._notify(f"{_held_by(self.run_id, holder)}; watching its heartbeat for up to {STALE:.0f} s")
        began = time.monotonic()
        while True:
            over = time.monotonic() - began >= STALE
            try:
                if self.store.read(self._path) != found:
                    raise _driven_error(self.run_id, holder)
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
                if self.store.swap(self._path, self._held, beat):
                    self._held = beat
                    continue
                self._held = self._own_lease()
            except (
                LakeError,
                OSError,
            ):  # unreachable or full; the next heartbeat detects what other drivers did
                continue
            except RunError:
                self._is_taken_over.set()
                self._stop_work()
                return

    def _own_lease(self) -> bytes:
        """The lease in the lake. Raises `RunError` unless it is this driver's."""
        try:
            content = self.store.read(self._path)
        except FileNotFoundError:
            raise taken_over_error(self.run_id) from None
        holder = parse_holder(content)
        if holder is None or holder.token != self._token:
            raise taken_over_error(self.run_id)
        return content


def taken_over_error(run_id: str) -> RunError:
    """Make the error of a driver that another one has replaced.

    Args:
        run_id: The run.
    """
    return RunError(
        f"run {run_id} has been taken over by another driver because this one stopped responding; "
        "this one writes nothing more"
    )


def find_driver(store: Store, run_id: str) -> Holder | None:
    """Find the driver of a run, without waiting.

    Args:
        store: The lake.
        run_id: The run.

    Returns:
        The holder of its lease, which may have died unnoticed on another machine; None if there is no lease, or its
        process is known to be dead.
    """
    try:
        holder = parse_holder(store.read(_path(run_id)))
    except FileNotFoundError:
        return None
    return holder if holder and holder.state != "dead" else None


def driver_notes(store: Store, run_id: str) -> list[str]:
    """Read the notes of a run's driver on what it is waiting for.

    Args:
        store: The lake.
        run_id: The run.

    Returns:
        One line each; none if no driver holds the lease.
    """
    holder = find_driver(store, run_id)
    return list(holder.notes) if holder else []


def check_free(store: Store, run_id: str) -> str | None:
    """Check, before anything slow starts and without waiting, whether another driver has a run.

    Args:
        store: The lake.
        run_id: The run.

    Returns:
        None, or, if the holder's process cannot be looked up from here, a line that names it.

    Raises:
        RunError: A driver on this machine is alive.
    """
    holder = find_driver(store, run_id)
    if holder is None:
        return None
    if holder.state == "alive":
        raise _driven_error(run_id, holder)
    return f"{_held_by(run_id, holder)}; the run starts when its heartbeat has not changed for {STALE:.0f} s"


def _path(run_id: str) -> str:
    return f"_leases/{run_id}.json"


def _driven_error(run_id: str, holder: Holder) -> RunError:
    return RunError(f"run {run_id} is being driven by {holder}; wait for it to end, or stop it")


def _held_by(run_id: str, holder: Holder) -> str:
    ahead = holder.time - time.time()
    clock = f" (its clock is {ahead:,.0f} s ahead of this one's)" if ahead > STALE else ""
    state = "which is stopped" if holder.is_visible else "which cannot be seen from here"
    return f"run {run_id} is held by {holder}, {state}{clock}"
