"""What a metric is comes from the run itself; without that, from what was known when manifests did not hold it."""

import json
from pathlib import Path
from typing import Any

import pytest

from skewbench import sql
from tests.lakes import Lake, make
from tests.tasks.two_runs import alter, with_column

LAKE = Lake(prompts=6, seeds=2, images=False, lost=False, blocks=3, steps=0, knobs=("baseline", "a1.05-b3"))


def _declare(folder: Path, run_id: str, metrics: list[dict[str, Any]] | None) -> None:
    """Replace what the manifest says of its metrics; None: as manifests were before they held it."""
    path = folder / "_runs" / f"{run_id}.json"
    manifest = json.loads(path.read_text())
    del manifest["metrics"]
    path.write_text(json.dumps(manifest if metrics is None else manifest | {"metrics": metrics}))


def _known(folder: Path, columns: str = "label, better, higher_is_better") -> dict[str, tuple[Any, ...]]:
    with sql.connect(folder) as connection:
        rows = connection.execute(f"SELECT metric, {columns} FROM metrics").fetchall()
    return {metric: tuple(rest) for metric, *rest in rows}


def _aesthetic(**changes: Any) -> dict[str, Any]:
    bounds = {"low": None, "high": None, "grows_with_n": False, "rank": None, "may_be_absent": False}
    of = {"name": "aesthetic", "scorer": "aesthetic", "version": 1, "unit": "sample", "medium": "image"}
    return {**of, **bounds, "label": "Ugliness", "meaning": "the other way round", "better": "lower", **changes}


def test_a_metric_that_nobody_declared_has_no_better_side(tmp_path: Path) -> None:
    _declare(tmp_path, make(tmp_path, LAKE), None)
    known = _known(tmp_path, "label, better, higher_is_better, worst, best")
    assert known["scene"] == ("scene", "neither", None, None, None)
    with sql.connect(tmp_path) as connection:
        effects = sql.query(connection, "static_effect").filter(metric="scene")
        assert effects["change"].null_count() == 0
        assert effects["worst_case"].to_list() == [None]


def test_an_older_run_keeps_the_sides_that_it_had(tmp_path: Path) -> None:
    run_id = make(tmp_path, LAKE)
    _declare(tmp_path, run_id, None)
    assert _known(tmp_path)["aesthetic"] == ("Aesthetic", "higher", True)
    for metric, side in (("fid", ("FID", "lower", False)), ("sharpness", ("Sharpness", "neither", None))):
        alter(tmp_path, run_id, "scores", with_column("metric", lambda _, metric=metric: metric))
        assert _known(tmp_path)[metric] == side


def test_what_the_run_declares_comes_before_all_else(tmp_path: Path) -> None:
    _declare(tmp_path, make(tmp_path, LAKE), [_aesthetic()])
    assert _known(tmp_path)["aesthetic"] == ("Ugliness", "lower", False)


def test_two_runs_keep_what_each_declares(tmp_path: Path) -> None:
    first, second = make(tmp_path, LAKE), make(tmp_path, Lake(**{**vars(LAKE), "name": "later", "seed": 1}))
    _declare(tmp_path, first, [_aesthetic()])
    _declare(tmp_path, second, [_aesthetic(label="Beauty", better="higher")])
    with sql.connect(tmp_path) as connection:
        rows = connection.execute("SELECT run_id, label, better FROM metrics WHERE metric = 'aesthetic'").fetchall()
    assert sorted(rows) == sorted([(first, "Ugliness", "lower"), (second, "Beauty", "higher")])


@pytest.mark.parametrize(("grows", "key"), [(True, "toy 1 of 2"), (False, "toy 1")])
def test_the_comparability_key_has_n_where_the_metric_grows_with_it(tmp_path: Path, grows: bool, key: str) -> None:
    _declare(tmp_path, make(tmp_path, LAKE), [_aesthetic(name="diversity", unit="prompt", grows_with_n=grows)])
    with sql.connect(tmp_path) as connection:
        keys = connection.execute("SELECT DISTINCT comparability FROM prompt_metric_values").fetchall()
    assert keys == [(key,)]


def test_the_lowest_rank_stands_for_fidelity(tmp_path: Path) -> None:
    run_id = make(tmp_path, LAKE)
    for ranks, first in (((1, 2), "aesthetic"), ((2, 1), "scene"), ((None, 1), "scene")):
        declared = [_aesthetic(rank=ranks[0]), _aesthetic(name="scene", rank=ranks[1])]
        _declare(tmp_path, run_id, declared)
        with sql.connect(tmp_path) as connection:
            found = connection.execute("SELECT metric FROM main_metrics WHERE role = 'fidelity'").fetchall()
        assert found == [(first,)]
