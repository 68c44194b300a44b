"""Base classes of knobs. Each knob is one file with its fields, its words, and its effect on a call."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from skewbench.stability.knobs.fields import WHOLE, Blocks, Heads, Schedule, Strength, WeakScale, Window
from skewbench.stability.knobs.schedule import amount, covered

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.softmax import SoftmaxCall

Place = Literal["attention", "predictions", "condition"]
PARTS = ("blocks", "heads", "window", "schedule")
"""Fields that select the blocks, heads and steps in which a knob acts."""
WEAK = "as weak branch (one more evaluation of cond a step)"


def _require_kind(schema: dict[str, Any]) -> None:
    """Make `kind` a required field of the form, because it selects the knob, as in a file."""
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
    """A setting that trades fidelity against diversity.

    A knob is a frozen pydantic dataclass, made by the decorator `knob(kind)` in its own file. The class is used in
    notebooks, in experiments (its fields are the YAML's, and the form's) and in the lake. Each field has a docstring.
    The methods are computed from the fields; a knob overrides them to give better words.

    `place` is the place where the knob acts, and determines its method:

    - `attention`: `act(call)`, a function from one softmax call of a self-attention to another (`AttentionKnob`). It
      does not depend on the layer or the model, so it can act directly or as the weak branch of guidance, in any
      model.
    - `predictions`: `act(predictions, step, steps)`, a function from the predictions of guidance's branches to the
      guided one (`rule.Rule`).
    - `condition`: `act(embeddings, step, steps, generators)`, a function from the text's embeddings to others before
      the model is called, with each sample's own generator (`condition.ConditionKnob`).

    In every place, a knob is a pure function: no state between calls, and no dependence of a sample on its
    neighbours in the batch, unless `depends_on_batch` is true.
    """

    kind: ClassVar[str]
    """Its name in experiments and in the lake; the decorator makes it a field."""
    place: ClassVar[Place] = "attention"
    controls: ClassVar[tuple[str, ...]] = ()
    """The entries of `skewbench.vocabulary.measures.CONTROLS` that the knob reports."""

    @classmethod
    def neutral(cls) -> Self:
        """A setting that gives the model's own output up to rounding."""
        raise NotImplementedError

    @classmethod
    def example(cls) -> Self:
        """A usual setting, for documentation and tests; it changes images, unless the knob is the absence of one."""
        raise NotImplementedError

    @property
    def depends_on_batch(self) -> bool:
        """Whether a sample's result depends on the others in its batch, so batches must stay the same."""
        return False

    @property
    def setting(self) -> dict[str, Any]:
        """All fields with their values as JSON, including defaults and `kind`."""
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
        """Fields other than strengths that differ from the defaults, in a few words each; blocks and steps last."""
        apart = {"kind", "weak", *PARTS, *(strength.name for strength in self.strengths)}
        return self.words_of([field.name for field in fields(self) if field.name not in apart]) + self.parts

    @property
    def parts(self) -> list[str]:
        """Words for the knob's blocks, heads, steps and schedule that differ from the defaults."""
        weak = getattr(self, "weak", None) is not None
        return self.words_of([name for name in PARTS if hasattr(self, name)]) + [WEAK] * weak

    def words_of(self, names: list[str]) -> list[str]:
        """Describe each of these fields that differs from its default, in a few words each.

        Args:
            names: Names of the knob's fields.
        """
        default = {field.name: field.default for field in fields(self)}
        given = {name: getattr(self, name) for name in names}
        return [_words(name, value) for name, value in given.items() if value != default[name]]

    @property
    def family(self) -> str:
        """The name of all settings that differ from this one only in strength."""
        return ", ".join([self.kind, *self.details])


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class SteppedKnob(Knob):
    """A knob that acts in some of the steps, with a strength that may run over them."""

    window: Window = WHOLE
    schedule: Schedule = "constant"

    def amount(self, step: int, steps: int | None) -> float:
        """Return the knob's share of its strength in a step, from 0 to 1 (`schedule.amount`).

        Args:
            step: The step's number, from 0.
            steps: The number of steps; None: not known.
        """
        return amount(self.window, self.schedule, step, steps)

    def state(self, step: int, steps: int) -> Hashable:
        """Return what decides the knob's effect in a step. Knobs with equal states have the same effect.

        Args:
            step: The step's number, from 0.
            steps: The number of steps.

        Returns:
            The state; None outside the window.
        """
        share = self.amount(step, steps)
        return None if share == 0 else (share, replace(self, window=WHOLE, schedule="constant"))

    def check_steps(self, steps: int) -> None:
        """Check that the knob acts at all.

        Args:
            steps: The number of steps.

        Raises:
            ValueError: The window covers no step, so the knob would be a second baseline.
        """
        if not covered(self.window, steps):
            number = f"{steps} step" + "s" * (steps > 1)
            raise ValueError(f"window={self.window}: covers none of the {number}; widen it, or take more steps")


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class AttentionKnob(SteppedKnob):
    """A knob on self-attention, in some blocks, heads and steps of the model."""

    blocks: Blocks = "all"
    heads: Heads = "all"
    weak: WeakScale = None

    needs_grid: ClassVar[bool] = False
    """Whether `act` reads `call.grid`: rows and columns of the image's tokens."""

    def at(self, step: int, steps: int | None) -> Self | None:
        """Return the knob with its strength in a step; None outside its window.

        A schedule moves every strength that has a plain value: plain + amount (value - plain). Other strengths stay. Of
        a weak branch it moves only the scale.

        Args:
            step: The step's number, from 0.
            steps: The number of steps; None is enough for a constant strength in all steps.
        """
        share = self.amount(step, steps)
        return None if share == 0 else self if share == 1 else _weakened(self, share)

    def state(self, step: int, steps: int) -> Hashable:
        """As of every knob. A schedule's state is the knob with the strength of the step."""
        acting = self.at(step, steps)
        return acting and replace(acting, window=WHOLE, schedule="constant")

    def check_steps(self, steps: int) -> None:
        """Also raises ValueError if a schedule has no strength to move."""
        super().check_steps(steps)
        if self.schedule != "constant" and all(strength.plain is None for strength in self.strengths):
            raise ValueError(f"schedule={self.schedule!r}: {self.kind} has no strength with a neutral value")
        for step in covered(self.window, steps):
            self.at(step, steps)  # raises if a strength does not allow the values in between

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        """Change a softmax call of the model.

        Must not wait for the device: no value of a tensor is read. Torch is imported in here, not by the knob's file:
        an experiment is checked without it.

        Args:
            call: The call as the model makes it (`skewbench.stability.softmax.SoftmaxCall`).

        Returns:
            Another call, usually `call._replace(...)`.
        """
        raise NotImplementedError

    def controlled(self, call: "SoftmaxCall") -> "Mapping[str, Tensor]":
        """Return the knob's effect on each row of the batch, for the lake.

        Args:
            call: What `act` returned.

        Returns:
            A tensor (B,) for each name in `controls`.
        """
        return {}


