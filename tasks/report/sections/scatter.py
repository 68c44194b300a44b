"""How does the change depend on the stability of the baseline? Every pair, and a smooth line."""

import polars as pl

from skewbench.sql.queries.change_by_alignment.figure import scatters, smooth_lines
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, intervals, numbers
from skewbench.tasks.report.numbers import show, signed, span
from skewbench.tasks.report.view import Figure, Panel, charts, table

_COLUMNS = (
    CELL,
    numbers("Align of baseline", "alignment", show),
    numbers("change", "change", signed),
    intervals(sign=True),
)


def scatter_figure(answers: Answers) -> Figure | None:
    """Draw one scatter chart per cell; None if no cell has enough pairs.

    Args:
        answers: Answers of the run's queries.
    """
    frame = answers.scatter
    lines = smooth_lines(frame, answers.context)
    if not lines:
        return None
    drawn = charts(scatters(frame, lines, answers.context))
    name = answers.labels.of(frame["metric"][0])
    numbers_of = pl.concat([line.with_columns(cell=pl.lit(cell)) for cell, line in lines.items()])
    return Figure(
        title=f"Change of {name} by the baseline's Align",
        meaning="Each dot is one prompt and noise; the line is a local mean with its 95% band. If the line is above "
        "the dashed line, images of that stability improve. Regression to the mean alone makes the line fall somewhat.",
        panels=(Panel(drawn, "pair" if len(drawn) in (2, 4) else "many" if len(drawn) > 1 else ""),),
        query="change_by_alignment",
        n=f"n = {span(pl.Series([frame.filter(cell=cell).height for cell in lines]))} pairs per cell",
        tables=(table("The smooth line.", numbers_of, _COLUMNS),),
    )
