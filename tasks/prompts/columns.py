"""Columns of texts out of CSV, TSV and JSON lines, each value with its line, as pandas, DuckDB and Excel write them."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.texts import is_unicode, lines_of


@dataclass(frozen=True)
class Column:
    """The values of one column as texts.

    Args:
        texts: One per row; None if the row has none.
        places: Where each stands, for error messages, such as `line 3`.
        other: What the values are if they are not text, such as `Int64`.
        is_plain: Whether values that are not text have a text, as numbers do and lists do not.
    """

    texts: Sequence[str | None]
    places: Sequence[str]
    other: str = ""
    is_plain: bool = False

    def check(self, named: str, must_be_text: bool) -> None:
        """Check the values.

        Args:
            named: What an error message begins with.
            must_be_text: Whether numbers are refused too.

        Raises:
            InputError: Values that are not text, or text that is not Unicode.
        """
        if self.other and (must_be_text or not self.is_plain):
            raise InputError(f"{named}contains {self.other}, not text")
        for text, place in zip(self.texts, self.places, strict=True):
            if text and not is_unicode(text):
                raise InputError(f"{named}{place} has half of a surrogate pair, which is not valid text: {text[:80]!a}")


def of_csv(text: str) -> dict[str, Column]:
    """Read a CSV file. In a field that does not begin with a quote, a quote is an ordinary character.

    Args:
        text: The file's text.

    Raises:
        ValueError: The text is no table; the message names the line.
    """
    return _of_records(_records(text, delimiter=","))


def of_tsv(text: str) -> dict[str, Column]:
    """Read a TSV file: with quotes, as pandas and Excel write them, if all of them are well-formed; else without.

    Args:
        text: The file's text.

    Raises:
        ValueError: The text is no table; the message names the line.
    """
    try:
        return _of_records(list(_records(text, delimiter="\t")))
    except _BadQuotes:
        return _of_records(_records(text, delimiter="\t", quoting=csv.QUOTE_NONE))


class _BadQuotes(ValueError):
    """Quotes that do not enclose a whole field."""


def _records(text: str, **format: Any) -> Iterator[tuple[int, list[str]]]:
    """The records of a file, with the line in which each begins."""
    reader = csv.reader((f"{line}\n" for line in lines_of(text)), strict=True, **format)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _BadQuotes(f"line {line}: {error}") from None
        if record:
            yield line, record


def _of_records(records: Iterable[tuple[int, list[str]]]) -> dict[str, Column]:
    """Make columns from records. The first record names them; an empty field is None."""
    found = iter(records)
    _, header = next(found, (0, []))
    if not header:
        raise ValueError("it is empty")
    if twice := [name for name in header if header.count(name) > 1]:
        raise ValueError(f"line 1: two columns are named {twice[0]!r}")
    places, rows = [], []
    for line, record in found:
        if len(record) > len(header):
            raise ValueError(f"line {line} has {len(record)} fields, but line 1 names {len(header)} columns; put a "
                             "field that contains the separator in quotes")  # fmt: skip
        places.append(f"line {line}")
        rows.append([field or None for field in record] + [None] * (len(header) - len(record)))
    return {name: Column([row[index] for row in rows], places) for index, name in enumerate(header)}


def of_jsonl(text: str) -> dict[str, Column]:
    """Read JSON lines: one object a line. Numbers and booleans are accepted as categories.

    Args:
        text: The file's text.

    Raises:
        ValueError: The text is no table; the message names the line.
    """
    rows, places = [], []
    for number, line in enumerate(lines_of(text), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number}: not an object of fields")
        rows.append(row)
        places.append(f"line {number}")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _of_values([row.get(name) for row in rows], places) for name in names}


def _of_values(values: list[Any], places: list[str]) -> Column:
    others = [(place, value) for place, value in zip(places, values, strict=True) if not isinstance(value, str | None)]
    nested = [(place, value) for place, value in others if isinstance(value, list | dict)]
    texts = [value if isinstance(value, str | None) else json.dumps(value) for value in values]
    place, value = (nested or others or [("", "")])[0]
    other = f"{_KINDS.get(type(value), type(value).__name__)} in {place}" if place else ""
    return Column(texts, places, other=other, is_plain=not nested)


_KINDS = {list: "a list", dict: "an object", int: "a number", float: "a number", bool: "a truth value"}
