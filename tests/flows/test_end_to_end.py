"""The main job on the bundled model: from an experiment file to images, scores, answers and a report."""

import hashlib
import json
import runpy
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from skewbench import sql
from skewbench.flows.cli import app
from skewbench.flows.steps import analyse_run
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run
from skewbench.storage.receipts import list_receipts
from skewbench.storage.state import read_state
from skewbench.storage.store import LocalStore
from skewbench.storage.tables import TABLES
from skewbench.tasks.report import report_run
from skewbench.vocabulary.errors import RunError
from tests.flows.command import skewbench, write_experiment

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "PREFECT_API_KEY")
SECRET = "not-to-be-seen-4f1d9a"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """A lake with one finished run, of somebody who has credentials in the environment."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as environment:
        for name in CREDENTIALS:
            environment.setenv(name, SECRET)
        done = skewbench("run", write_experiment(folder), "--lake", str(folder / "lake"), home=home)
    (folder / "shown.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr
    assert "report: " in done.stdout
    return folder / "lake"


def _files(lake: Path) -> dict[str, str]:
    paths = (path for path in lake.rglob("*") if path.is_file())
    return {path.relative_to(lake).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _images(lake: Path) -> dict[str, bytes]:
    with sql.connect(lake) as connection:
        return dict(connection.execute("SELECT sample_id, image.bytes FROM images").fetchall())


def test_the_lake_holds_the_run(lake: Path) -> None:
    with sql.connect(lake) as connection:
        counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in TABLES}
    assert counts["samples"] == counts["images"] == 16
    assert counts["stability"] == 16 * 2 * 11
    assert counts["scores"] >= 16
    assert counts["group_scores"] == 8
    assert counts["analysis"] > 0
    manifest = find_run(LocalStore(lake), None)
    assert manifest.status == "committed"
    assert len(list_receipts(LocalStore(lake), manifest.run_id)) == 4 + 2 * 4


def test_a_plain_glob_is_right_too(lake: Path) -> None:
    with sql.connect(lake) as connection:
        through_views = connection.execute("SELECT sample_id FROM samples ORDER BY 1").fetchall()
    globbed = duckdb.sql(f"SELECT sample_id FROM '{lake}/samples/*/*.parquet' ORDER BY 1").fetchall()
    assert globbed == through_views


def test_images_are_marked_as_such_for_datasets(lake: Path) -> None:
    part = next((lake / "images").rglob("*.parquet"))
    features = json.loads(pq.read_schema(part).metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert set(features) == set(pq.read_schema(part).names)


def test_no_credential_is_in_the_lake_or_in_a_log(lake: Path, home: Path) -> None:
    files = [path for folder in (lake, home, lake.parent) for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)  # Prefect's records and logs are looked through too
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    with sql.connect(lake) as connection:  # what compression hides
        for table in TABLES:
            found = connection.execute(f"SELECT count(*) FROM {table} AS t WHERE contains(t::VARCHAR, ?)", [SECRET])
            assert found.fetchall() == [(0,)], table


def test_second_time_does_no_work(lake: Path, prefect: dict[str, str]) -> None:
    before = _files(lake)
    again = skewbench("run", str(lake.parent / "small.yaml"), "--lake", str(lake), home=prefect)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert _files(lake) == before


def test_the_same_experiment_gives_the_same_images(lake: Path, prefect: dict[str, str]) -> None:
    """Bit by bit, in another lake, cut into other shards."""
    workers = {"count": 2, "batch": 4, "shard": 8}
    (lake.parent / "again").mkdir()
    experiment = write_experiment(lake.parent / "again", workers=workers)
    done = skewbench("run", experiment, "--lake", str(lake.parent / "again/lake"), home=prefect)
    assert done.returncode == 0, done.stderr
    assert _images(lake.parent / "again/lake") == _images(lake)


def test_broken_parts_are_found_sent_back_and_made_again(lake: Path, prefect: dict[str, str]) -> None:
    before = _images(lake)
    victim = sorted((lake / "images").rglob("*.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:-100])
    found = skewbench("verify", "--lake", str(lake), home=prefect)
    assert (found.returncode, found.stdout.count("bytes, not")) == (1, 1)
    assert skewbench("verify", "--repair", "--lake", str(lake), home=prefect).returncode == 0
    kept = {path for path in _files(lake) if "/images/" in path}
    assert skewbench("run", str(lake.parent / "small.yaml"), "--lake", str(lake), home=prefect).returncode == 0
    assert kept <= set(_files(lake))
    assert _images(lake) == before
    assert skewbench("verify", "--lake", str(lake), home=prefect).returncode == 0


def test_what_a_reader_stumbles_over_is_named(lake: Path) -> None:
    store = LocalStore(lake)
    (run_id,) = (path.stem for path in (lake / "_runs").glob("*.json"))
    manifest = find_run(store, run_id)
    victim = next(lake / part.path for part in manifest.parts if part.table == "samples")
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-20] + b"\xff" + whole[-19:])
    try:
        said = f"1 part is broken .{victim.relative_to(lake)} has different content.*verify {run_id} --repair"
        with pytest.raises(RunError, match=said):
            analyse_run(store, read_state(store, manifest), Lease(store, run_id))
        with pytest.raises(RunError, match=said):
            report_run(store, run_id)
    finally:
        victim.write_bytes(whole)


@pytest.mark.parametrize("cell", ["baseline", "skew"])
def test_replay_draws_the_image_again(
    lake: Path, prefect: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    with sql.connect(lake) as connection:
        found = connection.execute("SELECT sample_id FROM samples WHERE cell = ? ORDER BY 1", [cell]).fetchall()
    sample = found[0][0]
    script = skewbench("replay", sample, "--lake", str(lake), home=prefect)
    assert script.returncode == 0, script.stderr
    (tmp_path / "script.py").write_text(script.stdout)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("script.py")
    drawn = np.asarray(Image.open(tmp_path / f"{sample}.png")).astype(int)
    (tmp_path / "stored.png").write_bytes(_images(lake)[sample])
    # the lake's was drawn in a batch: the same to rounding
    assert np.abs(drawn - np.asarray(Image.open(tmp_path / "stored.png")).astype(int)).max() <= 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status"], "committed"),
        (["runs", "list"], "committed"),
        (["runs", "show", "small"], "alpha: 1.5"),
        (["query", "correlations"], "neg_energy"),
        (["query", "operating_curve", "--format", "csv"], "msssim_diversity"),
        (["query"], "worst_fraction"),
        (["sql", "SELECT count(*) AS n FROM samples"], "16"),
        (["sql", "--script"], "CREATE OR REPLACE VIEW"),
        (["report"], "report: "),
        (["doctor"], "shapes-xl"),
    ],
)
def test_commands_on_the_lake(lake: Path, arguments: list[str], said: str) -> None:
    """In this process: each of its own would take seconds to import the same libraries."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments, "--lake", str(lake)])
    assert done.exit_code == 0, done.output
    assert said in done.stdout


