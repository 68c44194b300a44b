"""A comparison as Markdown, for the Prefect UI or a file: summary, rows that matter, images that changed most."""

import re

import polars as pl

from skewbench import sql
from skewbench.storage.png import BrokenImage
from skewbench.storage.records import Manifest
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.tasks.regressions.compare import Comparison, summary
from skewbench.tasks.report.numbers import show, signed
from skewbench.tasks.report.thumbnails import thumbnail

IMAGES = 6
"""Pairs of images that are shown."""
ROWS = 40
_SHOWN = (
    *("verdict", "cell", "metric", "stage", "set", "n", "before", "mean", "change"),
    *("interval", "p", "q", "margin", "starts", "reason"),
)
_QUIET = ("same", "inconclusive", "not comparable")


def markdown(comparison: Comparison, lake: str) -> str:
    """Write a comparison as a Markdown page with embedded images.

    Args:
        comparison: The comparison.
        lake: Folder or URL of the lake, which has the images.
    """
    parts = [f"**{summary(comparison)}**", *_table(comparison.table), *_images(comparison, lake)]
    return "\n\n".join(parts) + "\n"


def _table(table: pl.DataFrame) -> list[str]:
    """Write the changed rows as a table, and the number of the others."""
    table = _with_sets_told_apart(table)
    loud = table.filter(~pl.col("verdict").is_in(_QUIET))
    quiet = table.filter(pl.col("verdict").is_in(_QUIET))["verdict"].value_counts(sort=True)
    lines = ["| verdict | cell | metric | before | now | change | q | starts at | why |", "|" + "---|" * 9]
    for row in loud.head(ROWS).to_dicts():
        metric = ", ".join(row[name] for name in ("metric", "stage", "set") if row[name])
        verdict = f"**{row['verdict']}**" if row["required"] else row["verdict"]
        cells = (
            verdict,
            row["cell"],
            _text(metric),
            _number(row["before"]),
            _number(row["mean"]),
            _change(row),
            _number(row["q"]),
        )
        lines.append("| " + " | ".join((*cells, starts_at(row), _text(row["reason"]))) + " |")
    paragraphs = ["\n".join(lines)] if loud.height else []
    if loud.height > ROWS:
        paragraphs.append(f"and {loud.height - ROWS} more rows: `skewbench query regressions`.")
    rest = ", ".join(f"{count} {verdict}" for verdict, count in quiet.iter_rows())
    return [*paragraphs, *([f"The other rows: {rest}."] if rest else []), *_reasons(table)]


def _reasons(table: pl.DataFrame) -> list[str]:
    """Write why rows are not comparable, one line for each metric and reason."""
    rows = table.filter(verdict="not comparable")
    each = rows.group_by("metric", "reason", maintain_order=True).agg(pl.col("cell").unique(maintain_order=True))
    lines = [
        f"- {_text(row['metric'])} ({_text(', '.join(row['cell']))}): {_text(row['reason'])}" for row in each.to_dicts()
    ]
    return ["Not comparable:", "\n".join(lines)] if lines else []


def rows_for_people(table: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of a comparison that a terminal shows.

    Args:
        table: Rows of the table `regressions`.
    """
    table = _with_sets_told_apart(table)
    place = [starts_at(row) for row in table.to_dicts()]
    ends = zip(table["low"], table["high"], strict=True)
    spans = [None if low is None or high is None else f"[{low:.3g}, {high:.3g}]" for low, high in ends]
    return table.with_columns(
        starts=pl.Series(place, dtype=pl.String), interval=pl.Series(spans, dtype=pl.String)
    ).select(_SHOWN)


def _with_sets_told_apart(table: pl.DataFrame) -> pl.DataFrame:
    """Clear the set of metrics that have only one set in the table, because its text is long."""
    several = pl.col("set").n_unique().over("kind", "metric") > 1
    return table.with_columns(set=pl.when(several).then("set"))


def starts_at(row: dict[str, object]) -> str:
    """Describe the beginning of a difference; empty if no block is known.

    Args:
        row: Row of the table `regressions`.
    """
    if row["block"] is None:
        return ""
    step = "" if row["step"] is None else f"step {row['step']}, "
    return f"{step}block {row['block']}"


def _images(comparison: Comparison, lake: str) -> list[str]:
    most = comparison.images.filter("moved").sort("mean", "unit", descending=[True, False]).head(IMAGES)
    if most.is_empty():
        return []
    medium = MEDIA[medium_of(comparison.run)]

    def pictures(run: Manifest, samples: pl.Series) -> dict[str, bytes]:
        found = sql.encoded_files(lake, run.run_id, samples, medium.table.name, (medium.picture,))
        return {sample: row[medium.picture] for sample, row in found.items()}

    before = pictures(comparison.against, most["sample_before"])
    now = pictures(comparison.run, most["sample"])
    lines = ["| before | now | |", "|---|---|---|"]
    for row in most.to_dicts():
        caption = f"{row['prompt']} ({row['cell']}, seed {row['seed']}; {row['mean']:.1f} of 255 levels)"
        lines.append(f"| {_image(before[row['sample_before']])} | {_image(now[row['sample']])} | {_text(caption)} |")
    return ["Samples that changed most:", "\n".join(lines)]


def _text(given: str) -> str:
    """Escape text, so that a prompt cannot add markup to the page."""
    printable = "".join(c if c.isprintable() else " " for c in given)
    return re.sub(r"([\\|`*_\[\]])", r"\\\1", printable).replace("<", "&lt;")


def _image(content: bytes) -> str:
    try:
        return f"![image]({thumbnail(content).source})"
    except BrokenImage:
        return f"({len(content)} bytes, no image)"


def _number(value: float | None) -> str:
    return "" if value is None else show(value)


def _change(row: dict[str, float]) -> str:
    if row["change"] is None:
        return ""
    return signed(row["change"]) + (f" [{signed(row['low'])}, {signed(row['high'])}]" if row["low"] is not None else "")
