"""`skewbench status`: how far the runs of a lake are, and which of them somebody is at."""

from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from flows.cli import app
from tasks.lake.lease import Lease
from tasks.lake.manifest import find_run, write_manifest
from tasks.lake.store import LocalStore
from tests.lakes import Lake, made


def _told(lake: Path) -> str:
    return CliRunner().invoke(app, ["status", "--lake", str(lake)]).stdout


def test_a_run_that_nobody_drives_is_stopped(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    run = find_run(store, made(tmp_path, Lake(images=False)))
    assert "committed" in _told(tmp_path)
    write_manifest(store, replace(run, status="running"))
    assert "stopped" in _told(tmp_path)
    with Lease(store, run.run_id):
        assert "running" in _told(tmp_path)
    assert "stopped" in _told(tmp_path)
