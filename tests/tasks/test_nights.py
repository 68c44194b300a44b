"""Baselines, what is kept of nights, and the speed of a night beside the nights before it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skewbench.storage.baselines import find_baseline, remove_baseline, scan_baselines, set_baseline
from skewbench.storage.manifest import find_run, list_runs
from skewbench.storage.store import open_store
from skewbench.tasks.experiment import MarginSpec, NightlySpec
from skewbench.tasks.regressions import compare
from skewbench.tasks.regressions.nights import night_of, remove_old
from skewbench.vocabulary.errors import InputError
from tests.lakes import Lake, made
from tests.tasks.two_runs import add_regressions, alter, with_column

TINY = Lake("night", prompts=2, seeds=1, blocks=1, steps=0, images=False, knobs=("baseline",), lost=False)
SPEC = NightlySpec(margins=(MarginSpec(metric="seconds", margin=0.1),))


def _night(folder: Path, number: int, seconds: float = 1.0, source: str = "a", name: str = "night") -> str:
    """A run of one experiment, at midnight of a day in January; its id."""
    repeat = night_of(datetime(2026, 1, number, tzinfo=UTC))
    identity = {"source": source, "versions": {}, "revision": "r", "repeat": repeat, "seeds": 1}
    experiment = {"name": name, "repeat": repeat, "metrics": []}
    changes = {"created": repeat, "identity": identity, "experiment": experiment, "failed_jobs": [], "name": name}
    run = made(folder, replace(TINY, name=f"{name}-{number}"), **changes)
    path = folder / "_runs" / f"{run}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"experiment": experiment}))
    alter(folder, run, "samples", with_column("seconds", lambda row: seconds))
    return run


def _speed(folder: Path, run: str, against: str) -> dict[str, object]:
    store = open_store(folder)
    found = compare(store, find_run(store, run), find_run(store, against), SPEC)
    return found.table.filter(kind="speed").row(0, named=True)


QUIET = [1.0, 1.02, 0.99, 1.01, 0.98]


def test_speed_needs_five_earlier_nights(tmp_path: Path) -> None:
    runs = [_night(tmp_path, day, seconds) for day, seconds in enumerate(QUIET[:4], 1)]
    tonight = _night(tmp_path, 9, 1.3)
    few = _speed(tmp_path, tonight, runs[0])
    assert (few["verdict"], "found 4" in str(few["reason"])) == ("not comparable", True)
    _night(tmp_path, 5, QUIET[4])
    row = _speed(tmp_path, tonight, runs[0])
    assert (row["verdict"], row["n"], row["required"]) == ("worse", 5, True)
    assert row["before"] == pytest.approx(1.0, rel=1e-3)
    assert row["mean"] == 1.3


def test_an_incomplete_run_is_compared_by_what_it_made(tmp_path: Path) -> None:
    runs = [_night(tmp_path, day, seconds) for day, seconds in enumerate(QUIET, 1)]
    tonight = _night(tmp_path, 9, 1.3)
    path = tmp_path / "_runs" / f"{tonight}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "incomplete"}))
    assert _speed(tmp_path, tonight, runs[0])["verdict"] == "worse"


@pytest.mark.parametrize(("seconds", "verdict"), [(1.0, "same"), (1.15, "worse"), (0.7, "better"), (1.05, "same")])
def test_a_night_beside_quiet_ones(tmp_path: Path, seconds: float, verdict: str) -> None:
    runs = [_night(tmp_path, day, each) for day, each in enumerate([*QUIET, 1.005, 0.995, 1.0, 1.01, 0.99], 1)]
    assert _speed(tmp_path, _night(tmp_path, 20, seconds), runs[0])["verdict"] == verdict


def test_nights_on_another_device_and_slow_ones_do_not_count(tmp_path: Path) -> None:
    runs = [_night(tmp_path, day, seconds) for day, seconds in enumerate([*QUIET, 1.4], 1)]
    tonight = _night(tmp_path, 9, 1.3)
    assert _speed(tmp_path, tonight, runs[0])["verdict"] == "inconclusive"  # one of the six was as slow
    add_regressions(tmp_path, runs[5], against=runs[0])
    assert _speed(tmp_path, tonight, runs[0])["verdict"] == "worse"
    alter(tmp_path, runs[1], "samples", with_column("device", lambda row: "gpu"))
    assert "found 4" in str(_speed(tmp_path, tonight, runs[0])["reason"])


def test_two_builds_that_take_turns_compare(tmp_path: Path) -> None:
    """On a machine that gets slower all the while, which is kept out."""
    runs = {}
    for turn in range(1, 13):
        build = "ab"[turn % 2]
        drift = 1.01**turn * (1.2 if build == "b" else 1.0) * (1.0 + 0.003 * (turn % 3))
        runs[build] = _night(tmp_path, turn, drift, source=build)
    row = _speed(tmp_path, runs["b"], runs["a"])
    assert "interleaved pairs of runs" in str(row["method"])
    assert row["n"] == 6
    assert float(str(row["mean"])) / float(str(row["before"])) == pytest.approx(1.2, rel=0.005)
    assert row["verdict"] == "worse"


def test_baselines_are_names_of_committed_runs(tmp_path: Path) -> None:
    run, other = _night(tmp_path, 1), _night(tmp_path, 2)
    store = open_store(tmp_path)
    assert find_baseline(store, "main") is None
    assert set_baseline(store, "main", run).run_id == run
    assert set_baseline(store, "main", other).run_id == other
    assert [(one.name, one.run_id) for one in scan_baselines(store)[0]] == [("main", other)]
    with pytest.raises(InputError, match=r"no baseline 'mian'; there are: main"):
        remove_baseline(store, "mian")
    with pytest.raises(InputError, match="lower-case"):
        set_baseline(store, "../main", run)
    with pytest.raises(InputError, match="no such run"):
        set_baseline(store, "main", "absent")
    assert remove_baseline(store, "main").run_id == other
    assert scan_baselines(store)[0] == []
    broken = made(tmp_path, replace(TINY, name="broken"), status="incomplete", failed_jobs=[])
    with pytest.raises(InputError, match="incomplete: a baseline must be a committed run"):
        set_baseline(store, "main", broken)
    store.put("_baselines/main.json", b"{")
    with pytest.raises(InputError, match="is not a baseline"):
        find_baseline(store, "main")


def test_old_nights_go_but_not_a_baseline_nor_another_experiment(tmp_path: Path) -> None:
    runs = [_night(tmp_path, day) for day in range(1, 7)]
    others = [_night(tmp_path, day, name="other") for day in range(1, 4)]
    by_hand = made(tmp_path, replace(TINY, name="hand"), failed_jobs=[], experiment={"name": "night", "metrics": []})
    store = open_store(tmp_path)
    set_baseline(store, "main", runs[1])
    assert remove_old(store, "night", keep=2) == [runs[0], runs[2], runs[3]]
    left = {run.run_id for run in list_runs(store)}
    assert left == {runs[1], *runs[4:], *others, by_hand}
    assert remove_old(store, "night", keep=2) == []


def test_tonight_stays_though_its_night_is_older_than_those_that_are_kept(tmp_path: Path) -> None:
    runs = [_night(tmp_path, day) for day in range(1, 6)]
    store = open_store(tmp_path)
    assert remove_old(store, "night", keep=2, tonight=runs[1]) == [runs[0], runs[2]]
    assert {run.run_id for run in list_runs(store)} == {runs[1], *runs[3:]}
    assert remove_old(store, "night", keep=2, tonight=runs[4]) == [runs[1]]


def _unfinished(folder: Path, run: str) -> str:
    path = folder / "_runs" / f"{run}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "incomplete"}))
    return run


def test_nights_that_never_finished_push_out_none_that_did(tmp_path: Path) -> None:
    early = _unfinished(tmp_path, _night(tmp_path, 1))
    good = [_night(tmp_path, day) for day in (2, 3, 4)]
    bad = [_unfinished(tmp_path, _night(tmp_path, day)) for day in (5, 6, 7)]
    store = open_store(tmp_path)
    assert remove_old(store, "night", keep=4) == []
    assert remove_old(store, "night", keep=3) == [early]
    assert remove_old(store, "night", keep=2) == [good[0], bad[0]]  # nor does what is unfinished pile up
    assert {run.run_id for run in list_runs(store)} == {*good[1:], *bad[1:]}


def test_a_night_is_named_by_its_time_whatever_its_zone() -> None:
    east = datetime.fromisoformat("2026-05-01T02:00:00+02:00")
    assert night_of(east) == night_of(east.astimezone(UTC)) == "2026-05-01T00:00:00Z"
    assert night_of(east + timedelta(microseconds=5)) == night_of(east)
