"""A run to rate, and a rater of it."""

from pathlib import Path

from skewbench.storage.manifest import find_run
from skewbench.storage.records import Manifest
from skewbench.storage.store import LocalStore, Store
from skewbench.tasks.rating import Question, Session, Votes, find_comparisons, shuffled
from tests.lakes import Lake, made


def toy(folder: Path, lake: Lake | None = None) -> tuple[LocalStore, Manifest]:
    """A committed run of 3 cells, 4 prompts and 3 seeds."""
    store = LocalStore(folder)
    return store, find_run(store, made(folder, lake or Lake(prompts=4)))


def session(
    store: Store, manifest: Manifest, rater: str = "ann", question: Question = "quality", cells: tuple[str, ...] = ()
) -> Session:
    """A session over all comparisons of a run."""
    found = find_comparisons(store, manifest, question, cells)
    return Session(shuffled(found.comparisons, 1), Votes(store, manifest, rater))
