import json
from pathlib import Path

import duckdb
import pytest

from skewbench import sql
from skewbench.sql.connection import columns
from skewbench.storage.tables import TABLES
from tests.lakes import Lake, make


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0]


def test_types_are_named_as_duckdb_names_them() -> None:
    with duckdb.connect(":memory:") as connection:
        for name, table in TABLES.items():
            relation = connection.from_arrow(table.schema.empty_table())
            assert columns(name) == dict(zip(relation.columns, map(str, relation.types), strict=True))


def test_every_table_is_a_view_with_all_its_columns(tmp_path: Path) -> None:
    run_id = make(tmp_path)
    connection = sql.connect(tmp_path)
    for name, table in TABLES.items():
        assert connection.sql(f"FROM {name}").columns == ["run_id", *table.schema.names]
    assert count(connection, "samples") == 3 * 8 * 3
    assert count(connection, "images") == 3 * 8 * 3 - 1  # the failed sample has no image
    assert count(connection, "analysis") == 0
    assert connection.sql("SELECT DISTINCT run_id FROM stability").fetchall() == [(run_id,)]
    assert connection.sql("SELECT run_id, status, baseline FROM runs").fetchall() == [(run_id, "committed", "baseline")]
    assert connection.sql("SELECT metric FROM missing_metrics").fetchall() == [("image_reward",)]
    assert connection.sql("SELECT cell FROM cells WHERE baseline").fetchall() == [("baseline",)]


def test_parts_that_no_manifest_names_are_not_read(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(images=False))
    (tmp_path / "samples" / f"run_id={run_id}" / "zombie-1.parquet").write_bytes(b"no parquet")
    assert count(sql.connect(tmp_path), "samples") == 72


