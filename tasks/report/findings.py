"""The key findings in plain sentences, each with its n and interval; none if the interval contains 0 or n is small.

The candidates are fixed in advance (Align over all blocks, the fidelity and the diversity metric, the swap control):
a finding is never the largest of many effects.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.numbers import count, interval, is_clear, percent, signed

_LEAST = 10
"""Fewest samples, prompts or pairs of a finding: resampling fewer says little about their spread."""

_Statement = tuple[bool, str]
"""Whether the finding holds, and its sentence."""


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
    """The findings of a run."""
    looked = [("Stability and quality", "", list(_correlations(answers)))]
    others = [cell for cell in answers.cells if cell != answers.baseline]
    looked += [(cell, cell, [*_regimes(answers, cell), *_worst(answers, cell)]) for cell in others]
    groups = [
        Finding(title, cell, tuple(sentence for holds, sentence in statements if holds))
        for title, cell, statements in looked
        if statements
    ]
    return Findings(
        groups=tuple(groups),
        candidates=sum(len(statements) for *_, statements in looked),
        stated=sum(len(group.sentences) for group in groups),
    )


def _main(answers: Answers) -> list[str]:
    return [metric for metric in (answers.fidelity, answers.diversity) if metric]


def _correlations(answers: Answers) -> Iterator[_Statement]:
    for metric in _main(answers):
        frame = answers.correlations.filter(metric=metric, stage="all", measure="alignment")
        for row in frame.filter(pl.col("rho").is_not_null()).to_dicts():
            way = "higher" if row["rho"] > 0 else "lower"
            units = f"{row['kind']}s"
            yield (
                _holds(row),
                f"More stable {units} of {row['cell']} have {way} {answers.labels.of(metric)}: Spearman's ρ with Align "
                f"is {_number(row, 'rho')}, n\u00a0=\u00a0{count(row['n'])} {units}.",
            )


def _regimes(answers: Answers, cell: str) -> Iterator[_Statement]:
    for metric in _main(answers):
        name = answers.labels.of(metric)
        for row in answers.regimes.filter(cell=cell, metric=metric).to_dicts():
            number = f"{_number(row)}, n\u00a0=\u00a0{count(row['n'])} pairs"
            if row["regime"] == "difference":
                more = "more" if row["change"] > 0 else "less"
                yield _holds(row), f"Adds {more} {name} to unstable than to stable {row['kind']}s: {number}."
            else:
                verb = "Raises" if row["change"] > 0 else "Lowers"
                yield _holds(row), f"{verb} {name} of {row['regime']} {row['kind']}s: {number}."


def _worst(answers: Answers, cell: str) -> Iterator[_Statement]:
    own = answers.worst.filter(cell=cell, regime="swap").filter(pl.col("metric") == pl.col("chosen_by"))
    for row in own.filter(metric=answers.fidelity or "").to_dicts():
        verb = "Raises" if row["change"] > 0 else "Lowers"
        worst = f"the worst {percent(row['fraction'])} of baseline images"
        yield (
            _holds(row),
            f"{verb} {answers.labels.of(row['metric'])} of {worst} beyond regression to the mean: {_number(row)}, "
            f"n\u00a0=\u00a0{count(row['n'])}.",
        )


def _holds(row: dict[str, Any]) -> bool:
    return is_clear(row) and row["n"] >= _LEAST


def _number(row: dict[str, Any], key: str = "change") -> str:
    return f"{signed(row[key])} {interval(row['low'], row['high'], sign=True)}"
