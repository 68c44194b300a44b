"""What a worker is asked to do, and what it needs. Imports neither torch nor diffusers: the driver makes these."""

from dataclasses import dataclass, field

from skewbench.storage.parts import GENERATION, Part
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
    def key(self) -> str:
        """Key of its receipt."""
        return f"{GENERATION}-{self.name}"

    @property
    def name(self) -> str:
        """Its key without its kind: the beginning of its files' names."""
        return f"{self.shard.id}{_retried(self.retry)}"

    @property
    def cell(self) -> str:
        """The cell that it belongs to."""
        return self.shard.cell.name


@dataclass(frozen=True)
class ScoreJob:
    """Score a committed shard with one scorer. `missing`: why it can only have NULLs."""

    run_id: str
    shard: str
    cell: str
    scorer: str
    version: int
    samples: tuple[Part, ...]
    images: tuple[Part, ...]
    missing: str | None = None
    reference: Reference | None = None  # what a cell as a whole is compared with
    one_by_one: bool = False
    retry: int = 0  # of the attempt at the shard whose images are scored

    @property
    def key(self) -> str:
        """Key of its receipt. One without weights does not stand for one with them."""
        return f"scores-{self.name}"

    @property
    def name(self) -> str:
        """Its key without its kind: the beginning of its files' names."""
        against = f"-{self.reference.key}" if self.reference else ""
        ending = f"{_retried(self.retry)}{against}{'.missing' if self.missing else ''}"
        return f"{self.shard}-{self.scorer}.v{self.version}{ending}"


def _retried(retry: int) -> str:
    return f".retry{retry}" if retry else ""


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
