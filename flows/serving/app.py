"""Prefect's server with its UI, and beside it the reports of a lake: `python -m flows.serving.app --port 4200`."""

import argparse
import os
import signal
import sys
import threading
import time
from typing import Any

REPORTS = "SKEWBENCH_REPORTS"
"""Variable that names the folder of reports."""
GRACE = 5.0
"""Seconds to end in, once the parent has gone."""


def create_app() -> Any:
    """The application. A report is a page of its own origin: its scripts cannot speak to the API."""
    from prefect.server.api.server import create_app as prefect_app
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    app = prefect_app()
    if folder := os.environ.get(REPORTS):
        files = _Sandboxed(StaticFiles(directory=folder, check_dir=False))
        app.router.routes.insert(0, Mount("/reports", files))  # Prefect's UI answers to all that comes after it
    return app


class _Sandboxed:
    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = b"sandbox allow-scripts allow-popups allow-downloads"
                message["headers"] = [*message["headers"], (b"content-security-policy", policy)]
            await send(message)

        await self._app(scope, receive, with_policy)


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
