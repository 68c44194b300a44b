"""Lets DuckDB read the parts of a lake in a bucket: with its extension httpfs if installed, else through obstore.

The extension is never downloaded: httpfs is loaded if the user installed it (`INSTALL httpfs` in DuckDB, or this
package's extra `httpfs`). Otherwise, and for credentials that httpfs does not support, DuckDB's Parquet reader reads
through a Python file system over `skewbench.storage.bucket`, so that answers are the same.
"""

import os
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from skewbench.storage.bucket import Bucket
from skewbench.storage.location import Location

_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def reader(place: Location) -> str:
    """Return how DuckDB reads the parts of a lake.

    Args:
        place: The lake.

    Returns:
        `files`, `httpfs` or `obstore`.
    """
    if not isinstance(place, Bucket):
        return "files"
    keys = place.scheme == "s3" and os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY")
    return "httpfs" if keys and httpfs() else "obstore"


def attach(connection: duckdb.DuckDBPyConnection, place: Location, sizes: Mapping[str, int]) -> None:
    """Let a connection read the parts of a lake.

    Args:
        connection: The connection.
        place: The lake. Nothing is done for a folder, which DuckDB reads itself.
        sizes: Size of each part in bytes, by path within the lake.
    """
    if not isinstance(place, Bucket):
        return
    for name, value in _OFFLINE.items():
        connection.execute(f"SET {name} = {str(value).lower()}")
    connection.execute("SET validate_external_file_cache = 'NO_VALIDATION'")  # a part never changes
    if reader(place) == "httpfs":
        connection.execute(
            "SET allow_persistent_secrets = false"
        )  # this environment's keys, and no others of the machine
        connection.execute(f"LOAD {_literal(httpfs() or '')}")
        connection.execute(_secret(place))
    else:
        from skewbench.sql.bucket_files import BucketFiles

        connection.register_filesystem(BucketFiles(place, sizes))


def shell_opening(place: Location) -> str:
    """Write the first lines of a script for DuckDB's own shell, which takes its keys from the environment of the shell.

    Args:
        place: The lake.

    Returns:
        SQL and comments; empty for a lake in a folder.
    """
    if not isinstance(place, Bucket):
        return ""
    if place.scheme == "gs":
        return (
            "-- DuckDB's shell reads gs:// with its extension httpfs and an HMAC key of the bucket's owner:\n"
            "-- INSTALL httpfs; LOAD httpfs; CREATE SECRET (TYPE gcs, KEY_ID ..., SECRET ...);\n"
        )
    secret = {"KEY_ID": "AWS_ACCESS_KEY_ID", "SECRET": "AWS_SECRET_ACCESS_KEY", "SESSION_TOKEN": "AWS_SESSION_TOKEN"}
    keys = [f"{name} getenv('{variable}')" for name, variable in secret.items()]
    where = [f"{name} {_literal(value)}" for name, value in _settings(place).items()]
    return (
        "-- The shell needs DuckDB's extension httpfs (once: INSTALL httpfs) and the keys in its environment.\n"
        f"LOAD httpfs;\nCREATE OR REPLACE SECRET lake (TYPE s3, {', '.join([*keys, *where])});\n"
    )


@cache
def httpfs() -> str | None:
    """Return the file of DuckDB's extension httpfs, or None if this machine has none that loads."""
    with duckdb.connect(":memory:", config=_OFFLINE) as connection:
        for file in (*_installed(connection), *_packaged()):
            try:
                connection.execute(f"LOAD {_literal(file)}")
            except duckdb.Error:  # of another version of DuckDB, or for another machine
                continue
            return file
    return None


def _installed(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "SELECT install_path FROM duckdb_extensions() WHERE extension_name = 'httpfs' AND installed"
    ).fetchall()
    return [path for (path,) in found if path]


def _packaged() -> list[str]:
    package = find_spec("duckdb_extension_httpfs")
    folders = package.submodule_search_locations if package else None
    return [str(file) for folder in folders or () for file in Path(folder).rglob("*.duckdb_extension")]


def _secret(place: Bucket) -> str:
    """Return SQL that gives this connection the environment's keys. DuckDB neither shows nor stores them."""
    keys: dict[str, str | bool] = {
        "KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
        "SECRET": os.environ["AWS_SECRET_ACCESS_KEY"],
        "SESSION_TOKEN": os.environ.get("AWS_SESSION_TOKEN", ""),
    }
    given = ", ".join(f"{name} {_literal(value)}" for name, value in (keys | _settings(place)).items())
    return f"CREATE SECRET lake (TYPE s3, {given})"


def _settings(place: Bucket) -> dict[str, str | bool]:
    """Return the fields of a secret without the keys."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    found: dict[str, str | bool] = {"REGION": region, "SCOPE": place.lake}
    endpoint = urlsplit(place.endpoint())
    if endpoint.netloc:
        found |= {"ENDPOINT": endpoint.netloc, "URL_STYLE": "path", "USE_SSL": endpoint.scheme == "https"}
    return found


def _literal(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else "'" + value.replace("'", "''") + "'"
