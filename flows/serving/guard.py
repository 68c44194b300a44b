"""Decides which requests the servers of `up` and `rate` answer: to their own names, from own pages, with the password.

Prefect's own checks stay in place behind this one. They compare neither the Host header, nor the Origin of a websocket.
"""

import os
import re
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

import psutil

from skewbench.flows.serving import password
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TRUSTED = "SKEWBENCH_TRUSTED_HOSTS"
"""Variable with further names of the server, separated by commas: `bench.example.org,*.example.org`."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OPEN = ("/api/health", "/api/ready")
"""Paths without a password: they only report whether server and database are up. Probes and `up` itself use them."""
_PATTERN = re.compile(r"\*|(\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)
_HEADERS = {"x-frame-options": "SAMEORIGIN", "cross-origin-resource-policy": "same-origin"}
"""No page of another site shows this server in a frame or as an image or script."""


def protect(app: "ASGIApp", host: str, origins: str = "", secret: str | None = None) -> "ASGIApp":
    """Wrap an application in the checks of this module.

    Args:
        app: Prefect's server, or another whose API is under `/api`.
        host: The address on which the server listens.
        origins: Other origins whose pages may call the API, separated by commas, in the format of Prefect's setting
            `server.api.cors_allowed_origins`.
        secret: `NAME:PASSWORD` of the server; None: the one that the user has set for servers on this machine.

    Raises:
        InputError: A name in `SKEWBENCH_TRUSTED_HOSTS` is not allowed.
    """
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    allowed = frozenset(filter(None, map(str.strip, origins.split(","))))
    guarded = _Guard(app, allowed, secret or password.of_server())
    return TrustedHostMiddleware(guarded, allowed_hosts=trusted_hosts(host), www_redirect=False)


def trusted_hosts(host: str) -> list[str]:
    """Return the names by which a server may be called. Any other name may be DNS rebinding.

    Args:
        host: Address on which the server listens.

    Returns:
        Names and addresses without a port; `*.DOMAIN` stands for all names of a domain.

    Raises:
        InputError: `SKEWBENCH_TRUSTED_HOSTS` has an entry that is neither a name, nor an address, nor `*.DOMAIN`.
    """
    names = [*LOOPBACK, host]
    if is_unspecified(host):
        found = [address for of_one in psutil.net_if_addrs().values() for address in of_one]
        names += [address.address for address in found if address.family in (socket.AF_INET, socket.AF_INET6)]
        names.append(socket.gethostname())
    more = [name.strip() for name in os.environ.get(TRUSTED, "").split(",") if name.strip()]
    for name in more:
        if not _PATTERN.fullmatch(name):
            raise InputError(f"{TRUSTED} has {name!r}; use names or addresses without a port, such as "
                             "bench.example.org, *.example.org or [fd00::1], separated by commas")  # fmt: skip
    return [*map(_as_in_url, names), *more]


def is_unspecified(host: str) -> bool:
    """Return whether an address stands for all interfaces, such as `::`.

    Args:
        host: Address or name.
    """
    try:
        return ip_address(host).is_unspecified
    except ValueError:  # a name
        return False


def _as_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Guard:
    """Refuses requests from pages of other origins, and requests to the API without the password."""

    def __init__(self, app: "ASGIApp", origins: frozenset[str], secret: str | None) -> None:
        self._app, self._origins, self._secret = app, origins, secret

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.datastructures import Headers

        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: "Scope", headers: "Headers") -> "Response | None":
        from starlette.responses import JSONResponse

        origin, host, path = headers.get("origin"), headers.get("host", ""), scope["path"]
        if origin is not None and not self._is_own(origin, host):
            message = f"refused: this page is not of {host}; PREFECT_SERVER_CORS_ALLOWED_ORIGINS can allow its origin"
            return JSONResponse({"exception_message": message}, 403)
        # A websocket is authenticated by its first message, and the preflight of an allowed origin has no credentials.
        is_call = scope["type"] == "http" and scope["method"] != "OPTIONS" and f"{path}/".startswith("/api/")
        if is_call and path not in _OPEN and not password.admits(self._secret, headers.get("authorization")):
            return JSONResponse({"exception_message": "Unauthorized"}, 401)
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        own = {f"{scheme}://{host}".lower() for scheme in ("http", "https")}  # https: behind a proxy with TLS
        return "*" in self._origins or origin in self._origins or origin.lower() in own


def _with_headers(send: "Send") -> "Send":
    from starlette.datastructures import MutableHeaders

    async def sending(message: "Message") -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending
