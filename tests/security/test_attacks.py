"""Attacks on the server of `skewbench up`: a web page, DNS rebinding, and another user of the machine. All are refused.

One real server for all of them, as `up` starts it without any setting.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from skewbench.flows.serving import sign_in
from skewbench.flows.serving.names import full_name
from tests.browser import chromium, needs_chromium
from tests.flows.serving import PATIENCE, Server, served, wait_for
from tests.processes import command_line

EVIL = "http://evil.example"
NOBODY = 65534
SCRIPT = {"prefect.deployments.steps.run_shell_script": {"script": "touch /tmp/attacked"}}
SOCKETS = ("events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled", "work_pools/a/workers/connect")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # a real server, on a machine that may be busy
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """In a folder that every user of the machine can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with served(Path(folder)) as up:
            yield up


@pytest.fixture
def deployment(server: Server) -> Iterator[str]:
    """A deployment, which has to be the same after the attack, and has no flow runs then."""
    before = server.ask(f"deployments/name/{full_name('benchmark')}")
    yield before["id"]
    after = server.ask(f"deployments/name/{full_name('benchmark')}")
    assert {name: after[name] for name in _KEPT} == {name: before[name] for name in _KEPT}
    assert server.ask("flow_runs/filter", limit=1) == []


_KEPT = ("pull_steps", "entrypoint", "path", "parameters", "paused", "schedules", "tags", "work_pool_name")


def _requests(deployment: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    return [
        ("PATCH", f"deployments/{deployment}", {"pull_steps": [SCRIPT]}),
        ("POST", f"deployments/{deployment}/create_flow_run", {"parameters": {}}),
        ("POST", "flow_runs/filter", {}),
        ("POST", "block_documents/filter", {"include_secrets": True}),
        ("DELETE", f"deployments/{deployment}", None),
        ("GET", f"deployments/{deployment}", None),
        ("GET", "csrf-token?client=a", None),
        ("GET", "admin/settings", None),
    ]


def _refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def _attack(server: Server, deployment: str, headers: dict[str, str], *statuses: int, **more: Any) -> None:
    for method, path, content in _requests(deployment):
        url = f"{server.url}/api/{path}"
        _refused(httpx.request(method, url, json=content, headers=headers, timeout=60, **more), *statuses)


def test_a_page_of_another_site_without_credentials(server: Server, deployment: str) -> None:
    _attack(server, deployment, {"host": "evil.example", "origin": EVIL}, 400)
    _attack(server, deployment, {"origin": EVIL}, 403)
    _attack(server, deployment, {"origin": "null"}, 403)


def test_a_program_without_credentials(server: Server, deployment: str) -> None:
    _attack(server, deployment, {}, 401)
    _attack(server, deployment, {}, 401, auth=("skewbench", "guessed"))
    for path in ("health", "ready"):  # what is open says no more than this
        assert httpx.get(f"{server.url}/api/{path}", timeout=60).json() in (True, {"message": "OK"})


def test_a_page_that_rebinds_its_name_to_this_machine(server: Server, deployment: str) -> None:
    """To a browser it is of the server's own origin. It has what the browser sends by itself."""
    port = urlsplit(server.url).port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
        _attack(server, deployment, {"host": host}, 400, auth=server.credentials)
        _attack(server, deployment, {"host": host, "origin": f"http://{host}"}, 400, auth=server.credentials)


def test_a_form_of_another_site_with_the_credentials_that_a_browser_adds(server: Server, deployment: str) -> None:
    """A simple request, which a browser sends without asking first, and the preflight of any other."""
    for method, path, content in _requests(deployment):
        url = f"{server.url}/api/{path}"
        simple = {"origin": EVIL, "content-type": "text/plain", "sec-fetch-site": "cross-site"}
        body = json.dumps(content)
        _refused(httpx.request(method, url, content=body, headers=simple, auth=server.credentials, timeout=60), 403)
        preflight = {"origin": EVIL, "access-control-request-method": method, "access-control-request-headers": "a"}
        _refused(httpx.options(url, headers=preflight, timeout=60), 403)


def test_a_change_without_a_csrf_token(server: Server, deployment: str) -> None:
    """From a browser that sends no Origin, with the credentials that it knows."""
    for headers in ({}, {"origin": server.url}, server.csrf | {"prefect-csrf-token": "guessed"}):
        for method, path, content in _requests(deployment):
            if method != "GET":
                url = f"{server.url}/api/{path}"
                refused = httpx.request(method, url, json=content, headers=headers, auth=server.credentials, timeout=60)
                assert (refused.status_code, "CSRF token" in refused.text) == (403, True)


def test_reports_are_closed_too(server: Server) -> None:
    url = f"{server.url}/reports/none.html"
    _refused(httpx.get(url, timeout=60), 401)
    _refused(httpx.get(url, headers={"host": "evil.example"}, auth=server.credentials, timeout=60), 400)
    _refused(httpx.get(url, headers={"origin": EVIL}, auth=server.credentials, timeout=60), 403)
    assert httpx.get(url, auth=server.credentials, timeout=60).status_code == 404


@pytest.mark.parametrize("path", SOCKETS)
def test_websockets(server: Server, path: str) -> None:
    url = f"ws{server.url.removeprefix('http')}/api/{path}"
    prefect = [Subprotocol("prefect")]
    for origin in (EVIL, "null", "http://127.0.0.1:9"):
        with pytest.raises(InvalidStatus) as refused, connect(url, origin=Origin(origin), subprotocols=prefect):
            pass
        assert refused.value.response.status_code == 403
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(url, additional_headers={"host": "evil.example"}, subprotocols=prefect),
    ):
        pass
    assert refused.value.response.status_code == 400
    for token in (None, "skewbench:guessed"):  # without the password, by a program or from the server's own page
        for of_page in (None, Origin(server.url)):
            with connect(url, origin=of_page, subprotocols=prefect) as asking:
                asking.send(json.dumps({"type": "auth", "token": token}))
                with pytest.raises(ConnectionClosed):
                    asking.recv(timeout=60)
    with pytest.raises((InvalidStatus, ConnectionClosed)), connect(url) as legacy:
        legacy.recv(timeout=60)


