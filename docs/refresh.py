"""Fill the tables and figures of a page from a lake: `python docs/refresh.py docs/findings-shapes.md --lake findings`.

A page holds blocks, whose content is made anew each time:

    <!-- table correlations shapes-baseline
    SELECT stage, within(rho, low, high) AS rho, n FROM answer
    -->
    ...
    <!-- end -->

The first line names a named query and an experiment, of which the newest committed run is asked; `name=value` after
them are the query's parameters. `figure` draws the figure that the query declares, or `curve`, which is made here. What
follows is SQL over the `answer` (and `row`, its order); it chooses and rounds, and computes nothing. A chart becomes a
file beside the page.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import altair as alt
import duckdb
import polars as pl
import typer

from skewbench.eval.figures import draw, rows
from skewbench.sql import Context, connect, find, query, read_context

BLOCK = re.compile(r"<!-- (table|figure) (\S+) (\S+)([^\n]*)\n(.*?)-->\n.*?<!-- end -->", re.DOTALL)
MACROS = """
CREATE MACRO within(value, low, high) AS format('{:+.3f} [{:+.3f}, {:+.3f}]', value, low, high);
CREATE MACRO mean(value, low, high) AS format('{:.3f} [{:.3f}, {:.3f}]', value, low, high);
CREATE MACRO clear(low, high) AS low > 0 OR high < 0;
"""
WIDTH = 760


def main(
    page: Annotated[Path, typer.Argument(help="Markdown file with blocks.", exists=True, dir_okay=False)],
    lake: Annotated[Path, typer.Option(help="The lake to ask.")] = Path("findings"),
) -> None:
    """Make the blocks of a page anew."""
    text = page.read_text(encoding="utf-8")
    filled = BLOCK.sub(lambda block: _block(block, lake, page), text)
    page.write_text(filled, encoding="utf-8")
    typer.echo(f"{page}: {len(BLOCK.findall(text))} blocks from {lake}")


def _block(block: re.Match[str], lake: Path, page: Path) -> str:
    kind, name, experiment, parameters, statement = block.groups()
    settings = dict(parameter.split("=", 1) for parameter in parameters.split())
    run = _newest(lake, experiment)
    with connect(lake, run) as opened:
        answer = query(opened, "operating_curve" if name == "curve" else name, **settings).with_row_index("row")
        context = read_context(opened)
    with duckdb.connect() as session:
        session.execute(MACROS)
        session.register("answer", answer)
        chosen = session.execute(statement).pl()
    file = page.with_name(f"{page.stem}-{name}-{experiment}.png")
    shown = _table(chosen) if kind == "table" else _figure(name, chosen, context, file)
    head = block[0].split("-->\n", 1)[0]
    return f"{head}-->\n{shown}\n<!-- end -->"


def _newest(lake: Path, experiment: str) -> str:
    with connect(lake) as opened:
        found = opened.execute(
            "SELECT run_id FROM runs WHERE name = ? AND status = 'committed' ORDER BY created DESC LIMIT 1",
            [experiment],
        ).fetchone()
    if found is None:
        raise typer.BadParameter(f"lake {str(lake)!r} has no committed run of {experiment!r}")
    return str(found[0])


def _table(chosen: pl.DataFrame) -> str:
    rows = [chosen.columns, ["---"] * chosen.width, *chosen.rows()]
    return "\n".join(f"| {' | '.join(_word(value) for value in row)} |" for row in rows)


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)


def _figure(name: str, chosen: pl.DataFrame, context: Context, file: Path) -> str:
    """The figure that the query declares; `curve` is this page's own."""
    chart = _curve(chosen) if name == "curve" else find(name).draw(chosen, context)[0].chart
    file.write_bytes(draw(chart.to_dict()))
    return f"![{name}]({file.name})"


def _curve(chosen: pl.DataFrame) -> alt.LayerChart:
    """A line a knob, a point a setting, named by its strength: columns line, strength, diversity, fidelity, axes."""
    x, y = (
        alt.X("diversity:Q", title=f"{chosen['diversity_metric'][0]} (better →)", scale=alt.Scale(zero=False)),
        alt.Y("fidelity:Q", title=f"{chosen['fidelity_metric'][0]} (better →)", scale=alt.Scale(zero=False)),
    )
    lines = chosen["line"].unique(maintain_order=True).to_list()
    colour = alt.Color("line:N", title=None, scale=alt.Scale(domain=lines))
    base = alt.Chart(rows(chosen)).encode(x, y, colour)
    path = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(order="strength:Q")
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        shape=alt.Shape("line:N", title=None, scale=alt.Scale(domain=lines))
    )
    names = base.mark_text(align="left", dx=7, dy=-7, fontSize=11).encode(text="name:N")
    names = names.transform_filter("datum.name != null")
    return alt.layer(path, points, names).properties(width=WIDTH, height=0.65 * WIDTH)


if __name__ == "__main__":
    typer.run(main)
