"""The key findings in plain sentences, each with its n and interval.

The candidates are fixed in advance (Align over all blocks, the fidelity and the diversity metric, the swap control):
a finding is never the largest of many effects. A candidate holds if its interval excludes 0, if it rests on at least
`LEAST` prompts, and if its p-value, adjusted for all candidates of the run, is below 0.05.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from skewbench import sql
from skewbench.eval.claims import LEAST
from skewbench.eval.statistics import benjamini_hochberg, p_of_interval
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.numbers import count, interval, is_clear, percent, signed

LEVEL = 0.05
"""Expected share of false ones among the findings of a run (Benjamini, Hochberg 1995)."""


@dataclass(frozen=True)
class _Candidate:
    """A sentence, and the value, interval, n and number of prompts that it rests on."""

    sentence: str
    row: dict[str, Any]
    value: float
    prompts: int

    @property
    def p(self) -> float:
        """NaN where there is no interval, or too few prompts for one."""
        low, high = self.row["low"], self.row["high"]
        if low is None or high is None or self.prompts < LEAST or self.row["n"] < LEAST:
            return float("nan")
        return p_of_interval(self.value, low, high, self.prompts)


@dataclass(frozen=True)
class Finding:
    """The findings about stability (`cell` empty) or about one cell."""

    title: str
    cell: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """The findings that hold, and how many candidates were tested."""

    groups: tuple[Finding, ...]
    candidates: int
    stated: int


def find(answers: Answers) -> Findings:
    """Find the statements about a run that hold after correction for their number (Benjamini-Hochberg).

    Args:
        answers: Answers of the run's queries.
    """
    looked = [("Stability and quality", "", list(_correlations(answers)))]
    others = [cell for cell in answers.cells if cell != answers.baseline]
    looked += [(cell, cell, [*_regimes(answers, cell), *_worst(answers, cell)]) for cell in others]
    candidates = [candidate for *_, some in looked for candidate in some]
    adjusted = benjamini_hochberg([candidate.p for candidate in candidates])
    holding = {
        id(candidate)
        for candidate, q in zip(candidates, adjusted, strict=True)
        if np.isfinite(q) and q < LEVEL and is_clear(candidate.row)
    }
    groups = [
        Finding(title, cell, tuple(candidate.sentence for candidate in some if id(candidate) in holding))
        for title, cell, some in looked
        if some
    ]
    return Findings(groups=tuple(groups), candidates=len(candidates), stated=len(holding))


def _main(answers: Answers) -> list[str]:
    return [metric for metric in (answers.fidelity, answers.diversity) if metric]


_PROMPTS = "SELECT cell, metric, count(DISTINCT prompt_id)::BIGINT AS prompts FROM unit_values GROUP BY ALL"


def _correlations(answers: Answers) -> Iterator[_Candidate]:
    prompts = {(cell, metric): count for cell, metric, count in sql.select(answers.lake, _PROMPTS).rows()}
    for metric in _main(answers):
        frame = answers.correlations.filter(metric=metric, stage="all", measure="alignment")
        for row in frame.filter(pl.col("rho").is_not_null()).to_dicts():
            way = "higher" if row["rho"] > 0 else "lower"
            units = f"{row['kind']}s"
            sentence = (
                f"More stable {units} of {row['cell']} have {way} {answers.labels.of(metric)}: Spearman's ρ with Align "
                f"is {_number(row, 'rho')}, n\u00a0=\u00a0{count(row['n'])} {units}."
            )
            yield _Candidate(sentence, row, row["rho"], prompts.get((row["cell"], metric), 0))


def _regimes(answers: Answers, cell: str) -> Iterator[_Candidate]:
    for metric in _main(answers):
        name = answers.labels.of(metric)
        for row in answers.regimes.filter(pl.col("change").is_not_null(), cell=cell, metric=metric).to_dicts():
            number = f"{_number(row)}, n\u00a0=\u00a0{count(row['n'])} pairs"
            if row["regime"] == "difference":
                more = "more" if row["change"] > 0 else "less"
                sentence = f"Adds {more} {name} to unstable than to stable {row['kind']}s: {number}."
            else:
                verb = "Raises" if row["change"] > 0 else "Lowers"
                sentence = f"{verb} {name} of {row['regime']} {row['kind']}s: {number}."
            yield _Candidate(sentence, row, row["change"], row["prompts"])


def _worst(answers: Answers, cell: str) -> Iterator[_Candidate]:
    own = answers.worst.filter(cell=cell, regime="swap").filter(pl.col("metric") == pl.col("chosen_by"))
    for row in own.filter(metric=answers.fidelity or "").to_dicts():
        verb = "Raises" if row["change"] > 0 else "Lowers"
        worst = f"the worst {percent(row['fraction'])} of baseline images"
        sentence = (
            f"{verb} {answers.labels.of(row['metric'])} of {worst} beyond regression to the mean: {_number(row)}, "
            f"n\u00a0=\u00a0{count(row['n'])}."
        )
        yield _Candidate(sentence, row, row["change"], row["prompts"])


def _number(row: dict[str, Any], key: str = "change") -> str:
    return f"{signed(row[key])} {interval(row['low'], row['high'], sign=True)}"
