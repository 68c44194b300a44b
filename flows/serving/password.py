"""The password of a server that starts here: PREFECT_SERVER_API_AUTH_STRING, or one that is made at each start.

Prefect's server reads PREFECT_SERVER_API_AUTH_STRING, its clients read PREFECT_API_AUTH_STRING. The password is passed
on in environments of own processes. The one that `up` made is also in a file that only its user can read, until `down`.
It is on no command line and in no log.
"""

import secrets
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from skewbench.flows.serving import state
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

SERVER, CLIENT = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
_NAME = "skewbench"
_REFUSED = 401


def make() -> str:
    """Make a new `NAME:PASSWORD`, of 192 random bits."""
    return f"{_NAME}:{secrets.token_urlsafe(24)}"


def path() -> Path:
    """Return the file of the password that `up` made."""
    return state.prefect_home() / "skewbench-password"


def keep(secret: str) -> None:
    """Write the password that `up` made to its file.

    Args:
        secret: `NAME:PASSWORD`.
    """
    state.write_private(path(), f"{secret}\n")


def forget() -> None:
    """Remove the file."""
    path().unlink(missing_ok=True)


def of_server() -> str | None:
    """Return the `NAME:PASSWORD` that the user has set for servers on this machine; None without one."""
    from prefect.settings import get_current_settings

    secret = get_current_settings().server.api.auth_string
    return (secret.get_secret_value() or None) if secret else None


def of_up() -> str | None:
    """Return the password of the server of `up`: the one that is set here, else the one that `up` made, else None."""
    if secret := of_server():
        return secret
    try:
        return path().read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def for_clients(secret: str | None) -> dict[str, str]:
    """Return environment variables for clients of a server.

    Args:
        secret: `NAME:PASSWORD` of the server; None: no variables.
    """
    return {} if secret is None else {CLIENT: secret}


def admits(password: str | None, authorization: str | None) -> bool:
    """Return whether a request may pass: HTTP's basic credentials, as Prefect's own API asks for them.

    Args:
        password: `NAME:PASSWORD` of the server; None admits every request.
        authorization: The header `Authorization` of the request, or None.
    """
    if password is None:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    expected = b64encode(password.encode("utf-8"))
    return secrets.compare_digest(given.strip().encode("utf-8"), expected) and scheme.lower() == "basic"


def check(client: "SyncPrefectClient") -> None:
    """Check that the client has the password of its server. Other errors are left to the next request.

    Args:
        client: A client of the server.

    Raises:
        InputError: The server refuses the password, or asks for one.
    """
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        client.hello()
    except PrefectHTTPStatusError as error:
        if error.response.status_code != _REFUSED:
            return  # the next request reports it
        raise InputError(
            f"the Prefect server at {str(client.api_url).rstrip('/')} asks for a password: set {SERVER} as it was for "
            f"`skewbench up`, or {CLIENT} for another server"
        ) from None
