"""The tests' S3 server is one: it checks keys, keeps what it stored through an outage, refuses a second put."""

from pathlib import Path

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError
from obstore.store import S3Store

from tests.object_store import BUCKET, S3Server


def _store(environment: dict[str, str]) -> S3Store:
    keys = {name.removeprefix("AWS_").lower(): value for name, value in environment.items()}
    endpoint = keys.pop("endpoint_url")
    return S3Store(BUCKET, endpoint=endpoint, client_options={"allow_http": True}, **keys)


@pytest.mark.slow
def test_an_outage_loses_nothing_and_keys_are_checked(tmp_path: Path) -> None:
    with S3Server(tmp_path / "s3") as server:
        obstore.put(_store(server.environment), "a/b", b"kept", mode="create")
        server.stop()
        server.start()
        assert bytes(obstore.get(_store(server.readers), "a/b").bytes()) == b"kept"
        with pytest.raises(AlreadyExistsError):
            obstore.put(_store(server.environment), "a/b", b"late", mode="create")
        with pytest.raises(PermissionDeniedError):
            obstore.put(_store(server.readers), "a/c", b"")
        with pytest.raises(PermissionDeniedError):
            obstore.put(_store({**server.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}), "a/c", b"")
