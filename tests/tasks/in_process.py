"""A run without Ray or Prefect: its jobs one after the other, in this process."""

from skewbench.storage.state import RunState
from skewbench.tasks.run import Run, commit, generation_left, scoring_left
from skewbench.tasks.worker import Worker


def generate_and_score(run: Run, state: RunState) -> None:
    """Do and commit what is left of a run that has begun."""
    worker = Worker(run.needs)
    state.fold([worker.run(job) for job in generation_left(run, state)])
    commit(run, state, [])
    state.fold([worker.run(job) for job in scoring_left(run, state)])
    commit(run, state, [])
