"""A Delta log that is kept up to date: it equals the views after every command that changes what readers see."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from skewbench import sql
from skewbench.flows.cli import doctor
from skewbench.storage import delta
from skewbench.storage.store import LocalStore
from tests.flows.command import SKEWBENCH, run_in_process, write_experiment
from tests.lakes import Lake, made

pytest.importorskip("deltalake")

KEYS = {
    "samples": "run_id, sample_id, cell, status",
    "scores": "run_id, sample_id, metric, value",
    "group_scores": "run_id, cell, prompt_id, metric, value",
    "analysis": "*",
}
"""Columns that tell the rows of a table apart. A lake that was scored once has each score once."""


def _command(monkeypatch: pytest.MonkeyPatch, *arguments: str, code: int = 0) -> str:
    done = run_in_process(monkeypatch, *arguments)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def _readers(lake: Path, table: str, columns: str) -> list[list[tuple[Any, ...]]]:
    """The rows of a table as Polars and DuckDB read them by the log, sorted."""
    folder = str(lake / table)
    package = importlib.util.find_spec("duckdb_extension_delta")
    assert package is not None, "pip install 'skewbench[test]'"
    extension = Path(str(package.origin)).parent / f"extensions/v{duckdb.__version__}/delta.duckdb_extension"
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension}'")
        connection.register("by_polars", pl.scan_delta(folder).collect().to_arrow())
        sources = ("by_polars", f"delta_scan('{folder}')")
        return [connection.execute(f"SELECT {columns} FROM {source} ORDER BY ALL").fetchall() for source in sources]


def _check(lake: Path, *tables: str) -> None:
    """Assert that the log has the rows of the views, and names only files that exist."""
    from deltalake import DeltaTable

    with sql.connect(lake) as connection:
        for table in tables:
            columns = KEYS[table]
            if columns == "*":
                columns = ", ".join(
                    f'"{name}"' for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall() if name != "filename"
                )
            expected = connection.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()
            assert expected
            for rows in _readers(lake, table, columns):
                assert repr(rows) == repr(expected)  # text: NaN is not equal to itself
            assert all(Path(uri.removeprefix("file://")).is_file() for uri in DeltaTable(lake / table).file_uris())


@pytest.mark.slow
def test_a_log_follows_a_run_its_scores_a_compaction_and_a_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    made(lake, Lake("other", prompts=2, seeds=1))
    assert "kept up to date: " in _command(monkeypatch, "export", "delta", str(lake), "--keep")
    prompts = {"source": "scenes", "count": 2, "objects": [1]}
    experiment = write_experiment(tmp_path, prompts=prompts, seeds=1, generation={"steps": 1})
    _command(monkeypatch, "run", experiment, "--lake", str(lake), "--local")
    _check(lake, "samples", "scores", "group_scores", "analysis")
    before = json.loads((lake / "_runs").joinpath(_newest(lake)).read_text())
    _command(monkeypatch, "score", "small", "--metrics", "sharpness", "--lake", str(lake), "--local")
    assert json.loads((lake / "_runs").joinpath(_newest(lake)).read_text())["parts"] != before["parts"]
    _check(lake, "samples", "scores", "group_scores", "analysis")
    _command(monkeypatch, "compact", "small", "--lake", str(lake))
    _check(lake, "samples", "scores", "group_scores", "analysis")
    assert doctor._delta(str(lake)).good
    _command(monkeypatch, "runs", "rm", "other", "--yes", "--lake", str(lake))
    _check(lake, "samples", "scores", "group_scores", "analysis")
    assert doctor._delta(str(lake)).good
    _command(monkeypatch, "verify", "small", "--lake", str(lake))


def _newest(lake: Path) -> str:
    return max((lake / "_runs").iterdir(), key=lambda path: json.loads(path.read_text())["created"]).name


def test_a_repair_takes_a_broken_run_out_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = (made(tmp_path, Lake(name, prompts=2), shards=0) for name in ("whole", "broken"))
    _command(monkeypatch, "export", "delta", str(tmp_path), "--keep")
    next((tmp_path / "samples" / f"run_id={broken}").iterdir()).write_bytes(b"no Parquet file")
    _command(monkeypatch, "verify", broken, "--repair", "--lake", str(tmp_path))
    _check(tmp_path, "samples")
    assert {run for run, *_ in _readers(tmp_path, "samples", KEYS["samples"])[0]} == {whole}


def test_the_log_is_updated_before_files_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deltalake import DeltaTable

    run_id = made(tmp_path, Lake(prompts=2))
    _command(monkeypatch, "export", "delta", str(tmp_path), "--keep")
    deleted, delete = list[str](), LocalStore.delete

    def check(store: LocalStore, *paths: str) -> None:
        parts = [path.partition("/")[2] for path in paths if path.startswith("samples/")]
        if parts:
            named = {uri.partition("/samples/")[2] for uri in DeltaTable(tmp_path / "samples").file_uris()}
            assert not named & set(parts)
        deleted.extend(parts)
        delete(store, *paths)

    monkeypatch.setattr(LocalStore, "delete", check)
    _command(monkeypatch, "compact", run_id, "--lake", str(tmp_path))
    assert deleted


def test_it_is_kept_only_until_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (made(tmp_path, Lake(name, prompts=2)) for name in ("first", "second"))
    assert "not kept up to date: " in _command(monkeypatch, "export", "delta", str(tmp_path))
    _command(monkeypatch, "compact", first, "--lake", str(tmp_path))
    store = LocalStore(tmp_path)
    assert delta.pending_changes(store) > 0
    _command(monkeypatch, "export", "delta", str(tmp_path), "--keep")
    assert delta.pending_changes(store) == 0
    assert "kept up to date: " in _command(monkeypatch, "export", "delta", str(tmp_path))
    _command(monkeypatch, "export", "delta", str(tmp_path), "--no-keep")
    _command(monkeypatch, "compact", second, "--lake", str(tmp_path))
    assert delta.pending_changes(store) > 0
    assert doctor._delta(str(tmp_path)).result == "not kept up to date"


def test_an_error_of_the_log_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (made(tmp_path, Lake(name, prompts=2)) for name in ("first", "second"))
    _command(monkeypatch, "export", "delta", str(tmp_path), "--keep")
    with monkeypatch.context() as without:
        without.setattr(delta, "find_spec", lambda _: None)
        said = _command(monkeypatch, "compact", first, "--lake", str(tmp_path))
        assert "pip install 'skewbench[delta]'" in doctor._delta(str(tmp_path)).advice
    notes = [line for line in said.splitlines() if line.startswith("note: the Delta logs of ")]
    assert len(notes) == len(set(notes)) == 1
    assert "pip install 'skewbench[delta]'" in notes[0]
    assert f"`skewbench export delta {tmp_path}` updates them" in notes[0]
    assert not doctor._delta(str(tmp_path)).good
    _command(monkeypatch, "compact", second, "--lake", str(tmp_path))  # a later change catches up
    assert doctor._delta(str(tmp_path)).good
    log = next((tmp_path / "samples" / delta.LOG).glob("*.json"))
    log.write_bytes(b"no JSON")
    said = _command(monkeypatch, "runs", "rm", second, "--yes", "--lake", str(tmp_path))
    assert "samples/_delta_log cannot be updated" in said
    assert "delete this folder" in said
    assert "<unknown>" not in said
    assert "Traceback" not in said
    assert "delete this folder" in _command(monkeypatch, "export", "delta", str(tmp_path), code=1)


@pytest.mark.parametrize("killed", ["before the log", "before the deletions"])
def test_a_killed_driver_leaves_what_the_next_change_updates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    first, second = (made(tmp_path, Lake(name, prompts=2)) for name in ("first", "second"))
    _command(monkeypatch, "export", "delta", str(tmp_path), "--keep")
    kill = {
        "before the log": "kept_delta.update_logs = lambda store: committed(store) and os._exit(9)",
        "before the deletions": "LocalStore.delete = lambda *_: os._exit(9)",
    }[killed]
    code = "\n".join(
        [
            "import os, sys",
            "from skewbench.storage import kept_delta",
            "from skewbench.storage.store import LocalStore",
            "update = kept_delta.update_logs",
            "def committed(store):",  # whether the compaction has replaced its manifest; it claimed the run before
            "    done = b'compacted' in store.read(f'_runs/{sys.argv[2]}.json')",
            "    return done or update(store) is None",
            kill,
            "from skewbench.flows.cli import main",
            "main()",
        ]
    )
    arguments = ("compact", first, "--lake", str(tmp_path))
    died = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)
    assert died.returncode == 9, died.stderr
    assert doctor._delta(str(tmp_path)).good == (killed == "before the deletions")
    _check(tmp_path, "samples")  # no file that either names was deleted
    _command(monkeypatch, "compact", second, "--lake", str(tmp_path))
    _check(tmp_path, "samples", "scores", "group_scores")
    assert doctor._delta(str(tmp_path)).good


def test_two_drivers_at_once_leave_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [made(tmp_path, Lake(f"run{number}", prompts=2)) for number in range(4)]
    _command(monkeypatch, "export", "delta", str(tmp_path), "--keep")
    each = ["; ".join(f"skewbench compact {run} --lake {tmp_path}" for run in half) for half in (runs[:2], runs[2:])]
    code = (
        "import sys\nfrom skewbench.flows.cli import main\n"
        "for command in sys.argv.pop().split('; '):\n"
        "    sys.argv = command.split(' ')\n"
        "    try:\n        main()\n    except SystemExit as ended:\n        assert not ended.code\n"
    )
    started = [subprocess.Popen([SKEWBENCH[0], "-c", code, commands], stderr=subprocess.PIPE) for commands in each]
    said = [process.communicate(timeout=300)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert "note: the Delta" not in "".join(said)
    assert doctor._delta(str(tmp_path)).good
    _check(tmp_path, "samples", "scores", "group_scores")


def test_a_link_out_of_the_lake_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, outside = tmp_path / "lake", tmp_path / "outside"
    run_id = made(lake, Lake(prompts=2))
    _command(monkeypatch, "export", "delta", str(lake), "--keep")
    os.rename(lake / "samples" / delta.LOG, outside)
    (lake / "samples" / delta.LOG).symlink_to(outside)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    said = _command(monkeypatch, "compact", run_id, "--lake", str(lake))
    assert "samples/_delta_log is a link that points outside the lake" in said
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("lock", ["_delta/lock", "_temporary/.lock"])
def test_a_lock_that_is_a_link_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str) -> None:
    lake, outside = tmp_path / "lake", tmp_path / "mine"
    made(lake, Lake(prompts=2, images=False))
    outside.write_text("mine")
    (lake / lock).parent.mkdir(exist_ok=True)
    (lake / lock).unlink(missing_ok=True)
    (lake / lock).symlink_to(outside)
    arguments = ("export", "delta", str(lake)) if "delta" in lock else ("compact", "--lake", str(lake))
    assert f"{lock} is a link" in _command(monkeypatch, *arguments, code=2)
    assert outside.read_text() == "mine"
