"""Records what `skewbench up` started, so that other commands find it and `skewbench down` can end it."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil

MARK = "SKEWBENCH_UP"
"""Variable in the environment of all processes that `up` starts, directly or not; each start has its own value."""


@dataclass(frozen=True)
class Process:
    """A process, identified by its number and the time when it started (seconds since 1970)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Identify a running process.

        Args:
            pid: Its number.

        Raises:
            psutil.NoSuchProcess: It has ended.
        """
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """Return the process, or None if it has ended."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < 0.01 and found.status() != psutil.STATUS_ZOMBIE
            return found if same else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class Up:
    """The processes of `up`: the server at `url` and the process that serves the deployments, with their lake."""

    url: str
    lake: str
    mark: str
    server: Process
    deployments: Process | None = None

    @property
    def api(self) -> str:
        """Address of Prefect's API."""
        return f"{self.url}/api"

    def marked(self) -> Iterator[psutil.Process]:
        """Yield all processes that come from this start, even if their parents have ended."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield process


def prefect_home() -> Path:
    """Return Prefect's own folder."""
    return Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser().absolute()


def state_path() -> Path:
    """Return the file that records what `up` started."""
    return prefect_home() / "skewbench-up.json"


def write(up: Up) -> None:
    """Record the started processes. The file contains no credentials.

    Args:
        up: The started processes.
    """
    write_private(state_path(), json.dumps(asdict(up), indent=1))


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only this user can read. The file has this mode from its creation on.

    Args:
        path: The file; its folder must exist.
        text: Its content.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read() -> Up | None:
    """Return the last start that was not ended, even if it does not run; None without a readable record."""
    try:
        fields = json.loads(state_path().read_text(encoding="utf-8"))
        server, deployments = fields.pop("server"), fields.pop("deployments")
        return Up(**fields, server=Process(**server), deployments=Process(**deployments) if deployments else None)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def running() -> Up | None:
    """Return the last start if its server runs and answers, else None."""
    up = read()
    return up if up and up.server.find() and answers(up.api) else None


def answers(api: str, seconds: float = 5.0) -> bool:
    """Return whether a Prefect API answers.

    Args:
        api: Address of the API.
        seconds: Timeout in seconds.
    """
    return _health(api, seconds) == 200


def listens(api: str, seconds: float = 5.0) -> bool:
    """Return whether anything answers at the address of a Prefect API: a proxy or a cloud may require keys.

    Args:
        api: Address of the API.
        seconds: Timeout in seconds.
    """
    return _health(api, seconds) is not None


def _health(api: str, seconds: float) -> int | None:
    """The HTTP status of the API's health check; None without an answer."""
    try:
        return httpx.get(f"{api}/health", timeout=seconds).status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return None


@contextmanager
def in_use() -> Iterator[None]:
    """Within the block, `down` knows that this command uses the server of `up`.

    The server itself cannot tell: it counts a killed command as running for ever, and the runs of a command with a
    temporary server are in the same database.
    """
    process = Process.of(os.getpid())
    path = prefect_home() / f"skewbench-command-{process.pid}.json"
    command = " ".join(["skewbench", *sys.argv[1:]])
    write_private(path, json.dumps({"process": asdict(process), "command": command}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def commands() -> list[str]:
    """Return the commands that use the server of `up` now, as they were typed. Removes records of killed commands."""
    found = []
    for path in sorted(prefect_home().glob("skewbench-command-*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(path.read_text(encoding="utf-8"))
            if Process(**content["process"]).find():
                found.append(str(content["command"]))
            else:
                path.unlink(missing_ok=True)
    return found
