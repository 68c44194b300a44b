"""Fill the tables and figures of a page from a lake: `python docs/refresh.py docs/findings-shapes.md --lake findings`.

A page has blocks, whose contents are rebuilt each time:

    <!-- table correlations shapes-baseline
    SELECT stage, within(rho, low, high) AS rho, n FROM answer
    -->
    ...
    <!-- end -->

The first line names a query and an experiment. The query is run on the newest committed run of the experiment. The
answers of several experiments, separated by commas, are joined below each other, with the column `experiment`. Each
`name=value` after them is a parameter of the query, or one of these options:

- `adjust=METRIC,METRIC`: keep the rows of these metrics and add a column `q`: the p-value of each interval, adjusted
  for all of these rows (Benjamini, Hochberg).
- `join=QUERY,QUERY`: further queries of the same run, as tables of their names.
- `as=NAME`: the name of the figure's file, if a page has two figures of a query.

`figure` draws the figure that the query declares, or `curve`, which this file defines. The SQL below the first line
selects and rounds values of the `answer` (with `row`, its order) and computes no statistics. A chart becomes a file
beside the page.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import altair as alt
import duckdb
import polars as pl
import typer

from skewbench.eval.figures import draw, rows
from skewbench.eval.statistics.multiple import benjamini_hochberg, p_of_interval
from skewbench.sql import Context, connect, find, query, read_context

BLOCK = re.compile(r"<!-- (table|figure) (\S+) (\S+)([^\n]*)\n(.*?)-->\n.*?<!-- end -->", re.DOTALL)
MACROS = """
CREATE MACRO within(value, low, high) AS format('{:+.3f} [{:+.3f}, {:+.3f}]', value, low, high);
CREATE MACRO mean(value, low, high) AS format('{:.3f} [{:.3f}, {:.3f}]', value, low, high);
CREATE MACRO clear(low, high) AS low > 0 OR high < 0;
CREATE MACRO bold(value, low, high) AS
    CASE WHEN clear(low, high) THEN '**' || within(value, low, high) || '**' ELSE within(value, low, high) END;
CREATE MACRO model_of(experiment) AS regexp_replace(experiment, '-[a-z]+$', '');
CREATE MACRO aspect_of(metric) AS CASE
    WHEN metric IN ('binding', 'sound_binding') THEN 'quality'
    WHEN metric IN ('shapes_clip_diversity', 'msstft_diversity') THEN 'diversity' END;
"""
_KNOB_POINTS = """
CREATE MACRO knob_points() AS TABLE
WITH points AS (
    SELECT cell, min(row) AS place,
        max(mean) FILTER (aspect_of(metric) = 'quality') AS fidelity,
        max(mean) FILTER (aspect_of(metric) = 'diversity') AS diversity,
        max(metric) FILTER (aspect_of(metric) = 'quality') AS quality_metric,
        max(metric) FILTER (aspect_of(metric) = 'diversity') AS variety_metric
    FROM answer GROUP BY cell
)
SELECT cell AS line, regexp_extract(cell, '^[a-z]+') AS "group", place AS strength, diversity, fidelity,
    CASE WHEN cell LIKE '%-%' THEN regexp_replace(cell, '^[a-z]+-', '') ELSE cell END AS name,
    quality_metric || ' (better →)' AS fidelity_metric, variety_metric || ' (better →)' AS diversity_metric
