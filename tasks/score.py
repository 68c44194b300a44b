"""Committed images -> scores. What cannot be scored gets NULL with the reason, never another image's place."""

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewbench.eval.scorers import Declaration, GroupScore, GroupScorer, ImageScorer, Score
from skewbench.storage.footers import largest_image
from skewbench.storage.parts import read_part
from skewbench.storage.png import BrokenImage, open_png
from skewbench.storage.records import Part
from skewbench.storage.store import Store
from skewbench.storage.tables.group_scores import GROUP_SCORES
from skewbench.storage.tables.scores import SCORES

BATCH = 64
"""Images that are decoded and scored together."""
_IDS = ("sample_id", "pair_id", "cell", "prompt_id", "seed")


def score_images(
    store: Store,
    declared: Declaration,
    made: ImageScorer | GroupScorer,
    shard: str,
    samples: tuple[Part, ...],
    images: tuple[Part, ...],
    missing: str | None = None,
) -> dict[str, pa.Table]:
    """Score the images of one shard. A shard holds whole prompts, so that sets of images are whole too.

    Args:
        store: The lake.
        declared: Declaration of the scorer.
        made: The scorer.
        shard: Id of the shard.
        samples: Parts that hold the shard's rows of `samples`; after compaction they also hold others.
        images: Parts that hold the shard's images.
        missing: Why the scorer cannot compute values; all values are then NULL with this reason.

    Returns:
        The rows of `scores`, or of `group_scores` for a scorer of sets, by table.
    """
    rows = _rows(store, shard, samples)
    encoded = {} if missing else _encoded_images(store, rows, images)
    pixels = largest_image(store, samples)
    for row in rows:
        row["pixels"], row["why"] = (None, missing) if missing else _decoded(row, encoded.get(row["sample_id"]), pixels)
    if isinstance(made, ImageScorer):
        return {SCORES.name: SCORES.of_rows(list(_image_rows(declared, made, rows)))}
    return {GROUP_SCORES.name: GROUP_SCORES.of_rows(list(_group_rows(declared, made, rows)))}


def _rows(store: Store, shard: str, samples: tuple[Part, ...]) -> list[dict[str, Any]]:
    """The shard's samples; one that is there twice counts once."""
    columns, of_shard = [*_IDS, "prompt", "status", "reason"], pc.field("shard") == shard
    read = [read_part(store, part, columns, where=of_shard).to_pylist() for part in samples]
    return list({row["sample_id"]: row for part in read for row in part}.values())


def _encoded_images(store: Store, rows: list[dict[str, Any]], images: tuple[Part, ...]) -> dict[str, bytes | None]:
    """The stored images of these samples, encoded."""
    cells, prompts = ({row[name] for row in rows} for name in ("cell", "prompt_id"))
    selected = pc.field("cell").isin(list(cells)) & pc.field("prompt_id").isin(list(prompts))
    read = [read_part(store, part, ["sample_id", "image"], where=selected).to_pylist() for part in images]
    return {row["sample_id"]: row["image"] and row["image"]["bytes"] for part in read for row in part}


def _decoded(row: dict[str, Any], content: bytes | None, pixels: int) -> tuple[np.ndarray | None, str | None]:
    """Decode a sample's image, or return the reason why there is none to score."""
    if row["status"] != "ok":
        return None, f"the sample is {row['status']}: {row['reason']}"
    if content is None:
        return None, "the image is missing"
    try:
        return np.array(open_png(content, pixels)), None
    except BrokenImage as error:
        return None, f"the image {error}"


def _image_rows(declared: Declaration, made: ImageScorer, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        good = [row for row in batch if row["pixels"] is not None]
        scores: dict[str, list[Score]] = {metric: [] for metric in declared.metric_names}
        if good:
            scores = made.score(np.stack([row["pixels"] for row in good]), [row["prompt"] for row in good])
        for metric in declared.metric_names:
            by_sample = dict(zip((row["sample_id"] for row in good), scores[metric], strict=True))
            for row in batch:
                score = by_sample.get(row["sample_id"]) or Score(None, row["why"])
                ids = {name: row[name] for name in _IDS}
                yield {**ids, **score_fields(declared, metric, score)}


def _group_rows(declared: Declaration, made: GroupScorer, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    by_prompt = sorted(rows, key=lambda row: (row["prompt_id"], row["seed"]))
    for prompt_id, group in groupby(by_prompt, key=lambda row: row["prompt_id"]):
        members = list(group)
        scores = _group_scores(declared, made, members)
        for metric in declared.metric_names:
            of = {"cell": members[0]["cell"], "prompt_id": prompt_id, "set": declared.set, "n": scores[metric].n}
            yield {**of, **score_fields(declared, metric, scores[metric])}


def _group_scores(declared: Declaration, made: GroupScorer, members: list[dict[str, Any]]) -> dict[str, GroupScore]:
    good = [row["pixels"] for row in members if row["pixels"] is not None]
    if not good:
        return dict.fromkeys(declared.metric_names, GroupScore(None, members[0]["why"]))
    return made.score_group(np.stack(good), members[0]["prompt"])


def score_fields(declared: Declaration, metric: str, score: Score) -> dict[str, Any]:
    """Return the columns that both tables of scores have. NaN would count as a value, so it becomes a reason."""
    is_number = score.value is None or math.isfinite(score.value)
    return {
        "metric": metric,
        "value": score.value if is_number else None,
        "reason": score.reason if is_number else f"the scorer returned {score.value}",
        "scorer": declared.name,
        "scorer_version": declared.version,
    }
