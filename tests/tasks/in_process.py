"""A run without Ray or Prefect, and without answers and report."""

from skewbench.storage.lease import Lease
from skewbench.storage.state import RunState
from skewbench.tasks.drive import generate_left, score_left
from skewbench.tasks.local import LocalWorker
from skewbench.tasks.run import Run


def generate_and_score(run: Run, state: RunState, lease: Lease) -> None:
    """Do and commit what is left of a run that has begun."""
    execute = LocalWorker(run.needs, lease, lambda _outcome: None)
    score_left(run, state, execute, generate_left(run, state, execute))
