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
    """A new `NAME:PASSWORD`, of 192 random bits."""
    return f"{_NAME}:{secrets.token_urlsafe(24)}"


def path() -> Path:
    """File of the password that `up` made."""
    return state.prefect_home() / "skewbench-password"


def keep(secret: str) -> None:
    """Write the password that `up` made to its file."""
    state.write_private(path(), f"{secret}\n")


def forget() -> None:
    """Remove the file."""
    path().unlink(missing_ok=True)


def of_server() -> str | None:
    """The `NAME:PASSWORD` that the user has set for servers that start here; None if there is none."""
    from prefect.settings import get_current_settings

    secret = get_current_settings().server.api.auth_string
    return (secret.get_secret_value() or None) if secret else None


def of_up() -> str | None:
    """The password of the server of `up`: the one that is set here, or the one that `up` made."""
    if secret := of_server():
        return secret
    try:
        return path().read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def for_clients(secret: str | None) -> dict[str, str]:
    """Variables for clients of a server with this password; without a password, none."""
    return {} if secret is None else {CLIENT: secret}


def admits(password: str | None, authorization: str | None) -> bool:
    """Whether a request with this header may pass: HTTP's basic credentials, as Prefect's own API asks for them."""
    if password is None:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    expected = b64encode(password.encode("utf-8"))
    return secrets.compare_digest(given.strip().encode("utf-8"), expected) and scheme.lower() == "basic"


def check(client: "SyncPrefectClient") -> None:
    """Raises `InputError` where the client's server asks for a password that is not the one set here."""
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
