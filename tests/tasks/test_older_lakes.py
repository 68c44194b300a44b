"""A lake of schema 5, made by the code of then, is read, scored, compacted, verified, resumed and removed.

`tests/data/lake-v5` holds a committed run, whose cells are named `x` and `x.retry1`, and a running one that was killed:
of its four shards two have receipts, and one has parts without a receipt.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from skewbench import sql
from skewbench.flows.cli import app
from skewbench.storage.compact import compact_run
from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.legacy import typed_jobs, typed_key
from skewbench.storage.manifest import claim, find_run, list_runs, manifest_path, plan_path, read_manifest
from skewbench.storage.receipts import list_receipts, receipt_content, receipt_path, scan_receipts
from skewbench.storage.repair import rebuild, repair
from skewbench.storage.state import read_state, receipts_of_manifest
from skewbench.storage.store import LocalStore
from skewbench.storage.tables import VERSION
from skewbench.storage.verify import check_run
from skewbench.tasks import run as run_module
from skewbench.tasks.jobs import Needs
from skewbench.tasks.run import caught_up, commit, commit_receipts, generation_left, prepare, scoring_left
from skewbench.tasks.scoring import left_of_run
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.errors import InputError
from tests.tasks.experiments import small

DATA = Path(__file__).parents[1] / "data" / "lake-v5"
CELLS = ("x", "x.retry1")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    shutil.copytree(DATA, tmp_path / "lake")
    return LocalStore(tmp_path / "lake")


def _run(store: LocalStore, name: str) -> str:
    return find_run(store, name).run_id


def _values(store: LocalStore, run_id: str) -> list[tuple[object, ...]]:
    with sql.connect(store.lake, run_id) as lake:
        return lake.execute("SELECT cell, metric, prompt_id, seed, value FROM scores ORDER BY ALL").fetchall()


def test_it_opens_and_answers(store: LocalStore) -> None:
    with sql.connect(store.lake) as lake:
        assert lake.execute("SELECT cell, count(*) FROM samples GROUP BY ALL ORDER BY 1").fetchall() == [
            ("x", 2),
            ("x.retry1", 2),
        ]
        assert sql.query(lake, "operating_curve").height > 0


def test_keys_are_exact(store: LocalStore) -> None:
    """Also those of the cell `x.retry1` as a set, which is no second attempt at the cell `x`."""
    manifest = find_run(store, "whole")
    receipts, broken = scan_receipts(store, manifest.run_id)
    keys = {receipt.key for receipt in receipts}
    assert broken == []
    assert keys == receipts_of_manifest(manifest).keys()
    assert all(key.retry == 0 for key in keys)
    sets = {key for key in keys if key.cell}
    assert sets == {JobKey(SCORES, cell=cell, scorer="distribution", version=1, missing=True) for cell in CELLS}
    assert len({key.shard for key in keys if key.kind == GENERATION}) == 2


NAMES = {
    "generation-0a": JobKey(GENERATION, shard="0a"),
    "generation-0a.retry12": JobKey(GENERATION, shard="0a", retry=12),
    "scores-0a-m.v3.missing": JobKey(SCORES, shard="0a", scorer="m", version=3, missing=True),
    "scores-cell.x.v1-m.v1.retry2-0a1b2c3d": JobKey(
        SCORES, cell="x.v1", scorer="m", version=1, retry=2, reference="0a1b2c3d"
    ),
    "scores-cell.x.retry1-m.v1": JobKey(SCORES, cell="x.retry1", scorer="m", version=1),
    "scores-cell.a-b-m.v1": JobKey(SCORES, cell="a-b", scorer="m", version=1),
    "scores-cell.a-m.v1": JobKey(SCORES, cell="a", scorer="m", version=1),
    "scores-cell.a-m.v1-m.v1": JobKey(SCORES, cell="a-m.v1", scorer="m", version=1),
    "scores-cell.x.missing-m.v1": JobKey(SCORES, cell="x.missing", scorer="m", version=1),
}


@pytest.mark.parametrize(("name", "key"), NAMES.items(), ids=NAMES)
def test_old_names(name: str, key: JobKey) -> None:
    cells = ["a", "a-b", "a-m.v1", "x", "x.v1", "x.retry1", "x.missing"]
    assert typed_key(name, {"0a"}, cells) == key
    assert typed_key(name, {"0a"}, cells[::-1]) == key
    table = "samples" if key.kind == GENERATION else "group_scores"
    shard = "samples/run_id=r/0a-11111111.parquet"
    path = f"{table}/run_id=r/{name.partition('-')[2]}-0f0f0f0f.parquet"
    assert [job.key for job in typed_jobs([shard, path], [], cells) if path in job.parts] == [key]


def test_verify_is_clean_and_repairs(store: LocalStore) -> None:
    for name in ("whole", "half"):
        assert check_run(store, find_run(store, name)) == []
    run_id = _run(store, "whole")
    gone, broken, *_ = list_receipts(store, run_id)
    store.delete(gone)
    store.put(broken, b"{")
    faults = check_run(store, find_run(store, run_id))
    assert {fault.path for fault in faults} >= {broken}
    repair(store, run_id, faults)
    after = find_run(store, run_id)
    assert check_run(store, after) == []
    assert {one.key for one in scan_receipts(store, run_id)[0]} == receipts_of_manifest(after).keys()


def test_a_manifest_is_rebuilt(store: LocalStore) -> None:
    run_id = _run(store, "whole")
    before = {part for part in find_run(store, run_id).parts if part.table != "analysis"}
    store.put(manifest_path(run_id), b"broken")
    assert set(rebuild(store, run_id).parts) == before


@pytest.mark.parametrize("compacted", [False, True])
def test_another_metric_is_scored(store: LocalStore, compacted: bool) -> None:
    run_id = _run(store, "whole")
    before = _values(store, run_id)
    with Lease(store, run_id) as lease:
        if compacted:
            compact_run(store, claim(store, lease))
        state = read_state(store, claim(store, lease))
        jobs = left_of_run(store, state, ["binding", "distribution", "contrast"])
        assert {job.scorer for job in jobs} == {"contrast"}
        worker = Worker(Needs(store.lake, None, None, threads=1, gpus=0))
        state.fold([worker.run(job) for job in jobs])
        written = commit_receipts(store, state, [], "committed")
    after = _values(store, run_id)
    assert [row for row in after if row[1] != "contrast"] == before
    assert len([row for row in after if row[1] == "contrast"]) == 4
    assert (written.schema_version, read_manifest(store, run_id)) == (VERSION, written)
    assert check_run(store, written) == []
    files = {path for path in store.list("") if run_id in path and path.endswith(".parquet")}
    assert files == {part.path for part in written.parts}
    assert {job.key for job in written.jobs} == {one.key for one in scan_receipts(store, run_id)[0]}


def test_a_run_that_was_killed_is_resumed(store: LocalStore, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    run_id = _run(store, "half")
    monkeypatch.setattr(run_module, "run_id", lambda *_: run_id)  # the code that makes its numbers is another by now
    cells = [{"name": "x", "knob": {"kind": "vanilla"}}, {"name": "x.retry1", "knob": {"kind": "skew", "alpha": 1.2}}]
    run = prepare(
        small(
            name="half",
            model={"id": str(tiny_sdxl)},
            cells=cells,
            seeds=1,
            generation={"steps": 2, "width": 16, "height": 16},
            workers={"batch": 1, "shard": 1, "count": 1},
        ),
        store.lake,
    )
    kept = {path: store.read(path) for path in list_receipts(store, run_id)}
    worker = Worker(run.needs)
    with Lease(store, run_id) as lease:
        state = caught_up(run, lease)
        jobs = generation_left(run, state)
        assert len(jobs) == 2
        state.fold([worker.run(job) for job in jobs])
        assert commit(run, state, []).status == "committed"
        state.fold([worker.run(job) for job in scoring_left(run, state)])
        written = commit(run, state, [])
    assert {path: store.read(path) for path in kept} == kept  # what was done was not done again
    assert check_run(store, written) == []
    files = {path for path in store.list("") if run_id in path and path.endswith(".parquet")}
    assert files == {part.path for part in written.parts}  # the parts without a receipt are gone
    with sql.connect(store.lake, run_id) as lake:
        assert lake.execute("SELECT count(*), count(DISTINCT sample_id) FROM samples").fetchall() == [(4, 4)]


def test_a_job_with_an_old_and_a_new_receipt_counts_once(store: LocalStore) -> None:
    """As a late worker of an older version leaves it."""
    run_id = _run(store, "half")
    (first, *_), _ = scan_receipts(store, run_id)
    copies = []
    for part in first.parts:
        path = part.path.replace(".parquet", "0.parquet")
        store.put(path, store.read(part.path))
        copies.append(replace(part, path=path))
    again = replace(first, parts=tuple(copies), schema_version=VERSION)
    store.put(receipt_path(run_id, first.key), receipt_content(again))
    with Lease(store, run_id) as lease:
        state = read_state(store, claim(store, lease))
        assert [one.key for one in state.duplicates] == [first.key]
        written = commit_receipts(store, state, [], "incomplete")
    (held,) = (one for one in scan_receipts(store, run_id)[0] if one.key == first.key)
    assert {part.path for part in held.parts} <= {part.path for part in written.parts}
    assert check_run(store, written) == []
    assert len(written.parts) == 6


def test_runs_are_removed_and_counted(store: LocalStore) -> None:
    runner = CliRunner()
    shown = json.loads(runner.invoke(app, ["status", "--format", "json", "--lake", store.lake]).stdout)
    assert {(row["generated"], row["shards"]) for row in shown} == {(2, 4), (2, 2)}
    for name in ("whole", "half"):
        done = runner.invoke(app, ["runs", "rm", _run(store, name), "--yes", "--lake", store.lake])
        assert done.exit_code == 0, done.output
    assert [path for path in store.list("") if not path.startswith("_temporary")] == []


@pytest.mark.parametrize("more", [b"", b'"surprise": 1, '])
def test_a_newer_lake_is_refused_with_its_version(store: LocalStore, more: bytes) -> None:
    run_id = _run(store, "whole")
    newer = store.read(manifest_path(run_id)).replace(
        b'"schema_version": 5,\n "parts"', more + b'"schema_version": 99,\n "parts"'
    )
    store.put(manifest_path(run_id), newer)
    said = rf"{run_id}.json was written with lake schema 99; .* up to {VERSION}: use one that reads schema 99"
    for refused in (
        lambda: read_manifest(store, run_id),
        lambda: find_run(store, run_id),
        lambda: rebuild(store, run_id),
    ):
        with pytest.raises(InputError, match=said):
            refused()
    with pytest.raises(sql.LakeError, match=said):
        sql.connect(store.lake, run_id)
    for command in (["verify", run_id, "--repair"], ["runs", "rm", run_id, "--yes"]):
        done = CliRunner().invoke(app, [*command, "--lake", store.lake])
        assert isinstance(done.exception, InputError), done.output
    assert store.read(manifest_path(run_id)) == newer
    assert store.exists(plan_path(run_id))
    assert [run.name for run in list_runs(store)] == ["half"]


def test_a_newer_receipt_is_refused_with_its_version(store: LocalStore) -> None:
    run_id = _run(store, "half")
    store.put(f"_receipts/run_id={run_id}/new.json", b'{"schema_version": 99, "job": 7}')
    with pytest.raises(InputError, match=r"new\.json was written with lake schema 99"):
        scan_receipts(store, run_id)
