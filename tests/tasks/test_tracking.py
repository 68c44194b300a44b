"""Runs in trackers: what they store equals the queries' numbers, offline, and a run that is sent twice is one run."""

import importlib.util
import json
import math
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from skewbench import sql
from skewbench.flows import steps
from skewbench.storage.store import LocalStore
from skewbench.tasks.trackers.contract import NotSent, TrackedRun, Tracker, flat, one_line
from skewbench.tasks.trackers.registry import trackers
from skewbench.tasks.tracking import track_run
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.registry import Entry, UnknownName
from tests.flows.command import run_in_process, write_experiment
from tests.lakes import Lake, made

LAKE = Lake(prompts=4, blocks=2)


class Recording(Tracker):
    """Keeps what it gets, or fails."""

    name, package, install = "recording", "json", "nothing"

    def __init__(self) -> None:
        self.runs: list[TrackedRun] = []
        self.files: dict[str, bytes] = {}
        self.error: Exception | None = None

    def send(self, run: TrackedRun) -> str:
        if self.error:
            raise self.error
        self.runs.append(run)
        files = [path for path in run.folder.rglob("*") if path.is_file()]
        self.files = {path.relative_to(run.folder).as_posix(): path.read_bytes() for path in files}
        return "memory"


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    tracker = Recording()
    trackers.names()
    monkeypatch.setitem(trackers._items, "recording", Entry("recording", tracker, __name__))
    return tracker


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders no figures, which takes seconds."""
    monkeypatch.setattr("skewbench.tasks.tracking._write_figures", lambda _answers, folder: folder.mkdir())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracked") / "lake"
    made(folder, LAKE, identity={"revision": "abc", "versions": {"skewbench": "0.1.0"}})
    return folder


def _expected(lake: Path) -> Any:
    """Numbers of the query, named by hand."""
    with sql.connect(lake) as connection:
        rows = sql.query(connection, "operating_curve").to_dicts()
    found = {}
    for row in rows:
        metric = f"{row['cell']}/{row['metric']}"
        found |= {metric: row["mean"], f"{metric}/low": row["low"], f"{metric}/high": row["high"]}
        found |= {f"{metric}/n": row["n"], f"{metric}/worst_case": row["worst_case"]}
        found |= {f"{row['cell']}/{name}": row[name] for name in ("samples", "failed", "blank", "nonfinite")}
    assert any(name.endswith("/failed") and value for name, value in found.items())
    known = {name: float(value) for name, value in found.items() if value is not None}
    return pytest.approx(known, rel=1e-12)  # DuckDB's threads sum in any order


def test_a_tracker_gets_the_numbers_of_the_queries_and_the_report(lake: Path, recording: Recording) -> None:
    assert track_run(LocalStore(lake), "toy", "recording") == "memory"
    (run,) = recording.runs
    assert run.metrics == _expected(lake)
    assert run.tags == {"revision": "abc", "status": "committed", "created": run.tags["created"], "skewbench": "0.1.0"}
    assert recording.files["report.html"] == (lake / "_reports" / f"{run.run_id}.html").read_bytes()
    assert yaml.safe_load(recording.files["settings.yaml"]) == run.settings
    figures = [name for name in recording.files if name.startswith("figures/")]
    assert "figures/curve-01.png" in figures
    assert all(recording.files[name].startswith(b"\x89PNG") for name in figures)
    assert not run.folder.exists()


def _sent_twice(
    lake: Path, tracker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[str, dict[str, float], list[str]]:
    """Send the run two times. Returns its id, the numbers that were sent last, and the names of the figures."""
    if importlib.util.find_spec(trackers.get(tracker).package) is None:
        pytest.skip(f"{trackers.get(tracker).package} is not installed")
    monkeypatch.chdir(tmp_path)
    metrics: dict[str, float] = {}
    figures: list[str] = []
    send = type(trackers.get(tracker)).send

    def noted(self: Tracker, run: TrackedRun) -> str:
        metrics.update(run.metrics)
        figures[:] = [path.stem for path in run.figures]
        return send(self, run)

    monkeypatch.setattr(type(trackers.get(tracker)), "send", noted)
    for _ in range(2):
        assert track_run(LocalStore(lake), "toy", tracker)
    assert metrics == _expected(lake)
    return next((lake / "_runs").iterdir()).stem, metrics, figures


@pytest.mark.filterwarnings("ignore")  # of the trackers' own libraries
def test_mlflow(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    run_id, metrics, figures = _sent_twice(lake, "mlflow", monkeypatch, tmp_path)
    from mlflow import MlflowClient

    client = MlflowClient()
    (experiment,) = client.search_experiments(filter_string="name = 'toy'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == metrics
    assert (run.info.run_name, run.info.status) == (run_id, "FINISHED")
    assert (run.data.tags["revision"], run.data.tags["skewbench"]) == ("abc", "0.1.0")
    assert run.data.params["metrics"] == '["scene", "diversity"]'
    files = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "settings.yaml", "cells.csv"} <= files
    stored = {Path(one.path).stem for one in client.list_artifacts(run.info.run_id, "figures")}
    assert stored == set(figures) != set()


@pytest.mark.filterwarnings("ignore")
def test_wandb(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    run_id, metrics, figures = _sent_twice(lake, "wandb", monkeypatch, tmp_path)
    folders = sorted(tmp_path.glob("wandb/offline-run-*"))
    assert len(folders) == 2  # `wandb sync` merges them, because they have one id
    for folder in folders:
        (file,) = folder.glob("*.wandb")
        records = list(_records(file))
        (run,) = (record.run for record in records if record.WhichOneof("record_type") == "run")
        assert (run.run_id, run.project, run.resumed) == (run_id, "toy", False)
        config = {item.key: json.loads(item.value_json) for item in run.config.update}
        assert (config["name"], config["skewbench"]["revision"]) == ("toy", "abc")
        summary = {
            item.key or "/".join(item.nested_key): json.loads(item.value_json)
            for record in records
            if record.WhichOneof("record_type") == "summary"
            for item in record.summary.update
        }
        assert {name: summary[name] for name in metrics} == pytest.approx(metrics, rel=1e-12)
        assert {f"figures/{name}" for name in figures} <= {
            "/".join((item.key or "/".join(item.nested_key)).split("/")[:2])
            for record in records
            if record.WhichOneof("record_type") == "history"
            for item in record.history.item
        }
        (report,) = (record.artifact for record in records if record.WhichOneof("record_type") == "artifact")
        assert "report.html" in {entry.path for entry in report.manifest.contents}
        assert not list(folder.rglob("requirements.txt"))
        assert not list(folder.rglob("wandb-metadata.json"))


def _records(file: Path) -> Iterator[Any]:
    """The records of a run's file: a header, then blocks of 32 KiB in the format of LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole, at = whole + content[at + 7 : at + 7 + size], at + 7 + size
        if kind in (1, 4):  # a whole record, or the last piece of one
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


