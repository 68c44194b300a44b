"""Rounds of the campaign: disturb a run, resume it by the same command, compare it with an undisturbed one."""

import json
import os
import random
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

import yaml

from tests.faults.compare import differences
from tests.faults.disturbances import DURING, Moment, Scene, SmallDisk, kill_compaction
from tests.faults.outage import StoreThatGoesAway
from tests.faults.phases import FILL, TERMINATE, FullDisk, terminate
from tests.faults.processes import Command
from tests.faults.two_drivers import TWO_DRIVERS
from tests.tiny import save_tiny_sdxl

RESUMES = 5
"""Times that the same command may be needed after a fault."""
_PROMPTS = ("a red circle on a white background", "a blue square on a green background")
_MISBEHAVIOUR = Path(__file__).parent / "misbehaving"
_ONCE = ("raise once", "cuda once", "hang once")
HANG_LIMIT = 600.0
"""Seconds after which a hung worker is replaced: more than a busy machine needs for a shard of a tiny model."""
_LASTING = ("raise always", "cuda always", "nan always")
FILL_DISK, CUT_STORE = "fill disk", "cut store"
FAULTS = (
    *(name for name in DURING if name != "nothing"),
    *TWO_DRIVERS,
    "kill compaction",
    CUT_STORE,
    FILL_DISK,
    *TERMINATE,
    *FILL,
    *_ONCE,
    *(f"{lasting} + {fault}" for lasting in _LASTING for fault in ("nothing", "kill worker", "kill driver")),
)


@dataclass(frozen=True)
class Round:
    """What was done and what came of it. `starts`: how often `skewbench run` was needed."""

    number: int
    fault: str
    moment: str
    starts: int
    seconds: float
    differences: dict[str, int]
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether the lake equals the undisturbed run's. Rounding in batches of another size does not count."""
        return not self.error and not (self.differences.keys() - {"rounding"})


