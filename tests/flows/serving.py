"""A Prefect server with the flows for tests: `skewbench up` on a free port, with a home and a lake of its own."""

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil

from skewbench.flows.serving.names import full_name
from skewbench.flows.serving.state import MARK
from tests.flows.command import SKEWBENCH
from tests.ports import free_port
from tests.prefect_home import prepare_home
from tests.processes import command_line

PATIENCE = 540.0
"""Seconds that anything may take, on a slow and busy machine."""


def wait_for(what: str, condition: Callable[[], Any], every: float = 0.2) -> Any:
    """The condition's first true value."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError(f"waited {PATIENCE:.0f} s in vain for {what}")


@dataclass(frozen=True)
class Server:
    """What a test knows of it."""

    url: str
    home: Path
    lake: Path
    environment: dict[str, str]
    skewbench: Sequence[str] = SKEWBENCH
    cwd: Path | None = None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `skewbench` as a person with this server would."""
        options: dict[str, Any] = {"timeout": PATIENCE, "env": self.environment, "cwd": self.cwd}
        return subprocess.run([*self.skewbench, *arguments], capture_output=True, text=True, **options)

    def starting(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same, while it runs; with processes of its own group, as in a terminal."""
        options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        options |= {"env": self.environment, "cwd": self.cwd, "start_new_session": True}
        return subprocess.Popen([*self.skewbench, *arguments], **options)

    @property
    def secret(self) -> str:
        """`NAME:PASSWORD`, from the file in which `up` keeps it."""
        return (self.home / "skewbench-password").read_text(encoding="utf-8").strip()

    @property
    def credentials(self) -> tuple[str, str]:
        """Name and password."""
        name, _, password = self.secret.partition(":")
        return name, password

    @cached_property
    def csrf(self) -> dict[str, str]:
        """Headers of a client that changes something."""
        client = str(uuid.uuid4())
        url = f"{self.url}/api/csrf-token"
        answer = httpx.get(url, params={"client": client}, auth=self.credentials, timeout=60)
        return {"prefect-csrf-client": client, "prefect-csrf-token": answer.raise_for_status().json()["token"]}

    def ask(self, path: str, **content: Any) -> Any:
        """Prefect's API: a GET, or, with content, a POST.

        While its database is locked, the server answers 503; then Prefect's own client and this one ask again.
        """
        method, url = "POST" if content else "GET", f"{self.url}/api/{path}"
        options: dict[str, Any] = {"auth": self.credentials, "headers": self.csrf, "timeout": 60}

        def answered() -> httpx.Response | None:
            answer = httpx.request(method, url, json=content or None, **options)
            return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        answer: httpx.Response = wait_for("an answer of Prefect's server", answered).raise_for_status()
        return answer.json() if answer.content else None

    def launch(self, flow: str, **parameters: Any) -> str:
        """Launch a flow as the UI does. Returns the flow run's id."""
        deployment = self.ask(f"deployments/name/{full_name(flow)}")["id"]
        return str(self.ask(f"deployments/{deployment}/create_flow_run", parameters=parameters)["id"])

    def state(self, flow_run: str) -> str:
        """Type of a flow run's state."""
        return str(self.ask(f"flow_runs/{flow_run}")["state_type"])

    def end_of(self, flow_run: str) -> str:
        """State in which a flow run ended."""
        ends = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        return str(wait_for("the flow's end", lambda: (s := self.state(flow_run)) in ends and s))

    def log(self, flow_run: str) -> str:
        """What the UI shows as a flow run's log."""
        of_run = {"flow_run_id": {"any_": [flow_run]}}
        return "\n".join(line["message"] for line in self.ask("logs/filter", logs=of_run, limit=200))

    def processes(self, name: str = "") -> list[psutil.Process]:
        """All that comes from this `up`; with a name, those with it in their command line."""
        found = []
        for process in psutil.process_iter():
            try:
                of_ours = process.environ().get("PREFECT_HOME") == str(self.home) and MARK in process.environ()
                if of_ours and process.status() != psutil.STATUS_ZOMBIE and name in command_line(process):
                    found.append(process)
            except psutil.Error:
                continue
        return found


@contextmanager
def served(folder: Path, skewbench: Sequence[str] = SKEWBENCH, cwd: Path | None = None) -> Iterator[Server]:
    """A server that is up. Whatever happens, it is ended.

    Args:
        folder: Where its home and its lake are.
        skewbench: The command.
        cwd: Working folder of the command, and so of the flows that it runs.
    """
    port = free_port()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(prepare_home(folder / "prefect")),
        "SKEWBENCH_LAKE": str(folder / "lake"),
    }
    environment["PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS"] = "2"  # 30, of an hour's run
    environment["PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS"] = "3"  # 60
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING", "RAY_ADDRESS", MARK):
        environment.pop(name, None)
    if skewbench != SKEWBENCH:
        environment.pop("PYTHONPATH", None)
    url = f"http://127.0.0.1:{port}"
    server = Server(url, folder / "prefect", folder / "lake", environment, skewbench, cwd)
    try:
        started = server.command("up", "--port", str(port))
        assert started.returncode == 0, started.stderr
        assert f"the UI is at {server.url}\n" in started.stdout
        assert f"password {server.secret}, also in {server.home}/skewbench-password\n" in started.stdout
        yield server
    finally:
        server.command("down", "--yes")
        for process in server.processes():
            process.kill()
