"""The fields of a manifest that contain dictionaries, and the entries that readers need in them."""

from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, ConfigDict, GetPydanticSchema, with_config
from typing_extensions import TypedDict


def _with_texts(*names: str) -> AfterValidator:
    def checked(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        for row in rows:
            if not set(names) <= row.keys():
                raise ValueError(f"each needs {' and '.join(names)}")
        return rows

    return AfterValidator(checked)


_OPEN = with_config(ConfigDict(strict=True, extra="allow"))
"""Newer versions of the same schema may add fields."""


@_OPEN
class _Knob(TypedDict):
    kind: str


@_OPEN
class _Strength(TypedDict):
    name: str
    symbol: str
    plain: float | None
    value: Any


@_OPEN
class _Cell(TypedDict):
    name: str
    knob: _Knob
    generation: NotRequired[dict[str, Any] | None]
    words: NotRequired[str]
    family: NotRequired[str]
    strengths: NotRequired[list[_Strength]]


@_OPEN
class _Metric(TypedDict):
    """A metric as `skewbench.vocabulary.metrics.stored` describes it."""

    name: str
    scorer: str
    version: int
    unit: str
    medium: NotRequired[str]
    label: NotRequired[str]
    meaning: NotRequired[str]
    better: NotRequired[str | None]
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    grows_with_n: NotRequired[bool]
    rank: NotRequired[int | None]
    may_be_absent: NotRequired[bool]


def _as(kind: Any) -> GetPydanticSchema:
    """Validate a field as another type than the one that it is annotated with."""
    return GetPydanticSchema(lambda _, handler: handler(kind))


def _cells(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Since schema 6 a cell has words, family and strengths; before, it has none of them."""
    for cell in cells:
        if len({"words", "family", "strengths"} & cell.keys()) not in (0, 3):
            raise ValueError("each needs words, family and strengths, or none of them")
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


ExperimentFields = Annotated[dict[str, Any], AfterValidator(_experiment)]
Cells = Annotated[list[dict[str, Any]], _as(list[_Cell]), AfterValidator(_cells)]
Metrics = Annotated[list[dict[str, Any]], _as(list[_Metric])]
MissingMetrics = Annotated[list[dict[str, str]], _with_texts("metric", "reason")]
Shortfalls = Annotated[list[dict[str, str]], _with_texts("cell", "reason")]
