"""Prompts and seeds of images from elsewhere: by a table, by file names, or by the metadata of a PNG."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from skewbench.tasks.imports.metadata import labels_of_png
from skewbench.tasks.imports.sources import METADATA, Found, Source
from skewbench.tasks.imports.spec import ImportSpec
from skewbench.tasks.prompts.prompt import Prompt, prompt
from skewbench.tasks.prompts.tables import TABLES, USUAL, read_file, read_table
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.texts import is_unicode
from skewbench.vocabulary.user_paths import user_path

SEEDS = ("noise_seed", "seed")
"""Default names of the column of noise seeds, in the order of search."""
_FIELD = re.compile(r"\{(\w*)\}|(\*)|([^{*]+|\{)")
_PLACEHOLDERS = {"prompt": "(?P<prompt>.+?)", "index": r"(?P<index>\d+)", "seed": r"(?P<seed>\d+)"}
_INTEGER = re.compile(r"([+-]?\d+)(\.0*)?")

Row = Mapping[str, str | None]


@dataclass(frozen=True)
class Label:
    """Prompt and noise seed of an image; the seed is None if it is unknown."""

    prompt: Prompt
    noise_seed: int | None


class Unlabelled(Exception):
    """Raised if there is no usable label. The message is the end of a sentence about the file."""


class Labels:
    """Finds the labels of the images of one source.

    Args:
        source: The source.
        spec: The import.

    Raises:
        InputError: A table, pattern or file of prompts that cannot be used.
    """

    def __init__(self, source: Source, spec: ImportSpec) -> None:
        self._spec = spec
        self._pattern = _compiled(spec) if spec.pattern else None
        self._prompts = _prompts(spec)
        self._rows: dict[str, list[Row]] = {}
        self._folder: Path | None = None
        self._names = Counter(PurePosixPath(one.path).name for one in source.found)
        self._source, self._used = source, set[str]()
        if path := _table_of(source, spec):
            self._rows, self._folder = _rows_by_file(path, spec), path.parent
        elif source.folder is None and source.found:
            _check_columns(spec, list(source.found[0].columns), f"source {source.given!r}")

    def of(self, found: Found, text: Mapping[str, str]) -> Label:
        """Find the label of an image.

        Args:
            found: The image.
            text: Text chunks of its PNG.

        Raises:
            Unlabelled: It has no prompt, or something that is no seed.
        """
        of_table = self._row_of(found)
        row = {**found.columns, **(of_table or {})}
        named = self._named(found)
        prompts, seeds = [_first(row, self._spec.prompt_column, USUAL), named.get("prompt")], [
            _first(row, self._spec.seed_column, SEEDS), named.get("seed"),
        ]  # fmt: skip
        if not all((any(prompts), any(seeds))):
            from_png = labels_of_png(text)
            prompts.append(from_png[0])
            seeds.append(from_png[1])
        words = next((one.strip() for one in prompts if one and one.strip()), None)
        if words is None:
            raise Unlabelled("has no row in the table" if self._rows and of_table is None else "has no prompt")
        if not is_unicode(words):
            raise Unlabelled("has a prompt that is not valid Unicode")
        category = row.get(self._spec.category_column or "")
        return Label(prompt(words, category), _noise_seed(next((one for one in seeds if one), None)))

    def unused(self) -> set[str]:
        """Find the rows of the table that name no image of the source."""
        return self._rows.keys() - self._used

    def _row_of(self, found: Found) -> Row | None:
        """The row of the table: by the path relative to the source or to the table, else by the bare name."""
        names = [found.path]
        if self._folder and self._source.folder:
            file = self._source.folder.absolute() / found.path
            if file.is_relative_to(self._folder.absolute()):
                names.append(file.relative_to(self._folder.absolute()).as_posix())
        bare = PurePosixPath(found.path).name
        for name in dict.fromkeys([*names, bare]):
            if rows := self._rows.get(name, []):
                if name == bare and name not in names and self._names[bare] > 1:
                    raise Unlabelled(f"is one of {self._names[bare]} files named {bare}, but the table names no folder")
                self._used.add(name)
                if len(rows) > 1:
                    raise Unlabelled(f"has {len(rows)} rows in the table")
                return rows[0]
        return None

    def _named(self, found: Found) -> dict[str, str]:
        """Read labels from the file's name by the pattern. Underscores in a prompt without spaces are read as
        spaces."""
        if not self._pattern:
            return {}
        stem = found.path.removesuffix(PurePosixPath(found.path).suffix)
        if not (match := self._pattern.fullmatch(stem)):
            raise Unlabelled("does not match the pattern")
        named = match.groupdict()
        if "index" in named:
            number = int(named["index"])
            if number >= len(self._prompts):
                raise Unlabelled(f"has prompt {number} in its name, but the file of prompts has {len(self._prompts)}")
            named["prompt"] = self._prompts[number]
        elif "prompt" in named and " " not in named["prompt"]:
            named["prompt"] = named["prompt"].replace("_", " ")
        return named


def _noise_seed(text: str | None) -> int | None:
    """A seed as the lake's signed 64 bits: PyTorch takes the negative number for the same generator."""
    if text is None:
        return None
    match = _INTEGER.fullmatch(text.strip())
    if not match or not -(2**63) <= int(match[1]) < 2**64:
        raise Unlabelled(f"has the seed {text[:40]!r}, which is not a 64-bit integer")
    number = int(match[1])
    return number - 2**64 if number >= 2**63 else number


