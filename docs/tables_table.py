"""Fill the list of tables of docs/lake.md from their declarations: `python docs/tables_table.py`."""

import re
from pathlib import Path

from skewbench.storage.keys import GENERATION, RATINGS, SCORES
from skewbench.storage.table import Table
from skewbench.storage.tables import TABLES, VERSION

PAGE = Path(__file__).with_name("lake.md")
BLOCK = re.compile(r"(<!-- tables: [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = ("table", "a row is", "written by", "derived from", "sorted by")
WRITERS = {
    GENERATION: "a worker that generates",
    SCORES: "a worker that scores",
    RATINGS: "`skewbench rate`",
    None: "the run's driver",
}


def table() -> str:
    """The tables of the lake, one per row, and the version of the schema, as Markdown."""
    rows = [_row(one) for one in TABLES.values()]
    lines = [f"| {' | '.join(row)} |" for row in (HEAD, ("---",) * len(HEAD), *rows)]
    return "\n".join([*lines, "", f"Together they are schema {VERSION} of the lake."])


def _row(one: Table) -> tuple[str, ...]:
    name = f"[`{one.name}`](../storage/tables/{one.name}.py)"
    return name, one.row, WRITERS[one.written_by], ", ".join(one.derived_from) or "–", ", ".join(one.order) or "–"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda block: f"{block[1]}{table()}\n{block[2]}", text), encoding="utf-8")
