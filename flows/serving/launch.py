"""Starting and ending a Prefect server: one that lasts, with the deployments, and one for a single command."""

import os
import re
import select
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import psutil

from skewbench.flows.serving import password, reports, state
from skewbench.flows.serving.state import MARK, Process, Up, prefect_home, state_path
from skewbench.vocabulary.errors import InputError, RunError

START = 240.0
"""Seconds that a server has to start, on a busy machine."""
END = 30.0
"""Seconds that a process has to end, before it is killed: flow runs are cancelled in them."""
_LAST = 15
_DATABASES = ("postgresql+asyncpg", "sqlite+aiosqlite")


def start(host: str, port: int, lake: str, database: str | None) -> Up:
    """Start the server and what serves the deployments, in the background. Raises `InputError`, `RunError`.

    `database`: None, or a URL that `check_database` lets pass.
    """
    _check_port(host, port)
    prefect_home().mkdir(parents=True, exist_ok=True)
    url, mark = f"http://{address(_seen_from_here(host), port)}", uuid.uuid4().hex
    place = place_of(lake)
    environment = {**os.environ, MARK: mark, "PREFECT_API_URL": f"{url}/api", reports.LAKE: place}
    environment |= _server_settings(host, port, database) | password.for_clients()
    command = [sys.executable, "-P", "-m", "skewbench.flows.serving.app", "--host", host, "--port", str(port)]
    server = _background(command, environment, "server")
    up = Up(url, place, mark, Process.of(server.pid))
    state.write(up)
    try:
        _wait_for(server, up.api, "server")
        up = replace(up, deployments=_serve(up, environment))
    except BaseException:
        end(up)
        raise
    state.write(up)
    return up


def end(up: Up) -> bool:
    """End what was started, and what that started, and nothing else. Returns whether anything of it was running."""
    found = [process.find() for process in (up.deployments, up.server) if process]
    was_running = any(found)
    for process in filter(None, found):  # the deployments first: they tell the server of the runs that they cancel
        _end(process)
    left = list(up.marked())
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=END)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=END)
    state_path().unlink(missing_ok=True)
    return was_running or bool(left)


def check_database(url: str | None) -> None:
    """Raises `InputError`, without the password, where Prefect has no driver for the database."""
    scheme, separator, _ = (url or "").partition("://")
    if url and not (separator and scheme in _DATABASES):
        given = f" {scheme}://…" if separator and re.fullmatch(r"[\w+.-]+", scheme) else ""
        wanted = " or ".join(f"{name}://…" for name in _DATABASES)
        raise InputError(f"--database{given}: a URL {wanted} is wanted")


def place_of(lake: str) -> str:
    """A lake's URL, or its folder from the root: the server runs in a folder of its own."""
    return lake if "://" in lake else str(Path(lake).absolute())


def address(host: str, port: int) -> str:
    """HOST:PORT as a URL has it: with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _seen_from_here(host: str) -> str:
    """Where this machine finds a server that listens on `host`: on all interfaces it is on the loopback too."""
    try:
        listening = ip_address(host)
    except ValueError:  # a name
        return host
    if not listening.is_unspecified:
        return host
    return "127.0.0.1" if listening.version == 4 else "::1"


@contextmanager
def server_for_a_command() -> Iterator[None]:
    """Within: a Prefect API. The one that is set, that of `up`, or one of our own, which ends as this process does."""
    from prefect import get_client
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    if given := get_current_settings().api.url:
        known = state.read()
        with state.in_use() if known and known.api == given else nullcontext():
            yield
        return
    up = state.running()
    own = None if up else _temporary()
    api = up.api if up else own[1]  # type: ignore[index]
    settings = {"PREFECT_API_URL": api, **password.for_clients()}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    refresh_global_settings_context()
    try:
        with get_client(sync_client=True) as client:
            password.check(client)
        with state.in_use() if up else nullcontext():
            yield
    finally:
        if own:
            _send_what_is_queued()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        if own:
            _end_temporary(own[0])


def _send_what_is_queued() -> None:
    """Logs and events, while there is a server: at the interpreter's exit Prefect would try for a minute."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for service in (APILogWorker, EventsWorker):
        service.drain_all(timeout=END)


def _temporary() -> tuple["subprocess.Popen[bytes]", str]:
    """A server without a UI. The pipe to it closes when this process ends, also by SIGKILL, and then it ends too."""
    port = _free_port()
    environment = {**os.environ, "PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
    command = [sys.executable, "-P", "-m", "skewbench.flows.serving.app", "--port", str(port), "--with-parent"]
    server = subprocess.Popen(  # noqa: S603 our own program
        command, stdin=subprocess.PIPE, env=environment, start_new_session=True
    )
    api = f"http://127.0.0.1:{port}/api"
    try:
        _wait_for(server, api, None)
    except BaseException:
        _end_temporary(server)
        raise
    return server, api


def _end_temporary(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    if server.stdin:
        server.stdin.close()
    try:
        server.wait(END)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _server_settings(host: str, port: int, database: str | None) -> dict[str, str]:
    settings = {
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": "/api",  # of the server that the page came from, by whatever name it was asked
        # places in a model's queue outlive the server, and are given back when their holders do not answer
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    if database:
        settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database
    return settings


def _serve(up: Up, environment: dict[str, str]) -> Process:
    ready, tell = os.pipe()
    command = [sys.executable, "-P", "-m", "skewbench.flows.serving.deployments", up.lake, str(tell)]
    without = {name: value for name, value in environment.items() if name != "PREFECT_SERVER_DATABASE_CONNECTION_URL"}
    process = _background(command, without, "deployments", tell)
    os.close(tell)
    try:
        there, _, _ = select.select([ready], [], [], START)
        if not there or not os.read(ready, 1):
            raise RunError(f"the deployments did not start: {_last_lines('deployments')}")
    except BaseException:
        process.kill()
        raise
    finally:
        os.close(ready)
    return Process.of(process.pid)


def _background(
    command: list[str], environment: dict[str, str], name: str, keep: int = -1
) -> "subprocess.Popen[bytes]":
    with log_path(name).open("wb") as log:
        return subprocess.Popen(  # noqa: S603 our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=[keep] if keep >= 0 else [],
        )


def log_path(name: str) -> Path:
    """Where the server or the deployments log."""
    return prefect_home() / f"skewbench-{name}.log"


def _last_lines(name: str) -> str:
    lines = log_path(name).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LAST:]) or f"see {log_path(name)}"


def _wait_for(server: "subprocess.Popen[bytes]", api: str, log: str | None) -> None:
    began = time.monotonic()
    while not state.answers(api):
        if server.poll() is not None:
            raise RunError(f"the Prefect server ended at its start: {_last_lines(log) if log else server.returncode}")
        if time.monotonic() - began > START:
            raise RunError(f"the Prefect server does not answer at {api} after {START:.0f} s")
        time.sleep(0.2)


def _end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(END)
        except psutil.TimeoutExpired:
            process.kill()


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(f"--host {host} --port {port}: {error.strerror}; choose another with --port") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
