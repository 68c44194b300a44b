"""The registry of knobs: those of skewbench and of installed packages."""

from collections.abc import Callable
from dataclasses import field
from inspect import get_annotations
from typing import Any, Literal, TypeVar, cast, dataclass_transform

from pydantic import Field
from pydantic.dataclasses import dataclass

from skewbench.stability.knobs.base import CONFIG, Knob
from skewbench.stability.knobs.contract import check
from skewbench.stability.knobs.fields import checked
from skewbench.vocabulary.registry import Registry

KNOBS: Registry[type[Knob]] = Registry("skewbench.knobs", kind="knob", own="skewbench.stability.knobs", check=check)
"""Knobs by kind."""

Kind = TypeVar("Kind", bound=Knob)


@dataclass_transform(frozen_default=True, field_specifiers=(Field, field))
def knob(kind: str) -> Callable[[type[Kind]], type[Kind]]:
    """Make a class a knob, and register it.

    The class becomes a frozen pydantic dataclass with a field `kind`. A package of your own names the module in its
    entry points, group `skewbench.knobs`.

    Args:
        kind: The knob's name in experiments, such as `skew`.
    """

    def make(cls: type[Kind]) -> type[Kind]:
        cls.__annotations__ = {"kind": Literal[kind], **get_annotations(cls)}
        cls.kind = field(default=kind, repr=False, kw_only=True)
        made: Any = dataclass(frozen=True, config=CONFIG)(cls)
        checked(made)
        KNOBS.register(kind, made, cls.__module__)
        return cast(type[Kind], made)

    return make
