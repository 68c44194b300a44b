"""Manifests and receipts of a lake, and the parts that they name: the one parser for these files.

A lake may come from somebody else. A file is accepted only if every field has its type and every part is a file of
the record's own run: `<table>/run_id=<run>/<name>.parquet`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from skewbench.storage.schemas import TABLES, VERSION

T = TypeVar("T")
Status = Literal["running", "committed", "incomplete", "removing"]
_PART_NAME = re.compile(r"(?!\.)[\w.=+@~-]+\.parquet", re.ASCII)
_LONGEST = 200
"""Characters of an error message that quotes a file."""


def _with_texts(*names: str) -> AfterValidator:
    def checked(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        for row in rows:
            if not set(names) <= row.keys():
                raise ValueError(f"each needs {' and '.join(names)}")
        return rows

    return AfterValidator(checked)


def _cells(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for cell in cells:
        knob = cell.get("knob")
        if not isinstance(cell.get("name"), str) or not isinstance(knob, dict) or not isinstance(knob.get("kind"), str):
            raise ValueError("each needs a name and a knob with its kind")
    return cells


def _experiment(fields: dict[str, Any]) -> dict[str, Any]:
    metrics = fields.get("metrics", [])
    if not isinstance(metrics, list) or not all(isinstance(metric, str) for metric in metrics):
        raise ValueError("metrics must be a list of names")
    for name in ("model", "workers", "generation"):
        if not isinstance(fields.get(name, {}), dict):
            raise ValueError(f"{name} must have fields")
    for name, text in {**fields.get("model", {}), **fields}.items():
        if name in ("id", "name", "description", "repeat") and not isinstance(text, str):
            raise ValueError(f"{name} must be a text")
    return fields


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table, as receipts and manifests name it. `path` is relative to the lake."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    table: str
    path: str
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: str
    schema_version: int


@dataclass(frozen=True)
class Receipt:
    """States that a shard's parts are whole. Written after them, and only if there is none: the first attempt wins."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    key: str
    run_id: str
    shard: str
    parts: tuple[Part, ...]
    seconds: float
    counts: dict[str, int]
    cell: str = ""
    retry: int = 0
    """How often the shard had been generated again by then, since too many of its cell's samples were unusable. Of
    scores: the attempt that they were made from; of a whole cell: the sum over its shards."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why samples have no usable image, with the number of samples; the commonest reasons."""

    @property
    def kind(self) -> str:
        """`generation` or `scores`."""
        return self.key.partition("-")[0]


@dataclass(frozen=True)
class Manifest:
    """One run.

    `status` is `running`, `committed`, `incomplete` (committed, with shards missing or shortfalls) or `removing` (its
    files are being deleted, and readers no longer see it).
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    run_id: str
    name: str
    status: Status
    created: str
    experiment: Annotated[dict[str, Any], AfterValidator(_experiment)] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    cells: Annotated[list[dict[str, Any]], AfterValidator(_cells)] = field(default_factory=list)
    baseline: str | None = None
    shards: int = 0
    samples: int = 0
    updated: str = ""
    schema_version: int = VERSION
    parts: tuple[Part, ...] = ()
    failed_jobs: Annotated[list[dict[str, str]], _with_texts("job", "error")] = field(default_factory=list)
    missing_metrics: Annotated[list[dict[str, str]], _with_texts("metric", "reason")] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    """What the run knows of its metrics (`skewbench.vocabulary.metrics.stored`): its readers need no scorer for it."""
    shortfalls: Annotated[list[dict[str, str]], _with_texts("cell", "reason")] = field(default_factory=list)
    """Cells with too few usable images (`cell`, `reason`), or without any value of a required metric (`metric` too)."""
    replaced: dict[str, str] = field(default_factory=dict)
    """By compaction: path of a part that a receipt names -> path of the part that holds its rows now."""
    version: str = ""
    """Different each time that the manifest is written, so that no two versions have the same bytes."""
    stored: bytes | None = field(default=None, repr=False, compare=False)
    """The bytes that this manifest was read from or written as; None where it was never stored. Not in the file."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def parse_manifest(run_id: str, content: bytes) -> Manifest:
    """The manifest of a run from its file.

    Args:
        run_id: The run that the file's name says.
        content: The file's bytes.

    Raises:
        ValueError: in one line, what is wrong with it.
    """
    found = parse_fields(Manifest, content)
    if found.run_id != run_id:  # the id names folders
        raise ValueError(f"it is that of run {_quoted(found.run_id)}")
    _check_parts(found.run_id, found.parts)
    for path in (*found.replaced, *found.replaced.values()):
        check_path(run_id, path.partition("/")[0], path)
    return replace(found, stored=content)


def receipt_path(run_id: str, key: str) -> str:
    """Where a receipt lies. `key` is `<kind of job>-<shard>[-<scorer>]`."""
    return f"_receipts/run_id={run_id}/{key}.json"


def parse_receipt(path: str, content: bytes) -> Receipt:
    """The receipt that a file holds.

    Args:
        path: The file's path in the lake, which names run and key.
        content: The file's bytes.

    Raises:
        ValueError: in one line, what is wrong with it.
    """
    found = parse_fields(Receipt, content)
    if "/" in found.key or receipt_path(found.run_id, found.key) != path:  # both name files
        raise ValueError(f"it is that of {_quoted(found.key)} of run {_quoted(found.run_id)}")
    _check_parts(found.run_id, found.parts)
    return found


def _check_parts(run_id: str, parts: Iterable[Part]) -> None:
    for part in parts:
        check_path(run_id, part.table, part.path)


def check_path(run_id: str, table: str, path: str) -> None:
    """Raises `ValueError` for a path that is not of a file of this run in a table of the lake."""
    if table not in TABLES:
        raise ValueError(f"part {_quoted(path)} is of no known table")
    folder, _, name = path.rpartition("/")
    if folder != f"{table}/run_id={run_id}" or not _PART_NAME.fullmatch(name):
        raise ValueError(f"part {_quoted(path)} is no file of {table}/run_id={shown(run_id)}")


def parse_fields(kind: type[T], content: bytes) -> T:
    """An object of a dataclass from JSON. Raises `ValueError`, in one line, for any other content."""
    try:
        parsed: T = _adapter(cast(Any, kind)).validate_json(content)
        return parsed
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(shown(f"{where}: {message}" if where else message)) from None


def _quoted(text: str) -> str:
    return f"'{shown(text)}'"


def shown(text: str) -> str:
    """A text of a lake as an error message quotes it: short, and without characters that steer a terminal."""
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
