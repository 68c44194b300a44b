"""A run of which every image failed: exit code 1, Failed for Prefect, and tried again by the same command."""

import json
import os
from pathlib import Path

import httpx
import pytest

from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from tests.flows.command import run_in_process, skewbench, write_experiment

MISBEHAVING = Path(__file__).parents[1] / "faults/misbehaving"
PROMPT = "a red circle on a white background"

pytestmark = pytest.mark.timeout(1800)  # two starts, on a machine that may be busy


@pytest.mark.slow
def test_every_image_failed(
    tmp_path: Path, tiny_sdxl: Path, prefect: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompts.txt").write_text(PROMPT)
    experiment = write_experiment(
        tmp_path,
        model={"id": str(tiny_sdxl)},
        prompts={"source": "file", "path": str(tmp_path / "prompts.txt")},
        metrics=["contrast"],
        generation={"steps": 1},
    )
    lake = tmp_path / "lake"
    path = os.pathsep.join(filter(None, (str(MISBEHAVING), os.environ.get("PYTHONPATH"))))
    with monkeypatch.context() as environment:
        environment.setenv("PYTHONPATH", path)
        environment.setenv("MISBEHAVIOUR", json.dumps({"prompt": PROMPT, "how": "raise", "once": None}))
        for local in ((), ("--local",)):  # the second start tries again, and says the same
            done = skewbench("run", experiment, "--lake", str(lake), *local, home=prefect)
            assert done.returncode == 1, done.stderr
            for cell in ("baseline", "skew"):
                said = (
                    f"cell {cell}: 2 of 2 samples have no usable image (2 failed; most common: ValueError: this prompt"
                )
                assert said in done.stderr
            assert "Run the same command again to retry." in done.stderr
            assert ("Traceback" in done.stderr) == bool(local)
    manifest = find_run(LocalStore(lake), None)
    assert manifest.status == "incomplete"
    assert _states(prefect, manifest.run_id) == ["FAILED"]
    done = run_in_process(monkeypatch, "run", experiment, "--lake", str(lake), "--local")
    assert done.returncode == 0, done.stderr
    assert find_run(LocalStore(lake), None).status == "committed"


def _states(prefect: dict[str, str], run_id: str) -> list[str]:
    """States of the run's flow runs."""
    found = httpx.post(f"{prefect['PREFECT_API_URL']}/flow_runs/filter", json={}, timeout=60).raise_for_status().json()
    return sorted(each["state_type"] for each in found if run_id in each["name"])
