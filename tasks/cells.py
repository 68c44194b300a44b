"""A cell in the lake: its complete setting and the knob's description of it, so readers do not need the knob's code."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pydantic_core import to_jsonable_python

from skewbench.stability.knobs import Knob, SetStrength
from skewbench.storage.tables.samples import KNOB_COLUMNS, SAMPLES
from skewbench.tasks.experiment import Cell
from skewbench.tasks.generation import GenerationSpec, families, strengths, words
from skewbench.tasks.size import CHOSEN, Size

_PYTHON: dict[pa.DataType, Any] = {pa.float64(): (int, float), pa.string(): str, pa.bool_(): bool}


def whole_setting(cell: Cell, generation: GenerationSpec, size: Size) -> dict[str, Any]:
    """Return the complete setting of a cell's samples, including defaults.

    Args:
        cell: The cell.
        generation: The experiment's generation settings; the cell's overrides are applied here.
        size: Of each sample, as the model and the experiment give it.

    Returns:
        `knob` with its kind and all fields, `guidance_rule` and `condition` likewise where there are any, and
        `generation`, as JSON has them.
    """
    own = generation.overridden(cell.generation)
    generated = own.model_dump(mode="json", exclude=set(CHOSEN)) | size.known
    others = {"guidance_rule": cell.guidance_rule, "condition": cell.condition}
    settings = {name: knob.setting for name, knob in others.items() if knob is not None}
    return {"knob": cell.knob.setting, **settings, "generation": generated}


def cell_entry(cell: Cell, generation: GenerationSpec, size: Size) -> dict[str, Any]:
    """Describe a cell for the manifest: its setting, and the words, family and strengths of its knobs at present.

    A cell that changes the experiment's generation belongs to another family than one that does not: plain attention
    with another guidance is no baseline.

    Args:
        cell: The cell.
        generation: The experiment's generation, which the cell may override.
        size: Size of the samples.
    """
    changes = generation.changes(cell.generation)
    turned = () if cell.is_plain and changes else turned_knobs(cell)
    return {
        "name": cell.name,
        **whole_setting(cell, generation, size),
        "overrides": to_jsonable_python(changes),
        "words": cell_words(cell, generation),
        "family": "; ".join([*(knob.family for knob in turned), *families(changes)]),
        "strengths": [strength._asdict() for strength in (*_strengths(turned), *strengths(generation, changes))],
    }


def cell_words(cell: Cell, generation: GenerationSpec) -> str:
    """Describe a cell in a few words: its knobs, and its overrides of the experiment's generation.

    Args:
        cell: The cell.
        generation: The experiment's generation.
    """
    return "; ".join([*(knob.words for knob in turned_knobs(cell)), *words(generation.changes(cell.generation))])


def turned_knobs(cell: Cell) -> tuple[Knob, ...]:
    """Return the cell's knobs other than plain attention; plain attention if there is no other.

    Args:
        cell: The cell.
    """
    return tuple(knob for knob in cell.knobs if knob.kind != "vanilla") or cell.knobs


def _strengths(knobs: Sequence[Knob]) -> list[SetStrength]:
    """List the strengths of all knobs. If two knobs share a name, each gets its knob's kind before it."""
    named = [(knob, strength) for knob in knobs for strength in knob.strengths]
    count = Counter(strength.name for _, strength in named)
    return [
        strength if count[strength.name] == 1 else strength._replace(name=f"{knob.kind}.{strength.name}")
        for knob, strength in named
    ]


def knob_columns(cell: Cell) -> dict[str, Any]:
    """Return a cell's knob as the flat columns of `samples`, for readers that open the files by a glob.

    The column `setting` has the complete knob. NULL: the knob has no such field, or one of another type.

    Args:
        cell: The cell.
    """
    given = dict(cell.knob.setting)
    if isinstance(window := given.get("window"), list) and len(window) == 2:
        given["window_start"], given["window_end"] = window
    if isinstance(blocks := given.get("blocks"), int | list):
        given["blocks"] = str(tuple(blocks) if isinstance(blocks, list) else blocks)
    given = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in given.items()}
    found = {name: given[name] for name in KNOB_COLUMNS if _fits(given.get(name), name)}
    return {"knob": cell.knob.kind, **found}


def _fits(value: Any, column: str) -> bool:
    expected = _PYTHON[SAMPLES.schema.field(column).type]
    return isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
