"""Two nights of a small experiment: run, compared, kept, and started twice; and a night that got worse fails."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.logging import disable_run_logger
from typer.testing import CliRunner

from skewbench import sql
from skewbench.flows import experiments, nightly
from skewbench.flows.cli import app, regressions
from skewbench.storage.baselines import set_baseline
from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import find_run, list_runs, write_manifest
from skewbench.storage.receipts import Receipt, write_receipt
from skewbench.storage.store import LocalStore
from skewbench.tasks.experiment import Experiment, parse_experiment
from skewbench.vocabulary.errors import IncompleteRunError, RunError
from tests.flows.command import SMALL, run_in_process, skewbench, write_experiment
from tests.lakes import Lake
from tests.tasks.two_runs import two_runs, with_column

RUNNER = CliRunner(env={"COLUMNS": "200"})
pytestmark = pytest.mark.timeout(1800)  # two nights, on a machine that may be busy
NIGHTLY = {"baseline": "main", "keep": 1, "margins": [{"metric": "contrast", "margin": 0.05, "better": "higher"}]}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an experiment of 4 images."""
    path = tmp_path_factory.mktemp("nights") / "small.yaml"
    fields = {
        **SMALL,
        "prompts": {"source": "scenes", "count": 2},
        "cells": SMALL["cells"][:1],
        "metrics": ["contrast"],
    }
    path.write_text(yaml.safe_dump({**fields, "generation": {"steps": 2}, "nightly": NIGHTLY}))
    return path


@pytest.mark.slow
def test_nights(experiment: Path, prefect: dict[str, str]) -> None:
    lake = experiment.parent / "lake"
    store = LocalStore(lake)

    def night_of(day: int) -> str:
        time = f"2026-05-{day:02d}T02:00Z"
        done = skewbench("nightly", str(experiment), "--night", time, "--lake", str(lake), home=prefect)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "no baseline 'main' exists" in night_of(1)
    (night,) = list_runs(store)
    assert night.experiment["repeat"] == "2026-05-01T02:00:00Z"
    assert _said("baseline", "set", "main", night.run_id, "--lake", str(lake)) == f"baseline main: {night.run_id}\n"
    assert night.run_id in _said("baseline", "list", "--lake", str(lake))

    assert " same" in night_of(2)
    later = list_runs(store)[-1]
    kept = {one.run_id for one in list_runs(store)}
    assert kept == {night.run_id, later.run_id}  # one night, and the baseline
    rows = json.loads(_said("query", "regressions", "--format", "json", "--lake", str(lake)))
    key = {(row["run_id"], row["against"], row["baseline"], row["night"]) for row in rows}
    assert key == {(later.run_id, night.run_id, "main", "2026-05-02T02:00:00Z")}
    assert {row["verdict"] for row in rows if row["kind"] != "speed"} == {"same"}

    compared = _said("compare", "main", later.run_id, "--fail-on", "changed", "--all", "--lake", str(lake))
    assert f"{later.run_id} against {night.run_id}" in compared
    assert "with itself" in str(RUNNER.invoke(app, ["compare", "main", night.run_id, "--lake", str(lake)]).exception)
    refused = RUNNER.invoke(app, ["runs", "rm", night.run_id, "--yes", "--lake", str(lake)])
    assert "is the baseline 'main'" in str(refused.exception)

    with Lease(store, "nightly-small"), disable_run_logger():
        busy = nightly.nightly.fn(experiments.load(str(experiment)), str(lake), night=datetime.now(UTC))
    assert busy.is_completed()
    assert "another night is running" in str(busy.message)
    assert len(list_runs(store)) == 2


def test_several_experiments_run_one_after_the_other_whatever_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[str] = []

    def run_night(_console: object, _run: object, experiment: Experiment, *_others: object) -> None:
        ran.append(experiment.name)
        if experiment.name == "second":
            raise RunError("binding is worse")

    monkeypatch.setattr(regressions, "_run_night", run_night)
    monkeypatch.setattr(regressions, "prefect_and_ray", lambda *_arguments: nullcontext())
    files = []
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        files.append(write_experiment(tmp_path / name, name=name))
    lake = str(tmp_path / "lake")
    done = run_in_process(monkeypatch, "nightly", *files, "--lake", lake)
    assert ran == ["first", "second", "third"]
    assert done.returncode == 1
    assert "failed: second: binding is worse" in done.stderr
    assert "1 of 3 experiments failed" in done.stderr
    ran.clear()
    twice = run_in_process(monkeypatch, "nightly", files[0], files[0], "--lake", lake)
    assert (twice.returncode, ran) == (2, [])
    assert "a second experiment of the name 'first'" in twice.stderr


