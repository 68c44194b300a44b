"""Prefect's server with its UI and the reports of a lake: `python -m skewbench.flows.serving.app --socket 3`.

`prefect server start --background` has no place for the checks of `guard` and for the reports, takes a port that
another program may take first, and leaves running what the server started; so `up` starts this module instead.
"""

import argparse
import os
import socket
import sys
from typing import TYPE_CHECKING

from skewbench.flows.serving import guard, password
from skewbench.flows.serving.parent import end_with

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def create_app(host: str) -> "ASGIApp":
    """Build the application behind the checks of `guard`.

    Args:
        host: Address on which the server listens.

    Raises:
        InputError: A name in `SKEWBENCH_TRUSTED_HOSTS` is not allowed.
    """
    from prefect.server.api.server import create_app as prefect_app
    from prefect.settings import get_current_settings

    from skewbench.flows.serving import reports, sign_in

    app = prefect_app()
    app.router.routes.insert(0, sign_in.route())  # Prefect's UI answers to all that comes after it
    if lake := os.environ.get(reports.LAKE):
        app.router.routes.insert(0, reports.route(lake))
    return guard.protect(app, host, get_current_settings().server.api.cors_allowed_origins)


def main() -> None:
    """Serve until SIGTERM or, with `--with-parent`, until the parent ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="descriptor of a socket that listens")
    parser.add_argument("--host", default="127.0.0.1", help="address on which it listens")
    parser.add_argument("--with-parent", action="store_true")
    given = parser.parse_args()
    if password.of_server() is None:
        parser.error(f"{password.SERVER} is not set: this server does not start without a password")
    if given.with_parent:
        end_with(sys.stdin.fileno())
    import uvicorn

    config = uvicorn.Config(create_app(given.host), log_level="warning", timeout_graceful_shutdown=3)
    server = uvicorn.Server(config)
    server.run(sockets=[socket.socket(fileno=given.socket)])
    sys.exit(0 if server.started else 1)


if __name__ == "__main__":
    main()