@pytest.mark.filterwarnings("ignore")
def test_trackio(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("trackio") is None:
        pytest.skip("trackio is not installed")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    assert "trackio" not in sys.modules  # it reads the variable when it is imported
    run_id, metrics, figures = _sent_twice(lake, "trackio", monkeypatch, tmp_path)
    import trackio

    (run,) = trackio.Api().runs("toy")
    assert (run.name, run.config["skewbench"]["revision"]) == (run_id, "abc")
    rows = trackio.sqlite_storage.SQLiteStorage.get_logs("toy", run_id)
    assert len(rows) == 2
    assert {name: rows[-1][name] for name in metrics} == metrics
    for row in rows:
        assert {f"figures/{name}" for name in figures} <= row.keys()
    assert list((tmp_path / "trackio").rglob("*.png"))


def test_a_tracker_is_checked_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("run", write_experiment(tmp_path), "--lake", str(tmp_path / "lake"), "--track")
    unknown = run_in_process(monkeypatch, *given, "mlfow")
    assert (unknown.returncode, "did you mean 'mlflow'?" in unknown.stderr) == (2, True)
    monkeypatch.setattr("skewbench.tasks.trackers.contract.find_spec", lambda _: None)
    missing = run_in_process(monkeypatch, *given, "wandb")
    assert (missing.returncode, "pip install 'skewbench[wandb]'" in missing.stderr) == (2, True)
    assert not (tmp_path / "lake").exists()
    with pytest.raises(UnknownName):
        steps.check_tracking("nothing")
    steps.check_tracking("")


@pytest.mark.slow
def test_a_tracker_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recording: Recording) -> None:
    lake = tmp_path / "the lake"
    run_id = made(lake, Lake(prompts=4, blocks=1, images=False))
    recording.error = ConnectionError("https://me:secret@tracker.example/api?token=hidden\nis down")
    failed = run_in_process(monkeypatch, "track", run_id, "--to", "recording", "--lake", str(lake))
    again = f"`skewbench track {run_id} --to recording --lake '{lake}'`"
    line = (
        f"{run_id} was not sent to recording: https://tracker.example/api?token=... is down; send it again with {again}"
    )
    assert (failed.returncode, failed.stderr) == (1, f"error: {line}\n")
    shortcut = run_in_process(monkeypatch, "report", run_id, "--track", "recording", "--lake", str(lake))
    assert (shortcut.returncode, f"note: {line}\n" in shortcut.stderr) == (0, True)
    warnings: list[str] = []
    logger = types.SimpleNamespace(warning=warnings.append, info=lambda *_: None)
    monkeypatch.setattr(steps, "get_run_logger", lambda: logger)
    steps.send_run(LocalStore(lake), run_id, "recording")
    assert warnings == [line]
    recording.error = None
    sent = run_in_process(monkeypatch, "track", run_id, "--to", "recording", "--lake", str(lake))
    assert (sent.returncode, sent.stdout) == (0, f"{run_id} is in recording: memory\n")


