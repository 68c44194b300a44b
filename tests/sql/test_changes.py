"""The queries over paired changes: regimes and worst_fraction."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from skewbench import sql
from skewbench.eval.statistics import paired_change, worst_mean
from tests.lakes import Lake, make
from tests.tasks.two_runs import alter, with_column


def one(frame: pl.DataFrame, **key: str) -> dict:
    return frame.row(by_predicate=pl.all_horizontal(pl.col(name) == value for name, value in key.items()), named=True)


def test_regimes_split_at_the_median_of_the_baselines_alignment(tmp_path: Path) -> None:
    make(tmp_path, Lake(prompts=20, seeds=4, images=False))
    connection = sql.connect(tmp_path)
    found = sql.query(connection, "regimes")
    stable = connection.sql("""
        SELECT pair_id, alignment > median(alignment) OVER () AS stable FROM stage_stability
        WHERE cell = 'baseline' AND stage = 'all'
    """).pl()
    changes = (
        connection.sql("FROM paired WHERE cell = 'a1.05-b3' AND metric = 'aesthetic'").pl().join(stable, on="pair_id")
    )
    for regime in ("stable", "unstable"):
        row = one(found, cell="a1.05-b3", metric="aesthetic", regime=regime)
        mine = changes.filter(stable=regime == "stable")
        ours = paired_change(mine["baseline"], mine["value"], mine["prompt_id"])
        assert (row["n"], row["failed"]) == (40, 0)
        assert row["change"] == pytest.approx(ours.change, abs=1e-12)
        assert row["high"] - row["low"] == pytest.approx((ours.high - ours.low) * 1.96 / 2.1, rel=0.05)  # normal, not t
    unstable, steady, difference = (
        one(found, cell="a1.05-b3", metric="aesthetic", regime=name)["change"]
        for name in ("unstable", "stable", "difference")
    )
    assert difference == pytest.approx(unstable - steady)


def test_the_toy_knob_repairs_the_unstable(tmp_path: Path) -> None:
    make(tmp_path, Lake(prompts=100, seeds=4, images=False, repair=1.0))
    row = one(sql.query(sql.connect(tmp_path), "regimes"), cell="a1.05-b3", metric="aesthetic", regime="difference")
    assert row["low"] > 0


def test_lost_pairs_are_counted_and_make_the_worst_case_worse(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    found = sql.query(sql.connect(tmp_path), "regimes").filter(cell="a1.20-b5", metric="aesthetic")
    two = found.filter(pl.col("regime") != "difference")
    assert two["failed"].sum() == 3
    assert two["n"].sum() == 21
    hit = two.filter(pl.col("failed") > 0)
    assert (hit["worst_case"] < hit["change"]).all()


@pytest.mark.parametrize("measure", ["neg_energy", "instability"])
def test_other_measures_and_quantiles(tmp_path: Path, measure: str) -> None:
    make(tmp_path, Lake(prompts=20, seeds=5, images=False))
    connection = sql.connect(tmp_path)
    found = sql.query(connection, "regimes", measure=measure, quantile=0.2)
    row = one(found, cell="a1.05-b3", metric="scene", regime="unstable")
    assert (row["measure"], row["n"]) == (measure, 20)
    worst = one(
        sql.query(connection, "regimes", measure=measure), cell="a1.05-b3", metric="aesthetic", regime="unstable"
    )
    best = one(sql.query(connection, "regimes", measure=measure), cell="a1.05-b3", metric="aesthetic", regime="stable")
    assert worst["baseline"] < best["baseline"]
    with pytest.raises(ValueError, match=r"quantile 0.7: more than 0 and at most 0.5"):
        sql.query(connection, "regimes", quantile=0.7)
    with pytest.raises(ValueError, match=r"measure 'mood': one of neg_energy, instability, alignment"):
        sql.query(connection, "regimes", measure="mood")


@pytest.mark.parametrize("fraction", [0.2, 0.35])
def test_worst_fraction_is_what_numpy_says(tmp_path: Path, fraction: float) -> None:
    make(tmp_path, Lake(prompts=15, seeds=4, images=False))
    connection = sql.connect(tmp_path)
    found = sql.query(connection, "worst_fraction", fraction=fraction)
    pairs = connection.sql("FROM paired WHERE change IS NOT NULL").pl()
    for row in found.iter_rows(named=True):
        by = pairs.filter(cell=row["cell"], metric=row["chosen_by"]).sort("pair_id")
        of = pairs.filter(cell=row["cell"], metric=row["metric"]).sort("pair_id")
        worst = worst_mean(by["baseline"], of["change"], fraction)
        back = worst_mean(by["value"], -of["change"], fraction)
        expected = {
            "worst": worst,
            "best": worst_mean(-by["baseline"], of["change"], fraction),
            "swap": (worst - back) / 2,
        }
        assert row["change"] == pytest.approx(expected[row["regime"]], abs=1e-12)
        assert row["pairs"] == by.height == (57 if row["cell"] == "a1.20-b5" else 60)
        assert row["n"] == round(fraction * row["pairs"])
        assert row["failed"] == (3 if row["cell"] == "a1.20-b5" else 0)
        assert row["low"] <= row["change"] <= row["high"]
    with pytest.raises(ValueError, match=r"fraction 0.9"):
        sql.query(connection, "worst_fraction", fraction=0.9)


@pytest.mark.parametrize("repair", [0.0, 1.0])
def test_the_swap_control_tells_a_repair_from_drift(tmp_path: Path, repair: float) -> None:
    make(tmp_path, Lake(prompts=400, seeds=4, blocks=3, steps=0, images=False, repair=repair, lost=False, missing=()))
    found = sql.query(sql.connect(tmp_path), "worst_fraction")
    key = {"cell": "a1.05-b3", "chosen_by": "aesthetic", "metric": "aesthetic"}
    worst, swap = one(found, **key, regime="worst"), one(found, **key, regime="swap")
    assert worst["low"] > 0  # it looks repaired in both
    if repair:
        assert swap["low"] > 0.1
    else:
        assert swap["low"] < 0 < swap["high"]
        assert abs(swap["change"]) < 0.06


def test_a_null_drops_out_of_its_own_pair_alone(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from skewbench.storage.tables import TABLES

    run_id = make(tmp_path, Lake(prompts=10, images=False, lost=False))
    for path in (tmp_path / "scores" / f"run_id={run_id}").glob("*.parquet"):
        rows = pq.ParquetFile(path).read().to_pylist()
        hits = [row for row in rows if row["cell"] == "a1.05-b3" and row["metric"] == "scene"]
        if hits:
            hits[0]["value"] = None
            pq.write_table(pa.Table.from_pylist(rows, TABLES["scores"].schema), path)
    found = sql.query(sql.connect(tmp_path), "worst_fraction").filter(regime="swap")
    holes = found.filter(cell="a1.05-b3")
    assert dict(zip(holes["chosen_by"] + ">" + holes["metric"], holes["pairs"], strict=True)) == {
        "aesthetic>aesthetic": 30,
        "aesthetic>scene": 28,
        "scene>aesthetic": 28,
        "scene>scene": 28,
    }
    assert set(found.filter(cell="a1.20-b5")["pairs"]) == {30}
    assert found["change"].is_finite().all()


def regimes_of(folder: Path, instability: Callable[[int], float], quantile: float, prompts: int) -> list[str | None]:
    """The regime of each prompt, by the instability of its baseline."""
    run_id = make(folder, Lake(prompts=prompts, seeds=1, blocks=3, steps=0, images=False, lost=False))
    change = with_column("instability", lambda row: instability(int(row["prompt_id"][1:])))
    alter(folder, run_id, "stability", change)
    connection = sql.connect(folder)
    connection.execute(f"SET VARIABLE measure = 'instability'; SET VARIABLE quantile = {quantile}")
    found = connection.sql("SELECT regime FROM baseline_regimes WHERE kind = 'prompt' ORDER BY unit").fetchall()
    return [regime for (regime,) in found]


def test_units_that_are_alike_at_the_edge_are_in_no_regime(tmp_path: Path) -> None:
    least, more = [None] * 6, ["stable"] * 4
    assert regimes_of(tmp_path / "six", lambda prompt: 0.5 if prompt < 6 else 0.1, 0.5, 10) == [*least, *more]
    all_alike = regimes_of(tmp_path / "all", lambda prompt: 0.5, 0.5, 10)
    assert all_alike == [None] * 10
    five = regimes_of(tmp_path / "five", lambda prompt: 0.5 if prompt < 5 else 0.1, 0.5, 10)
    assert five == ["unstable"] * 5 + ["stable"] * 5


def test_both_regimes_have_the_share_that_was_asked_for(tmp_path: Path) -> None:
    found = regimes_of(tmp_path, lambda prompt: 0.9 - prompt / 1000, 0.07, 100)
    assert found == ["unstable"] * 7 + [None] * 86 + ["stable"] * 7


def test_a_difference_of_regimes_of_one_prompt_each_has_no_interval(tmp_path: Path) -> None:
    make(tmp_path, Lake(prompts=2, seeds=1, images=False, lost=False, blocks=3, steps=0, missing=()))
    rows = sql.query(sql.connect(tmp_path), "regimes").filter(kind="sample", regime="difference")
    assert rows.height
    assert set(rows["prompts"]) == {1}
    assert rows["change"].null_count() == 0
    assert rows["low"].null_count() == rows["high"].null_count() == rows["method"].null_count() == rows.height
