"""A driver that is paused at any of its changes, while another takes the run over, destroys nothing when it wakes."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from skewbench.storage.commit import commit_manifest
from skewbench.storage.compact import compact_run
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, create_manifest, now, read_manifest, write_manifest
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.records import Manifest
from skewbench.storage.remove import remove_run
from skewbench.storage.repair import repair
from skewbench.storage.store import Store, open_store
from skewbench.storage.tables import TABLES
from skewbench.storage.verify import check_run
from skewbench.tasks.regressions.nights import remove_old
from skewbench.vocabulary.errors import InputError, RunError
from tests.paused_store import (
    RUN,
    SHARDS,
    PausedStore,
    begin_run,
    commit_all,
    generate,
    generation,
    receipts_of,
    rows_of,
    score,
    take_over,
)

Driver = Callable[[Store], object]
LATE = f"run {RUN} has been taken over by another driver"


@pytest.fixture(params=["folder", "bucket_lake"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Both kinds of store; Google's is the same class as the other bucket, on a slow server."""
    return open_store(tmp_path / "lake" if request.param == "folder" else request.getfixturevalue(request.param))


def _scores(store: Store) -> None:
    with Lease(store, RUN) as lease:
        manifest = claim(store, lease)
        score(store, "s1")
        commit_all(store, manifest)


def _compacts(store: Store) -> None:
    with Lease(store, RUN) as lease:
        compact_run(store, claim(store, lease))


def _answers(store: Store, manifest: Manifest) -> None:
    rows = pa.Table.from_pylist([], schema=TABLES["analysis"].schema)
    part = write_part(store, "analysis", RUN, "analysis", new_attempt(), rows)
    others = tuple(other for other in manifest.parts if other.table != "analysis")
    commit_manifest(store, replace(manifest, parts=(*others, part)), written=[part])


def _analyses(store: Store) -> None:
    with Lease(store, RUN) as lease:
        _answers(store, claim(store, lease))


def _repairs(store: Store) -> None:
    manifest = read_manifest(store, RUN)
    assert manifest
    repair(store, RUN, check_run(store, manifest))


def _removes(store: Store) -> None:
    remove_run(store, RUN)


def _keeps_one_night(store: Store) -> None:
    """As the nightly flow does; another night, which is newer, is all that is kept."""
    night = {"name": "small", "metrics": [], "repeat": "2026-02-01T00:00:00Z"}
    if read_manifest(store, "small-newer") is None:
        create_manifest(open_store(store.lake), Manifest("small-newer", "small", "committed", now(), night))
    remove_old(store, "small", keep=1)


def _scores_and_compacts(store: Store, manifest: Manifest) -> None:
    score(store, "s2")
    compact_run(store, commit_all(store, manifest))


def _at_each_change(store: Store, driver: Driver, meanwhile: Driver, check: Callable[[Exception | None], None]) -> int:
    """Play the driver with a pause before its first change, its second, and so on, each time on a new run."""
    for n in range(100):
        store.delete(*store.list(""))
        begin_run(store)
        paused = PausedStore(store, n, lambda: meanwhile(store))
        error: Exception | None = None
        try:
            driver(paused)  # type: ignore[arg-type]
        except (RunError, InputError) as failure:
            error = failure
        if not paused.paused:
            return n
        check(error)
    raise AssertionError("the driver does not end")


@pytest.mark.parametrize("driver", [_scores, _compacts, _analyses])
def test_a_driver_paused_at_any_change_loses_no_committed_row(store: Store, driver: Driver) -> None:
    errors: list[Exception | None] = []

    def check(error: Exception | None) -> None:
        errors.append(error)
        found = rows_of(store)
        assert found["samples"] == found["images"] == [f"{shard}-0" for shard in SHARDS]
        assert {"s0-0 m", "s2-0 m"} <= set(found["scores"])
        assert len(set(found["scores"])) == len(found["scores"])
        manifest = read_manifest(store, RUN)
        assert manifest
        assert check_run(store, manifest) == []

    def meanwhile(store: Store) -> None:
        take_over(store, _scores_and_compacts)

    changes = _at_each_change(store, driver, meanwhile, check)
    assert changes >= 2
    late = [error for error in errors if error]
    assert late
    assert all(LATE in str(error) and "\n" not in str(error) for error in late)
    assert (
        errors.index(None) == len(late) if None in errors else True
    )  # once it has replaced the manifest it is in time


def test_a_late_driver_leaves_nothing_that_it_wrote(store: Store) -> None:
    begin_run(store)
    late = take_over(store, lambda store, manifest: manifest)
    take_over(store, _scores_and_compacts)
    score(store, "s3")
    before = store.list("")
    for write in (_answers, _scores_and_compacts):
        with pytest.raises(RunError, match=LATE):
            write(store, late)
    assert store.list("") == before


def test_a_repair_paused_at_any_change_sends_back_only_what_is_broken(store: Store) -> None:
    def meanwhile(store: Store) -> None:
        """The other driver has repaired the run and made the shard again."""
        manifest = read_manifest(store, RUN)
        assert manifest
        faults = check_run(store, manifest)
        store.delete(f"_leases/{RUN}.json")
        repair(store, RUN, faults)
        take_over(store, _makes_again)

    def _makes_again(store: Store, manifest: Manifest) -> None:
        for shard in SHARDS:
            if generation(shard) not in receipts_of(store):
                generate(store, shard)
        score(store, "s0")
        commit_all(store, manifest)

    def driver(paused: Store) -> None:
        manifest = read_manifest(store, RUN)
        assert manifest
        store.delete(next(part.path for part in manifest.parts if part.table == "images"))
        _repairs(paused)

    def check(error: Exception | None) -> None:
        assert error is None or LATE in str(error)
        if error:
            assert rows_of(store)["samples"] == [f"{shard}-0" for shard in SHARDS]
        manifest = read_manifest(store, RUN)
        assert manifest
        take_over(store, _makes_again)
        found = rows_of(store)
        assert found["samples"] == found["images"] == [f"{shard}-0" for shard in SHARDS]
        assert found["scores"] == ["s0-0 m"]

    assert _at_each_change(store, driver, meanwhile, check) >= 4


