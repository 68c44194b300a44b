"""One driver a run: its lease, who takes it over, and what a driver learns that lost it."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skewbench.sql import LakeError
from skewbench.storage import lease as lease_module
from skewbench.storage.lease import Lease
from skewbench.storage.store import Store, open_store
from skewbench.vocabulary.errors import RunError

RUN = "small-0123abcd"


def test_second_driver_is_told_who_drives(store: Store) -> None:
    told = rf"process {os.getpid()} on .*; wait for it, or stop it$"  # it is seen to live: no word of its death
    with Lease(store, RUN), pytest.raises(RunError, match=told), Lease(store, RUN):
        pass
    assert store.list("_leases") == []


@pytest.mark.parametrize("change", [{"time": 0.0}, {"pid": 2**22 + 1}])
def test_lease_of_the_dead_is_taken_over(store: Store, change: dict[str, float]) -> None:
    with Lease(store, RUN):
        left = json.loads(store.read(f"_leases/{RUN}.json"))
    store.put(f"_leases/{RUN}.json", json.dumps({**left, **change}).encode())
    with Lease(store, RUN):
        assert json.loads(store.read(f"_leases/{RUN}.json"))["pid"] == os.getpid()


def test_lease_of_a_killed_process_that_its_parent_has_not_reaped_is_taken_over(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as killed:
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        with Lease(store, RUN):
            left = json.loads(store.read(f"_leases/{RUN}.json"))
        store.put(f"_leases/{RUN}.json", json.dumps({**left, "pid": killed.pid}).encode())
        with Lease(store, RUN):
            assert json.loads(store.read(f"_leases/{RUN}.json"))["pid"] == os.getpid()


def test_a_driver_that_slept_too_long_learns_that_it_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT", 0.01)
    lost, told_late = threading.Event(), threading.Event()
    with Lease(store, RUN) as lease:
        lease.check()
        lease.when_lost(lost.set)
        store.put(f"_leases/{RUN}.json", b'{"token": "other"}')
        assert lost.wait(60)
        lease.when_lost(told_late.set)
        assert told_late.is_set()
        with pytest.raises(RunError, match="taken over by another process"):
            lease.check()
    assert store.exists(f"_leases/{RUN}.json")  # it is the other's


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"processes": 1}])
def test_a_process_that_cannot_be_seen_lives_while_its_heartbeat_is_young(
    store: Store, other: dict[str, str | int]
) -> None:
    with Lease(store, RUN):
        left = json.loads(store.read(f"_leases/{RUN}.json"))
    store.put(f"_leases/{RUN}.json", json.dumps({**left, "pid": 2**22 + 1, **other}).encode())
    with (
        pytest.raises(RunError, match=r"driven by process .*; if it is dead, .* takes over in (59|60) s \(60 s after"),
        Lease(store, RUN),
    ):
        pass


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


def test_of_drivers_that_find_the_same_dead_lease_one_takes_it(store: Store) -> None:
    store.put(f"_leases/{RUN}.json", json.dumps({"token": "t", "host": "h", "pid": 1, "time": 0.0}).encode())

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