def test_compacted_run_is_still_done(lake: Path, prefect: dict[str, str]) -> None:
    before = _images(lake)
    assert skewbench("compact", "--lake", str(lake), home=prefect).returncode == 0
    assert len(list((lake / "samples").rglob("*.parquet"))) == 1
    assert _images(lake) == before
    again = skewbench("run", str(lake.parent / "small.yaml"), "--lake", str(lake), home=prefect)
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True)
    assert skewbench("verify", "--lake", str(lake), home=prefect).returncode == 0


def test_more_metrics_are_scored_once(lake: Path, prefect: dict[str, str]) -> None:
    """What lacks its weights is NULL with the reason; a second time there is nothing to do."""
    arguments = ("score", "small", "--metrics", "binding,contrast,clip_score", "--weights", str(lake / "none"))
    done = skewbench(*arguments, "--lake", str(lake), home=prefect)
    assert done.returncode == 0, done.stderr
    assert "no clip_score: weights clip-vit-l-14 are not on this machine" in done.stdout
    with sql.connect(lake) as connection:
        counted = "SELECT metric, count(*), count(value) FROM scores GROUP BY metric"
        counts = {metric: (rows, values) for metric, rows, values in connection.execute(counted).fetchall()}
    assert (counts["clip_score"], counts["contrast"][0]) == ((16, 0), 16)
    assert counts["contrast"][1] > 0
    before = _files(lake)
    assert "nothing to do" in skewbench(*arguments, "--lake", str(lake), home=prefect).stdout
    assert _files(lake) == before


def test_statements_are_read_from_a_pipe(lake: Path, prefect: dict[str, str]) -> None:
    typed = "SELECT count(*) AS n\nFROM samples;\nSELECT 41 + 1 AS n"
    done = skewbench("sql", "--format", "csv", "--lake", str(lake), home=prefect, typed=typed)
    assert (done.returncode, done.stdout.split()) == (0, ["n", "16", "n", "42"])
    refused = skewbench("sql", "--lake", str(lake), home=prefect, typed="DROP VIEW samples;")
    assert (refused.returncode, "DROP is refused" in refused.stderr) == (2, True)


def test_removing_a_run(lake: Path, prefect: dict[str, str]) -> None:
    other = lake.parent / "again/lake"
    assert skewbench("runs", "rm", "small", "--yes", "--lake", str(other), home=prefect).returncode == 0
    assert set(_files(other)) <= {"_temporary/.lock"}  # of the folder, not of the run
