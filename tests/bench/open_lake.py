"""What opening a lake costs as it grows: `python -m tests.bench.open_lake`.

A lake of tiny runs: 3 cells, 12 real parts a run. Each measurement is a process of its own. Processor seconds are those
of all its threads, without imports. Opening: `sql.connect` over all runs. First answer: the first rows that the
connection returns, of one run among all (`count(*)` of its samples). One run: `sql.connect` with one run named, and the
same rows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from skewbench import sql
from tests.bench.tables import arguments, show
from tests.lakes import Lake, make

SIZES = (1, 50, 500, 2_000)


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=SIZES)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    found = [_measured(size, asked.rounds) for size in ((1, 3) if asked.tiny else asked.runs)]
    show(
        "open_lake",
        "Opening a lake: processor seconds",
        ["runs", "opening all", "first answer", "opening one run, with its answer"],
        [[f"{row['runs']:,}", *(f"{row[name]:.2f}" for name in ("open", "first", "one"))] for row in found],
        device="cpu",
        notes=[f"The least of {asked.rounds} rounds, each in a process of its own."],
        raw=found,
        out=asked.out,
    )


def build(folder: Path, runs: int) -> None:
    """A lake of so many runs, which share their parts' bytes."""
    first = make(folder, Lake(prompts=2, seeds=2, steps=0, images=False, shards=1, lost=False))
    manifest = (folder / "_runs" / f"{first}.json").read_text()
    parts = [part["path"] for part in json.loads(manifest)["parts"]]
    for number in range(1, runs):
        run_id = f"toy-{number:08x}"
        (folder / "_runs" / f"{run_id}.json").write_text(manifest.replace(first, run_id))
        for part in parts:
            copy = folder / part.replace(first, run_id)
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / part, copy)


def measure(lake: Path) -> dict[str, float]:
    """Processor seconds of opening all runs, of a first answer, and of opening one run with its answer."""
    run_id = min((lake / "_runs").iterdir()).stem
    count = f"SELECT count(*) FROM samples WHERE run_id = '{run_id}'"
    connect = sql.connect  # imports what it needs
    began = time.process_time()
    with connect(lake) as connection:
        opened = time.process_time()
        connection.execute(count).fetchall()
        answered = time.process_time()
    with connect(lake, run_id) as connection:
        connection.execute(count).fetchall()
    return {"open": opened - began, "first": answered - opened, "one": time.process_time() - answered}


def _measured(runs: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), runs)
        command = [sys.executable, "-m", "tests.bench.open_lake", "--measure", folder]
        done = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(rounds)]
    times = [json.loads(one.stdout.splitlines()[-1]) for one in done]
    return {"runs": runs} | {name: min(one[name] for one in times) for name in times[0]}


if __name__ == "__main__":
    main()
