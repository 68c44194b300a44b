"""A run of which every image failed: exit code 1, Failed for Prefect, and tried again by the same command."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from tests.flows.command import skewbench, write_experiment

MISBEHAVING = Path(__file__).parents[1] / "faults/misbehaving"
PROMPT = "a red circle on a white background"

pytestmark = pytest.mark.timeout(1800)  # three starts, on a machine that may be busy


def test_every_image_failed(tmp_path: Path, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prompts.txt").write_text(PROMPT)
    experiment = write_experiment(
        tmp_path,
        model={"id": str(tiny_sdxl)},
        prompts={"source": "file", "path": str(tmp_path / "prompts.txt")},
        metrics=["contrast"],
        generation={"steps": 1},
    )
    lake, home = tmp_path / "lake", tmp_path / "prefect"
    path = os.pathsep.join(filter(None, (str(MISBEHAVING), os.environ.get("PYTHONPATH"))))
    with monkeypatch.context() as environment:
        environment.setenv("PYTHONPATH", path)
        environment.setenv("MISBEHAVIOUR", json.dumps({"prompt": PROMPT, "how": "raise", "once": None}))
        for _ in range(2):  # the second start tries again, and says the same
            done = skewbench("run", experiment, "--lake", str(lake), home=home)
            assert done.returncode == 1, done.stderr
            for cell in ("baseline", "skew"):
                said = (
                    f"cell {cell}: 2 of 2 samples have no usable image (2 failed; most common: ValueError: this prompt"
                )
                assert said in done.stderr
            assert "Run the same command again to retry." in done.stderr
            assert "Traceback" not in done.stderr
    assert _states(home) == ["FAILED", "FAILED"]
    assert find_run(LocalStore(lake), None).status == "incomplete"
    done = skewbench("run", experiment, "--lake", str(lake), home=home)
    assert done.returncode == 0, done.stderr
    assert _states(home) == ["COMPLETED", "FAILED", "FAILED"]
    assert find_run(LocalStore(lake), None).status == "committed"


def _states(home: Path) -> list[str]:
    """Of the flow runs, as Prefect's server keeps them."""
    with sqlite3.connect(home / "prefect.db") as server:
        return sorted(state for (state,) in server.execute("SELECT state_type FROM flow_run"))
