"""A server with a password: its reports ask for it, and those who are started here know it."""

import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.context import refresh_global_settings_context
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, get_current_settings, temporary_settings
from starlette.applications import Starlette
from starlette.testclient import TestClient

from skewbench.flows.serving import client, launch, password, reports, schedule, state
from skewbench.flows.serving.state import Process, Up
from skewbench.storage.store import LocalStore
from skewbench.vocabulary.errors import InputError, RunError
from tests.ports import free_port

SECRET = "admin:not-to-be-seen-ä"
BASIC = "Basic " + b64encode(SECRET.encode()).decode()


@pytest.fixture
def settings() -> Iterator[None]:
    """Prefect's settings are read anew once the environment is as it was."""
    yield
    refresh_global_settings_context()


@pytest.fixture(autouse=True)
def home(settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)
    refresh_global_settings_context()
    return tmp_path


def _server(lake: Path) -> TestClient:
    LocalStore(lake).put("_reports/r-1.html", b"<p>report</p>")
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: SECRET}):
        return TestClient(Starlette(routes=[reports.route(str(lake))]))


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic ", "Basic YWRtaW46cGFzcw==", "Bearer x", BASIC[6:]])
def test_a_report_asks_for_the_password(tmp_path: Path, header: str | None) -> None:
    server = _server(tmp_path)
    headers = {} if header is None else {"authorization": header}
    for path in ("/reports/r-1.html", "/reports/absent.html"):
        answer = server.get(path, headers=headers)
        assert (answer.status_code, "<p>" in answer.text) == (401, False)
        assert answer.headers["www-authenticate"].startswith("Basic ")


def test_a_report_is_shown_to_who_knows_it(tmp_path: Path) -> None:
    assert _server(tmp_path).get("/reports/r-1.html", headers={"authorization": BASIC}).text == "<p>report</p>"


@pytest.mark.parametrize("own", [SECRET, None])
@pytest.mark.parametrize("elsewhere", [None, "of:another-server"])
def test_what_up_starts_knows_the_password_and_no_file_does_but_the_one_of_the_password(
    home: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: str | None, own: str | None
) -> None:
    """The password is the one that the user has set, which is in no file, or one that `up` makes."""
    given: list[dict[str, str]] = []
    processes: list[subprocess.Popen[bytes]] = []
    commands: list[str] = []
    written: dict[str, str] = {}

    def started(
        command: list[str], environment: dict[str, str], *_others: Any, umask: int = -1
    ) -> "subprocess.Popen[bytes]":
        commands.append(" ".join(command))
        given.append(environment)
        processes.append(subprocess.Popen(["sleep", "600"]))
        return processes[-1]

    def fails(*_: Any) -> None:
        raise RunError("this is as far as it goes")

    def waiting(*_: Any) -> None:
        written.update({path.name: path.read_text() for path in home.iterdir()})

    if elsewhere:
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", elsewhere)
    monkeypatch.setattr(launch, "background", started)
    monkeypatch.setattr(launch, "wait_for_api", waiting)
    monkeypatch.setattr(launch.select, "select", fails)
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: own}), pytest.raises(RunError, match="as far as"):
        launch.start("127.0.0.1", free_port(), str(home / "lake"), None)
    for process in processes:
        process.wait()
    for_server, for_deployments = given
    secret = for_server["PREFECT_SERVER_API_AUTH_STRING"]
    assert secret == for_deployments["PREFECT_API_AUTH_STRING"] == (own or secret)
    assert "PREFECT_SERVER_API_AUTH_STRING" not in for_deployments
    assert [name for name, text in written.items() if secret in text] == ([] if own else ["skewbench-password"])
    assert not any(secret in command for command in commands)
    assert not list(home.iterdir())  # the failed start is cleaned up


def test_a_command_knows_the_password_of_the_server_while_it_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    up = Up("http://127.0.0.1:1", "/lake", "mark", Process(1, 1.0))
    monkeypatch.setattr(state, "running", lambda: up)
    asked: list[Any] = []
    monkeypatch.setattr(password, "check", lambda asking: asked.append(asking._client.headers.get("authorization")))
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", SECRET)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "of:another-server")
    refresh_global_settings_context()
    with client.server_for_a_command():
        assert get_current_settings().api.url == up.api
    assert asked == [BASIC]
    assert os.environ["PREFECT_API_AUTH_STRING"] == "of:another-server"
    assert "PREFECT_API_URL" not in os.environ


@pytest.mark.parametrize("set_by_the_user", [False, True])
@pytest.mark.parametrize("runs", [True, False])
def test_a_command_knows_the_password_that_up_made(
    monkeypatch: pytest.MonkeyPatch, runs: bool, set_by_the_user: bool
) -> None:
    """While the server runs: once it has gone, somebody else may listen at its port."""
    this = Process.of(os.getpid())
    up = Up("http://127.0.0.1:1", "/lake", "mark", this if runs else Process(this.pid, 1.0))
    state.write(up)
    password.keep("skewbench:made")
    monkeypatch.setattr(state, "answers", lambda *_: True)
    monkeypatch.setattr(state, "listens", lambda *_: True)
    if set_by_the_user:
        monkeypatch.setenv("PREFECT_API_URL", up.api)
        refresh_global_settings_context()
    else:
        monkeypatch.setattr(password, "check", lambda _client: None)
        monkeypatch.setattr(client, "_temporary", lambda: nullcontext(("http://127.0.0.1:2/api", "its:own")))
    expected = "skewbench:made" if runs else (None if set_by_the_user else "its:own")
    with client.server_for_a_command():
        assert os.environ.get("PREFECT_API_AUTH_STRING") == expected
    assert "PREFECT_API_AUTH_STRING" not in os.environ


def test_who_does_not_know_it_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.headers.get("authorization") == BASIC else 401, request=request, json={})

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _self, request: answer(request))
    with (
        pytest.raises(InputError, match=r"127.0.0.1:1/api asks for a password: set PREFECT_SERVER_API"),
        schedule._deployment("http://127.0.0.1:1/api"),
    ):
        pass
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: SECRET}), pytest.raises(ValueError, match="id"):
        schedule.describe_schedules("http://127.0.0.1:1/api")