@pytest.mark.parametrize("driver", [_removes, _keeps_one_night])
def test_a_removal_paused_at_any_change_spares_a_run_that_was_made_again(store: Store, driver: Driver) -> None:
    """Meanwhile another removal has ended, and the same experiment was run again."""

    def meanwhile(store: Store) -> None:
        store.delete(f"_leases/{RUN}.json")
        remove_run(store, RUN)
        begin_run(store)

    def check(error: Exception | None) -> None:
        assert driver is _keeps_one_night or (error and LATE in str(error))
        found = rows_of(store)
        assert found["samples"] == found["images"] == [f"{shard}-0" for shard in SHARDS]
        assert found["scores"] == ["s0-0 m"]
        take_over(store, lambda store, manifest: commit_all(store, manifest))
        assert rows_of(store) == found  # also where receipts of the new run went: its manifest outranks them

    assert _at_each_change(store, driver, meanwhile, check) >= 4


@pytest.mark.parametrize("driver", [_removes, _keeps_one_night])
def test_a_removal_that_is_late_removes_nothing(store: Store, driver: Driver) -> None:
    def meanwhile(store: Store) -> None:
        with suppress(RunError, InputError):  # where the removal was begun already
            take_over(store, _scores_and_compacts)

    def check(error: Exception | None) -> None:
        manifest = read_manifest(store, RUN)
        if manifest and manifest.status == "committed":
            assert rows_of(store)["scores"] == ["s0-0 m", "s2-0 m"]
            assert driver is _keeps_one_night or LATE in str(error)
        else:
            remove_run(store, RUN)
            assert not [path for path in store.list("") if RUN in path]

    assert _at_each_change(store, driver, meanwhile, check) >= 4


def test_a_driver_that_wakes_after_its_run_was_removed_and_made_again(store: Store) -> None:
    begin_run(store)

    def compacts_late() -> None:
        with Lease(store, RUN) as lease:
            manifest = claim(store, lease)
            store.delete(f"_leases/{RUN}.json")
            remove_run(store, RUN)
            begin_run(store)
            compact_run(store, manifest)  # whose parts are gone

    with pytest.raises(RunError, match=LATE):
        compacts_late()
    assert rows_of(store)["samples"] == [f"{shard}-0" for shard in SHARDS]


def test_a_driver_that_wakes_after_its_run_was_removed_does_not_bring_it_back(store: Store) -> None:
    manifest = begin_run(store)
    remove_run(store, RUN)
    with pytest.raises(RunError, match=LATE):
        commit_all(store, manifest)
    assert read_manifest(store, RUN) is None


def test_a_run_that_is_being_removed_cannot_be_driven(store: Store) -> None:
    write_manifest(store, replace(begin_run(store), status="removing", parts=()))
    with pytest.raises(RunError, match=f"being removed; `skewbench runs rm {RUN}` completes"), Lease(store, RUN) as own:
        claim(store, own)


def test_a_manifest_is_written_only_in_place_of_the_one_that_it_was_made_from(store: Store) -> None:
    first = begin_run(store)
    second = write_manifest(store, first)
    for old in (first, replace(first, stored=None)):
        with pytest.raises(RunError, match=LATE):
            write_manifest(store, old)
    assert read_manifest(store, RUN) == second
    assert second.version != first.version


def test_whoever_claims_last_is_the_one_who_can_write(store: Store) -> None:
    begin_run(store)
    with Lease(store, RUN) as lease:
        late = claim(store, lease)
        store.delete(f"_leases/{RUN}.json")
        with Lease(store, RUN) as other:
            own = claim(store, other)
            with pytest.raises(RunError, match=LATE):
                claim(store, lease)  # the lease is confirmed
            with pytest.raises(RunError, match=LATE):
                commit_all(store, late)
            assert commit_all(store, own).status == "committed"


@pytest.mark.parametrize("shift", [-3600.0, 3600.0])
def test_a_clock_that_is_wrong_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, shift: float) -> None:
    begin_run(store)
    true = time.time
    with Lease(store, RUN), monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: true() + shift)
        with pytest.raises(RunError, match="is being driven by process"):
            _compacts(store)
    _scores(store)
    assert rows_of(store)["scores"] == ["s0-0 m", "s1-0 m"]


def test_receipts_that_are_not_committed_survive_a_compaction(store: Store) -> None:
    begin_run(store)
    late = score(store, "s3")  # of a driver that was killed before it could commit
    _compacts(store)
    assert all(store.exists(part.path) for part in late.parts)
    take_over(store, lambda store, manifest: commit_all(store, manifest))
    assert rows_of(store)["scores"] == ["s0-0 m", "s3-0 m"]


def test_a_receipt_that_is_gone_takes_no_committed_row_with_it(store: Store) -> None:
    manifest = begin_run(store)
    store.delete(*store.list("_receipts"))
    commit_all(store, manifest)
    assert rows_of(store) == {
        "samples": [f"{shard}-0" for shard in SHARDS],
        "images": [f"{shard}-0" for shard in SHARDS],
        "scores": ["s0-0 m"],
    }
