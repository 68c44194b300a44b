"""Win rates and agreement of metrics against numbers that polars and numpy compute by hand, and simulated votes."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from skewbench import sql
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.rating import Question, Votes, commit_votes, find_comparisons, shuffled
from tests.lakes import Lake, made
from tests.tasks.two_runs import alter, with_column

RATERS = ("ann", "bob", "eve")


def rated(folder: Path, lake: Lake | None = None, question: Question = "quality", always: str = "") -> str:
    """A run with random votes, some withdrawn and some changed; or with votes that are all for one cell."""
    store = LocalStore(folder)
    manifest = find_run(store, made(folder, lake or Lake(prompts=12)))
    rng = np.random.default_rng(3)
    placed = shuffled(find_comparisons(store, manifest, question).comparisons, 5)
    for rater in RATERS:
        votes = Votes(store, manifest, rater)
        for one in placed[:: 5 if question == "quality" else 1]:
            choice = always or [*one.cells, None][rng.integers(3)]
            votes.write(one, choice)
            if not always and rng.random() < 0.2:
                votes.write(one, None, withdrawn=True)
                if rng.random() < 0.5:
                    votes.write(one, one.cells[0])
    commit_votes(store, manifest.run_id, print)
    return manifest.run_id


def counted(folder: Path) -> pl.DataFrame:
    """The votes that count, from the files of the lake alone: columns of `ratings`, and cell, against, score."""
    rows = pl.read_parquet(folder / "ratings" / "*" / "*.parquet", hive_partitioning=True)
    key = ["rater", "question", "prompt_id", "pair_id", "pair"]
    rows = rows.with_columns(pair=pl.concat_list("left_cell", "right_cell").list.sort())
    rows = rows.sort("revision").group_by(key, maintain_order=True).last().filter(~pl.col("withdrawn"))
    against = pl.when(pl.col("pair").list.contains("baseline")).then(pl.lit("baseline"))
    rows = rows.with_columns(against=against)
    other = pl.when(pl.col("left_cell") == pl.col("against")).then("right_cell").otherwise("left_cell")
    score = pl.when(pl.col("choice").is_null()).then(0.5).otherwise((pl.col("choice") != pl.col("against")).cast(float))
    return rows.with_columns(cell=other, score=score)


def test_win_rates(tmp_path: Path) -> None:
    run_id = rated(tmp_path)
    votes = counted(tmp_path)
    with sql.connect(tmp_path, run_id) as lake:
        answer = sql.query(lake, "ratings")
    assert answer["cell"].to_list() == ["a1.05-b3", "a1.20-b5"]
    for row in answer.to_dicts():
        own = votes.filter(cell=row["cell"], against=row["against"])
        assert row["win_rate"] == pytest.approx(own["score"].mean())
        decided = own.filter(pl.col("score") != 0.5)
        assert row["n"] == own.height == row["wins"] + row["ties"] + row["losses"]
        assert (row["wins"], row["losses"]) == (int((own["score"] == 1).sum()), int((own["score"] == 0).sum()))
        assert (row["prompts"], row["raters"]) == (own["prompt_id"].n_unique(), own["rater"].n_unique())
        assert row["left"] == pytest.approx((decided["choice"] == decided["left_cell"]).mean())
        assert 0 <= row["low"] < row["win_rate"] < row["high"] <= 1


def _values(folder: Path, run_id: str, table: str) -> dict[tuple[str, ...], float]:
    rows = pl.read_parquet(folder / table / f"run_id={run_id}" / "*.parquet").drop_nulls("value")
    key = ["sample_id", "metric"] if table == "scores" else ["cell", "prompt_id", "metric"]
    return {tuple(row[name] for name in key): row["value"] for row in rows.drop_nulls(key).to_dicts()}


def _agreement(folder: Path, run_id: str, question: str) -> dict[str, tuple[float, int, int]]:
    """By metric: the share of votes that agree with higher is better, votes, and ties of the metric."""
    found: dict[str, list[float]] = {}
    keys: list[tuple[str, ...]]
    values = _values(folder, run_id, "scores" if question == "quality" else "group_scores")
    for vote in counted(folder).filter(pl.col("score") != 0.5).to_dicts():
        ours, other = ("left", "right") if vote["left_cell"] == vote["cell"] else ("right", "left")
        for metric in {key[-1] for key in values}:
            if question == "quality":
                keys = [(vote[f"{side}_samples"][0], metric) for side in (ours, other)]
            else:
                keys = [(vote[f"{side}_cell"], vote["prompt_id"], metric) for side in (ours, other)]
            if all(key in values for key in keys):
                change = values[keys[0]] - values[keys[1]]
                agrees = 0.5 if change == 0 else float((change > 0) == (vote["score"] == 1))
                found.setdefault(metric, []).append(agrees)
    return {name: (float(np.mean(one)), len(one), one.count(0.5)) for name, one in found.items()}


@pytest.mark.parametrize("question", ["quality", "diversity"])
def test_agreement_of_metrics(tmp_path: Path, question: Question) -> None:
    run_id = rated(tmp_path, question=question)
    with sql.connect(tmp_path, run_id) as lake:
        answer = sql.query(lake, "metric_agreement")
    expected = _agreement(tmp_path, run_id, question)
    assert (
        set(answer["metric"]) == expected.keys() == ({"scene", "aesthetic"} if question == "quality" else {"diversity"})
    )
    for row in answer.to_dicts():
        share, n, ties = expected[row["metric"]]
        assert row["agreement"] == pytest.approx(share)
        assert (row["n"], row["ties"]) == (n, ties)
        assert row["low"] < share < row["high"]
    if question == "quality":
        assert answer.filter(metric="scene")["ties"][0] > 0  # it has few values


def _with_better(folder: Path, run_id: str, better: str) -> None:
    path = folder / "_runs" / f"{run_id}.json"
    manifest = json.loads(path.read_text())
    for metric in manifest["metrics"]:
        metric["better"] = better
    path.write_text(json.dumps(manifest))


def test_the_better_side_of_a_metric_counts(tmp_path: Path) -> None:
    """Lower is better: the agreement is 1 less that of higher. Neither side is better: the metric is left out."""
    run_id = rated(tmp_path)

    def agreement() -> dict[str, float]:
        with sql.connect(tmp_path, run_id) as lake:
            return dict(sql.query(lake, "metric_agreement").select("metric", "agreement").iter_rows())

    higher = agreement()
    _with_better(tmp_path, run_id, "lower")
    assert agreement()["scene"] == pytest.approx(1 - higher["scene"])
    _with_better(tmp_path, run_id, "neither")
    assert "scene" not in agreement()


def test_values_of_two_versions_are_not_compared(tmp_path: Path) -> None:
    run_id = rated(tmp_path)
    with sql.connect(tmp_path, run_id) as lake:
        before = sql.query(lake, "metric_agreement").filter(metric="scene")["n"][0]

    def version(row: dict[str, Any]) -> int:
        return 2 if row["cell"] == "a1.05-b3" else 1

    alter(tmp_path, run_id, "scores", with_column("scorer_version", version))
    with sql.connect(tmp_path, run_id) as lake:
        after = sql.query(lake, "metric_agreement").filter(metric="scene")["n"][0]
        decided = lake.execute("SELECT count(*) FROM votes WHERE cell = 'a1.05-b3' AND score <> 0.5").fetchall()[0][0]
    assert after == before - decided < before


@pytest.mark.parametrize(("prompts", "verdict"), [(9, "not shown"), (10, "better")])
def test_no_verdict_from_fewer_than_ten_prompts(tmp_path: Path, prompts: int, verdict: str) -> None:
    lake = Lake(prompts=prompts, seeds=2, knobs=("baseline", "a1.05-b3"), lost=False)
    run_id = rated(tmp_path, lake, "diversity", always="a1.05-b3")
    with sql.connect(tmp_path, run_id) as opened:
        (row,) = sql.query(opened, "ratings").to_dicts()
    assert (row["prompts"], row["verdict"], row["win_rate"]) == (prompts, verdict, 1)
    # Wilson's interval of as many votes as there are prompts
    assert row["low"] == pytest.approx(prompts / (prompts + 1.959964**2))
    assert row["high"] == pytest.approx(1)


def _simulated(
    runs: int, prompts: int, raters: int, spread: tuple[float, float], rate: float, seed: int = 0
) -> tuple[pl.DataFrame, np.ndarray]:
    """The query's answer for simulated runs in which the true win rate is known, and who won: (runs, prompts, raters).

    The probability of a vote varies between prompts and between raters, by normal deviations of `spread`.
    """
    rng = np.random.default_rng(seed)
    of_prompt, of_rater = rng.normal(0, spread[0], (runs, prompts, 1)), rng.normal(0, spread[1], (runs, 1, raters))
    won = rng.random((runs, prompts, raters)) < np.clip(rate + of_prompt + of_rater, 0, 1)
    at = [place.ravel() for place in np.indices(won.shape)]
    votes = pl.DataFrame({"run": at[0], "prompt": at[1], "rater": at[2], "won": won.ravel()})
    with duckdb.connect() as lake:
        lake.register("simulated", votes.to_arrow())
        lake.execute("""
            CREATE TABLE ratings AS SELECT run::VARCHAR AS run_id, rater::VARCHAR AS rater, '2026' AS time,
                'quality' AS question, prompt::VARCHAR AS prompt_id, 'pair' AS pair_id, 'a' AS left_cell,
                'b' AS right_cell, ['x'] AS left_samples, ['y'] AS right_samples,
                CASE WHEN won THEN 'b' ELSE 'a' END AS choice, false AS withdrawn, 0 AS revision FROM simulated;
            CREATE TABLE cells AS SELECT DISTINCT run::VARCHAR AS run_id, cell, cell = 'a' AS baseline, position
                FROM simulated, (VALUES ('a', 0), ('b', 1)) AS both_cells (cell, position);
        """)
        for view in ("macros", "votes", "vote_intervals"):
            text = (files("skewbench.sql") / "views" / f"{view}.sql").read_text()
            lake.execute(text if view != "macros" else text.partition("-- scorer_key")[0])
        answer = lake.execute((files("skewbench.sql.queries.ratings") / "query.sql").read_text()).pl()
        errors = lake.execute("""
            WITH tallies AS (SELECT run_id, question, cell AS item, prompt_id, rater, sum(score) AS total, count(*) AS n
                FROM votes GROUP BY ALL)
            FROM vote_intervals('tallies')
        """).pl()
    answer = answer.join(errors.select("run_id", "error"), on="run_id").sort(pl.col("run_id").cast(int))
    return answer, won


@pytest.mark.parametrize(
    ("prompts", "raters", "spread", "rate"),
    [
        (30, 8, (0.15, 0.1), 0.6),
        (30, 8, (0.15, 0.15), 0.5),
        (40, 1, (0.2, 0.0), 0.6),
        (20, 4, (0.15, 0.15), 0.6),
        (20, 3, (0.05, 0.05), 0.92),
    ],
)
def test_intervals_cover_the_true_win_rate(prompts: int, raters: int, spread: tuple[float, float], rate: float) -> None:
    """Of 400 simulated runs, 95% should. Intervals that ignored raters would cover far fewer."""
    answer, won = _simulated(400, prompts, raters, spread, rate)
    assert answer["win_rate"].to_numpy() == pytest.approx(won.mean(axis=(1, 2)))
    truth = rate  # deviations are symmetric; clipping at 0 and 1 hardly ever happens
    covered = ((answer["low"] <= truth) & (truth <= answer["high"])).mean()
    width = (answer["high"] - answer["low"]).mean()
    assert isinstance(covered, float)
    assert isinstance(width, float)
    assert covered > 0.92
    assert width < 1.7 * 2 * 1.96 * won.mean(axis=(1, 2)).std()  # not wide beyond need
    if raters > 3:
        means = won.mean(axis=(1, 2))
        alone = np.sqrt(won.mean(axis=2).var(axis=1) / prompts)  # clustered by prompt alone
        assert (np.abs(means - truth) < 1.96 * alone).mean() < covered - 0.04


def test_the_error_is_that_of_the_pigeonhole_bootstrap() -> None:
    """The closed form against a bootstrap that draws prompts and raters."""
    answer, won = _simulated(5, 25, 6, (0.2, 0.15), 0.55, seed=1)
    rng = np.random.default_rng(0)
    for votes, error in zip(won.astype(float), answer["error"], strict=True):
        draws = []
        for _ in range(4000):
            rows, columns = rng.integers(25, size=25), rng.integers(6, size=6)
            draws.append(votes[rows][:, columns].mean())
        assert error == pytest.approx(np.std(draws), rel=0.06)
