"""Starts Ray on this machine: quietly, several times if the machine is busy, and with advice if it fails."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import ray

from skewbench.tasks.ray_address import check_temporary_folder, temporary_folder
from skewbench.vocabulary.errors import RunError

STARTS = 3
"""Attempts to start a local Ray: on a busy machine it may exceed Ray's own time limit."""
LATEST = 120.0
"""Seconds after which no further attempt is made."""
PATIENCE = {
    "RAY_health_check_failure_threshold": "20",
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_memory_monitor_refresh_ms": "0",
}
"""Time limits of a local Ray. With Ray's defaults, a busy machine misses 5 heartbeats, 3 s apart, and is declared dead.
Workers that need a minute to start are killed and started again without end. When other programs (or the page cache, in
a container) fill the memory to 95 %, Ray kills our workers one by one. The kernel knows better what is free, and also
ends workers first."""


def start_ray() -> None:
    """Start Ray on this machine, for this process.

    Raises:
        InputError: The folder for temporary files has a path that is too long for Ray.
        RunError: Ray does not start; the message says why and what to do.
    """
    check_temporary_folder()
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    descriptor, log = tempfile.mkstemp(prefix="skewbench-ray-", suffix=".log")
    began, passed = time.monotonic(), 0.0
    for number in range(1, STARTS + 1):
        if number > 1:
            print(f"note: Ray did not start in time on this busy machine; start {number} of {STARTS}", file=sys.stderr)
        try:
            with _errors_into(descriptor):
                ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="error")
        except Exception as error:  # Ray raises a bare Exception if its processes are late
            last, passed = error, time.monotonic() - began
            with _errors_into(descriptor):
                ray.shutdown()
            if passed > LATEST:
                break
        else:
            os.close(descriptor)
            os.unlink(log)
            return
    os.close(descriptor)
    reason = " ".join(str(last).split())[:200] or type(last).__name__
    raise RunError(
        f"cannot start Ray on this machine ({number} times, {passed:.0f} s): {reason}. It may lack processors or "
        "memory: stop other programs, use --local for a small run, or --ray-address for a cluster. Then run the same "
        f"command again. Ray's output is in {log}, its logs in {temporary_folder()}/ray/session_latest/logs"
    )


@contextmanager
def _errors_into(descriptor: int) -> Iterator[None]:
    """Within the block, redirect the error output of Ray and its processes to a file, including output of native code.

    Other threads may print meanwhile: `sys.stderr` still leads to where errors are shown.
    """
    sys.stderr.flush()
    real, python = os.dup(2), sys.stderr
    with os.fdopen(os.dup(2), "w", buffering=1) as shown:
        if _leads_to_descriptor_2(python):
            sys.stderr = shown
        os.dup2(descriptor, 2)
        try:
            yield
        finally:
            python.flush()
            os.dup2(real, 2)
            os.close(real)
            if sys.stderr is shown:
                sys.stderr = python


def _leads_to_descriptor_2(stream: TextIO) -> bool:
    """Return whether a stream writes to descriptor 2. Test runners may have replaced it."""
    try:
        return stream.fileno() == 2
    except (OSError, ValueError, AttributeError):
        return False
