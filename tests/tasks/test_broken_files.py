"""One broken file of a lake: the other runs work, the broken one is named with what to do, and can be repaired."""

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skewbench import sql
from skewbench.flows.cli import main
from skewbench.storage.baselines import find_baseline, remove_baseline, scan_baselines, set_baseline
from skewbench.storage.commit import commit_manifest
from skewbench.storage.manifest import find_run, list_runs, manifest_path, scan_runs
from skewbench.storage.store import LocalStore, Store
from skewbench.tasks.regressions.nights import remove_old
from skewbench.vocabulary.errors import InputError
from tests.lakes import Lake, made
from tests.paused_store import RUN, WHOLE, begin_run, rows_of

FIELDS = {"run_id": RUN, "name": "small", "status": "committed", "created": "2026-01-01", "parts": []}
PART = {"table": "samples", "path": f"samples/run_id={RUN}/a-1.parquet", "rows": 1, "bytes": 1, "sha256": ""}
CELL = {"name": "a", "knob": {"kind": "vanilla"}}
METRIC = {"name": "m", "scorer": "m", "version": 1, "unit": "sample"}


def _json(**changes: Any) -> bytes:
    return json.dumps(FIELDS | changes).encode()


BROKEN = {
    "truncated": _json()[:-5],
    "empty": b"",
    "bytes": b"\xff\x00\xfe",
    "null": b"null",
    "a text": b'"x"',
    "a list": b"[]",
    "nothing in it": b"{}",
    "nested": b"[" * 100_000,
    "nested fields": b'{"run_id":' * 100_000,
    "another run's": _json(run_id="other-1"),
    "no status": _json(status="done"),
    "cells without a knob": _json(cells=[{"name": "a"}]),
    "cells that are none": _json(cells=[3]),
    "a knob without a kind": _json(cells=[{"name": "a", "knob": {}}]),
    "a cell with words alone": _json(cells=[CELL | {"words": "w"}]),
    "a cell with strengths alone": _json(cells=[CELL | {"strengths": []}]),
    "strengths that are none": _json(cells=[CELL | {"words": "w", "family": "f", "strengths": None}]),
    "a strength without a value": _json(cells=[CELL | {"words": "w", "family": "f", "strengths": [{"name": "a"}]}]),
    "a family that is a number": _json(cells=[CELL | {"words": "w", "family": 3, "strengths": []}]),
    "a metric without a scorer": _json(metrics=[{"name": "m"}]),
    "a metric's bound that is a text": _json(metrics=[METRIC | {"low": "x"}]),
    "a metric's rank that is a list": _json(metrics=[METRIC | {"rank": []}]),
    "a metric that is a text": _json(metrics=["m"]),
    "an unknown table": _json(parts=[PART | {"table": "secrets", "path": f"secrets/run_id={RUN}/a-1.parquet"}]),
    "a part without a size": _json(parts=[{"table": "samples", "path": PART["path"]}]),
    "a negative size": _json(parts=[PART | {"bytes": -1, "schema_version": 1}]),
    "metrics that are a number": _json(experiment={"metrics": 3}),
    "a model that is a number": _json(experiment={"model": 3}),
    "a model's id that is a list": _json(experiment={"model": {"id": []}}),
    "a night that is none": _json(experiment={"repeat": 3}),
    "missing metrics without a reason": _json(missing_metrics=[{"metric": "m"}]),
    "an unknown field": _json(surprise=1),
    "a text as number": _json(shards="4"),
}


@pytest.fixture
def lake(tmp_path: Path) -> LocalStore:
    """A lake with one run that is whole, and one that a test breaks."""
    store = LocalStore(tmp_path / "lake")
    begin_run(store)
    made(tmp_path / "lake", Lake(name="whole", images=False, prompts=2))
    return store


@pytest.fixture(params=BROKEN.values(), ids=BROKEN.keys())
def broken(request: pytest.FixtureRequest, lake: LocalStore) -> LocalStore:
    """That lake, with a manifest that is none."""
    lake.put(manifest_path(RUN), request.param)
    return lake


def _command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["skewbench", *arguments])
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_broken_manifest_hides_no_other_run(broken: LocalStore) -> None:
    (other,) = list_runs(broken)
    assert [run.run_id for run in scan_runs(broken).broken] == [RUN]
    assert find_run(broken, None) == other
    assert find_run(broken, "whole") == other
    with pytest.raises(InputError, match=rf"{RUN}.json is not a manifest: .*verify {RUN} --repair.*runs rm {RUN}"):
        find_run(broken, RUN)
    with pytest.warns(sql.LakeWarning, match=f"{RUN}.json is not a manifest"):
        connection = sql.connect(broken.lake)
    assert connection.execute("SELECT run_id FROM runs").fetchall() == [(other.run_id,)]
    sql.connect(broken.lake, other.run_id)  # of which the broken one is no matter
    with pytest.raises(sql.LakeError, match="is not a manifest"):
        sql.connect(broken.lake, RUN)


