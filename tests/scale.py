"""How long answers take on large runs: `python -m tests.scale`, or `--samples 10000 100000`.

For each size a synthetic lake: 4 cells, 10 seeds a prompt, 70 blocks x 2 branches a sample (140 rows), 6 image
metrics, and images. Each measurement is a process of its own, and prints its seconds and its largest memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from skewbench import sql
from tests.lakes import KNOBS, Lake, made

if TYPE_CHECKING:
    from skewbench.tasks.experiment import Experiment

_SEEDS, _CELLS = 10, 4


def correlations(lake: Path) -> int:
    """Open the lake and answer `correlations` for each cell."""
    return sql.query(sql.connect(lake), "correlations", cell="*").height


def one_cell(lake: Path) -> int:
    """Open the lake and answer `correlations` for the baseline."""
    return sql.query(sql.connect(lake), "correlations").height


def profile(lake: Path) -> int:
    """Open the lake and answer `stability_profile`."""
    return sql.query(sql.connect(lake), "stability_profile").height


def first_difference(lake: Path) -> int:
    """Open the lake and answer `first_difference`, which has no second run to compare with."""
    return sql.query(sql.connect(lake), "first_difference").height


def analysis(lake: Path) -> int:
    """The bootstrap intervals of all answers, as a run makes them once; stored, so that the report shows them."""
    from tests.tasks.analysed import store

    (run,) = (lake / "_runs").glob("*.json")
    return store(lake, run.stem, resamples=1000).height


def report(lake: Path) -> int:
    """The report's file, in bytes."""
    from skewbench.storage.store import LocalStore
    from skewbench.tasks.report import report_run

    (run,) = (lake / "_runs").glob("*.json")
    return Path(report_run(LocalStore(lake), run.stem)).stat().st_size


def plan(lake: Path) -> int:
    """`skewbench plan` of a run with as many samples."""
    from skewbench.tasks.estimate import estimate

    return estimate(_experiment(lake), str(lake / "none")).samples


def shards(lake: Path) -> int:
    """The shards of a run with as many samples, as a driver plans them once."""
    from skewbench.tasks.plan import plan_shards
    from skewbench.tasks.prompts import load_prompts
    from skewbench.tasks.size import Size

    experiment = _experiment(lake)
    prompts, shard = load_prompts(experiment.prompts), experiment.workers.shard
    return len(plan_shards(experiment, prompts, "big-00000000", Size(64, 64), shard))


def _experiment(lake: Path) -> "Experiment":
    """An experiment with as many samples as the lake's run."""
    from skewbench.tasks.experiment import Experiment

    (run,) = (lake / "_runs").glob("*.json")
    samples = json.loads(run.read_text())["samples"]
    return Experiment.model_validate(
        {
            "name": "big",
            # fewer captions of one object exist than the largest run needs
            "prompts": {"source": "scenes", "count": samples // (_CELLS * _SEEDS), "objects": [2, 3]},
            "seeds": _SEEDS,
            "cells": [{"name": name, "knob": KNOBS[name]} for name in tuple(KNOBS)[:_CELLS]],
        }
    )


MEASURED: dict[str, Callable[[Path], int]] = {
    "plan": plan,
    "shards": shards,
    "correlations": correlations,
    "one cell": one_cell,
    "profile": profile,
    "no second run": first_difference,
    "analysis": analysis,
    "report": report,
}


def measure(lake: Path, what: str) -> dict[str, float]:
    """In this process: seconds by the clock and of the processors, GB, and what came of it."""
    began, worked = time.perf_counter(), time.process_time()
    size = MEASURED[what](lake)
    spent = {"seconds": time.perf_counter() - began, "processor": time.process_time() - worked}
    return spent | {"gigabytes": _peak() / 1e9, "size": size}


def _peak() -> float:
    """Bytes of memory at most; of this process alone, where the resource module would count its parent's too."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) * 1024


def build(folder: Path, samples: int, pixels: int) -> None:
    """The lake of a size."""
    cells = tuple(KNOBS)[:_CELLS]
    prompts = max(1, samples // (_SEEDS * len(cells)))
    lake = Lake(
        *("big", prompts, _SEEDS), blocks=70, steps=0, size=pixels, shards=max(2, samples // 5000), knobs=cells, more=4,
        missing=(), lost=False,
    )  # fmt: skip
    made(folder, lake)


def _measured_apart(folder: str, what: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.scale", "--measure", what, "--lake", folder]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(sizes: list[int], pixels: int, apart: bool = True) -> list[dict[str, float]]:
    """A line a size and answer; returns what it prints. `apart`: each in a process of its own."""
    found = []
    print(f"{'samples':>8}  {'answer':<13}{'seconds':>8}  {'processor':>9}  {'GB':>5}  result")
    for samples in sizes:
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder), samples, pixels)
            for what in MEASURED:
                row = _measured_apart(folder, what) if apart else measure(Path(folder), what)
                found.append(row | {"samples": samples, "answer": what})
                unit = {"plan": "samples", "shards": "shards"}.get(what, "rows")
                result = f"{row['size'] / 1e6:.1f} MB" if what == "report" else f"{row['size']:,} {unit}"
                print(
                    f"{samples:>8}  {what:<13}{row['seconds']:>8.2f}  {row['processor']:>9.2f}  "
                    f"{row['gigabytes']:>5.2f}  {result}",
                    flush=True,
                )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--pixels", type=int, default=64, help="of an image's side")
    parser.add_argument("--measure", choices=list(MEASURED), help=argparse.SUPPRESS)
    parser.add_argument("--lake", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.lake, asked.measure)))
    else:
        main(asked.samples, asked.pixels)