def test_the_sockets_of_who_knows_the_password(server: Server) -> None:
    url = f"ws{server.url.removeprefix('http')}/api/events/out"
    for origin in (None, Origin(server.url)):
        with connect(url, origin=origin, subprotocols=[Subprotocol("prefect")]) as connected:
            connected.send(json.dumps({"type": "auth", "token": server.secret}))
            assert json.loads(connected.recv(timeout=60)) == {"type": "auth_success"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_of_the_machine(server: Server) -> None:
    """Gets nothing from files, processes and the API, also where the folder was open to all before."""
    assert server.home.stat().st_mode & 0o777 == 0o700
    assert _as_nobody("ls", str(server.home)).returncode != 0
    server.home.chmod(0o755)
    try:
        assert _as_nobody("ls", str(server.home)).returncode == 0  # so that the rest shows what the files' own modes do
        files = [path for path in server.home.rglob("*") if path.is_file()]
        assert {"skewbench-password", "skewbench-up.json", "skewbench-server.log", "prefect.db"} <= {
            path.name for path in files
        }
        for path in files:
            assert _as_nobody("cat", str(path)).returncode != 0, path
    finally:
        server.home.chmod(0o700)
    processes = server.processes()
    assert len(processes) >= 2
    for process in processes:
        assert _as_nobody("cat", f"/proc/{process.pid}/environ").returncode != 0
        assert server.credentials[1] not in _as_nobody("cat", f"/proc/{process.pid}/cmdline").stdout
    port = urlsplit(server.url).port
    request = r"GET /api/admin/settings HTTP/1.0\r\nHost: localhost\r\n\r\n"
    asking = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; head -1 <&3"
    assert _as_nobody("bash", "-c", asking).stdout.startswith("HTTP/1.1 401 ")


def _as_nobody(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, errors="replace",
        timeout=60, cwd="/", env={"PATH": os.environ["PATH"]},
    )  # fmt: skip


def test_the_password_is_in_its_file_alone(server: Server) -> None:
    holding = [path for path in server.home.rglob("*") if path.is_file() and _holds(path, server.credentials[1])]
    assert [path.name for path in holding] == ["skewbench-password"]
    assert not any(server.credentials[1] in command_line(process) for process in psutil.process_iter())


def _holds(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()


def test_it_is_shown_once(server: Server) -> None:
    again = server.command("up")
    assert (again.returncode, "already running" in again.stdout) == (0, True), again.stderr
    assert server.credentials[1] not in again.stdout + again.stderr
    assert str(server.home / "skewbench-password") in again.stdout


@needs_chromium
def test_the_link_of_up_opens_the_ui_without_a_question(server: Server) -> None:
    """And a page of another origin in the same browser cannot call the API, also where it knows the password."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE * 1000)
    with chromium() as browser:
        page = browser.new_page()
        page.goto(sign_in.link(server.url, server.secret))
        expect(page.get_by_role("link", name="Deployments")).to_be_visible()
        assert server.credentials[1] not in page.url
        other = browser.new_page()
        other.goto("data:text/html,<p>another site</p>")
        called = f"fetch('{server.url}/api/health').then(() => 'in', () => 'refused')"
        socket = f"new WebSocket('ws{server.url.removeprefix('http')}/api/events/out', 'prefect')"
        connected = f"""new Promise(done => {{
            const socket = {socket};
            socket.onopen = () => done('in');
            socket.onerror = () => done('refused');
        }})"""
        for asking in (called, connected):
            assert (page.evaluate(asking), other.evaluate(asking)) == ("in", "refused")


def test_nothing_goes_on_at_the_port_of_a_server_that_died(server: Server) -> None:
    """Last. Whoever takes the port would be asked for runs, and would give commands: the deployments end at once."""
    (app,) = server.processes("skewbench.flows.serving.app")
    (deployments,) = server.processes("skewbench.flows.serving.deployments")
    os.kill(app.pid, signal.SIGKILL)
    wait_for("the deployments' end", lambda: not deployments.is_running() or deployments.status() == "zombie")
    ended = server.command("down")
    assert ended.returncode == 0, ended.stderr
    assert not list(server.home.glob("skewbench-up*")) + list(server.home.glob("skewbench-password"))
