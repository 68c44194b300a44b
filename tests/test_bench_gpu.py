"""The command for a day with a GPU works from its first row to its last; how fast anything is, is not tested here."""

import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.bench import gpu, gpu_rows
from tests.bench.denoisers import SIZES, Denoiser
from tests.bench.gpu_rows import JOINT, KERNEL, ROWS, NotHere, Put, Row, Setting
from tests.bench.states import STATES, work

ROOT = Path(__file__).parents[1]
TABLE = runpy.run_path(str(ROOT / "docs/gpu_table.py"))
MISSING = ("ray", "prefect", "duckdb", "polars", "pyarrow", "hypothesis", "altair", "obstore", "open_clip", "typer")
"""Packages that a machine with torch and Triton lacks, and `gpu-kit.txt` does not bring."""


def test_everything_runs_in_small_and_without_what_the_machine_lacks(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}))\n"
        f"from tests.bench.gpu import main; sys.exit(main(['--rehearse', '--out', {str(tmp_path)!r}]))"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=500, env=environment, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert {name: found["status"] for name, found in kept["rows"].items()} == {
        **{row.name: gpu.DONE for row in ROWS},
        "released code": gpu.NOT_HERE,
    }
    for name, states in (("layer, outer", STATES), ("SDXL", STATES), ("FLUX.1-dev", JOINT), ("SD3 medium", JOINT)):
        found = kept["rows"][name]["states"]
        assert set(found) == set(states)
        assert all(one["ms"][0] > 0 and one["synchronisations"] == 0 for one in found.values())
    assert set(KERNEL) < set(kept["rows"]["layer, inner, kernel"]["states"])
    assert kept["rows"]["golden tests"]["states"]["tests"]["passed"] == 2
    with pytest.raises(ValueError, match="a rehearsal measures nothing"):
        TABLE["tables"](kept)
    text = TABLE["tables"](kept | {"rehearsal": False})
    assert "| golden tests | 2 passed, 0 skipped, 0 failed |" in text
    assert "not reached" not in text


def test_the_rows_fit_into_eight_minutes() -> None:
    assert sum(row.seconds for row in ROWS) <= gpu.LIMIT < 480
    assert len({row.name for row in ROWS}) == len(ROWS)


def _found(setting: Setting, put: Put) -> None:
    put("plain", {"ms": [1.0, 1.0, 1.0]})


def _broken(setting: Setting, put: Put) -> None:
    _found(setting, put)
    raise RuntimeError("CUDA error: an illegal memory access")


def _hanging(setting: Setting, put: Put) -> None:
    _found(setting, put)
    time.sleep(600)


def _ended(setting: Setting, put: Put) -> None:
    os._exit(7)


def _missing(setting: Setting, put: Put) -> None:
    raise NotHere("no Triton")


def test_a_row_that_fails_or_hangs_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = {"broken": _broken, "hanging": _hanging, "ended": _ended, "missing": _missing, "found": _found}
    late = Row("late", 1e6, _found)
    monkeypatch.setattr(gpu_rows, "ROWS", (*(Row(name, 20, run) for name, run in rows.items()), late))
    monkeypatch.setattr(gpu_rows, "ROWS", tuple(
        Row(row.name, 2, row.run) if row.name == "hanging" else row for row in gpu_rows.ROWS
    ))  # fmt: skip
    assert gpu.main(["--rehearse", "--out", str(tmp_path)]) == 1
    kept = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert {name: found["status"] for name, found in kept.items()} == {
        "broken": gpu.FAILED,
        "hanging": gpu.STOPPED,
        "ended": gpu.FAILED,
        "missing": gpu.NOT_HERE,
        "found": gpu.DONE,
        "late": gpu.NOT_REACHED,
    }
    assert kept["broken"]["reason"] == "RuntimeError: CUDA error: an illegal memory access"
    assert kept["hanging"]["states"] == kept["broken"]["states"] == kept["found"]["states"]
    assert kept["ended"]["reason"] == "its process ended with 7"
    assert "late: not reached" in capfd.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--out", str(tmp_path)]) == 2
    assert "no GPU on this machine; --rehearse" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        gpu.main(["--only", "nothing"])


@pytest.mark.parametrize("name", SIZES)
def test_denoisers_at_full_size_take_their_arguments_under_every_state(name: str) -> None:
    """On the meta device, where nothing is computed."""
    called = Denoiser(SIZES[name], "meta", torch.float16)
    found = {}
    for state_name in ("plain", "measured, 64 columns", "knob, no rescale"):
        state = STATES[state_name]
        with state.on(called.model, 1, state.recorder()):
            found[state_name] = work(called)
    assert found["plain"] > 1e12
    assert min(found["measured, 64 columns"], found["knob, no rescale"]) > found["plain"]
