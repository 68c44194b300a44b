"""Keys of jobs: typed fields that describe the work of a receipt. File names have only a digest of the key."""

import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

Kind = Literal["generation", "scores", "ratings"]
GENERATION: Kind = "generation"
SCORES: Kind = "scores"
RATINGS: Kind = "ratings"
TYPED = 6
"""The version of the lake's schema from which on keys are typed."""


@dataclass(frozen=True)
class JobKey:
    """One job of a run: a shard is generated, a scorer scores a shard or a whole cell, or a person votes.

    Args:
        kind: `generation`, `scores` or `ratings`.
        shard: The shard; empty if a cell is scored as a set, and for a vote.
        cell: The cell that is scored as a set; empty for the job of a shard, and for a vote.
        scorer: The scorer; empty for generation.
        version: The scorer's version.
        reference: Digest of the reference that a cell is compared with as a set.
        missing: The scorer lacks a requirement, so all values are NULL. Later scores replace them.
        retry: Number of earlier attempts at the shard, which were repeated because too many of its cell's samples were
            unusable. For scores: the attempt that they were made from. For a whole cell: the sum over its shards.
        package: The main package of the scorer's environment with its version, such as `image-reward 1.5`; empty for a
            scorer without an environment of its own. Another version scores again.
        vote: Digest of rater, comparison and revision (`skewbench.tasks.rating`); empty for other kinds.
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
    package: str = ""
    vote: str = ""

    def __post_init__(self) -> None:
        if bool(self.shard) + bool(self.cell) + bool(self.vote) != 1:
            raise ValueError("a job is for either a shard or a whole cell, or it is a vote")
        if bool(self.vote) != (self.kind == RATINGS):
            raise ValueError("votes, and no other jobs, are of the kind ratings")

    @cached_property
    def digest(self) -> str:
        """Names the job's receipt and begins its parts' names. Fields at their defaults do not change it."""
        given = {name: value for name, default in _DEFAULTS.items() if (value := getattr(self, name)) != default}
        return sha256(_ENCODER.encode(given).encode()).hexdigest()[:32]

    def __hash__(self) -> int:  # hashing all fields takes five times as long, and a run has many keys
        return hash((self.shard, self.cell, self.scorer, self.vote))

    def __str__(self) -> str:
        if self.kind == RATINGS:
            return f"vote {self.vote}"
        what = f"{self.scorer} v{self.version}" if self.kind == SCORES else self.kind
        of = f" of shard {self.shard}" if self.shard else " of all images"
        against = f" against {self.reference}" if self.reference else ""
        by = f" with {self.package}" if self.package else ""
        return f"{what}{of}{against}{by}{f', retry {self.retry}' if self.retry else ''}"


_DEFAULTS = {one.name: one.default for one in sorted(fields(JobKey), key=lambda one: one.name)}
_ENCODER = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True)
class JobRecord:
    """A job in a manifest: the content of its receipt, so the manifest can replace a missing receipt.

    Args:
        key: The job.
        cell: The cell that it belongs to.
        parts: Paths as the receipt names them. Compaction may have merged their rows into other parts since.
        counts: As in the receipt.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    key: JobKey
    cell: str = ""
    parts: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FailedJob:
    """A job that failed and was set aside.

    Args:
        job: Its key in words.
        error: The error message.
        key: Its key; None if an older manifest does not have it.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    job: str
    error: str
    key: JobKey | None = None
