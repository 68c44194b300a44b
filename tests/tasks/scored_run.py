"""A committed run of one shard that a test writes without generating, and scoring it as a flow does, without Ray."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.manifest import find_run, now, write_manifest
from skewbench.storage.parts import write_part
from skewbench.storage.receipts import Receipt, write_receipt
from skewbench.storage.records import Manifest
from skewbench.storage.state import read_state, records_of
from skewbench.storage.store import LocalStore
from skewbench.storage.tables.samples import SAMPLES
from skewbench.tasks.checks import expand
from skewbench.tasks.jobs import Needs, ScoreJob
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.tasks.run import commit_receipts
from skewbench.tasks.scoring import left_of_run
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.metrics import Medium
from tests.tasks.experiments import small

RUN = "small-0123abcd"


def png(mode: str = "RGB", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def sample(seed: int, status: str = "ok", prompt: str = "a red circle") -> dict[str, Any]:
    return {
        "sample_id": f"s{seed}", "pair_id": f"p{seed}", "cell": "baseline", "prompt_id": "q", "seed": seed,
        "noise_seed": seed, "prompt": prompt, "shard": "shard", "knob": "vanilla", "model": "m", "dtype": "float32",
        "steps": 1, "guidance": 1.0, "width": 32, "height": 32, "status": status,
        "reason": None if status == "ok" else "of one colour",
    }  # fmt: skip


def write_run(
    store: LocalStore, samples: list[dict[str, Any]], contents: dict[str, bytes | None], medium: Medium = "image"
) -> Manifest:
    """Write a committed run of one shard."""
    kind = MEDIA[medium]
    others = {"sampling_rate": 8000} if medium == "audio" else {}
    ids = ("pair_id", "cell", "prompt_id", "seed")
    by_id = {sample["sample_id"]: {name: sample[name] for name in ids} for sample in samples}
    rows = [
        {"sample_id": key, **by_id[key], kind.file: content and {"bytes": content, "path": None}, **others}
        for key, content in contents.items()
    ]
    key = JobKey(GENERATION, shard="shard")
    tables = {"samples": (samples, SAMPLES.schema), kind.table.name: (rows, kind.table.schema)}
    parts = tuple(
        write_part(store, name, RUN, key.digest, "a", pa.Table.from_pylist(content, schema=schema))
        for name, (content, schema) in tables.items()
    )
    made = write_receipt(store, Receipt(key, RUN, parts, 1.0, {}, "baseline"))
    experiment = small().model_dump(mode="json")
    cells = [{"name": "baseline", "knob": {"kind": "vanilla"}}]
    identity = {"medium": medium}
    manifest = Manifest(RUN, "small", "committed", now(), experiment, identity, cells, "baseline", 1, len(samples))
    return write_manifest(store, replace(manifest, parts=parts, jobs=records_of({key: made}, manifest)))


def score(store: LocalStore, metrics: list[str], reference: str | None = None) -> list[ScoreJob]:
    """Score a run as a flow does, without Ray."""
    state = read_state(store, find_run(store, None))
    jobs = left_of_run(store, state, expand(metrics, medium_of(state.manifest)), reference)
    worker = Worker(Needs(str(store.root), None, None, threads=1, gpus=0))
    for job in jobs:
        worker.run(job)
    commit_receipts(store, state, [], state.manifest.status)
    return jobs
