"""One driver a run: its lease, who takes it over, and what a driver learns that lost it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from skewbench.sql import LakeError
from skewbench.storage import lease as lease_module
from skewbench.storage.lease import Lease, check_free, find_driver
from skewbench.storage.store import Store, open_store
from skewbench.vocabulary.errors import RunError

RUN = "small-0123abcd"
PATH = f"_leases/{RUN}.json"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease is stale in half a second."""
    monkeypatch.setattr(lease_module, "STALE", 0.5)
    monkeypatch.setattr(lease_module, "WATCH", 0.02)


def _left(store: Store, **changes: Any) -> dict[str, Any]:
    """The lease of this process stays behind, with changes."""
    with Lease(store, RUN):
        left = json.loads(store.read(PATH)) | changes
    store.put(PATH, json.dumps(left).encode())
    return dict(left)


def _owner(store: Store) -> int:
    with Lease(store, RUN):
        return int(json.loads(store.read(PATH))["pid"])


@contextmanager
def _beating(store: Store, left: dict[str, Any]) -> Iterator[None]:
    """A driver somewhere else, whose heartbeats go on."""
    done = threading.Event()

    def beat() -> None:
        for number in range(10_000):
            if done.wait(0.05):
                return
            store.put(PATH, json.dumps({**left, "beats": number}).encode())

    driver = threading.Thread(target=beat)
    driver.start()
    try:
        yield
    finally:
        done.set()
        driver.join()


def test_second_driver_is_told_who_drives(store: Store) -> None:
    message = rf"process {os.getpid()} on .*; wait for it to end, or stop it$"
    with Lease(store, RUN), pytest.raises(RunError, match=message), Lease(store, RUN):
        pass
    assert store.list("_leases") == []


@pytest.mark.parametrize("change", [{"pid": 2**22 + 1}, {"started": 1}], ids=["no such process", "a recycled number"])
def test_lease_of_the_dead_is_taken_over_at_once(store: Store, change: dict[str, int]) -> None:
    _left(store, **change)
    assert find_driver(store, RUN) is None
    assert _owner(store) == os.getpid()


@pytest.mark.parametrize("clock", [0.0, 1e11, -1e11, 1e300])
def test_no_clock_makes_a_driver_on_this_machine_dead(store: Store, clock: float) -> None:
    _left(store, time=clock)
    with pytest.raises(RunError, match="is being driven"), Lease(store, RUN):
        pass


def test_lease_of_a_killed_process_that_its_parent_has_not_reaped_is_taken_over(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as killed:
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        _left(store, pid=killed.pid, started=0)
        assert _owner(store) == os.getpid()


@pytest.mark.usefixtures("soon")
def test_a_stopped_process_is_watched_and_then_taken_over(store: Store) -> None:
    notes: list[str] = []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stopped:
        stopped.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
        _left(store, pid=stopped.pid, started=0)
        with Lease(store, RUN, notes.append):
            pass
        stopped.kill()
    assert len(notes) == 1
    assert "which is stopped; watching its heartbeat for up to" in notes[0]


ELSEWHERE = [{"host": "elsewhere"}, {"processes": 1}, {"boot": "another"}]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("other", ELSEWHERE, ids=str)
@pytest.mark.parametrize("shift", [0.0, -3600.0, 3600.0])
def test_a_process_that_cannot_be_seen_lives_while_its_heartbeat_changes(
    store: Store, other: dict[str, Any], shift: float
) -> None:
    left = _left(store, pid=2**22 + 1, time=time.time() + shift, **other)
    with _beating(store, left):
        for _ in range(2):
            with pytest.raises(RunError, match=r"is being driven by process \d+ on"), Lease(store, RUN):
                pass


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("other", ELSEWHERE, ids=str)
@pytest.mark.parametrize("shift", [0.0, -3600.0, 3600.0])
def test_a_process_that_cannot_be_seen_is_taken_over_when_its_heartbeat_stops(
    store: Store, other: dict[str, Any], shift: float
) -> None:
    _left(store, time=time.time() + shift, **other)
    notes: list[str] = []
    began = time.monotonic()
    with Lease(store, RUN, notes.append):
        assert time.monotonic() - began >= 0.5
    assert len(notes) == 1
    assert "watching its heartbeat for up to" in notes[0]
    assert ("its clock is 3,6" in notes[0] and "ahead" in notes[0]) == (shift > 0)


@pytest.mark.usefixtures("soon")
def test_a_lease_that_is_given_back_while_it_is_watched_is_taken_at_once(store: Store) -> None:
    _left(store, host="elsewhere")
    with Lease(store, RUN, lambda _: store.delete(PATH)):
        pass


@pytest.mark.usefixtures("soon")
def test_a_watcher_that_was_paused_itself_looks_once_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    left = _left(store, host="elsewhere")
    sleep = time.sleep

    def paused(seconds: float) -> None:
        """Longer than a lease is watched; the driver goes on meanwhile."""
        sleep(0.6)
        store.put(PATH, json.dumps({**left, "beats": 1}).encode())

    monkeypatch.setattr(lease_module.time, "sleep", paused)
    with pytest.raises(RunError, match="is being driven"), Lease(store, RUN):
        pass


def test_who_asks_without_waiting_is_told_what_is_known(store: Store) -> None:
    assert check_free(store, RUN) is None
    with Lease(store, RUN), pytest.raises(RunError, match="is being driven"):
        check_free(store, RUN)
    _left(store, host="elsewhere", time=1e11)
    line = check_free(store, RUN)
    assert line
    assert "on elsewhere, which cannot be seen from here" in line
    assert "starts when its heartbeat has not changed for 60 s" in line
    driver = find_driver(store, RUN)
    assert driver
    assert driver.state == "unknown"


VALID = {"token": "t", "host": "h", "pid": 1, "time": 0.0}
STRANGE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"x"',
    b"\xff\xfe",
    b"{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b" " * 2**20 + json.dumps(VALID).encode(),
    *(json.dumps(VALID | change).encode() for change in ({"pid": "1"}, {"pid": -1}, {"pid": 10**30}, {"host": None})),
    *(json.dumps(VALID | change).encode() for change in ({"time": "now"}, {"token": 1}, {"boot": []})),
    b'{"token": "t", "host": "h", "pid": 1, "time": NaN}',
]


