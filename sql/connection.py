"""Opens a lake in DuckDB: views over the parts that its manifests name, and nothing else of the machine."""

import re
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import duckdb

from skewbench.sql.attach import attach, shell_opening
from skewbench.sql.declared import declared_tables, table_with_rows
from skewbench.sql.literals import list_literal, literal
from skewbench.sql.manifests import Run, part_error, read_runs
from skewbench.sql.memory import limit_memory
from skewbench.sql.part_checks import check_when_read, condition
from skewbench.sql.types import duckdb_type
from skewbench.storage.footers import check_footers
from skewbench.storage.location import Location, locate
from skewbench.storage.tables import TABLES
from skewbench.vocabulary.measures import ANSWERS, CONTROLS, MEASURES, NAMES
from skewbench.vocabulary.stages import SHOWN
from skewbench.vocabulary.verdicts import VERDICTS

BRANCHES = ("cond", "uncond", "weak")
VIEWS = (  # in the order in which they build on each other
    "macros",
    "metrics_before_declarations",
    "metric_declarations",
    "scores",
    "group_scores",
    "cell_values",
    "metrics",
    "metric_values",
    "prompt_metric_values",
    "stability_steps",
    "stage_stability",
    "comparable_values",
    "paired",
    "prompt_paired",
    "baseline_regimes",
    "intervals",
    "knobs",
    "main_metrics",
    "unit_values",
    "unit_changes",
    "adaptive_pairs",
    "effects",
    "votes",
    "vote_intervals",
    "newest_run",
    "earlier_run",
)


def connect(
    lake: str | Path,
    runs: str | Sequence[str] | None = None,
    include_running: bool = False,
    branch: str | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a lake as an in-memory DuckDB with its tables and views.

    The tables (`skewbench.storage.tables`) are views over the parts that the manifests name, with a `run_id`; `runs`,
    `cells` and `missing_metrics` hold what the manifests declare; the other views are in `sql/views/`. The footers of
    the parts of named runs are checked here, those of a whole lake when a query first reads their table; an error of
    such a query becomes a `LakeError` in a block of `skewbench.sql.part_errors`, and in `skewbench.sql.select`. The
    connection cannot read or write anything outside the lake, load extensions or change settings. For SQL that a user
    typed, use `skewbench.sql.select`, which also refuses to write into the lake.

    Args:
        lake: Folder or URL of the lake.
        runs: Run ids, or names of experiments: their newest runs; None: every committed run.
        include_running: Whether to include running and incomplete runs with the samples that they have.
        branch: Guidance branch of the measures: `cond`, `uncond` or `weak`; None: the mean of `cond` and `uncond`. The
            session variable `branch` changes it later.

    Raises:
        LakeError: No lake, no run, an unknown run, a missing part, or, in named runs, a part that is not what its
            manifest says.
        ValueError: An unknown branch.
        InputError: `SKEWBENCH_MEMORY` is no size.
    """
    place = locate(lake)
    seen = _seen(place, runs, include_running, branch)
    parts = [part for run in seen for part in run.listed]
    whole_lake = runs is None
    if not whole_lake:
        check_footers(place, parts)
    connection = duckdb.connect(":memory:")
    limit_memory(connection)
    try:
        attach(connection, place, {part.path: part.bytes for part in parts})
        if whole_lake:
            check_when_read(connection, place, parts)
        connection.execute(_views(place, seen, branch, whole_lake))
    except duckdb.Error as error:
        connection.close()
        check_footers(place, parts)  # DuckDB's own error for a missing part has less information
        raise part_error(error) or error from error
    connection.execute(_locks(place))
    return connection


def script(
    lake: str | Path,
    runs: str | Sequence[str] | None = None,
    include_running: bool = False,
    branch: str | None = None,
) -> str:
    """Write the session that `connect` opens as SQL, for `.read` in the DuckDB shell.

    The shell's session is not locked. For a lake in a bucket the text explains how the shell gets its keys; it contains
    none. Errors are those of `connect`.

    Args:
        lake: Folder or URL of the lake.
        runs: As for `connect`, as are the next two.
        include_running: Whether to include runs that are not committed.
        branch: Guidance branch of the measures.
    """
    place = locate(lake)
    return shell_opening(place) + _views(place, _seen(place, runs, include_running, branch), branch)


def _seen(place: Location, runs: str | Sequence[str] | None, include_running: bool, branch: str | None) -> list[Run]:
    if branch is not None and branch not in BRANCHES:
        raise ValueError(f"branch {branch!r}: one of {', '.join(BRANCHES)}, or none for the mean of cond and uncond")
    return read_runs(place, runs, include_running)


def _views(place: Location, seen: list[Run], branch: str | None, checked: bool = False) -> str:
    statements = declared_tables(seen)
    # DuckDB binds a view when it is created and again in each query that names it. The derived views are created over
    # empty tables, so that opening a lake does not bind its parts once for each mention of a table.
    statements += [_empty(table) for table in TABLES]
    statements += [_is_a_baseline(seen), _order("verdict", VERDICTS), _order("stage", SHOWN), *_measure_statements()]
    statements += [(files("skewbench.sql") / "views" / f"{name}.sql").read_text(encoding="utf-8") for name in VIEWS]
    statements += [_view(place, table, seen, checked) for table in TABLES if any(run.parts[table] for run in seen)]
    statements.append(f"SET VARIABLE branch = {literal(branch)};")
    return "\n".join(statement.rstrip() + "\n" for statement in statements)


def _measure_statements() -> list[str]:
    """The table `measures`, and macros with the lists of columns that views take by name."""
    names = ("name", "answer", "sign INTEGER", "stable", "symbol", "meaning")
    rows = ((m.name, m.answer, m.sign, m.stable, m.symbol, m.meaning) for m in MEASURES)
    answered = [measure.name for measure in MEASURES if measure.answer]
    lists = {
        "recorded_columns": (*NAMES, *CONTROLS),
        "answered_measures": answered,
        "answered_columns": (*answered, *CONTROLS),
    }
    signs = list_literal(measure.name for measure in MEASURES if measure.counts_signs)
    return [
        table_with_rows("measures", names, rows),
        _order("measure", ANSWERS),
        *(f"CREATE OR REPLACE MACRO {name}() AS {list_literal(values)};" for name, values in lists.items()),
        f"CREATE OR REPLACE MACRO counts_signs(measure) AS list_contains({signs}, measure);",
    ]


def _is_a_baseline(runs: list[Run]) -> str:
    """A macro: whether a cell has the name of a run's baseline. The names are literals, so DuckDB can skip files."""
    names = ", ".join(literal(name) for name in sorted({run.baseline for run in runs if run.baseline}))
    return f"CREATE OR REPLACE MACRO is_a_baseline(cell) AS cell IN ({names or 'NULL'});"


def _order(name: str, values: Iterable[str]) -> str:
    """A macro that has the place of a word in the order of a vocabulary."""
    return f"CREATE OR REPLACE MACRO {name}_place({name}) AS list_position({list_literal(values)}, {name});"


@cache
def columns(table: str) -> dict[str, str]:
    """Return the columns of a table of the lake and their DuckDB types.

    Args:
        table: A key of `TABLES`.
    """
    return {field.name: duckdb_type(field.type) for field in TABLES[table].schema}


def _empty(table: str) -> str:
    """A view with the table's columns and no rows."""
    nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns(table).items())
    return f"CREATE OR REPLACE VIEW {_name(table)} AS SELECT NULL::VARCHAR AS run_id, {nothing} LIMIT 0;"


