"""The queries over paired effects: static_effect, adaptive_vs_static, knob_ranking and pareto_front."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from skewbench import sql
from skewbench.eval.statistics import dominated_area, on_front, paired_change
from tests.lakes import KNOBS, Lake, make
from tests.tasks.analysed import store
from tests.tasks.two_runs import alter, with_column

ALL = tuple(KNOBS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    folder = tmp_path_factory.mktemp("lake")
    make(folder, Lake(prompts=14, seeds=3, images=False, knobs=ALL))
    return sql.connect(folder)


def scores(lake: duckdb.DuckDBPyConnection, metric: str, cell: str) -> pl.DataFrame:
    """pair_id, prompt_id, value, category of the samples that are ok, without any of the views under test."""
    return lake.execute(
        """
        SELECT s.pair_id, s.prompt_id, s.prompt_category AS category, x.value
        FROM samples AS s JOIN scores AS x USING (sample_id)
        WHERE s.status = 'ok' AND x.metric = ? AND s.cell = ?
        """,
        [metric, cell],
    ).pl()


def pairs(lake: duckdb.DuckDBPyConnection, metric: str, one: str, other: str) -> pl.DataFrame:
    return scores(lake, metric, one).join(scores(lake, metric, other), on=["pair_id", "prompt_id", "category"])


@pytest.mark.parametrize("metric", ["aesthetic", "scene"])
@pytest.mark.parametrize("cell", ALL[1:])
def test_static_effect_is_what_polars_says(lake: duckdb.DuckDBPyConnection, cell: str, metric: str) -> None:
    row = sql.query(lake, "static_effect").row(
        by_predicate=(pl.col("cell") == cell) & (pl.col("metric") == metric), named=True
    )
    both = pairs(lake, metric, "baseline", cell)
    change = both["value_right"] - both["value"]
    ours = paired_change(both["value"], both["value_right"], both["prompt_id"])
    assert (row["n"], row["prompts"]) == (both.height, both["prompt_id"].n_unique())
    assert row["change"] == pytest.approx(ours.change, abs=1e-12)
    assert row["median_change"] == pytest.approx(change.median(), abs=1e-12)
    assert row["baseline_sd"] == pytest.approx(both["value"].std(), abs=1e-12)
    assert row["wins"] == pytest.approx(((change > 0).sum() + (change == 0).sum() / 2) / both.height)
    student = {13: 2.1604, 12: 2.1788}[ours.clusters - 1]
    assert row["high"] - row["low"] == pytest.approx((ours.high - ours.low) * 1.959964 / student, rel=1e-4)
    assert row["failed"] == (3 if cell == "warm" else 0)
    assert (row["worst_case"] < row["change"]) == (row["failed"] > 0)


def test_align_is_beside_the_metrics(lake: duckdb.DuckDBPyConnection) -> None:
    row = sql.query(lake, "static_effect").row(
        by_predicate=(pl.col("cell") == "a1.05-b3") & (pl.col("metric") == "alignment"), named=True
    )
    means = lake.sql("SELECT cell, pair_id, avg(alignment) AS a FROM stability GROUP BY ALL").pl()
    both = means.filter(cell="baseline").join(means.filter(cell="a1.05-b3"), on="pair_id")
    assert row["kind"] == "measure"
    assert row["change"] == pytest.approx((both["a_right"] - both["a"]).mean(), abs=1e-9)
    assert sql.query(lake, "static_effect", branch="cond").filter(metric="alignment", cell="a1.05-b3")[
        "change"
    ].item() != pytest.approx(row["change"], abs=1e-9)


def test_effects_by_category(lake: duckdb.DuckDBPyConnection) -> None:
    each = sql.query(lake, "static_effect", category="*").filter(cell="a1.05-b3", metric="aesthetic")
    assert each["category"].to_list() == ["even", "odd"]
    both = pairs(lake, "aesthetic", "baseline", "a1.05-b3")
    for row in each.to_dicts():
        mine = both.filter(category=row["category"])
        assert row["change"] == pytest.approx((mine["value_right"] - mine["value"]).mean())
    one = sql.query(lake, "static_effect", category="odd").filter(cell="a1.05-b3", metric="aesthetic")
    assert_frame_equal(one, each.filter(category="odd"))  # sums differ in their last bits
    with pytest.raises(ValueError, match="category 'flat': no prompt has it"):
        sql.query(lake, "static_effect", category="flat")


def test_adaptive_is_matched_with_the_static_cell_of_its_base(lake: duckdb.DuckDBPyConnection) -> None:
    found = sql.query(lake, "adaptive_vs_static")
    assert set(zip(found["cell"], found["static_cell"], strict=True)) == {("adaptive", "a1.20-b5")}
    assert set(found["metric"]) == {"aesthetic", "scene", "diversity", "alignment"}
    both = pairs(lake, "aesthetic", "a1.20-b5", "adaptive")
    ours = paired_change(both["value"], both["value_right"], both["prompt_id"])
    row = found.row(by_predicate=pl.col("metric") == "aesthetic", named=True)
    assert (row["n"], row["alpha"], row["beta"], row["adapt_alpha"]) == (42, 1.2, 5.0, "dev")
    assert row["change"] == pytest.approx(ours.change, abs=1e-12)
    assert row["adaptive"] - row["static"] == pytest.approx(row["change"])
    assert row["high"] - row["low"] == pytest.approx((ours.high - ours.low) * 1.959964 / 2.1604, rel=1e-4)


def test_ranks_are_those_of_scipy(lake: duckdb.DuckDBPyConnection) -> None:
    from scipy.stats import rankdata

    found = sql.query(lake, "knob_ranking")
    assert set(found["cell"]) == set(ALL)
    for metric in ("aesthetic", "scene", "diversity"):
        rows = found.filter(metric=metric)
        assert rows["rank"].to_list() == rankdata(-rows["worst_case"].to_numpy()).tolist()
    means = found.group_by("cell").agg(pl.col("rank").mean(), pl.col("mean_rank").first())
    assert means["rank"].to_numpy() == pytest.approx(means["mean_rank"].to_numpy())
    assert found["mean_rank"].is_sorted()
    clear = found.filter(cell="a1.05-b3")
    assert clear["better"][0] == (clear["low"] > 0).sum()
    assert clear["worse"][0] == (clear["high"] < 0).sum()


def test_less_is_better_where_it_is(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run_id = make(tmp_path, Lake(prompts=10, images=False))
    for path in (tmp_path / "scores" / f"run_id={run_id}").glob("*.parquet"):
        table = pq.ParquetFile(path).read()
        names = pa.array(["leak" if name == "scene" else name for name in table["metric"].to_pylist()])
        pq.write_table(table.set_column(table.schema.get_field_index("metric"), "metric", names), path)
    connection = sql.connect(tmp_path)
    row = sql.query(connection, "knob_ranking").filter(cell="a1.05-b3", metric="leak")
    effect = sql.query(connection, "static_effect").filter(cell="a1.05-b3", metric="leak")
    assert row["gain"].item() == pytest.approx(-effect["change"].item())
    assert row["low"].item() == pytest.approx(-effect["high"].item())


def test_front_and_area_are_those_of_numpy(lake: duckdb.DuckDBPyConnection) -> None:
    found = sql.query(lake, "pareto_front")
    assert (found["fidelity"][0], found["diversity"][0]) == ("aesthetic", "diversity")
    points = found.select("diversity_mean", "fidelity_mean").to_numpy()
    assert found["on_front"].to_list() == on_front(points, np.abs(points).max(axis=0)).tolist()
    assert found["dominated_by"].is_null().to_list() == found["on_front"].to_list()
    for family in ("static", "adaptive", "temperature"):
        members = found["family"].is_in([family, "baseline"]).to_numpy()
        alone = found["family"].eq("baseline").to_numpy()
        area, without = (dominated_area(points[None], some, np.abs(points).max(axis=0))[0] for some in (members, alone))
        assert found.filter(family=family)["family_added"].unique().to_list() == pytest.approx([area - without])
    assert found.filter(family="baseline")["family_added"].to_list() == [None]
    assert found["reason"].null_count() == len(found)
    means = {cell: scores(lake, "aesthetic", cell)["value"].mean() for cell in ALL}
    assert found["fidelity_mean"].to_list() == pytest.approx([means[cell] for cell in found["cell"]])


def test_families_behind_the_baseline_add_nothing(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=6, images=False, knobs=ALL, lost=False))

    def behind(row: dict[str, Any]) -> float | None:
        known = row["metric"] in ("aesthetic", "diversity") and row["value"] is not None
        return row["value"] - 9 * (row["cell"] != "baseline") if known else row["value"]

    for table in ("scores", "group_scores"):
        alter(tmp_path, run_id, table, with_column("value", behind))
    store(tmp_path, run_id)
    found = sql.query(sql.connect(tmp_path), "pareto_front").filter(pl.col("family") != "baseline")
    assert found.select("family_added", "low", "high").unique().rows() == [(0.0, 0.0, 0.0)]


def test_other_goals(lake: duckdb.DuckDBPyConnection) -> None:
    found = sql.query(lake, "pareto_front", fidelity="scene", diversity="vendi")
    assert (found["fidelity"][0], found["diversity"][0], found["diversity_n"][0]) == ("scene", "vendi", 42)
    assert sql.query(lake, "pareto_front", fidelity="image_reward").is_empty()  # known: the run lacks its weights


def test_parts_of_the_network_are_families_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up = {"kind": "skew", "alpha": 1.2, "beta": 5.0, "blocks": "up", "window": [0.0, 0.5], "rescale": "off"}
    monkeypatch.setitem(KNOBS, "up", up | {"adapt_alpha": "off", "adapt_beta": False})
    make(tmp_path, Lake(images=False, knobs=("baseline", "a1.20-b5", "up", "adaptive")))
    connection = sql.connect(tmp_path)
    family = dict(connection.sql("SELECT cell, family FROM knobs").fetchall())
    assert family["up"] == "static, no rescale, blocks up, steps from 0% to 50%"
    assert (family["a1.20-b5"], family["adaptive"], family["baseline"]) == ("static", "adaptive", "baseline")
    assert set(sql.query(connection, "adaptive_vs_static")["static_cell"]) == {"a1.20-b5"}


def test_what_rounding_moves_is_no_merit(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(prompts=6, images=False, knobs=ALL, lost=False))

    def a_bit_apart(row: dict[str, Any]) -> float | None:
        up = 0.3 if row["cell"] == "baseline" else 0.3 + 1e-13  # more than the mean itself rounds
        return up if row["metric"] == "aesthetic" else row["value"]

    alter(tmp_path, run_id, "scores", with_column("value", a_bit_apart))
    found = sql.query(sql.connect(tmp_path), "pareto_front")
    assert found["fidelity_mean"].n_unique() > 1
    best = found["diversity_mean"].max()
    assert found.filter(pl.col("on_front"))["diversity_mean"].to_list() == [best]
    points = found.select("diversity_mean", "fidelity_mean").to_numpy()
    assert found["on_front"].to_list() == on_front(points, np.abs(points).max(axis=0)).tolist()
    assert found["family_added"].null_count() == len(found)
    reasons = dict(zip(found["family"], found["reason"], strict=True))
    assert reasons.pop("baseline") is None
    assert set(reasons.values()) == {"all cells have the same aesthetic"}


def test_area_of_points_by_hand() -> None:
    points = np.array([[[0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [0.25, 0.25]]])
    size, every = np.ones(2), np.ones(4, bool)
    assert dominated_area(points, every, size).tolist() == [0.25]
    assert dominated_area(10 * points - 7, np.array([False, True, True, False]), size).tolist() == [0.25]
    assert on_front(points[0], size).tolist() == [True, True, True, False]
    flat = points * np.array([1.0, 1e-12])
    assert np.isnan(dominated_area(flat, every, size)[0])
    assert on_front(flat[0], size).tolist() == [False, False, True, False]
    missing = points.copy()
    missing[0, 3] = np.nan
    assert dominated_area(missing, np.array([True, True, True, False]), size).tolist() == [0.25]
    assert np.isnan(dominated_area(missing, every, size)[0])


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_gains_that_differ_by_rounding_are_ties(tmp_path: Path, scale: float) -> None:
    knobs = ("baseline", "a1.05-b3", "a1.20-b5")
    run_id = make(tmp_path, Lake(prompts=6, seeds=2, images=False, lost=False, blocks=3, steps=0, knobs=knobs))
    gain = {"baseline": 0.0, "a1.05-b3": 0.25, "a1.20-b5": 0.25 + 1e-13}
    alter(tmp_path, run_id, "scores", with_column("value", lambda row: scale * (0.5 + gain[row["cell"]])))
    ranks = sql.query(sql.connect(tmp_path), "knob_ranking").filter(metric="aesthetic")
    assert dict(ranks.select("cell", "rank").iter_rows()) == {"baseline": 3.0, "a1.05-b3": 1.5, "a1.20-b5": 1.5}
