from pathlib import Path

import duckdb
import pytest

from skewbench import sql
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
    ("text", "row"),
    [
        ("SELECT INTERVAL 1 DAY AS a", ("1 day",)),
        ('SELECT [INTERVAL 1 MONTH] AS a, 2 AS "x""y";', ("[1 month]", 2)),
        ("SELECT 1 AS a, INTERVAL 2 DAY AS a -- twice", (1, "2 days")),
        ("SELECT union_value(k := 1) AS a, '101'::BIT AS b, 12::BIGNUM AS c", ("1", "101", "12")),
        ("SELECT DATE 'infinity' AS a, 1 AS b", ("infinity", 1)),
        ("SELECT TIMESTAMP '-infinity' AS a, NULL::DATE AS b", ("-infinity", None)),
        ("SET VARIABLE hours = 3; SELECT getvariable('hours')::INT * INTERVAL 1 HOUR AS a", ("03:00:00",)),
    ],
)
def test_values_that_no_frame_holds_are_texts(lake: Path, text: str, row: tuple[object, ...]) -> None:
    assert sql.select(sql.connect(lake), text).rows() == [row]


def test_answers_are_bounded(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time, while they are computed or read, and in size. The connection works on."""
    connection = sql.connect(lake)
    for statement in ("SELECT sum(range) FROM range(100_000_000_000)", "FROM range(100_000_000_000)"):
        with pytest.raises(ValueError, match=r"the statement was stopped after 0\.2 s"):
            sql.select(connection, statement, time_limit=0.2)
    monkeypatch.setattr("skewbench.sql.answer.LARGEST", 10_000_000)
    with pytest.raises(ValueError, match=r"the answer has more than 0\.01 GB; add LIMIT"):
        sql.select(connection, "FROM range(100_000_000_000)")
    assert sql.select(connection, "SELECT 1 AS a", time_limit=60).rows() == [(1,)]
