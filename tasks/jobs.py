"""The jobs of workers and what they need. Imports neither torch nor diffusers, since the driver makes these."""

from dataclasses import dataclass, field

from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.records import Part
from skewbench.tasks.identity import build
from skewbench.tasks.models import ModelSource
from skewbench.tasks.plan import Shard
from skewbench.tasks.reference import Reference
from skewbench.tasks.setting import Setting


@dataclass(frozen=True)
class GenerateJob:
    """Generate a shard."""

    shard: Shard
    one_by_one: bool = False
    given_up: tuple[tuple[str, str], ...] = ()
    """Samples that broke their device, and the reason."""
    retry: int = 0
    """How often the shard was generated before."""

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
        key: Key of its receipt. One without what the scorer needs does not stand for one with it.
        cell: The cell that it belongs to.
        samples: Parts that hold the rows of `samples`, among others' where the run was compacted.
        images: Parts that hold the images.
        missing: Why it can only have NULLs.
        reference: What a cell as a set is compared with.
        one_by_one: Its last try; scorers have no other way to do it.
    """

    run_id: str
    key: JobKey
    cell: str
    samples: tuple[Part, ...]
    images: tuple[Part, ...]
    missing: str | None = None
    reference: Reference | None = None
    one_by_one: bool = False

    @property
    def scorer(self) -> str:
        """The scorer's name."""
        return self.key.scorer


Job = GenerateJob | ScoreJob


@dataclass(frozen=True)
class Needs:
    """What one worker needs. `setting` and `source`: None where it only scores. `build`: the driver's, and its own."""

    lake: str
    setting: Setting | None
    source: ModelSource | None
    threads: int
    gpus: float
    build: dict[str, str] = field(default_factory=build)
