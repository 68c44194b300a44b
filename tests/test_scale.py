"""The command that measures scale works; how long it takes is not tested here."""

import json
import subprocess
import sys
from pathlib import Path

from tests import scale


def test_each_answer_is_measured(tmp_path: Path) -> None:
    scale.build(tmp_path, 80, 8)
    assert scale.measure(tmp_path, "correlations")["size"] == 4 * 4 * 4 * 7
    assert scale.measure(tmp_path, "report")["size"] > 100_000
    assert scale.measure(tmp_path, "plan")["size"] == 80
    assert scale.measure(tmp_path, "shards")["size"] == 4  # one a cell


def test_the_command_of_one_measurement(tmp_path: Path) -> None:
    scale.build(tmp_path, 80, 8)
    command = [sys.executable, "-m", "tests.scale", "--measure", "correlations", "--lake", str(tmp_path)]
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert 0 < row["gigabytes"] < 4
    assert row["seconds"] > 0