class Campaign:
    """A folder with the model, the experiment, the undisturbed lakes and the outcomes of rounds.

    Rounds may be played in several threads at a time.
    """

    def __init__(self, folder: Path, model: str, seed: int, prefect: dict[str, str]) -> None:
        self._folder, self._seed, self._prefect = folder, seed, prefect
        self._undisturbed_runs, self._writing = threading.Lock(), threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._experiment = folder / "experiment.yaml"
        if model == "null" and not (folder / "model/model_index.json").exists():
            save_tiny_sdxl(folder / "model")
        (folder / "prompts.txt").write_text("\n".join(_PROMPTS))
        self._experiment.write_text(yaml.safe_dump(self._fields(model)))

    def rounds_done(self) -> list[Round]:
        """Outcomes so far; of a round that was played again the last one."""
        path = self._folder / "rounds.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        last = {done.number: done for done in (Round(**json.loads(line)) for line in lines)}
        return [last[number] for number in sorted(last)]

    def play(self, number: int, fault: str | None = None) -> Round:
        """One round; its outcome is kept. `fault`: that one, in place of the one whose turn it is."""
        dice = random.Random(f"{self._seed}-{number}")
        fault = fault or self._fault_of(number)
        with self._undisturbed_runs:
            undisturbed = self._undisturbed(_lasting(fault))
        lake, began = self._folder / f"round-{number}", time.monotonic()
        self._clear(lake)
        try:
            moment, starts = self._disturbed(fault, lake, dice, undisturbed, number)
            found, error = differences(lake, undisturbed), ""
        except (AssertionError, ValueError, OSError) as problem:
            moment, starts, found, error = "", 0, {}, f"{type(problem).__name__}: {problem}"[:500]
        done = Round(number, fault, moment, starts, round(time.monotonic() - began, 1), found, error)
        with self._writing, (self._folder / "rounds.jsonl").open("a") as file:
            file.write(json.dumps(asdict(done)) + "\n")
        if done.passed:
            self._clear(lake)
        return done

    def _fault_of(self, number: int) -> str:
        """All faults in a shuffled order, then all again in another."""
        of_disks = {FILL_DISK, *FILL}
        faults = [fault for fault in FAULTS if fault not in of_disks or SmallDisk.possible()]
        cycle, place = divmod(number, len(faults))
        return random.Random(f"{self._seed}-order-{cycle}").sample(faults, len(faults))[place]

    def _undisturbed(self, lasting: str | None) -> Path:
        """The lake of a run without a fault, or with the lasting one alone."""
        lake = self._folder / f"undisturbed-{(lasting or 'plain').replace(' ', '-')}"
        if not (lake / "finished").exists():
            self._clear(lake)
            command = self._start(["run", str(self._experiment), "--lake", str(lake)], lake.name, lasting)
            assert command.wait() == 0, f"the undisturbed run fails: {command.output()[-2000:]}"
            (lake / "finished").touch()
        return lake

    def _disturbed(
        self, fault: str, lake: Path, dice: random.Random, undisturbed: Path, number: int
    ) -> tuple[str, int]:
        """Returns when it hit, and how many starts were needed."""
        log, lasting = lake.name, _lasting(fault)
        if fault == "kill compaction":
            shutil.copytree(undisturbed, lake)
            (lake / "finished").unlink()
            moment = kill_compaction(lake, lambda arguments: self._start(arguments, log), dice)
            assert not differences(lake, undisturbed).keys() - {"strays"}, "readers see something else half way"
            again = self._start(["compact", "--lake", str(lake)], log)
            assert again.wait() == 0, again.output()[-1000:]
            return moment, self._resume(str(lake), log, None)
        total = len(list(undisturbed.glob("_receipts/*/*.json")))
        when = Moment(dice.randrange(total + 1), dice.random() * 2)
        if fault in TWO_DRIVERS:
            run = ["run", str(self._experiment), "--lake", str(lake)]
            moment = TWO_DRIVERS[fault](
                lake, lambda who, more: self._start(run, f"{log}-{who}", more=more), when, _MISBEHAVIOUR
            )
            return moment, 2 + self._resume(str(lake), log, None)
        if fault == CUT_STORE:
            return self._cut_off(lake, when, dice)
        if fault in TERMINATE or fault in FILL:
            return self._in_a_phase(fault, lake, when, undisturbed)
        disk = None
        if fault == FILL_DISK:
            used = sum(file.stat().st_size for file in undisturbed.rglob("*") if file.is_file())
            disk = SmallDisk(lake, int(used * dice.uniform(0.1, 0.9)))
        try:
            once = self._folder / f"once-{number}" if fault in _ONCE else None
            if once:
                once.unlink(missing_ok=True)
            command = self._start(["run", str(self._experiment), "--lake", str(lake)], log, lasting or fault, once)
            moment = DURING.get(fault.rpartition(" + ")[2], DURING["nothing"])(Scene(command, lake, when, dice))
            code = command.wait()
            assert code in (0, 1, 2, -9), f"exit code {code}: {command.output()[-1500:]}"
            if disk:
                disk.enlarge()
            return moment, 1 + self._resume(str(lake), log, lasting)
        finally:
            if disk:
                _keep(disk, lake)

    def _in_a_phase(self, fault: str, lake: Path, when: Moment, undisturbed: Path) -> tuple[str, int]:
        """A round whose accident comes in a phase of the run."""
        shards = len(list(undisturbed.glob("samples/*/*.parquet")))
        used = sum(file.stat().st_size for file in undisturbed.rglob("*") if file.is_file())
        full = FullDisk(lake, used) if fault in FILL else None
        try:
            command = self._start(["run", str(self._experiment), "--lake", str(lake)], lake.name)
            if full:
                moment = full.fill(command, lake, FILL[fault], shards)
            else:
                moment = terminate(command, lake, TERMINATE[fault], shards, when)
            code = command.wait()
            assert code in (0, 1, 2, -SIGTERM, 128 + SIGTERM), f"exit code {code}: {command.output()[-1500:]}"
            assert "Traceback" not in command.output(), command.output()[-1500:]
            if full:
                full.empty()
            return moment, 1 + self._resume(str(lake), lake.name, None)
        finally:
            if full:
                _keep(full.disk, lake)

    def _cut_off(self, lake: Path, when: Moment, dice: random.Random) -> tuple[str, int]:
        """A round in a bucket; what is in it then is copied to `lake`."""
        with StoreThatGoesAway(self._folder / f"{lake.name}-store", lake) as store:
            command = self._start(
                ["run", str(self._experiment), "--lake", store.lake], lake.name, more=store.environment
            )
            moment = store.cut(command, when, dice)
            code = command.wait()
            assert code in (0, 1, 2), f"exit code {code}: {command.output()[-1500:]}"
            starts = 1 + self._resume(store.lake, lake.name, None, store.environment)
            store.copy()
        self._clear(self._folder / f"{lake.name}-store")
        return moment, starts

    def _resume(self, lake: str, log: str, lasting: str | None, more: Mapping[str, str] | None = None) -> int:
        """The same command, until all is done and every file is what was written; returns how often it was needed."""
        for start in range(RESUMES):
            command = self._start(["run", str(self._experiment), "--lake", lake], log, lasting, more=more)
            code = command.wait()
            assert code in (0, 1, 2), f"exit code {code}: {command.output()[-1500:]}"
            assert "Traceback" not in command.output(), command.output()[-1500:]
            verified = self._start(["verify", "--repair", "--lake", lake], log, more=more)
            checked = verified.wait()
            assert checked == 0 or (code and checked == 2), verified.output()[-1500:]  # 2: nothing is committed yet
            if code == 0 and "all intact" in verified.output():
                return start + 1
        raise AssertionError(f"not finished after {RESUMES} starts: {command.output()[-1500:]}")

    def _start(
        self,
        arguments: list[str],
        log: str,
        how: str | None = None,
        once: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Command:
        environment = {**self._prefect, **(more or {}), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment["RAY_worker_niceness"] = "0"  # by default a worker yields to whatever else the machine does
        kind = (how or "").split(" ")[0]
        if kind in ("raise", "cuda", "nan", "hang"):
            settings = {"prompt": _PROMPTS[1], "how": kind, "once": str(once) if once else None}
            path = os.pathsep.join(filter(None, (str(_MISBEHAVIOUR), os.environ.get("PYTHONPATH"))))
            environment |= {"PYTHONPATH": path, "MISBEHAVIOUR": json.dumps(settings)}
        return Command(arguments, self._folder / f"{log}.log", environment)

    def _clear(self, lake: Path) -> None:
        if lake.exists():
            shutil.rmtree(lake)

    def _fields(self, model: str) -> dict[str, Any]:
        bundled = model == "bundled"
        return {
            "name": "faults",
            "model": {"id": "shapes-xl" if bundled else str(self._folder / "model")},
            "prompts": {"source": "file", "path": str(self._folder / "prompts.txt")},
            "seeds": 2,
            "generation": {"steps": 4 if bundled else 1},
            "cells": [
                {"name": "baseline", "knob": {"kind": "vanilla"}},
                {"name": "skew", "knob": {"kind": "skew", "alpha": 1.2, "beta": 5.0}},
            ],
            "metrics": ["contrast", "msssim_diversity"],
            "max_unusable": 0.5,  # of the lasting faults every second sample has one
            "workers": {"count": 2, "batch": 2, "shard": 2, "hang_limit": HANG_LIMIT},
        }


def _keep(disk: SmallDisk, lake: Path) -> None:
    """Replace a lake on a disk of its own by a copy."""
    kept = lake.with_name(f"{lake.name}-kept")
    shutil.copytree(lake, kept)
    disk.remove()
    shutil.rmtree(lake)
    kept.rename(lake)


def _lasting(fault: str) -> str | None:
    first = fault.partition(" + ")[0]
    return first if first in _LASTING else None
