"""The table of verdicts from pairs: one whose answer is known, corners, and a few trials."""

import numpy as np
import polars as pl
import pytest

from skewbench.eval.regressions import Margin, beyond_rounding, judged
from skewbench.eval.statistics import paired_change, sign_flip

ASKED = {"score": Margin(0.1, "higher", True), "measure": Margin(0.05, None)}


def _asked(kind: str, metric: str, before: np.ndarray) -> Margin:
    return ASKED.get(metric, Margin())


def _pairs(
    effect: float, prompts: int = 30, seed: int = 0, metrics: int = 10, moved: bool | None = None, noise: float = 0.2
) -> pl.DataFrame:
    """Two seeds a prompt, `metrics` rows; the first, `score`, has the effect."""
    rng = np.random.default_rng(seed)
    easy = rng.normal(size=prompts)
    rows = []
    for metric in ("score", *(f"other-{at}" for at in range(metrics - 1))):
        for prompt in range(prompts):
            shared = rng.normal(0, noise)
            for image in range(2):
                before = easy[prompt] + rng.normal(0, 0.3)
                change = (effect if metric == "score" else 0.0) + shared + rng.normal(0, noise / 2)
                key = {"cell": "c", "kind": "sample", "metric": metric, "stage": None, "unit": f"{prompt}-{image}"}
                rows.append(key | {"prompt_id": f"p{prompt}", "before": before, "value": before + change})
    frame = pl.DataFrame(rows, schema_overrides={"stage": pl.String})
    return frame.with_columns(moved=pl.lit(moved, pl.Boolean), disappeared=pl.lit(False), set=pl.lit(None, pl.String))


def test_numbers_are_those_of_the_statistics() -> None:
    pairs = _pairs(-0.3)
    row = judged(pairs, _asked, 0.01).row(0, named=True)
    mine = pairs.filter(metric="score")
    found = paired_change(mine["before"], mine["value"], mine["prompt_id"], 0.02)
    change = (mine["value"] - mine["before"]).to_numpy()
    assert (row["n"], row["prompts"], row["margin"]) == (60, 30, 0.1)
    assert (row["change"], row["low"], row["high"]) == pytest.approx((found.change, found.low, found.high))
    assert row["p"] == pytest.approx(sign_flip(change[:, None], mine["prompt_id"].to_numpy())[0])
    assert (row["verdict"], row["required"]) == ("worse", True)


def test_differences_that_are_rounding_are_no_effect() -> None:
    """Each image 1e-7 higher: on the same device nothing, whatever a test would say of so regular a shift."""
    pairs = _pairs(1e-7, noise=0.0, metrics=1, moved=False)
    assert judged(pairs, _asked, 0.01).select("verdict", "p", "moved").row(0) == ("same", 1.0, 0)
    elsewhere = judged(pairs.with_columns(moved=pl.lit(None, pl.Boolean)), _asked, 0.01)
    assert elsewhere.select("verdict", "q").row(0) == ("same", pytest.approx(1 / 20_000))  # by its margin


def test_corners() -> None:
    one = judged(_pairs(5.0, prompts=1, metrics=1), _asked, 0.01).row(0, named=True)
    assert (one["verdict"], one["p"], one["low"]) == ("inconclusive", 1.0, None)
    nothing = judged(_pairs(0.0).clear(), _asked, 0.01)
    assert nothing.height == 0
    nonfinite = _pairs(0.0, metrics=1).with_columns(value=pl.lit(float("nan")), moved=pl.lit(True))
    assert judged(nonfinite, _asked, 0.01).select("verdict", "change", "p").row(0) == ("worse", None, None)
    obstacle = {"cell": "c", "kind": "speed", "metric": "seconds", "obstacle": "too few nights"}
    table = judged(_pairs(0.0), _asked, 0.01, [obstacle])
    assert table.filter(metric="seconds").select("verdict", "reason").row(0) == ("not comparable", "too few nights")


def test_speed_is_a_family_of_its_own() -> None:
    """A hundred rows of equal images do not hide that all cells became slower."""
    slower = {"kind": "speed", "metric": "seconds", "n": 6, "prompts": 6, "better": "lower", "change": 0.1, "p": 0.004}
    table = judged(_pairs(0.0, metrics=100), _asked, 0.01, [slower | {"cell": cell} for cell in "abc"])
    assert table.filter(kind="speed").select("q", "verdict").rows() == [(pytest.approx(0.004), "worse")] * 3
    assert table.filter(pl.col("kind") != "speed")["q"].equals(judged(_pairs(0.0, metrics=100), _asked, 0.01)["q"])


def test_an_effect_stands_out_alone_in_a_table_of_any_size() -> None:
    table = judged(_pairs(-100.0, metrics=300), _asked, 0.01)
    assert table.filter(pl.col("q") <= 0.01).select("metric", "verdict").rows() == [("score", "worse")]
    alone = judged(_pairs(-100.0, prompts=12, metrics=60), _asked, 0.01).row(0, named=True)
    assert (alone["verdict"], alone["p"]) == ("inconclusive", 2**-11)  # of 60 tests one needs 1 in 6,000
    assert alone["reason"] == "too few prompts for a single effect to be significant among 60 tests"


def test_rounding_is_of_the_value_or_of_what_is_usual() -> None:
    before = np.array([1.0, 1e-9, 1.0, np.nan, np.nan, np.inf, 1.0, np.inf, 1.0, np.inf])
    value = np.array([1.00005, -1e-9, 1.001, np.nan, 1.0, np.inf, np.nan, 1.0, np.inf, -np.inf])
    assert beyond_rounding(before, value, 1e-4).tolist() == [False, False, True, False, True, False, True] + [True] * 3


def test_a_few_trials() -> None:
    """The short form of `python -m tests.regressions`, on drawn numbers: an effect is found, and nothing is not."""
    found = [judged(_pairs(-0.25, seed=seed), _asked, 0.01) for seed in range(30)]
    alarms = [judged(_pairs(0.0, seed=seed), _asked, 0.01) for seed in range(100, 160)]
    assert sum(table.row(0, named=True)["verdict"] == "worse" for table in found) >= 27
    assert sum(bool((table["q"] <= 0.01).any()) for table in alarms) <= 3  # 1% of 60, and what chance adds
