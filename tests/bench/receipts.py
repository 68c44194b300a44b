"""What a driver's bookkeeping costs as a run grows: `python -m tests.bench.receipts`.

A run of two cells: each shard is generated, and scored by nine scorers, of which one lacks its weights. Each
measurement is a process of its own. Processor seconds are those of all its threads, without imports. Reading: manifest
and receipts, from their files. Generate, score: what is left of that, which is nothing. Commit: a manifest that names
all parts, and the listings before it. No part is written: their files stand for 300 bytes each in receipts alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from skewbench.eval.scorers import declaration
from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.manifest import now, read_manifest, write_manifest
from skewbench.storage.receipts import Receipt, receipt_content, receipt_path
from skewbench.storage.records import Manifest, Part
from skewbench.storage.state import read_state
from skewbench.storage.store import LocalStore
from skewbench.storage.tables import VERSION
from skewbench.tasks import run as run_module
from skewbench.tasks import scoring
from tests.bench.tables import arguments, show

SIZES = (3_400, 34_000)
RUN = "bench-0123abcd"
SCORERS = ("binding", "contrast", "sharpness", "m3", "m4", "m5", "m6", "m7", "lacking")
"""The last one lacks its weights. All but the first three are known to this benchmark alone."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--receipts", type=int, nargs="+", default=SIZES)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    found = [_measured(size, asked.rounds) for size in ((20, 40) if asked.tiny else asked.receipts)]
    columns = ("read", "generate", "score", "commit")
    show(
        "receipts",
        "A driver's bookkeeping: processor seconds",
        ["receipts", "reading the state", "what is left to generate", "what is left to score", "commit"],
        [[f"{row['receipts']:,}", *(f"{row[name]:.2f}" for name in columns)] for row in found],
        device="cpu",
        notes=[f"The least of {asked.rounds} rounds, each in a process of its own."],
        raw=found,
        out=asked.out,
    )


def build(folder: Path, receipts: int) -> None:
    """A running run of which all is generated and scored, and nothing committed."""
    store = LocalStore(folder)
    shards = receipts // (1 + len(SCORERS))
    cells = [{"name": name, "knob": {"kind": "vanilla"}} for name in ("a", "b")]
    write_manifest(store, Manifest(RUN, "bench", "running", now(), {}, {}, cells, "a", shards, shards))
    (folder / f"_receipts/run_id={RUN}").mkdir(parents=True)
    for number in range(shards):
        shard = _shard(number)
        keys = [JobKey(GENERATION, shard=shard)]
        keys += [
            JobKey(SCORES, shard=shard, scorer=name, version=_version(name), missing=name == SCORERS[-1])
            for name in SCORERS
        ]
        for key in keys:
            tables = ("samples", "images", "stability") if key.kind == GENERATION else ("scores",)
            parts = tuple(
                Part(table, f"{table}/run_id={RUN}/{key.digest}-0a1b2c3d.parquet", 4, 300, key.digest * 2, VERSION)
                for table in tables
            )
            receipt = Receipt(key, RUN, parts, 1.0, {"ok": 4}, "ab"[number % 2])
            (folder / receipt_path(RUN, key)).write_bytes(receipt_content(receipt))


def measure(lake: Path) -> dict[str, float]:
    """Processor seconds of each step."""
    store = LocalStore(lake)
    began = [time.process_time()]
    manifest = read_manifest(store, RUN)
    assert manifest
    state = read_state(store, manifest)
    began.append(time.process_time())
    run: Any = _run(store, manifest.shards)
    assert run_module.generation_left(run, state) == []
    began.append(time.process_time())
    scoring.declaration = _declaration
    assert run_module.scoring_left(run, state) == []
    began.append(time.process_time())
    assert run_module.commit(run, state, []).status == "committed"
    began.append(time.process_time())
    steps = ("read", "generate", "score", "commit")
    return {step: after - before for step, (before, after) in zip(steps, pairwise(began), strict=True)}


def _run(store: LocalStore, shards: int) -> SimpleNamespace:
    """What these functions ask of a run."""
    planned = [
        SimpleNamespace(id=_shard(number), samples=range(4), cell=SimpleNamespace(name="ab"[number % 2]))
        for number in range(shards)
    ]
    experiment = SimpleNamespace(max_unusable=0.2, metrics=SCORERS, reference=None)
    setting = SimpleNamespace(sharing=(), generation=None)  # no cells share steps
    return SimpleNamespace(store=store, id=RUN, shards=planned, experiment=experiment, setting=setting)


def _shard(number: int) -> str:
    return f"{number:012x}"


def _version(name: str) -> int:
    return declaration(name).version if name in SCORERS[:3] else 1


def _declaration(name: str) -> Any:
    """A scorer of images, each by itself."""
    reason = "no weights" if name == SCORERS[-1] else None
    declared = {"unit": "sample", "medium": "image", "version": _version(name), "package": ""}
    return SimpleNamespace(**declared, unfit=lambda _: None, missing=lambda: reason)


def _measured(receipts: int, rounds: int) -> dict[str, float]:
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            lake = Path(folder) / str(number)
            build(lake, receipts)
            command = [sys.executable, "-m", "tests.bench.receipts", "--measure", str(lake)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            times.append(json.loads(done.stdout.splitlines()[-1]))
    return {"receipts": receipts} | {name: min(one[name] for one in times) for name in times[0]}


if __name__ == "__main__":
    main()
