"""`python -m tests.regressions` works: every fault of its arms still bites, and its trials of speed count right."""

import re
from pathlib import Path

import numpy as np
import pytest

from skewbench.storage.records import Manifest
from skewbench.tasks.regressions.speed import Times
from tests.regressions import __main__ as trials
from tests.regressions.speed import speed_lines
from tests.regressions.trials import FAULTS, FIRST, JUDGED, NULLS


@pytest.mark.slow
def test_every_arm_and_the_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four images an arm: the first layer sees each fault at once, and nothing else."""
    monkeypatch.setattr(trials, "METRICS", ("contrast",))
    asked = {"cache": tmp_path, "pool": 1, "prompts": 1, "trials": 1, "turns": 2, "images": 4}
    trials.main([word for name, value in asked.items() for word in (f"--{name}", str(value))])
    printed = capsys.readouterr().out
    alarms = {
        (what.strip(), layer): int(count)
        for what, layer, count in re.findall(rf"^  (.{{32}}) ({FIRST}|{JUDGED}) +(\d) of 1 ", printed, re.MULTILINE)
    }
    assert {what: alarms[what, FIRST] for what in FAULTS.values()} == dict.fromkeys(FAULTS.values(), 1)
    assert alarms[NULLS["rebuild"], FIRST] == alarms[NULLS["rebatched"], FIRST] == 0
    assert alarms[FAULTS["half"], JUDGED] == 1  # energies that are not finite any more
    assert alarms[NULLS["noise"], JUDGED] == 0
    assert re.search(r"4 runs of 4 images: seconds spread by \d", printed)


def test_trials_of_speed_on_times_that_are_known() -> None:
    """Two builds on a machine that varies by 2%: 15% is always seen, and nothing never."""
    noise = np.random.default_rng(0).normal(0, 0.02, 60)
    lines = dict.fromkeys(("power", "false alarms"), 0)
    for kind, line in speed_lines([_run(at, float(np.exp(one))) for at, one in enumerate(noise)], trials=20):
        lines[kind] += 1
        assert line.alarms == (20 if kind == "power" else 0), line
    assert lines == {"power": 4, "false alarms": 4}
    unlike = [_run(at, 1.0 + 0.5 * (at % 4 in (1, 2))) for at in range(60)]  # old new new old: the new is slower
    found = {line.layer: line.alarms for kind, line in speed_lines(unlike, trials=5) if kind == "false alarms"}
    assert found["seconds, 10 interleaved pairs of two builds"] == 5


def _run(at: int, seconds: float) -> Times:
    build = ("old", "new", "new", "old")[at % 4]
    identity = {"source": build, "versions": {}, "revision": "r"}
    run = Manifest(f"run-{at}", "regressions", "committed", "", {"name": "regressions"}, identity, [], None, 1, 4)
    return Times(run, {("static", "cpu"): seconds})
