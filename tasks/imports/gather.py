"""Reads every image of an import once, checks it, and makes the plan of the run. Writes nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from skewbench.eval.scoring.images import CorruptSample, is_blank
from skewbench.storage.records import shown
from skewbench.tasks.identity import digest, pair_id, sample_id, shard_id
from skewbench.tasks.imports.labels import Label, Labels, Unlabelled
from skewbench.tasks.imports.pixels import decode_foreign
from skewbench.tasks.imports.sources import Found, LeftOut, open_source
from skewbench.tasks.imports.spec import ImportSpec
from skewbench.tasks.prompts.prompt import Prompt
from skewbench.tasks.size import Size
from skewbench.vocabulary.errors import InputError

SHARD = 32
"""Approximate number of images per shard. A shard contains whole prompts."""
_AT_ONCE = 4
_NAMED = 5
"""Files that a message names."""


@dataclass(frozen=True)
class ImportedSample:
    """An image of a run to be. `status`, `reason`: as in the table `samples`; `noise_seed`: None if it is unknown."""

    sample_id: str
    pair_id: str
    prompt: Prompt
    seed: int
    noise_seed: int | None
    found: Found
    sha256: str
    status: str
    reason: str | None


@dataclass(frozen=True)
class ImportedShard:
    """A group of images of one cell."""

    id: str
    cell: str
    samples: tuple[ImportedSample, ...]


@dataclass(frozen=True)
class ImportPlan:
    """The plan of an import, with everything that it will write.

    Args:
        run_id: Ends in a digest of the content, so that equal images have an equal id.
        spec: The specification of the import.
        baseline: The cell that the others are compared with.
        size: Of all images.
        shards: The images.
        left_out: Skipped items, by cell.
    """

    run_id: str
    spec: ImportSpec
    baseline: str
    size: Size
    shards: tuple[ImportedShard, ...]
    left_out: Mapping[str, tuple[LeftOut, ...]]

    def samples(self, cell: str) -> list[ImportedSample]:
        """List the images of a cell.

        Args:
            cell: Name of the cell.
        """
        return [sample for shard in self.shards if shard.cell == cell for sample in shard.samples]


@dataclass(frozen=True)
class _Seen:
    """An image that was read once. `size`: width and height; None if it is unusable."""

    found: Found
    sha256: str
    label: Label
    status: str
    reason: str | None
    size: tuple[int, int] | None


@dataclass
class _Cell:
    seen: list[_Seen] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def gather(spec: ImportSpec) -> ImportPlan:
    """Read and check the images of all cells.

    Args:
        spec: The import.

    Raises:
        InputError: A source, table or pattern that cannot be used, a cell without a usable image, or several sizes.
    """
    if not spec.cells:
        raise InputError("import: no cell; name at least one with its source")
    cells, unused = dict[str, _Cell](), list[set[str]]()
    for one in spec.cells:
        cells[one.name], rows = _read_cell(one.source, spec)
        unused.append(rows)
    if spec.table:  # one of all sources: only rows that none of them has
        unused = [set.intersection(*unused)]
    for cell, rows in zip(cells.values(), unused, strict=False):
        cell.left_out += [LeftOut(row, "is in the table but is not an image of the source") for row in sorted(rows)]
    size = _size(cells, spec)
    for cell in cells.values():
        others = [one for one in cell.seen if one.size not in (None, size)]
        cell.left_out += [LeftOut(one.found.name, "has {} x {} pixels".format(*(one.size or ()))) for one in others]
        cell.seen = [one for one in cell.seen if one.size in (None, size)]
    for name, cell in cells.items():
        if not any(one.size for one in cell.seen):
            unusable = [LeftOut(one.found.name, one.reason or "") for one in cell.seen]
            raise InputError(
                f"cell {name!r}: nothing to import; {describe([*cell.left_out, *unusable]) or 'no image found'}"
            )
    baseline = spec.baseline or spec.cells[0].name
    content = {name: sorted(_content(one) for one in cell.seen) for name, cell in cells.items()}
    run_id = f"{spec.name}-{digest('import', content, baseline, spec.model)[:8]}"
    pixels = Size(width=size[0], height=size[1])
    return ImportPlan(
        run_id,
        spec,
        baseline,
        pixels,
        tuple(_shards(run_id, cells, pixels)),
        {name: tuple(cell.left_out) for name, cell in cells.items() if cell.left_out},
    )


def describe(left_out: Iterable[LeftOut]) -> str:
    """Describe skipped items: each reason once, with the number of files and the first names.

    Args:
        left_out: The files.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in left_out:
        by_reason[one.reason].append(shown(one.name))
    return "; ".join(
        f"{len(names)} × {reason}: {', '.join(names[:_NAMED])}{' and others' if len(names) > _NAMED else ''}"
        for reason, names in by_reason.items()
    )


