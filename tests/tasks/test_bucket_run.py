"""One experiment in a folder and in buckets: the same rows, images and answers, whichever way DuckDB reads them."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from skewbench import sql
from skewbench.sql import attach
from skewbench.storage.manifest import find_run
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.repair import send_back
from skewbench.storage.verify import check_parts
from skewbench.tasks.analyse import analyse
from skewbench.tasks.report import report_run
from skewbench.tasks.run import Run, commit, commit_receipts, generation_left, prepare, scoring_left
from skewbench.tasks.worker import Worker
from tests.google_store import GoogleStore
from tests.object_store import S3Server
from tests.tasks.experiments import small
from tests.tasks.starts import started, to_generate

pytestmark = pytest.mark.slow

TABLES = ("samples", "images", "stability", "scores", "group_scores")
OF_THE_MACHINE = ("seconds", "shared_calls", "peak_memory_bytes", "peak_memory", "device")
WAYS = (("s3", "httpfs"), ("s3", "obstore"), ("gs", "obstore"))
"""Buckets, and how DuckDB reads them."""


def _prepared(lake: str, tiny_sdxl: Path) -> Run:
    return prepare(small(model={"id": str(tiny_sdxl)}), lake)


def _work(run: Run, jobs: int | None = None) -> None:
    """A driver and a worker in one process: generate some or all shards that are left; then score, and commit."""
    torch.set_num_threads(1)
    state = started(run)
    worker = Worker(run.needs)
    for job in generation_left(run, state)[:jobs]:
        worker.run(job)
    if to_generate(run):
        return
    commit(run, state, [])
    for score in scoring_left(run, state):
        worker.run(score)
    commit(run, state, [])
    with sql.connect(run.store.lake, run.id) as lake:
        answers = analyse(lake, run.id)
    part = write_part(run.store, "analysis", run.id, "analysis", new_attempt(), answers)
    commit_receipts(run.store, state, [], state.manifest.status, [part])


@pytest.fixture(scope="module")
def runs(
    s3_server: S3Server, google_store: GoogleStore, tmp_path_factory: pytest.TempPathFactory, tiny_sdxl: Path
) -> Iterator[dict[str, Run]]:
    """The same run, committed in a folder and in two buckets; there its first driver died half way."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (s3_server.environment | google_store.environment).items():
            patch.setenv(name, value)
        folder = _prepared(str(tmp_path_factory.mktemp("folder") / "lake"), tiny_sdxl)
        _work(folder)
        done = {"folder": folder}
        for scheme, lake in {"s3": s3_server.lake("same"), "gs": google_store.lake("same")}.items():
            _work(_prepared(lake, tiny_sdxl), jobs=1)
            done[scheme] = _prepared(lake, tiny_sdxl)
            assert len(to_generate(done[scheme])) == 3
            _work(done[scheme])
        yield done


@pytest.fixture(params=WAYS, ids="-".join)
def bucket(request: pytest.FixtureRequest, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run in a bucket, read in one of the ways."""
    scheme, way = request.param
    if way == "obstore":
        monkeypatch.setattr(attach, "httpfs", lambda: None)
    assert sql.reader(sql.locate(runs[scheme].store.lake)) == way
    return runs[scheme]


def _rows(lake: str) -> dict[str, pl.DataFrame]:
    with sql.connect(lake) as connection:
        tables = {table: connection.execute(f"SELECT * FROM {table}").pl() for table in TABLES}
    return {
        name: rows.drop(OF_THE_MACHINE, strict=False).sort(
            [column for column in ("sample_id", "prompt_id", "cell", "block", "branch", "metric") if column in rows]
        )
        for name, rows in tables.items()
    }


def test_the_same_rows_and_images(runs: dict[str, Run], bucket: Run) -> None:
    folder = runs["folder"]
    here, there = _rows(folder.store.lake), _rows(bucket.store.lake)
    for table in TABLES:
        assert here[table].height > 0
        assert_frame_equal(here[table], there[table], check_exact=True)
    ids = here["samples"]["sample_id"].to_list()
    images = sql.encoded_images(bucket.store.lake, bucket.id, ids)
    assert len(images) == len(ids)
    assert images == sql.encoded_images(folder.store.lake, folder.id, ids)


def test_the_same_answers(runs: dict[str, Run], bucket: Run) -> None:
    with sql.connect(runs["folder"].store.lake) as here, sql.connect(bucket.store.lake) as there:
        for name in (
            known.name for known in sql.named_queries() if known.name != "speed" and not known.parameter("run")
        ):
            assert_frame_equal(
                sql.query(here, name), sql.query(there, name), check_exact=False, check_row_order=False, rel_tol=1e-9
            )


def test_typed_sql_stays_in_the_lake(bucket: Run) -> None:
    with sql.connect(bucket.store.lake) as connection:
        for outside in ("/etc/hostname", "s3://lakes/other/x.txt", f"{bucket.store.lake}2/x.txt"):
            with pytest.raises(ValueError, match="disabled by configuration"):
                sql.select(connection, f"SELECT * FROM read_text('{outside}')")
        by_httpfs = sql.reader(sql.locate(bucket.store.lake)) == "httpfs"
        shown = str(sql.select(connection, "SELECT * FROM duckdb_secrets()").rows()) if by_httpfs else ""
        assert "writers-secret" not in shown


def test_a_part_that_is_gone_is_told_and_sent_back(bucket: Run) -> None:
    store = bucket.store
    manifest = find_run(store, bucket.id)
    part = next(part for part in manifest.parts if part.table == "samples")
    content = store.read(part.path)
    store.delete(part.path)
    try:
        with (
            pytest.raises(sql.LakeError, match=f"is missing; `skewbench verify {bucket.id} --repair`"),
            sql.connect(store.lake) as connection,
        ):
            sql.select(connection, "SELECT count(DISTINCT prompt) FROM samples")
        assert [fault.problem for fault in check_parts(store, manifest)] == ["is missing"]
    finally:
        store.put(part.path, content)


def test_report_and_script_hold_no_keys_and_neither_does_the_lake(runs: dict[str, Run], s3_server: S3Server) -> None:
    run = runs["s3"]
    url = report_run(run.store, run.id)
    assert url == f"{run.store.lake}/_reports/{run.id}.html"
    script = sql.script(run.store.lake)
    assert f"'{run.store.lake}/samples/run_id={run.id}/" in script
    assert "getenv('AWS_SECRET_ACCESS_KEY')" in script
    contents = [script.encode(), *run.store.read_all(run.store.list(""))]
    assert len(contents) > 20
    for key in (s3_server.environment["AWS_SECRET_ACCESS_KEY"], s3_server.environment["AWS_ACCESS_KEY_ID"] + "'"):
        assert not any(key.encode() in content for content in contents)


def test_broken_objects_are_made_again(s3_server: S3Server, bucket_lake: str, tiny_sdxl: Path) -> None:
    run = _prepared(bucket_lake, tiny_sdxl)
    _work(run)
    before, manifest = _rows(bucket_lake), started(run).manifest
    flipped, gone = [part for part in manifest.parts if part.table == "images"][:2]
    run.store.put(flipped.path, run.store.read(flipped.path)[::-1])
    run.store.delete(gone.path)
    send_back(run.store, manifest, check_parts(run.store, manifest))
    assert len(to_generate(run)) == 2
    _work(run)
    after = _rows(bucket_lake)
    for table in TABLES:
        assert_frame_equal(before[table], after[table], check_exact=True)
