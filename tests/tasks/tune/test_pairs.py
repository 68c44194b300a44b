"""The pairs of a search, as they are read from a lake: a trial keeps images that have no value in it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skewbench.tasks.tune.estimate import estimate
from skewbench.tasks.tune.measure import read_pairs
from skewbench.tasks.tune.objective import Bound, Objective
from tests.lakes import Lake, make
from tests.tasks.two_runs import alter, with_column

TRIAL = "a1.05-b3"
PLAIN = Lake(prompts=4, seeds=1, images=False, lost=False, blocks=3, steps=0, knobs=("baseline", TRIAL), missing=())


def test_a_trial_without_a_bounds_values_is_unclear(tmp_path: Path) -> None:
    run_id = make(tmp_path, PLAIN)

    def value(row: dict[str, Any]) -> float | None:
        return None if row["cell"] == TRIAL else row["value"]

    alter(tmp_path, run_id, "group_scores", with_column("value", value))
    found = read_pairs(str(tmp_path), run_id, ("scene", "diversity"))[TRIAL]
    assert np.isnan(found["diversity"].value).tolist() == [True] * 4
    estimated = estimate(found, Objective("scene", 1, (Bound("diversity", 1, 0.9, 0.0),)))
    assert (estimated.feasible, estimated.gain.n, estimated.slack[0].n) == ("unclear", 4, 0)


def test_a_failed_image_counts_with_the_worst_of_all_baseline_values(tmp_path: Path) -> None:
    run_id = make(tmp_path, PLAIN)
    baseline, trial = (0.1, 0.5, 0.5, 0.5), (None, None, 0.6, 0.7)  # the first has no value, the second failed

    def value(row: dict[str, Any]) -> float | None:
        return (trial if row["cell"] == TRIAL else baseline)[int(row["prompt_id"][1:])]

    def status(row: dict[str, Any]) -> str:
        return "failed" if row["cell"] == TRIAL and row["prompt_id"] == "p00001" else "ok"

    alter(tmp_path, run_id, "scores", with_column("value", value))
    alter(tmp_path, run_id, "samples", with_column("status", status))
    found = read_pairs(str(tmp_path), run_id, ("scene",))[TRIAL]
    assert found["scene"].baseline.tolist() == list(baseline)
    assert found["scene"].failed.tolist() == [False, True, False, False]
    estimated = estimate(found, Objective("scene", 1))
    assert (estimated.failed, estimated.gain.n) == (1, 3)
    assert estimated.gain.change == pytest.approx((0.1 - 0.5 + 0.1 + 0.2) / 3)
