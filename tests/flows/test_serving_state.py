"""What `up` writes down and `down` ends, and a temporary server, which ends by itself."""

import json
import os
import socket
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console
from typer.testing import CliRunner

from skewbench.flows import server_loss
from skewbench.flows.cli import app
from skewbench.flows.cli.session import prefect_and_ray
from skewbench.flows.serving import client, launch, state
from skewbench.flows.serving.state import MARK, Process, Up
from skewbench.vocabulary.errors import InputError, RunError
from tests.flows.serving import wait_for

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    return tmp_path


def _up(server: Process) -> Up:
    return Up("http://127.0.0.1:1", "/lake", "a-mark", server)


def test_another_process_of_the_same_number_is_left_alone(home: Path) -> None:
    mine = Process.of(os.getpid())
    state.write(_up(replace(mine, started=mine.started - 100)))
    assert "was not running" in CliRunner().invoke(app, ["down"]).stdout
    assert not state.state_path().exists()
    assert psutil.pid_exists(os.getpid())


def test_a_state_that_cannot_be_read_is_none(home: Path) -> None:
    for content in ("", "{", "[]", json.dumps({"url": "x"})):
        state.state_path().write_text(content)
        assert state.read() is None
    assert "nothing to stop" in CliRunner().invoke(app, ["down"]).stdout


def test_what_a_start_left_is_ended_by_its_mark_and_nothing_else() -> None:
    ours = subprocess.Popen(SLEEP, env={**os.environ, MARK: "a-mark"})
    other = subprocess.Popen(SLEEP, env={**os.environ, MARK: "another"})
    try:
        gone = Process(ours.pid, 1.0)
        assert launch.end(_up(gone))
        assert not psutil.pid_exists(ours.pid)
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_a_server_that_a_terminal_uses_is_ended_with_yes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = subprocess.Popen(SLEEP, env={**os.environ, MARK: "a-mark"})
    monkeypatch.setattr(sys, "argv", ["/bin/skewbench", "run", "demo"])
    try:
        state.write(_up(Process.of(ours.pid)))
        with state.in_use():
            refused = CliRunner().invoke(app, ["down"]).exception
            assert isinstance(refused, InputError)
            assert "`skewbench run demo`" in str(refused)
            assert ours.poll() is None
            assert "stopped http" in CliRunner().invoke(app, ["down", "--yes"]).stdout
        assert state.commands() == []
    finally:
        ours.kill()
        ours.wait()


def test_a_killed_command_and_a_dead_server_hinder_nothing(home: Path) -> None:
    gone = {"process": {"pid": os.getpid(), "started": 1.0}, "command": "skewbench run demo"}
    (home / "skewbench-command-1.json").write_text(json.dumps(gone))
    assert state.commands() == []
    assert not list(home.glob("skewbench-command-*"))
    state.write(_up(replace(Process.of(os.getpid()), started=1.0)))
    with state.in_use():
        assert "was not running" in CliRunner().invoke(app, ["down"]).stdout


@pytest.mark.parametrize("lost", [httpx.ConnectError("refused"), RuntimeError("Failed to reach API at")])
def test_a_command_whose_server_went_away_says_so(
    monkeypatch: pytest.MonkeyPatch, server_found: None, lost: Exception
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(client, "server_for_a_command", nullcontext)
    message = "lost the Prefect server; run the same command again to resume"
    with pytest.raises(RunError, match=message), prefect_and_ray(Console(stderr=True), None):
        raise lost
    assert server_loss.is_lost()
    monkeypatch.setattr(state, "answers", lambda api: True)
    with pytest.raises(type(lost), match=str(lost)), prefect_and_ray(Console(stderr=True), None):
        raise lost


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://me:secret@host/runs",
            r"--database postgresql://…: not supported; use a URL postgresql\+asyncpg",
        ),
        ("mysql+aiomysql://me:secret@host/runs", r"--database mysql\+aiomysql://…: not supported; use a URL"),
        ("me:secret@host/runs", "--database: not supported; use a URL"),
        ("me:secret@host://runs", "--database: not supported; use a URL"),
    ],
)
def test_a_database_that_prefect_has_no_driver_for(home: Path, url: str, said: str) -> None:
    refused = CliRunner().invoke(app, ["up", "--database", url]).exception
    assert isinstance(refused, InputError)
    assert "secret" not in str(refused)
    with pytest.raises(InputError, match=said):
        raise refused
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ([], ""),
        (["--port", "4301", "--lake", "/lake"], ""),
        (["--port", "4200"], "--port 4200: a server is already running at http://127.0.0.1:4301 with lake /lake"),
        (["--lake", "/other"], "--lake /other: a server is already running"),
    ],
)
def test_a_server_that_runs_elsewhere_or_with_another_lake_is_not_taken_for_the_one_asked_for(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], refused: str
) -> None:
    monkeypatch.delenv("SKEWBENCH_LAKE", raising=False)
    there = replace(_up(Process.of(os.getpid())), url="http://127.0.0.1:4301")
    monkeypatch.setattr(state, "running", lambda: there)
    monkeypatch.setattr("skewbench.flows.serving.schedule.describe_schedules", lambda api: "")
    done = CliRunner().invoke(app, ["up", *arguments])
    if refused:
        assert isinstance(done.exception, InputError)
        assert refused in str(done.exception)
    else:
        assert (done.exit_code, "already running" in done.stdout) == (0, True)


def test_a_port_that_is_taken_is_told(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["up", "--port", str(port)])
    assert f"port {port}: Address already in use; use another --port" in str(done.exception)
    assert not state.state_path().exists()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4299"),
        ("0.0.0.0", "http://127.0.0.1:4299"),
        ("::1", "http://[::1]:4299"),
        ("::", "http://[::1]:4299"),
        ("a-name", "http://a-name:4299"),
        ("localhost", "http://127.0.0.1:4299"),  # the name also leads to ::1, where somebody else may listen
    ],
)
def test_the_address_of_a_host(monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    def background(_command: list[str], environment: dict[str, str], *_others: Any, umask: int) -> None:
        raise RunError(environment["PREFECT_API_URL"])

    monkeypatch.setattr(launch, "listening_at", lambda *_: socket.socket())
    monkeypatch.setattr(launch, "background", background)
    with pytest.raises(RunError) as asked:
        launch.start(host, 4299, "lake", None)
    assert str(asked.value) == f"{url}/api"
    assert httpx.URL(url).port == 4299


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_temporary_server_is_closed_and_ends_with_a_command_that_is_killed(home: Path) -> None:
    code = """
from skewbench.flows.serving import client
import time
with client._temporary() as (api, secret):
    print(api, secret, flush=True)
    time.sleep(600)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API")}
    command = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert command.stdout
    api, secret = command.stdout.readline().split()
    (server,) = psutil.Process(command.pid).children()
    user, _, password = secret.partition(":")
    assert httpx.get(f"{api}/hello").status_code == 401
    assert httpx.get(f"{api}/hello", auth=(user, password)).status_code == 200
    assert httpx.get(f"{api}/hello", auth=(user, password), headers={"host": "evil.example"}).status_code == 400
    assert (
        httpx.get(f"{api}/hello", auth=(user, password), headers={"origin": "http://evil.example"}).status_code == 403
    )
    assert not any(password in word for word in server.cmdline())
    assert not any(password.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())
    command.kill()
    command.wait()
    command.stdout.close()
    wait_for("the server's end", lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
