"""What a start costs: `python -m tests.bench.startup`.

`skewbench run` of four images of the bundled model, two captions in two cells, with one metric and a lake of its own:
the seconds to the first image, which is the first line of progress that counts one, and to the end of the command.
Processor seconds are those of the command and of all processes that it starts. They are looked at every 0.5 s, so the
last moments of a process that the command does not wait for are missing. --ray adds a run through Prefect and Ray,
whose server has a home of its own that all rounds share.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.bench.rounds import Spread, spread
from tests.bench.tables import arguments, show
from tests.processes import command_line

LOCAL, RAY = "--local", "Prefect and Ray"
COMMAND = (sys.executable, "-P", "-c", "from skewbench.flows.cli import main; main()", "run")
EXPERIMENT = """
name: startup
model: {id: shapes-xl}
prompts: {source: scenes, count: 2}
seeds: 1
generation: {steps: STEPS}
cells:
  - {name: baseline, knob: {kind: vanilla}}
  - {name: skewed, knob: {kind: skew, alpha: 1.2, beta: 5}}
metrics: [sharpness]
"""
FIRST = re.compile(r"generating: [1-9]\d* of 4 images")
LOOK = 0.5
"""Seconds between two looks at the processes."""
KINDS = {
    "flows.serving": "Prefect server",
    "ray::": "workers",
    "default_worker": "workers",
    "gcs_server": "Ray",
    "raylet": "Ray",
    "ray/": "Ray",
}
"""What a process is, by a part of its command line; the first that is in it counts."""


@dataclass
class Start:
    """A start: seconds by the clock and of the processors, and the latter by kind of process."""

    first: tuple[float, float] = (0.0, 0.0)
    end: tuple[float, float] = (0.0, 0.0)
    by_kind: dict[str, float] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ray", action="store_true", help="also the run through Prefect and Ray, minutes on two cores")
    asked = parser.parse_args(argv)
    sides: dict[str, list[str]] = {LOCAL: ["--local"]} | ({RAY: []} if asked.ray else {})
    starts: dict[str, list[Start]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        experiment = Path(folder, "startup.yaml")
        experiment.write_text(EXPERIMENT.replace("STEPS", "1" if asked.tiny else "4"))
        for number in range(1 if asked.tiny else asked.rounds):
            for side, options in sides.items():
                starts[side].append(measure(experiment, Path(folder), f"{number}-{len(options)}", options))
    show(
        "startup",
        "From `skewbench run` to the first of four images, and to the end: seconds",
        ["way", "first image, clock", "first image, processors", "end, clock", "end, processors"],
        [[side, *_spreads(of_side)] for side, of_side in starts.items()],
        device="cpu",
        notes=[f"{side}, processor seconds: {_shares(of_side)}." for side, of_side in starts.items()],
        raw=starts,
        out=asked.out,
    )


def measure(experiment: Path, folder: Path, name: str, options: Sequence[str]) -> Start:
    """Run the experiment once.

    Args:
        experiment: Its file.
        folder: Holds the lake and Prefect's home.
        name: Of the lake.
        options: More options of the command.
    """
    command = [*COMMAND, str(experiment), "--lake", str(folder / name), *options]
    environment = {**os.environ, "PREFECT_HOME": str(folder / "prefect")}
    start, began = Start(), time.perf_counter()
    piped: dict[str, Any] = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    lines: list[str] = []
    with subprocess.Popen(command, env=environment, **piped) as process, _watched(process.pid) as tree:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if not start.first[0] and FIRST.search(line):
                start.first = (time.perf_counter() - began, sum(tree.look().values()))
        process.wait()
    if process.returncode or not start.first[0]:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {''.join(lines)}")
    start.by_kind = dict(tree.by_kind())
    start.end = (time.perf_counter() - began, sum(start.by_kind.values()))
    return start


class Tree:
    """The processor seconds of a process and of all that it started, those that have ended included.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self._root, self._lock = psutil.Process(pid), threading.Lock()
        self._known: dict[psutil.Process, str] = {self._root: "the command"}
        self._seconds: dict[psutil.Process, float] = {}

    def look(self) -> Mapping[psutil.Process, float]:
        """Look at all processes that are there."""
        with self._lock:
            with suppress(psutil.NoSuchProcess):
                for child in self._root.children(recursive=True):
                    self._known.setdefault(child, "others")
            for process in self._known:
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._seconds[process] = max(self._seconds.get(process, 0.0), times.user + times.system)
                    if self._known[process] == "others":
                        line = command_line(process)
                        self._known[process] = next((kind for part, kind in KINDS.items() if part in line), "others")
            return dict(self._seconds)

    def by_kind(self) -> Counter[str]:
        """Processor seconds by kind of process."""
        total: Counter[str] = Counter()
        for process, seconds in self._seconds.items():
            total[self._known[process]] += seconds  # type: ignore[assignment]
        return total


@contextmanager
def _watched(pid: int) -> Iterator[Tree]:
    tree, ended = Tree(pid), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK):
            tree.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield tree
    finally:
        ended.set()
        watcher.join()


def _spreads(starts: Sequence[Start]) -> list[Spread]:
    return [spread([getattr(one, name)[place] for one in starts]) for name in ("first", "end") for place in (0, 1)]


def _shares(starts: Sequence[Start]) -> str:
    kinds = dict.fromkeys(kind for one in starts for kind in one.by_kind)
    medians = {kind: spread([one.by_kind.get(kind, 0.0) for one in starts]).median for kind in kinds}
    return ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in medians.items())


if __name__ == "__main__":
    main()
