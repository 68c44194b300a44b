"""Prepares environments: once a machine, whole or not at all, and never inside of skewbench's own environment."""

import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import uuid
import venv
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from skewbench.eval.environments.declaration import Environment
from skewbench.eval.environments.find import failed_mark, find, folder, missing, named, place, python_of, version_in
from skewbench.eval.environments.shared import shared_paths

EVERY = 30.0
"""Seconds between two lines that say what pip does."""
LAST = 40
"""Lines of pip's output that are kept for the error message."""
MARK = "skewbench-environment.json"
"""The file in a prepared environment that says what it was prepared from, for people."""

logger = logging.getLogger(__name__)
Say = Callable[[str], None]


class NotPrepared(RuntimeError):
    """An environment could not be prepared. The message says why and what to do."""


def prepare(environment: Environment, say: Say = logger.warning, again: bool = False) -> Path:
    """Prepare an environment with pip, unless it is prepared.

    It is built under a temporary name and renamed when it is complete. Of several processes one prepares it, and the
    others wait. pip reads its own configuration: an index, or `PIP_FIND_LINKS` with `PIP_NO_INDEX=1` for a folder of
    wheels.

    Args:
        environment: The environment.
        say: Called with lines that say what happens.
        again: Try again although the last attempt on this machine failed.

    Returns:
        The environment's folder.

    Raises:
        NotPrepared: It cannot be prepared. Later calls raise it at once, unless `again` is set.
        InputError: A variable of the environment holds no path.
    """
    if again and not named(environment):
        failed_mark(environment).unlink(missing_ok=True)
    if reason := missing(environment):
        raise NotPrepared(reason)
    if path := find(environment):
        return path
    own = place(environment)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with _locked(environment, say) as lock:
            if reason := missing(environment):  # another process tried meanwhile
                raise NotPrepared(reason)
            if not find(environment):
                _build(environment, own, say, lock)
    except OSError as error:
        raise NotPrepared(f"environment {environment.name} could not be prepared in {folder()}: {error}") from error
    return own


def size_of(path: Path) -> int:
    """Return the bytes of the files in a folder; links are not followed.

    Args:
        path: The folder.
    """
    return sum((Path(where) / name).lstat().st_size for where, _, names in os.walk(path) for name in names)


@contextmanager
def _locked(environment: Environment, say: Say) -> Iterator[IO[bytes]]:
    """Hold the environment's lock. The kernel frees it when its holder and the holder's pip have ended."""
    with (folder() / f"{environment.key}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"environment {environment.name}: waiting for another process that prepares it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _build(environment: Environment, own: Path, say: Say, lock: IO[bytes]) -> None:
    """Build the environment beside its place, and rename it. What a killed process left there is removed first."""
    began = time.monotonic()
    for left in folder().glob(f".{environment.key}.*"):
        shutil.rmtree(left, ignore_errors=True)
    building = folder() / f".{environment.key}.{uuid.uuid4().hex[:8]}"
    say(f"environment {environment.name}: preparing, pip install {' '.join(environment.pip)}; into {own}")
    try:
        venv.EnvBuilder(symlinks=True, with_pip=find_spec("pip") is None).create(building)
        if reason := _install(environment, building, say, lock):
            failed_mark(environment).write_text(reason, encoding="utf-8")
            raise NotPrepared(missing(environment) or reason)
        (building / MARK).write_text(json.dumps({"pip": environment.pip, "python": sys.version}), encoding="utf-8")
        if own.exists():  # of a Python that was removed
            shutil.rmtree(own)
        building.rename(own)
    except subprocess.CalledProcessError as error:  # venv could not install pip
        raise NotPrepared(
            f"environment {environment.name}: no pip here, and Python's venv has none: {error}"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    megabytes, seconds = size_of(own) / 1e6, time.monotonic() - began
    say(f"environment {environment.name}: prepared in {seconds:.0f} s, {megabytes:.0f} MB")


def _install(environment: Environment, building: Path, say: Say, lock: IO[bytes]) -> str | None:
    """Run pip. Returns why it failed, or None."""
    python = str(python_of(building))
    ours = [sys.executable, "-P", "-m", "pip", "--python", python]
    pip = ours if find_spec("pip") else [python, "-P", "-m", "pip"]
    options = ["--no-input", "--disable-pip-version-check", "--no-warn-script-location", "--progress-bar=off"]
    if not environment.dependencies:
        options.append("--no-deps")
    variables = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_PIP}
    if environment.dependencies:  # what is there already is not installed again
        variables["PYTHONPATH"] = os.pathsep.join(shared_paths())
    last: deque[str] = deque(maxlen=LAST)
    said = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - requirements were parsed, and no shell reads them
        [*pip, "install", *options, "--", *environment.pip],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=variables,
        pass_fds=(lock.fileno(),),  # if this process is killed, the next one waits until pip has ended too
    ) as process:
        try:
            for line in process.stdout or ():
                last.append(" ".join(line.split()))
                if time.monotonic() - said > EVERY:
                    said = time.monotonic()
                    say(f"environment {environment.name}: pip: {last[-1][:150]}")
        except BaseException:
            with suppress(ProcessLookupError):
                process.kill()
            raise
    if process.returncode:
        return _reason(list(last))
    if version_in(building, environment.package) is None:
        return f"pip installed no {environment.package}"
    return None


_NOT_FOR_PIP = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_PYTHON",
    "PIP_REQUIRE_VIRTUALENV",
)
"""Variables that would make pip install elsewhere, or see other packages."""


def _reason(lines: list[str]) -> str:
    """What pip says is wrong, in one line: its first error names the requirement, later ones sum up."""
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = errors[:1] or [line for line in lines if line][-1:] or ["pip failed and said nothing"]
    return said[0][:300].rstrip(".")
