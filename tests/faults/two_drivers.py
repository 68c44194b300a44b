"""Accidents of two drivers: one is paused while another takes its run over, or has a clock that is wrong."""

import json
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.faults.disturbances import Moment
from tests.faults.processes import Command

Start = Callable[[str, Mapping[str, str]], Command]
"""Starts the experiment's command, with a name for its log and more of an environment."""
SHIFT = 3600.0
_DRIVEN = "is being driven by process"
_TAKEN_OVER = "has been taken over by another driver"


def pause_driver(lake: Path, start: Start, moment: Moment, misbehaving: Path) -> str:
    """SIGSTOP of a driver; another one watches it, takes over and ends; SIGCONT."""
    late = start("late", {})
    if not moment.wait(late, lambda: _receipts(lake)):
        late.wait()
        return "came too late"
    late.stop()
    held = any(json.loads(path.read_text())["pid"] == late.pid for path in lake.glob("_leases/*.json"))
    try:
        other = start("other", {})
        code = other.wait()
        assert code in (0, 1), f"exit code {code} of the driver that takes over: {other.output()[-1500:]}"
    finally:
        late.resume()
    code = late.wait()
    assert "Traceback" not in late.output(), late.output()[-1500:]
    says_so = _TAKEN_OVER in " ".join(late.output().split())
    assert not held or (code == 1 and says_so), f"exit code {code} of the late driver: {late.output()[-1500:]}"
    return f"after {moment.receipts} receipts" + ("" if held else ", without a lease")


def skew_clock(lake: Path, start: Start, moment: Moment, misbehaving: Path) -> str:
    """A driver whose clock is an hour wrong; another one, whose clock is right, is not let in, and then resumes."""
    shift = random.Random(moment.later).choice([-SHIFT, SHIFT])
    path = os.pathsep.join(filter(None, (str(misbehaving), os.environ.get("PYTHONPATH"))))
    skewed = start("skewed", {"PYTHONPATH": path, "CLOCK_SHIFT": str(shift)})
    if not moment.wait(skewed, lambda: _receipts(lake)):
        skewed.wait()
        return "came too late"
    other = start("right", {})
    code, printed = other.wait(), " ".join(other.output().split())
    driven = code == 1 and (_DRIVEN in printed or "was taken over by another process" in printed)
    assert code == 0 or driven, f"exit code {code} of the driver with the right clock: {printed[-1500:]}"
    if skewed.running:
        skewed.kill()
    skewed.wait()
    assert _TAKEN_OVER not in skewed.output(), skewed.output()[-1500:]
    return f"after {moment.receipts} receipts, {shift:+.0f} s" + (", refused" if driven else "")


def _receipts(lake: Path) -> int:
    return len(list(lake.glob("_receipts/*/*.json")))


TWO_DRIVERS = {"paused driver": pause_driver, "skewed clock": skew_clock}