@pytest.mark.usefixtures("no_figures")
def test_a_score_and_a_run_send_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recording: Recording
) -> None:
    prompts = {"source": "scenes", "count": 2, "objects": [1]}
    experiment = write_experiment(tmp_path, prompts=prompts, seeds=1, generation={"steps": 1})
    given = ("--lake", str(tmp_path / "lake"), "--local")
    assert run_in_process(monkeypatch, "run", experiment, *given).returncode == 0
    assert recording.runs == []
    for count in (1, 2):  # the second start finds the run complete
        done = run_in_process(monkeypatch, "run", experiment, *given, "--track", "recording")
        assert (done.returncode, len(recording.runs), "recording: memory" in done.stdout) == (0, count, True)
    scored = run_in_process(monkeypatch, "score", "small", "--metrics", "sharpness", *given, "--track", "recording")
    assert (scored.returncode, len(recording.runs)) == (0, 3)
    assert "baseline/sharpness" in recording.runs[-1].metrics
    assert "baseline/sharpness" not in recording.runs[0].metrics
    others = {name: value for name, value in recording.runs[-1].metrics.items() if "sharpness" not in name}
    assert recording.runs[0].metrics == pytest.approx(others, rel=1e-12)
    assert all(map(math.isfinite, recording.runs[0].metrics.values()))


def test_a_running_run_is_not_sent(tmp_path: Path, recording: Recording) -> None:
    run_id = made(tmp_path, Lake(prompts=2, status="running"))
    with pytest.raises(InputError, match="is not finished"):
        track_run(LocalStore(tmp_path), run_id, "recording")
    assert recording.runs == []


def test_settings_are_flat_and_lines_hold_no_secret() -> None:
    settings = {
        "model": {"id": "x"},
        "cells": [{"name": "a", "knob": {"kind": "vanilla"}}],
        "metrics": ["b"],
        "more": {},
    }
    assert flat(settings) == {"model.id": "x", "cells.a.knob.kind": "vanilla", "metrics": ["b"], "more": {}}
    assert one_line("postgres://me:word@host/db \n and http://h/?write_token=t1") == (
        "postgres://host/db and http://h/?write_token=..."
    )
    assert one_line(NotSent()) == "NotSent"
