"""What a knob is. One file a knob: its fields, its words, and what it does to a call."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

import annotated_types
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from skewbench.stability.knobs.fields import WHOLE, Blocks, Strength, Window

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.softmax import SoftmaxCall

Place = Literal["attention", "predictions", "condition"]


def _require_kind(schema: dict[str, Any]) -> None:
    """In a form, `kind` is what chooses between knobs: it is given, as in a file, and has no default."""
    if "kind" in schema.get("properties", {}):
        schema["properties"]["kind"].pop("default", None)
        schema["required"] = ["kind", *schema.get("required", [])]


CONFIG = ConfigDict(extra="forbid", use_attribute_docstrings=True, json_schema_extra=_require_kind)


class SetStrength(NamedTuple):
    """A strength of one setting."""

    name: str
    symbol: str
    plain: float | None
    value: float


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Knob:
    """Something to turn that trades fidelity against diversity.

    A knob is a frozen pydantic dataclass, made by the decorator `knob(kind)` in a file of its own. The class is used in
    notebooks, in experiments (its fields are the YAML's, and the form's) and in the lake. Each field has a docstring.
    The methods are computed from the fields; a knob overrides those whose words it can say better.

    `place` says where it turns, and thereby which method acts:

    - `attention`: `act(call)`, a function from one softmax call of a self-attention to another (`AttentionKnob`). It
      does not know the layer or the model, so that it can act directly or as the weak branch of guidance, in any
      model.
    - `predictions`: a function from the predictions of guidance's branches to the guided one, with the step's number
      and the count of steps: `act(predictions: Mapping[branch, Tensor (n, ...)], step, steps) -> Tensor`.
    - `condition`: a function from the condition's embeddings to others before the model is called, with each sample's
      own generator: `act(embeddings: Tensor (n, tokens, width), step, steps, generators) -> Tensor`.

    This version calls knobs on attention. Whatever the place, a knob is a pure function: no state between calls, and no
    dependence of a sample on its neighbours in the batch, unless `depends_on_batch` says so.
    """

    kind: ClassVar[str]
    """Its name in experiments and in the lake; the decorator makes it a field."""
    place: ClassVar[Place] = "attention"
    controls: ClassVar[tuple[str, ...]] = ()
    """Those of `skewbench.vocabulary.measures.CONTROLS` that the knob reports."""

    @classmethod
    def neutral(cls) -> Self:
        """A setting that gives the model's own output, to rounding."""
        raise NotImplementedError

    @classmethod
    def example(cls) -> Self:
        """A usual setting, for documentation and tests; it changes images, unless the knob is the absence of one."""
        raise NotImplementedError

    @property
    def depends_on_batch(self) -> bool:
        """Whether a sample's result depends on the others in its batch, so that batches must not be cut anew."""
        return False

    @property
    def setting(self) -> dict[str, Any]:
        """All fields with their values, defaults included, as JSON has them; `kind` is one of them."""
        found: dict[str, Any] = to_jsonable_python(self)
        return found

    @property
    def strengths(self) -> list[SetStrength]:
        """The fields that are marked as `Strength`, in their order; those that are None are left out."""
        marked = [
            (name, mark) for name, field in declared(type(self)).items() for mark in field.metadata
            if isinstance(mark, Strength)
        ]  # fmt: skip
        valued = [(name, mark, getattr(self, name)) for name, mark in marked]
        return [SetStrength(name, mark.symbol, mark.plain, float(v)) for name, mark, v in valued if v is not None]

    @property
    def words(self) -> str:
        """The setting in a few words: kind, strengths, and what else differs from the defaults."""
        return ", ".join([self.kind, *self.strength_words, *self.details])

    @property
    def strength_words(self) -> list[str]:
        """Each strength with its symbol and value."""
        return [f"{strength.symbol} {strength.value:g}" for strength in self.strengths]

    @property
    def details(self) -> list[str]:
        """What differs from the defaults, beside strengths: a few words each."""
        strengths = {strength.name for strength in self.strengths}
        rest = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in strengths and field.name != "kind" and getattr(self, field.name) != field.default
        }
        return [_words(name, value) for name, value in rest.items()]

    @property
    def family(self) -> str:
        """The name of all settings that differ from this one in strength alone."""
        return ", ".join([self.kind, *self.details])


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class AttentionKnob(Knob):
    """A knob on self-attention, in some blocks and steps of the model."""

    blocks: Blocks = "all"
    window: Window = WHOLE

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        """What the model computes in place of a softmax call.

        Must not wait for the device: no value of a tensor is read. Torch is imported in here, not by the knob's file:
        an experiment is checked without it.

        Args:
            call: The call as the model makes it (`skewbench.stability.softmax.SoftmaxCall`).

        Returns:
            Another call, usually `call._replace(...)`.
        """
        raise NotImplementedError

    def controlled(self, call: "SoftmaxCall") -> "Mapping[str, Tensor]":
        """What the knob did to each row of the batch, for the lake.

        Args:
            call: What `act` returned.

        Returns:
            A tensor (B,) for each name in `controls`.
        """
        return {}


def declared(cls: type[Knob]) -> dict[str, FieldInfo]:
    """The fields that a knob declares, beside `kind`."""
    found: dict[str, FieldInfo] = cls.__pydantic_fields__  # type: ignore[attr-defined]
    return {name: field for name, field in found.items() if name != "kind"}


class SearchRange(NamedTuple):
    """Values of a strength that a search tries."""

    low: float
    high: float
    log: bool


def search_ranges(cls: type[Knob]) -> dict[str, SearchRange]:
    """The strengths of a knob that can be searched, with their ranges: as marked, else the field's own bounds."""
    found = {}
    for name, field in declared(cls).items():
        for mark in (mark for mark in field.metadata if isinstance(mark, Strength)):
            low = mark.low if mark.low is not None else _limit(field, annotated_types.Ge, "ge")
            high = mark.high if mark.high is not None else _limit(field, annotated_types.Le, "le")
            if low is not None and high is not None:
                found[name] = SearchRange(low, high, mark.log)
    return found


def _limit(field: FieldInfo, kind: type, name: str) -> float | None:
    return next((float(getattr(mark, name)) for mark in field.metadata if isinstance(mark, kind)), None)


def covers(window: tuple[float, float], call: int, steps: int | None) -> bool:
    """Whether the model's call number `call` (from 0) of `steps` lies in the window; the whole one needs no steps."""
    if window == WHOLE:
        return True
    if steps is None:
        raise ValueError(f"window={window}: a part of the steps needs `steps`, the number of calls of the model")
    return window[0] <= call / steps < window[1]


def _words(name: str, value: Any) -> str:
    if name == "window":
        return f"steps from {100 * value[0]:g}% to {100 * value[1]:g}%"
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    shown = name.replace("_", " ")
    return shown if value is True else f"no {shown}" if value is False else f"{shown} {value}"
