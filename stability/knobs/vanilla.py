"""The unchanged model."""

from typing import Self

from skewbench.stability.knobs.base import Knob
from skewbench.stability.knobs.registry import knob


@knob("vanilla")
class Vanilla(Knob):
    """Plain attention: the unchanged model."""

    @classmethod
    def neutral(cls) -> Self:
        return cls()

    @classmethod
    def example(cls) -> Self:
        return cls()

    @property
    def words(self) -> str:
        return "plain attention"

    @property
    def family(self) -> str:
        return "baseline"
