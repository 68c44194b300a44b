"""The contract of every table of the lake: its files are sorted, stay readable as it grows, hold what it declares."""

import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skewbench import sql
from skewbench.eval.scoring.images import encode
from skewbench.sql.connection import VIEWS
from skewbench.storage import tables
from skewbench.storage.compact import compact_run
from skewbench.storage.keys import GENERATION, RATINGS, SCORES, JobKey, Kind
from skewbench.storage.manifest import now, write_manifest
from skewbench.storage.parts import list_parts, read_part, write_part
from skewbench.storage.receipts import Receipt, parse_receipt, receipt_content, receipt_path
from skewbench.storage.records import Manifest, Part
from skewbench.storage.store import LocalStore
from skewbench.storage.table import Table
from skewbench.storage.tables import TABLES, VERSION

RUN = "toy-0123abcd"
every_table = pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)


def rows_of(table: Table, count: int, seed: int = 0) -> pa.Table:
    """Rows in no order, with a value in each column and NULL in some where it is allowed."""
    rng = np.random.default_rng(seed)
    columns = [list(_values(table, field, count, rng)) for field in table.schema]
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, table.schema, strict=True)], table.schema
    )


def _values(table: Table, field: pa.Field, count: int, rng: np.random.Generator) -> Iterator[Any]:
    for _ in range(count):
        if field.nullable and rng.random() < 0.1:
            yield None
        elif field.name in table.words:
            yield str(rng.choice(table.words[field.name]))
        else:
            yield _value(field.type, rng)


def _value(kind: pa.DataType, rng: np.random.Generator) -> Any:
    if pa.types.is_list(kind):
        return [_value(kind.value_type, rng)] * 2
    if pa.types.is_struct(kind):
        return {field.name: _value(field.type, rng) for field in kind}
    number = int(rng.integers(0, 50))
    if pa.types.is_string(kind):
        return f"word {number}"
    if pa.types.is_binary(kind):
        return encode(np.full((1, 1, 3), number, np.uint8))
    return bool(number % 2) if pa.types.is_boolean(kind) else float(number) if pa.types.is_floating(kind) else number


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@every_table
def test_a_part_is_sorted_and_keeps_its_rows(table: Table, store: LocalStore) -> None:
    rows = rows_of(table, 300)
    part = write_part(store, table.name, RUN, "job", "0", rows)
    read = read_part(store, part)
    assert read.schema.equals(table.schema)
    if table.order:
        keys = read.select(table.order)
        assert keys.equals(keys.sort_by([(name, "ascending") for name in table.order]))
        assert not rows.select(table.order).equals(keys)
        both = [each.sort_by([(name, "ascending") for name in _plain(table)]) for each in (rows, read)]
        assert both[0].equals(both[1])
    else:
        assert read.equals(rows)


def _plain(table: Table) -> list[str]:
    """Columns that Arrow sorts by, so that rows have one order."""
    return [field.name for field in table.schema if not pa.types.is_nested(field.type)]


