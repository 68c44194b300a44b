"""How does the change depend on how stable the baseline was? Every pair, and a smooth line."""

import numpy as np
import polars as pl

from skewbench.eval.figures import change_by_alignment
from skewbench.eval.statistics import resample, smooth
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, intervals, numbers
from skewbench.tasks.report.numbers import count, show, signed, span
from skewbench.tasks.report.view import Chart, Figure, Panel, chart, table

_DOTS = 4000
"""On the page, over all cells: more would hide each other, and make the page large."""
_PLACES, _RESAMPLES = 25, 400
_LEAST = 10
"""So few pairs make no line."""

_COLUMNS = (
    CELL,
    numbers("Align of baseline", "alignment", show),
    numbers("change", "change", signed),
    intervals(sign=True),
)


def scatter_figure(answers: Answers) -> Figure | None:
    """A chart a cell; None where no cell has enough pairs."""
    frame = answers.scatter
    cells = [cell for cell in answers.others if frame.filter(cell=cell).height >= _LEAST]
    if not cells or answers.fidelity is None or frame["alignment"].n_unique() < 2:
        return None
    lines = {cell: _line(frame.filter(cell=cell)) for cell in cells}
    name = answers.labels.of(answers.fidelity)
    low, high = (float(frame["change"].quantile(share) or 0.0) for share in (0.005, 0.995))
    bands = pl.concat(lines.values())
    domain = [min(low, *bands["low"]), max(high, *bands["high"])]
    reach = [float(np.quantile(frame["alignment"].to_numpy(), share)) for share in (0.005, 0.995)]
    charts = tuple(
        _chart(frame.filter(cell=cell), lines[cell], cell, name, domain, reach, _DOTS // len(cells)) for cell in cells
    )
    numbers_of = pl.concat([line.with_columns(cell=pl.lit(cell)) for cell, line in lines.items()])
    return Figure(
        title=f"Change of {name} by the baseline's Align",
        meaning="Each dot is a prompt and noise; the line is a local mean with its 95% band. Where it lies above the "
        "dashed line, pictures as stable as these get better. It falls by itself to some extent: what was bad by bad "
        "luck gets better when drawn again.",
        panels=(Panel(charts, "pair" if len(charts) in (2, 4) else "many" if len(charts) > 1 else ""),),
        query="change_by_alignment",
        n=f"n = {span(pl.Series([frame.filter(cell=cell).height for cell in cells]))} pairs a cell",
        tables=(table("The smooth line.", numbers_of, _COLUMNS),),
    )


def _line(pairs: pl.DataFrame) -> pl.DataFrame:
    """The smooth through the middle 98% of the pairs, its kernel as wide as the normal rule has it (1.06 sd n^-1/5)."""
    x, y = pairs["alignment"].to_numpy(), pairs["change"].to_numpy()
    prompts, member = np.unique(pairs["prompt_id"].to_numpy(), return_inverse=True)
    first, last = np.quantile(x, [0.01, 0.99])
    at = np.linspace(first, last, _PLACES)
    width = max(1.06 * float(np.std(x)) * len(x) ** -0.2, float(np.ptp(at)) / _PLACES, 1e-9)
    value, low, high = smooth(x, y, member, resample(len(prompts), _RESAMPLES), at, width)
    return pl.DataFrame({"alignment": at, "change": value, "low": low, "high": high})


def _chart(
    pairs: pl.DataFrame, line: pl.DataFrame, cell: str, name: str, domain: list[float], reach: list[float], dots: int
) -> Chart:
    inside = pl.col("alignment").is_between(reach[0], reach[1]) & pl.col("change").is_between(domain[0], domain[1])
    every = pairs.filter(inside).sort("pair_id").gather_every(-(-pairs.height // dots))  # ids are digests: any of them
    drawn = change_by_alignment(every.select("alignment", "change"), line, name, domain, reach)
    label = f"Scatter of the change of {name} against the baseline's Align, with a smooth line, cell {cell}"
    return chart(drawn, label, f"{cell}, n = {count(pairs.height)}")