def _read_cell(given: str, spec: ImportSpec) -> tuple[_Cell, set[str]]:
    """Read the images of a source. Returns the rows of its table without an image too."""
    source = open_source(given, spec)
    labels, cell = Labels(source, spec), _Cell(left_out=list(source.left_out))
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        for seen in readers.map(partial(_see, labels), source.found):
            if isinstance(seen, _Seen):
                cell.seen.append(seen)
            else:
                cell.left_out.append(seen)
    _leave_out_duplicates(cell)
    return cell, labels.unused()


def _see(labels: Labels, found: Found) -> _Seen | LeftOut:
    """Read an image. One that cannot be decoded is a failed sample if its prompt is known, and left out otherwise."""
    try:
        content = found.read()
    except OSError as error:
        return LeftOut(found.name, f"cannot be read ({error.strerror or error})")
    status, reason, size, text = "failed", None, None, {}
    if content is None:
        reason = "has no bytes"
    else:
        try:
            decoded = decode_foreign(content)
        except CorruptSample as error:
            reason = str(error)
        else:
            height, width, _ = decoded.pixels.shape
            size, text = (width, height), dict(decoded.text)
            status, reason = ("blank", "the image has only one colour") if is_blank(decoded.pixels) else ("ok", None)
    try:
        label = labels.of(found, text)
    except Unlabelled as error:
        return LeftOut(found.name, reason if size is None and reason else str(error))
    return _Seen(found, sha256(content or b"").hexdigest(), label, status, reason, size)


def _leave_out_duplicates(cell: _Cell) -> None:
    """Keep the first image of a prompt and seed; without a seed, the first of a prompt with this content."""
    first: dict[tuple[Any, ...], str] = {}
    kept = []
    for one in cell.seen:
        known = one.label.noise_seed is not None
        key = (one.label.prompt.id, known, one.label.noise_seed if known else one.sha256)
        if key in first:
            what = "prompt and seed" if known else "prompt and content"
            cell.left_out.append(LeftOut(one.found.name, f"has the {what} of an earlier image"))
        else:
            first[key] = one.found.name
            kept.append(one)
    cell.seen = kept


def _size(cells: Mapping[str, _Cell], spec: ImportSpec) -> tuple[int, int]:
    """The one size of all images, or the chosen one."""
    sizes = Counter(one.size for cell in cells.values() for one in cell.seen if one.size)
    if (chosen := spec.size_pixels) is not None or len(sizes) < 2:
        return chosen or next(iter(sizes), (0, 0))
    counted = ", ".join(f"{width}x{height} ({count})" for (width, height), count in sizes.most_common())
    raise InputError(
        f"import: the images have {len(sizes)} sizes: {counted}; a run has one size: choose it with --size"
    )


def _content(one: _Seen) -> tuple[str, str, str, str]:
    prompt = one.label.prompt
    return prompt.text, str(prompt.category), str(one.label.noise_seed), one.sha256


def _shards(run_id: str, cells: Mapping[str, _Cell], size: Size) -> Iterable[ImportedShard]:
    """Shards of whole prompts. The index of a seed is its place among the noise seeds of its prompt, in all cells."""
    known: dict[str, set[int]] = defaultdict(set)
    for cell in cells.values():
        for one in cell.seen:
            if one.label.noise_seed is not None:
                known[one.label.prompt.id].add(one.label.noise_seed)
    places = {prompt: {seed: place for place, seed in enumerate(sorted(seeds))} for prompt, seeds in known.items()}
    for name, cell in cells.items():
        by_prompt: dict[str, list[_Seen]] = defaultdict(list)
        for one in cell.seen:
            by_prompt[one.label.prompt.id].append(one)
        waiting = list[ImportedSample]()
        for prompt_id, of_prompt in by_prompt.items():
            if waiting and len(waiting) + len(of_prompt) > SHARD:
                yield _shard(name, waiting)
                waiting = []
            waiting += _samples(run_id, name, of_prompt, places.get(prompt_id, {}), size)
        yield _shard(name, waiting)


def _shard(cell: str, samples: Sequence[ImportedSample]) -> ImportedShard:
    return ImportedShard(shard_id([sample.sample_id for sample in samples]), cell, tuple(samples))


def _samples(
    run_id: str, cell: str, of_prompt: Sequence[_Seen], places: Mapping[int, int], size: Size
) -> Iterable[ImportedSample]:
    unknown = len(places)
    for one in of_prompt:
        prompt, noise = one.label.prompt, one.label.noise_seed
        if noise is None:  # it pairs with no other image
            pair, seed = digest("unpaired", run_id, cell, prompt.id, one.sha256)[:16], unknown
            unknown += 1
        else:
            pair, seed = pair_id(prompt.id, noise, size), places[noise]
        found = (one.found, one.sha256, one.status, one.reason)
        yield ImportedSample(sample_id(run_id, pair, cell), pair, prompt, seed, noise, *found)
