"""Writes votes into a lake and reads those of a rater.

Each vote is a part of the table `ratings` with a receipt, as workers write theirs. Both are on the disk (or in the
bucket) when `Votes.write` returns. Readers see them after the next commit of the run.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pyarrow.compute as pc

from skewbench.storage.keys import RATINGS as RATING
from skewbench.storage.keys import JobKey
from skewbench.storage.manifest import manifest_path
from skewbench.storage.parts import new_attempt, read_part, write_part
from skewbench.storage.receipts import Receipt, write_receipt
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.storage.tables.ratings import RATINGS
from skewbench.storage.verify import all_parts
from skewbench.tasks.rating.comparisons import key_of
from skewbench.tasks.rating.shuffle import Placed
from skewbench.vocabulary.errors import RunError

Key = tuple[str, ...]


@dataclass(frozen=True)
class Vote:
    """The newest row of a rater on a comparison.

    Args:
        revision: Number of the row among the rater's on the comparison, from 0.
        time: When it was written: UTC, ISO 8601.
        withdrawn: Whether it takes the earlier vote back.
    """

    revision: int
    time: str
    withdrawn: bool


class Votes:
    """The votes of one rater on a run.

    Nothing is overwritten: a change of mind is a further row with a higher `revision`, and so is a withdrawal.

    Args:
        store: The lake.
        manifest: The run.
        rater: Name of the rater.

    Attributes:
        newest: The newest row of each comparison, by its key.
    """

    def __init__(self, store: Store, manifest: Manifest, rater: str) -> None:
        self.rater = rater
        self._store, self._run_id = store, manifest.run_id
        self.newest = _newest(self._rows(manifest))

    def write(self, placed: Placed, choice: str | None, withdrawn: bool = False) -> None:
        """Write a vote. When this returns, the vote is durable.

        Args:
            placed: The comparison, as it was shown.
            choice: The chosen cell; None: a tie, or withdrawn.
            withdrawn: Whether this takes the earlier vote back.

        Raises:
            RunError: The run was removed. Nothing was written.
            LakeError: The lake cannot be written.
            OSError: The disk cannot be written.
        """
        key = placed.comparison.key
        earlier = self.newest.get(key)
        revision = earlier.revision + 1 if earlier else 0
        while (written := self._write(placed, choice, withdrawn, revision)) is None:
            revision += 1  # the same rater votes in another process too
        self.newest[key] = written

    def _write(self, placed: Placed, choice: str | None, withdrawn: bool, revision: int) -> Vote | None:
        """Write a row. Returns None if the rater has a row of this revision already."""
        if not self._store.exists(manifest_path(self._run_id)):
            raise RunError(f"run {self._run_id} was removed; the vote was not saved")
        compared = placed.comparison
        time = datetime.now(UTC).isoformat(timespec="microseconds")
        row = {
            "rater": self.rater,
            "time": time,
            "question": compared.question,
            "prompt_id": compared.prompt_id,
            "pair_id": compared.pair_id,
            "left_cell": placed.cells[0],
            "right_cell": placed.cells[1],
            "left_samples": list(placed.samples[0]),
            "right_samples": list(placed.samples[1]),
            "choice": choice,
            "withdrawn": withdrawn,
            "revision": revision,
            "shuffle_seed": placed.seed,
            "position": placed.position,
        }
        vote = sha256(json.dumps([self.rater, *compared.key, revision]).encode()).hexdigest()[:32]
        key = JobKey(RATING, vote=vote)
        part = write_part(self._store, RATINGS.name, self._run_id, key.digest, new_attempt(), RATINGS.of_rows([row]))
        receipt = write_receipt(self._store, Receipt(key, self._run_id, (part,), 0.0, {RATINGS.name: 1}))
        return Vote(revision, time, withdrawn) if receipt.parts == (part,) else None

    def _rows(self, manifest: Manifest) -> Iterable[dict[str, Any]]:
        """The rater's rows, also those that are not committed yet."""
        columns = ["rater", "time", "question", "prompt_id", "pair_id", "left_cell", "right_cell"]
        for part in all_parts(self._store, manifest):
            if part.table == RATINGS.name:
                own = pc.field("rater") == self.rater
                yield from read_part(self._store, part, [*columns, "withdrawn", "revision"], own).to_pylist()


def _newest(rows: Iterable[dict[str, Any]]) -> dict[Key, Vote]:
    found: dict[Key, Vote] = {}
    for row in rows:
        cells = (row["left_cell"], row["right_cell"])
        key = key_of(row["question"], row["prompt_id"], row["pair_id"], cells)
        vote = Vote(row["revision"], row["time"], row["withdrawn"])
        found[key] = max(found.get(key, vote), vote, key=lambda one: one.revision)
    return found
