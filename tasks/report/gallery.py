"""Selects the samples of the page: unstable samples that improved most or worsened most, and random ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import polars as pl

from skewbench import sql
from skewbench.eval.scoring.images import CorruptSample
from skewbench.storage.png import BrokenImage
from skewbench.storage.records import shown as as_text
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.numbers import show, signed
from skewbench.tasks.report.players import BUDGET, Shown, columns, shown
from skewbench.vocabulary.metrics import Medium

CARDS = 6
"""Number of prompts and seeds per group."""

_PAIRED = """
    SELECT p.pair_id,
        -- a sample that the knob destroyed counts as the worst seen, not as absent
        CASE WHEN p.status <> 'ok' THEN m.worst - p.baseline ELSE p.change END AS felt,
        m.higher_is_better
    FROM paired AS p JOIN metrics AS m ON m.run_id = p.run_id AND m.metric = p.metric AND m.kind = 'sample'
    WHERE p.metric = ?
"""
_SCORED = """
    SELECT sample_id, value FROM metric_values
    WHERE metric = ? AND isfinite(value) AND sample_id IN (SELECT unnest(?))
"""
_ALIGNED = "SELECT pair_id, alignment FROM stage_stability WHERE cell = ? AND stage = 'all' AND isfinite(alignment)"
_SAMPLES = "SELECT sample_id, pair_id, cell, prompt, seed, status, reason FROM samples"


@dataclass(frozen=True)
class Tile:
    """One sample as it is shown. `shown`: None for a sample without a file."""

    sample_id: str
    cell: str
    shown: Shown | None
    alt: str
    score: str
    failure: str


@dataclass(frozen=True)
class Card:
    """One prompt and seed: the baseline's sample, then each other cell's."""

    pair_id: str
    prompt: str
    seed: int
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Group:
    """Cards that were chosen the same way."""

    title: str
    meaning: str
    cards: tuple[Card, ...]


def choose_images(answers: Answers, lake: str) -> list[Group]:
    """Choose the page's samples. The choice depends on the lake alone, so that each report shows the same ones.

    Args:
        answers: Answers of the run's queries.
        lake: Folder or URL of the lake.
    """
    samples = answers.lake.execute(_SAMPLES).pl()
    medium = medium_of(answers.run)
    most = max(2, min(CARDS, BUDGET[medium] // (3 * max(len(answers.cells), 1))))
    chosen = [(title, meaning, pairs[:most]) for title, meaning, pairs in _groups(answers, samples) if pairs]
    chosen_samples = samples.filter(pl.col("pair_id").is_in([pair for *_, pairs in chosen for pair in pairs]))
    if chosen_samples.is_empty():
        return []
    ids, table = chosen_samples["sample_id"].to_list(), MEDIA[medium].table.name
    files = sql.encoded_files(lake, answers.run.run_id, ids, table, columns(medium))
    contents = {sample_id: _shown(medium, sample_id, row) for sample_id, row in files.items()}
    scores = _scores(answers, ids)
    cards = {
        pair: _card(answers, rows.to_dicts(), contents, scores)
        for (pair,), rows in chosen_samples.group_by(["pair_id"], maintain_order=True)
    }
    return [Group(title, meaning, tuple(cards[pair] for pair in pairs)) for title, meaning, pairs in chosen]


def _groups(answers: Answers, samples: pl.DataFrame) -> list[tuple[str, str, list[str]]]:
    groups = []
    if answers.fidelity and answers.baseline and len(answers.cells) > 1:
        name = answers.labels.of(answers.fidelity)
        changes = _unstable_changes(answers, answers.fidelity, answers.baseline)
        gained = changes.filter(pl.col("felt") > 0).sort("felt", "pair_id", descending=[True, False])
        worsened = changes.filter(pl.col("felt") < 0).sort("felt", "pair_id")
        of = f"the mean change of {name} over the other cells"
        groups += [
            ("Unstable samples that improved most", f"By {of}.", gained["pair_id"].to_list()),
            (
                "Unstable samples that worsened most",
                f"By {of}; a failed sample counts as the worst value.",
                worsened["pair_id"].to_list(),
            ),
        ]
    pairs = sorted(set(samples["pair_id"]), key=lambda pair: sha256(f"random {pair}".encode()).digest())
    return [*groups, ("Random samples", "Chosen at random from all samples.", pairs)]


def _unstable_changes(answers: Answers, metric: str, baseline: str) -> pl.DataFrame:
    """Return the mean change of each unstable pair over the cells; higher is better."""
    aligned = answers.lake.execute(_ALIGNED, [baseline]).pl()
    unstable = aligned.filter(pl.col("alignment") <= pl.col("alignment").median())
    changes = answers.lake.execute(_PAIRED, [metric]).pl()
    better = pl.when(~pl.col("higher_is_better")).then(-pl.col("felt")).otherwise(pl.col("felt"))
    return (
        changes.join(unstable, on="pair_id", how="semi")
        .with_columns(better.alias("felt"))
        .drop_nulls("felt")
        .group_by("pair_id")
        .agg(pl.col("felt").mean())
    )


def _scores(answers: Answers, ids: Sequence[str]) -> dict[str, float]:
    if answers.fidelity is None:
        return {}
    return dict(answers.lake.execute(_SCORED, [answers.fidelity, list(ids)]).fetchall())


def _card(answers: Answers, rows: list[dict[str, Any]], contents: dict[str, Shown], scores: dict[str, float]) -> Card:
    by_cell = {row["cell"]: row for row in rows}
    base = scores.get(by_cell[answers.baseline]["sample_id"]) if answers.baseline in by_cell else None
    shown = [by_cell[cell] for cell in answers.cells if cell in by_cell]
    tiles = (_tile(answers, row, contents.get(row["sample_id"]), scores.get(row["sample_id"]), base) for row in shown)
    return Card(rows[0]["pair_id"], rows[0]["prompt"], rows[0]["seed"], tuple(tiles))


def _tile(
    answers: Answers, row: dict[str, Any], content: Shown | None, score: float | None, base: float | None
) -> Tile:
    text = ""
    if answers.fidelity and score is not None:
        text = show(score)
        if row["cell"] != answers.baseline and base is not None:
            text += f" ({signed(score - base)})"
    failure = "" if row["status"] == "ok" else str(row["status"])
    alt = f"{row['cell']}: {row['prompt']}" + (f" ({failure})" if failure else "")
    return Tile(row["sample_id"], row["cell"], content, alt, text, failure)


def _shown(medium: Medium, sample_id: str, files: dict[str, Any]) -> Shown:
    try:
        return shown(medium, files)
    except (BrokenImage, CorruptSample) as error:
        raise sql.LakeError(f"the {MEDIA[medium].noun} of sample {as_text(sample_id)} {error}") from None
