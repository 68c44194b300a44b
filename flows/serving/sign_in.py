"""The link that `up` prints: it opens the UI with the password, which a person would otherwise type into its form.

The password stands behind the `#` of the link. A browser keeps that part to itself: it is in no request and no log. The
page stores the password where Prefect's UI looks for it, as the UI's own form does, and opens the UI.
"""

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

_PATH = "/sign-in"
_SCRIPT = """
localStorage.setItem("prefect-password", btoa(decodeURIComponent(location.hash.slice(1))));
location.replace("/");
"""
_PAGE = f"<!doctype html><title>skewbench</title><script>{_SCRIPT}</script>"
_POLICY = f"default-src 'none'; script-src 'sha256-{b64encode(sha256(_SCRIPT.encode()).digest()).decode()}'"


def link(url: str, secret: str) -> str:
    """Return the link that opens the UI with the password.

    Args:
        url: Address of the server.
        secret: `NAME:PASSWORD` of the server.
    """
    return f"{url}{_PATH}#{quote(secret)}"


def route() -> "Route":
    """Return the route of the page that the link opens."""
    from starlette.routing import Route

    return Route(_PATH, _page, name="sign-in")


def _page(_request: "Request") -> "Response":
    from starlette.responses import HTMLResponse

    return HTMLResponse(_PAGE, headers={"content-security-policy": _POLICY, "referrer-policy": "no-referrer"})