def by_place(knobs: Knob | Iterable[Knob]) -> dict[Place, Knob]:
    """Sort knobs by their place. Those that do nothing anywhere (`Vanilla`) are left out.

    Args:
        knobs: One, or one for each place.

    Raises:
        ValueError: Two knobs have the same place.
    """
    found: dict[Place, Knob] = {}
    for knob in (knobs,) if isinstance(knobs, Knob) else knobs:
        if not isinstance(knob, SteppedKnob):
            continue
        if knob.place in found:
            raise ValueError(
                f"{found[knob.place].kind} and {knob.kind} both act on {knob.place}; use one knob for each place"
            )
        found[knob.place] = knob
    return found


def declared(cls: type[Knob]) -> dict[str, FieldInfo]:
    """Return the fields that a knob declares, beside `kind`.

    Args:
        cls: Class of the knob.
    """
    found: dict[str, FieldInfo] = cls.__pydantic_fields__  # type: ignore[attr-defined]
    return {name: field for name, field in found.items() if name != "kind"}


@lru_cache(maxsize=1024)
def _weakened(knob: Any, share: float) -> Any:
    """Return the knob with a share of its strength. Cached, because each block requests it in each step."""
    strengths = [each for each in knob.strengths if knob.weak is None or each.name == "weak"]
    moved = {each.name: each.plain + share * (each.value - each.plain)
             for each in strengths if each.plain is not None}  # fmt: skip
    return replace(knob, **moved)


def _words(name: str, value: Any) -> str:
    if name == "window":
        return f"steps from {100 * value[0]:g}% to {100 * value[1]:g}%"
    if name == "schedule":
        return str(value)
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    shown = name.replace("_", " ")
    return shown if value is True else f"no {shown}" if value is False else f"{shown} {value}"
