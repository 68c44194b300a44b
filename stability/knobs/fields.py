"""Types of a knob's fields, and the one-line message for a value that they refuse."""

import re
from dataclasses import dataclass
from inspect import signature
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AfterValidator, AllowInfNan, ConfigDict, Field, Strict, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo

Number = Annotated[float, Strict(), AllowInfNan(False)]
"""A finite number. Strings, True and False are refused."""
Flag = Annotated[bool, Strict()]
"""True or False, not 1 or 0."""

WHOLE = (0.0, 1.0)
"""The window that covers every call, however many there are."""


@dataclass(frozen=True)
class Strength:
    """Marks a number as a strength of a knob: reports show it as a slider.

    Args:
        symbol: The symbol that reports show, such as `α`.
        plain: The value at which the knob has no effect for any value of its other fields; None if there is none.
        low: Lowest value that a search tries; None: the field's own bound.
        high: Highest value that a search tries; None: the field's own bound.
        log: Whether a search samples the value on a logarithmic scale.
    """

    symbol: str
    plain: float | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Allowed:
    """Describes the allowed values of a field in error messages, in place of the words for its type."""

    text: str


def _compiled(blocks: Any) -> Any:
    """Check that a regex compiles. What it matches depends on the model."""
    for item in (blocks,) if isinstance(blocks, str | int) else blocks:
        if item == "":  # a regex that every name matches
            raise ValueError("must not be an empty text")
        if isinstance(item, str):
            try:
                re.compile(item)
            except re.error as error:
                raise ValueError(f"must be a valid regex ({error})") from error
    return blocks


def _ordered(window: tuple[float, float]) -> tuple[float, float]:
    if window[0] >= window[1]:
        raise ValueError("must be (a, b) with 0 <= a < b <= 1")
    return window


_Block = Annotated[str, Strict()] | Annotated[int, Strict()]
_Fraction = Annotated[Number, Field(ge=0, le=1)]

Blocks = Annotated[
    _Block | Annotated[tuple[_Block, ...], Field(min_length=1)],
    AfterValidator(_compiled),
    Allowed('"all", a stage, a number, a regex on names, or a sequence of those'),
    Field(description="Self-attention blocks: `all`, a stage (`down`, `mid`, `up`; in a transformer `early`, `middle`, "
    "`late`), a block's number, a regex of names, or several of these."),
]  # fmt: skip
Window = Annotated[
    tuple[_Fraction, _Fraction],
    AfterValidator(_ordered),
    Allowed("(a, b) with 0 <= a < b <= 1"),
    Field(description="Steps in which the knob acts, as fractions [a, b) of all steps."),
]
Schedule = Annotated[
    Literal["constant", "linear-up", "linear-down", "cosine-up", "cosine-down"],
    Field(description="How the strength changes over the window's steps: `constant`; `-up` from the neutral value to "
    "the strength; `-down` from the strength to the neutral value."),
]  # fmt: skip
Heads = Annotated[
    Literal["all"] | Annotated[tuple[Annotated[int, Strict(), Field(ge=0)], ...], Field(min_length=1)],
    Allowed('"all", or numbers of heads, from 0'),
    Field(description="Heads of each block, by number from 0. The other heads are unchanged."),
]


@pydantic_dataclass(frozen=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True))
class Sketch:
    """Rescale by an estimate of the norms, from their components along random directions.

    The estimate of a squared norm is unbiased, and exact from as many directions as there are features. It costs about
    as much as one more value of that width. At alpha 1 the ratio is 1 whatever the directions are.
    """

    sketch: Annotated[int, Strict(), Field(ge=1)]
    """Number m of directions, which depend on the block alone. 64 is usual: the width of a head of SDXL."""


Rescale = Annotated[
    Literal["norm", "off"] | Sketch,
    Allowed("'norm', 'off', or {'sketch': m} with an integer m >= 1"),
]


WeakScale = Annotated[
    Annotated[Number, Field(ge=0)] | None,
    Strength("s", plain=0),
    Allowed("a finite number >= 0, or None"),
    Field(description="Scale s of the knob as the weak branch of guidance: D + s (cond - weak), where weak is the "
    "prediction of cond under the knob, and D is the guided prediction. It needs one more evaluation of cond per "
    "step. Default: the knob acts directly."),
]  # fmt: skip


def checked(cls: Any) -> None:
    """Make a pydantic dataclass raise `ValueError` with one line if it is called with a value that is not allowed.

    Validation within a larger model, such as an experiment, bypasses this: the larger model names the place.

    Args:
        cls: The dataclass. Its `__init__` is replaced.
    """
    init, parameters = cls.__init__, signature(cls)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        given = parameters.bind(*args, **kwargs).arguments
        try:
            init(self, **given)
        except ValidationError as error:
            raise ValueError(_line(type(self), error, given)) from None

    __init__.__qualname__, __init__.__doc__ = init.__qualname__, init.__doc__
    cls.__init__ = __init__


def _line(cls: type, error: ValidationError, given: dict[str, Any]) -> str:
    fault = error.errors(include_url=False)[0]
    name = str(fault["loc"][0])
    if fault["type"] == "value_error":
        reason = str(fault["msg"]).removeprefix("Value error, ")
    else:
        reason = f"must be {_allowed(cls.__pydantic_fields__[name], fault['msg'])}"  # type: ignore[attr-defined]
    return f"{cls.__name__}.{name}={given.get(name)!r}: {reason}"


_BOUNDS = ((annotated_types.Ge, "ge", ">="), (annotated_types.Gt, "gt", ">"), (annotated_types.Le, "le", "<="),
           (annotated_types.Lt, "lt", "<"))  # fmt: skip


def _allowed(field: FieldInfo, message: str) -> str:
    """Describe the values that a field allows, by its declaration, else in pydantic's words."""
    for mark in field.metadata:
        if isinstance(mark, Allowed):
            return mark.text
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(map(repr, get_args(field.annotation)))
    if field.annotation is bool:
        return "one of True, False"
    if field.annotation in (float, int):
        bounds = [
            f"{sign} {getattr(mark, name):g}"
            for mark in field.metadata
            for kind, name, sign in _BOUNDS
            if isinstance(mark, kind)
        ]
        return f"{'a finite number' if field.annotation is float else 'an integer'} {' and '.join(bounds)}".strip()
    return message.removeprefix("Input should be ")


def is_numeric(field: FieldInfo) -> bool:
    """Return whether a field holds a number, or a number or None.

    Args:
        field: A pydantic field.
    """
    union = get_origin(field.annotation) in (Union, UnionType)
    members = get_args(field.annotation) if union else (field.annotation,)
    kinds = {get_args(member)[0] if get_origin(member) is Annotated else member for member in members}
    return kinds <= {float, int, type(None)} and kinds != {type(None)}
