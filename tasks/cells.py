"""A cell as the lake keeps it: its whole setting, and what the knob says of it, so that no reader needs its code."""

from typing import Any

import pyarrow as pa

from skewbench.storage.tables.samples import KNOB_COLUMNS, SAMPLES
from skewbench.tasks.experiment import Cell, GenerationSpec
from skewbench.tasks.size import CHOSEN, Size

_PYTHON: dict[pa.DataType, Any] = {pa.float64(): (int, float), pa.string(): str, pa.bool_(): bool}


def whole_setting(cell: Cell, generation: GenerationSpec, size: Size) -> dict[str, Any]:
    """All that a cell's samples are generated with, defaults included.

    Args:
        cell: The cell.
        generation: How the run generates.
        size: Of each sample, as the model and the experiment give it.

    Returns:
        `knob` with its kind and all fields, and `generation`, as JSON has them.
    """
    generated = generation.model_dump(mode="json", exclude=set(CHOSEN)) | size.known
    return {"knob": cell.knob.setting, "generation": generated}


def cell_entry(cell: Cell, generation: GenerationSpec, size: Size) -> dict[str, Any]:
    """A cell in the manifest: its setting, and words, family and strengths as the knob has them now."""
    knob = cell.knob
    return {
        "name": cell.name,
        **whole_setting(cell, generation, size),
        "words": knob.words,
        "family": knob.family,
        "strengths": [strength._asdict() for strength in knob.strengths],
    }


def knob_columns(cell: Cell) -> dict[str, Any]:
    """A knob as the flat columns of `samples`, for whoever reads the files by a glob. All of it is in `setting`.

    NULL: the knob has no such field, or one of another type under that name.
    """
    given = dict(cell.knob.setting)
    if isinstance(window := given.get("window"), list) and len(window) == 2:
        given["window_start"], given["window_end"] = window
    if isinstance(blocks := given.get("blocks"), int | list):
        given["blocks"] = str(tuple(blocks) if isinstance(blocks, list) else blocks)
    found = {name: given[name] for name in KNOB_COLUMNS if _fits(given.get(name), name)}
    return {"knob": cell.knob.kind, **found}


def _fits(value: Any, column: str) -> bool:
    expected = _PYTHON[SAMPLES.schema.field(column).type]
    return isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
