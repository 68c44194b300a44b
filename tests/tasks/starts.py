"""What a start of a run does, without workers."""

from skewbench.storage.lease import Lease
from skewbench.storage.manifest import read_manifest
from skewbench.storage.records import Manifest
from skewbench.storage.state import RunState, read_state
from skewbench.tasks.jobs import GenerateJob, ScoreJob
from skewbench.tasks.run import Run, commit, generation_left, is_finished, scoring_left, start


def started(run: Run) -> RunState:
    """The run's state after a claim; a run without a manifest is begun."""
    with Lease(run.store, run.id) as lease:
        return start(run, lease)


def committed(run: Run) -> Manifest:
    """A start of which nothing is left to do but to commit."""
    return commit(run, started(run), [])


def state_of(run: Run) -> RunState:
    """The run as it is in the lake; it is begun if it was not."""
    manifest = read_manifest(run.store, run.id)
    return read_state(run.store, manifest) if manifest else started(run)


def to_generate(run: Run) -> list[GenerateJob]:
    """What a start would find left to generate."""
    return generation_left(run, state_of(run))


def to_score(run: Run) -> list[ScoreJob]:
    """What a start would find left to score."""
    return scoring_left(run, state_of(run))


def finished(run: Run) -> bool:
    """Whether a start would find nothing left to do."""
    return is_finished(run, state_of(run))
