"""The declaration of a metric, made by the scorer that computes it and stored with each run that has values of it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Better = Literal["higher", "lower", "neither"]
"""The better side of a metric."""
Unit = Literal["sample", "prompt", "cell"]
"""The unit of a value: one sample, all samples of a prompt in a cell, or all samples of a cell."""
Medium = Literal["image", "audio", "video"]
"""The medium that is scored."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that a scorer computes.

    Args:
        name: In the lake, such as `clip_score`.
        label: The name in figures and tables, such as `CLIPScore`.
        meaning: What the number says, in one line.
        better: Which side is better. It has no default: a wrong side would turn every verdict round.
        low: The lowest value that is possible, or None for no bound.
        high: The highest value that is possible, or None for no bound.
        grows_with_n: Whether the number grows with the number of samples of a set, so that only sets of one size are
            comparable. False for a scorer of single samples.
        rank: Place in the order in which metrics stand for fidelity (unit `sample`) or diversity (other units) where
            one is needed: the lowest first, None last.
    """

    name: str
    label: str
    meaning: str
    better: Better
    low: float | None
    high: float | None
    grows_with_n: bool
    rank: int | None = None
    may_be_absent: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or not self.name.islower():
            raise ValueError(
                f"metric {self.name!r}: the name must consist of lower-case letters, digits and underscores"
            )
        for field in ("label", "meaning"):
            if not getattr(self, field).strip() or "\n" in getattr(self, field):
                raise ValueError(f"metric {self.name!r}: {field} must be one line of text")
        if self.better not in get_args(Better):
            raise ValueError(f"metric {self.name!r}: better is {self.better!r}; one of {', '.join(get_args(Better))}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"metric {self.name!r}: low {self.low} is not below high {self.high}")


def stored(scorer: str, version: int, unit: Unit, medium: Medium, metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """Return a scorer's entry in a run's manifest.

    Args:
        scorer: Name of the scorer.
        version: Version of the scorer.
        unit: What one of its values is of.
        medium: What it scores.
        metrics: The metrics that it computes.

    Returns:
        One dictionary per metric, with the fields of `Metric` and of its scorer.
    """
    of = {"scorer": scorer, "version": version, "unit": unit, "medium": medium}
    return [{**of, **asdict(metric)} for metric in metrics]


def merged(known: Iterable[dict[str, Any]], added: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge the metrics that a run has with further ones.

    Args:
        known: Metrics in the run's manifest, as `stored` returns them.
        added: Metrics to add.

    Returns:
        All metrics. A known one is kept unless its scorer or the scorer's version changed.
    """
    found = {metric["name"]: metric for metric in known}
    for metric in added:
        before = found.get(metric["name"], {})
        if (before.get("scorer"), before.get("version")) != (metric["scorer"], metric["version"]):
            found[metric["name"]] = metric
    return list(found.values())
