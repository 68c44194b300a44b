"""The stability measures: one declaration each. `skewbench.stability.measures` computes them.

To add one, declare it here and compute it there. The lake, the SQL views, figures and tests read it from here.
"""

from dataclasses import dataclass
from typing import Literal

Source = Literal["retrieval", "coupling", "weights"]
"""Inputs of a measure: the retrieval's feature columns, q and k of a head, or the weights of the keys."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of each self-attention block, head and step.

    Args:
        name: Its column in the table `stability`.
        symbol: Its symbol in the paper, as answers show it.
        meaning: The meaning of its answer, in one line.
        source: What it is computed from.
        answer: Its name in answers: another than `name` where answers show it with another sign. None: only the table
            has it.
        sign: Factor from the table's value to the answer's.
        stable: Which side of the answer's value means a more stable block. None: neither.
        counts_signs: Whether it counts signs. Rounding can flip signs, so builds may differ more in this measure.
        since: The schema version that added its columns.
    """

    name: str
    symbol: str
    meaning: str
    source: Source
    answer: str | None
    sign: Literal[-1, 1] = 1
    stable: Literal["high", "low"] | None = None
    counts_signs: bool = False
    since: int = 1


MEASURES = (
    Measure(
        name="energy",
        symbol="−E",
        meaning="minus the retrieval's energy: depth of the minimum in which the block settles",
        source="retrieval",
        answer="neg_energy",
        sign=-1,
        stable="high",
    ),
    Measure(
        name="instability",
        symbol="r",
        meaning="the share of tokens that the block's own field would flip",
        source="retrieval",
        answer="instability",
        stable="low",
        counts_signs=True,
    ),
    Measure(
        name="alignment",
        symbol="Align",
        meaning="alignment of the retrieval with its own field; 1 is a fixed point",
        source="retrieval",
        answer="alignment",
        stable="high",
    ),
    Measure(
        name="symmetry",
        symbol="η",
        meaning="symmetry of the attention, from −1 to 1",
        source="coupling",
        answer="symmetry",
    ),
    Measure(
        name="symmetry_raw",
        symbol="η with the token mean",
        meaning="symmetry of the attention including the token mean, as used by the adaptive knob's controller",
        source="coupling",
        answer=None,
    ),
    Measure(
        name="text_mass",
        symbol="text mass",
        meaning="the share of attention on text, where image and text tokens share a softmax",
        source="weights",
        answer="text_mass",
        since=7,
    ),
)
"""All measures, in the order of the lake's columns and of answers."""

NAMES = tuple(measure.name for measure in MEASURES)
"""Names of all measures, which are columns of the lake."""
RETRIEVAL_MEASURES = tuple(measure.name for measure in MEASURES if measure.source == "retrieval")
"""Names of the measures of the retrieval's feature columns."""
CONTROLS = ("alpha_eff", "beta_eff")
"""Columns for the effective strengths of a knob on a sample in a step. NULL for knobs that do not declare them."""
ANSWERS = {measure.answer: measure for measure in MEASURES if measure.answer}
"""Measures by their names in answers."""
REGIME_MEASURES = tuple(name for name, measure in ANSWERS.items() if measure.stable)
"""Names in answers of the measures that have a stable side, by which regimes are split."""


def measure_label(measure: str) -> str:
    """Return the symbol of a measure.

    Args:
        measure: Name of the measure in answers; any other name is returned as it is.
    """
    return ANSWERS[measure].symbol if measure in ANSWERS else measure
