"""Parses manifests and the parts that they name. Receipts are parsed in `storage.receipts`.

A lake may come from anybody. A file is accepted only if every field has its type and every part is a file of the
record's own run: `<table>/run_id=<run>/<name>.parquet`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from skewbench.storage import legacy
from skewbench.storage.fields import Cells, ExperimentFields, Metrics, MissingMetrics, Shortfalls
from skewbench.storage.keys import TYPED, FailedJob, JobRecord
from skewbench.storage.tables import TABLES, VERSION

T = TypeVar("T")
Status = Literal["running", "committed", "incomplete", "removing"]
_PART_NAME = re.compile(r"(?!\.)[\w.=+@~-]+\.parquet", re.ASCII)
_LONGEST = 200
"""Maximum number of characters that an error message quotes from a file."""


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table, as receipts and manifests name it. Its `path` is relative to the lake."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    table: str
    path: str
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: str
    schema_version: int


@dataclass(frozen=True)
class Manifest:
    """One run.

    Its `status` is `running`, `committed`, `incomplete` (committed, with missing shards or shortfalls) or `removing`
    (its files are being deleted, and readers no longer see it).
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    run_id: str
    name: str
    status: Status
    created: str
    experiment: ExperimentFields = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    cells: Cells = field(default_factory=list)
    baseline: str | None = None
    shards: int = 0
    samples: int = 0
    updated: str = ""
    schema_version: int = VERSION
    parts: tuple[Part, ...] = ()
    jobs: tuple[JobRecord, ...] = ()
    """The jobs whose parts it names, with the content of their receipts."""
    failed_jobs: list[FailedJob] = field(default_factory=list)
    missing_metrics: MissingMetrics = field(default_factory=list)
    metrics: Metrics = field(default_factory=list)
    """Declarations of the run's metrics (`skewbench.vocabulary.metrics.stored`), so that readers need no scorer."""
    shortfalls: Shortfalls = field(default_factory=list)
    """Cells with too few usable images (`cell`, `reason`), or with no value of a required metric (also `metric`)."""
    replaced: dict[str, str] = field(default_factory=dict)
    """From the path of a part that compaction merged to the path of the part that holds its rows now."""
    version: str = ""
    """New each time that the manifest is written, so that no two versions have the same bytes."""
    stored: bytes | None = field(default=None, repr=False, compare=False)
    """The bytes that it was read from or stored as; None if it was never stored. Not in the file."""


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the parser and serializer of a dataclass's files.

    Args:
        kind: The dataclass.
    """
    return TypeAdapter(kind)


def parse_manifest(run_id: str, content: bytes) -> Manifest:
    """Parse a manifest, also one of an older schema.

    Args:
        run_id: The run, as the file's name has it.
        content: The file's bytes.

    Raises:
        NewerSchemaError: Its schema is newer than this skewbench reads.
        ValueError: It is not this run's manifest; the message is one line.
    """
    found = parse_versioned(Manifest, content)
    if found.run_id != run_id:  # the id names folders
        raise ValueError(f"it belongs to run {quoted(found.run_id)}")
    check_parts(found.run_id, found.parts)
    paths = [*found.replaced, *found.replaced.values(), *(path for job in found.jobs for path in job.parts)]
    for path in paths:
        check_path(run_id, path.partition("/")[0], path)
    if found.schema_version < TYPED:
        found = _typed(found)
    return replace(found, stored=content)


def manifest_content(manifest: Manifest) -> bytes:
    """Encode a manifest as the bytes of its file.

    Args:
        manifest: The manifest. Its `stored` is not encoded.
    """
    content: bytes = adapter(Manifest).dump_json(manifest, indent=1, exclude={"stored"})
    return content


def _typed(manifest: Manifest) -> Manifest:
    """Give a manifest of an older schema the typed keys that its names stand for."""
    cells = [cell["name"] for cell in manifest.cells]
    jobs = legacy.typed_jobs((part.path for part in manifest.parts), manifest.replaced, cells)
    shards = {job.key.shard for job in jobs}
    failed = [replace(one, key=legacy.typed_key(one.job, shards, cells)) for one in manifest.failed_jobs]
    return replace(manifest, jobs=jobs, failed_jobs=failed)


def check_parts(run_id: str, parts: Iterable[Part]) -> None:
    """Raise `ValueError` for a part that is not a file of a run.

    Args:
        run_id: The run.
        parts: The parts.
    """
    for part in parts:
        check_path(run_id, part.table, part.path)


def check_path(run_id: str, table: str, path: str) -> None:
    """Raise `ValueError` for a path that is not a file of a run in a table.

    Args:
        run_id: The run.
        table: The table's name.
        path: The file, relative to the lake.
    """
    if table not in TABLES:
        raise ValueError(f"part {quoted(path)} belongs to no known table")
    folder, _, name = path.rpartition("/")
    if folder != TABLES[table].folder(run_id) or not _PART_NAME.fullmatch(name):
        raise ValueError(f"part {quoted(path)} is not a file of {table}/run_id={shown(run_id)}")


class NewerSchemaError(ValueError):
    """A file whose schema is newer than this skewbench reads.

    Args:
        version: Of the file's schema.
    """

    def __init__(self, version: int) -> None:
        super().__init__(
            f"written with lake schema {version}; this skewbench reads schemas up to {VERSION}: "
            f"use one that reads schema {version}"
        )


def parse_versioned(kind: type[T], content: bytes) -> T:
    """Parse a JSON file that holds its `schema_version`.

    Args:
        kind: The dataclass to parse it as.
        content: The file's bytes.

    Raises:
        NewerSchemaError: The schema is newer than this skewbench supports. This is checked before the other contents.
        ValueError: Any other content that cannot be parsed; the message is one line.
    """
    try:
        found = parse_fields(kind, content)
    except ValueError:
        check_version(content)
        raise
    if getattr(found, "schema_version", VERSION) > VERSION:
        check_version(content)
    return found


def check_version(content: bytes) -> None:
    """Raise `NewerSchemaError` for a JSON object whose `schema_version` is newer than this skewbench reads.

    Args:
        content: The file's bytes.
    """
    try:
        fields = from_json(content)
    except ValueError:
        return
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise NewerSchemaError(version)


def parse_fields(kind: type[T], content: bytes) -> T:
    """Parse JSON.

    Args:
        kind: The dataclass to parse it as.
        content: The file's bytes.

    Raises:
        ValueError: Content that does not fit; the message is one line.
    """
    try:
        parsed: T = adapter(cast(Any, kind)).validate_json(content)
        return parsed
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(shown(f"{where}: {message}" if where else message)) from None


def quoted(text: str) -> str:
    """Quote a text from a lake for an error message, shortened and escaped by `shown`.

    Args:
        text: Any text, possibly hostile.
    """
    return f"'{shown(text)}'"


def shown(text: str) -> str:
    """Shorten a text from a lake for an error message, and escape characters that control a terminal.

    Args:
        text: Any text, possibly hostile.
    """
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