def _view(place: Location, table: str, runs: list[Run], checked: bool) -> str:
    """A view over the table's parts: one scan, which opens only the files of the runs that a query filters for.

    The view has one declared schema: parts of an older schema give NULL for missing columns. `checked`: the view checks
    its parts.
    """
    declared = ", ".join(
        f"{literal(name)}: {{name: {literal(name)}, type: {literal(kind)}, default_value: NULL}}"
        for name, kind in columns(table).items()
    )
    names = ", ".join(f'"{name}"' for name in columns(table))
    parts = ", ".join(literal(_escaped(place.address(path))) for run in runs for path in run.parts[table])
    return (
        f"CREATE OR REPLACE VIEW {_name(table)} AS\n"
        rf"SELECT regexp_extract(filename, 'run_id=([^/]*)/[^/]*$', 1) AS run_id, {names} FROM read_parquet("
        f"\n    [{parts}],\n    schema = MAP {{{declared}}}, filename = true)"
        f"{f' {condition(table)}' if checked else ''};"
    )


def _name(table: str) -> str:
    """The view over a table's parts. A view of the table's own name is made from it where views/ has one."""
    return f"all_{table}" if table in VIEWS else table


def _escaped(path: str) -> str:
    """A path that DuckDB reads as it stands: it takes each path of a list for a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", path)


def _locks(place: Location) -> str:
    """Nothing but the lake, where DuckDB itself opens it."""
    allowed = ", ".join(literal(f"{path}/") for path in dict.fromkeys([place.lake, _escaped(place.lake)]))
    spill = str(Path(tempfile.gettempdir()) / f"skewbench-{uuid.uuid4().hex}")  # made only when memory runs out
    return f"""
        SET temp_directory = {literal(spill)};
        SET allowed_directories = [{allowed}];
        SET enable_external_access = false;
        SET lock_configuration = true;
    """
