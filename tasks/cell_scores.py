"""A cell's samples as a set -> scores against a reference. Samples are read a few at a time; features stay."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from skewbench.eval.scorers import Declaration, GroupScore, SetScorer
from skewbench.eval.scoring.distribution import Features
from skewbench.eval.scoring.images import CorruptSample
from skewbench.storage.records import Part
from skewbench.storage.store import Store
from skewbench.storage.tables.group_scores import GROUP_SCORES
from skewbench.tasks.reference import Reference, samples_of, stored_files
from skewbench.tasks.score import score_fields
from skewbench.tasks.sets import SETS

_AT_ONCE = 64


class CellScores:
    """Scores cells with one scorer; the features of a reference are computed once."""

    def __init__(self, store: Store, declared: Declaration, made: SetScorer) -> None:
        self._store, self._declared, self._scorer = store, declared, made
        self._real: dict[str, Features] = {}

    def table(
        self, cell: str, parts: tuple[Part, ...], reference: Reference | None, missing: str | None
    ) -> dict[str, pa.Table]:
        """Make the rows of `group_scores` for one cell.

        Args:
            cell: The cell's name.
            parts: Parts of the run, with the cell's images.
            reference: The images to compare with; None: there is no reference.
            missing: Why nothing can be scored; None if it can. All values are NULL with this reason.

        Returns:
            The table by its name.
        """
        against = f", against {reference.name}" if reference else ""
        scores = dict.fromkeys(self._declared.metric_names, GroupScore(None, missing or "no reference"))
        if reference and not missing:
            real = self._real_features(reference)
            noun = SETS[reference.medium].noun
            against += f" ({len(real)} {noun}, {reference.key})"  # distinguishes folders of one name and size
            scores = self._scorer.compare(self._features(self._made(cell, parts)), real)
        rows = [
            {
                "cell": cell,
                "prompt_id": None,
                "set": self._declared.set + against,
                "n": scores[metric].n,
                **score_fields(self._declared, metric, scores[metric]),
            }
            for metric in self._declared.metric_names
        ]
        return {GROUP_SCORES.name: GROUP_SCORES.of_rows(rows)}

    def _made(self, cell: str, parts: tuple[Part, ...]) -> Iterator[Any]:
        """Yield the cell's samples. Empty and unreadable ones are left out, also of n."""
        kind = SETS[self._declared.medium]
        for content in stored_files(self._store, parts, cell, self._declared.medium):
            try:
                sample = kind.decode(content)
            except CorruptSample:
                continue
            if not kind.is_empty(sample):
                yield sample

    def _real_features(self, reference: Reference) -> Features:
        if reference.key not in self._real:
            self._real[reference.key] = self._features(samples_of(self._store, reference))
        return self._real[reference.key]

    def _features(self, samples: Iterable[Any]) -> Features:
        samples = iter(samples)
        found = []
        while batch := list(islice(samples, _AT_ONCE)):
            found.append(self._scorer.features(batch))
        return np.concatenate(found) if found else self._scorer.features([])
