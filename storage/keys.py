"""Keys of jobs: which work a receipt is of, as typed fields. A file is named after a key's digest, never parsed."""

import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

Kind = Literal["generation", "scores"]
GENERATION: Kind = "generation"
SCORES: Kind = "scores"
TYPED = 6
"""The version of the lake's schema from which on keys are typed."""


@dataclass(frozen=True)
class JobKey:
    """One job of a run: a shard is generated, or a scorer scores a shard or a whole cell.

    Args:
        kind: `generation` or `scores`.
        shard: The shard; empty where a cell is scored as a set.
        cell: The cell that is scored as a set; empty for the job of a shard.
        scorer: The scorer, of scores.
        version: The scorer's version.
        reference: Digest of what a cell is compared with as a set.
        missing: The scorer lacks something that it needs, so that all values are NULL. Such scores give way to others.
        retry: How often the shard had been generated again by then, since too many of its cell's samples were
            unusable. Of scores: the attempt that they were made from; of a whole cell: the sum over its shards.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    kind: Kind
    shard: str = ""
    cell: str = ""
    scorer: str = ""
    version: int = 0
    reference: str = ""
    missing: bool = False
    retry: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if bool(self.shard) == bool(self.cell):
            raise ValueError("a job is of a shard or of a whole cell")

    @cached_property
    def digest(self) -> str:
        """Names the job's receipt and begins its parts' names. Fields at their defaults leave it as it is."""
        given = {name: value for name, default in _DEFAULTS.items() if (value := getattr(self, name)) != default}
        return sha256(_ENCODER.encode(given).encode()).hexdigest()[:32]

    def __hash__(self) -> int:  # of all fields it costs five times as much, and a run has many keys
        return hash((self.shard, self.cell, self.scorer))

    def __str__(self) -> str:
        what = f"{self.scorer} v{self.version}" if self.kind == SCORES else self.kind
        of = f" of shard {self.shard}" if self.shard else " of all images"
        against = f" against {self.reference}" if self.reference else ""
        return f"{what}{of}{against}{f', retry {self.retry}' if self.retry else ''}"


_DEFAULTS = {one.name: one.default for one in sorted(fields(JobKey), key=lambda one: one.name)}
_ENCODER = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True)
class JobRecord:
    """A job as a manifest keeps it: what its receipt says, so that the manifest stands for a receipt that is gone.

    `parts`: paths as the receipt names them; compaction may have merged the rows into other parts since.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    key: JobKey
    cell: str = ""
    parts: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FailedJob:
    """A job that was set aside. `job`: its key in words; `key`: None where an older manifest does not tell."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    job: str
    error: str
    key: JobKey | None = None
