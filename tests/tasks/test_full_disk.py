"""A disk that fills up or turns read-only at any change, and file systems that lack what a lake needs."""

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skewbench.storage.compact import compact_run
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, find_run, report_path
from skewbench.storage.parts import list_parts
from skewbench.storage.records import Manifest
from skewbench.storage.repair import rebuild
from skewbench.storage.store import LocalStore, Store
from skewbench.storage.verify import Fault, check_run
from skewbench.tasks.report import report_run
from skewbench.vocabulary.errors import InputError
from tests.flows.command import run_in_process
from tests.lakes import Lake, made
from tests.paused_store import RUN, WHOLE, PausedStore, begin_run, commit_all, generate, rows_of, score

Operation = Callable[[Store, Manifest], object]


def _score_and_commit(store: Store, manifest: Manifest) -> object:
    score(store, "s1")
    return commit_all(store, manifest)


def _generate_and_commit(store: Store, manifest: Manifest) -> object:
    generate(store, "s4")
    return commit_all(store, manifest)


OPERATIONS: dict[str, Operation] = {
    "compaction": compact_run,
    "scores and their commit": _score_and_commit,
    "a shard and its commit": _generate_and_commit,
}


def _strays(store: Store) -> set[str]:
    with Lease(store, RUN) as lease:
        named = {part.path for part in claim(store, lease).parts}
    return set(list_parts(store, RUN)) - named


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_nothing_is_lost_and_the_same_command_goes_on(tmp_path: Path, operation: Operation, number: int) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    for n in range(30):
        store = LocalStore(tmp_path / str(n))
        begin_run(store)
        failing = PausedStore(store, n, fail)
        with Lease(store, RUN) as lease:
            manifest = claim(store, lease)
            with suppress(OSError):
                operation(failing, manifest)  # type: ignore[arg-type]
        assert all(set(rows) <= set(rows_of(store)[table]) for table, rows in WHOLE.items())
        assert not [fault for fault in check_run(store, find_run(store, RUN)) if fault.part]
        with Lease(store, RUN) as lease:
            operation(store, claim(store, lease))
        assert _strays(store) == set()
        assert all(set(rows) <= set(rows_of(store)[table]) for table, rows in WHOLE.items())
        if not failing.paused:
            break
    assert n > 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_a_broken_manifest_that_cannot_be_rebuilt_now_can_be_later(tmp_path: Path, number: int) -> None:
    store = LocalStore(tmp_path)
    plan = begin_run(store)
    store.put(f"_plans/{RUN}.json", plan.stored or b"")
    store.put(f"_runs/{RUN}.json", b"broken")

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(OSError, match=os.strerror(number)):
        rebuild(PausedStore(store, 0, fail), RUN)  # type: ignore[arg-type]
    assert store.read(f"_runs/{RUN}.json") == b"broken"
    assert rebuild(store, RUN).status == "committed"
    assert rows_of(store) == WHOLE


def test_the_earlier_report_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = made(tmp_path, Lake(images=False))
    store = LocalStore(tmp_path)
    store.put(report_path(run_id), b"earlier")
    monkeypatch.setattr("skewbench.tasks.report.assemble._page", lambda *_: None)
    monkeypatch.setattr("skewbench.tasks.report.assemble.render", lambda _: "later")
    _fill(monkeypatch)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/_temporary/"):
        report_run(store, run_id)
    assert store.read(report_path(run_id)) == b"earlier"
    assert [file.name for file in (tmp_path / "_temporary").iterdir() if file.name != ".lock"] == []


@pytest.mark.parametrize("command", [["compact"], ["verify", "--repair"], ["runs", "rm", "--yes"]], ids=" ".join)
def test_commands_end_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    begin_run(LocalStore(tmp_path))
    with monkeypatch.context() as full:
        _fill(full)
        if "verify" in command:
            fault = Fault("samples/x.parquet", "is missing")
            full.setattr("skewbench.storage.verify.check_run", lambda *_: [fault])
        done = run_in_process(
            full, *command[:2], *([RUN] if "rm" in command else []), *command[2:], "--lake", str(tmp_path)
        )
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if "error" in line)
    assert line.startswith("error: [Errno 28] No space left on device: ")
    assert rows_of(LocalStore(tmp_path)) == WHOLE


def _fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on there is no room for a byte, as on a full disk whose files can be opened and deleted."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("skewbench.storage.store.os.fsync", full)


def _failing(number: int) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_file_system_without_hard_links_is_found_out_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr(os, "link", _failing(number))
    with pytest.raises(InputError, match=r"its file system has no hard links .*; use a folder on a local disk, or"):
        store.check_writable()
    with pytest.raises(InputError, match="no hard links"), Lease(store, RUN):
        pass
    assert list((tmp_path / "_temporary").iterdir()) == []


def test_so_is_one_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _failing(errno.ENOLCK))
    with pytest.raises(InputError, match="cannot be written: No locks available"):
        LocalStore(tmp_path).check_writable()


@pytest.mark.parametrize("folder", ["_temporary", "_reports", "_runs", "samples", f"images/run_id={RUN}"])
def test_nothing_is_written_through_a_link_out_of_the_lake(tmp_path: Path, folder: str) -> None:
    store, outside = LocalStore(tmp_path / "lake"), tmp_path / "outside"
    outside.mkdir()
    (store.root / folder).parent.mkdir(parents=True)
    (store.root / folder).symlink_to(outside)
    for write in (store.put, store.put_new):
        with pytest.raises(InputError, match=f"{folder.partition('/')[0]}.* is a link that points outside the lake"):
            write(f"{folder}/a.html", b"x")
    assert list(outside.iterdir()) == []
    (tmp_path / "linked").symlink_to(store.root)  # the lake itself may be a link
    if folder != "_temporary":
        LocalStore(tmp_path / "linked").put("_baselines/a.json", b"x")
        assert store.read("_baselines/a.json") == b"x"