@every_table
def test_a_part_has_the_row_groups_and_the_metadata_that_are_declared(table: Table, store: LocalStore) -> None:
    count = table.row_group + 5 if table.row_group < 1000 else 20
    part = write_part(store, table.name, RUN, "job", "0", rows_of(table, count))
    file = pq.ParquetFile(io.BytesIO(store.read(part.path)))
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert groups == ([table.row_group, 5] if count > table.row_group else [count])
    columns = [file.metadata.row_group(0).column(number) for number in range(file.metadata.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    assert all(column.has_offset_index for column in columns)
    given = {**table.metadata, b"skewbench.run_id": RUN.encode(), b"skewbench.schema_version": b"%d" % VERSION}
    assert given.items() <= file.schema_arrow.metadata.items()
    assert list_parts(store, RUN) == [part.path]


@every_table
def test_parts_of_older_versions_are_read_and_compacted(table: Table, store: LocalStore) -> None:
    """The columns that were added since are NULL in SQL, and in the file that compaction makes."""
    rows = rows_of(table, 20)
    new = write_part(store, table.name, RUN, "new", "0", rows)
    old = _write_old(store, table, rows)
    base = [name for name in table.schema.names if name not in table.added]
    manifest = write_manifest(store, Manifest(RUN, "toy", "committed", now(), parts=(old, new)))
    view = f"all_{table.name}" if table.name in VIEWS else table.name
    for _ in ("as it was", "compacted"):
        with sql.connect(store.lake) as lake:
            found = lake.execute(f"FROM {view}").to_arrow_table()
        assert found.column_names == ["run_id", *table.schema.names]
        assert found.num_rows == 40
        for name in table.added:
            assert found.column(name).null_count == 20 + rows.column(name).null_count
        for name in base:
            assert found.column(name).null_count == 2 * rows.column(name).null_count
        manifest = compact_run(store, manifest)
    (merged,) = manifest.parts
    assert read_part(store, merged).schema.equals(table.schema)


def _write_old(store: LocalStore, table: Table, rows: pa.Table) -> Part:
    """A part as the table's first version would be."""
    buffer = io.BytesIO()
    pq.write_table(rows.drop_columns(list(table.added)), buffer)
    path = f"{table.folder(RUN)}/old-0.parquet"
    store.put(path, content := buffer.getvalue())
    return Part(table.name, path, rows.num_rows, len(content), sha256(content).hexdigest(), table.since)


@every_table
def test_a_word_that_a_column_does_not_declare_is_refused(table: Table, store: LocalStore) -> None:
    rows = rows_of(table, 5)
    for name in table.words:
        at = table.schema.get_field_index(name)
        wrong = rows.set_column(at, table.schema.field(name), pa.array(["nonsense"] * 5))
        with pytest.raises(
            ValueError, match=rf"^{table.name}\.{name} 'nonsense': one of .*{table.words[name][-1]} is needed"
        ):
            write_part(store, table.name, RUN, "job", "0", wrong)
        merged = write_part(store, table.name, RUN, "job", "0", wrong, merged=["of an older skewbench"])
        assert read_part(store, merged).column(name).to_pylist() == ["nonsense"] * 5


@every_table
def test_only_a_receipt_of_the_kind_that_writes_it_names_its_parts(table: Table) -> None:
    kinds: tuple[Kind, ...] = (GENERATION, SCORES, RATINGS)
    for kind in kinds:
        key = JobKey(kind, vote="v") if kind == RATINGS else JobKey(kind, shard="s")
        part = Part(table.name, f"{table.folder(RUN)}/job-0.parquet", 1, 1, "", VERSION)
        receipt = Receipt(key, RUN, (part,), 1.0, {})
        path = receipt_path(RUN, key)
        if kind == table.written_by:
            assert parse_receipt(path, receipt_content(receipt)) == receipt
        else:
            with pytest.raises(ValueError, match=f"belongs to a table that no job of kind {kind} writes"):
                parse_receipt(path, receipt_content(receipt))


@every_table
def test_versions_and_sources_make_sense(table: Table) -> None:
    assert all(table.since < version <= VERSION for version in table.added.values())
    assert all(TABLES[source].since <= VERSION for source in table.derived_from)
    names = list(TABLES)
    assert all(names.index(source) < names.index(table.name) for source in table.derived_from)
    assert all(pa.types.is_string(table.schema.field(name).type) for name in table.words)
    assert "run_id" not in table.schema.names  # it is a folder
    assert table.row
    assert "\n" not in table.row


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": ("nowhere",)}, "table 'scores' has no column 'nowhere'"),
        ({"added": {"metric": 7}}, "added columns must be nullable: metric"),
        ({"words": {"colour": ("red",)}}, "no column 'colour'"),
    ],
)
def test_a_declaration_that_contradicts_its_schema_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TABLES["scores"], **change)


def test_a_module_declares_one_table_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("skewbench.storage.tables.toys")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(
        TypeError, match=r"skewbench\.storage\.tables\.toys must declare one Table\(name='toys', \.\.\.\)"
    ):
        tables._declared("toys")
    module.TOYS = TABLES["scores"]  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="toys must declare one Table"):
        tables._declared("toys")
    module.TOYS = replace(TABLES["scores"], name="toys")  # type: ignore[attr-defined]
    assert tables._declared("toys") is module.TOYS  # type: ignore[attr-defined]


def test_a_new_column_raises_the_schemas_version() -> None:
    assert replace(TABLES["scores"], added={"value": 9}).version == 9
    assert replace(TABLES["scores"], since=8, added={}).version == 8
    assert max(table.version for table in TABLES.values()) <= VERSION
