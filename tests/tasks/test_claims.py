"""A run held against what was published."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy import stats

from skewbench import sql
from skewbench.tasks.claims import COLUMNS, claims
from tests.lakes import KNOBS, Lake, drop_table, make
from tests.tasks.analysed import store


def one(frame: pl.DataFrame, says: str, metric: str | None = "aesthetic") -> dict[str, Any]:
    same = pl.col("metric").is_null() if metric is None else pl.col("metric") == metric
    return frame.filter(same & pl.col("claim").str.contains(says, literal=True)).row(0, named=True)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Named as the paper's metrics, so that its claims apply."""
    folder = tmp_path_factory.mktemp("lake")
    run_id = make(folder, Lake(prompts=40, images=False, knobs=tuple(KNOBS), repair=1.0, steps=0))
    rename(folder, "group_scores", {"diversity": "msssim_diversity"})
    store(folder, run_id)
    return folder, run_id


def rename(folder: Path, table: str, names: dict[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in (folder / table).rglob("*.parquet"):
        rows = pq.ParquetFile(path).read()
        renamed = pa.array([names.get(name, name) for name in rows["metric"].to_pylist()])
        pq.write_table(
            rows.set_column(rows.schema.get_field_index("metric"), rows.schema.field("metric"), renamed), path
        )


def test_claims_of_a_run(lake: tuple[Path, str]) -> None:
    connection = sql.connect(*lake)
    found = claims(connection, lake[1])
    assert dict(found.schema) == COLUMNS
    rho = one(found, "rises with Align of all blocks")
    queried = sql.query(connection, "correlations").filter(metric="aesthetic", stage="all", measure="alignment")
    assert (rho["ours"], rho["low"]) == pytest.approx((queried["rho"][0], queried["low"][0]))
    assert rho["n"] == queried["n"][0]
    assert (rho["verdict"], rho["published"], rho["source"]) == ("confirmed", 0.296, "paper")
    assert one(found, "raises it on the worst 20% by aesthetic")["verdict"] == "confirmed"
    beyond = one(found, "beyond regression to the mean")
    assert (beyond["verdict"], beyond["published"]) == ("confirmed", None)
    assert beyond["ours"] < one(found, "raises it on the worst 20% by aesthetic")["ours"]
    median = one(found, "does not harm the median image")
    assert median["verdict"] == "confirmed"
    assert "standard deviations" in median["why"]
    assert one(found, "static α 1.2, β 5 collapses")["verdict"] == "contradicted"  # the toy's knob repairs
    rescue = one(found, "rescues α 1.2, β 5")
    rule = sql.query(connection, "adaptive_vs_static").filter(metric="aesthetic")
    assert rescue["ours"] == pytest.approx(rule["change"][0])
    assert one(found, "higher in up than in down")["n"] == 120
    area = one(found, "dominates more", None)
    assert (area["measured_by"], area["n"]) == ("aesthetic and msssim_diversity", 40)


def test_a_stand_in_is_named(lake: tuple[Path, str]) -> None:
    connection = sql.connect(*lake)
    found = claims(connection, lake[1])
    row = one(found, "falls with Align of all blocks", "lpips_diversity")
    assert (row["measured_by"], row["verdict"], row["n"]) == ("msssim_diversity", "confirmed", 40)
    pearson = one(found, "Pearson correlation with Align over prompts", "lpips_diversity")
    values = connection.sql("FROM unit_values WHERE cell = 'baseline'").pl()
    align = values.filter(metric="alignment").group_by("prompt_id").agg(pl.col("value").mean())
    both = values.filter(metric="msssim_diversity").join(align, on="prompt_id")
    expected = stats.pearsonr(both["value"].to_numpy(), both["value_right"].to_numpy()).statistic
    assert pearson["ours"] == pytest.approx(expected)
    assert (pearson["source"], pearson["verdict"]) == ("secondary", "confirmed")


def test_what_cannot_be_held_against_it_says_why(lake: tuple[Path, str]) -> None:
    found = claims(sql.connect(*lake), lake[1])
    image_reward = one(found, "falls with Align of up", "image_reward")
    assert (image_reward["verdict"], image_reward["ours"]) == ("not applicable", None)
    assert image_reward["why"] == "image_reward has no value in this run"
    assert one(found, "α 1.1, β 5 raises it")["why"] == "no cell with α 1.1, β 5, static"
    gamma = one(found, "γ 0 has less than γ 1", "lpips_diversity")
    assert gamma["why"] == "no cell with α 0, β 1, no rescale, static"
    assert set(found["verdict"]) <= {"confirmed", "contradicted", "not enough data", "not applicable"}


def test_the_secondary_sources_knob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gamma = {"kind": "skew", "beta": 1.0, "rescale": "off"}
    for alpha in (0.0, 0.4):
        monkeypatch.setitem(KNOBS, f"g{alpha:g}", gamma | {"alpha": alpha})
    run_id = make(tmp_path, Lake(prompts=20, images=False, knobs=("baseline", "g0", "g0.4"), lost=False))
    rename(tmp_path, "group_scores", {"diversity": "lpips_diversity", "vendi": "fid"})
    connection = sql.connect(tmp_path)
    found = claims(connection, run_id)
    raised = one(found, "raises it by up to 18%", "lpips_diversity")
    values = connection.sql("FROM unit_values WHERE metric = 'lpips_diversity'").pl()
    means = {cell: values.filter(cell=cell)["value"].mean() for cell in ("g0", "g0.4")}
    assert raised["ours"] == pytest.approx(means["g0.4"] / means["g0"] - 1)
    assert raised["low"] < raised["ours"] < raised["high"]
    cost = one(found, "costs less than 5%", "fid")
    assert (cost["verdict"], cost["n"]) == ("not enough data", 60)
    assert "no interval" in cost["why"]


@pytest.mark.parametrize(
    "tables", [("scores", "group_scores"), ("stability",), ("samples", "scores", "group_scores", "stability")]
)
def test_with_little_in_it_there_are_verdicts_and_no_error(tmp_path: Path, tables: tuple[str, ...]) -> None:
    run_id = make(tmp_path, Lake(images=False))
    drop_table(tmp_path, run_id, *tables)
    found = claims(sql.connect(tmp_path), run_id)
    assert set(found["verdict"]) <= {"not applicable", "not enough data"}


def test_a_few_prompts_are_not_enough_however_many_pairs(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=6, seeds=8, images=False, knobs=tuple(KNOBS), repair=1.0))
    store(tmp_path, run_id)
    found = claims(sql.connect(tmp_path, run_id), run_id)
    assert set(found["verdict"]) == {"not enough data", "not applicable"}
    assert found.filter(pl.col("n") > 10, pl.col("why").str.contains("6 prompts, fewer than 10")).height > 0


def test_a_run_that_was_not_analysed(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=20, images=False))
    found = claims(sql.connect(tmp_path), run_id)
    row = one(found, "rises with Align of all blocks")
    assert (row["verdict"], row["why"]) == (
        "not enough data",
        "query correlations; no interval: the run was not analysed",
    )
    assert one(found, "higher in up than in down")["verdict"] == "not applicable"
