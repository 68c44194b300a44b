"""A lake's reports as pages of the Prefect server: the links of the UI open them, also where they lie in a bucket."""

from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from flows.serving import state
from sql import LakeError
from tasks.lake.manifest import report_path
from tasks.lake.store import open_store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

LAKE = "SKEWBENCH_REPORTS"
"""Variable that names the lake whose reports a server shows."""
_POLICY = {"content-security-policy": "sandbox allow-scripts allow-popups allow-downloads"}


def route(lake: str) -> "Route":
    """`/reports/RUN_ID.html`. A report is a page of an origin of its own: its scripts cannot speak to the API."""
    from starlette.routing import Route

    return Route("/reports/{run_id}.html", partial(_report, lake), name="report")


def report_url(report: str) -> str:
    """Address of a report: at the server of `up`, where that shows the report's lake; browsers follow no link to a file
    or into a bucket.
    """
    up, path = state.read(), PurePosixPath(report)
    if up and up.server.find() and report == f"{up.lake.rstrip('/')}/_reports/{path.name}":
        return f"{up.url}/reports/{path.name}"
    return report if "://" in report else path.as_uri()


def _report(lake: str, request: "Request") -> "Response":
    from starlette.responses import HTMLResponse, PlainTextResponse

    try:
        page = open_store(lake).read(report_path(request.path_params["run_id"]))
    except FileNotFoundError:
        return PlainTextResponse("There is no such report.", status_code=404)
    except LakeError as error:
        return PlainTextResponse(str(error), status_code=502)
    return HTMLResponse(page, headers=_POLICY)
