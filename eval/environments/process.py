"""A process in an environment that computes scores for this one.

Ray's `runtime_env` is not used. Its environments belong to a session, so that each local Ray would prepare them again;
`--local` has no Ray; and a whole worker in an environment would import Ray and the lake's libraries beside its pins.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import IO, Any

from skewbench.eval.environments import frames
from skewbench.eval.environments.declaration import Environment
from skewbench.eval.environments.find import python_of
from skewbench.eval.environments.prepare import prepare
from skewbench.eval.environments.serve import READY
from skewbench.eval.environments.shared import shared_paths, site_folders


class EnvironmentFailed(RuntimeError):
    """A scorer failed in the process of its environment, or that process ended. The message says why."""


class EnvironmentProcess:
    """Runs the scorers of an environment. It starts at the first call, and ends with this object or this process.

    Args:
        environment: The environment. The first call prepares it, unless it is prepared.
        device: Where scorers of tensors compute.
    """

    def __init__(self, environment: Environment, device: str) -> None:
        self._environment, self._device = environment, device
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._end: weakref.finalize[..., EnvironmentProcess] | None = None

    def call(self, scorer: str, method: str, *arguments: Any) -> Any:
        """Call a method of a scorer.

        Args:
            scorer: Name of the scorer.
            method: Name of the method.
            *arguments: What `frames.write` takes.

        Returns:
            What the method returns.

        Raises:
            EnvironmentFailed: The scorer raised an error, or the process ended. The next call starts a new one.
            NotPrepared: The environment cannot be prepared.
        """
        with self._lock:
            if self._process is None:
                self._start()
            answer = self._ask((scorer, method, arguments))
        if "error" in answer:
            raise EnvironmentFailed(f"{scorer} in environment {self._environment.name}: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        """End the process, if it runs."""
        if self._end:
            self._end()
        self._process = self._errors = self._end = None

    def _start(self) -> None:
        path = prepare(self._environment)
        given = {
            "environment": self._environment.name,
            "device": self._device,
            "shared": shared_paths(),
            "sites": site_folders(),
        }
        flags = ["-I", "-B"] if sys.flags.dont_write_bytecode else ["-I"]
        child = str(Path(__file__).with_name("child.py"))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - the environment's interpreter, and no shell
            [str(python_of(path)), *flags, child, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": str(_threads())},
        )
        self._end = weakref.finalize(self, _end, self._process, self._errors)
        ready = self._ask(None)
        if ready != READY:
            self.close()
            raise EnvironmentFailed(f"environment {self._environment.name} in {path} answers {ready!r}")

    def _ask(self, request: Any) -> Any:
        """Send a message, if there is one, and wait for the answer."""
        process = self._process
        try:
            if process is None or process.stdin is None or process.stdout is None:
                raise EOFError
            if request is not None:
                frames.write(process.stdin, request)
            return frames.read(process.stdout)
        except (EOFError, OSError):
            code = process.wait() if process else None
            why = _last_line(self._errors)
            self.close()
            raise EnvironmentFailed(
                f"the process of environment {self._environment.name} ended with exit code {code}: {why}"
            ) from None
        except BaseException:  # interrupted in the middle of a message: the next one would be misread
            self.close()
            raise


def _threads() -> int:
    """Threads of this process' torch, which the child's takes over."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 1


def _last_line(errors: IO[bytes] | None) -> str:
    """The last line that the process printed as an error."""
    if errors is None:
        return ""
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4000))
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else "it printed nothing"


def _end(process: "subprocess.Popen[bytes]", errors: IO[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream:
            try:
                stream.close()
            except OSError:  # a message that was not sent whole
                continue
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    errors.close()
