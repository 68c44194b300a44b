"""One driver a run: a lease in the lake, kept alive by a heartbeat."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tasks.errors import RunError
from tasks.lake.store import LocalStore

HEARTBEAT = 5.0
"""Seconds between two heartbeats."""
STALE = 60.0
"""Seconds without a heartbeat after which a driver on another machine counts as dead."""


class Lease:
    """`with Lease(store, run_id):` is the run's only driver, or raises `RunError` that names the other one."""

    def __init__(self, store: LocalStore, run_id: str) -> None:
        self._store, self._run_id, self._path = store, run_id, f"_leases/{run_id}.json"
        self._token = uuid.uuid4().hex
        self._stop = threading.Event()
        self.on_lost: Callable[[], None] = lambda: None
        """Called where another driver took over, since this one slept too long: what it does must stop."""

    def __enter__(self) -> "Lease":
        if not self._store.put_new(self._path, self._content()):
            holder = self._holder()
            if holder and _alive(holder):
                raise RunError(
                    f"run {self._run_id} is being driven by process {holder['pid']} on {holder['host']} "
                    f"(last heartbeat {time.time() - holder['time']:.0f} s ago); wait for it, or stop it"
                )
            self._store.put(self._path, self._content())
            time.sleep(0.2)  # two that find the same dead lease both write; the last to write has it
            if self._is_lost():
                raise RunError(f"run {self._run_id} has just been taken over by another process; try again later")
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lease")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if not self._is_lost():
            self._store.delete(self._path)

    def _content(self) -> bytes:
        holder = {"token": self._token, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
        return json.dumps(holder).encode()

    def _holder(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._store.read(self._path)))
        except (FileNotFoundError, ValueError):
            return None

    def _is_lost(self) -> bool:
        holder = self._holder()
        return holder is None or holder["token"] != self._token

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            if self._is_lost():
                self.on_lost()
                return
            self._store.put(self._path, self._content())


def _alive(holder: dict[str, Any]) -> bool:
    """On this machine: whether the process lives. On another: whether its heartbeat is young."""
    if time.time() - holder["time"] > STALE:
        return False
    if holder["host"] != socket.gethostname():
        return True
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
