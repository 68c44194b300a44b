"""Writes a Delta log beside the parts of a lake, so engines can read its tables by folder. Rewrites no part."""

import json
import time
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from skewbench.storage.records import Manifest, Part
from skewbench.storage.store import Store
from skewbench.storage.table import Table
from skewbench.storage.tables import TABLES
from skewbench.vocabulary.errors import InputError

LOG = "_delta_log"
"""The folder of the log, in the folder of a table."""


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
    for table in TABLES:
        if not store.is_inside(f"{table}/{LOG}"):
            raise InputError(f"lake {store.lake!r}: {table}/{LOG} is a link that points outside the lake")


def export_delta(store: Store, manifests: list[Manifest]) -> dict[str, tuple[int, int]]:
    """Bring the Delta log of each table up to date with the manifests. A log that is up to date gets no new version.

    Args:
        store: The lake, which `check_delta` accepted.
        manifests: The runs that the log names: all others leave it.

    Returns:
        For each table with parts or a log: the number of parts in it now, and of additions and removals written.
    """
    updated = {part: run.updated for run in manifests for part in run.parts}
    found = {}
    for table in TABLES.values():
        parts = {part.path.partition("/")[2]: part for part in updated if part.table == table.name}
        if parts or (Path(store.lake) / table.name / LOG).is_dir():
            found[table.name] = len(parts), _update(store, table, parts, updated)
    return found


def _update(store: Store, table: Table, parts: dict[str, Part], updated: dict[Part, str]) -> int:
    from deltalake import DeltaTable, PostCommitHookProperties, Schema
    from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

    folder = str(Path(store.lake) / table.name)
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
    named = {row["path"]: row["size_bytes"] for row in pa.table(log.get_add_actions(flatten=True)).to_pylist()}
    actions = [add(path, part) for path, part in parts.items() if path not in named]
    gone, now = [path for path in named if path not in parts], int(time.time() * 1000)
    actions += [RemoveAction(path, True, now, named[path], _partition(path)) for path in gone]
    if actions:
        log.create_write_transaction(actions, "append", log.schema(), ["run_id"], **hooks)
    return len(actions)


def _partition(path: str) -> dict[str, str | None]:
    return {"run_id": path.partition("/")[0].removeprefix("run_id=")}


def _schema(table: Table) -> pa.Schema:
    """The table's columns and the run. All may be NULL: parts of an older schema lack some."""
    fields = [pa.field(one.name, one.type) for one in table.schema]
    return pa.schema([*fields, pa.field("run_id", pa.string())])
