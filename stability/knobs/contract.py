"""Checks the contract of knobs when a knob is registered."""

import re
from dataclasses import is_dataclass

from pydantic import TypeAdapter

from skewbench.stability.knobs.base import AttentionKnob, Knob, declared
from skewbench.stability.knobs.condition import ConditionKnob
from skewbench.stability.knobs.fields import Strength, is_numeric
from skewbench.stability.knobs.rule import Rule
from skewbench.vocabulary.measures import CONTROLS

_BASES: dict[str, type[Knob]] = {"attention": AttentionKnob, "predictions": Rule, "condition": ConditionKnob}
"""The base class of knobs at each place."""
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def check(kind: str, cls: type[Knob]) -> None:
    """Check a knob's declaration.

    Args:
        kind: The name that it is registered under.
        cls: The knob.

    Raises:
        ValueError: The declaration breaks the contract. The message names the reason.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError("a kind is 1 to 40 lower-case letters, digits, hyphens and underscores, the first a letter")
    if not (isinstance(cls, type) and issubclass(cls, Knob) and is_dataclass(cls)):
        raise ValueError("not a class made by the decorator `knob`")
    if cls.place not in _BASES:
        raise ValueError(f"it turns {cls.place}; there are {', '.join(_BASES)}")
    if not issubclass(cls, _BASES[cls.place]) and kind != "vanilla":
        base = _BASES[cls.place].__name__
        raise ValueError(f"a knob on {cls.place} is {'an' if base[0] in 'AEIOU' else 'a'} {base}")
    if not cls.__doc__ or cls.__doc__.startswith(f"{cls.__name__}("):  # a dataclass without a docstring gets this one
        raise ValueError("it has no docstring")
    for name, field in declared(cls).items():
        if not field.description:
            raise ValueError(f"field {name!r} has no docstring")
        if any(isinstance(mark, Strength) for mark in field.metadata) and not is_numeric(field):
            raise ValueError(f"field {name!r} is a strength, so it must be a number")
    if others := sorted(set(cls.controls) - set(CONTROLS)):
        raise ValueError(f"controls {others[0]!r}: the lake has columns for {', '.join(CONTROLS)}")
    for setting in _settings(cls):
        if TypeAdapter(cls).validate_python(setting.setting) != setting or not hash(setting) == hash(setting):
            raise ValueError(f"{setting} does not survive JSON")
        if not setting.words or not setting.family:
            raise ValueError(f"{setting} has no words")


def _settings(cls: type[Knob]) -> list[Knob]:
    """Return a knob's neutral setting and its example.

    Raises:
        ValueError: The knob does not define them, or they are no settings of it.
    """
    found: list[Knob] = []
    for name in ("neutral", "example"):
        try:
            setting = getattr(cls, name)()
        except NotImplementedError:
            raise ValueError(f"it does not define {name}()") from None
        except Exception as error:
            raise ValueError(f"{name}() fails: {type(error).__name__}: {error}") from error
        if not isinstance(setting, cls):
            raise ValueError(f"{name}() must return a {cls.__name__}")
        found.append(setting)
    return found
