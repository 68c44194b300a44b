"""Starting `skewbench` as a person would, finding the processes under it, and leaving none behind."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.flows.command import SKEWBENCH
from tests.ports import free_port
from tests.prefect_home import prepare_home
from tests.processes import command_line

LIMIT = 1800.0
"""Seconds that one command may take, on a busy machine."""
_NOTED_EVERY = 0.5
"""Seconds between two looks at the processes under a command while it is polled."""


class Command:
    """`skewbench` with arguments, as a process that runs. What it prints goes to `log`."""

    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log.open("ab")
        self._log.write(f"\n== skewbench {' '.join(arguments)}\n".encode())
        self._log.flush()
        self._begins = self._log.tell()
        given = {**os.environ, **environment, "COLUMNS": "200"}
        self._process = subprocess.Popen([*SKEWBENCH, *arguments], stdout=self._log, stderr=self._log, env=given)
        self._tree: dict[int, psutil.Process] = {}
        self._noted = 0.0

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        if time.monotonic() - self._noted > _NOTED_EVERY:  # to look at all processes of the machine takes a while
            self._note()
        return self._process.poll() is None

    def find(self, name: str) -> list[psutil.Process]:
        """Processes under it whose command line begins with a name, such as `ray::` or a path to the raylet."""
        self._note()
        return [process for process in self._tree.values() if name in command_line(process)]

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def stop(self) -> None:
        """SIGSTOP, of this process alone."""
        self._note()
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM."""
        self._note()
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._note()
        self._process.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code. Whatever it started is gone afterwards."""
        while True:
            try:
                code = self._process.wait(timeout=1.0)
                break
            except subprocess.TimeoutExpired:
                self._note()
                if time.time() - psutil.Process(self._process.pid).create_time() > LIMIT:
                    self._process.kill()
        self._log.close()
        _end([process for process in self._tree.values() if process.pid != self._process.pid])
        return code

    def output(self) -> str:
        """What this command printed."""
        with Path(self._log.name).open("rb") as file:
            file.seek(self._begins)
            return file.read().decode(errors="replace")

    def _note(self) -> None:
        """Remember who is under it: the orphans of a killed process can't be found later."""
        self._noted = time.monotonic()
        try:
            found = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        self._tree |= {process.pid: process for process in found}


_IDLE = (
    "SCHEDULER", "LATE_RUNS", "CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS", "FOREMAN", "TRIGGERS", "REPOSSESSOR",
)  # fmt: skip
"""Services of the server that flows of commands do without. Idle, they cost a second of the processor a minute."""


@contextmanager
def prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """One Prefect server for all rounds; gives the variables with which flows find it."""
    port = free_port()
    own = {"PREFECT_HOME": str(prepare_home(folder / "prefect")), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_SERVER_UI_ENABLED": "false", "DO_NOT_TRACK": "1"}
    quiet |= {f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in _IDLE}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "prefect.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **own, **quiet})
        try:
            _wait_for(port, server)
            yield own
        finally:
            tree = [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]
            server.terminate()
            _end(tree)
            server.wait()


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit("the Prefect server does not start; see prefect.log")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the Prefect server does not answer; see prefect.log")


def _end(processes: list[psutil.Process]) -> None:
    """Ray's own end with their driver; who has not after a while is killed. (psutil checks that it is the same one.)"""
    _, left = psutil.wait_procs(processes, timeout=15)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=15)
