"""A Prefect server that is killed in mid-run: what was generated is kept, and the command ends soon and quietly."""

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.flows.command import SKEWBENCH, write_experiment
from tests.prefect_home import prepare_home
from tests.processes import command_line

SOON = 60.0
"""Seconds from the last receipt to the end of the command."""


def _server_of(command: int) -> psutil.Process:
    children = psutil.Process(command).children()
    return next(child for child in children if "skewbench.flows.serving.app" in command_line(child))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_ends_soon_after_its_server_was_killed(tmp_path: Path) -> None:
    experiment = write_experiment(tmp_path, metrics=["contrast"], workers={"count": 1, "batch": 2, "shard": 2})
    environment = {name: value for name, value in os.environ.items() if name not in ("PREFECT_API_URL", "RAY_ADDRESS")}
    environment["PREFECT_HOME"] = str(prepare_home(tmp_path / "prefect"))
    lake, log = tmp_path / "lake", tmp_path / "stderr"
    with log.open("wb") as stderr:
        command = subprocess.Popen([*SKEWBENCH, "run", experiment, "--lake", str(lake)], stderr=stderr, env=environment)
        while not list(lake.glob("_receipts/*/*")) and command.poll() is None:
            time.sleep(0.5)
        _server_of(command.pid).kill()
        command.wait(600)
    ended = time.time()
    printed = log.read_text(encoding="utf-8")
    assert command.returncode in (0, 1), printed
    assert ended - max(path.stat().st_mtime for path in lake.glob("_receipts/*/*")) < SOON
    assert "the Prefect server does not answer" in printed or "lost the Prefect server" in printed
    assert "Error logging to API" not in printed
    assert "Traceback" not in printed
