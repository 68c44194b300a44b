"""Where two runs part: values that are not finite, and runs that kept no steps."""

from pathlib import Path
from typing import Any

import pytest

from skewbench import sql
from tests.lakes import Lake
from tests.tasks.two_runs import Change, alter, two_runs, with_column

LAKE = Lake(prompts=3, seeds=2, images=False, lost=False, knobs=("baseline", "a1.05-b3"))
NAN, INF = float("nan"), float("inf")


def energy(value: float, means: bool = False) -> Change:
    """Energy of block 2 of one cell: at its last step, or its mean."""

    def steps(row: dict[str, Any]) -> Any:
        here = row["block"] == 2 and row["cell"] == "a1.05-b3"
        if means:
            return value if here else row["energy"]
        return [*row["energy_steps"][:3], value] if here else row["energy_steps"]

    return with_column("energy" if means else "energy_steps", steps)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_value_that_is_finite_in_one_run_alone_is_a_difference(tmp_path: Path, value: float) -> None:
    earlier, later = two_runs(tmp_path, LAKE, {"stability": energy(value)})
    connection = sql.connect(tmp_path)
    for run, against in ((later, earlier), (earlier, later)):
        found = sql.query(connection, "first_difference", run=run, against=against)
        assert found.select("cell", "measure", "step", "block", "n").rows() == [("a1.05-b3", "energy", 3, 2, 12)]
        assert not found["largest"].is_finite().any()


@pytest.mark.parametrize(("before", "now", "rows"), [(NAN, NAN, 0), (INF, INF, 0), (INF, -INF, 1), (NAN, INF, 1)])
def test_values_that_are_not_finite_differ_by_their_kind(tmp_path: Path, before: float, now: float, rows: int) -> None:
    earlier, _ = two_runs(tmp_path, LAKE, {"stability": energy(now)})
    alter(tmp_path, earlier, "stability", energy(before))
    assert sql.query(sql.connect(tmp_path), "first_difference").height == rows


@pytest.mark.parametrize("earlier_has_steps", [True, False])
def test_means_are_compared_where_a_run_kept_no_steps(tmp_path: Path, earlier_has_steps: bool) -> None:
    earlier, later = two_runs(tmp_path, LAKE, {"stability": energy(0.5, means=True)})
    connection = sql.connect(tmp_path)
    assert sql.query(connection, "first_difference").is_empty()  # of two that kept them the steps count
    names = connection.sql("FROM stability LIMIT 0").columns
    for name in names:
        if name == "steps" or name.endswith("_steps"):
            run = later if earlier_has_steps else earlier
            alter(tmp_path, run, "stability", with_column(name, lambda row: None))
    found = sql.query(sql.connect(tmp_path), "first_difference")
    assert found.select("cell", "measure", "step", "block", "n").rows() == [("a1.05-b3", "energy", None, 2, 12)]