@pytest.mark.parametrize("command", [["runs", "list"], ["status"]], ids=" ".join)
def test_commands_list_it_as_broken_with_what_to_do(
    broken: LocalStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    code, out, err = _command(monkeypatch, capsys, *command, "--lake", broken.lake)
    assert code == 0
    assert any(RUN in line and "broken" in line for line in out.splitlines())
    assert "whole-" in out
    assert err.startswith(f"note: _runs/{RUN}.json is not a manifest: ")
    assert f"skewbench verify {RUN} --repair" in err
    assert len(err.splitlines()) == 1


@pytest.mark.filterwarnings("default::sql.LakeWarning")
@pytest.mark.parametrize(
    "command", [["sql", "SELECT count(*) FROM samples"], ["query", "correlations"], ["runs", "show", "whole"]], ids=str
)
def test_commands_about_other_runs_work(
    lake: LocalStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    lake.put(manifest_path(RUN), b"{")
    code, out, err = _command(monkeypatch, capsys, *command, "--lake", lake.lake)
    assert (code, bool(out)) == (0, True)
    if command[0] != "runs":
        assert f"note: left out: _runs/{RUN}.json is not a manifest" in err
    assert _command(monkeypatch, capsys, "runs", "rm", "whole", "--yes", "--lake", lake.lake)[0] == 0


def test_a_broken_run_is_removed_like_another(
    broken: LocalStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _command(monkeypatch, capsys, "runs", "rm", RUN, "--yes", "--lake", broken.lake)
    assert (code, f"deleted {RUN}" in out) == (0, True)
    assert not [path for path in broken.list("") if RUN in path]
    assert len(list_runs(broken)) == 1


def test_verify_finds_and_repairs_a_broken_manifest(
    broken: LocalStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _command(monkeypatch, capsys, "verify", RUN, "--lake", broken.lake)
    assert (code, "is not a manifest" in err) == (1, True)
    code, out, _ = _command(monkeypatch, capsys, "verify", RUN, "--repair", "--lake", broken.lake)
    assert (code, f"rebuilt the manifest from plan and receipts: {RUN} is committed" in out) == (0, True)
    assert "all intact" in out
    assert rows_of(broken) == WHOLE


def test_a_running_run_is_verified_by_its_receipts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LocalStore(tmp_path)
    run_id = made(tmp_path, Lake(images=False, status="running", prompts=2))
    code, out, _ = _command(monkeypatch, capsys, "verify", run_id, "--lake", str(tmp_path))
    assert (code, "all intact" in out) == (0, True)
    path = store.list("_receipts")[0]
    store.put(path, b"{")
    assert _command(monkeypatch, capsys, "verify", run_id, "--lake", str(tmp_path))[0] == 1
    code, out, _ = _command(monkeypatch, capsys, "verify", run_id, "--repair", "--lake", str(tmp_path))
    assert (code, "deleted 1 broken receipts" in out) == (0, True)
    assert _command(monkeypatch, capsys, "verify", run_id, "--lake", str(tmp_path))[0] == 0


BASELINES = [b"", b"null", b"[]", b"[" * 100_000, b'{"name": "main"}', b'{"name": "x", "run_id": "r", "set": ""}']


@pytest.mark.parametrize("content", BASELINES, ids=lambda content: repr(content[:20]))
def test_a_broken_baseline_hides_no_other(store: Store, content: bytes) -> None:
    begin_run(store)
    set_baseline(store, "good", RUN)
    store.put("_baselines/main.json", content)
    assert [one.name for one in scan_baselines(store)[0]] == ["good"]
    assert [one.name for one in scan_baselines(store)[1]] == ["main"]
    with pytest.raises(InputError, match=r"main.json is not a baseline: .*baseline remove main"):
        find_baseline(store, "main")
    assert remove_baseline(store, "main").run_id == ""
    store.put("_baselines/main.json", content)
    assert set_baseline(store, "main", RUN) == find_baseline(store, "main")


def test_no_night_is_removed_while_a_baseline_is_broken(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    begin_run(store)
    store.put("_baselines/main.json", b"{")
    night = {"name": "small", "metrics": [], "repeat": "2026-02-01T00:00:00Z"}
    newer = replace(find_run(store, RUN), run_id="small-newer", experiment=night, parts=(), jobs=(), stored=None)
    commit_manifest(store, newer)
    with caplog.at_level(logging.WARNING):
        assert remove_old(store, "small", keep=1) == []
    assert "no old nightly run is removed" in caplog.text
    store.delete("_baselines/main.json")
    assert remove_old(store, "small", keep=1) == [RUN]


def test_a_removal_that_was_killed_is_shown_and_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LocalStore(tmp_path)
    commit_manifest(store, replace(begin_run(store), status="removing", parts=()))
    assert list_runs(store) == []
    code, out, err = _command(monkeypatch, capsys, "runs", "list", "--lake", str(tmp_path))
    assert (code, "removing" in out) == (0, True)
    assert f"`skewbench runs rm {RUN}` completes the removal" in err
    assert _command(monkeypatch, capsys, "runs", "rm", RUN, "--yes", "--lake", str(tmp_path))[0] == 0
    assert not [path for path in store.list("") if RUN in path]


def test_texts_of_somebody_elses_lake_are_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = made(tmp_path, Lake(images=False, prompts=2), created="[/bold]\x1b[2J")
    for command in (["runs", "list"], ["status"]):
        code, out, _ = _command(monkeypatch, capsys, *command, "--lake", str(tmp_path))
        assert (code, run_id in out, "\x1b" in out) == (0, True, False)


def test_a_driver_whose_manifest_breaks_says_so(store: Store) -> None:
    manifest = begin_run(store)
    store.put(manifest_path(RUN), b"broken")
    with pytest.raises(InputError, match=f"is not a manifest: .*verify {RUN} --repair"):
        commit_manifest(store, manifest)
    assert store.read(manifest_path(RUN)) == b"broken"
