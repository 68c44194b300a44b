import signal
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from skewbench import sql
from skewbench.sql.statement import fetch
from skewbench.vocabulary.errors import InputError, RunError
from tests.lakes import Lake, make


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    make(folder, Lake(images=False, prompts=3))
    (folder.parent / "secret.csv").write_text("a\n1\n")
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) AS n FROM samples",
        "WITH a AS (FROM samples) FROM a",
        "FROM samples LIMIT 1",
        "DESCRIBE samples",
        "SUMMARIZE scores",
        "SHOW TABLES",
        "PIVOT scores ON metric USING avg(value) GROUP BY cell",
        "EXPLAIN SELECT 1",
        "explain analyze select 1",
        "SET VARIABLE branch = 'cond'; SELECT * FROM stage_stability",
    ],
)
def test_reading_is_allowed(lake: Path, text: str) -> None:
    assert sql.select(sql.connect(lake), text).height > 0


@pytest.mark.parametrize(
    "text",
    [
        "COPY (SELECT 1) TO '{lake}/new.csv'",
        "COPY samples TO '{lake}/new.parquet'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/new.csv'",
        "EXPLAIN /* */ ANALYZE COPY (SELECT 1) TO '{lake}/new.csv'",
        "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{lake}/new.csv'",
        "PREPARE p AS COPY (SELECT 1) TO '{lake}/new.csv'",
        "EXPORT DATABASE '{lake}/all'",
        "ATTACH '{lake}/new.db'",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW samples",
        "DELETE FROM runs",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT 1; COPY (SELECT 1) TO '{lake}/new.csv'",
        "CALL duckdb_tables()",
        "PRAGMA enable_profiling",
        "CREATE SECRET (TYPE s3)",
        "CREATE MACRO m(x) AS x",
        "CHECKPOINT",
        "VACUUM",
        "",
    ],
)
def test_all_else_is_refused(lake: Path, text: str) -> None:
    before = sorted(lake.rglob("*"))
    with pytest.raises(ValueError, match=r"refused|no SQL"):
        sql.select(sql.connect(lake), text.format(lake=lake))
    assert sorted(lake.rglob("*")) == before


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{lake}/../secret.csv')",
        "SELECT * FROM '{lake}/../secret.csv'",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT * FROM 'http://localhost:1/x.parquet'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET temp_directory = '/etc'",
        "SET home_directory = '/'",
        "SET GLOBAL allow_unsigned_extensions = true",
        "SET allowed_directories = ['/']",
        "RESET allowed_directories",
    ],
)
def test_nothing_outside_of_the_lake_is_read_and_no_lock_opened(lake: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"disabled by configuration|locked"):
        sql.select(sql.connect(lake), text.format(lake=lake))


@pytest.mark.parametrize(
    "text",
    [
        "COPY (SELECT 1) TO '{lake}/../out.csv'",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '{lake}/../out.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "EXPORT DATABASE '{lake}/../all'",
    ],
)
def test_the_connection_itself_reaches_nothing_outside(lake: Path, text: str) -> None:
    with pytest.raises(duckdb.Error, match=r"disabled"):
        sql.connect(lake).execute(text.format(lake=lake))


