"""Measures a round by a run in the lake, and reads its pairs."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from skewbench import sql
from skewbench.storage.lease import Lease
from skewbench.storage.parts import new_attempt, write_part
from skewbench.storage.records import Manifest
from skewbench.storage.state import RunState
from skewbench.storage.store import Store
from skewbench.storage.tables.trials import TRIALS
from skewbench.tasks.drive import generate_left, score_left
from skewbench.tasks.jobs import Execute
from skewbench.tasks.run import Run, caught_up, commit_receipts, generation_left, is_finished, prepare, scoring_left
from skewbench.tasks.shortfalls import raise_if_incomplete
from skewbench.tasks.tune.estimate import Pairs
from skewbench.tasks.tune.request import Request
from skewbench.tasks.tune.search import Round

Working = Callable[[Run, Lease], AbstractContextManager[Execute]]
"""A context in which jobs of a run can be executed, by this process or by a pool."""
Finish = Callable[[Store, RunState, Lease], Manifest]
"""Analyses a run and writes its report."""


@dataclass
class LakeEvaluation:
    """Measures rounds (`skewbench.tasks.tune.search.Evaluate`).

    A round that is in the lake already is only read; one that was interrupted is resumed.

    Args:
        request: The search.
        lake: Folder or URL of the lake.
        working: Where jobs are executed.
        runs: Ids of the runs so far, by number of the round.
    """

    request: Request
    lake: str
    working: Working
    runs: dict[int, str]

    def __call__(self, of: Round) -> Mapping[str, Mapping[str, Pairs]]:
        run = prepare(self.request.experiment(of), self.lake, download=True)
        self.runs[of.number] = run.id
        with Lease(run.store, run.id) as lease:
            state = caught_up(run, lease)
            # a cell without any usable image is a result, and is not tried again
            if any(not job.retry for job in generation_left(run, state)) or scoring_left(run, state):
                with self.working(run, lease) as execute:
                    score_left(run, state, execute, generate_left(run, state, execute))
        if state.manifest.failed_jobs:  # the path would depend on what failed by chance
            raise_if_incomplete(state.manifest)
        return read_pairs(run.store.lake, run.id, self.request.objective.metrics)

    def add_path(self, of: Round, rows: list[dict[str, object]], finish: Finish) -> str:
        """Write the search's path into the run of a round, analyse it and write its report.

        Args:
            of: The held-out round, which was measured.
            rows: Rows of the table `trials`.
            finish: Analyses the run and writes the report.

        Returns:
            The run's id.
        """
        run = prepare(self.request.experiment(of), self.lake)
        with Lease(run.store, run.id) as lease:
            state = caught_up(run, lease)
            if is_finished(run, state) and any(part.table == TRIALS.name for part in state.manifest.parts):
                return run.id
            part = write_part(run.store, TRIALS.name, run.id, TRIALS.name, new_attempt(), TRIALS.of_rows(rows))
            commit_receipts(run.store, state, [], state.manifest.status, [part])
            finish(run.store, state, lease)
        return run.id


_PAIRS = """
SELECT cells.cell, base.metric, base.prompt_id, base.value AS baseline, c.value, coalesce(c.failed, false) AS failed
FROM unit_values AS base
JOIN runs ON runs.run_id = base.run_id AND runs.baseline = base.cell
JOIN cells ON cells.run_id = base.run_id AND cells.cell <> base.cell
LEFT JOIN unit_changes AS c
    ON c.run_id = base.run_id AND c.cell = cells.cell AND c.metric = base.metric AND c.kind = base.kind
    AND c.unit = base.unit AND c.comparability = base.comparability
WHERE list_contains(?, base.metric)
ORDER BY cells.cell, base.metric, base.unit
"""
"""Every value of the baseline with each other cell's, which is NULL if the cell has no comparable value."""


def read_pairs(lake: str, run_id: str, metrics: tuple[str, ...]) -> dict[str, dict[str, Pairs]]:
    """Read the pairs of each cell with the run's baseline.

    Args:
        lake: Folder or URL of the lake.
        run_id: The run.
        metrics: Names of the metrics.

    Returns:
        Pairs by cell and metric.
    """
    with sql.connect(lake, run_id, include_running=True) as connection:
        frame = connection.execute(_PAIRS, [list(metrics)]).pl()
    found: dict[str, dict[str, Pairs]] = {}
    for (cell, metric), rows in frame.group_by("cell", "metric", maintain_order=True):
        found.setdefault(str(cell), {})[str(metric)] = Pairs(
            tuple(rows["prompt_id"].to_list()),
            rows["baseline"].to_numpy(),
            rows["value"].fill_null(np.nan).to_numpy(),
            rows["failed"].to_numpy(),
        )
    return found