@pytest.mark.parametrize("content", STRANGE, ids=lambda content: repr(content[:40]))
def test_a_lease_of_any_other_content_is_replaced_and_reported(store: Store, content: bytes) -> None:
    store.put(PATH, content)
    assert check_free(store, RUN) is None
    notes: list[str] = []
    with Lease(store, RUN, notes.append):
        pass
    assert notes == [f"the lease of run {RUN} ({PATH}) was not written by a driver; it is replaced"]


def test_a_host_of_somebody_elses_steers_no_terminal(store: Store) -> None:
    store.put(PATH, json.dumps(VALID | {"host": "\x1b[2J" + "h" * 10_000}).encode())
    line = check_free(store, RUN)
    assert line
    assert line.isprintable()
    assert len(line) < 600


def test_a_driver_that_slept_too_long_learns_that_it_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT", 0.01)
    lost, told_late = threading.Event(), threading.Event()
    with Lease(store, RUN) as lease:
        lease.check()
        lease.confirm()
        lease.on_taken_over(lost.set)
        # by swap: a put takes no lock, so the heartbeat that is being written could replace it
        while not store.swap(PATH, store.read(PATH), b'{"token": "other"}'):
            pass
        assert lost.wait(60)
        lease.on_taken_over(told_late.set)
        assert told_late.is_set()
        for ask in (lease.check, lease.confirm):
            with pytest.raises(RunError, match="taken over by another driver"):
                ask()
    assert store.exists(PATH)  # it is the other's


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), ValueError("of workers that were stopped")])
def test_whatever_fails_in_a_late_driver_is_reported_as_that(store: Store, error: Exception) -> None:
    def late() -> None:
        with Lease(store, RUN):
            store.put(PATH, b"the other's")
            raise error

    with pytest.raises(RunError, match=f"run {RUN} has been taken over by another driver"):
        late()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), LakeError("the store answers 'no'")])
def test_a_heartbeat_that_fails_is_not_the_last(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT", 0.01)
    beaten, swap = threading.Event(), store.swap

    def failing_once(path: str, old: bytes, new: bytes) -> bool:
        monkeypatch.setattr(store, "swap", lambda *given: swap(*given) and not beaten.set())
        raise error

    monkeypatch.setattr(store, "swap", failing_once)
    with Lease(store, RUN) as lease:
        assert beaten.wait(60)
        lease.check()


def test_a_heartbeat_whose_answer_was_lost_is_the_drivers_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT", 0.01)
    beaten, swap = threading.Event(), store.swap

    def lost_answer(path: str, old: bytes, new: bytes) -> bool:
        swap(path, old, new)
        monkeypatch.setattr(store, "swap", lambda *given: swap(*given) and not beaten.set())
        raise LakeError("the store does not answer")

    monkeypatch.setattr(store, "swap", lost_answer)
    with Lease(store, RUN) as lease:
        assert beaten.wait(60)
        lease.check()
    assert not store.exists(PATH)


def test_of_drivers_that_find_the_same_dead_lease_one_takes_it(store: Store) -> None:
    _left(store, pid=2**22 + 1)

    def take(_: int) -> Lease | None:
        try:
            return Lease(open_store(store.lake), RUN).__enter__()
        except RunError:
            return None

    with ThreadPoolExecutor(4) as drivers:
        taken = [lease for lease in drivers.map(take, range(4)) if lease]
    assert len(taken) == 1
    taken[0].__exit__(None, None, None)
    assert store.list("_leases") == []
