"""Describes errors in an experiment's fields: each error once, with its field, value and the allowed values."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import groupby
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.dataclasses import is_pydantic_dataclass
from pydantic.fields import FieldInfo

RUN_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"
CELL_NAME = r"^[a-z0-9][a-z0-9._-]{0,39}$"
_NAMES = {
    RUN_NAME: "1 to 40 lower-case letters, digits and hyphens, not starting with a hyphen",
    CELL_NAME: "1 to 40 lower-case letters, digits, dots, underscores and hyphens, starting with a letter or digit",
}
_SHOWN = 80  # characters of a value


def format_errors(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe validation errors, one per line, in the order of the model's fields.

    Args:
        error: The error that pydantic raised.
        model: The model that was validated.
    """
    every = [fault for fault in error.errors(include_url=False) if not _follows(fault)]
    faults = [(_place(fault["loc"], model), fault) for fault in every]
    lines = [
        _fault(field, models, [fault for _, fault in alike])
        for (field, models), alike in groupby(faults, key=lambda found: found[0])
    ]
    return lines[0] if len(lines) == 1 else "\n  ".join([f"{len(lines)} errors", *lines])


def _follows(fault: Any) -> bool:
    """Return whether a list is too short only because its items have errors, which are reported."""
    return fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]


def _place(loc: Sequence[int | str], model: type) -> tuple[str, tuple[type, ...]]:
    """Return the field as a person writes it, and its parent: pydantic also names the branches of unions it tried."""
    inside: tuple[type, ...] = (model,)
    branches, path = inside, []
    for part in loc:
        if isinstance(part, int):
            path.append(str(part))
        elif chosen := tuple(one for one in branches if part in _kinds(one)):
            branches = chosen
        elif branches or not path:
            path.append(part)
            inside = branches
            branches = tuple(_models([_fields(one)[part].annotation for one in inside if part in _fields(one)]))
        else:
            break
    return ".".join(path), inside


def _fields(model: type) -> dict[str, FieldInfo]:
    """The fields of a model or of a pydantic dataclass."""
    found: dict[str, FieldInfo] = model.__pydantic_fields__  # type: ignore[attr-defined]
    return found


def _kinds(model: type) -> tuple[Any, ...]:
    """The values of the field `kind` that select a model in a union."""
    return get_args(_fields(model)["kind"].annotation) if "kind" in _fields(model) else ()


def _models(annotations: Sequence[Any]) -> Iterator[type]:
    for annotation in annotations:
        if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_pydantic_dataclass(annotation)):
            yield annotation
        else:
            yield from _models(get_args(annotation))


def _fault(field: str, models: Sequence[type], faults: Sequence[Any]) -> str:
    first = faults[0]
    if first["type"] == "missing":
        return f"{field}: is missing"
    value = repr(first["input"])
    shown = "" if isinstance(first["input"], dict) or not field else f" {value}"
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{field}{shown}: unknown field; {_meant(field, models)}"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{field}: {_without_kind(field, models, first)}"
    messages = list(dict.fromkeys(map(_message, faults)))
    message = ", or ".join([messages[0], *(other.removeprefix("Input should be ") for other in messages[1:])])
    return f"{field}{shown}: {message}" if field else message


def _message(fault: Any) -> str:
    if fault["type"] == "string_pattern_mismatch":
        pattern = fault["ctx"]["pattern"]
        return f"a name is {_NAMES[pattern]}" if pattern in _NAMES else str(fault["msg"])
    if fault["type"] in ("model_type", "model_attributes_type", "dataclass_type"):
        return "Input should be a mapping of fields"
    message = str(fault["msg"]).removeprefix("Value error, ").replace("valid tuple", "list")
    return message.replace("Tuple should", "list should").replace(" after validation", "")


def _without_kind(field: str, models: Sequence[type], fault: Any) -> str:
    name = field.rpartition(".")[2]
    branches = _models([_fields(model)[name].annotation for model in models if name in _fields(model)])
    known = ", ".join(repr(kind) for branch in branches for kind in _kinds(branch))
    tag = fault.get("ctx", {}).get("tag")
    return f"kind is missing; there are {known}" if tag is None else f"unknown kind {tag!r}; use one of {known}"


def _meant(field: str, models: Sequence[type]) -> str:
    known = list(dict.fromkeys(name for model in models for name in _fields(model)))
    near = get_close_matches(field.rpartition(".")[2], known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