def test_a_mistake_in_sql_is_told_with_its_place(lake: Path) -> None:
    with pytest.raises(ValueError, match="metrik"):
        sql.select(sql.connect(lake), "SELECT metrik FROM scores")
    with pytest.raises(ValueError, match="syntax error"):
        sql.select(sql.connect(lake), "SELEC 1")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("INTERVAL 1 DAY", "1 day"),
        ("[INTERVAL 1 DAY]", "[1 day]"),
        ("{'a': INTERVAL 1 DAY}", "{'a': 1 day}"),
        ("TIMETZ '10:00:00+01'", "10:00:00+01"),
        ("'101'::BIT", "101"),
        ("(2::BIGNUM)", "2"),
        ("union_value(a := 1)", "1"),
        ("row(1, 2)", "(1, 2)"),
        ("DATE 'infinity'", "infinity"),
        ("TIMESTAMP '-infinity'", "-infinity"),
        ("DATE '200000-01-01'", "200000-01-01"),
        ("[DATE 'infinity']", "[infinity]"),
        ("1::HUGEINT", Decimal(1)),
        ("DATE '2026-01-02'", date(2026, 1, 2)),
        ("MAP {'a': 1}", {"a": 1}),
        ("NULL", None),
    ],
)
@pytest.mark.parametrize("rest", ["", " AS a, 1 AS a; -- done\n", " WHERE true ORDER BY 1;"])
def test_values_that_polars_lacks_are_texts(lake: Path, value: str, shown: object, rest: str) -> None:
    rows = sql.select(sql.connect(lake), f"SELECT 1; SELECT {value}{rest}")
    assert rows.rows()[0][0] == shown
    assert rows.columns[1:] == (["a_1"] if "AS a" in rest else [])


def test_no_rows_of_such_a_type(lake: Path) -> None:
    assert sql.select(sql.connect(lake), "SELECT INTERVAL 1 DAY AS a WHERE false").shape == (0, 1)


ENDLESS = "SELECT sum(hash(range)) FROM range(100000000000)"


@pytest.mark.parametrize("text", [ENDLESS, "SELECT hash(range) FROM range(100000000000)"], ids=["one row", "many rows"])
def test_a_statement_ends_at_its_time_limit(lake: Path, text: str) -> None:
    connection = sql.connect(lake)
    with pytest.raises(ValueError, match=r"the statement was ended after 0\.3 s"):
        sql.select(connection, text, seconds=0.3)
    assert sql.select(connection, "SELECT 2").rows() == [(2,)]


@pytest.mark.parametrize("run", [sql.select, fetch])
def test_control_c_ends_a_statement_and_leaves_the_connection(
    lake: Path, run: Callable[[duckdb.DuckDBPyConnection, str], object]
) -> None:
    connection = sql.connect(lake)
    pressing = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        run(connection, ENDLESS)
    pressing.join()
    assert sql.select(connection, "SELECT 2").rows() == [(2,)]


def test_an_answer_is_limited_in_size(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewbench.sql.statement.LARGEST_ANSWER", 2**20)
    with pytest.raises(ValueError, match="the answer is larger than 1 MiB; add LIMIT"):
        sql.select(sql.connect(lake), "SELECT hash(range) FROM range(100000000000)")


@pytest.mark.parametrize(
    "text", ["SELECT 1 / ", "SELECT count(*) FROM samples WHERE prompt = 3", "SELECT nothing FROM samples"]
)
def test_a_mistake_is_told_in_one_line(lake: Path, text: str) -> None:
    with pytest.raises(ValueError, match="Error") as told:
        fetch(sql.connect(lake), text)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("run", [sql.select, fetch])
def test_too_little_memory_is_told(lake: Path, run: Callable[[duckdb.DuckDBPyConnection, str], object]) -> None:
    told = r"^too little memory for this query .*; free some, or query fewer runs$"
    limits: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "20MB", "max_temp_directory_size": "0KB"}
    with duckdb.connect(config=limits) as connection, pytest.raises(RunError, match=told):
        run(connection, "SELECT list(hash(range)) FROM range(100000000)")


def test_a_limit_of_memory_is_kept_and_named(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEWBENCH_MEMORY", "40MB")
    connection = sql.connect(lake)
    assert connection.sql("SELECT current_setting('memory_limit')").fetchone() == ("38.1 MiB",)
    message = r"^too little memory for this query .*; set SKEWBENCH_MEMORY to more than 40MB, or query fewer runs$"
    with pytest.raises(RunError, match=message):
        fetch(connection, "SELECT list(hash(range)) FROM range(100000000)")


def test_a_limit_of_memory_that_is_no_size(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEWBENCH_MEMORY", "much")
    with pytest.raises(InputError, match="SKEWBENCH_MEMORY is 'much'; it must be a size such as 4GB"):
        sql.connect(lake)
