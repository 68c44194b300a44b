"""Starting and ending the Prefect server that lasts, with the deployments: `skewbench up` and `down`."""

import os
import re
import select
import sys
import uuid
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import psutil

from skewbench.flows.serving import guard, password, reports, state
from skewbench.flows.serving.spawn import (
    END,
    START,
    app_command,
    background,
    closed,
    last_lines,
    listening_at,
    pipe,
    wait_for_api,
)
from skewbench.flows.serving.state import MARK, Process, Up, prefect_home, state_path
from skewbench.storage.location import lake_folder
from skewbench.vocabulary.errors import InputError, RunError

_DATABASES = ("postgresql+asyncpg", "sqlite+aiosqlite")


def start(host: str, port: int, lake: str, database: str | None) -> Up:
    """Start the server and the process that serves the deployments, in the background.

    Args:
        host: Address on which the server listens.
        port: Port on which it listens.
        lake: Folder or URL of the lake.
        database: A URL that `check_database` accepts; None: Prefect's own setting.

    Returns:
        What was started; it is also written to `state_path()`.

    Raises:
        InputError: The port is not free, or `SKEWBENCH_TRUSTED_HOSTS` is invalid.
        RunError: The server or the deployments did not start. Started processes are ended.
    """
    guard.trusted_hosts(host)
    url, mark = f"http://{address(_seen_from_here(host), port)}", uuid.uuid4().hex
    place = place_of(lake)
    environment = {**os.environ, MARK: mark, "PREFECT_API_URL": f"{url}/api", reports.LAKE: place}
    secret = password.of_server() or password.make()
    with listening_at(host, port) as listening, pipe() as (alive, held):
        prefect_home().mkdir(parents=True, exist_ok=True, mode=0o700)
        for_server = environment | _server_settings(host, port, database) | closed(secret)
        server = background(
            app_command(listening, host), for_server, "server", (listening.fileno(), held.fileno()), umask=0o077
        )
        up = Up(url, place, mark, Process.of(server.pid))
        state.write(up)
        try:
            if secret != password.of_server():
                password.keep(secret)
            wait_for_api(server, up.api, "server")
            up = replace(up, deployments=_serve(up, environment | password.for_clients(secret), alive.fileno()))
        except BaseException:
            end(up)
            raise
    state.write(up)
    return up


def end(up: Up) -> bool:
    """End all processes that were started, directly or not, and no others.

    Args:
        up: The started processes.

    Returns:
        Whether any of the processes was running.
    """
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
    password.forget()
    return was_running or bool(left)


def check_database(url: str | None) -> None:
    """Check that Prefect has a driver for a database.

    Args:
        url: The URL; None or empty is allowed.

    Raises:
        InputError: The scheme is not supported. The message does not contain the password.
    """
    scheme, separator, _ = (url or "").partition("://")
    if url and not (separator and scheme in _DATABASES):
        given = f" {scheme}://…" if separator and re.fullmatch(r"[\w+.-]+", scheme) else ""
        allowed = " or ".join(f"{name}://…" for name in _DATABASES)
        raise InputError(f"--database{given}: not supported; use a URL {allowed}")


def place_of(lake: str) -> str:
    """Return a lake's URL, or the absolute path of its folder, because the server runs in another folder.

    Args:
        lake: Folder or URL of the lake.
    """
    return lake if "://" in lake else str(lake_folder(lake))


def address(host: str, port: int) -> str:
    """Return HOST:PORT as in a URL, with brackets around an IPv6 address.

    Args:
        host: Name or address.
        port: Port.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _seen_from_here(host: str) -> str:
    """Where this machine finds a server that listens on `host`: on all interfaces it is on the loopback too.

    The name localhost would also lead to ::1, where another server may listen.
    """
    if host == "localhost" or not guard.is_unspecified(host):
        return "127.0.0.1" if host == "localhost" else host
    return "127.0.0.1" if ip_address(host).version == 4 else "::1"


def _server_settings(host: str, port: int, database: str | None) -> dict[str, str]:
    settings = {
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": "/api",  # the server of the page, under any of its names
        # places in a model's queue outlive the server, and are given back when their holders do not answer
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    if database:
        settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database
    return settings


def _serve(up: Up, environment: dict[str, str], alive: int) -> Process:
    """Start the process that serves the deployments. `alive`: the end of a pipe that closes when the server ends."""
    of_server = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", password.SERVER)
    without = {name: value for name, value in environment.items() if name not in of_server}
    with pipe() as (ready, tell):
        command = [
            sys.executable,
            "-P",
            "-m",
            "skewbench.flows.serving.deployments",
            up.lake,
            str(tell.fileno()),
            str(alive),
        ]
        process = background(command, without, "deployments", (tell.fileno(), alive))
        tell.close()
        try:
            there, _, _ = select.select([ready], [], [], START)
            if not there or not ready.read(1):
                raise RunError(f"the deployments did not start: {last_lines('deployments')}")
        except BaseException:
            process.kill()
            raise
    return Process.of(process.pid)


def _end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(END)
        except psutil.TimeoutExpired:
            process.kill()
