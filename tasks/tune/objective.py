"""The objective of a search: a metric to improve, and bounds that other metrics must keep.

binding, subject to msssim_diversity >= 0.95 of baseline and leak <= 0.2
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from skewbench.eval.scorers import Declaration, Metric, declaration, names
from skewbench.vocabulary.errors import InputError

FORM = "METRIC, subject to METRIC >= NUMBER [of baseline] [and ...]"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BOUND = re.compile(
    rf"(?P<metric>\w+)\s*(?P<side>>=|<=)\s*(?:(?P<number>{_NUMBER})(?P<share>\s+of\s+baseline)?"
    rf"|baseline(?:\s*(?P<sign>[+-])\s*(?P<offset>{_NUMBER}))?)"
)


@dataclass(frozen=True)
class Bound:
    """The mean of a metric must lie on one side of `share` times the baseline's mean plus `offset`.

    Args:
        metric: The metric.
        side: 1 if the mean must be at least that, -1 if at most.
        share: Factor of the baseline's mean; 0 for an absolute bound.
        offset: In the metric's unit.
    """

    metric: str
    side: int
    share: float
    offset: float

    def __str__(self) -> str:
        if not self.share:
            limit = f"{self.offset:g}"
        elif self.offset:
            limit = f"baseline {'+' if self.offset > 0 else '-'} {abs(self.offset):g}"
        else:
            limit = f"{self.share:g} of baseline"
        return f"{self.metric} {'>=' if self.side > 0 else '<='} {limit}"


@dataclass(frozen=True)
class Objective:
    """The metric that a search improves, and the bounds that it must keep.

    Args:
        metric: The metric to improve.
        side: 1 if higher is better, -1 if lower is.
        bounds: The constraints.
    """

    metric: str
    side: int
    bounds: tuple[Bound, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metric and those of the bounds, each once."""
        return tuple(dict.fromkeys((self.metric, *(bound.metric for bound in self.bounds))))

    @cached_property
    def scorers(self) -> tuple[str, ...]:
        """Names of the scorers that compute them, each once."""
        known = _known()
        return tuple(dict.fromkeys(known[name][0].name for name in self.metrics))

    def __str__(self) -> str:
        bounds = " and ".join(map(str, self.bounds))
        return f"{self.metric}, subject to {bounds}" if bounds else self.metric


def parse_objective(text: str) -> Objective:
    """Read an objective and check its metrics. Loads no weights.

    Args:
        text: As in `FORM`.

    Raises:
        InputError: The text has another form; a metric is unknown, has no pairs of images to compare, or lacks its
            weights; or neither side of the metric to improve is better.
    """
    name, *rest = re.split(r"\s*,?\s*\bsubject\s+to\b\s*", text.strip())
    if not re.fullmatch(r"\w+", name) or len(rest) > 1:
        raise InputError(f"objective {text!r}: not of the form {FORM!r}")
    metric = _metric(name)
    if metric.better == "neither":
        raise InputError(f"objective {name!r}: this metric has no better side; use it in a bound")
    parts = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", rest[0].strip()) if rest else []
    return Objective(name, 1 if metric.better == "higher" else -1, tuple(map(_bound, parts)))


def _bound(text: str) -> Bound:
    found = _BOUND.fullmatch(text.strip())
    if not found:
        raise InputError(
            f"objective: the bound {text!r} is not of the form 'METRIC >= NUMBER', 'METRIC >= NUMBER of baseline' or "
            "'METRIC >= baseline - NUMBER' (or with <=)"
        )
    _metric(found["metric"])
    side = 1 if found["side"] == ">=" else -1
    if found["number"] is None:
        return Bound(found["metric"], side, 1.0, float(f"{found['sign'] or '+'}{found['offset'] or 0}"))
    number = float(found["number"])
    if not found["share"]:
        return Bound(found["metric"], side, 0.0, number)
    if number <= 0:
        raise InputError(f"objective: the bound {text!r} needs a share of the baseline above 0")
    return Bound(found["metric"], side, number, 0.0)


def _metric(name: str) -> Metric:
    """A metric of which pairs can be compared, with its weights on this machine. Raises `InputError`."""
    known = _known()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise InputError(
            f"objective {name!r}: no such metric; " + (f"did you mean {near[0]!r}? " if near else "")
            + f"there are {', '.join(known)}"
        )  # fmt: skip
    scorer, metric = known[name]
    if scorer.unit == "cell":
        raise InputError(f"objective {name!r}: it has one value per cell, so there are no pairs to compare")
    if reason := scorer.missing(prepared=True):
        raise InputError(f"objective {name!r}: {reason}")
    return metric


def _known() -> dict[str, tuple[Declaration, Metric]]:
    declared = map(declaration, names())
    return {metric.name: (scorer, metric) for scorer in declared for metric in scorer.metrics}
