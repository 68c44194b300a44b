"""The declaration of a table of the lake. The tables are in `skewbench.storage.tables`, one file each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from skewbench.storage.columns import table_of_rows
from skewbench.storage.keys import Kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A table of the lake.

    `run_id` is a folder of the path (`run_id=<run_id>`) and an entry of each file's metadata, but not a column.
    A schema only grows: a new column is nullable and named in `added`, and a new table says `since`. Lakes of older
    versions then stay readable, and `skewbench.storage.tables.VERSION` is computed from the tables.

    Args:
        name: Its folder in the lake, its view in SQL and its file in `storage/tables`.
        row: What one row is, in a line for docs/lake.md.
        schema: The columns of its files.
        order: Columns by which the rows of each file are sorted; empty: in the order in which they were written.
        written_by: Kind of the jobs that write it. A part is named by a receipt of that kind and by no other. None:
            the run's driver writes it without a receipt, and a newer part replaces an older one.
        derived_from: Tables that it is computed from, and can be computed from again.
        since: Version of the lake's schema that added the table.
        added: Columns that were added to the table later, with the version of the schema that added them.
        words: All allowed values of a text column. NULL is allowed if the column is nullable.
        row_group: Rows per row group, the number that a reader fetches at once.
        dictionary: Whether values are dictionary-encoded, which helps if they repeat.
        metadata: Of each file, besides what `skewbench.storage.parts` writes itself.
    """

    name: str
    row: str
    schema: pa.Schema
    order: tuple[str, ...] = ()
    written_by: Kind | None
    derived_from: tuple[str, ...] = ()
    since: int = 1
    added: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    row_group: int = 100_000
    dictionary: bool = True
    metadata: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if unknown := {*self.order, *self.added, *self.words} - {*self.schema.names}:
            raise ValueError(f"table {self.name!r} has no column {', '.join(map(repr, sorted(unknown)))}")
        if required := [name for name in self.added if not self.schema.field(name).nullable]:
            raise ValueError(f"table {self.name!r}: added columns must be nullable: {', '.join(required)}")

    @property
    def version(self) -> int:
        """The version of the lake's schema that changed the table last."""
        return max(self.since, *self.added.values()) if self.added else self.since

    def folder(self, run_id: str) -> str:
        """Return the folder of a run's parts, relative to the lake.

        Args:
            run_id: The run.
        """
        return f"{self.name}/run_id={run_id}"

    def of_rows(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Make rows of plain values rows of this table; columns that a row lacks are NULL.

        Args:
            rows: Values by column.

        Raises:
            ValueError: A row has a key that is no column.
        """
        return table_of_rows(rows, self.schema)

    def completed(self, rows: pa.Table) -> pa.Table:
        """Add missing columns with NULL to rows of an older version.

        Args:
            rows: Rows of this table, of any version.
        """
        for name in self.schema.names:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, self.schema.field(name).type))
        return rows

    def sorted(self, rows: pa.Table) -> pa.Table:
        """Sort rows by `order`. Rows that are sorted already are not copied.

        Args:
            rows: With at least the columns of `order`.
        """
        import pyarrow.compute as pc

        if not self.order:
            return rows
        indices = pc.sort_indices(rows.select(self.order), [(name, "ascending") for name in self.order])
        return rows if indices.equals(pa.array(np.arange(rows.num_rows, dtype=np.uint64))) else rows.take(indices)

    def check_words(self, rows: pa.Table) -> None:
        """Raise `ValueError` for a value that `words` does not list.

        Args:
            rows: With at least the columns of `words`.
        """
        import pyarrow.compute as pc

        for name, known in self.words.items():
            found = {value for value in pc.unique(rows.column(name)).to_pylist() if value is not None}
            if unknown := sorted(found.difference(known)):
                raise ValueError(f"{self.name}.{name} {unknown[0]!r}: one of {', '.join(known)} is needed")