def _said(*arguments: str) -> str:
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_what_is_worse_ends_the_night_failed_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lower(row: dict[str, Any]) -> float | None:
        return row["value"] - 0.5 if row["metric"] == "aesthetic" else row["value"]

    def recolour(row: dict[str, Any]) -> dict[str, Any]:
        return {"bytes": encoded["later" if row["seed"] else "same"], "path": None}

    lake = Lake(prompts=16, seeds=2, blocks=3, steps=0, knobs=("baseline",), lost=False)
    encoded = {"later": _png(200), "same": _png(90)}
    was, now = two_runs(
        tmp_path, lake, {"scores": with_column("value", lower), "images": with_column("image", recolour)}
    )
    store = LocalStore(tmp_path)
    parts = find_run(store, now).parts
    write_receipt(store, Receipt(JobKey(GENERATION, shard="all"), now, parts, 1.0, {}))
    set_baseline(store, "main", was)
    shown: dict[str, str] = {}
    monkeypatch.setattr(nightly, "create_markdown_artifact", lambda markdown, **about: shown.update(page=markdown))
    fields = {**SMALL, "nightly": {"baseline": "main", "margins": [{"metric": "aesthetic", "margin": 0.1}]}}
    with pytest.raises(RunError, match="required and worse: aesthetic of baseline"):
        nightly._judge(store, now, parse_experiment(fields, "test"))
    assert shown["page"].count("data:image/") == 12
    assert "| **worse** | baseline | aesthetic |" in shown["page"]
    with sql.connect(tmp_path) as connection:
        worse = sql.query(connection, "regressions", verdict="worse")
    assert worse.select("run_id", "against", "metric", "required").rows() == [(now, was, "aesthetic", True)]


def test_an_incomplete_night_fails_with_its_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing that is required is worse in what it has."""
    was, now = two_runs(tmp_path, Lake(prompts=12, images=False, knobs=("baseline",), lost=False))
    store = LocalStore(tmp_path)
    parts = find_run(store, now).parts
    write_receipt(store, Receipt(JobKey(GENERATION, shard="all"), now, parts, 1.0, {}))
    set_baseline(store, "main", was)

    def incomplete(*_: Any) -> str:
        raise IncompleteRunError(f"run {now} is incomplete: cell skew: 3 of 4 samples", now)

    monkeypatch.setattr(nightly, "benchmark", incomplete)
    monkeypatch.setattr(nightly, "create_markdown_artifact", lambda markdown, **about: None)
    experiment = parse_experiment({**SMALL, "nightly": {"baseline": "main"}}, "test")
    said = rf"(?s)run {now} is incomplete: cell skew: 3 of 4 samples.*{now} against {was}: .*same"
    with disable_run_logger(), pytest.raises(RunError, match=said):
        nightly.nightly.fn(experiment, str(tmp_path), night=datetime.now(UTC))
    assert "regressions" in {part.table for part in find_run(store, now).parts}


def test_where_nothing_can_be_compared_no_gate_lets_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(prompts=3, seeds=1, blocks=3, steps=0, images=False, knobs=("baseline",), lost=False)
    was, now = two_runs(tmp_path, lake, {"samples": with_column("steps", lambda row: 7)})
    file = write_experiment(tmp_path)
    arguments = ["compare", was, now, "--lake", str(tmp_path), "--margins", file]
    assert " not comparable" in _said(*arguments)
    for gate in ("worse", "changed"):
        gated = RUNNER.invoke(app, [*arguments, "--fail-on", gate])
        assert isinstance(gated.exception, RunError)
        assert str(gated.exception).startswith("nothing could be compared (steps differs: 1 and 7)")
    set_baseline(LocalStore(tmp_path), "main", was)
    parts = find_run(LocalStore(tmp_path), now).parts
    write_receipt(LocalStore(tmp_path), Receipt(JobKey(GENERATION, shard="all"), now, parts, 1.0, {}))
    monkeypatch.setattr(nightly, "create_markdown_artifact", lambda markdown, **about: None)
    with pytest.raises(RunError, match=f"nothing could be compared.*`skewbench baseline set main {now}`"):
        nightly._judge(LocalStore(tmp_path), now, parse_experiment({**SMALL, "nightly": {"baseline": "main"}}, "test"))


def _png(red: int) -> bytes:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (8, 8), (red, 80, 160)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_comparison_names_a_run_that_is_not_whole(tmp_path: Path) -> None:
    was, now = two_runs(tmp_path, Lake(prompts=12, images=False))
    store = LocalStore(tmp_path)
    write_manifest(store, replace(find_run(store, now), status="incomplete"))
    margins = write_experiment(tmp_path)
    done = RUNNER.invoke(app, ["compare", was, now, "--lake", str(tmp_path), "--margins", margins])
    assert done.exit_code == 0, done.exception
    assert (
        f"note: {now} is incomplete: the comparison covers its finished samples; `skewbench run` resumes it\n"
        in done.stderr
    )