def _compiled(spec: ImportSpec) -> re.Pattern[str]:
    parts, named = [], []
    for placeholder, star, plain in _FIELD.findall(spec.pattern or ""):
        if plain == "{" or (not star and not plain and placeholder not in _PLACEHOLDERS):
            wrong = plain or f"{{{placeholder}}}"
            raise InputError(f"pattern {spec.pattern!r}: {wrong} is unknown; use {{prompt}}, {{index}}, {{seed}} or *")
        if placeholder:
            named.append(placeholder)
        parts.append(_PLACEHOLDERS[placeholder] if placeholder else ".*" if star else re.escape(plain))
    if not named or len(set(named)) < len(named):
        raise InputError(
            f"pattern {spec.pattern!r}: needs one of {{prompt}}, {{index}} and {{seed}}, and each at most once"
        )
    if ("index" in named) != bool(spec.prompts):
        raise InputError(
            f"pattern {spec.pattern!r} with prompts {spec.prompts!r}: {{index}} is a line of the file of prompts; "
            "give both or neither"
        )
    return re.compile("".join(parts))


def _prompts(spec: ImportSpec) -> list[str]:
    if spec.prompts is None:
        return []
    if not spec.pattern:
        raise InputError(f"prompts {spec.prompts!r}: needs a pattern with {{index}}")
    return [one.text for one in read_file(user_path(spec.prompts, "prompts"), None, None)]


def _table_of(source: Source, spec: ImportSpec) -> Path | None:
    if spec.table:
        path = user_path(spec.table, "table")
        if path.suffix.lower() not in TABLES:
            raise InputError(f"table {spec.table!r}: unsupported file type; use one of {', '.join(TABLES)}")
        return path
    own = [source.folder / name for name in METADATA if (source.folder / name).is_file()] if source.folder else []
    if len(own) > 1:
        raise InputError(
            f"source {source.given!r}: has {' and '.join(one.name for one in own)}; choose one with --table"
        )
    return own[0] if own else None


def _rows_by_file(path: Path, spec: ImportSpec) -> dict[str, list[Row]]:
    columns = read_table(path, "table")
    where = f"table {str(path)!r}"
    if spec.file_column not in columns:
        raise InputError(
            f"file_column {spec.file_column!r}: no such column in {where}; its columns are {', '.join(columns)}"
        )
    _check_columns(spec, list(columns), where)
    rows: dict[str, list[Row]] = defaultdict(list)
    for number, name in enumerate(columns[spec.file_column].texts):
        if name:
            rows[str(PurePosixPath(name))].append({key: column.texts[number] for key, column in columns.items()})
    return rows


def _check_columns(spec: ImportSpec, names: Sequence[str], where: str) -> None:
    for option in ("prompt_column", "seed_column", "category_column"):
        name = getattr(spec, option)
        if name is not None and name not in names:
            raise InputError(f"{option} {name!r}: no such column in {where}; its columns are {', '.join(names)}")


def _first(row: Row, given: str | None, usual: Sequence[str]) -> str | None:
    """The value of the column that was given, or of the first usual one that the row has."""
    return row.get(given) if given else next((row[name] for name in usual if name in row), None)
