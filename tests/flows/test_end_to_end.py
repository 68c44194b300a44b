"""The main job on the bundled model: from an experiment file to images, scores, answers and a report."""

import csv
import hashlib
import json
import runpy
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from skewbench import sql
from skewbench.flows.cli import app
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run
from skewbench.storage.receipts import list_receipts
from skewbench.storage.state import read_state
from skewbench.storage.store import LocalStore
from skewbench.storage.tables import TABLES
from skewbench.tasks.drive import analyse_run
from skewbench.tasks.report import report_run
from skewbench.vocabulary.errors import RunError
from tests.flows.command import run_in_process, skewbench, write_experiment

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "PREFECT_API_KEY")
SECRET = "not-to-be-seen-4f1d9a"
pytestmark = pytest.mark.timeout(1800)  # the first test also runs the experiment, on a machine that may be busy


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


def _rows(lake: Path, statement: str) -> list[tuple[object, ...]]:
    with sql.connect(lake) as connection:
        return connection.execute(statement).fetchall()


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


def test_its_images_score_the_same_if_they_come_from_elsewhere(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = ("baseline", "skew")
    for cell in cells:
        (tmp_path / cell).mkdir()
    labels: list[tuple[object, ...]] = [("file_name", "prompt", "noise_seed")]
    joined = "SELECT s.cell, prompt, noise_seed, image.bytes FROM samples AS s JOIN images USING (sample_id)"
    for number, (cell, prompt, seed, content) in enumerate(_rows(lake, joined)):
        (tmp_path / f"{cell}/{number}.png").write_bytes(bytes(content))  # type: ignore[call-overload]
        labels.append((f"{cell}/{number}.png", prompt, seed))
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(labels)
    other = tmp_path / "lake"
    sources = [option for cell in cells for option in ("--cell", f"{cell}={tmp_path / cell}")]
    for command in (
        ["import", *sources, "--table", str(tmp_path / "labels.csv")],
        ["score", "--metrics", "binding,msssim_diversity", "--local"],
    ):
        done = run_in_process(monkeypatch, *command, "--lake", str(other))
        assert done.returncode == 0, done.stderr
    for statement in (
        "SELECT pair_id, cell, metric, value, reason, scorer_version FROM scores ORDER BY ALL",
        "SELECT prompt_id, cell, metric, value, reason, n FROM group_scores ORDER BY ALL",
        "SELECT pair_id, cell, metric, change FROM paired ORDER BY ALL",
    ):
        assert _rows(other, statement) == _rows(lake, statement) != []
    assert "The images were made elsewhere" in next((other / "_reports").iterdir()).read_text()


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


def test_second_time_does_no_work(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _files(lake)
    again = run_in_process(monkeypatch, "run", str(lake.parent / "small.yaml"), "--lake", str(lake))
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert _files(lake) == before


@pytest.mark.slow
def test_the_same_experiment_gives_the_same_rows(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit by bit, in another lake, cut into other shards, in one process without Ray and Prefect."""
    other = lake.parent / "again"
    other.mkdir()
    experiment = write_experiment(other, workers={"count": 2, "batch": 4, "shard": 8, "hang_limit": 600})
    done = run_in_process(monkeypatch, "run", experiment, "--lake", str(other / "lake"), "--local")
    assert done.returncode == 0, done.stderr
    for unused in ("count", "hang_limit"):
        assert f"note: workers.{unused} has no effect with --local" in done.stderr
    assert "report: " in done.stdout
    assert _images(other / "lake") == _images(lake)
    for table, order in (("stability", "sample_id, branch, block"), ("scores", "sample_id, metric")):
        rows = [_rows(one, f"SELECT * FROM {table} ORDER BY {order}") for one in (lake, other / "lake")]
        assert rows[0]
        assert rows[0] == rows[1], table


@pytest.mark.slow
def test_broken_parts_are_found_sent_back_and_made_again(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _images(lake)
    victim = sorted((lake / "images").rglob("*.parquet"))[0]
    victim.write_bytes(victim.read_bytes()[:-100])
    found = run_in_process(monkeypatch, "verify", "--lake", str(lake))
    assert (found.returncode, found.stdout.count("bytes, not")) == (1, 1)
    assert run_in_process(monkeypatch, "verify", "--repair", "--lake", str(lake)).returncode == 0
    kept = {path for path in _files(lake) if "/images/" in path}
    again = run_in_process(monkeypatch, "run", str(lake.parent / "small.yaml"), "--lake", str(lake), "--local")
    assert again.returncode == 0, again.stderr
    assert kept <= set(_files(lake))
    assert _images(lake) == before
    assert run_in_process(monkeypatch, "verify", "--lake", str(lake)).returncode == 0


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
def test_replay_draws_the_image_again(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str) -> None:
    with sql.connect(lake) as connection:
        found = connection.execute("SELECT sample_id FROM samples WHERE cell = ? ORDER BY 1", [cell]).fetchall()
    sample = found[0][0]
    script = run_in_process(monkeypatch, "replay", sample, "--lake", str(lake))
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


def test_compacted_run_is_still_done(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _images(lake)
    assert run_in_process(monkeypatch, "compact", "--lake", str(lake)).returncode == 0
    assert len(list((lake / "samples").rglob("*.parquet"))) == 1
    assert _images(lake) == before
    again = run_in_process(monkeypatch, "run", str(lake.parent / "small.yaml"), "--lake", str(lake))
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True)
    assert run_in_process(monkeypatch, "verify", "--lake", str(lake)).returncode == 0


def test_more_metrics_are_scored_once(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lacks its weights is NULL with the reason; a second time there is nothing to do."""
    given = ("score", "small", "--metrics", "binding,contrast,clip_score", "--weights", str(lake / "none"))
    arguments = (*given, "--lake", str(lake), "--local")
    done = run_in_process(monkeypatch, *arguments)
    assert done.returncode == 0, done.stderr
    assert "no clip_score: weights clip-vit-l-14 are not on this machine" in done.stdout
    with sql.connect(lake) as connection:
        counted = "SELECT metric, count(*), count(value) FROM scores GROUP BY metric"
        counts = {metric: (rows, values) for metric, rows, values in connection.execute(counted).fetchall()}
    assert (counts["clip_score"], counts["contrast"][0]) == ((16, 0), 16)
    assert counts["contrast"][1] > 0
    before = _files(lake)
    assert "nothing to do" in run_in_process(monkeypatch, *arguments).stdout
    assert _files(lake) == before


def test_statements_are_read_from_a_pipe(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = "SELECT count(*) AS n\nFROM samples;\nSELECT 41 + 1 AS n"
    done = run_in_process(monkeypatch, "sql", "--format", "csv", "--lake", str(lake), typed=typed)
    assert (done.returncode, done.stdout.split()) == (0, ["n", "16", "n", "42"])
    refused = run_in_process(monkeypatch, "sql", "--lake", str(lake), typed="DROP VIEW samples;")
    assert (refused.returncode, "DROP is refused" in refused.stderr) == (2, True)


def test_removing_a_run(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "lake"
    shutil.copytree(lake, other)
    assert run_in_process(monkeypatch, "runs", "rm", "small", "--yes", "--lake", str(other)).returncode == 0
    assert set(_files(other)) <= {"_temporary/.lock"}  # of the folder, not of the run
