"""The operating-point explorer: sliders over the settings that were run, the same prompts and seeds under each."""

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import intervals, metric_column, numbers
from skewbench.tasks.report.gallery import Group
from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import count, show, signed
from skewbench.tasks.report.view import Column, Table, table


def _columns(labels: Labels) -> tuple[Column, ...]:
    return (
        metric_column(labels),
        numbers("baseline", "baseline", show),
        numbers("here", "mean", show),
        numbers("change", "change", signed),
        intervals(sign=True),
        numbers("n", "n", count),
        numbers("failed", "failed", count),
    )


@dataclass(frozen=True)
class Slider:
    """A parameter of the knob and the values that were run, ascending."""

    symbol: str
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Family:
    """Settings that differ in strength alone. `settings`: the place on each slider (None: any) and the cell there."""

    name: str
    sliders: tuple[Slider, ...]
    settings: tuple[tuple[tuple[int | None, ...], str], ...]


@dataclass(frozen=True)
class Explorer:
    """The data of the page's sliders."""

    families: tuple[Family, ...]
    cells: tuple[str, ...]
    captions: dict[str, str]  # a cell in words, with its main metrics
    tables: dict[str, Table]  # a cell's metrics
    pairs: tuple[tuple[str, str, int], ...]  # pair_id, prompt, seed: shown under each setting

    @property
    def content(self) -> dict[str, Any]:
        """Data for the page's script."""
        families = [
            {"settings": [{"at": list(at), "cell": cell} for at, cell in family.settings]} for family in self.families
        ]
        return {"families": families, "captions": self.captions}


def explore(answers: Answers, groups: list[Group]) -> Explorer | None:
    """Build the explorer of a run; None if it has no knob to turn, or no images.

    Args:
        answers: Answers of the run's queries.
        groups: The page's groups of images. The explorer shows the last one.
    """
    knobs = answers.lake.execute("FROM knobs ORDER BY position").pl()
    families = tuple(
        _family(answers, str(name), some)
        for (name,), some in knobs.filter(pl.col("family") != "baseline").group_by(["family"], maintain_order=True)
    )
    if not families or not groups:
        return None
    cells = tuple(cell for cell in answers.cells if any(cell == at[1] for family in families for at in family.settings))
    return Explorer(
        families=families,
        cells=cells,
        captions={cell: _caption(answers, cell) for cell in cells},
        tables={cell: _metrics(answers, cell) for cell in cells},
        pairs=tuple((card.pair_id, card.prompt, card.seed) for card in groups[-1].cards),
    )


def _family(answers: Answers, name: str, cells: pl.DataFrame) -> Family:
    turned = {row["cell"]: {strength["name"]: strength for strength in json.loads(row["strengths"])}
              for row in cells.to_dicts()}  # fmt: skip
    known = {name: strength for strengths in turned.values() for name, strength in strengths.items()}
    values = {name: {own[name]["value"] for own in turned.values() if name in own} for name in known}
    rest = {name: strength["plain"] for name, strength in known.items()}
    if answers.baseline:
        for strength, plain in rest.items():
            values[strength] |= set() if plain is None else {plain}
    sliders = tuple(Slider(known[name]["symbol"], name, tuple(sorted(values[name]))) for name in known)
    settings: list[tuple[tuple[int | None, ...], str]] = [
        (tuple(_place(slider, own.get(slider.name, {}).get("value")) for slider in sliders), cell)
        for cell, own in turned.items()
    ]
    if answers.baseline:
        at = tuple(_place(slider, rest[slider.name]) for slider in sliders)
        if at not in {place for place, _ in settings}:
            settings.append((at, answers.baseline))
    return Family(name, sliders, tuple(settings))


def _place(slider: Slider, value: float | None) -> int | None:
    return None if value is None else slider.values.index(value)


def _metrics(answers: Answers, cell: str) -> Table:
    """Make the table of a cell's means and changes; the baseline has only means."""
    if cell == answers.baseline:
        means = answers.curve.filter(pl.col("cell") == cell, pl.col("kind") != "cell")
        failed = pl.col("failed") + pl.col("blank") + pl.col("nonfinite")
        nothing = pl.lit(None, pl.Float64)
        own = means.select("metric", "mean", "n", failed=failed).with_columns(
            pl.col("mean").alias("baseline"), change=nothing, low=nothing, high=nothing
        )
        return table("Plain attention.", own, _columns(answers.labels))
    effects = answers.effects.filter(cell=cell)
    return table(f"Query static_effect, cell {cell}.", effects, _columns(answers.labels))


def _caption(answers: Answers, cell: str) -> str:
    """Write the alternative text for screen readers: the setting and its main metrics."""
    captions = [f"{cell}: {answers.settings[cell]}"]
    for metric in (answers.fidelity, answers.diversity):
        rows = answers.effects.filter(cell=cell, metric=metric or "").to_dicts()
        if rows:
            captions.append(f"{answers.labels.of(str(metric))} {show(rows[0]['mean'])} ({signed(rows[0]['change'])})")
    return "; ".join(captions)
