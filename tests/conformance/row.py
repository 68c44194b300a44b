"""One value, computed in two ways."""

from dataclasses import dataclass

ROUNDING = 1e-5


@dataclass(frozen=True)
class Row:
    """A value by skewbench and by the authors' package."""

    what: str
    ours: float
    package: float

    @property
    def agrees(self) -> bool:
        """Whether the two differ by rounding alone."""
        return abs(self.ours - self.package) <= ROUNDING * max(1.0, abs(self.package))
