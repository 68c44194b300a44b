"""The specification of an import: the source of each cell, and of its prompts and seeds."""

from typing import Any

from pydantic import Field, ValidationError, model_validator

from skewbench.tasks.generation import Strict
from skewbench.tasks.validation_errors import CELL_NAME, RUN_NAME, format_errors
from skewbench.vocabulary.errors import InputError


class CellSource(Strict):
    """A cell and the source of its images."""

    name: str = Field(pattern=CELL_NAME)
    """Short name, used in tables and figures."""
    source: str = Field(min_length=1)
    """A folder of images, a .parquet file, a folder of .parquet files, or a Hugging Face data set
    (`owner/name[:subset[/split]]`)."""


class ImportSpec(Strict):
    """Images that were made elsewhere. A label is taken from the first of table, pattern and metadata that has it."""

    cells: tuple[CellSource, ...] = ()
    """The cells of the run. All of them are imported at once: a run does not change later."""
    pattern: str | None = None
    """Pattern of file names, relative to the source and without the ending, such as `{prompt}_{seed}` or
    `{index}/{seed}`; `*` stands for any text. `{index}` is a line of `prompts`, from 0."""
    prompts: str | None = None
    """A file of prompts, for `{index}`: text with one prompt per line, or a table with a column of prompts."""
    table: str | None = None
    """A table (.csv, .tsv, .jsonl, .parquet) with a row per file. Default: metadata.csv, .jsonl or .parquet in a
    source's folder, if there is one. Files are named relative to the source or to the table."""
    image_column: str | None = None
    """Column of images in .parquet sources. Default: the first column of bytes, or of a struct with bytes."""
    file_column: str = "file_name"
    """Column of file names in the table."""
    prompt_column: str | None = None
    """Column of prompts. Default: the first existing of prompt, Prompt, caption, text."""
    seed_column: str | None = None
    """Column of noise seeds. Default: the first existing of noise_seed, seed."""
    category_column: str | None = None
    """Column of categories, by which queries can group. Default: none."""
    size: str | None = Field(default=None, pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")
    """WIDTHxHEIGHT of the images to import, if sources have several sizes. Other images are skipped."""
    baseline: str | None = None
    """The cell that the others are compared with. Default: the first."""
    name: str = Field(default="imported", pattern=RUN_NAME)
    """The first part of the run's id."""
    model: str = Field(default="imported", min_length=1, max_length=200)
    """Name of the model that made the images, for tables and reports."""

    @model_validator(mode="after")
    def _cells_are_distinct(self) -> "ImportSpec":
        names = [cell.name for cell in self.cells]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"cells: duplicate name {twice[0]!r}")
        if self.baseline is not None and self.baseline not in names:
            raise ValueError(f"baseline {self.baseline!r}: no such cell; there are {', '.join(names) or 'none'}")
        return self

    @property
    def size_pixels(self) -> tuple[int, int] | None:
        """Width and height of `size`."""
        if self.size is None:
            return None
        width, _, height = self.size.partition("x")
        return int(width), int(height)


def parse_import(fields: dict[str, Any]) -> ImportSpec:
    """Validate the specification of an import.

    Args:
        fields: By name.

    Raises:
        InputError: Fields with errors, each on a line.
    """
    try:
        return ImportSpec.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"import: {format_errors(error, ImportSpec)}") from None
