"""`skewbench export`: a run as other programs read it."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from skewbench import sql
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.exports.dataset import export_dataset
from tests.flows.command import run_in_process
from tests.lakes import Lake, made


def _rows(lake: Path, statement: str) -> list[tuple[Any, ...]]:
    with sql.connect(lake) as connection:
        return connection.execute(statement).fetchall()


def test_a_dataset_has_all_samples_with_files_scores_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, folder = tmp_path / "lake", tmp_path / "out/toy"
    run_id = made(lake, Lake(prompts=4), description="| a <b>toy</b>")
    done = run_in_process(monkeypatch, "export", "dataset", run_id, str(folder), "--lake", str(lake))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.parent.iterdir()] == ["toy"]
    (shard,) = (folder / "data").iterdir()
    assert shard.name == "train-00000-of-00001.parquet"
    table = pq.read_table(shard)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert list(features) == table.column_names
    found = {row["sample_id"]: row for row in table.to_pylist()}
    joined = "samples AS s LEFT JOIN images AS i USING (run_id, sample_id)"
    expected = _rows(lake, f"SELECT sample_id, s.cell, prompt, noise_seed, status, i.image.bytes FROM {joined}")
    assert len(expected) == len(found) == table.num_rows
    for identity, cell, prompt, seed, status, content in expected:
        row = found[identity]
        assert (row["cell"], row["prompt"], row["noise_seed"], row["status"]) == (cell, prompt, seed, status)
        assert (row["image"] and row["image"]["bytes"]) == content
    assert any(row["image"] is None for row in found.values())  # the sample that failed
    scores = _rows(lake, "SELECT sample_id, metric, value FROM scores WHERE value IS NOT NULL")
    metrics = {metric for _, metric, _ in scores}
    given = [(identity, metric, found[identity][metric]) for identity in found for metric in metrics]
    assert sorted(one for one in given if one[2] is not None) == sorted(scores) != []
    of_groups = pq.read_table(folder / "group_scores")
    assert of_groups.num_rows == _rows(lake, "SELECT count(*) FROM group_scores")[0][0] > 0
    _, header, body = (folder / "README.md").read_text().split("---\n", 2)
    about = yaml.safe_load(header)
    assert (about["pretty_name"], about["size_categories"]) == (run_id, ["n<1K"])
    for config in about["configs"]:
        assert list(folder.glob(config["data_files"]))
    assert "<b>" not in body
    assert "12 ok" in body
    assert "weights missing" in body


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="the library datasets is not installed")
def test_datasets_loads_it(tmp_path: Path) -> None:
    datasets = importlib.import_module("datasets")
    store = LocalStore(tmp_path / "lake")
    folder = export_dataset(store, find_run(store, made(tmp_path / "lake", Lake())), str(tmp_path / "out"))
    loaded = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert next(row for row in loaded if row["status"] == "ok")["image"].size == (8, 8)


def test_shards_are_cut_by_size_and_imported_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path / "lake")
    manifest = find_run(store, made(tmp_path / "lake", Lake(lost=False)))
    folder = export_dataset(store, manifest, str(tmp_path / "out"), target=1)
    shards = sorted(path.name for path in (folder / "data").iterdir())
    parts = [part for part in manifest.parts if part.table == "images"]
    assert shards == [f"train-{number:05d}-of-{len(parts):05d}.parquet" for number in range(len(parts))]
    given = ("import", str(folder / "data"), "--cell", "all", "--lake", str(tmp_path / "other"))
    done = run_in_process(monkeypatch, *given)
    assert done.returncode == 0, done.stderr
    prompts = _rows(tmp_path / "other", "SELECT prompt, noise_seed FROM samples ORDER BY ALL")
    assert prompts == _rows(tmp_path / "lake", "SELECT DISTINCT prompt, noise_seed FROM samples ORDER BY ALL")


def test_a_folder_that_holds_something_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = made(tmp_path / "lake", Lake(prompts=2))
    folder = tmp_path / "mine"
    folder.mkdir()
    given = ("export", "dataset", run_id, str(folder), "--lake", str(tmp_path / "lake"))
    assert run_in_process(monkeypatch, *given).returncode == 0  # it was empty
    before = sorted(folder.rglob("*"))
    refused = run_in_process(monkeypatch, *given)
    assert (refused.returncode, "exists already" in refused.stderr) == (2, True)
    assert sorted(folder.rglob("*")) == before


def test_a_broken_part_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = tmp_path / "lake"
    run_id = made(lake, Lake(prompts=2))
    part = next((lake / "images").rglob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[4:200] = bytes(196)
    part.write_bytes(content)
    refused = run_in_process(monkeypatch, "export", "dataset", run_id, str(tmp_path / "out"), "--lake", str(lake))
    assert (refused.returncode, part.name in refused.stderr) == (1, True), refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def _by_delta(lake: Path, table: str) -> list[Any]:
    columns = ["run_id", "sample_id", "cell"]
    frames = [pl.scan_delta(str(lake / table)).select(columns).collect().rows()]
    if package := importlib.util.find_spec("duckdb_extension_delta"):
        place = Path(str(package.origin)).parent / f"extensions/v{duckdb.__version__}/delta.duckdb_extension"
        with duckdb.connect() as connection:
            connection.execute(f"LOAD '{place}'")
            frames.append(
                connection.execute(f"SELECT {', '.join(columns)} FROM delta_scan('{lake / table}')").fetchall()
            )
    return [sorted(rows) for rows in frames]


def test_a_delta_log_follows_the_lake_when_it_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("deltalake")
    lake = tmp_path / "lake"

    def command(*arguments: str) -> str:
        done = run_in_process(monkeypatch, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def check(changes: int) -> None:
        before = {path: path.read_bytes() for path in lake.rglob("*.parquet")}
        assert f", {changes} changes" in next(
            line for line in command("export", "delta", str(lake)).splitlines() if line.startswith("images: ")
        )
        assert {path: path.read_bytes() for path in lake.rglob("*.parquet")} == before
        for table in ("samples", "images"):
            expected = sorted(_rows(lake, f"SELECT run_id, sample_id, cell FROM {table}"))
            assert [rows == expected for rows in _by_delta(lake, table)] == [True] * len(_by_delta(lake, table))
            globbed = duckdb.sql(f"SELECT run_id, sample_id, cell FROM '{lake}/{table}/*/*.parquet'").fetchall()
            assert sorted(row for row in globbed if row[0] in (first, second)) == expected

    first, second = (made(lake, Lake(prompts=2, seed=seed)) for seed in (0, 1))
    check(12)
    check(0)
    made(lake, Lake(prompts=2, seed=2, status="running"))  # neither views nor log name it
    command("compact", second, "--lake", str(lake))
    check(7)  # one part in place of six
    command("runs", "rm", first, "--yes", "--lake", str(lake))
    check(6)
    command("verify", second, "--lake", str(lake))


def test_no_delta_log_without_its_package_or_in_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "lake", Lake(prompts=2))
    monkeypatch.setattr("skewbench.storage.delta.find_spec", lambda _: None)
    refused = run_in_process(monkeypatch, "export", "delta", str(tmp_path / "lake"))
    assert (refused.returncode, "pip install 'skewbench[delta]'" in refused.stderr) == (2, True)
    monkeypatch.undo()
    assert run_in_process(monkeypatch, "export", "delta", str(tmp_path / "none")).returncode == 2
    assert not (tmp_path / "none").exists()
