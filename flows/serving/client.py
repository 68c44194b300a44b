"""Provides a Prefect API to commands: the configured one, that of `up`, or a temporary server of the command."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO
from urllib.parse import urlsplit

from skewbench.flows.server_loss import is_lost
from skewbench.flows.serving import guard, password, state
from skewbench.flows.serving.spawn import END, app_command, closed, listening_at, wait_for_api
from skewbench.vocabulary.errors import InputError

_RETRIES = "PREFECT_CLIENT_MAX_RETRIES"
TRIES = 3
"""Times a server that is set is asked whether it is there; a busy one may miss the first."""


@contextmanager
def server_for_a_command() -> Iterator[None]:
    """Within the block, provide a Prefect API: the configured one, that of `up`, or a temporary server.

    The temporary server ends when this process does.

    Raises:
        InputError: The server asks for another password, or one is configured and does not answer. Prefect itself
            would try for minutes.
        RunError: The temporary server did not start.
    """
    from prefect import get_client
    from prefect.settings import get_current_settings

    if given := get_current_settings().api.url:
        if not any(state.listens(given) for _ in range(TRIES)):
            raise InputError(
                f"PREFECT_API_URL {given}: no Prefect server answers there; start it (prefect server start), or unset "
                "PREFECT_API_URL (`prefect config unset PREFECT_API_URL` if a profile sets it) to use a temporary one"
            )
        with access_to(given), state.in_use() if _is_of_up(given) else nullcontext():
            yield
        return
    up = state.running()
    with (
        nullcontext((up.api, password.of_up())) if up else _temporary() as (api, secret),
        _client_settings(api, secret),
        state.in_use() if up else _queue_sent(),
    ):
        with get_client(sync_client=True) as client:
            password.check(client)
        yield


@contextmanager
def access_to(api: str) -> Iterator[None]:
    """Within the block, make this process a client of the API. It uses the password of `up` if the API is that of `up`.

    Args:
        api: Address of a Prefect API.
    """
    with _client_settings(api, password.of_up() if _is_of_up(api) else None):
        yield


def _is_of_up(api: str) -> bool:
    up = state.read()
    return up is not None and up.api == api and up.server.find() is not None


@contextmanager
def _client_settings(api: str, secret: str | None) -> Iterator[None]:
    """Within the block, make this process and its children clients of the API."""
    from prefect.context import refresh_global_settings_context

    settings = {"PREFECT_API_URL": api, **password.for_clients(secret)}
    if urlsplit(api).hostname in guard.LOOPBACK:  # there a server that does not answer is gone, as a rule
        settings[_RETRIES] = os.environ.get(_RETRIES, "2")
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    refresh_global_settings_context()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _queue_sent() -> Iterator[None]:
    """Send logs and events while there is a server: at the interpreter's exit Prefect would try for a minute."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    try:
        yield
    finally:
        for service in () if is_lost() else (APILogWorker, EventsWorker):
            service.drain_all(timeout=END)


@contextmanager
def _temporary() -> Iterator[tuple[str, str]]:
    """A server without a UI: its API and its password, which only this process and its children know.

    The pipe to the server closes when this process ends, also by SIGKILL, and then the server ends too.
    """
    secret = password.make()
    with listening_at("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        environment = {**os.environ, "PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", **closed(secret)}
        server = subprocess.Popen(  # noqa: S603 our own program
            [*app_command(listening, "127.0.0.1"), "--with-parent"],
            stdin=subprocess.PIPE,
            stderr=_shown_errors(),
            env=environment,
            start_new_session=True,
            pass_fds=[listening.fileno()],
            umask=0o077,
        )
    api = f"http://127.0.0.1:{port}/api"
    try:
        from skewbench.flows import steps  # noqa: F401  (what flows import takes as long as the start of the server)

        wait_for_api(server, api, None)
        yield api, secret
    finally:
        _end_temporary(server)


def _shown_errors() -> TextIO | None:
    """The descriptor that shows errors. While Ray starts, descriptor 2 points to a file of Ray's errors."""
    try:
        sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return sys.stderr


def _end_temporary(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    if server.stdin:
        server.stdin.close()
    try:
        server.wait(END)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
