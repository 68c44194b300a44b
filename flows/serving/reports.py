"""Serves a lake's reports as pages of the Prefect server, so that links in the UI open them, also from a bucket."""

import re
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from skewbench.flows.serving import password, state
from skewbench.sql import LakeError
from skewbench.storage.manifest import report_path
from skewbench.storage.store import open_store
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

LAKE = "SKEWBENCH_REPORTS"
"""Variable that names the lake whose reports a server shows."""
_RUN_ID = re.compile(r"[\w.=+@~-]{1,200}", re.ASCII)
_ASK = {"www-authenticate": 'Basic realm="skewbench", charset="UTF-8"'}
_POLICY = {"content-security-policy": "sandbox allow-scripts allow-popups allow-downloads"}


def route(lake: str) -> "Route":
    """Return the route `/reports/RUN_ID.html`.

    A report is a page with a separate origin, so its scripts cannot call the API. If the server has a password, a
    report asks for it too: Prefect's own check covers only its API.

    Args:
        lake: Folder or URL of the lake.
    """
    from starlette.routing import Route

    return Route("/reports/{run_id}.html", partial(_report, lake, password.of_server()), name="report")


def report_url(report: str) -> str:
    """Return the address of a report for a link in the UI.

    Args:
        report: Path or URL of the report.

    Returns:
        The address at the server of `up` if that shows the report's lake, since browsers follow no link to a file or
        into a bucket; else the URL of the file or object.
    """
    up, path = state.read(), PurePosixPath(report)
    if up and up.server.find() and report == f"{up.lake.rstrip('/')}/_reports/{path.name}":
        return f"{up.url}/reports/{path.name}"
    return report if "://" in report else path.as_uri()


def _report(lake: str, asked_for: str | None, request: "Request") -> "Response":
    from starlette.responses import HTMLResponse, PlainTextResponse

    if not password.admits(asked_for, request.headers.get("authorization")):
        return PlainTextResponse("Reports ask for the server's password.", status_code=401, headers=_ASK)
    run_id = request.path_params["run_id"]
    try:
        store, path = open_store(lake), report_path(run_id)
        if not (_RUN_ID.fullmatch(run_id) and store.exists(path) and store.is_inside(path)):
            raise FileNotFoundError
        page = store.read(path)
    except FileNotFoundError:
        return PlainTextResponse("There is no such report.", status_code=404)
    except (LakeError, InputError, OSError) as error:
        return PlainTextResponse(str(error), status_code=502)
    return HTMLResponse(page, headers=_POLICY)