FROM points ORDER BY place
"""
"""A point per setting, coloured by its family of knobs, of an answer to `operating_curve`."""
WIDTH = 760


def main(
    page: Annotated[Path, typer.Argument(help="Markdown file with blocks.", exists=True, dir_okay=False)],
    lake: Annotated[Path, typer.Option(help="The lake to query.")] = Path("findings"),
) -> None:
    """Rebuild the blocks of a page."""
    text = page.read_text(encoding="utf-8")
    filled = BLOCK.sub(lambda block: _block(block, lake, page), text)
    page.write_text(filled, encoding="utf-8")
    typer.echo(f"{page}: {len(BLOCK.findall(text))} blocks from {lake}")


def _block(block: re.Match[str], lake: Path, page: Path) -> str:
    kind, name, experiment, parameters, statement = block.groups()
    settings = dict(parameter.split("=", 1) for parameter in parameters.split())
    adjust, join, file_name = (settings.pop(option, "") for option in ("adjust", "join", "as"))
    answers, joined = [], {}
    for one in experiment.split(","):
        with connect(lake, one) as opened:
            rows_of_one = query(opened, "operating_curve" if name == "curve" else name, **settings)
            answers.append(rows_of_one.with_columns(pl.lit(one).alias("experiment")))
            joined |= {other: query(opened, other) for other in join.split(",") if other}
            context = read_context(opened)
    answer = pl.concat(answers, how="vertical_relaxed").with_row_index("row")
    with duckdb.connect() as session:
        session.execute(MACROS)
        session.register("answer", _adjusted(answer, adjust.split(",")) if adjust else answer)
        for other, frame in joined.items():
            session.register(other, frame)
        if name == "curve":
            session.execute(_KNOB_POINTS)
        chosen = session.execute(statement).pl()
    file = page.with_name(f"{page.stem}-{file_name or name}-{experiment.split(',')[0]}.png")
    shown = _table(chosen) if kind == "table" else _figure(name, chosen, context, file)
    head = block[0].split("-->\n", 1)[0]
    return f"{head}-->\n{shown}\n<!-- end -->"


def _adjusted(answer: pl.DataFrame, metrics: list[str]) -> pl.DataFrame:
    """The rows of some metrics, with p-values adjusted for all of them; NULL where a row has no interval."""
    kept = answer.filter(pl.col("metric").is_in(metrics))
    if missing := sorted(set(metrics) - set(kept["metric"])):
        raise typer.BadParameter(f"adjust={','.join(metrics)}: no row of {missing[0]!r}")
    tests = kept.select("change", "low", "high", "prompts").rows()
    p = [float("nan") if None in test else p_of_interval(*test) for test in tests]
    return kept.with_columns(pl.Series("q", benjamini_hochberg(p)).fill_nan(None))


def _table(chosen: pl.DataFrame) -> str:
    rows = [chosen.columns, ["---"] * chosen.width, *chosen.rows()]
    return "\n".join(f"| {' | '.join(_word(value) for value in row)} |" for row in rows)


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)


def _figure(name: str, chosen: pl.DataFrame, context: Context, file: Path) -> str:
    """Draw the figure that the query declares, or `curve`, and return the Markdown that shows it."""
    chart = _curve(chosen) if name == "curve" else find(name).draw(chosen, context)[0].chart
    file.write_bytes(draw(chart.to_dict()))
    return f"![{name}]({file.name})"


def _curve(chosen: pl.DataFrame) -> alt.LayerChart:
    """Draw one line per knob and one point per setting, named by its strength.

    Args:
        chosen: Columns line, strength, name, diversity, fidelity, and the axes' titles diversity_metric and
            fidelity_metric. Optional: group, which sets the colour instead of the line; diversity_low, diversity_high,
            fidelity_low, fidelity_high, which are drawn as bars.
    """
    across, up = chosen["diversity_metric"][0], chosen["fidelity_metric"][0]
    x = alt.X("diversity:Q", title=across, scale=alt.Scale(zero=False))
    y = alt.Y("fidelity:Q", title=up, scale=alt.Scale(zero=False))
    group = "group" if "group" in chosen.columns else "line"
    scale = alt.Scale(domain=chosen[group].unique(maintain_order=True).to_list())
    colour = alt.Color(f"{group}:N", title=None, scale=scale)
    base = alt.Chart(rows(chosen)).encode(x, y, colour)
    layers = [base.mark_line(strokeWidth=1.5, opacity=0.6).encode(order="strength:Q", detail="line:N")]
    bars = base.mark_rule(strokeWidth=1, opacity=0.25)
    if "diversity_low" in chosen.columns:
        layers.append(bars.encode(x=alt.X("diversity_low:Q", title=across), x2="diversity_high:Q"))
    if "fidelity_low" in chosen.columns:
        layers.append(bars.encode(y=alt.Y("fidelity_low:Q", title=up), y2="fidelity_high:Q"))
    shape = alt.Shape(f"{group}:N", title=None, scale=scale)
    layers.append(base.mark_point(filled=True, size=70, opacity=1).encode(shape=shape))
    names = base.mark_text(align="left", dx=7, dy=-7, fontSize=11).encode(text="name:N")
    layers.append(names.transform_filter("datum.name != null"))
    return alt.layer(*layers).properties(width=WIDTH, height=0.65 * WIDTH)


if __name__ == "__main__":
    typer.run(main)
