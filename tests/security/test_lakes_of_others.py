"""A lake may come from somebody else: what it says is shown, never obeyed."""

import ast
import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import duckdb
import polars as pl
import pytest

from skewbench import sql
from skewbench.flows.cli import main
from skewbench.flows.cli.tables import print_rows
from skewbench.sql.literals import literal
from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.manifest import find_run, read_manifest
from skewbench.storage.receipts import scan_receipts
from skewbench.storage.repair import repair
from skewbench.storage.store import LocalStore
from skewbench.tasks.families.registry import families
from skewbench.tasks.replay import replay_script
from skewbench.vocabulary.errors import InputError
from tests.lakes import Lake, make
from tests.security.hostile import PROMPTS
from tests.tasks.experiments import small


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "lake"
    make(folder, Lake(images=False, prompts=2))
    (tmp_path / "victim.parquet").write_text("mine")
    (tmp_path / "run_id=victim").mkdir()
    (tmp_path / "run_id=victim" / "mine.parquet").write_text("mine")
    yield folder
    assert (tmp_path / "victim.parquet").read_text() == "mine"
    assert (tmp_path / "run_id=victim" / "mine.parquet").read_text() == "mine"


def _change(lake: Path, **changes: object) -> str:
    (path,) = (lake / "_runs").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path.stem


PATHS = [
    "../victim.parquet",
    "{lake}/../victim.parquet",
    "samples/../../victim.parquet",
    "samples/run_id=other-1/a-1.parquet",
    "samples/run_id={run}/../run_id=other-1/a-1.parquet",
    "samples/run_id={run}/folder/a-1.parquet",
    "images/run_id={run}/a-1.parquet",
    "_runs/other-1.json",
    "samples/run_id={run}/.parquet",
    "samples/run_id={run}/a\n.parquet",
    "",
]


@pytest.mark.parametrize("path", PATHS)
def test_parts_that_are_no_files_of_the_run_are_refused(lake: Path, path: str) -> None:
    run_id = next((lake / "_runs").glob("*.json")).stem
    part = {
        "table": "samples",
        "path": path.format(lake=lake, run=run_id),
        "rows": 1,
        "bytes": 4,
        "sha256": "",
        "schema_version": 1,
    }
    _change(lake, parts=[part])
    with pytest.raises(InputError, match=r"is not a manifest: part '.*' is not a file of"):
        read_manifest(LocalStore(lake), run_id)
    with pytest.raises(sql.LakeError, match=r"is not a manifest: part '.*' is not a file of"):
        sql.connect(lake, run_id)


def test_parts_of_another_run_are_refused(lake: Path) -> None:
    part = {"table": "samples", "path": "samples/run_id=victim/mine.parquet", "rows": 1, "bytes": 4, "sha256": ""}
    run_id = _change(lake, parts=[{**part, "schema_version": 1}])
    with pytest.raises(sql.LakeError, match=f"is not a file of samples/run_id={run_id}"):
        sql.connect(lake, run_id)


