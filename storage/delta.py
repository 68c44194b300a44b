"""Writes a Delta log beside the parts of a lake, so engines can read its tables by folder. Rewrites no part."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from skewbench.storage.file_lock import locked
from skewbench.storage.records import Part
from skewbench.storage.scan import Manifests, read_manifests
from skewbench.storage.store import Store
from skewbench.storage.table import Table
from skewbench.storage.tables import TABLES
from skewbench.vocabulary.errors import InputError, RunError

LOG = "_delta_log"
"""The folder of the log, in the folder of a table."""
FOLDER = "_delta"
"""The folder of the lake for everything else about its logs."""
PATIENCE = 60.0
"""Seconds to wait while another process updates the logs."""
_ATTEMPTS = 5
"""Times that a table's log is updated, if a program that is not skewbench writes to it at the same moment."""
_LONGEST = 200
"""Characters of another library's error message."""
_Change = Callable[[Path, Table, dict[str, Part], dict[Part, str]], int]
"""Gets the folder of a table, the table, its parts by path, and when each part's manifest was written."""


@dataclass(frozen=True)
class LogState:
    """The log of one table.

    Args:
        parts: Parts that the committed runs have.
        changes: Additions and removals of parts.
    """

    parts: int
    changes: int


def check_delta(store: Store) -> None:
    """Check that a log can be written.

    Args:
        store: The lake.

    Raises:
        InputError: The package deltalake is missing, the lake is in a bucket, or a link leads out of it.
    """
    if find_spec("deltalake") is None:
        raise InputError("export delta: needs the package deltalake; `pip install 'skewbench[delta]'` installs it")
    if "://" in store.lake:
        raise InputError(f"lake {store.lake!r}: a Delta log is written only for a lake in a folder")
    for folder in (FOLDER, *(f"{table}/{LOG}" for table in TABLES)):
        if not store.is_inside(folder):
            raise InputError(f"lake {store.lake!r}: {folder} is a link that points outside the lake")


def update_logs(store: Store) -> tuple[Manifests, dict[str, LogState]]:
    """Bring the Delta log of each table up to date with all committed runs.

    The manifests are read while no other process updates the logs. So of several processes the last one has read the
    newest manifests, and the logs agree with them. A log that is up to date gets no new version.

    Args:
        store: The lake, which `check_delta` accepted.

    Returns:
        The manifests, and by table the parts and the written changes. Tables without parts and log are left out.

    Raises:
        LakeUnreachable: Another process has been updating the logs for longer than `PATIENCE`.
        RunError: The log of a table cannot be read or written.
    """
    with _lock(store):
        return _each_table(store, _update)


def pending_changes(store: Store) -> int:
    """Count the changes by which the logs are behind the manifests. Nothing is written.

    Args:
        store: The lake, which `check_delta` accepted.

    Raises:
        RunError: The log of a table cannot be read.
    """
    with _lock(store):
        return sum(state.changes for state in _each_table(store, _pending)[1].values())


def _reason(error: BaseException) -> str:
    """Return the first line of another library's error message. Below it, deltalake has the trace of its own calls.

    Args:
        error: The error.
    """
    return next((line.strip()[:_LONGEST] for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _lock(store: Store) -> AbstractContextManager[None]:
    folder = Path(store.lake) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return locked(folder / "lock", store.lake, PATIENCE)


def _each_table(store: Store, change: _Change) -> tuple[Manifests, dict[str, LogState]]:
    found = read_manifests(store)
    updated = {part: run.updated for run in found.whole if run.status == "committed" for part in run.parts}
    states = {}
    for table in TABLES.values():
        parts = {part.path.partition("/")[2]: part for part in updated if part.table == table.name}
        folder = Path(store.lake) / table.name
        if not parts and not (folder / LOG).is_dir():
            continue
        try:
            states[table.name] = LogState(len(parts), change(folder, table, parts, updated))
        except OSError:
            raise
        except BaseException as error:
            if not (isinstance(error, Exception) or _is_panic(error)):
                raise
            raise RunError(
                f"lake {store.lake!r}: {table.name}/{LOG} cannot be updated: {_reason(error)}; if its files are "
                "broken, delete this folder and run `skewbench export delta` again, which writes a new log"
            ) from None
    return found, states


def _is_panic(error: BaseException) -> bool:
    """Whether an error is a panic of a library in Rust, which Python does not count among the exceptions."""
    return type(error).__name__ == "PanicException"


def _update(folder: Path, table: Table, parts: dict[str, Part], updated: dict[Part, str]) -> int:
    from deltalake.exceptions import CommitFailedError

    for _ in range(_ATTEMPTS - 1):
        try:
            return _update_once(str(folder), table, parts, updated)
        except CommitFailedError:
            continue
    return _update_once(str(folder), table, parts, updated)


def _update_once(folder: str, table: Table, parts: dict[str, Part], updated: dict[Part, str]) -> int:
    from deltalake import DeltaTable, PostCommitHookProperties, Schema
    from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

    # checkpoints are Parquet files, which the glob <table>/*/*.parquet would match
    hooks: dict[str, Any] = {
        "post_commithook_properties": PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    }

    def add(path: str, part: Part) -> Any:
        modified = int(datetime.fromisoformat(updated[part]).timestamp() * 1000)
        return AddAction(path, part.bytes, _partition(path), modified, True, json.dumps({"numRecords": part.rows}))

    schema = Schema.from_arrow(_schema(table))
    if not DeltaTable.is_deltatable(folder):
        added = [add(path, part) for path, part in parts.items()]
        create_table_with_add_actions(folder, schema, added, mode="error", partition_by=["run_id"], **hooks)
        return len(added)
    log = DeltaTable(folder)
    known = {field.name for field in log.schema().fields}
    if new := [field for field in schema.fields if field.name not in known]:  # the lake's schema has grown
        log.alter.add_columns(new, **hooks)
    named = _named(log)
    actions = [add(path, part) for path, part in parts.items() if path not in named]
    gone, now = [path for path in named if path not in parts], int(time.time() * 1000)
    actions += [RemoveAction(path, True, now, named[path], _partition(path)) for path in gone]
    if actions:
        log.create_write_transaction(actions, "append", log.schema(), ["run_id"], **hooks)
    return len(actions)


def _pending(folder: Path, table: Table, parts: dict[str, Part], updated: dict[Part, str]) -> int:
    from deltalake import DeltaTable

    return len(parts.keys() ^ (_named(DeltaTable(str(folder))) if DeltaTable.is_deltatable(str(folder)) else {}))


def _named(log: Any) -> dict[str, int]:
    """Bytes of each part that a log names, by its path in the folder of the table."""
    return {row["path"]: row["size_bytes"] for row in pa.table(log.get_add_actions(flatten=True)).to_pylist()}


def _partition(path: str) -> dict[str, str | None]:
    return {"run_id": path.partition("/")[0].removeprefix("run_id=")}


def _schema(table: Table) -> pa.Schema:
    """The table's columns and the run. All may be NULL: parts of an older schema lack some."""
    fields = [pa.field(one.name, one.type) for one in table.schema]
    return pa.schema([*fields, pa.field("run_id", pa.string())])