@pytest.mark.parametrize("name", ["it's", "cell=x/run_id=y", "a [b]*?"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    run_id = make(folder, Lake(name="it's", images=False))
    connection = sql.connect(folder)
    assert connection.sql("SELECT DISTINCT run_id, cell FROM samples ORDER BY cell").fetchall() == [
        (run_id, cell) for cell in ("a1.05-b3", "a1.20-b5", "baseline")
    ]


def test_runs_are_chosen_by_id(tmp_path: Path) -> None:
    first = make(tmp_path, Lake(name="first", images=False))
    second = make(tmp_path, Lake(name="second", images=False, seed=1))
    assert count(sql.connect(tmp_path), "runs") == 2
    assert sql.connect(tmp_path, second).sql("SELECT DISTINCT run_id FROM scores").fetchall() == [(second,)]
    assert count(sql.connect(tmp_path, [first, second]), "samples") == 144


def test_a_run_is_opened_without_the_others(tmp_path: Path) -> None:
    first = make(tmp_path, Lake(name="first", images=False))
    make(tmp_path, Lake(name="second", images=False, seed=1))
    (tmp_path / "_runs" / "third.json").write_text("{")
    assert count(sql.connect(tmp_path, first), "samples") == 72
    with pytest.warns(sql.LakeWarning, match="third"):
        assert count(sql.connect(tmp_path), "samples") == 2 * 72


def test_only_the_files_of_the_run_that_is_asked_for_are_opened(tmp_path: Path) -> None:
    first = make(tmp_path, Lake(name="first", images=False))
    second = make(tmp_path, Lake(name="second", images=False, seed=1))
    connection = sql.connect(tmp_path)
    sql.select(connection, "SELECT count(*) FROM scores")  # each part is checked once
    for part in (tmp_path / "scores" / f"run_id={second}").iterdir():
        part.write_bytes(b"no parquet")
    of_first = f"FROM scores WHERE run_id = '{first}'"
    assert sql.select(connection, f"SELECT count(*) AS n {of_first}")["n"].item() > 0
    with pytest.raises(sql.LakeError):
        sql.select(connection, "SELECT count(value) AS n FROM scores")


def test_a_running_run_is_hidden_unless_asked_for(tmp_path: Path) -> None:
    done = make(tmp_path, Lake(name="done", images=False))
    running = make(tmp_path, Lake(name="busy", images=False, status="running", seed=1))
    assert sql.connect(tmp_path).sql("SELECT run_id FROM runs").fetchall() == [(done,)]
    assert count(sql.connect(tmp_path, include_running=True), "samples") == 144
    assert count(sql.connect(tmp_path, running, include_running=True), "samples") == 72
    with pytest.raises(sql.LakeError, match="still running"):
        sql.connect(tmp_path, running)


def test_an_incomplete_run_is_read_when_it_is_named(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(images=False, status="incomplete"))
    with pytest.raises(sql.LakeError, match=rf"no committed run; its runs: {run_id} \(incomplete\)"):
        sql.connect(tmp_path)
    assert count(sql.connect(tmp_path, run_id), "samples") == 72


def test_a_lake_of_an_older_schema_is_read_beside_a_new_one(tmp_path: Path) -> None:
    added = (*TABLES["samples"].added, *TABLES["stability"].added)
    old = make(tmp_path, Lake(name="old", drop=added))
    new = make(tmp_path, Lake(name="new", seed=1))
    connection = sql.connect(tmp_path)
    for table, column in (("samples", "setting"), ("stability", "text_mass"), ("stability", "text_mass_heads")):
        found = dict(connection.sql(f"SELECT run_id, count({column}) FROM {table} GROUP BY 1").fetchall())
        assert found == {old: 0, new: 0}
    assert set(sql.query(connection, "correlations")["run_id"]) == {old, new}


def test_scores_keep_the_newest_version_and_a_value_before_a_null(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run_id = make(tmp_path, Lake(images=False))
    sample = sql.connect(tmp_path).sql("SELECT sample_id, pair_id, cell, prompt_id, seed FROM samples LIMIT 1")
    ids = dict(zip(sample.columns, sample.fetchall()[0], strict=True))
    scored = [
        ("scene", 0.9, 2),
        ("scene", None, 2),
        ("scene", 0.1, 1),
        ("image_reward", None, 1),
        ("image_reward", 0.5, 1),
    ]
    rows = [
        ids | {"metric": metric, "value": value, "scorer": "toy", "scorer_version": version}
        for metric, value, version in scored
    ]
    part = f"scores/run_id={run_id}/again-0.parquet"
    pq.write_table(pa.Table.from_pylist(rows, TABLES["scores"].schema), tmp_path / part)
    manifest = tmp_path / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    content["parts"].append({"table": "scores", "path": part, "rows": 5, "bytes": 1, "sha256": "", "schema_version": 1})
    manifest.write_text(json.dumps(content))
    kept = sql.connect(tmp_path).sql(
        f"SELECT metric, value FROM scores WHERE sample_id = '{ids['sample_id']}' AND metric <> 'aesthetic' ORDER BY 1"
    )
    assert kept.fetchall() == [("image_reward", 0.5), ("scene", 0.9)]


def test_the_branch_is_a_session_variable(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    plain = "SELECT avg(alignment) FROM stage_stability WHERE stage = 'all' AND cell = 'baseline'"
    direct = "SELECT avg(alignment) FROM stability WHERE cell = 'baseline' AND branch = 'cond'"
    connection = sql.connect(tmp_path, branch="cond")
    one = connection.sql(plain).fetchall()[0][0]
    assert one == pytest.approx(connection.sql(direct).fetchall()[0][0])
    connection.execute("SET VARIABLE branch = NULL")
    both = connection.sql(plain).fetchall()[0][0]
    assert both != pytest.approx(one, abs=1e-6)
    with pytest.raises(ValueError, match="one of cond, uncond"):
        sql.connect(tmp_path, branch="both")


def test_a_stage_is_the_mean_over_branches_then_blocks(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    rows = sql.connect(tmp_path).sql("""
        WITH by_hand AS (
            SELECT sample_id, stage, avg(energy) AS energy FROM stability GROUP BY ALL
            UNION ALL SELECT sample_id, 'all', avg(energy) FROM stability GROUP BY ALL
        )
        SELECT count(*), max(abs(s.energy - h.energy)), count(DISTINCT s.stage)
        FROM stage_stability AS s JOIN by_hand AS h USING (sample_id, stage)
        WHERE isfinite(s.energy)
    """)
    n, difference, stages = rows.fetchall()[0]
    assert (n, stages) == (4 * (72 - 2), 4)
    assert difference < 1e-12


def test_stability_steps_is_the_long_form(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False, steps=4))
    connection = sql.connect(tmp_path)
    assert count(connection, "stability_steps") == 4 * count(connection, "stability")
    gap = connection.sql("""
        SELECT max(abs(s.alignment - l.alignment)) FROM stability AS s
        JOIN (SELECT sample_id, block, branch, avg(alignment) AS alignment FROM stability_steps GROUP BY ALL) AS l
        USING (sample_id, block, branch) WHERE isfinite(s.alignment)
    """)
    assert gap.fetchall()[0][0] < 1e-6


def test_means_alone_give_no_steps(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False, steps=0))
    assert count(sql.connect(tmp_path), "stability_steps") == 0


def test_the_script_is_a_whole_session(tmp_path: Path) -> None:
    run_id = make(tmp_path)
    shell = duckdb.connect()
    shell.execute(sql.script(tmp_path))
    assert shell.sql("SELECT run_id FROM runs").fetchall() == [(run_id,)]
    assert count(shell, "paired") == 2 * 24 * 2


def test_an_experiments_name_is_its_newest_committed_run(tmp_path: Path) -> None:
    make(tmp_path, Lake(seed=1, images=False))
    newest = make(tmp_path, Lake(seed=2, images=False))
    unfinished = make(tmp_path, Lake(seed=3, images=False, status="running"))
    for hour, run_id in enumerate(sorted(path.stem for path in (tmp_path / "_runs").glob("*.json"))):
        _dated(tmp_path, run_id, f"2026-01-01T{hour:02d}:00:00+00:00")
    _dated(tmp_path, newest, "2026-01-02T00:00:00+00:00")
    _dated(tmp_path, unfinished, "2026-01-03T00:00:00+00:00")
    assert _runs(sql.connect(tmp_path, "toy")) == [newest]
    assert _runs(sql.connect(tmp_path, ["toy", newest])) == [newest]
    assert _runs(sql.connect(tmp_path, "toy", include_running=True)) == [unfinished]


def _dated(lake: Path, run_id: str, created: str) -> None:
    path = lake / "_runs" / f"{run_id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "created": created}))


def _runs(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [run_id for (run_id,) in connection.sql("SELECT run_id FROM runs").fetchall()]


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(sql.LakeError, match="no such folder"):
        sql.connect(tmp_path / "nowhere")
    with pytest.raises(sql.LakeError, match="holds no run"):
        sql.connect(tmp_path)
    run_id = make(tmp_path, Lake(images=False))
    with pytest.raises(sql.LakeError, match=f"no run 'toy-1f8' .*did you mean {run_id!r}"):
        sql.connect(tmp_path, "toy-1f8")
    part = next((tmp_path / "samples").rglob("*.parquet"))
    connection = sql.connect(tmp_path)
    content = part.read_bytes()
    part.write_bytes(content[:-20] + b"\xff" + content[-19:])  # DuckDB's own word for it is an error without a class
    with pytest.raises(sql.LakeError, match=rf"{part.name} is not .*; `skewbench verify {run_id} --repair`"):
        sql.query(connection, "operating_curve")
    part.unlink()
    with pytest.raises(sql.LakeError, match=part.name):
        sql.query(connection, "operating_curve")
    with pytest.raises(sql.LakeError, match=part.name):
        sql.connect(tmp_path)
    manifest = tmp_path / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    content["parts"][0]["path"] = "../elsewhere.parquet"
    manifest.write_text(json.dumps(content))
    with (
        pytest.warns(
            sql.LakeWarning, match="left out: .* is not a manifest: part '../elsewhere.parquet' is not a file of"
        ),
        pytest.raises(sql.LakeError, match="has no readable run"),
    ):
        sql.connect(tmp_path)
    manifest.write_text("{")
    with pytest.raises(sql.LakeError, match=f"is not a manifest: Invalid JSON.*verify {run_id} --repair"):
        sql.connect(tmp_path, run_id)