def test_a_manifest_speaks_for_its_own_run_alone(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _change(lake, run_id="x/../../../run_id=victim")
    with pytest.raises(InputError, match="belongs to run"):
        find_run(LocalStore(lake), None)
    with pytest.warns(sql.LakeWarning, match="belongs to run"), pytest.raises(sql.LakeError, match="no readable run"):
        sql.connect(lake)
    monkeypatch.setattr(
        sys, "argv", ["skewbench", "runs", "rm", "x/../../../run_id=victim", "--yes", "--lake", str(lake)]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "../../../run_id=victim/mine"},
        {"key": "folder/x"},
        {"key": {"kind": "generation", "shard": "other"}},
        {"run_id": "x/../../../run_id=victim"},
        {"parts": [{"path": "../victim.parquet"}]},
        {"parts": [{"path": "_runs/other-1.json"}]},
        {"parts": [{"path": "samples/run_id=other-1/a-1.parquet"}]},
    ],
)
@pytest.mark.parametrize("old", [False, True], ids=["typed", "old"])
def test_a_receipt_speaks_for_its_own_shard_alone(lake: Path, changes: dict[str, object], old: bool) -> None:
    run_id = next((lake / "_runs").glob("*.json")).stem
    rest = {"table": "samples", "rows": 1, "bytes": 4, "sha256": "", "schema_version": 1}
    key = JobKey(GENERATION, shard="x")
    receipt = {"key": asdict(key), "run_id": run_id, "parts": [], "seconds": 1.0, "counts": {}}
    if old:
        receipt |= {"key": "generation-x", "shard": "x"}
    receipt |= changes
    receipt["parts"] = [rest | part for part in receipt["parts"]]
    folder = lake / "_receipts" / f"run_id={run_id}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ("generation-x.json" if old else f"{key.digest}.json")
    file.write_text(json.dumps(receipt))
    receipts, broken = scan_receipts(LocalStore(lake), run_id)
    assert (receipts, [one.path for one in broken]) == ([], [f"_receipts/run_id={run_id}/{file.name}"])
    other = lake / "_runs" / "other-1.json"
    other.write_text("another's")
    repair(LocalStore(lake), run_id, [])
    assert other.read_text() == "another's"
    assert not file.exists()


@pytest.mark.parametrize("text", PROMPTS)
def test_a_replay_script_holds_texts_as_texts(text: str) -> None:
    experiment = small()
    family = families.get("StableDiffusionXLPipeline")
    sample = {
        "cell": experiment.cells[0].name,
        "prompt_id": f"{text}\nimport os; os.abort()",
        "prompt": f"{text}''' + __import__('os').abort() + '''\n\"\"\"",
        "sample_id": f"{text}\n",
        "model": experiment.model.id,
        "dtype": "float32); import os; os.abort(",
        "revision": text,
        **dict.fromkeys(("seed", "noise_seed", "steps", "width", "height"), 1),
        "guidance": 1.0,
    }
    called = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(replay_script(sample, experiment, f"{text}\nimport os", family)))
        if isinstance(node, ast.Call)
    }
    assert not [name for name in called if "abort" in name or "__import__" in name or "os." in name]


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_prompts_steer_no_terminal_and_no_page(capsys: pytest.CaptureFixture[str], format: str) -> None:
    print_rows(pl.DataFrame({"prompt": PROMPTS, "n": range(len(PROMPTS))}), format)
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x1b\x07\u202e\u2066")
    assert "\\x1b" in shown
    if format == "table":
        assert "[/bold] [red]a fox" in shown
    else:
        assert "<script" not in shown
        assert "[b](" not in shown
        assert len({line.replace("\\|", "").count("|") for line in shown.splitlines()}) == 1


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil")']


def test_csv_is_neither_run_by_a_spreadsheet_nor_obeyed_by_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pl.DataFrame({"=prompt": [*PROMPTS, *FORMULAS, None, 'a fox, 5" high\n\U0001f468\u200d\U0001f373']})
    print_rows(rows.with_columns(n=-1, x=-1.5), "csv")
    said = capsys.readouterr()
    header, *written = list(csv.reader(io.StringIO(said.out)))
    assert header == ["'=prompt", "n", "x"]
    assert written[-1] == ['a fox, 5" high\n\U0001f468\u200d\U0001f373', "-1", "-1.5"]
    assert not any(row[0].startswith(("=", "+", "-", "@", "\t", "\r")) for row in written)
    assert not set(said.out) & set("\x1b\x07\r\u202e\u2066")
    assert "texts are changed in CSV" in said.err


def test_json_holds_every_text_as_it_is_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [*PROMPTS, *FORMULAS, "\x9b31m\u202e"]
    print_rows(pl.DataFrame({"prompt": texts}), "json")
    said = capsys.readouterr()
    assert [row["prompt"] for row in json.loads(said.out)] == texts
    assert not set(said.out) & set("\x1b\x07\r\x9b\u202e\u2066")
    assert said.err == ""


@pytest.mark.parametrize("text", PROMPTS)
def test_a_text_in_sql_is_a_text(text: str) -> None:
    assert duckdb.sql(f"SELECT {literal(text)}").fetchall() == [(text,)]
