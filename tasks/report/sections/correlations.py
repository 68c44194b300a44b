"""Does stability go with quality? Table 1 of the paper, of this run."""

import polars as pl

from skewbench.eval.figures import MEASURES, correlations, correlations_narrow, measure_label
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.columns import intervals, metric_column, numbers, words
from skewbench.tasks.report.hints import no_metric, no_stability
from skewbench.tasks.report.labels import Labels
from skewbench.tasks.report.numbers import count, signed, span
from skewbench.tasks.report.view import Column, Figure, Panel, Section, chart, listing, table


def _columns(labels: Labels) -> tuple[Column, ...]:
    return (
        metric_column(labels),
        words("stage", "stage"),
        words("measure", "measure", measure_label),
        numbers("ρ", "rho", signed),
        intervals(sign=True),
        numbers("n", "n", count),
        words("n counts", "kind", lambda kind: f"{kind}s"),
    )


def correlation_section(answers: Answers) -> Section:
    """The heatmap of Spearman's rho: metric by stage and measure."""
    frame = answers.correlations
    cells = frame["cell"].unique(maintain_order=True).to_list()
    labels = {metric: answers.labels.of(metric) for metric in frame["metric"].unique()}
    figures = []
    for cell in [cell for cell in answers.cells if cell in cells]:
        of_cell = frame.filter(cell=cell)
        label = f"Heatmap of Spearman correlations between stability measures and metrics, cell {cell}"
        wide = chart(correlations(of_cell, labels), label, layout="wide")
        narrow = chart(correlations_narrow(of_cell, labels), label, layout="narrow")
        figures.append(
            Figure(
                title="Stability against quality" if len(cells) == 1 else f"Stability against quality: {cell}",
                meaning="Each number says whether pictures with a higher measure also have a higher metric: +1 always, "
                "0 no relation, −1 the reverse. Bold: the 95% interval does not contain 0.",
                panels=(Panel((wide, narrow)),),
                query="correlations",
                n=f"cell {cell}; {_n(of_cell)}",
                tables=(table(f"Spearman's ρ, cell {cell}", of_cell, _columns(answers.labels)),),
            )
        )
    said = listing(f"{symbol} ({meaning})" for symbol, meaning in MEASURES.values())
    return Section(
        "correlations",
        "Does stability predict quality?",
        f"Measures are means over a stage's self-attention blocks and over steps: {said}.",
        tuple(figures),
        () if figures else (no_stability(answers) or no_metric(answers),),
    )


def _n(frame: pl.DataFrame) -> str:
    """`n = 384 samples, 32 prompts for sets of pictures`."""
    kinds = {"sample": "samples", "prompt": "prompts for diversity"}
    found = [(frame.filter(kind=kind)["n"], counted) for kind, counted in kinds.items()]
    return ", ".join(f"n = {span(n)} {counted}" for n, counted in found if n.len())
