"""The password of a server: PREFECT_SERVER_API_AUTH_STRING, which is the server's, is handed to those who ask it too.

Prefect's clients know PREFECT_API_AUTH_STRING alone. The password is in environments only: in no file, in no log.
"""

from base64 import b64encode
from secrets import compare_digest
from typing import TYPE_CHECKING

from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

_REFUSED = 401


def of_server() -> str | None:
    """What is set for servers that start here, `NAME:PASSWORD`; None where they ask for nothing."""
    from prefect.settings import get_current_settings

    secret = get_current_settings().server.api.auth_string
    return None if secret is None else secret.get_secret_value()


def for_clients() -> dict[str, str]:
    """Variables for those who ask a server of `up`, or one of this process; none where no password is set here."""
    password = of_server()
    return {} if password is None else {"PREFECT_API_AUTH_STRING": password}


def admits(password: str | None, authorization: str | None) -> bool:
    """Whether a request with this header may pass: HTTP's basic credentials, as Prefect's own API asks for them."""
    if password is None:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    expected = b64encode(password.encode("utf-8"))
    return compare_digest(given.strip().encode("utf-8"), expected) and scheme.lower() == "basic"


def check(client: "SyncPrefectClient") -> None:
    """Raises `InputError` where the client's server asks for a password that is not the one set here."""
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        client.hello()
    except PrefectHTTPStatusError as error:
        if error.response.status_code != _REFUSED:
            return  # whatever it is, who asks next is told
        raise InputError(
            f"the Prefect server at {str(client.api_url).rstrip('/')} asks for a password: set "
            "PREFECT_SERVER_API_AUTH_STRING as it was for `skewbench up`, or PREFECT_API_AUTH_STRING for another server"
        ) from None
