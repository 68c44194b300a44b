"""Prefect's server with its UI and the reports of a lake: `python -m skewbench.flows.serving.app --port 4200`."""

import argparse
import os
import signal
import sys
import threading
import time
from typing import Any

GRACE = 5.0
"""Seconds to end in, once the parent has gone."""


def create_app() -> Any:
    """The application."""
    from prefect.server.api.server import create_app as prefect_app

    from skewbench.flows.serving import reports

    app = prefect_app()
    if lake := os.environ.get(reports.LAKE):
        app.router.routes.insert(0, reports.route(lake))  # Prefect's UI answers to all that comes after it
    return app


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the parent holds open as long as it lives, however it dies."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def main() -> None:
    """Serve until SIGTERM, or, with `--with-parent`, until the parent has gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--with-parent", action="store_true")
    given = parser.parse_args()
    if given.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    import uvicorn

    uvicorn.run(create_app(), host=given.host, port=given.port, log_level="warning", timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
