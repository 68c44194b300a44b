"""Committed samples -> scores. What cannot be scored gets NULL with the reason, never another sample's place."""

import math
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from skewbench.eval.scorers import Declaration, GroupScore, GroupScorer, SampleScorer, Score
from skewbench.eval.scoring.images import CorruptSample
from skewbench.storage.footers import largest_image
from skewbench.storage.parts import read_part
from skewbench.storage.records import Part
from skewbench.storage.store import Store
from skewbench.storage.tables.group_scores import GROUP_SCORES
from skewbench.storage.tables.scores import SCORES
from skewbench.tasks.media import MEDIA, MediaType

Decoded = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
_IDS = ("sample_id", "pair_id", "cell", "prompt_id", "seed")


def score_shard(
    store: Store,
    declared: Declaration,
    made: SampleScorer | GroupScorer,
    shard: str,
    samples: tuple[Part, ...],
    files: tuple[Part, ...],
    missing: str | None = None,
) -> dict[str, pa.Table]:
    """Score the samples of one shard. A shard contains whole prompts, so sets of samples are complete too.

    Args:
        store: The lake.
        declared: Declaration of the scorer.
        made: The scorer.
        shard: Id of the shard.
        samples: Parts that contain the shard's rows of `samples`; after a compaction they also contain others.
        files: Parts that contain the encoded samples.
        missing: Why the scorer cannot compute values; all values are then NULL with this reason.

    Returns:
        The rows of `scores`, or of `group_scores` for a scorer of sets, by table.
    """
    rows, medium = _rows(store, shard, samples), MEDIA[declared.medium]
    encoded = {} if missing else _encoded(store, rows, files, medium)
    pixels = 0 if missing else largest_image(store, samples)

    def decoded(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Yield rows with their contents, or the reason for missing ones, in batches: a shard of videos exceeds
        memory."""
        found = ((None, missing) if missing else _decoded(row, encoded, medium, pixels) for row in some)
        return [{**row, "decoded": one, "why": why} for row, (one, why) in zip(some, found, strict=True)]

    if isinstance(made, SampleScorer):
        return {SCORES.name: SCORES.of_rows(list(_sample_rows(declared, made, rows, decoded)))}
    return {GROUP_SCORES.name: GROUP_SCORES.of_rows(list(_group_rows(declared, made, rows, decoded)))}


def _rows(store: Store, shard: str, samples: tuple[Part, ...]) -> list[dict[str, Any]]:
    """Read the shard's samples. A sample that is stored twice counts once."""
    columns, of_shard = [*_IDS, "prompt", "status", "reason"], pc.field("shard") == shard
    read = [read_part(store, part, columns, where=of_shard).to_pylist() for part in samples]
    return list({row["sample_id"]: row for part in read for row in part}.values())


def _encoded(
    store: Store, rows: list[dict[str, Any]], files: tuple[Part, ...], medium: MediaType
) -> dict[str, dict[str, Any]]:
    """Read the encoded samples."""
    cells, prompts = ({row[name] for row in rows} for name in ("cell", "prompt_id"))
    selected = pc.field("cell").isin(list(cells)) & pc.field("prompt_id").isin(list(prompts))
    columns = ["sample_id", medium.file, *medium.beside]
    read = [read_part(store, part, columns, where=selected).to_pylist() for part in files]
    return {row["sample_id"]: row for part in read for row in part}


def _decoded(
    row: dict[str, Any], encoded: dict[str, dict[str, Any]], medium: MediaType, pixels: int
) -> tuple[Any, str | None]:
    """Decode a sample, or return the reason why there is nothing to score."""
    if row["status"] != "ok":
        return None, f"the sample is {row['status']}: {row['reason']}"
    stored = encoded.get(row["sample_id"], {})
    if medium.content(stored) is None:
        return None, f"the {medium.noun} is missing"
    try:
        return medium.decode(stored, pixels), None
    except CorruptSample as error:
        return None, f"the {medium.noun} {error}"


def _sample_rows(
    declared: Declaration, made: SampleScorer, rows: list[dict[str, Any]], decoded: Decoded
) -> Iterator[dict[str, Any]]:
    medium = MEDIA[declared.medium]
    for start in range(0, len(rows), medium.at_once):
        batch = decoded(rows[start : start + medium.at_once])
        good = [row for row in batch if row["decoded"] is not None]
        scores: dict[str, list[Score]] = {metric: [] for metric in declared.metric_names}
        if good:
            scores = made.score(medium.batch([row["decoded"] for row in good]), [row["prompt"] for row in good])
        for metric in declared.metric_names:
            by_sample = dict(zip((row["sample_id"] for row in good), scores[metric], strict=True))
            for row in batch:
                score = by_sample.get(row["sample_id"]) or Score(None, row["why"])
                ids = {name: row[name] for name in _IDS}
                yield {**ids, **score_fields(declared, metric, score)}


def _group_rows(
    declared: Declaration, made: GroupScorer, rows: list[dict[str, Any]], decoded: Decoded
) -> Iterator[dict[str, Any]]:
    by_prompt = sorted(rows, key=lambda row: (row["prompt_id"], row["seed"]))
    for prompt_id, group in groupby(by_prompt, key=lambda row: row["prompt_id"]):
        members = decoded(list(group))
        scores = _group_scores(declared, made, members)
        for metric in declared.metric_names:
            of = {"cell": members[0]["cell"], "prompt_id": prompt_id, "set": declared.set, "n": scores[metric].n}
            yield {**of, **score_fields(declared, metric, scores[metric])}


def _group_scores(declared: Declaration, made: GroupScorer, members: list[dict[str, Any]]) -> dict[str, GroupScore]:
    good = [row["decoded"] for row in members if row["decoded"] is not None]
    if not good:
        return dict.fromkeys(declared.metric_names, GroupScore(None, members[0]["why"]))
    return made.score_group(MEDIA[declared.medium].batch(good), members[0]["prompt"])


def score_fields(declared: Declaration, metric: str, score: Score) -> dict[str, Any]:
    """Return the columns that both tables of scores share. NaN would count as a value, so it becomes a reason.

    Args:
        declared: The scorer's declaration.
        metric: Name of the metric.
        score: Its value, or the reason that it has none.
    """
    is_number = score.value is None or math.isfinite(score.value)
    return {
        "metric": metric,
        "value": score.value if is_number else None,
        "reason": score.reason if is_number else f"the scorer returned {score.value}",
        "scorer": declared.name,
        "scorer_version": declared.version,
    }
