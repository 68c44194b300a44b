"""A store whose process is paused before one of its changes, and small runs to try it on. No model, no worker."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

import pyarrow as pa

from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, create_manifest, now, read_manifest
from skewbench.storage.parts import new_attempt, read_part, write_part
from skewbench.storage.receipts import Receipt, scan_receipts, write_receipt
from skewbench.storage.records import Manifest, Part
from skewbench.storage.state import RunState
from skewbench.storage.store import Store
from skewbench.storage.tables import TABLES
from skewbench.tasks.run import commit_receipts

T = TypeVar("T")
RUN = "small-0123abcd"
SHARDS = ("s0", "s1", "s2", "s3")
WHOLE = {"samples": ["s0-0", "s1-0", "s2-0", "s3-0"], "images": ["s0-0", "s1-0", "s2-0", "s3-0"], "scores": ["s0-0 m"]}
"""Its rows, by table."""


class PausedStore:
    """Calls `meanwhile` before the n-th change that this process makes to the lake, its lease's changes left out."""

    def __init__(self, store: Store, n: int, meanwhile: Callable[[], object]) -> None:
        self._store, self._left, self._meanwhile = store, n, meanwhile
        self.paused = False

    def __getattr__(self, name: str) -> Any:
        change = getattr(self._store, name)
        if name not in ("put", "put_new", "swap", "remove", "delete"):
            return change

        def after_a_pause(*arguments: Any) -> Any:
            if arguments and not arguments[0].startswith("_leases/"):
                if self._left == 0:
                    self.paused = True
                    self._meanwhile()
                self._left -= 1
            return change(*arguments)

        return after_a_pause


def begin_run(store: Store, **changes: Any) -> Manifest:
    """A committed run of four shards, of which the first is scored."""
    experiment = {"name": "small", "metrics": [], "repeat": "2026-01-01T00:00:00Z"}
    created = create_manifest(
        store, replace(Manifest(RUN, "small", "running", now(), experiment, {}, [], None, 4, 4), **changes)
    )
    for shard in SHARDS:
        generate(store, shard)
    score(store, "s0")
    return commit_all(store, created)


def commit_all(store: Store, manifest: Manifest) -> Manifest:
    """What a driver does that was started after all the receipts were written."""
    return commit_receipts(store, RunState(manifest), [], "committed")


def generation(shard: str) -> JobKey:
    """The key of the job that generates a shard."""
    return JobKey(GENERATION, shard=shard)


def scores(shard: str, metric: str = "m") -> JobKey:
    """The key of the job that scores a shard."""
    return JobKey(SCORES, shard=shard, scorer=metric, version=1)


def receipts_of(store: Store) -> dict[JobKey, Receipt]:
    """The receipts in the lake, by key."""
    return {receipt.key: receipt for receipt in scan_receipts(store, RUN)[0]}


def generate(store: Store, shard: str) -> Receipt:
    """What a worker does that generates a shard of one sample."""
    row = {"sample_id": f"{shard}-0", "cell": "a"}
    return _write(store, generation(shard), {"samples": [row | {"shard": shard, "status": "ok"}], "images": [row]})


def score(store: Store, shard: str, metric: str = "m") -> Receipt:
    """What a worker does that scores one."""
    row = {"sample_id": f"{shard}-0", "metric": metric, "cell": "a", "value": 1.0}
    return _write(store, scores(shard, metric), {"scores": [row]})


def _write(store: Store, key: JobKey, rows: dict[str, list[dict[str, Any]]]) -> Receipt:
    attempt = new_attempt()
    parts = tuple(
        write_part(store, table, RUN, key.digest, attempt, _table(table, some)) for table, some in rows.items()
    )
    return write_receipt(store, Receipt(key, RUN, parts, 1.0, {}, "a"))


def _table(table: str, rows: list[dict[str, Any]]) -> pa.Table:
    zeros = {field.name: _zero(field) for field in TABLES[table].schema if not field.nullable}
    return pa.Table.from_pylist([zeros | row for row in rows], schema=TABLES[table].schema)


def _zero(field: pa.Field) -> object:
    return "" if pa.types.is_string(field.type) else 0


def take_over(store: Store, do: Callable[[Store, Manifest], T]) -> T:
    """Another driver, that has seen no heartbeat for long enough, does something to the run."""
    store.delete(f"_leases/{RUN}.json")
    with Lease(store, RUN) as lease:
        return do(store, claim(store, lease))


def rows_of(store: Store) -> dict[str, list[str]]:
    """By table, the rows that the manifest holds; each part must be there as it was written."""
    manifest = read_manifest(store, RUN)
    assert manifest
    found: dict[str, list[str]] = {}
    for part in manifest.parts:
        content = store.read(part.path)
        assert (len(content), sha256(content).hexdigest()) == (part.bytes, part.sha256), part.path
        found.setdefault(part.table, []).extend(_keys(store, part))
    return {table: sorted(keys) for table, keys in found.items()}


def _keys(store: Store, part: Part) -> list[str]:
    rows = read_part(store, part).to_pylist()
    return [f"{row.get('sample_id', '')} {row.get('metric', '')}".strip() for row in rows]
