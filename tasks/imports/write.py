"""Writes an import into a lake as any run is written: parts, receipts, manifest, under the lease of its one driver."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

from skewbench.eval.scoring.images import encode
from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import check_not_removing, claim, now, read_manifest
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.receipts import Receipt, write_receipt
from skewbench.storage.records import Manifest
from skewbench.storage.remove import remove_run
from skewbench.storage.state import read_state
from skewbench.storage.store import Store
from skewbench.storage.tables.images import IMAGES
from skewbench.storage.tables.samples import SAMPLES
from skewbench.tasks.identity import versions
from skewbench.tasks.imports.gather import ImportedSample, ImportedShard, ImportPlan, describe
from skewbench.tasks.imports.pixels import decode_foreign
from skewbench.tasks.run import commit_receipts
from skewbench.vocabulary.errors import RunError

KIND = "imported"
"""Kind of knob of a cell whose images were made elsewhere."""
NO_STABILITY = "The images were made elsewhere, so no attention was measured."


class _ChangedSource(Exception):
    """An image changed after it was checked."""


def is_imported(store: Store, plan: ImportPlan) -> bool:
    """Return whether the lake has the committed run already.

    Args:
        store: The lake.
        plan: The import.

    Raises:
        RunError: The run is being removed.
    """
    found = read_manifest(store, plan.run_id)
    if found:
        check_not_removing(found)
    return found is not None and found.status == "committed"


def write_import(store: Store, plan: ImportPlan, advance: Callable[[int], None] = lambda _: None) -> Manifest:
    """Write and commit a run of imported images. Resumes one that was interrupted.

    Args:
        store: The lake.
        plan: The import.
        advance: Called with the number of images that were written, after each shard.

    Returns:
        The manifest.

    Raises:
        RunError: An image changed meanwhile, and the run is removed again; or another driver has taken the run over.
    """
    try:
        with Lease(store, plan.run_id) as lease:
            state = read_state(store, claim(store, lease, lambda: _first_manifest(plan)))
            for shard in plan.shards:
                lease.check()
                if JobKey(GENERATION, shard=shard.id) not in state.receipts:
                    state.fold([_write_shard(store, plan, shard)])
                advance(len(shard.samples))
            identity = {
                **state.manifest.identity,
                "left_out": _left_out(plan),
            }  # this import's; the id knows no other files
            state.manifest = replace(state.manifest, identity=identity)
            return commit_receipts(store, state, [], "committed")
    except _ChangedSource as error:
        remove_run(store, plan.run_id)
        raise RunError(f"{error} changed during the import, so nothing was stored; import again") from None


def _left_out(plan: ImportPlan) -> dict[str, str]:
    return {cell: describe(files) for cell, files in plan.left_out.items()}


def _first_manifest(plan: ImportPlan) -> Manifest:
    spec = plan.spec
    sources = {cell.name: cell.source for cell in spec.cells}
    return Manifest(
        run_id=plan.run_id,
        name=spec.name,
        status="running",
        created=now(),
        experiment={
            "name": spec.name,
            "description": "Images that were made elsewhere.",
            "model": {"id": spec.model},
            "metrics": [],
        },
        identity={"medium": "image", KIND: sources, "stability": NO_STABILITY, "left_out": _left_out(plan)},
        cells=[
            {
                "name": name,
                **_setting(plan),
                "words": KIND,
                "family": "baseline" if name == plan.baseline else name,
                "strengths": [],
            }
            for name in sources
        ],
        baseline=plan.baseline,
        shards=len(plan.shards),
        samples=sum(len(shard.samples) for shard in plan.shards),
    )


def _setting(plan: ImportPlan) -> dict[str, Any]:
    return {"knob": {"kind": KIND}, "generation": dict(plan.size.known)}


def _write_shard(store: Store, plan: ImportPlan, shard: ImportedShard) -> Receipt:
    began, key, attempt = time.perf_counter(), JobKey(GENERATION, shard=shard.id), new_attempt()
    images = [_image_row(shard, sample) for sample in shard.samples if sample.status != "failed"]
    rows = {SAMPLES.name: SAMPLES.of_rows([_sample_row(plan, shard, sample) for sample in shard.samples])}
    if images:
        rows[IMAGES.name] = IMAGES.of_rows(images)
    parts = tuple(write_part(store, table, plan.run_id, key.digest, attempt, some) for table, some in rows.items())
    reasons = Counter(sample.reason for sample in shard.samples if sample.reason)
    counts = dict(Counter(sample.status for sample in shard.samples))
    seconds = time.perf_counter() - began
    return write_receipt(store, Receipt(key, plan.run_id, parts, seconds, counts, shard.cell, dict(reasons)))


def _ids(shard: ImportedShard, sample: ImportedSample) -> dict[str, Any]:
    return {
        "sample_id": sample.sample_id,
        "pair_id": sample.pair_id,
        "cell": shard.cell,
        "prompt_id": sample.prompt.id,
        "seed": sample.seed,
    }


def _image_row(shard: ImportedShard, sample: ImportedSample) -> dict[str, Any]:
    content = sample.found.read() or b""
    if sha256(content).hexdigest() != sample.sha256:
        raise _ChangedSource(sample.found.name)
    name = f"{shard.cell}-{sample.prompt.id}-{sample.seed}.png"
    return {**_ids(shard, sample), "image": {"bytes": encode(decode_foreign(content).pixels), "path": name}}


def _sample_row(plan: ImportPlan, shard: ImportedShard, sample: ImportedSample) -> dict[str, Any]:
    return {
        **_ids(shard, sample),
        "noise_seed": sample.noise_seed,
        "prompt": sample.prompt.text,
        "prompt_category": sample.prompt.category,
        "shard": shard.id,
        "knob": KIND,
        "setting": json.dumps(_setting(plan)),
        "medium": "image",
        "model": plan.spec.model,
        "source": sample.found.name,
        **plan.size.known,
        "skewbench_version": versions()["skewbench"],
        "status": sample.status,
        "reason": sample.reason,
    }
