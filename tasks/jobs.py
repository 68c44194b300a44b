"""The jobs of workers, what they need, and their outcomes. Imports neither torch nor diffusers, for the driver."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.receipts import Receipt
from skewbench.storage.records import Part
from skewbench.tasks.identity import build
from skewbench.tasks.models import ModelSource
from skewbench.tasks.plan import Shard
from skewbench.tasks.reference import Reference
from skewbench.tasks.setting import Setting
from skewbench.vocabulary.texts import as_unicode


@dataclass(frozen=True)
class GenerateJob:
    """Generate a shard."""

    shard: Shard
    one_by_one: bool = False
    given_up: tuple[tuple[str, str], ...] = ()
    """Samples that broke their device, and the reason."""
    retry: int = 0
    """Number of earlier attempts at the shard."""
    group: str = ""
    """The same for shards that share steps, which one worker should generate; empty: it shares none."""

    @property
    def key(self) -> JobKey:
        """Key of its receipt."""
        return JobKey(GENERATION, shard=self.shard.id, retry=self.retry)

    @property
    def cell(self) -> str:
        """The cell that it belongs to."""
        return self.shard.cell.name


@dataclass(frozen=True)
class ScoreJob:
    """Score a committed shard, or a cell as a set, with one scorer.

    Args:
        run_id: The run.
        key: Key of its receipt. A receipt without the scorer's requirements does not replace one with them.
        cell: The cell that it belongs to.
        samples: Parts that contain the rows of `samples`; after a compaction they also contain others.
        files: Parts that contain the encoded samples.
        missing: Why it can only have NULLs.
        reference: What a cell as a set is compared with.
        one_by_one: Its last try; scorers have no other way to do it.
    """

    run_id: str
    key: JobKey
    cell: str
    samples: tuple[Part, ...]
    files: tuple[Part, ...]
    missing: str | None = None
    reference: Reference | None = None
    one_by_one: bool = False

    @property
    def scorer(self) -> str:
        """The scorer's name."""
        return self.key.scorer


Job = GenerateJob | ScoreJob

TRIES = 3
"""Times a job is started; the last time sample by sample."""


@dataclass(frozen=True)
class Outcome:
    """A job and its outcome: a receipt, or the last error of a job that failed for good."""

    job: Job
    receipt: Receipt | None
    error: str | None = None


Execute = Callable[[str, Sequence[Job]], list[Outcome]]
"""Runs jobs of one kind (`generate` or `score`) and returns their outcomes, wherever the workers are."""


@dataclass(frozen=True)
class Needs:
    """The needs of one worker. `setting` and `source`: None if it only scores. `build`: the build of the driver."""

    lake: str
    setting: Setting | None
    source: ModelSource | None
    threads: int
    gpus: float
    build: dict[str, str] = field(default_factory=build)


def format_error(error: BaseException) -> str:
    """Format an error as one line, without its traceback.

    Args:
        error: The error.
    """
    return as_unicode(f"{type(error).__name__}: {' '.join(str(error).split())}"[:500])
