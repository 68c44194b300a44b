"""Where and when is the model stable? Measures by block, by step, and by both."""

import polars as pl

from skewbench.eval.figures import extent, symmetric
from skewbench.sql.queries.stability_profile.figure import lines
from skewbench.sql.queries.stability_profile.heatmap import blocks_by_steps
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import CELL, numbers, words
from skewbench.tasks.report.hints import no_stability
from skewbench.tasks.report.numbers import count, show, span
from skewbench.tasks.report.view import Chart, Figure, Panel, Section, chart, charts, table
from skewbench.vocabulary.measures import ANSWERS, measure_label

_SHOWN = {"alignment": "alignment", "instability": "instability", "neg_energy": "minus energy"}
"""The measures in the order in which a reader may choose, and their names."""

_COLUMNS = (
    CELL,
    numbers("block", "block", count),
    words("stage", "stage"),
    *(numbers(measure_label(m), m, show) for m in ANSWERS),
    numbers("n", "n", count),
)


def stability_section(answers: Answers) -> Section:
    """Show the measures by block and by step, and one heatmap per cell if steps were recorded.

    Args:
        answers: Answers of the run's queries.
    """
    frame = answers.profile.with_columns((-pl.col("energy")).alias("neg_energy"))
    by_block, by_step = frame.filter(pl.col("step").is_null()), frame.filter(pl.col("step").is_not_null())
    missing = [text for text in (no_stability(answers),) if text]
    if by_block.height and by_step.is_empty():
        missing.append("Steps were not recorded. Set `measure: {detail: steps}` in the experiment to record them.")
    figures = (_figure(answers, by_block, by_step),) if by_block.height else ()
    return Section(
        "stability",
        "Where and when is the model stable?",
        "Blocks are self-attention layers by the paper's numbers, from the network's input to its output; steps run "
        "from noise to image.",
        figures,
        tuple(missing),
    )


def _figure(answers: Answers, by_block: pl.DataFrame, by_step: pl.DataFrame) -> Figure:
    panels: list[Panel] = []
    for measure in _SHOWN:
        drawn = charts(lines(pl.concat([by_block, by_step]), measure, answers.cells))
        panels.append(Panel(drawn, "pair", measure))
        if by_step.height:
            heading = f"{measure_label(measure)} by block and step"
            arrangement = "pair" if len(answers.cells) in (2, 4) else "many"
            panels.append(Panel(tuple(_heatmaps(answers, by_step, measure)), arrangement, measure, heading))
    meaning = "Means over samples, guidance branches, heads and feature columns."
    if by_step.height and _compares(answers):
        meaning += " In the heatmaps, the other cells are shown as changes against the baseline."
    return Figure(
        title="Stability by block and step",
        meaning=meaning,
        panels=tuple(panels),
        query="stability_profile",
        n=f"n = {span(by_block['n'])} samples per cell; means without intervals",
        tables=(table("Means over steps, by cell and block. The query has the values by step.", by_block, _COLUMNS),),
        legend=True,
        choice=tuple((measure, f"{measure_label(measure)}: {name}") for measure, name in _SHOWN.items()),
        choice_label="Measure",
    )


def _heatmaps(answers: Answers, by_step: pl.DataFrame, measure: str) -> list[Chart]:
    name = measure_label(measure)
    values = by_step.select("cell", "block", "step", pl.col(measure).alias("value"), "n").drop_nulls("value")
    if not _compares(answers):
        domain = extent(values["value"])  # of all cells, so that they compare
        return [_heatmap(values.filter(cell=cell), name, cell, domain) for cell in answers.cells]
    base = values.filter(cell=answers.baseline)
    changes = values.join(base, on=["block", "step"], suffix="_base").with_columns(
        (pl.col("value") - pl.col("value_base")).alias("value")
    )
    domain = symmetric(changes["value"])
    others = [cell for cell in answers.cells if cell != answers.baseline]
    return [
        _heatmap(base, name, str(answers.baseline), extent(base["value"])),
        *(
            _heatmap(changes.filter(cell=cell), name, f"{cell} − {answers.baseline}", domain, change=True)
            for cell in others
        ),
    ]


def _heatmap(frame: pl.DataFrame, name: str, title: str, domain: list[float], change: bool = False) -> Chart:
    return chart(blocks_by_steps(frame, name, domain, change), f"{name} by block and step as a heatmap, {title}", title)


def _compares(answers: Answers) -> bool:
    """Whether cells are shown as changes against the baseline."""
    return answers.baseline in answers.profile["cell"] and len(answers.cells) > 1
