"""Write docs/queries.md and the table of docs/answers.md from the queries: `python docs/queries_table.py`."""

import re
from collections.abc import Iterable
from pathlib import Path

from skewbench.sql import Query, named_queries
from skewbench.sql.registry import is_ours

FOLDER = Path(__file__).parent
BLOCK = re.compile(r"(<!-- queries: [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)
OPENING = """# Named queries

Run a query with `skewbench query NAME --set PARAMETER=VALUE`. [answers.md](answers.md) explains what all answers have
in common. `python docs/queries_table.py` writes this page from the declarations in [sql/queries](../sql/queries).
"""


def table() -> str:
    """The queries of skewbench and their questions, as Markdown."""
    return _rows(("query", "question"), ((f"[`{one.name}`](queries.md#{one.name})", one.question) for one in _ours()))


def page() -> str:
    """The declarations of skewbench's queries, as Markdown."""
    return "\n".join([OPENING, *map(_section, _ours())])


def _section(query: Query) -> str:
    columns = ((f"`{one.name}`", one.type, one.meaning) for one in query.columns)
    parameters = [(f"`{one.name}`", one.kind, one.meaning) for one in query.parameters]
    parts = [f"## {query.name}", query.question, query.method, f"Source: {query.source}"]
    parts += [_rows(("parameter", "kind", "meaning"), parameters)] if parameters else []
    parts += [_rows(("column", "type", "meaning"), columns)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _ours() -> list[Query]:
    return [query for query in named_queries() if is_ours(query)]


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


if __name__ == "__main__":
    answers = FOLDER / "answers.md"
    text = answers.read_text(encoding="utf-8")
    answers.write_text(BLOCK.sub(lambda block: f"{block[1]}{table()}\n{block[2]}", text), encoding="utf-8")
    (FOLDER / "queries.md").write_text(page(), encoding="utf-8")
